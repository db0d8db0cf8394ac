"""Which variable shall never be used: a search over the federation's catalogue."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from app.core.catalogue.model import Catalogue
from app.texts import text
from app.ui.icons import icon
from app.ui.models.finding import Finder
from app.ui.tokens import Style
from app.ui.views.explore.wording import ICONS, label
from app.ui.widgets.dialogs import Dialog
from app.ui.widgets.fields import SearchField
from app.ui.widgets.text import Label

_SHOWN = 200


class VariableDialog(Dialog):
    """The search. ``chosen`` gets the code."""

    def __init__(self, parent: QWidget, catalogue: Catalogue, finder: Finder, chosen: Callable[[str], object]) -> None:
        self.search = SearchField(text("ui.explore.search"))
        self.list = QListWidget()
        self.list.setAccessibleName(text("ui.policy.never"))
        self.list.setMinimumHeight(self.list.fontMetrics().height() * 14)
        self._none = Label(text("ui.explore.nothing_found"), Style.BODY, "text2")
        title, words = text("ui.policy.never_title"), text("ui.policy.never_words")
        super().__init__(
            parent.window(), title, words, self.search, self.list, self._none, answer=text("ui.explore.choose")
        )
        self._catalogue, self._finder, self._chosen = catalogue, finder, chosen
        self.search.wanted.connect(lambda _typed: self._fill())
        self.search.returnPressed.connect(self._first)
        self.list.itemActivated.connect(lambda _item: self.answer())
        finder.ready.connect(self._fill)
        self.answered = self._take
        self._fill()
        self.search.setFocus()

    def _fill(self) -> None:
        typed = self.search.text().strip()
        found = self._finder.find(typed, None) if typed else list(range(min(_SHOWN, len(self._catalogue.variables))))
        self.list.clear()
        for place in (found or [])[:_SHOWN]:
            variable = self._catalogue.variables[place]
            item = QListWidgetItem(icon(ICONS[variable.kind]), f"{label(variable)}   {variable.code}")
            item.setData(Qt.ItemDataRole.UserRole, variable.code)
            self.list.addItem(item)
        self._none.setVisible(not self.list.count())
        self.answer_button.setEnabled(bool(self.list.count()))
        if self.list.count():
            self.list.setCurrentRow(0)

    def _first(self) -> None:
        self._fill()
        if self.list.count():
            self.list.setFocus()

    def _take(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.accept()
            self._chosen(str(item.data(Qt.ItemDataRole.UserRole)))
