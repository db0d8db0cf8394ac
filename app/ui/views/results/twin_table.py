"""The twin of a figure: the same in rows. It is read with the arrow keys, and copied for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QMimeData, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from app.texts import text
from app.ui.locale import locale
from app.ui.models.twin import Cell, Twin

_ROW, _LEAST, _MOST = 30, 150, 22
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take a text for a formula."""
_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class TwinModel(QAbstractTableModel):
    """A twin's cells as they are shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.twin = Twin((), ())

    def show(self, twin: Twin) -> None:
        """Show this one."""
        if twin != self.twin:
            self.beginResetModel()
            self.twin = twin
            self.endResetModel()

    def rowCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802 - Qt's name
        return 0 if parent.isValid() else len(self.twin.rows)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802
        return 0 if parent.isValid() else len(self.twin.columns)

    def cell(self, index: _Index) -> Cell:
        """Return the cell at an index."""
        return self.twin.rows[index.row()][index.column()]

    def data(self, index: _Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        if not index.isValid():
            return None
        cell = self.cell(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return cell.words
        if role == Qt.ItemDataRole.AccessibleTextRole:
            head = self.twin.columns[index.column()]
            return f"{head}: {cell.words or text('ui.results.nothing_here')}"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if cell.text else Qt.AlignmentFlag.AlignRight
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> Any:
        if orientation is not Qt.Orientation.Horizontal or section >= len(self.twin.columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.twin.columns[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            words = not self.twin.rows or self.twin.rows[0][section].text
            side = Qt.AlignmentFlag.AlignLeft if words else Qt.AlignmentFlag.AlignRight
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None


class TwinTable(QTableView):
    """Shows a twin. Ctrl+C copies the marked rows, all of them if none is; ``copied`` hears of it."""

    def __init__(self, copied: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self._copied = copied
        self.rows = TwinModel(self)
        self.setModel(self.rows)
        self.setAccessibleName(text("ui.results.table"))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.setShowGrid(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.setMinimumHeight(_LEAST)

    def show_twin(self, twin: Twin) -> None:
        """Show this one."""
        self.rows.show(twin)
        if self.rows.columnCount():
            self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            self.horizontalHeader().setStretchLastSection(True)
        seen = min(max(len(twin.rows), 1), _MOST)
        self.setMinimumHeight(max(_LEAST, (seen + 1) * _ROW + 20))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
            return
        super().keyPressEvent(event)

    def copy(self) -> None:
        """Put the marked rows, or all, into the clipboard: for spreadsheets, and as CSV."""
        marked = sorted({index.row() for index in self.selectionModel().selectedRows()})
        rows = [self.rows.twin.rows[place] for place in marked] if marked else self.rows.twin.rows
        data = QMimeData()
        data.setText(separated(self.rows.twin.columns, rows, "\t", local=True))
        data.setData("text/csv", separated(self.rows.twin.columns, rows, ",", local=False).encode())
        QGuiApplication.clipboard().setMimeData(data)
        self._copied()


def separated(columns: Sequence[str], rows: Sequence[Sequence[Cell]], mark: str, *, local: bool) -> str:
    """Return rows with ``mark`` between the cells; numbers with all digits, with the decimal sign of here if ``local``.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    target = io.StringIO()
    writer = csv.writer(target, delimiter=mark, lineterminator="\r\n")
    writer.writerow([_safe(column) for column in columns])
    for row in rows:
        writer.writerow([_written(cell, local=local) for cell in row])
    return target.getvalue()


def _written(cell: Cell, *, local: bool) -> str:
    if cell.value is None:
        return _safe(cell.words) if cell.text else ""
    written = repr(cell.value).removesuffix(".0")
    return written.replace(".", locale().decimalPoint()) if local else written


def _safe(words: str) -> str:
    return f"'{words}" if words.startswith(_FORMULA) else words
