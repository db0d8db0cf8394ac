"""A term on a card: what it is about, what it asks for, and the editor that opens below."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QSizePolicy, QVBoxLayout, QWidget

from app.core.query.model import Saved
from app.texts import text
from app.ui.icons import icon
from app.ui.models.board import Board
from app.ui.models.criteria import Content, Term
from app.ui.theme import set_role, theme
from app.ui.tokens import Style
from app.ui.views.explore import wording
from app.ui.views.explore.dragging import Grip, drag_part
from app.ui.views.explore.editors import Editor, editor_of
from app.ui.widgets.buttons import LINK, QUIET, Button, IconButton
from app.ui.widgets.chips import Chip
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import Flow, column, frame, row
from app.ui.widgets.text import Label

_LINE = 28


class Actions(Protocol):
    """What a card or term leaves to the canvas, which knows all of them."""

    def menu_of(self, id: int) -> QMenu:
        """Return the menu of a part."""
        ...

    def wish(self, id: int) -> None:
        """Ask for another variable on the card of a part."""
        ...

    def remove(self, id: int) -> None:
        """Take a part away."""
        ...


class TermRow(QWidget, Grip):
    """One term."""

    def __init__(self, board: Board, term: Term, actions: Actions) -> None:
        super().__init__()
        self.board, self.term = board, term
        self._actions = actions
        self.editor: Editor | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        content = term.content
        well = frame("well", row(Icon(wording.icon_of(content, board), 14), margins=(5, 5, 5, 5)))
        well.setFixedSize(24, 24)
        self._not = Chip(text("ui.explore.not"), "danger", "minus-circle")
        name = Label(wording.name(content, board), Style.STRONG, wrap=True)
        name.setMinimumWidth(min(name.fontMetrics().horizontalAdvance(name.text()) + 2, 260))
        name.setMinimumHeight(_LINE)
        name.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self._value = Button("", QUIET, size="small", pressed=self._toggle)
        self._value.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        flow = Flow(gap=6)
        for each in (self._not, name, *self._code(content), self._value):
            flow.addWidget(each)
        words = QWidget()
        set_role(words, role="clear")
        words.setLayout(flow)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        words.setSizePolicy(policy)
        self._more = Button(
            text("ui.explore.or_more"), LINK, icon_name="plus", pressed=lambda: actions.wish(self.term.id)
        )
        self._remove = IconButton("close", "", size=14, pressed=self._take_away)
        top = row(gap=8)
        top.addLayout(column(2, well, None, gap=0))
        top.addWidget(words, 1)
        side = QWidget()
        set_role(side, role="clear")
        side.setLayout(row(self._more, self._remove, gap=4))
        top.addWidget(side, 0, Qt.AlignmentFlag.AlignTop)
        self._below = QVBoxLayout()
        self._below.setContentsMargins(32, 0, 8, 0)
        self.setLayout(column(top, self._below, gap=0, margins=(4, 3, 4, 3)))
        self.show_term(term, every=False)

    def _code(self, content: Content) -> list[QWidget]:
        """Return a chip with the code within its system; a plain word says no more than the name."""
        if isinstance(content, Saved):
            return [Chip(text("ui.explore.saved_cohort"), "accent")]
        _, _, code = content.code.partition(":")
        return [Chip(code, code=True)] if code else []

    def fits(self, term: Term) -> bool:
        """Return whether this row can go on to show ``term``: only its values differ."""
        mine, other = self.term.content, term.content
        if isinstance(mine, Saved) or isinstance(other, Saved):
            return self.term.id == term.id and mine == other
        return self.term.id == term.id and mine.code == other.code

    def show_term(self, term: Term, *, every: bool) -> None:
        """Show what a term asks for now."""
        self.term = term
        said = wording.value(term.content, self.board)
        self._value.setText(said.replace("&", "&&"))
        self._value.setVisible(bool(said))
        self._not.setVisible(term.negated)
        name = wording.name(term.content, self.board)
        self._value.setAccessibleName(text("ui.explore.edit", name=name, value=said))
        words = text("ui.explore.and_more") if every else text("ui.explore.or_more")
        self._more.setText(words)
        self._more.setAccessibleName(text("ui.explore.more_of", name=name))
        self._remove.set_name(text("ui.explore.remove", name=name))
        self.setAccessibleName(wording.spoken(term, self.board))
        self.setAccessibleDescription(text("ui.explore.term_help"))
        if self.editor is not None:
            self.editor.show_content(term.content)

    def show_opened(self, opened: bool) -> None:
        """Open or close the editor."""
        content = self.term.content
        wanted = opened and not isinstance(content, Saved)
        chevron = "chevron-up" if opened else "chevron-down"
        self._value.setIcon(icon(chevron))
        if wanted and self.editor is None and not isinstance(content, Saved):
            self.editor = editor_of(self.board.variable(content.code), self.board.distribution(content.code))
            if self.editor is not None:
                self.editor.show_content(content)
                self.editor.edited.connect(self._edited)
                self._below.addWidget(self.editor)
        elif not wanted and self.editor is not None:
            self.editor.hide()
            self.editor.deleteLater()
            self.editor = None

    def _edited(self, content: Content, run: int) -> None:
        id = self.term.id
        self.board.do(
            lambda criteria: criteria.set_content(id, content), text("ui.explore.did.change"), merging=f"{id}.{run}"
        )

    def _toggle(self) -> None:
        self.board.toggle(self.term.id)
        if self.editor is not None:
            self.editor.first().setFocus()

    def _take_away(self) -> None:
        self._actions.remove(self.term.id)

    # --- keyboard and mouse ---------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if not self.hasFocus():  # a key that a control inside had no use for
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and not self._value.isHidden():
            self._toggle()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._take_away()
        elif event.key() == Qt.Key.Key_Minus:
            id = self.term.id
            self.board.do(lambda criteria: criteria.negate(id), text("ui.explore.did.negate"))
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802
        self._actions.menu_of(self.term.id).popup(event.globalPos())

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        super().focusInEvent(event)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.grip_press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        content = self.term.content
        words = wording.name(content, self.board)
        icon_name = wording.icon_of(content, self.board)
        self.grip_move(event, lambda: drag_part(self, self.board, self.term.id, icon_name, words))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        if self.hasFocus():
            look, painter = theme(), QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(look.colour("accfill"), 2))
            painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), 6, 6)
