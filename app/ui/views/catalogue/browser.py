"""The catalogue at the left of its editor: the tree, searched as one types; one variable or group is chosen."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Signal
from PySide6.QtWidgets import QAbstractItemView, QStackedWidget, QWidget

from app.core.catalogue.model import Catalogue, Kind
from app.texts import text
from app.ui.models.catalogue import CatalogueModel
from app.ui.models.finding import Finder
from app.ui.models.groups import headings_of
from app.ui.theme import set_role
from app.ui.views.explore.catalogue_delegate import CatalogueDelegate
from app.ui.views.explore.catalogue_tree import Tree
from app.ui.views.explore.wording import ICONS
from app.ui.widgets.buttons import Button, IconButton, menu_button
from app.ui.widgets.feedback import EmptyState
from app.ui.widgets.fields import SearchField
from app.ui.widgets.layout import column, line, row

_FEW = 400
"""Catalogues up to this size show their whole tree."""


class Browser(QWidget):
    """The tree. ``chosen`` brings the code of what is to be shown, empty for nothing."""

    chosen = Signal(str)

    def __init__(self, add: Callable[[Kind | None], object], remove: Callable[[list[str]], object]) -> None:
        super().__init__()
        set_role(self, role="clear")
        self.model = CatalogueModel(self)
        self.finder = Finder(self)
        self.finder.ready.connect(self._list)
        self._catalogue: Catalogue | None = None
        self._hash = b""
        self._places: dict[str, int] = {}
        self._open: set[str] = set()
        self._listing = False
        self.search = SearchField(text("ui.explore.search"))
        self.search.wanted.connect(lambda _typed: self._list())
        self.tree = self._make_tree()
        self._stack = QStackedWidget()
        self._stack.addWidget(self.tree)
        self._stack.addWidget(
            EmptyState("search", text("ui.explore.nothing_found"), text("ui.explore.nothing_found_words"))
        )
        self.add_button = Button(text("ui.catalogue.add"), icon_name="plus", size="small")
        kinds = [(text(f"ui.explore.kind.{each.value}"), ICONS[each], lambda each=each: add(each)) for each in Kind]
        menu_button(self.add_button, [*kinds, None, (text("ui.catalogue.group"), "folder", lambda: add(None))])
        self.remove_button = IconButton(
            "trash", text("ui.catalogue.remove"), size=16, pressed=lambda: remove(self.codes())
        )
        foot = row(self.add_button, None, self.remove_button, margins=(12, 6, 12, 8))
        whole = column(row(self.search, margins=(12, 10, 12, 8)), line(), self._stack, line(), foot, gap=0)
        whole.setStretchFactor(self._stack, 1)
        self.setLayout(whole)
        self.setMinimumWidth(240)

    def _make_tree(self) -> Tree:
        tree = Tree()
        tree.setModel(self.model)
        tree.setItemDelegate(CatalogueDelegate(tree))
        tree.setHeaderHidden(True)
        tree.setUniformRowHeights(True)
        tree.setIndentation(14)
        tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        tree.setAccessibleName(text("ui.explore.catalogue"))
        tree.expanded.connect(lambda index: self._open.add(self.model.code(index)))
        tree.collapsed.connect(lambda index: self._open.discard(self.model.code(index)))
        tree.selectionModel().selectionChanged.connect(lambda *_: self._selected())
        return tree

    def show_catalogue(self, catalogue: Catalogue, hash_: bytes) -> None:
        """List this catalogue; what was chosen stays so where it is still there."""
        if catalogue is not self._catalogue:
            self._catalogue, self._hash = catalogue, hash_
            self._places = {variable.code: place for place, variable in enumerate(catalogue)}
            self.finder.index(catalogue)
            self._list()

    def codes(self) -> list[str]:
        """Return the codes of what is selected."""
        return [code for each in self.tree.selectedIndexes() if (code := self.model.code(each))]

    def select(self, code: str) -> None:
        """Choose a variable or group and scroll to it."""
        index = self._index(code)
        if index.isValid():
            self.tree.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.tree.scrollTo(index)

    def _list(self) -> None:
        catalogue = self._catalogue
        if catalogue is None:
            return
        typed = self.search.text().strip()
        flat = self.finder.find(typed, None) if typed else None
        if typed and flat is None:
            return  # the index is being made; it says when it is ready
        codes, self._listing = self.codes(), True
        places = range(len(catalogue.variables))
        self.model.show(catalogue, self._hash, headings_of(catalogue, places, empty=True) if flat is None else flat)
        if flat is None and len(catalogue.variables) <= _FEW:
            self.tree.expandToDepth(3)
        for code in set(self._open):
            self.tree.setExpanded(self._index(code), True)
        for code in codes[:1]:
            self.select(code)
        self._listing = False
        self._stack.setCurrentIndex(0 if self.model.rowCount() else 1)

    def _index(self, code: str) -> QModelIndex:
        return self.model.index_of(self._places.get(code, code))

    def _selected(self) -> None:
        codes = self.codes()
        self.remove_button.setEnabled(bool(codes))
        if not self._listing:
            self.chosen.emit(codes[0] if len(codes) == 1 else "")
