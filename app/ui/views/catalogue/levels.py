"""The levels of a category as a table that is typed into: a code and its words in three languages, a row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from app.texts import LANGUAGES, text
from app.ui.widgets.buttons import Button, IconButton
from app.ui.widgets.layout import column, row

_ROW = 30
_MOST = 12
"""Rows that are seen without scrolling."""


class LevelsTable(QWidget):
    """The table, and buttons to add, remove and move levels."""

    def __init__(self, changed: Callable[[], object]) -> None:
        super().__init__()
        self._changed = changed
        self._filling = False
        self.table = QTableWidget(0, 1 + len(LANGUAGES))
        self.table.setAccessibleName(text("ui.catalogue.field.levels"))
        names = [text("ui.catalogue.code"), *(text(f"ui.language.{each}") for each in LANGUAGES)]
        self.table.setHorizontalHeaderLabels(names)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(_ROW)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)  # Tab leaves the table, arrows move in it
        self.table.itemChanged.connect(lambda _item: self._filling or self._changed())
        add = Button(text("ui.catalogue.add_level"), icon_name="plus", size="small", pressed=self._add)
        self._up = IconButton("chevron-up", text("ui.catalogue.up"), size=16, pressed=lambda: self._move(-1))
        self._down = IconButton("chevron-down", text("ui.catalogue.down"), size=16, pressed=lambda: self._move(1))
        self._remove = IconButton("trash", text("ui.catalogue.remove_level"), size=16, pressed=self._take_away)
        self.setLayout(column(self.table, row(add, None, self._up, self._down, self._remove, gap=4), gap=6))
        self.setFocusProxy(self.table)

    def levels(self) -> list[dict[str, Any]]:
        """Return the levels as plain tables."""
        return [self._level(place) for place in range(self.table.rowCount())]

    def show_levels(self, levels: Sequence[dict[str, Any]]) -> None:
        """Show these levels."""
        if self.levels() == list(levels):
            return
        self._filling = True
        self.table.setRowCount(len(levels))
        for place, level in enumerate(levels):
            for at, words in enumerate((level["code"], *(level["label"].get(each, "") for each in LANGUAGES))):
                self.table.setItem(place, at, QTableWidgetItem(words))
        self._filling = False
        shown = min(max(len(levels), 2), _MOST)
        self.table.setFixedHeight(shown * _ROW + self.table.horizontalHeader().sizeHint().height() + 4)

    def _level(self, place: int) -> dict[str, Any]:
        code, *words = (self._typed(place, at) for at in range(1 + len(LANGUAGES)))
        said = {language: each for language, each in zip(LANGUAGES, words, strict=True) if each}
        return {"code": code, "label": said}

    def _typed(self, place: int, at: int) -> str:
        item = self.table.item(place, at)
        return "" if item is None else item.text().strip()

    def _show(self, levels: list[dict[str, Any]], current: int) -> None:
        self.show_levels(levels)
        self.table.setCurrentCell(current, 0)
        self._changed()

    def _add(self) -> None:
        levels = self.levels()
        taken, number = {each["code"] for each in levels}, len(levels) + 1
        while str(number) in taken:
            number += 1
        words = f"{text('ui.catalogue.level')} {number}"
        self._show([*levels, {"code": str(number), "label": {"en": words}}], len(levels))
        self.table.setFocus(Qt.FocusReason.OtherFocusReason)
        if (item := self.table.item(len(levels), 0)) is not None:
            self.table.editItem(item)

    def _take_away(self) -> None:
        levels, place = self.levels(), self.table.currentRow()
        if len(levels) > 1 and 0 <= place < len(levels):
            del levels[place]
            self._show(levels, min(place, len(levels) - 1))

    def _move(self, by: int) -> None:
        levels, place = self.levels(), self.table.currentRow()
        if 0 <= place < len(levels) and 0 <= place + by < len(levels):
            levels[place], levels[place + by] = levels[place + by], levels[place]
            self._show(levels, place + by)
