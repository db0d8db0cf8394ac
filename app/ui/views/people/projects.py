"""The federation's projects: what each is for, who takes part, which sites have approved it; and a new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QCheckBox, QFrame, QVBoxLayout, QWidget

from app.core.services.commands import Result
from app.texts import text
from app.ui.bridge import Caller
from app.ui.locale import day
from app.ui.models.people import People
from app.ui.models.projects import Project
from app.ui.tokens import PANE, Style
from app.ui.views.people.dialogs import date_field, end_of, lines_edit
from app.ui.widgets.buttons import Button
from app.ui.widgets.chips import Chip
from app.ui.widgets.fields import Field, line_edit
from app.ui.widgets.layout import Flow, card, clear, column, line, row, scrolling
from app.ui.widgets.signing import SigningDialog
from app.ui.widgets.text import Label

_YEAR = 365
_LOOK = {
    "approved": ("positive", "check"),
    "proposed": ("caution", "person"),
    "expired": ("plain", "clock"),
    "closed": ("plain", "stop"),
}
_FORM = 430

Do = Callable[[Project], object]


class ProjectsCard(QFrame):
    """The list. ``approve`` and ``close`` get the project, ``new`` begins another one."""

    def __init__(self, *, new: Callable[[], object], approve: Do, close: Do) -> None:
        super().__init__()
        self._approve, self._close = approve, close
        self.new = Button(text("ui.projects.new"), icon_name="plus", size="small", pressed=new)
        self._list = QVBoxLayout()
        self._list.setSpacing(10)
        title = row(Label(text("ui.projects.title"), Style.STRONG), None, self.new)
        inside = card(
            title, Label(text("ui.projects.words"), Style.SMALL, "text2", wrap=True), self._list, gap=10, padding=PANE
        )
        self.setLayout(column(inside))

    def show_projects(self, projects: tuple[Project, ...], own: str) -> None:
        """Show these."""
        clear(self._list)
        if not projects:
            self._list.addWidget(Label(text("ui.projects.none"), Style.SMALL, "text2", wrap=True))
        for place, each in enumerate(projects):
            if place:
                self._list.addWidget(line())
            self._list.addWidget(self._row(each, own))

    def _row(self, project: Project, own: str) -> QWidget:
        chip = Chip(text(f"ui.projects.state.{project.state}"), *_LOOK[project.state])
        head = row(Label(project.title, Style.STRONG, wrap=True), chip, gap=10)
        head.setStretch(0, 1)
        buttons: list[QWidget] = []
        if project.state == "proposed":
            approve = Button(text("ui.projects.approve"), size="small", pressed=lambda: self._approve(project))
            approve.setAccessibleName(text("ui.projects.approve_named", title=project.title))
            buttons.append(approve)
        if project.usable:
            close = Button(text("ui.projects.close"), size="small", pressed=lambda: self._close(project))
            close.setAccessibleName(text("ui.projects.close_named", title=project.title))
            buttons.append(close)
        sites = Flow()
        for site, state in project.approvals:
            tone, icon_name = _LOOK[state]
            each = Chip(text(f"ui.projects.at.{state}", site=site), tone if state == "approved" else "plain", icon_name)
            sites.addWidget(each)
        people = " · ".join(text("ui.names.person", person=person, site=site) for site, person in project.members)
        facts = [
            project.purpose,
            text("ui.projects.about", site=project.proposed_by, until=day(project.until)),
            text("ui.projects.members_are", people=people),
        ]
        made = QWidget()
        said = [Label(each, Style.SMALL, "text2", wrap=True) for each in facts if each]
        made.setLayout(column(head, *said, sites, row(*buttons, None), gap=4))
        return made


class ProjectDialog(SigningDialog):
    """A new project: everything that a data-protection officer asks."""

    def __init__(
        self, parent: QWidget, bridge: Caller, people: People, *, own: str, done: Callable[[Result], object]
    ) -> None:
        self._bridge, self._done = bridge, done
        self.title = line_edit()
        self.purpose, self.basis, self.assessment = lines_edit(64), lines_edit(48), lines_edit(64)
        self.until = date_field(text("ui.projects.until"), _YEAR)
        self._fields = {
            "title": Field(text("ui.projects.name"), self.title, text("ui.projects.name_hint")),
            "purpose": Field(text("ui.projects.purpose"), self.purpose),
            "basis": Field(text("ui.projects.basis"), self.basis, text("ui.projects.basis_hint")),
            "assessment": Field(text("ui.projects.assessment"), self.assessment, text("ui.projects.assessment_hint")),
        }
        self.members: list[tuple[QCheckBox, str, str]] = []
        boxes = column(gap=2)
        for each in people.people:
            if each.asks and each.state in ("valid", "not yet"):
                words = text("ui.names.person", person=each.name, site=each.site)
                box = QCheckBox(words.replace("&", "&&"))
                self.members.append((box, "" if each.site == own else each.site, each.name))
                boxes.addWidget(box)
        self._nobody = Label(text("ui.projects.nobody"), Style.SMALL, "text2", wrap=True)
        self._nobody.setVisible(not self.members)
        self._members_wrong = Label("", Style.CAPTION, "dan", wrap=True)
        form = scrolling(
            column(
                *self._fields.values(),
                Label(text("ui.projects.members"), Style.STRONG),
                boxes,
                self._nobody,
                self._members_wrong,
                Field(text("ui.projects.until"), self.until),
                None,
                gap=10,
                margins=(0, 0, 12, 0),
            )
        )
        form.setMinimumHeight(_FORM)
        super().__init__(
            parent,
            text("ui.projects.new_title"),
            text("ui.projects.new_words"),
            form,
            answer=text("ui.projects.propose"),
            custodian=people.custodian,
        )
        self.setMinimumWidth(600)
        self.answered = self._propose

    def _propose(self) -> None:
        typed = {
            "title": self.title.text().strip(),
            "purpose": self.purpose.toPlainText().strip(),
            "basis": self.basis.toPlainText().strip(),
            "assessment": self.assessment.toPlainText().strip(),
        }
        for name, field in self._fields.items():
            field.refuse("" if typed[name] else text("ui.text_needed"))
        members = [{"site": site, "person": person} for box, site, person in self.members if box.isChecked()]
        self._members_wrong.setText("" if members else text("ui.projects.members_needed"))
        if not all(typed.values()) or not members:
            return
        values: dict[str, Any] = {
            "title": typed["title"],
            "purpose": typed["purpose"],
            "legal_basis": typed["basis"],
            "assessment": typed["assessment"],
            "members": members,
            "until": end_of(self.until),
        }
        self.call(self._bridge, "project.new", values, self._done)


class VerdictDialog(SigningDialog):
    """Approves a project for this site, or closes it."""

    def __init__(
        self,
        parent: QWidget,
        bridge: Caller,
        project: Project,
        *,
        approve: bool,
        custodian: bool,
        done: Callable[[Result], object],
    ) -> None:
        kind = "approve" if approve else "close_everywhere" if project.own else "close"
        told = [
            (text("ui.projects.purpose"), project.purpose),
            (text("ui.projects.basis"), project.legal_basis),
            (text("ui.projects.assessment"), project.assessment),
        ]
        facts = column(gap=2)
        for name, words in told if approve else []:
            facts.addWidget(Label(name, Style.CAPTION, "text2"))
            facts.addWidget(Label(words or "–", wrap=True, selectable=True))
        super().__init__(
            parent,
            text(f"ui.projects.{kind}_title", title=project.title),
            text(f"ui.projects.{kind}_words"),
            facts,
            answer=text("ui.projects.approve_now" if approve else "ui.projects.close_now"),
            custodian=custodian,
            danger=not approve,
        )
        command = "project.approve" if approve else "project.close"
        self.answered = lambda: self.call(bridge, command, {"id": project.id}, done)
