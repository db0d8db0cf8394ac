"""The catalogue as a tree: headings, variables, and the levels of a category; or what a search has found.

Ids are integers: the numbers of nodes, which are made when somebody looks below them, so that what hangs in several
trees costs nothing where nobody looks. Rows are fetched in portions: a long list shows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.core.catalogue.model import Catalogue, Variable
from app.texts import preferred_language, text
from app.ui.models.groups import Heading, Item
from app.ui.models.terms import TERMS_MIME, Offer, offer_to_bytes
from app.ui.widgets.text import tip

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_PORTION = 200
_USER = int(Qt.ItemDataRole.UserRole)


class Role(IntEnum):
    """What the delegate asks for."""

    KIND = _USER
    """``group``, ``level``, or the variable's kind."""
    CODE = _USER + 1
    COVERAGE = _USER + 2
    """A :class:`Coverage`, for variables."""
    REASON = _USER + 3
    """Why it cannot be used, or empty."""
    NOTE = _USER + 4
    """The unit of a number, the system of a group."""


@dataclass(frozen=True)
class Coverage:
    """At how many of the sites that have told a variable is, and whether at our own."""

    held: int
    sites: int
    own: bool

    @property
    def full(self) -> bool:
        """Whether every site has it."""
        return self.held >= self.sites


@dataclass(frozen=True)
class Holding:
    """What ``catalogue.show`` tells of the sites: how many hold each code, and what our own holds."""

    held: dict[str, int]
    own: frozenset[str]
    sites: int

    def of(self, code: str) -> Coverage:
        """Return where a variable is."""
        return Coverage(self.held.get(code, 0), self.sites, code in self.own)


NOTHING_HELD = Holding({}, frozenset(), 0)


@dataclass
class _Node:
    """What is at one place of the tree: an item, or a ``level`` of the variable above it.

    ``above`` is the number of the node above (-1: none), ``row`` the place there, ``below`` the numbers of the nodes
    below, once they are made.
    """

    item: Item
    above: int
    row: int
    level: int = -1
    below: tuple[int, ...] | None = None

    @property
    def place(self) -> int | None:
        """The place of the variable, None for a mere heading."""
        return self.item.place if isinstance(self.item, Heading) else self.item


