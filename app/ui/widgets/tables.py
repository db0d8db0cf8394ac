"""Tables of the design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QAbstractItemModel
from PySide6.QtWidgets import QHeaderView, QTableView

_ROW = 30
_LEAST_HEIGHT = 140
_BESIDE = 12


def plain_table(
    name: str, model: QAbstractItemModel, widths: Mapping[Any, int], stretched: int, *, height: int = _LEAST_HEIGHT
) -> QTableView:
    """Return a table with low rows and no grid, of which one column takes the rest of the room.

    ``name`` is for those who hear it; the others of its columns have ``widths``, or what their heads need; it is never
    lower than ``height``. All in pixels.
    """
    table = QTableView()
    table.setAccessibleName(name)
    table.setModel(model)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(_ROW)
    table.setShowGrid(False)
    table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QTableView.SelectionMode.SingleSelection)
    table.setTabKeyNavigation(False)
    table.setWordWrap(False)
    heads = table.horizontalHeader()
    heads.setHighlightSections(False)
    heads.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
    for each, width in widths.items():
        table.setColumnWidth(each, max(width, heads.sectionSizeHint(each) + _BESIDE))
    heads.setSectionResizeMode(stretched, QHeaderView.ResizeMode.Stretch)
    table.setMinimumHeight(height)
    return table
