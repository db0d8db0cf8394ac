"""How a dry run has filled the variables: who has a value, and how values are spread."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.texts import text
from app.ui.locale import number, percent
from app.ui.models.preparing_check import Spread
from app.ui.widgets.text import tip

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
BARS = int(Qt.ItemDataRole.UserRole)
"""The counts of a variable's bins."""
_SHOWN = 12


class Place(IntEnum):
    """The columns of the table of variables."""

    NAME = 0
    CODE = 1
    KNOWN = 2
    MISSING = 3
    SPREAD = 4


_RIGHT = (Place.KNOWN, Place.MISSING)


class SpreadModel(QAbstractTableModel):
    """The variables of a dry run."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[Spread, ...] = ()
        self._patients = 0

    def show(self, rows: tuple[Spread, ...], patients: int) -> None:
        """Show these, of so many patients."""
        self.beginResetModel()
        self._rows, self._patients = rows, patients
        self.endResetModel()

    def rowCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802 - Qt's name
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802
        return 0 if parent.isValid() else len(Place)

    def data(self, index: _Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:  # noqa: PLR0911 - one a role
        if not index.isValid():
            return None
        row, place = self._rows[index.row()], Place(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._words(row, place)
            case Qt.ItemDataRole.TextAlignmentRole if place in _RIGHT:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            case Qt.ItemDataRole.ToolTipRole if place in (Place.NAME, Place.CODE, Place.SPREAD):
                return tip(_bins(row) if place is Place.SPREAD else self._words(row, place))
            case Qt.ItemDataRole.AccessibleTextRole if place is Place.SPREAD:
                return _bins(row)
            case _ if role == BARS and place is Place.SPREAD:
                return [count for _, count in row.bins]
        return None

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return text(f"ui.prepare.spread.{Place(section).name.lower()}")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if Place(section) in _RIGHT else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def _words(self, row: Spread, place: Place) -> str:
        match place:
            case Place.NAME:
                return row.label
            case Place.CODE:
                return row.code
            case Place.KNOWN if row.known is not None:
                share = f" ({percent(row.known / self._patients)})" if self._patients else ""
                return number(row.known) + share
            case Place.MISSING if row.missing is not None:
                return number(row.missing)
            case Place.SPREAD:
                return ""
        return "–"


def _bins(row: Spread) -> str:
    return "\n".join(f"{name}: {number(count)}" for name, count in row.bins[:_SHOWN])
