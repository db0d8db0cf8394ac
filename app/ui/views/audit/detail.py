"""The opened record, and what other sites hold of the trail."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.texts import text
from app.ui.locale import number, whole_moment
from app.ui.models.audit import Head, Record, why_words
from app.ui.tokens import Style
from app.ui.widgets.chips import Chip
from app.ui.widgets.layout import card, clear, column, line, row
from app.ui.widgets.text import Label

_NAME = 170


class RecordPane(QWidget):
    """What one record says, in words and as it is signed."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(16)
        self._shown: tuple[Record | None, tuple[Head, ...]] | None = None

    def show_record(self, record: Record | None, heads: Sequence[Head]) -> None:
        """Show a record, and below it the other sites."""
        if self._shown == (record, tuple(heads)):
            return
        self._shown = (record, tuple(heads))
        clear(self._layout)
        if record is not None:
            self._layout.addWidget(_record_card(record))
        if heads:
            self._layout.addWidget(_heads_card(heads))
        self._layout.addStretch(1)


def _record_card(record: Record) -> QWidget:
    title = Label(record.title, Style.TITLE, wrap=True)
    head = row(title, gap=10)
    head.setStretchFactor(title, 1)
    if record.chip is not None:
        head.addWidget(Chip(*record.chip))
    facts = [(text("ui.audit.when"), whole_moment(record.at)), (text("ui.audit.who"), record.who)]
    facts += [(text("ui.audit.why"), why_words(record.why)), *record.facts()]
    lines = [_fact(name, words) for name, words in facts if words]
    chained = Label(text("ui.audit.chained", number=number(record.number)), Style.SMALL, "text2", wrap=True)
    hash_ = Label(record.hash, Style.CODE, "text2", wrap=True, selectable=True)
    hash_.setAccessibleName(text("ui.audit.hash", hash=record.hash))
    return card(_widget(head), *lines, line(), chained, hash_, gap=10)


def _fact(name: str, words: str) -> QWidget:
    said, told = Label(name, Style.SMALL, "text2", wrap=True), Label(words, Style.BODY, wrap=True, selectable=True)
    said.setFixedWidth(_NAME)
    layout = row(said, told, gap=12)
    layout.setStretchFactor(told, 1)
    made = _widget(layout)
    made.setAccessibleName(f"{name}: {words}")
    return made


def _heads_card(heads: Sequence[Head]) -> QWidget:
    title = Label(text("ui.audit.others"), Style.STRONG)
    words = Label(text("ui.audit.others_words"), Style.SMALL, "text2", wrap=True)
    return card(title, words, *(Label(each.words, Style.BODY, wrap=True) for each in heads), gap=6)


def _widget(layout: object) -> QWidget:
    made = QWidget()
    made.setLayout(column(layout, gap=0))  # type: ignore[arg-type]
    return made