class CatalogueModel(QAbstractItemModel):
    """The tree, or the flat list of what was found. Reset when what is listed changes."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.catalogue: Catalogue | None = None
        self.holding = NOTHING_HELD
        self._hash = b""
        self._nodes: list[_Node] = []
        self._tops: tuple[int, ...] = ()
        self._homes: dict[int | str, tuple[int, ...]] = {}
        self._fetched: dict[int, int] = {}

    def show(self, catalogue: Catalogue, hash_: bytes, items: Sequence[Item]) -> None:
        """Show these headings and variables."""
        self.beginResetModel()
        self.catalogue, self._hash = catalogue, hash_
        self._nodes, self._fetched = [], {}
        self._homes = _homes(items)
        self._tops = self._numbered(items, -1)
        self.endResetModel()

    def _numbered(self, items: Sequence[Item], above: int) -> tuple[int, ...]:
        first = len(self._nodes)
        self._nodes += (_Node(item, above, row) for row, item in enumerate(items))
        return tuple(range(first, len(self._nodes)))

    def _below(self, parent: Index) -> tuple[int, ...]:
        """Return the numbers of the nodes below one, fetched or not."""
        if not parent.isValid():
            return self._tops
        number = parent.internalId()
        node = self._nodes[number]
        if node.below is None:
            node.below = self._levels(node, number)
            if isinstance(node.item, Heading):
                node.below += self._numbered(node.item.items, number)
                for row, each in enumerate(node.below):
                    self._nodes[each].row = row
        return node.below

    def _levels(self, node: _Node, number: int) -> tuple[int, ...]:
        if node.level >= 0 or node.place is None or self.catalogue is None:
            return ()
        first, count = len(self._nodes), len(self.catalogue.variables[node.place].levels)
        self._nodes += (_Node(node.item, number, level, level, ()) for level in range(count))
        return tuple(range(first, len(self._nodes)))

    def _index(self, number: int) -> QModelIndex:
        return QModelIndex() if number < 0 else self.createIndex(self._nodes[number].row, 0, number)

    def set_holding(self, holding: Holding) -> None:
        """Show where variables are."""
        if holding != self.holding:
            self.holding = holding
            self.layoutAboutToBeChanged.emit()
            self.layoutChanged.emit()

    # --- which node -----------------------------------------------------------------------------------------------

    def variable(self, index: Index) -> Variable | None:
        """Return the variable at ``index``, also that of a level."""
        if not index.isValid() or self.catalogue is None:
            return None
        place = self._nodes[index.internalId()].place
        return None if place is None else self.catalogue.variables[place]

    def level(self, index: Index) -> str | None:
        """Return the code of the level at ``index``, or None."""
        variable = self.variable(index)
        level = self._nodes[index.internalId()].level if variable is not None else -1
        return variable.levels[level].code if variable is not None and level >= 0 else None

    def code(self, index: Index) -> str:
        """Return the code of the variable or of the catalogue's group at ``index``, empty for an invented heading."""
        if (variable := self.variable(index)) is not None:
            return variable.code
        item = self._nodes[index.internalId()].item if index.isValid() else None
        return item.code if isinstance(item, Heading) else ""

    def index_of(self, place: int | str) -> QModelIndex:
        """Return where the variable at a place of the catalogue, or the group with a code, is; invalid if nowhere.

        What is before it is fetched. Of several places in trees it is the first.
        """
        index = QModelIndex()
        for row in self._homes.get(place, ()):
            below = self._below(index)
            levels = len(below) - len(self._nodes[index.internalId()].item.items) if index.isValid() else 0  # type: ignore[union-attr]
            while row + levels >= self.rowCount(index) and self.canFetchMore(index):
                self.fetchMore(index)
            index = self._index(below[row + levels])
        return index

    # --- Qt's side ------------------------------------------------------------------------------------------------

    def index(self, row: int, column: int, parent: Index = _NOWHERE) -> QModelIndex:
        if column != 0 or not 0 <= row < self.rowCount(parent):
            return QModelIndex()
        return self._index(self._below(parent)[row])

    def parent(self, index: Index = _NOWHERE) -> QModelIndex:  # type: ignore[override]  # Qt overloads the name
        return self._index(self._nodes[index.internalId()].above) if index.isValid() else QModelIndex()

    def columnCount(self, parent: Index = _NOWHERE) -> int:  # noqa: N802 - Qt's name
        return 1

    def rowCount(self, parent: Index = _NOWHERE) -> int:  # noqa: N802
        return min(len(self._below(parent)), self._fetched.get(_key(parent), _PORTION))

    def hasChildren(self, parent: Index = _NOWHERE) -> bool:  # noqa: N802
        if not parent.isValid():
            return bool(self._tops)
        node, variable = self._nodes[parent.internalId()], self.variable(parent)
        return node.level < 0 and (isinstance(node.item, Heading) or bool(variable is not None and variable.levels))

    def canFetchMore(self, parent: Index) -> bool:  # noqa: N802
        return self.rowCount(parent) < len(self._below(parent))

    def fetchMore(self, parent: Index) -> None:  # noqa: N802
        now, whole = self.rowCount(parent), len(self._below(parent))
        then = min(now + max(_PORTION, now), whole)
        if then > now:
            where = parent if isinstance(parent, QModelIndex) else self.index(parent.row(), 0, self.parent(parent))
            self.beginInsertRows(where, now, then - 1)
            self._fetched[_key(parent)] = then
            self.endInsertRows()

    def data(self, index: Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        if not index.isValid() or self.catalogue is None:
            return None
        node, variable = self._nodes[index.internalId()], self.variable(index)
        if variable is not None:
            return _level_data(variable, node.level, role) if node.level >= 0 else self._variable_data(variable, role)
        return _heading_data(node.item, role) if isinstance(node.item, Heading) else None

    def _variable_data(self, variable: Variable, role: int) -> Any:  # noqa: PLR0911 - one return a role
        language = preferred_language()
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return variable.label.text(language)
            case Qt.ItemDataRole.AccessibleTextRole:
                return self._spoken(variable)
            case Qt.ItemDataRole.ToolTipRole:
                return tip(self._spoken(variable))
            case Role.KIND:
                return variable.kind.value
            case Role.CODE:
                return variable.code
            case Role.COVERAGE:
                return self.holding.of(variable.code)
            case Role.REASON:
                return reason(self.holding, variable.code)
            case Role.NOTE:
                return unit_of(variable, language)
        return None

    def _spoken(self, variable: Variable) -> str:
        where = self.holding.of(variable.code)
        words = [variable.label.text(preferred_language()), variable.code, reason(self.holding, variable.code)]
        if where.sites and where.held:
            words.append(text("ui.explore.held", held=where.held, sites=where.sites))
            words.append("" if where.own else text("ui.explore.not_here"))
        return ", ".join(filter(None, words))

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        variable = self.variable(index)
        if variable is None:
            return flags
        leaf = flags if self.hasChildren(index) else Qt.ItemFlag.ItemNeverHasChildren
        return flags | leaf | Qt.ItemFlag.ItemIsDragEnabled

    def mimeTypes(self) -> list[str]:  # noqa: N802
        return [TERMS_MIME]

    def mimeData(self, indexes: Sequence[Index]) -> QMimeData:  # noqa: N802
        data = QMimeData()
        terms = [(found.code, self.level(each)) for each in indexes if (found := self.variable(each)) is not None]
        data.setData(TERMS_MIME, offer_to_bytes(Offer(self._hash, tuple(terms))))
        return data


def unit_of(variable: Variable, language: str) -> str:
    """Return the unit of a number in words, else as its code; empty for the others."""
    return variable.unit_label.text(language) if variable.unit_label is not None else variable.unit or ""


def reason(holding: Holding, code: str) -> str:
    """Return why a variable cannot be asked about, or an empty text."""
    return text("ui.explore.nobody_has_it") if holding.sites and not holding.of(code).held else ""


def _level_data(variable: Variable, level: int, role: int) -> Any:
    language, found = preferred_language(), variable.levels[level]
    match role:
        case Qt.ItemDataRole.DisplayRole:
            return found.label.text(language)
        case Qt.ItemDataRole.AccessibleTextRole:
            return f"{variable.label.text(language)}: {found.label.text(language)}"
        case Role.KIND:
            return "level"
        case Role.CODE:
            return found.code
    return None


def _heading_data(heading: Heading, role: int) -> Any:
    match role:
        case Qt.ItemDataRole.DisplayRole:
            return heading.title
        case Qt.ItemDataRole.AccessibleTextRole:
            return text("ui.explore.group_spoken", title=heading.title, count=heading.size)
        case Role.KIND:
            return "group"
        case Role.NOTE:
            return heading.note
    return None


def _homes(items: Sequence[Item]) -> dict[int | str, tuple[int, ...]]:
    """Return the rows that lead to each variable (by its place) and to each heading with a code; each is seen once."""
    homes: dict[int | str, tuple[int, ...]] = {}
    queue: list[tuple[Sequence[Item], tuple[int, ...]]] = [(items, ())]
    for below, path in queue:  # it grows while it is gone through
        for row, item in enumerate(below):
            key = (item.code or id(item)) if isinstance(item, Heading) else item
            if key in homes:
                continue
            homes[key] = (*path, row)
            if isinstance(item, Heading):
                if item.place is not None:
                    homes[item.place] = (*path, row)
                queue.append((item.items, (*path, row)))
    return homes


def _key(parent: Index) -> int:
    return parent.internalId() if parent.isValid() else -1
