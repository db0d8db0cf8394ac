"""One request, opened: who asks, the question, what would be released, and what the policy says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.core.disclosure.judgement import Verdict
from app.texts import text
from app.ui.icons import icon
from app.ui.models.budget import Budget
from app.ui.models.naming import Names
from app.ui.models.person import Person
from app.ui.models.projects import Project
from app.ui.models.question import Question
from app.ui.models.releasing import Releasing
from app.ui.models.requests import Asked, Preview
from app.ui.theme import theme
from app.ui.tokens import PANE, Style
from app.ui.views.budget.price import PriceCard
from app.ui.views.requests import wording
from app.ui.widgets.buttons import LINK, QUIET, Button
from app.ui.widgets.chips import Chip
from app.ui.widgets.entries import Initials, initials_of
from app.ui.widgets.feedback import Icon, Timeline
from app.ui.widgets.layout import Flow, card, clear, column, line, row, scrolling
from app.ui.widgets.text import Label

_SIDE = 316
_WIDEST = 760


@dataclass(frozen=True)
class Around:
    """What is known around a request: who asks and under which project, as far as this site knows them."""

    own: str = ""
    names: Names = Names()
    person: Person | None = None
    project: Project | None = None
    budget: Budget | None = None


class Opened(QWidget):
    """The request of the moment. What has not changed is left alone, so that nobody loses the place."""

    def __init__(self, *, ask_back: Callable[[], object], edit_policy: Callable[[], object]) -> None:
        super().__init__()
        self._asked: Asked | None = None
        self._question: Question | None = None
        self._releasing: Releasing | None = None
        self._around = Around()
        self._head()
        self._main(ask_back)
        self._beside(edit_policy)
        side = QWidget()
        side.setFixedWidth(_SIDE)
        side.setLayout(column(self._judged, self._always, self._until, None, gap=PANE))
        main = QWidget()
        main.setMaximumWidth(_WIDEST)
        main.setLayout(self._left)
        both = QHBoxLayout()
        both.setContentsMargins(24, 20, 24, 20)
        both.setSpacing(24)
        both.addWidget(main, 1)
        both.addWidget(side, 0, Qt.AlignmentFlag.AlignTop)
        both.addStretch(0)
        inside = QWidget()
        inside.setLayout(both)
        inside.setSizePolicy(
            QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored
        )  # as high as its words at a width
        self.area = scrolling(inside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.area)
        theme().changed.connect(self._colour)

    # --- parts ------------------------------------------------------------------------------------------------

    def _head(self) -> None:
        self._initials = Initials()
        self._asker = Label("", Style.STRONG, wrap=True)
        self._role = Label("", Style.SMALL, "text2", wrap=True)
        self._contact = Label("", Style.SMALL, "text2", wrap=True, selectable=True)
        self._chip = Chip("")
        self._words = Label("", Style.QUESTION, "text2", wrap=True, rich=True, selectable=True)
        self._words.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)

    def _main(self, ask_back: Callable[[], object]) -> None:
        names = row(gap=10)
        names.addWidget(self._initials, 0, Qt.AlignmentFlag.AlignTop)
        names.addLayout(column(self._asker, self._role, self._contact, gap=1), 1)
        names.addWidget(self._chip, 0, Qt.AlignmentFlag.AlignTop)
        self._fold = Button(text("ui.requests.purpose"), QUIET, icon_name="chevron-right", pressed=self.unfold)
        self._fold.setAccessibleDescription(text("ui.requests.purpose_folded"))
        self._purpose = Label("", Style.BODY, wrap=True, selectable=True)
        self._form = Label("", Style.CODE, wrap=True, selectable=True)
        self._project_title = Label(text("ui.requests.project_label"), Style.CAPTION, "text2")
        self._project = Label("", Style.BODY, wrap=True, selectable=True)
        self._folded = card(
            Label(text("ui.requests.purpose_label"), Style.CAPTION, "text2"),
            self._purpose,
            self._project_title,
            self._project,
            Label(text("ui.requests.form_label"), Style.CAPTION, "text2"),
            self._form,
            gap=4,
        )
        self._folded.hide()
        self._released_title = Label("", Style.STRONG, "text2")
        self._released = _Facts()
        self.price = PriceCard()
        self._price_title = Label(text("ui.requests.costs"), Style.STRONG, "text2")
        self._sites = Flow()
        self._sites_note = Label("", Style.SMALL, "text2", wrap=True)
        self._notes_title = Label(text("ui.requests.notes"), Style.STRONG, "text2")
        self._thread = QVBoxLayout()
        self._thread.setSpacing(8)
        self._ask = Button(text("ui.requests.ask_back"), icon_name="message", size="small", pressed=ask_back)
        sites = QWidget()
        sites.setLayout(self._sites)
        self._left = column(
            names,
            self._words,
            row(self._fold, None),
            self._folded,
            8,
            self._released_title,
            self._released,
            8,
            self._price_title,
            self.price,
            8,
            Label(text("ui.requests.sites"), Style.STRONG, "text2"),
            sites,
            self._sites_note,
            8,
            row(self._notes_title, None, self._ask),
            self._thread,
            None,
            gap=8,
        )

    def _beside(self, edit_policy: Callable[[], object]) -> None:
        self._judged_title = Label("", Style.STRONG, wrap=True)
        self._edit = Button(text("ui.requests.edit"), LINK, pressed=edit_policy)
        self._edit.setAccessibleName(text("ui.requests.edit_policy"))
        self._steps = Timeline()
        title = row(self._judged_title, self._edit)
        title.setStretch(0, 1)
        self._judged = card(title, self._steps, gap=12, padding=PANE)
        self._always_words = Label("", Style.BODY, wrap=True)
        self._always = card(
            Label(text("ui.requests.always_title"), Style.STRONG, "text2", wrap=True), self._always_words, padding=PANE
        )
        self._until_words = Label("", Style.SMALL, "text2", wrap=True)
        until = row(gap=8)
        until.addWidget(Icon("clock", 16, "text2"), 0, Qt.AlignmentFlag.AlignTop)
        until.addWidget(self._until_words, 1)
        self._until = QWidget()
        self._until.setLayout(until)

    # --- showing ----------------------------------------------------------------------------------------------

    def show_request(
        self,
        asked: Asked,
        asked_in_words: Question | None,
        releasing: Releasing | None,
        found: Preview | None,
        around: Around,
    ) -> None:
        """Show a request; ``asked_in_words``, ``releasing`` and ``found`` are None while they are not known yet."""
        other = self._asked is None or self._asked.id != asked.id
        if other:
            self.area.verticalScrollBar().setValue(0)
            self._folded.show()
            self.unfold()
        if other or asked_in_words != self._question:
            self._question = asked_in_words
            self._colour(asked)
        if other or (asked, releasing, around) != (self._asked, self._releasing, self._around):
            self._asked, self._releasing, self._around = asked, releasing, around
            self._show(asked)
        self._show_preview(asked, found)

    def _show(self, asked: Asked) -> None:
        own, project = self._around.own, self._around.project
        self._initials.set(initials_of(asked.person or asked.asker))
        self._asker.setText(wording.asker_words(asked))
        role = wording.role_words(self._around.person, project)
        self._role.setText(role)
        self._role.setVisible(bool(role))
        self._contact.setText(asked.contact)
        self._chip.set(*wording.chip(asked, own))
        self._purpose.setText(asked.purpose or text("ui.requests.no_purpose"))
        self._form.setText(asked.text)
        told = project is not None
        self._project_title.setVisible(told)
        self._project.setVisible(told)
        if project is not None:
            parts = (project.title, project.purpose, project.legal_basis, project.assessment)
            self._project.setText("\n".join(filter(None, parts)))
        self._released_title.setText(text("ui.requests.released" if asked.waiting else "ui.requests.was_released"))
        self._released.show_facts(wording.released(asked, self._releasing))
        clear(self._sites)
        for site in asked.sites:
            mine = site == own
            self._sites.addWidget(Chip(site, "accent" if mine else "plain", "home" if mine else ""))
        key = "ui.requests.sites_least" if own in asked.sites else "ui.requests.sites_helping"
        self._sites_note.setText(text(key, least=asked.minimum, count=len(asked.sites)))
        self._show_notes(asked)
        self._until_words.setText(wording.deadline(asked))
        self._until.setVisible(not asked.ended)

    def _show_notes(self, asked: Asked) -> None:
        clear(self._thread)
        for note in asked.notes:
            said = Label(note.text, Style.BODY, wrap=True, selectable=True)
            self._thread.addWidget(card(Label(note.site, Style.CAPTION, "text2"), said, gap=2))
        if asked.reminders:
            words = text("ui.requests.reminded", site=asked.asker, count=asked.reminders)
            self._thread.addLayout(row(Icon("bell", 14), Label(words, Style.SMALL, "text2"), None))
        silent = not asked.notes and not asked.reminders
        self._notes_title.setVisible(not (silent and asked.ended))
        if silent and not asked.ended:
            self._thread.addWidget(Label(text("ui.requests.no_notes"), Style.SMALL, "text2", wrap=True))
        self._ask.setVisible(not asked.ended)

    def _show_preview(self, asked: Asked, found: Preview | None) -> None:
        judged = asked.waiting and found is not None
        self._judged_title.setText(text("ui.requests.preview" if judged else "ui.requests.past"))
        self._edit.setVisible(judged)
        price = found.price if judged and found is not None else None
        self._price_title.setVisible(price is not None)
        self.price.show_price(price, self._around.budget)
        if judged and found is not None:
            self._steps.show_steps(wording.preview(found, asked, self._around.names))
        else:
            self._steps.show_steps(wording.history(asked, self._around.own))
        asks = judged and found is not None and found.verdict is Verdict.ASK
        self._always.setVisible(asks)
        self._always_words.setText(wording.always(asked))

    def _colour(self, asked: Asked | None = None) -> None:
        about = asked or self._asked
        words = self._question
        if words is not None:
            self._words.setText(words.rich(theme().colours["text"]))
            self._words.setAccessibleName(words.plain)
        elif about is not None:
            self._words.setText("")

    def unfold(self) -> None:
        """Show purpose and text form, or fold them again."""
        shown = self._folded.isHidden()
        self._folded.setVisible(shown)
        self._fold.setIcon(icon("chevron-down" if shown else "chevron-right"))
        key = "ui.requests.purpose_unfolded" if shown else "ui.requests.purpose_folded"
        self._fold.setAccessibleDescription(text(key))


class _Facts(QWidget):
    """A card of facts below each other, with a hairline between."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)

    def show_facts(self, facts: list[tuple[str, str, str]]) -> None:
        """Show (icon, title, words) each."""
        clear(self._layout)
        inside = column(gap=10)
        for place, (icon_name, title, words) in enumerate(facts):
            if place:
                inside.addWidget(line())
            each = row(gap=12)
            each.addWidget(Icon(icon_name, 18, "text2" if place else "acc"), 0, Qt.AlignmentFlag.AlignTop)
            texts = column(Label(title, Style.STRONG, wrap=True), Label(words, Style.BODY, "text2", wrap=True), gap=2)
            each.addLayout(texts, 1)
            inside.addLayout(each)
        made: QFrame = card(inside, padding=14)
        self._layout.addWidget(made)
