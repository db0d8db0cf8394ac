"""The catalogue as a tree: groups, their variables, and the levels of a category; or what a search has found.

Ids are integers: two bits say what a node is, the rest which. Rows are fetched in portions, so that a long list shows
at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.core.catalogue.model import Catalogue, Variable
from app.texts import preferred_language, text
from app.ui.models.groups import Group
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


class _Node:
    """A group in the tree: the number of the one above it (-1: none), its row there, the numbers of those below it."""

    def __init__(self, group: Group, above: int, row: int) -> None:
        self.group, self.above, self.row = group, above, row
        self.below: tuple[int, ...] = ()


class CatalogueModel(QAbstractItemModel):
    """The tree, or the flat list of what was found. Reset when what is listed changes."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.catalogue: Catalogue | None = None
        self.holding = NOTHING_HELD
        self._hash = b""
        self._tops: tuple[int, ...] = ()
        self._groups: list[_Node] = []
        self._flat: tuple[int, ...] | None = None
        self._rows: dict[int, tuple[int, int]] = {}
        self._fetched: dict[int, int] = {}

    def show(
        self, catalogue: Catalogue, hash_: bytes, groups: tuple[Group, ...], flat: Sequence[int] | None = None
    ) -> None:
        """Show these groups, or instead of them the variables at the places of ``flat``."""
        self.beginResetModel()
        self.catalogue, self._hash = catalogue, hash_
        self._flat = None if flat is None else tuple(flat)
        self._groups, self._rows, self._fetched = [], {}, {}
        self._tops = self._number(groups, -1) if flat is None else ()
        self._rows.update((place, (-1, row)) for row, place in enumerate(self._flat or ()))
        self.endResetModel()

    def _number(self, groups: Sequence[Group], above: int) -> tuple[int, ...]:
        """Give groups their numbers, and those below them, and remember the row of every variable."""
        numbers = []
        for row, group in enumerate(groups):
            number = len(self._groups)
            numbers.append(number)
            node = _Node(group, above, row)
            self._groups.append(node)
            self._rows.update((place, (number, at)) for at, place in enumerate(group.places))
            node.below = self._number(group.groups, number)
        return tuple(numbers)

    def _group_index(self, number: int) -> QModelIndex:
        return QModelIndex() if number < 0 else self.createIndex(self._groups[number].row, 0, _id(_GROUP, number))

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
        kind, place, _ = _read(index.internalId())
        return None if kind == _GROUP else self.catalogue.variables[place]

    def level(self, index: Index) -> str | None:
        """Return the code of the level at ``index``, or None."""
        variable = self.variable(index)
        if variable is None:
            return None
        kind, _, level = _read(index.internalId())
        return variable.levels[level].code if kind == _LEVEL else None

    def index_of(self, place: int) -> QModelIndex:
        """Return where the variable at a place of the catalogue is, fetching what is before it; invalid if nowhere."""
        if place not in self._rows:
            return QModelIndex()
        number, row = self._rows[place]
        parent = self._group_index(number)
        while row >= self.rowCount(parent) and self.canFetchMore(parent):
            self.fetchMore(parent)
        return self.index(row, 0, parent)

    # --- Qt's side ------------------------------------------------------------------------------------------------

    def index(self, row: int, column: int, parent: Index = _NOWHERE) -> QModelIndex:
        if column != 0 or not 0 <= row < self.rowCount(parent):
            return QModelIndex()
        if not parent.isValid():
            id = _id(_GROUP, self._tops[row]) if self._flat is None else _id(_VARIABLE, self._flat[row])
            return self.createIndex(row, 0, id)
        kind, number, _ = _read(parent.internalId())
        if kind != _GROUP:
            return self.createIndex(row, 0, _id(_LEVEL, number, row))
        node = self._groups[number]
        id = _id(_GROUP, node.below[row]) if node.below else _id(_VARIABLE, node.group.places[row])
        return self.createIndex(row, 0, id)

    def parent(self, index: Index = _NOWHERE) -> QModelIndex:  # type: ignore[override]  # Qt overloads the name
        if not index.isValid():
            return QModelIndex()
        kind, place, _ = _read(index.internalId())
        if kind == _GROUP:
            return self._group_index(self._groups[place].above)
        if place not in self._rows:
            return QModelIndex()
        number, row = self._rows[place]
        if kind == _LEVEL:
            return self.createIndex(row, 0, _id(_VARIABLE, place))
        return self._group_index(number)

    def columnCount(self, parent: Index = _NOWHERE) -> int:  # noqa: N802 - Qt's name
        return 1

    def rowCount(self, parent: Index = _NOWHERE) -> int:  # noqa: N802
        whole = self._children(parent)
        return min(whole, self._fetched.get(_key(parent), _PORTION))

    def _children(self, parent: Index) -> int:
        """Return how many children there are, fetched or not."""
        if not parent.isValid():
            return len(self._tops) if self._flat is None else len(self._flat)
        kind, number, _ = _read(parent.internalId())
        if kind == _GROUP:
            return len(self._groups[number].below or self._groups[number].group.places)
        variable = self.variable(parent)
        return len(variable.levels) if kind == _VARIABLE and variable is not None else 0

    def hasChildren(self, parent: Index = _NOWHERE) -> bool:  # noqa: N802
        return self._children(parent) > 0

    def canFetchMore(self, parent: Index) -> bool:  # noqa: N802
        return self.rowCount(parent) < self._children(parent)

    def fetchMore(self, parent: Index) -> None:  # noqa: N802
        now, whole = self.rowCount(parent), self._children(parent)
        then = min(now + max(_PORTION, now), whole)
        if then > now:
            where = parent if isinstance(parent, QModelIndex) else self.index(parent.row(), 0, self.parent(parent))
            self.beginInsertRows(where, now, then - 1)
            self._fetched[_key(parent)] = then
            self.endInsertRows()

    def data(self, index: Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        if not index.isValid() or self.catalogue is None:
            return None
        kind, number, level = _read(index.internalId())
        if kind == _GROUP:
            return self._group_data(self._groups[number].group, role)
        variable = self.catalogue.variables[number]
        if kind == _LEVEL:
            return _level_data(variable, level, role)
        return self._variable_data(variable, role)

    def _group_data(self, group: Group, role: int) -> Any:
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return group.title
            case Qt.ItemDataRole.AccessibleTextRole:
                return text("ui.explore.group_spoken", title=group.title, count=group.size)
            case Role.KIND:
                return "group"
            case Role.NOTE:
                return group.note
        return None

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
        leaf = Qt.ItemFlag.ItemNeverHasChildren if not variable.levels or self.level(index) is not None else flags
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


_GROUP, _VARIABLE, _LEVEL = 0, 1, 2
_LEVEL_BITS = 10


def _id(kind: int, number: int, level: int = 0) -> int:
    return (number << _LEVEL_BITS | level) << 2 | kind


def _read(id: int) -> tuple[int, int, int]:
    number = id >> 2
    return id & 3, number >> _LEVEL_BITS, number & (1 << _LEVEL_BITS) - 1


def _key(parent: Index) -> int:
    return parent.internalId() if parent.isValid() else -1
