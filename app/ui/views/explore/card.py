"""A card: what patients must have, or must not have, with its terms and the cards nested in it."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.texts import text
from app.ui.icons import icon
from app.ui.locale import number, whole_moment
from app.ui.models.board import Board
from app.ui.models.criteria import Card, Into, Term
from app.ui.models.funnel import Left
from app.ui.theme import set_role, theme
from app.ui.tokens import Style
from app.ui.views.explore import wording
from app.ui.views.explore.dragging import NO, REFUSED, TARGET, DropPlace, Grip, drag_part
from app.ui.views.explore.term_row import Actions, TermRow
from app.ui.widgets.buttons import QUIET, Button, IconButton, menu_button
from app.ui.widgets.layout import clear, column, row
from app.ui.widgets.text import Label, tip


class CardWidget(DropPlace, Grip):
    """A card of the canvas, or one nested in another; it keeps its rows where only their values change."""

    def __init__(self, board: Board, card: Card, actions: Actions) -> None:
        super().__init__(board, lambda: Into(self.card.id))
        self.card = card
        self._actions = actions
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._mode = Button("", "mode", size="small")
        menu_button(
            self._mode,
            [
                (text("ui.explore.must"), "check-circle", lambda: self._negate(False)),
                (text("ui.explore.must_not"), "minus-circle", lambda: self._negate(True)),
            ],
        )
        self._every = Button("", QUIET, size="small")
        self._every.setIcon(icon("chevron-down"))
        self._every.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        menu_button(
            self._every,
            [
                (text("ui.explore.any_of"), "", lambda: self._set_every(False)),
                (text("ui.explore.all_of"), "", lambda: self._set_every(True)),
            ],
        )
        self._more = IconButton("more", text("ui.explore.card_menu"), size=16, pressed=self._show_menu)
        self._hint = Label("", Style.CAPTION, "dan", wrap=True)
        self._hint.hide()
        self._body = QVBoxLayout()
        self._body.setContentsMargins(0, 0, 0, 0)
        self._body.setSpacing(2)
        self.left = Label("", Style.CAPTION, "text2")
        self.left.hide()
        head = row(self._mode, self._every, None, self.left, self._more, gap=8)
        self.setLayout(column(head, self._body, self._hint, gap=6, margins=(12, 10, 10, 10)))
        self._build()

    # --- showing --------------------------------------------------------------------------------------------------

    def show_card(self, card: Card) -> None:
        """Show a card; what only changed its values stays as it is."""
        if card == self.card:
            return
        before, self.card = self.card, card
        same = len(before.parts) == len(card.parts) and before.every == card.every
        if same and all(self._fits(shown, part) for shown, part in zip(self._shown(), card.parts, strict=True)):
            for shown, part in zip(self._shown(), card.parts, strict=True):
                if isinstance(shown, TermRow) and isinstance(part, Term):
                    shown.show_term(part, every=card.every)
                elif isinstance(shown, CardWidget) and isinstance(part, Card):
                    shown.show_card(part)
            self._show_head()
        else:
            self._build()
        self.show_current()

    def _fits(self, shown: QWidget, part: object) -> bool:
        if isinstance(shown, TermRow):
            return isinstance(part, Term) and shown.fits(part)
        return isinstance(shown, CardWidget) and isinstance(part, Card) and shown.card.id == part.id

    def _shown(self) -> list[TermRow | CardWidget]:
        items = (self._body.itemAt(place) for place in range(self._body.count()))
        widgets = (item.widget() for item in items if item is not None)
        return [each for each in widgets if isinstance(each, TermRow | CardWidget)]

    def _build(self) -> None:
        clear(self._body)
        for place, part in enumerate(self.card.parts):
            if place:
                joint = text("ui.explore.and") if self.card.every else text("ui.explore.or_word")
                between = Label(joint, Style.CAPTION, "text3")
                between.setContentsMargins(8, 0, 0, 0)
                self._body.addWidget(between)
            if isinstance(part, Term):
                made = TermRow(self.board, part, self._actions)
                made.show_term(part, every=self.card.every)
                self._body.addWidget(made)
            else:
                self._body.addWidget(CardWidget(self.board, part, self._actions))
        if not self.card.parts:
            words = text("ui.explore.every_patient") if self.card.every else text("ui.explore.no_patient")
            self._body.addWidget(Label(words, ink="text2"))
        self._show_head()
        self.show_current()

    def _show_head(self) -> None:
        negated = self.card.negated
        self._mode.setText(wording.mode(negated))
        self._mode.setIcon(icon("minus-circle" if negated else "check-circle", "dan" if negated else "pos"))
        set_role(self._mode, role="mode", tone="danger" if negated else "positive")
        self._every.setText(text("ui.explore.all_of") if self.card.every else text("ui.explore.any_of"))
        self._every.setVisible(len(self.card.parts) > 1)
        self.setAccessibleName(wording.spoken(self.card, self.board))
        self.setAccessibleDescription(text("ui.explore.card_help"))

    def show_left(self, left: Left | None) -> None:
        """Show how many patients were left after this card, as the last released funnel says; None for unknown."""
        words = "" if left is None else text("ui.explore.left", count=number(left.count))
        self.left.setText(words if left is None or left.exact else f"≈ {words}")
        when = "" if left is None else text("ui.explore.left_words", when=whole_moment(left.released))
        self.left.setToolTip(tip(when))
        self.left.setAccessibleName(", ".join(filter(None, (words, when))))
        self.left.setVisible(left is not None)

    def show_current(self) -> None:
        """Show which card has the attention, and which editor is open."""
        for shown in self._shown():
            if isinstance(shown, TermRow):
                shown.show_opened(shown.term.id == self.board.opened)
            else:
                shown.show_current()
        self.update()

    def widgets(self) -> Iterator[CardWidget | TermRow]:
        """Yield this card and all that it holds."""
        yield self
        for shown in self._shown():
            if isinstance(shown, CardWidget):
                yield from shown.widgets()
            else:
                yield shown

    # --- changing -------------------------------------------------------------------------------------------------

    def _negate(self, negated: bool) -> None:
        id = self.card.id
        if negated != self.card.negated:
            self.board.do(lambda criteria: criteria.negate(id), text("ui.explore.did.negate"))

    def _set_every(self, every: bool) -> None:
        id = self.card.id
        self.board.do(lambda criteria: criteria.set_every(id, every), text("ui.explore.did.change"))

    def _show_menu(self) -> None:
        self._actions.menu_of(self.card.id).popup(self._more.mapToGlobal(self._more.rect().bottomLeft()))

    # --- dropping and dragging ------------------------------------------------------------------------------------

    def show_drag(self) -> None:
        hint = text("ui.explore.and") if self.card.every else text("ui.explore.or_word")
        if self.drag_link:
            hint = text("ui.explore.link_here")
        self._hint.setText(self.drag_reason or hint)
        self._hint.set_ink("dan" if self.drag_state == REFUSED else "acc")
        self._hint.setVisible(self.drag_state != NO)
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        id = self.card.id
        if not self.hasFocus():
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._actions.remove(id)
        elif event.key() == Qt.Key.Key_Minus:
            self._negate(not self.card.negated)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._actions.wish(id)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802
        self._actions.menu_of(self.card.id).popup(event.globalPos())

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.grip_press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        words = wording.spoken(self.card, self.board)
        self.grip_move(event, lambda: drag_part(self, self.board, self.card.id, "layers", words))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        current = self.card.id == self.board.current or self.hasFocus()
        fill, pen = {
            NO: ("raised", QPen(look.colour("accfill"), 2) if current else QPen(look.colour("hair"), 1)),
            TARGET: ("accsoft", QPen(look.colour("accfill"), 2)),
            REFUSED: ("raised", QPen(look.colour("dan"), 2)),
        }[self.drag_state]
        painter.setPen(pen)
        painter.setBrush(look.colour(fill))
        inset = pen.widthF() / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 8, 8)
