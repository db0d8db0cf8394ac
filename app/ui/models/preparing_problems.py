"""The problems of a dry run as a table: filtered by what becomes of them, searched, sorted by any column."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt

from app.texts import text
from app.ui.icons import icon
from app.ui.locale import number
from app.ui.models.preparing_check import STATES, Problem
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.widgets.text import tip

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
SORT = int(Qt.ItemDataRole.UserRole)
PROBLEM = SORT + 1
LOOK = {"refused": ("close-circle", "dan"), "empty": ("warning", "cau"), "repaired": ("check-circle", "pos")}
"""Icon and ink of what becomes of a problem."""


class Place(IntEnum):
    """The columns of the table of problems."""

    STATE = 0
    ROW = 1
    FILE = 2
    COLUMN = 3
    FOUND = 4
    PROBLEM = 5
    HAPPENS = 6


class ProblemsModel(QAbstractTableModel):
    """The problems in the order of the dry run."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.problems: tuple[Problem, ...] = ()

    def show(self, problems: tuple[Problem, ...]) -> None:
        """Show these."""
        self.beginResetModel()
        self.problems = problems
        self.endResetModel()

    def rowCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802 - Qt's name
        return 0 if parent.isValid() else len(self.problems)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802
        return 0 if parent.isValid() else len(Place)

    def data(self, index: _Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:  # noqa: PLR0911 - one a role
        if not index.isValid():
            return None
        problem, place = self.problems[index.row()], Place(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _words(problem, place)
            case _ if role == PROBLEM:
                return problem
            case _ if role == SORT:
                return _sort(problem, place)
            case Qt.ItemDataRole.ToolTipRole if place not in (Place.STATE, Place.ROW):
                return tip(_words(problem, place))
            case Qt.ItemDataRole.TextAlignmentRole if place is Place.ROW:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            case Qt.ItemDataRole.FontRole if place is Place.FOUND:
                return theme().font(Style.CODE)
            case Qt.ItemDataRole.DecorationRole if place is Place.STATE and problem.state in LOOK:
                return icon(*LOOK[problem.state])
            case Qt.ItemDataRole.ForegroundRole if place is Place.STATE and problem.state in LOOK:
                return theme().colour(LOOK[problem.state][1])
            case Qt.ItemDataRole.ForegroundRole if place in (Place.FILE, Place.HAPPENS):
                return theme().colour("text2")
        return None

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return text(f"ui.prepare.problem.{Place(section).name.lower()}")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section == Place.ROW else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None


class ProblemsFilter(QSortFilterProxyModel):
    """The problems of one state, of one group, that contain what is sought."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._words = "", ""
        self._group: tuple[str, str, str, str] | None = None
        self.setSortRole(SORT)

    def filter_by(self, *, state: str | None = None, words: str | None = None) -> None:
        """Show only these, of every group; None leaves a condition as it is."""
        self.beginFilterChange()
        self._state = self._state if state is None else state
        self._words = self._words if words is None else words.strip().casefold()
        self._group = None if state is not None else self._group
        self.endFilterChange()

    def show_group(self, code: str, file: str, column: str, variable: str) -> None:
        """Show only the problems of a group."""
        self.beginFilterChange()
        self._state, self._group = "", (code, file, column, variable)
        self.endFilterChange()

    def filterAcceptsRow(self, source_row: int, source_parent: _Index) -> bool:  # noqa: N802 - Qt's name
        problem: Problem = self.sourceModel().index(source_row, 0, source_parent).data(PROBLEM)
        if self._state and problem.state != self._state:
            return False
        if self._group is not None and not _belongs(problem, self._group):
            return False
        if not self._words:
            return True
        return any(self._words in str(_words(problem, place)).casefold() for place in Place)


def _belongs(problem: Problem, group: tuple[str, str, str, str]) -> bool:
    has = (problem.code, problem.file, problem.column, problem.variable)
    return all(not wanted or wanted == found for wanted, found in zip(group, has, strict=True))


def _words(problem: Problem, place: Place) -> str:  # noqa: PLR0911 - one a column
    match place:
        case Place.STATE:
            return text(f"ui.prepare.state.{problem.state}")
        case Place.ROW:
            return number(problem.row) if problem.row else ""
        case Place.FILE:
            return problem.file
        case Place.COLUMN:
            return problem.column
        case Place.FOUND:
            return problem.found or text("ui.prepare.empty")
        case Place.PROBLEM:
            return problem.what
        case Place.HAPPENS:
            return problem.happens


def _sort(problem: Problem, place: Place) -> object:
    match place:
        case Place.STATE:
            return STATES.index(problem.state) if problem.state in STATES else len(STATES)
        case Place.ROW:
            return problem.row
    return _words(problem, place).casefold()
