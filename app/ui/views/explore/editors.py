"""The editors that open under a term: which one a term gets, and levels as a check list."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QFrame, QScrollArea, QWidget

from app.core.catalogue.model import Kind, Variable
from app.core.query.model import Known, Levels, Relation
from app.texts import preferred_language, text
from app.ui.locale import number
from app.ui.models.board import Board
from app.ui.models.criteria import Content, Term
from app.ui.models.distribution import Distribution
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.views.explore.editor import Editor
from app.ui.views.explore.editor_dates import DateEditor
from app.ui.views.explore.editor_events import EventEditor
from app.ui.views.explore.editor_range import RangeEditor
from app.ui.views.explore.editor_relation import RelationEditor
from app.ui.widgets.buttons import LINK, Button
from app.ui.widgets.layout import Flow, column, row
from app.ui.widgets.text import Label

_FEW, _MANY = 3, 8
_HEIGHT = 220


class LevelsEditor(Editor):
    """A check list; all levels together are any known value."""

    def __init__(self, variable: Variable, shown: Distribution | None) -> None:
        super().__init__()
        self._variable = variable
        counts = {} if shown is None else {bar.first: bar.count for bar in shown.bars}
        language = preferred_language()
        self.boxes: list[QCheckBox] = []
        for place, level in enumerate(variable.levels):
            words = level.label.text(language)
            if place in counts:
                words = text("ui.explore.level_count", level=words, count=number(counts[place]))
            box = QCheckBox(words.replace("&", "&&"))
            box.setAccessibleName(words)
            box.clicked.connect(self._changed)
            self.boxes.append(box)
        self._all = Button(text("ui.explore.every_level"), LINK, size="small", pressed=lambda: self._set(True))
        self._none = Button(text("ui.explore.none_level"), LINK, size="small", pressed=lambda: self._set(False))
        head = row(self._all, self._none, None, gap=4)
        caption = text("ui.explore.here") if counts else ""
        if caption:
            head.addWidget(Label(caption, Style.CAPTION, "text3"))
        self.setLayout(column(self._list(), head, gap=4))
        self._run = 0

    def _list(self) -> QWidget:
        inside = QWidget()
        set_role(inside, role="clear")
        if len(self.boxes) <= _FEW:
            flow = Flow(gap=4)
            for box in self.boxes:
                flow.addWidget(box)
            inside.setLayout(flow)
            return inside
        inside.setLayout(column(*self.boxes, gap=0))
        if len(self.boxes) <= _MANY:
            return inside
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(inside)
        area.setFixedHeight(_HEIGHT)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return area

    def first(self) -> QWidget:
        """Return what gets the focus."""
        return self.boxes[0]

    def show_content(self, content: Content) -> None:
        """Show what the term asks for."""
        if isinstance(content, Levels | Known):
            chosen = content.levels if isinstance(content, Levels) else {each.code for each in self._variable.levels}
            for box, level in zip(self.boxes, self._variable.levels, strict=True):
                box.setChecked(level.code in chosen)

    def _set(self, checked: bool) -> None:
        for box in self.boxes:
            box.setChecked(checked)
        self._changed()

    def _changed(self) -> None:
        self._run += 1
        levels = [each.code for box, each in zip(self.boxes, self._variable.levels, strict=True) if box.isChecked()]
        code = self._variable.code
        whole = len(levels) == len(self._variable.levels)
        self.edited.emit(Known(code) if whole else Levels(code, frozenset(levels)), self._run)


class FollowedEditor(Editor):
    """Nothing to choose: a survival variable only asks whether a patient was followed."""

    def __init__(self) -> None:
        super().__init__()
        self._words = Label(text("ui.explore.followed_words"), Style.CAPTION, "text2", wrap=True)
        self._words.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setLayout(column(self._words))

    def first(self) -> QWidget:
        """Return what gets the focus."""
        return self._words

    def show_content(self, content: Content) -> None:
        """Show what the term asks for: always the same."""


def editor_of(term: Term, board: Board) -> Editor | None:  # noqa: PLR0911 - one return a kind of variable
    """Return an editor for a term; None if there is nothing to edit."""
    content = term.content
    if isinstance(content, Relation):
        return RelationEditor(term.id, board)
    variable = board.variable(getattr(content, "code", ""))
    if variable is None:
        return None
    shown = board.distribution(variable.code)
    match variable.kind:
        case Kind.CATEGORY:
            return LevelsEditor(variable, shown)
        case Kind.NUMBER:
            return RangeEditor(variable, shown) if variable.cut_points else None
        case Kind.DATE:
            return DateEditor(variable, shown)
        case Kind.EVENT:
            return EventEditor(variable, shown)
        case Kind.SURVIVAL:
            return FollowedEditor()
        case _:
            return None
