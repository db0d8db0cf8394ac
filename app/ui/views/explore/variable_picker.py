"""A variable that an analysis uses: a button that names it, takes another one by drag, or asks for it by search."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QSizePolicy, QWidget

from app.core.errors import UserError
from app.texts import explain, text
from app.ui.icons import icon
from app.ui.models.analysing import Slot, problem, refusal
from app.ui.models.board import Board
from app.ui.models.terms import TERMS_MIME, offer_of
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.views.explore.wording import ICONS, label, named
from app.ui.widgets.buttons import ElidedButton
from app.ui.widgets.dialogs import Dialog, open_once
from app.ui.widgets.feedback import announce
from app.ui.widgets.fields import SearchField
from app.ui.widgets.text import Label

Find = Callable[[str, frozenset[int]], list[int] | None]
"""Searches the catalogue among some places; None while there is no index yet."""
_SHOWN = 200


class VariableButton(ElidedButton):
    """The variable in a slot. ``code`` empty: none. ``chosen`` gets the code of another one."""

    def __init__(
        self, board: Board, slot: Slot, code: str, name: str, find: Find, chosen: Callable[[str], object]
    ) -> None:
        super().__init__("", size="small", pressed=self.open)
        self.board, self.slot, self.code = board, slot, code
        self._name, self._find, self._chosen = name, find, chosen
        self.refused = ""
        """Why what hovers or was dropped does not fit."""
        self.told: Callable[[str], object] = lambda _why: None
        """Gets why something does not fit, and an empty text once nothing hovers."""
        self.dialog: Picker | None = None
        variable = board.variable(code)
        words = named(code, board) if code else text("ui.explore.no_groups")
        self.setIcon(icon("plus" if variable is None else ICONS[variable.kind]))
        self.set_whole(words)
        self.setAccessibleName(text("ui.explore.slot_spoken", slot=name, name=words))
        self.setAcceptDrops(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setStyleSheet("text-align: left;")

    def open(self) -> None:
        """Ask for another variable."""
        self.dialog = open_once(Picker(self, self.board, self.slot, self._name, self._find, self._chosen))
        self.dialog.finished.connect(self._gone)

    def _gone(self) -> None:
        self.dialog = None

    # --- dropping -------------------------------------------------------------------------------------------------

    def _offered(self, data: QMimeData) -> tuple[str, str]:
        """Return the code of what is dragged, and why it does not fit."""
        try:
            offer = offer_of(data)
            if offer is None or offer.catalogue != self.board.hash or len(offer.terms) != 1:
                return "", text("ui.explore.drop_one_variable")
        except UserError as error:
            return "", explain(error).what
        code = offer.terms[0][0]
        variable = self.board.variable(code)
        return code, text("ui.explore.drop_one_variable") if variable is None else refusal(self.slot, variable)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        if not event.mimeData().hasFormat(TERMS_MIME):
            event.ignore()
            return
        _, self.refused = self._offered(event.mimeData())
        self._tell("" if self.refused else "target")
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802
        self.refused = ""
        self._tell("")

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        code, self.refused = self._offered(event.mimeData())
        self._tell("")
        if not self.refused:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self._chosen(code)

    def _tell(self, state: str) -> None:
        set_role(self, role="relation" if state else "secondary")
        self.told(self.refused)


class Picker(Dialog):
    """Which variable: a search over those that fit."""

    def __init__(
        self, parent: QWidget, board: Board, slot: Slot, name: str, find: Find, chosen: Callable[[str], object]
    ) -> None:
        self.search = SearchField(text("ui.explore.search"))
        self.list = QListWidget()
        self.list.setAccessibleName(name)
        self.list.setMinimumHeight(self.list.fontMetrics().height() * 14)
        self._none = Label(text("ui.explore.nothing_found"), Style.BODY, "text2")
        super().__init__(
            parent.window(), name, text(f"ui.explore.slot_words.{slot.name}"), self.search, self.list, self._none,
            answer=text("ui.explore.choose"),
        )  # fmt: skip
        self._board, self._find, self._chosen = board, find, chosen
        self._places = frozenset(
            board.places[each.code] for kind in slot.kinds for each in board.kinds[kind] if not problem(slot, each)
        )
        self.search.wanted.connect(lambda _typed: self._fill())
        self.search.returnPressed.connect(self._first)
        self.list.itemActivated.connect(lambda _item: self.answer())
        self.answered = self._take
        self._fill()
        self.search.setFocus()

    def _fill(self) -> None:
        catalogue, typed = self._board.catalogue, self.search.text().strip()
        if catalogue is None:
            return
        found = self._find(typed, self._places) if typed else sorted(self._places, key=self._rank)
        self.list.clear()
        for place in (found or [])[:_SHOWN]:
            variable = catalogue.variables[place]
            item = QListWidgetItem(icon(ICONS[variable.kind]), f"{label(variable)}   {variable.code}")
            item.setData(Qt.ItemDataRole.UserRole, variable.code)
            self.list.addItem(item)
        self._none.setVisible(not self.list.count())
        self.answer_button.setEnabled(bool(self.list.count()))
        if self.list.count():
            self.list.setCurrentRow(0)

    def _rank(self, place: int) -> tuple[bool, int]:
        """Those that some site has come first."""
        catalogue, held = self._board.catalogue, self._board.holding.held
        return catalogue is not None and bool(held) and not held.get(catalogue.variables[place].code, 0), place

    def _first(self) -> None:
        self._fill()
        if self.list.count():
            self.list.setFocus()
        else:
            announce(self, text("ui.explore.nothing_found"))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() == Qt.Key.Key_Down and self.search.hasFocus():
            self.list.setFocus()
        else:
            super().keyPressEvent(event)

    def _take(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.accept()
            self._chosen(str(item.data(Qt.ItemDataRole.UserRole)))
