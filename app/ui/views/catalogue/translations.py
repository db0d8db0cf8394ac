"""All texts of the catalogue beside each other in three languages, to be completed where one lacks."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QAbstractItemDelegate, QAbstractItemView, QCheckBox, QHeaderView, QTableView, QWidget

from app.core.errors import ConsiliumError
from app.texts import text
from app.ui.models.editing import Editing
from app.ui.models.translations import TranslationsModel, wordings
from app.ui.tokens import Style
from app.ui.widgets.fields import SearchField
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import Label

_CODE, _PART = 160, 130
_ROW = 32


class TranslationsPage(QWidget):
    """The table, a search, and how much is still to be translated."""

    def __init__(self, editing: Editing, wrong: Callable[[ConsiliumError], object]) -> None:
        super().__init__()
        self._editing, self._wrong = editing, wrong
        self.model = TranslationsModel(editing, self)
        self.search = SearchField(text("ui.catalogue.search_texts"))
        self.search.setFixedWidth(300)
        self.search.wanted.connect(lambda _typed: self._filter())
        self.only_missing = QCheckBox(text("ui.catalogue.only_missing"))
        self.only_missing.toggled.connect(lambda _on: self._filter())
        self._count = Label("", Style.SMALL, "text2")
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setAccessibleName(text("ui.catalogue.tab.translations"))
        self.table.setWordWrap(False)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(_ROW)
        heads = self.table.horizontalHeader()
        heads.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        for place, width in ((0, _CODE), (1, _PART)):
            heads.setSectionResizeMode(place, QHeaderView.ResizeMode.Interactive)
            heads.resizeSection(place, width)
        self.table.itemDelegate().closeEditor.connect(self._closed)
        top = row(self.search, self.only_missing, None, self._count, gap=16)
        whole = column(top, self.table, gap=12, margins=(24, 16, 24, 24))
        whole.setStretchFactor(self.table, 1)
        self.setLayout(whole)
        editing.changed.connect(self._tell)
        self._tell()

    def _filter(self) -> None:
        self.model.filter(self.search.text(), self.only_missing.isChecked())

    def _closed(self, _editor: QWidget, _hint: QAbstractItemDelegate.EndEditHint) -> None:
        if self.model.problem is not None:
            self._wrong(self.model.problem)
            self.model.problem = None

    def _tell(self) -> None:
        catalogue = self._editing.catalogue
        texts = [] if catalogue is None else list(wordings(catalogue))
        missing = sum(not each.complete for each in texts)
        key = "ui.catalogue.some_missing" if missing else "ui.catalogue.none_missing"
        self._count.setText(text(key, missing=missing, count=len(texts)))
