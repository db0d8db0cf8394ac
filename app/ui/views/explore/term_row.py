"""A term on a card: what it is about, what it asks for, and the editor that opens below."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QSizePolicy, QVBoxLayout, QWidget

from app.core.query.model import Relation, Saved
from app.texts import text
from app.ui.icons import icon
from app.ui.models.board import Board
from app.ui.models.criteria import Content, Term
from app.ui.models.links import event_of
from app.ui.theme import set_role, theme
from app.ui.tokens import Style
from app.ui.views.explore import wording
from app.ui.views.explore.dragging import NO, REFUSED, TARGET, Grip, LinkPlace, drag_part
from app.ui.views.explore.editor import Editor
from app.ui.views.explore.editors import editor_of
from app.ui.views.explore.linking import LinkHandle
from app.ui.widgets.buttons import LINK, QUIET, Button, ElidedButton, IconButton
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

    def link_menu(self, id: int) -> QMenu:
        """Return the menu of what a term about an event can be linked with in time."""
        ...


class TermRow(LinkPlace, Grip):
    """One term. A term about an event takes links in time."""

    def __init__(self, board: Board, term: Term, actions: Actions) -> None:
        super().__init__(board)
        self.term = term
        self._actions = actions
        self.editor: Editor | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        content = term.content
        well = frame("well", row(Icon(wording.icon_of(content, board), 14), margins=(5, 5, 5, 5)))
        well.setFixedSize(24, 24)
        self._not = Chip(text("ui.explore.not"), "danger", "minus-circle")
        self._name = Label("", Style.STRONG, wrap=True)
        self._name.setMinimumHeight(_LINE)
        self._name.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self._code = Chip("", code=True)
        self._value = ElidedButton("", QUIET, size="small", pressed=self._toggle)
        self._value.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        flow = Flow(gap=6)
        related = isinstance(content, Relation)
        for each in (self._not, self._name, self._code, *([] if related else [self._value])):
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
        self.handle = LinkHandle(self, actions) if event_of(content) is not None else None
        top = row(gap=8)
        top.addLayout(column(2, well, None, gap=0))
        top.addWidget(words, 1)
        side = QWidget()
        set_role(side, role="clear")
        side.setLayout(row(*([self.handle] if self.handle is not None else []), self._more, self._remove, gap=4))
        top.addWidget(side, 0, Qt.AlignmentFlag.AlignTop)
        self._below = QVBoxLayout()
        self._below.setContentsMargins(32, 6, 8, 0)
        self._hint = Label("", Style.CAPTION, "dan", wrap=True)
        self._hint.hide()
        link = row(*([self._value] if related else []), None, margins=(32, 0, 0, 0))  # it needs the whole width
        self.setLayout(column(top, link, self._hint, self._below, gap=0, margins=(4, 3, 4, 3)))
        self.show_term(term, every=False)

    def fits(self, term: Term) -> bool:
        """Return whether this row can go on to show ``term``: only its values differ."""
        mine, other = self.term.content, term.content
        if self.term.id != term.id or isinstance(mine, Saved) or isinstance(other, Saved):
            return self.term.id == term.id and mine == other
        if isinstance(mine, Relation) or isinstance(other, Relation):
            return isinstance(mine, Relation) and isinstance(other, Relation)
        return mine.code == other.code

    def show_term(self, term: Term, *, every: bool) -> None:
        """Show what a term asks for now."""
        self.term, self._every = term, every
        said, name = wording.value(term, self.board), wording.name(term, self.board)
        if name != self._name.text():
            self._name.setText(name)
            self._name.setMinimumWidth(min(self._name.fontMetrics().horizontalAdvance(name) + 2, 260))
        self._show_code()
        self._value.set_whole(said)
        related = isinstance(term.content, Relation)
        if related != (self._value.property("role") == "relation"):
            set_role(self._value, role="relation" if related else QUIET)
        self._value.setVisible(bool(said))
        self._not.setVisible(term.negated)
        self._value.setAccessibleName(text("ui.explore.edit", name=name, value=said))
        words = text("ui.explore.and_more") if every else text("ui.explore.or_more")
        self._more.setText(words)
        self._more.setAccessibleName(text("ui.explore.more_of", name=name))
        if self.handle is not None:
            self.handle.set_name(text("ui.explore.link_of", name=name))
        self._remove.set_name(text("ui.explore.remove", name=name))
        self.setAccessibleName(wording.spoken(term, self.board))
        self.setAccessibleDescription(text("ui.explore.term_help"))
        if self.editor is not None:
            self.editor.show_content(term.content)

    def show_again(self) -> None:
        """Show the same term anew: what a relation says also depends on the other rows."""
        self.show_term(self.term, every=self._every)

    def _show_code(self) -> None:
        """Show the code within its system; a plain word says no more than the name."""
        if isinstance(self.term.content, Saved):
            self._code.set(text("ui.explore.saved_cohort"), "accent")
            return
        _, _, code = wording.code_of(self.term, self.board).partition(":")
        self._code.set(code, "plain")
        self._code.setVisible(bool(code))

    def show_opened(self, opened: bool) -> None:
        """Open or close the editor."""
        wanted = opened and not isinstance(self.term.content, Saved)
        chevron = "chevron-up" if opened else "chevron-down"
        self._value.setIcon(icon(chevron, "acc" if isinstance(self.term.content, Relation) else "text2"))
        if wanted and self.editor is None:
            self.editor = editor_of(self.term, self.board)
            if self.editor is not None:
                self.editor.show_content(self.term.content)
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

    # --- links in time --------------------------------------------------------------------------------------------

    def takes_links(self) -> bool:
        """Whether a link in time can end here at all."""
        return event_of(self.term.content) is not None

    def link_target(self) -> int:
        """Return the id of the term that a link would end at."""
        return self.term.id

    def show_drag(self) -> None:
        """Show what a link that hovers would do, or why it cannot end here."""
        self._hint.setText(self.drag_reason or text("ui.explore.link_here"))
        self._hint.set_ink("dan" if self.drag_state == REFUSED else "acc")
        self._hint.setVisible(self.drag_state != NO)
        self.update()

    # --- keyboard and mouse ---------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if not self.hasFocus():  # a key that a control inside had no use for
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and not self._value.isHidden():
            self._toggle()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._take_away()
        elif event.key() == Qt.Key.Key_L and self.handle is not None:
            self.handle.open_menu()
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
        words = wording.name(self.term, self.board)
        icon_name = wording.icon_of(self.term.content, self.board)
        self.grip_move(event, lambda: drag_part(self, self.board, self.term.id, icon_name, words))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        if self.hasFocus() or self.drag_state == TARGET:
            look, painter = theme(), QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(look.colour("accfill"), 2))
            painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), 6, 6)
