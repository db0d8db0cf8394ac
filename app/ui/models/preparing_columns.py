"""The columns of a table that was found: type, how full, what is in it, and whether it names people."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.texts import text
from app.ui.icons import icon
from app.ui.locale import number, percent
from app.ui.models.preparing import FoundColumn, FoundTable
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.widgets.text import tip

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_TYPES = ("text", "number", "date", "flag", "code")
_EXAMPLES = 4


class Place(IntEnum):
    """The columns of the table of columns."""

    NAME = 0
    TYPE = 1
    FILLED = 2
    DISTINCT = 3
    EXAMPLES = 4
    MARK = 5


_RIGHT = (Place.FILLED, Place.DISTINCT)


class ColumnsModel(QAbstractTableModel):
    """The columns. ``mapped`` are the names of those that a variable takes its values from."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table: FoundTable | None = None
        self._patient = ""
        self._mapped: frozenset[str] = frozenset()

    def show(self, table: FoundTable | None, patient: str, mapped: frozenset[str]) -> None:
        """Show the columns of a table; ``patient`` is the one that names the patient."""
        self.beginResetModel()
        self._table, self._patient, self._mapped = table, patient, mapped
        self.endResetModel()

    def rowCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802 - Qt's name
        return 0 if parent.isValid() or self._table is None else len(self._table.columns)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802
        return 0 if parent.isValid() else len(Place)

    def data(self, index: _Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:  # noqa: PLR0911 - one a role
        if not index.isValid() or self._table is None:
            return None
        found, place = self._table.columns[index.row()], Place(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._words(found, place)
            case Qt.ItemDataRole.TextAlignmentRole if place in _RIGHT:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            case Qt.ItemDataRole.FontRole if place is Place.EXAMPLES:
                return theme().font(Style.CODE)
            case Qt.ItemDataRole.ToolTipRole:
                return tip("\n".join(found.examples) if place is Place.EXAMPLES else self._words(found, place))
            case Qt.ItemDataRole.DecorationRole if place is Place.MARK:
                name, token = self._mark(found)[1:]
                return icon(name, token) if name else None
            case Qt.ItemDataRole.ForegroundRole if place is Place.MARK:
                return theme().colour(self._mark(found)[2])
        return None

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return text(f"ui.prepare.column.{Place(section).name.lower()}")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if Place(section) in _RIGHT else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def _words(self, found: FoundColumn, place: Place) -> str:
        match place:
            case Place.NAME:
                return f"{found.name} ({found.label})" if found.label and found.label != found.name else found.name
            case Place.TYPE:
                return text(f"ui.prepare.type.{found.type}") if found.type in _TYPES else found.type
            case Place.FILLED:
                rows = 0 if self._table is None else self._table.rows
                return percent(found.filled / rows) if rows else "–"
            case Place.DISTINCT:
                return text("ui.prepare.many") if found.distinct is None else number(found.distinct)
            case Place.EXAMPLES:
                return "  ".join(found.examples[:_EXAMPLES])
            case Place.MARK:
                return self._mark(found)[0]

    def _mark(self, found: FoundColumn) -> tuple[str, str, str]:
        """Return what is said of a column, with icon and ink."""
        if found.name == self._patient:
            return text("ui.prepare.mark.patient"), "person", "acc"
        if found.identifier:
            return text("ui.prepare.mark.identifier"), "eye-off", "cau"
        if found.name in self._mapped:
            return text("ui.prepare.mark.mapped"), "check", "pos"
        return "", "", "text2"
