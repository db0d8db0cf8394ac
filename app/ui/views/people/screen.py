"""The screen: who speaks for this site, whom it has endorsed, who hands over, and the projects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QStackedWidget, QVBoxLayout, QWidget

from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.locale import day, whole_moment
from app.ui.models.people import People, SiteKey
from app.ui.models.person import Person, role_name
from app.ui.models.projects import Project, projects_from_plain
from app.ui.tokens import PANE, VIEW, Style
from app.ui.views.people.dialogs import (
    AcceptDialog,
    CustodianDialog,
    EndorseDialog,
    HandoverDialog,
    KeyDialog,
    RevokeDialog,
)
from app.ui.views.people.projects import ProjectDialog, ProjectsCard, VerdictDialog
from app.ui.views.view import View
from app.ui.widgets.buttons import Button
from app.ui.widgets.chips import Chip
from app.ui.widgets.dialogs import ask_text, open_once
from app.ui.widgets.entries import Initials, initials_of
from app.ui.widgets.feedback import EmptyState, Timeline, TimelineStep, announce
from app.ui.widgets.layout import card, clear, column, header, line, row, scrolling
from app.ui.widgets.text import Label

_WIDEST = 900
_LOOK = {
    "valid": ("positive", "check"),
    "not yet": ("plain", "clock"),
    "expired": ("plain", "clock"),
    "revoked": ("danger", "close"),
    "unaccepted": ("caution", "warning"),
}


class PeopleView(View):
    """People and projects. It is reached from Settings."""

    name: ClassVar[str] = "people"
    rail: ClassVar[str] = "settings"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.people: People | None = None
        self.projects: tuple[Project, ...] | None = None
        self._handover: Mapping[str, Any] = {}
        back = Button(text("ui.people.back"), icon_name="chevron-left", pressed=lambda: context.navigate("settings"))
        self.page.addWidget(header(text("ui.rail.people"), text("ui.people.subtitle"), back))
        self._custodian = QVBoxLayout()
        self._list = QVBoxLayout()
        self._list.setSpacing(10)
        self._steps = Timeline()
        self._leaving = Label("", Style.BODY, wrap=True)
        self.projects_card = ProjectsCard(new=self.new_project, approve=self.approve, close=self.close_project)
        nowhere = EmptyState("people", text("ui.people.nowhere"), text("ui.people.nowhere_words"))
        self._stack = QStackedWidget()
        for each in (QWidget(), self._make_page(), nowhere):
            self._stack.addWidget(each)
        self.page.addWidget(self._stack, 1)
        context.standing.changed.connect(self._stand)
        self._stand()

    def _make_page(self) -> QWidget:
        inside = QWidget()
        inside.setMaximumWidth(_WIDEST)
        inside.setLayout(
            column(
                self.banners,
                card(self._custodian, padding=PANE),
                self._people_card(),
                self.projects_card,
                self._handover_card(),
                None,
                gap=16,
            )
        )
        centred = row(None, inside, None, margins=(VIEW, VIEW, VIEW, VIEW), gap=0)
        centred.setStretch(1, 100)
        return scrolling(centred)

    def _people_card(self) -> QFrame:
        self.key = Button(text("ui.people.key"), icon_name="key", size="small", pressed=self.make_key)
        self.endorse_button = Button(text("ui.people.endorse"), icon_name="plus", size="small", pressed=self.endorse)
        return card(
            row(Label(text("ui.people.title"), Style.STRONG), None, self.key, self.endorse_button),
            Label(text("ui.people.words"), Style.SMALL, "text2", wrap=True),
            self._list,
            gap=10,
            padding=PANE,
        )

    def _handover_card(self) -> QFrame:
        self.begin = Button(text("ui.people.handover_begin"), size="small", pressed=self.begin_handover)
        self.take_back = Button(text("ui.people.handover_revoke"), size="small", pressed=self.revoke_leaver)
        self.end = Button(text("ui.people.handover_end"), size="small", pressed=self.end_handover)
        return card(
            row(Label(text("ui.people.handover"), Style.STRONG), None, self.begin, self.take_back, self.end),
            self._leaving,
            self._steps,
            gap=10,
            padding=PANE,
        )

    # --- asking the owner -----------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask who is endorsed, and for the projects."""
        if self.context.standing.overview.ready:
            self.context.bridge.call("people.list", of=self, done=self._take, failed=self.fail)
            self.context.bridge.call("project.list", of=self, done=self._take_projects, failed=self.fail)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        if self.context.standing.overview.ready:  # this one is not only looking: not whenever something changes
            self._hand_over({"leaver": ""})

    def _hand_over(self, values: Mapping[str, Any]) -> None:
        self.context.bridge.call("people.handover", values, of=self, done=self._take_handover, failed=self.fail)

    def _take(self, found: Result) -> None:
        people = People.from_plain(found)
        if people != self.people:
            self.people = people
            self._show(people)
        self._stand()

    def _take_projects(self, found: Result) -> None:
        projects = projects_from_plain(found)
        if projects != self.projects:
            self.projects = projects
            self.projects_card.show_projects(projects, self._own)

    def _take_handover(self, found: Result) -> None:
        self._handover = found
        self._show_handover()

    def _stand(self) -> None:
        overview = self.context.standing.overview
        if not overview.ready:
            self._stack.setCurrentIndex(2 if overview.site else 0)
            return
        self._stack.setCurrentIndex(1 if self.people is not None else 0)
        if self.isVisible() and self.people is None:
            self.refresh()

    @property
    def _own(self) -> str:
        return self.context.standing.overview.site

    # --- showing --------------------------------------------------------------------------------------------------

    def _show(self, people: People) -> None:
        clear(self._custodian)
        own = next((each for each in people.keys if each.own), SiteKey(self._own, True, people.custodian))
        make = text("ui.people.custodian_replace_button" if people.custodian else "ui.people.custodian_button")
        icon = "shield-check" if people.custodian else "shield"
        chip = Chip(
            text("ui.people.custodian_there" if people.custodian else "ui.people.custodian_none"),
            "positive" if people.custodian else "caution",
            icon,
        )
        button = Button(make, size="small", pressed=self.make_custodian)
        self._custodian.addLayout(row(Label(text("ui.people.custodian"), Style.STRONG), chip, None, button, gap=10))
        if people.custodian:
            words = text("ui.people.custodian_words", fingerprint=own.fingerprint or "–", since=day(own.since) or "–")
        else:
            words = text("ui.people.no_custodian_words")
        self._custodian.addWidget(Label(words, Style.SMALL, "text2", wrap=True, selectable=True))
        for each in people.keys:
            if each.waiting and not each.own:
                self._custodian.addWidget(self._waiting(each))
        clear(self._list)
        theirs = sorted(people.people, key=lambda each: (each.site != self._own, each.site, each.name.casefold()))
        if not theirs:
            self._list.addWidget(Label(text("ui.people.none"), Style.SMALL, "text2", wrap=True))
        for place, person in enumerate(theirs):
            if place:
                self._list.addWidget(line())
            self._list.addWidget(self._row(person))

    def _waiting(self, key: SiteKey) -> QWidget:
        words = Label(text("ui.people.waiting", site=key.site, fingerprint=key.waiting), Style.BODY, "cau", wrap=True)
        accept = Button(text("ui.people.accept"), size="small", pressed=lambda: self.accept_key(key.site))
        accept.setAccessibleName(text("ui.people.accept_title", site=key.site))
        made = QWidget()
        layout = row(words, accept, gap=12)
        layout.setStretch(0, 1)
        made.setLayout(layout)
        return made

    def _row(self, person: Person) -> QWidget:
        initials = Initials(28)
        initials.set(initials_of(person.name))
        words = text("ui.people.line", site=person.site, until=day(person.until))
        if person.state == "revoked" and person.reason:
            words = text("ui.people.line_revoked", site=person.site, reason=person.reason)
        about = column(
            Label(person.name, Style.STRONG, wrap=True), Label(words, Style.SMALL, "text2", wrap=True), gap=1
        )
        layout = row(initials, about, Chip(role_name(person.role)), gap=12)
        layout.setStretch(1, 1)
        if person.own:
            layout.addWidget(Chip(text("ui.people.own"), "accent", "computer"))
        layout.addWidget(Chip(text(f"ui.people.state.{person.state.replace(' ', '_')}"), *_LOOK[person.state]))
        if person.site == self._own and person.state in ("valid", "not yet"):
            revoke = Button(text("ui.people.revoke"), size="small", pressed=lambda: self.revoke(person))
            revoke.setAccessibleName(text("ui.people.revoke_title", person=person.name))
            layout.addWidget(revoke)
        made = QWidget()
        made.setLayout(layout)
        return made

    def _show_handover(self) -> None:
        leaver, done = str(self._handover.get("leaver") or ""), bool(self._handover.get("done"))
        if leaver:
            when = whole_moment(int(self._handover.get("begun") or 0))
            self._leaving.setText(text("ui.people.leaving", person=leaver, when=when))
        else:
            self._leaving.setText(text("ui.people.handover_words"))
        self._steps.setVisible(bool(leaver))
        self._steps.show_steps([_step(each) for each in self._handover.get("steps") or ()])
        self.begin.setVisible(not leaver)
        states = {str(each["step"]): str(each["state"]) for each in self._handover.get("steps") or ()}
        self.take_back.setVisible(states.get("revoke") == "open")
        self.take_back.forbid(text("ui.people.handover_backup_first") if states.get("backup") == "open" else "")
        self.end.setVisible(bool(leaver))
        self.end.setText(text("ui.people.handover_end" if done else "ui.people.handover_forget"))

    # --- doing ----------------------------------------------------------------------------------------------------

    def _said(self, words: str) -> None:
        announce(self, words)
        self.refresh()

    @property
    def _signs(self) -> bool:
        return self.people is not None and self.people.custodian

    def make_custodian(self) -> None:
        """Make the custodian's key, or one that follows it."""
        done = text("ui.people.custodian_made")
        open_once(CustodianDialog(self, self.context.bridge, follows=self._signs, done=lambda _found: self._said(done)))

    def accept_key(self, site: str) -> None:
        """Accept another site's custodian's key."""
        open_once(AcceptDialog(self, self.context.bridge, site, lambda _found: self._said(text("ui.people.accepted"))))

    def make_key(self) -> None:
        """Make a person's key on this workstation."""
        open_once(KeyDialog(self, self.context.bridge, lambda _found: self._said(text("ui.people.key_made"))))

    def endorse(self) -> None:
        """Endorse somebody."""
        here = () if self.people is None else self.people.here
        open_once(
            EndorseDialog(
                self,
                self.context.bridge,
                custodian=self._signs,
                here=here,
                done=lambda _found: self._said(text("ui.people.endorsed")),
            )
        )

    def revoke(self, person: Person) -> None:
        """Take an endorsement back."""
        said = text("ui.people.revoked")
        open_once(
            RevokeDialog(self, self.context.bridge, person, custodian=self._signs, done=lambda _found: self._said(said))
        )

    def new_project(self) -> None:
        """Propose a project."""
        if self.people is not None:
            said = text("ui.projects.proposed")
            open_once(
                ProjectDialog(
                    self, self.context.bridge, self.people, own=self._own, done=lambda _found: self._said(said)
                )
            )

    def approve(self, project: Project) -> None:
        """Approve a project for this site."""
        self._decide(project, approve=True)

    def close_project(self, project: Project) -> None:
        """Close a project."""
        self._decide(project, approve=False)

    def _decide(self, project: Project, *, approve: bool) -> None:
        said = text("ui.projects.approved" if approve else "ui.projects.closed")
        open_once(
            VerdictDialog(
                self,
                self.context.bridge,
                project,
                approve=approve,
                custodian=self._signs,
                done=lambda _found: self._said(said),
            )
        )

    def begin_handover(self) -> None:
        """Ask who leaves, and begin."""
        ask_text(
            self,
            text("ui.people.handover_title"),
            text("ui.people.handover_words"),
            label=text("ui.people.leaver"),
            answer=text("ui.people.handover_now"),
            most=100,
            then=lambda leaver: self._hand_over({"leaver": leaver}),
        )

    def revoke_leaver(self) -> None:
        """Take back what the one who leaves holds."""
        leaver = str(self._handover.get("leaver") or "")

        def done(found: Result) -> None:
            self._take_handover(found)
            self._said(text("ui.people.revoked"))

        open_once(HandoverDialog(self, self.context.bridge, leaver, custodian=self._signs, done=done))

    def end_handover(self) -> None:
        """Forget a handover."""
        self.context.bridge.call(
            "people.handover",
            {"leaver": "", "end": True},
            of=self,
            done=lambda _found: self._hand_over({"leaver": ""}),
            failed=self.fail,
        )


def _step(step: Mapping[str, Any]) -> TimelineStep:
    name, state = str(step["step"]), str(step["state"])
    looks = {"done": "done", "open": "waiting", "not needed": "later"}
    words = text(f"ui.people.step_words.{name}") if state == "open" else ""
    when = whole_moment(int(step["at"])) if step.get("at") else ""
    return TimelineStep(looks[state], text(f"ui.people.step.{name}"), words, when)
