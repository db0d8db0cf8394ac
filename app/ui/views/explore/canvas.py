"""The criteria canvas: the cards with "and" between them, the empty place at the end, and the menus of it all."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QMenu, QVBoxLayout, QWidget

from app.core.query.model import Relation
from app.texts import text
from app.ui.models.board import Board
from app.ui.models.criteria import Between, Card, Into, Place, Term
from app.ui.views.explore.canvas_menus import link_menu, menu_of
from app.ui.views.explore.card import CardWidget
from app.ui.views.explore.linking import LANE, SIDE, LinkLines
from app.ui.views.explore.places import EDGE, EmptyPlace, Gap
from app.ui.views.explore.term_row import TermRow
from app.ui.widgets.layout import scrolling


class Canvas(QWidget):
    """All cards of the board. ``wish_more`` asks for a variable to be chosen for the current card."""

    wish_more = Signal()

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.board = board
        self._cards: list[CardWidget] = []
        self._column = QVBoxLayout()
        self._column.setContentsMargins(SIDE, 0, SIDE, 16)
        self._column.setSpacing(0)
        self._end = EmptyPlace(board, self._wish_new)
        inside = QWidget()
        self.inside = inside
        inside.installEventFilter(self)
        outer = QVBoxLayout(inside)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(self._column)
        outer.addStretch(1)
        self.area = scrolling(inside)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.installEventFilter(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.area)
        self.lines = LinkLines(board, inside, self.widget_of)
        board.changed.connect(self.show_criteria)
        board.funnel_changed.connect(self._show_left)
        board.current_changed.connect(self._show_current)
        board.surroundings_changed.connect(self.rebuild)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_moved)
        self.rebuild()

    # --- showing --------------------------------------------------------------------------------------------------

    def rebuild(self) -> None:
        """Make all cards anew: names, units or bins are other ones."""
        self._make([])
        self._show_relations()
        self._show_left()

    def show_criteria(self) -> None:
        """Show the board's cards; those that are still there stay."""
        cards, focused = self.board.criteria.cards, self.focused()
        if [each.card.id for each in self._cards] == [card.id for card in cards]:
            for shown, card in zip(self._cards, cards, strict=True):
                shown.show_card(card)
            if focused and self.focused() != focused:  # its row was made anew
                self.focus(focused)
        else:
            self._make(self._cards)
        self._show_relations()
        self._show_left()
        self._end.update()

    def _show_relations(self) -> None:
        """Show what relations say of the rows as they are now, and the lines between them."""
        for each in self.widgets():
            if isinstance(each, TermRow) and isinstance(each.term.content, Relation):
                each.show_again()
        lanes = self.lines.lanes
        right = SIDE + lanes * LANE
        self._column.setContentsMargins(SIDE, 0, right, 16)
        self.lines.place()

    def _show_left(self) -> None:
        left = self.board.left()
        for number, shown in enumerate(self._cards):
            shown.show_left(left[number] if number < len(left) else None)

    def _make(self, kept: list[CardWidget]) -> None:
        old = {each.card.id: each for each in kept}
        focused = self.focused()
        while (item := self._column.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None and widget is not self._end and widget not in kept:
                widget.hide()
                widget.deleteLater()
        self._cards = []
        for place, card in enumerate(self.board.criteria.cards):
            self._column.addWidget(Gap(self.board, place))
            shown = old.pop(card.id, None)
            if shown is None:
                shown = CardWidget(self.board, card, self)
            else:
                shown.show_card(card)
            self._cards.append(shown)
            self._column.addWidget(shown)
        for left in old.values():
            left.hide()
            left.deleteLater()
        self._column.addSpacing(EDGE)
        self._column.addWidget(self._end)
        self._tab_order()
        if focused and self.board.criteria.find(focused) is not None:
            self.focus(focused)
        self._show_current()

    def _tab_order(self) -> None:
        before: QWidget | None = None
        for shown in self._cards:
            if before is not None:
                QWidget.setTabOrder(before, shown)
            before = shown

    def _show_current(self) -> None:
        for shown in self._cards:
            shown.show_current()
        current = self.widget_of(self.board.opened or self.board.current)
        if current is not None:
            QTimer.singleShot(0, current, lambda: self.area.ensureWidgetVisible(current, 0, 40))

    def widgets(self) -> Iterator[CardWidget | TermRow]:
        """Yield every card and term."""
        for shown in self._cards:
            yield from shown.widgets()

    def widget_of(self, id: int) -> CardWidget | TermRow | None:
        """Return what shows the part ``id``."""
        return next((each for each in self.widgets() if _id_of(each) == id), None)

    # --- focus ----------------------------------------------------------------------------------------------------

    def focused(self) -> int:
        """Return the id of the card or term that has the focus, or in which the focus is; 0 for none."""
        widget = QApplication.focusWidget()
        while widget is not None and widget is not self:
            if isinstance(widget, CardWidget | TermRow):
                return _id_of(widget)
            widget = widget.parentWidget()
        return 0

    def focus(self, id: int) -> None:
        """Give a part the focus."""
        widget = self.widget_of(id)
        if widget is not None and widget.isVisible():
            widget.setFocus(Qt.FocusReason.OtherFocusReason)
        elif widget is not None and self.isVisible():  # it was made just now and is shown in a moment
            QTimer.singleShot(0, self, lambda: self._focus_new(id))

    def _focus_new(self, id: int) -> None:
        if (widget := self.widget_of(id)) is not None:
            widget.setFocus(Qt.FocusReason.OtherFocusReason)

    def _focus_moved(self, _old: QWidget | None, _new: QWidget | None) -> None:
        id = self.focused()
        if id:
            part = self.board.criteria.find(id)
            holder = self.board.criteria.card_of(id) if isinstance(part, Term) else part
            if isinstance(holder, Card):
                self.board.attend(holder.id)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Arrow keys go from card to card and term to term, before the page scrolls with them; lines follow."""
        if watched is self.inside and event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            QTimer.singleShot(0, self.lines, self.lines.place)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and not event.modifiers():
            step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
            if step is not None and isinstance(QApplication.focusWidget(), CardWidget | TermRow):
                self._step(step)
                return True
        return super().eventFilter(watched, event)

    def _step(self, by: int) -> None:
        """Go to the next card or term."""
        ids = [_id_of(each) for each in self.widgets()]
        now = self.focused()
        if now in ids:
            self.focus(ids[max(0, min(ids.index(now) + by, len(ids) - 1))])

    def wish(self, id: int) -> None:
        """Ask for a variable for the card of a part."""
        part = self.board.criteria.find(id)
        holder = self.board.criteria.card_of(id) if isinstance(part, Term) else part
        self.board.attend(0 if holder is None else holder.id)
        self.wish_more.emit()

    def _wish_new(self) -> None:
        self.board.attend(0)
        self.wish_more.emit()

    # --- moving ---------------------------------------------------------------------------------------------------

    def menu_of(self, id: int) -> QMenu:
        """Return the menu of a card or term."""
        return menu_of(self, id)

    def link_menu(self, id: int) -> QMenu:
        """Return the menu of what a term about an event can be linked with in time."""
        return link_menu(self, id)

    def move_to(self, id: int, place: Place) -> None:
        """Put a part somewhere else."""
        if self.board.do(lambda criteria: criteria.move(id, place), text("ui.explore.did.move")):
            self.focus(id)

    def move_part(self, id: int, by: int) -> None:
        """Move a card before its neighbour, or a term into the card above or below."""
        criteria = self.board.criteria
        top = next((n for n, card in enumerate(criteria.cards) if card.id == id), None)
        if top is not None:
            place: Place = Between(max(0, top - 1)) if by < 0 else Between(min(top + 2, len(criteria.cards)))
            self.move_to(id, place)
            return
        holder = criteria.card_of(id)
        cards = [card.id for card in criteria.cards]
        if holder is None:
            return
        if holder.id not in cards:
            above = criteria.card_of(holder.id)
            self.move_to(id, Into(above.id) if above is not None else Between(len(cards)))
            return
        next_ = cards.index(holder.id) + by
        self.move_to(id, Into(cards[next_]) if 0 <= next_ < len(cards) else Between(max(0, next_)))

    # --- copy and paste -------------------------------------------------------------------------------------------

    def copy(self, id: int) -> None:
        """Put the text form of a part on the clipboard; without one, that of everything."""
        written = self.board.text_of(id) if id else self.board.text
        if written:
            QApplication.clipboard().setText(written)

    def cut(self, id: int) -> None:
        """Copy a part and take it away."""
        self.copy(id)
        self.remove(id)

    def paste(self) -> None:
        """Add what the text form on the clipboard says."""
        written = QApplication.clipboard().text()
        if written.strip():
            self.board.paste(written)

    def duplicate(self, id: int) -> None:
        """Put a copy after a part."""
        if id:
            self.board.do(lambda criteria: criteria.duplicate(id), text("ui.explore.did.duplicate"))

    def remove(self, id: int) -> None:
        """Take a part away; the focus goes to what was before it."""
        ids = [_id_of(each) for each in self.widgets()]
        if id in ids and self.board.do(lambda criteria: criteria.remove(id), text("ui.explore.did.remove")):
            left = [each for each in ids[: ids.index(id)] if self.board.criteria.find(each) is not None]
            if left:
                self.focus(left[-1])
            else:
                self._end.setFocus()


def _id_of(widget: CardWidget | TermRow) -> int:
    return widget.card.id if isinstance(widget, CardWidget) else widget.term.id
