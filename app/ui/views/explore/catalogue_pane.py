"""The catalogue at the left: search, filters, the tree, and what is selected in it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QFrame, QMenu, QStackedWidget, QVBoxLayout, QWidget

from app.core.catalogue.model import Kind, Variable
from app.texts import preferred_language, text
from app.ui.icons import icon
from app.ui.models.board import Board
from app.ui.models.catalogue import CatalogueModel, reason, unit_of
from app.ui.models.criteria import Between, Place
from app.ui.models.finding import Finder
from app.ui.models.groups import Heading, Item, headings_of
from app.ui.preferences import Preferences
from app.ui.theme import set_role
from app.ui.tokens import PANE, Style
from app.ui.views.explore.catalogue_delegate import CatalogueDelegate
from app.ui.views.explore.catalogue_tree import Tree
from app.ui.views.explore.wording import wide_enough
from app.ui.widgets.buttons import LINK, Button, IconButton
from app.ui.widgets.chips import Chip
from app.ui.widgets.feedback import EmptyState, announce
from app.ui.widgets.fields import Choice, SearchField
from app.ui.widgets.layout import Flow, column, frame, line, row
from app.ui.widgets.text import ElidedLabel, Label

_FAVOURITES, _RECENT = "explore.favourites", "explore.recent"
_MOST_RECENT = 20
_FEW_HEADINGS, _SHORT = 12, 60
"""Up to so many headings, those with so few variables are shown open."""
TREE, STARRED, LATEST = "tree", "favourites", "recent"


class CataloguePane(QFrame):
    """The pane. ``details`` asks for the sheet about a variable."""

    details = Signal(str)

    def __init__(self, board: Board, preferences: Preferences) -> None:
        super().__init__()
        set_role(self, role="pane")
        self.board, self._preferences = board, preferences
        self.model = CatalogueModel(self)
        self.finder = Finder(self)
        self.finder.ready.connect(self._list)
        self._shown: object = None
        self._mode = TREE
        self.search = SearchField(text("ui.explore.search"))
        self.search.wanted.connect(lambda _typed: self._list())
        self.search.returnPressed.connect(self._first_found)
        self._star = self._toggle("star", text("ui.explore.favourites"), STARRED)
        self._latest = self._toggle("clock", text("ui.explore.recent"), LATEST)
        kinds = [(kind.value, text(f"ui.explore.kind.{kind.value}s")) for kind in Kind]
        self._kind = Choice(text("ui.explore.types"), [("", text("ui.explore.all_types")), *kinds])
        coverage = [(each, text(f"ui.explore.cover.{each}")) for each in ("any", "some", "here", "all")]
        self._cover = Choice(text("ui.explore.covered"), coverage)
        for choice in (self._kind, self._cover):
            wide_enough(choice)
            choice.chosen.connect(lambda _value: self._list())
        self.tree = self._make_tree()
        self._empty = EmptyState("search", text("ui.explore.nothing_found"), text("ui.explore.nothing_found_words"))
        self._stack = QStackedWidget()
        self._stack.addWidget(self.tree)
        self._stack.addWidget(self._empty)
        self._layout()
        board.surroundings_changed.connect(self._follow)
        self._follow()

    def _toggle(self, icon_name: str, name: str, mode: str) -> IconButton:
        made = IconButton(icon_name, name, size=16)
        made.setCheckable(True)
        made.clicked.connect(lambda checked: self._set_mode(mode if checked else TREE))
        return made

    def _make_tree(self) -> Tree:
        tree = Tree()
        tree.setModel(self.model)
        tree.setItemDelegate(CatalogueDelegate(tree))
        tree.setHeaderHidden(True)
        tree.setUniformRowHeights(True)
        tree.setIndentation(14)
        tree.setDragEnabled(True)
        tree.setMouseTracking(True)
        tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        tree.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        tree.setAccessibleName(text("ui.explore.catalogue"))
        tree.setAccessibleDescription(text("ui.explore.catalogue_help"))
        tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        tree.customContextMenuRequested.connect(self._menu)
        tree.selectionModel().selectionChanged.connect(lambda *_: self._selected())
        tree.wanted.connect(self._add)
        tree.details.connect(self._ask_details)
        return tree

    def _layout(self) -> None:
        title = Label(text("ui.explore.catalogue"), Style.STRONG)
        head = row(title, None, self._star, self._latest, gap=4, margins=(PANE, 8, 12, 4))
        filters = QWidget()
        set_role(filters, role="clear")
        flow = Flow(gap=8)
        flow.setContentsMargins(12, 8, 12, 8)
        flow.addWidget(self._kind)
        flow.addWidget(self._cover)
        filters.setLayout(flow)
        search = row(self.search, margins=(12, 0, 12, 0))
        self._name = ElidedLabel("", Style.STRONG)
        self._code = Chip("", code=True)
        self._about = ElidedLabel("", Style.SMALL, "text2")
        self._open = Button(text("ui.explore.details"), LINK, pressed=self._ask_details)
        first = row(self._name, self._code, self._open)
        first.setStretchFactor(self._name, 1)
        self._foot = frame("foot", column(first, self._about, gap=2, margins=(PANE, 10, 12, 10)))
        self._foot.hide()
        body = QWidget()
        set_role(body, role="clear")
        inside = QVBoxLayout(body)
        inside.setContentsMargins(6, 4, 4, 4)
        inside.addWidget(self._stack)
        whole = column(head, search, filters, line(), body, self._foot, gap=0)
        whole.setStretchFactor(body, 1)
        self.setLayout(whole)
        self.setMinimumWidth(220)

    # --- what is listed -------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        self.model.set_holding(self.board.holding)
        if self.board.catalogue is not None:
            self.finder.index(self.board.catalogue)
            self._list()

    def _set_mode(self, mode: str) -> None:
        self._mode = mode
        self._star.setChecked(mode == STARRED)
        self._latest.setChecked(mode == LATEST)
        self._list()

    def _list(self) -> None:
        """List what is searched and filtered for; nothing changes where that is what is listed already."""
        catalogue = self.board.catalogue
        if catalogue is None:
            return
        typed = self.search.text().strip()
        among = self._among()
        flat: list[int] | None = None
        if typed:
            if (flat := self.finder.find(typed, among)) is None:
                return  # the index is being made; it says when it is ready
        elif self._mode != TREE:
            flat = [place for place in self._remembered() if among is None or place in among]
        wanted = (id(catalogue), flat, among)
        if wanted == self._shown:
            return
        self._shown = wanted
        codes = self._codes()
        places = range(len(catalogue.variables)) if among is None else sorted(among)
        items: Sequence[Item] = headings_of(catalogue, places) if flat is None else flat
        self.model.show(catalogue, self.board.hash, items)
        if flat is None and len(items) <= _FEW_HEADINGS:
            for number, item in enumerate(items):
                short = isinstance(item, Heading) and item.size <= _SHORT and item.size == len(item.items)
                self.tree.setExpanded(self.model.index(number, 0), short)
        self.tree.setRootIsDecorated(flat is None or any(catalogue.variables[each].levels for each in flat))
        for code in codes:
            self.select(code, only=False)
        empty = not items
        self._stack.setCurrentIndex(1 if empty else 0)
        if flat is not None:
            announce(self.tree, text("ui.explore.found", count=len(flat)))

    def _among(self) -> frozenset[int] | None:
        """Return the places that the filters let through; None for all."""
        catalogue, kind, cover = self.board.catalogue, self._kind.value, self._cover.value
        if catalogue is None or (not kind and cover == "any"):
            return None
        holding = self.board.holding

        def fits(variable: Variable) -> bool:
            if kind and variable.kind != kind:
                return False
            where = holding.of(variable.code)
            return {"any": True, "some": where.held > 0, "here": where.own, "all": where.full}[cover]

        return frozenset(place for place, variable in enumerate(catalogue) if fits(variable))

    def _remembered(self) -> list[int]:
        codes = self._preferences.words(_FAVOURITES if self._mode == STARRED else _RECENT)
        return [self.board.places[code] for code in codes if code in self.board.places]

    # --- what is selected -----------------------------------------------------------------------------------------

    def _codes(self) -> list[str]:
        return [found.code for each in self.tree.selectedIndexes() if (found := self.model.variable(each)) is not None]

    def select(self, code: str, *, only: bool = True) -> None:
        """Select a variable and scroll to it."""
        index = self.model.index_of(self.board.places.get(code, -1))
        if index.isValid():
            flag = QItemSelectionModel.SelectionFlag
            self.tree.selectionModel().setCurrentIndex(index, flag.ClearAndSelect if only else flag.Select)
            self.tree.scrollTo(index)

    def show_in_tree(self, code: str) -> None:
        """Leave search and filters and show where a variable is."""
        self.search.clear()
        self._kind.set_value("")
        self._cover.set_value("any")
        self._set_mode(TREE)
        self.select(code)
        self.tree.setFocus()

    def _selected(self) -> None:
        indexes = self.tree.selectedIndexes()
        variable = self.model.variable(indexes[0]) if len(indexes) == 1 else None
        self._foot.setVisible(variable is not None)
        if variable is None:
            return
        language = preferred_language()
        self._name.set_whole(variable.label.text(language))
        self._code.set(variable.code.partition(":")[2] or variable.code, "plain")
        about = variable.description.text(language) if variable.description is not None else ""
        words = [text(f"ui.explore.kind.{variable.kind.value}"), unit_of(variable, language), about]
        self._about.set_whole(reason(self.board.holding, variable.code) or " · ".join(filter(None, words)))

    def _ask_details(self) -> None:
        indexes = self.tree.selectedIndexes()
        variable = self.model.variable(indexes[0]) if indexes else None
        if variable is not None:
            self.details.emit(variable.code)

    # --- adding ---------------------------------------------------------------------------------------------------

    def _first_found(self) -> None:
        """Enter in the search goes to the first thing found, Enter there adds it."""
        self._list()
        if self.model.rowCount():
            first = self.model.index(0, 0)
            self.tree.setFocus()
            if self.model.variable(first) is not None:
                self.tree.setCurrentIndex(first)

    def _add(self, new: bool) -> None:
        place: Place | None = Between(len(self.board.criteria.cards)) if new else None
        terms = [
            (found.code, self.model.level(each))
            for each in self.tree.selectedIndexes()
            if (found := self.model.variable(each)) is not None
        ]
        if not terms:
            self._fold(self.tree.currentIndex())
        elif self.board.bring(terms, place):
            self.used([code for code, _ in terms])
            announce(self.tree, text("ui.explore.added"))

    def _fold(self, index: QModelIndex) -> None:
        self.tree.setExpanded(index, not self.tree.isExpanded(index))

    def used(self, codes: list[str]) -> None:
        """Remember what was used last."""
        before = [code for code in self._preferences.words(_RECENT) if code not in codes]
        self._preferences.remember_words(_RECENT, [*dict.fromkeys(codes), *before][:_MOST_RECENT])

    def is_favourite(self, code: str) -> bool:
        """Return whether a variable is a favourite."""
        return code in self._preferences.words(_FAVOURITES)

    def set_favourite(self, code: str, wanted: bool) -> None:
        """Make a variable a favourite, or not any more."""
        others = [each for each in self._preferences.words(_FAVOURITES) if each != code]
        self._preferences.remember_words(_FAVOURITES, [*others, code] if wanted else others)
        if self._mode == STARRED:
            self._list()

    def _menu(self, point: QPoint) -> None:
        index = self.tree.indexAt(point)
        variable = self.model.variable(index)
        if variable is None:
            return
        code = variable.code
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(icon("plus"), text("ui.explore.add_here"), lambda: self._add(False))
        menu.addAction(text("ui.explore.add_new"), lambda: self._add(True))
        menu.addSeparator()
        starred = self.is_favourite(code)
        words = text("ui.explore.unstar") if starred else text("ui.explore.star")
        menu.addAction(icon("star"), words, lambda: self.set_favourite(code, not starred))
        if self.search.text() or self._mode != TREE or self._among() is not None:
            menu.addAction(text("ui.explore.in_tree"), lambda: self.show_in_tree(code))
        menu.addAction(icon("info"), text("ui.explore.details"), lambda: self.details.emit(code))
        menu.popup(self.tree.viewport().mapToGlobal(point))
