"""The statistics of a result under its figure and table, and what a reader has to know about them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.texts import text
from app.ui.models.statistics import Statistic
from app.ui.tokens import Style
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import card, clear, column, line, row
from app.ui.widgets.text import Label


class StatisticsPanel(QWidget):
    """Tests and effects, one below the other, then the notes; nothing while there is neither."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[tuple[Statistic, ...], tuple[str, ...]] = ((), ())
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.hide()

    @property
    def filled(self) -> bool:
        """Whether there is anything to show."""
        return any(self._shown)

    def show_all(self, statistics: Sequence[Statistic], notes: Sequence[str]) -> None:
        """Show these."""
        wanted = (tuple(statistics), tuple(notes))
        self.setVisible(bool(statistics or notes))
        if wanted == self._shown:
            return
        self._shown = wanted
        clear(self._layout)
        items: list[QWidget] = []
        for place, each in enumerate(statistics):
            if place:
                items.append(line())
            items.append(_statistic(each))
        for place, note in enumerate(notes):
            if items and not place:
                items.append(line())
            items.append(_note(note))
        if items:
            title = text("ui.results.statistics") if statistics else text("ui.results.good_to_know")
            self._layout.addWidget(card(Label(title, Style.STRONG, "text2"), *items, gap=8, padding=14))


def _statistic(each: Statistic) -> QWidget:
    made = QWidget()
    name = Label(each.name, Style.STRONG, wrap=True)
    value = Label(each.value, Style.BODY, wrap=True, selectable=True)
    value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
    value.setAccessibleName(f"{each.name}: {each.value}")
    head = row(gap=16)
    head.addWidget(name, 1 if each.value else 2)
    if each.value:
        head.addWidget(value, 1)
    inside = column(head, gap=2)
    if each.meaning:
        inside.addWidget(Label(each.meaning, Style.SMALL, "text2", wrap=True))
    made.setLayout(inside)
    return made


def _note(words: str) -> QWidget:
    made = QWidget()
    layout = row(gap=8)
    layout.addWidget(Icon("info", 14, "acc"), 0, Qt.AlignmentFlag.AlignTop)
    layout.addWidget(Label(words, Style.SMALL, wrap=True, selectable=True), 1)
    made.setLayout(layout)
    return made
