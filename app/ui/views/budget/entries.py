"""The charges as a table."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from app.texts import text
from app.ui.locale import number, whole_moment
from app.ui.models.budget import Entry
from app.ui.models.policy import amount

_Index = QModelIndex | QPersistentModelIndex


class Column(IntEnum):
    """The columns."""

    WHEN = 0
    WHO = 1
    PROJECT = 2
    COST = 3
    EXACT = 4
    VERSION = 5


_HEADS = {
    Column.WHEN: "ui.budget.head.when",
    Column.WHO: "ui.budget.head.who",
    Column.PROJECT: "ui.budget.head.project",
    Column.COST: "ui.budget.head.cost",
    Column.EXACT: "ui.budget.head.exact",
    Column.VERSION: "ui.budget.head.version",
}


class EntriesModel(QAbstractTableModel):
    """The charges, newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: tuple[Entry, ...] = ()

    def show_entries(self, entries: tuple[Entry, ...]) -> None:
        """Show these."""
        if entries != self.entries:
            self.beginResetModel()
            self.entries = entries
            self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, N802 - Qt's
        return 0 if parent.isValid() else len(self.entries)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, N802
        return 0 if parent.isValid() else len(Column)

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return text(_HEADS[Column(section)])
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry, column = self.entries[index.row()], Column(index.column())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return _words(entry, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column >= Column.COST else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None


def _words(entry: Entry, column: Column) -> str:
    who = entry.asker
    if entry.person:
        who = text("ui.names.person", person=entry.person, site=entry.asker)
    return {
        Column.WHEN: whole_moment(entry.at),
        Column.WHO: who,
        Column.PROJECT: entry.project or "–",
        Column.COST: amount(entry.epsilon) or "–",
        Column.EXACT: number(entry.exact) if entry.exact else "–",
        Column.VERSION: number(entry.version),
    }[column]
