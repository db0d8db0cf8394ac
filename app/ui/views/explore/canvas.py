"""The criteria canvas: the cards with "and" between them, the empty place at the end, and the menus of it all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu, QVBoxLayout, QWidget

from app.texts import text
from app.ui import icons
from app.ui.models.board import Board
from app.ui.models.criteria import Between, Card, Into, Place, Term
from app.ui.views.explore.card import CardWidget
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
        self._column.setContentsMargins(20, 0, 20, 16)
        self._column.setSpacing(0)
        self._end = EmptyPlace(board, self._wish_new)
        inside = QWidget()
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
        board.changed.connect(self.show_criteria)
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
        self._end.update()

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
        """Arrow keys go from card to card and term to term, before the page scrolls with them."""
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

    # --- menus ----------------------------------------------------------------------------------------------------

    def menu_of(self, id: int) -> QMenu:
        """Return the menu of a card or term."""
        part, board = self.board.criteria.find(id), self.board
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def entry(words: str, do: object, keys: str = "", icon_name: str = "") -> None:
            action = QAction(words, menu)
            if keys:
                action.setShortcut(QKeySequence(keys))
                action.setShortcutVisibleInContextMenu(True)
                action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            if icon_name:
                action.setIcon(icons.icon(icon_name))
            action.triggered.connect(do)
            menu.addAction(action)

        negated = part is not None and part.negated
        words = text("ui.explore.must") if negated else text("ui.explore.must_not")
        entry(words, lambda: board.do(lambda c: c.negate(id), text("ui.explore.did.negate")), "-")
        if isinstance(part, Card) and len(part.parts) > 1:
            every = text("ui.explore.any_of") if part.every else text("ui.explore.all_of")
            entry(every, lambda: board.do(lambda c: c.set_every(id, not part.every), text("ui.explore.did.change")))
        menu.addSeparator()
        entry(text("ui.explore.copy"), lambda: self.copy(id), "Ctrl+C", "copy")
        entry(text("ui.explore.cut"), lambda: self.cut(id), "Ctrl+X")
        entry(text("ui.explore.paste"), self.paste, "Ctrl+V")
        entry(text("ui.explore.duplicate"), lambda: self.duplicate(id), "Ctrl+D")
        menu.addSeparator()
        entry(text("ui.explore.move_up"), lambda: self.move_part(id, -1), "Alt+Up", "chevron-up")
        entry(text("ui.explore.move_down"), lambda: self.move_part(id, 1), "Alt+Down", "chevron-down")
        targets = self._targets(id)
        if targets:
            into = menu.addMenu(text("ui.explore.move_into"))
            for place, words in targets:
                into.addAction(words, partial(self._move_to, id, place))
        menu.addSeparator()
        entry(text("ui.explore.remove_it"), lambda: self.remove(id), "Del", "trash")
        return menu

    def _targets(self, id: int) -> list[tuple[Place, str]]:
        """Return where a part can go: other cards, or a card of its own."""
        found: list[tuple[Place, str]] = []
        holder = self.board.criteria.card_of(id)
        for shown in self.widgets():
            if isinstance(shown, CardWidget) and shown.card.id != id and (not holder or shown.card.id != holder.id):
                words = text("ui.explore.card_named", words=shown.accessibleName())
                found.append((Into(shown.card.id), words[:80]))
        if holder is not None:
            found.append((Between(len(self.board.criteria.cards)), text("ui.explore.own_card")))
        return found

    def _move_to(self, id: int, place: Place) -> None:
        if self.board.do(lambda criteria: criteria.move(id, place), text("ui.explore.did.move")):
            self.focus(id)

    def move_part(self, id: int, by: int) -> None:
        """Move a card before its neighbour, or a term into the card above or below."""
        criteria = self.board.criteria
        top = next((n for n, card in enumerate(criteria.cards) if card.id == id), None)
        if top is not None:
            place: Place = Between(max(0, top - 1)) if by < 0 else Between(min(top + 2, len(criteria.cards)))
            self._move_to(id, place)
            return
        holder = criteria.card_of(id)
        cards = [card.id for card in criteria.cards]
        if holder is None:
            return
        if holder.id not in cards:
            above = criteria.card_of(holder.id)
            self._move_to(id, Into(above.id) if above is not None else Between(len(cards)))
            return
        next_ = cards.index(holder.id) + by
        self._move_to(id, Into(cards[next_]) if 0 <= next_ < len(cards) else Between(max(0, next_)))

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
