"""The page with the three ways to begin, and the way for machines without network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QWidget

from app.texts import text
from app.ui import icons
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.views.first_start.drawings import JOIN, START, TRY, Drawing
from app.ui.widgets.buttons import LINK, PRIMARY, SECONDARY, Button
from app.ui.widgets.feedback import Banners, Icon
from app.ui.widgets.layout import card, column, row
from app.ui.widgets.text import Label

_CENTRE = Qt.AlignmentFlag.AlignHCenter
_WIDEST = 1000


@dataclass(frozen=True)
class Ways:
    """What the page leads to."""

    join: Callable[[], object]
    start: Callable[[], object]
    try_it: Callable[[], object]
    prepare: Callable[[], object]


class Choices(QWidget):
    """The three choices."""

    def __init__(self, ways: Ways) -> None:
        super().__init__()
        self.banners = Banners()
        self.try_it = Button(text("ui.first_start.try_button"), PRIMARY, size="large", pressed=ways.try_it)
        self.setFocusProxy(self.try_it)
        self.cards = [
            _choice(JOIN, text("ui.first_start.join"), text("ui.first_start.join_words"),
                    Button(text("ui.first_start.join_button"), SECONDARY, size="large", pressed=ways.join)),
            _choice(START, text("ui.first_start.start"), text("ui.first_start.start_words"),
                    Button(text("ui.first_start.start_button"), SECONDARY, size="large", pressed=ways.start)),
            _choice(TRY, text("ui.first_start.try"), text("ui.first_start.try_words"),
                    self.try_it),
        ]  # fmt: skip
        three = row(*self.cards, gap=20)
        for place in range(len(self.cards)):
            three.setStretch(place, 1)
        inside = QWidget()
        inside.setMaximumWidth(_WIDEST)
        inside.setLayout(column(self.banners, three, gap=16))
        layout = column(gap=0, margins=(24, 8, 24, 8))
        layout.addStretch(2)
        layout.addWidget(_Logo(), 0, _CENTRE)
        layout.addSpacing(22)
        for words, style, ink in (
            (text("ui.first_start.welcome"), Style.WELCOME, "text"),
            (text("ui.first_start.promise"), Style.SENTENCE, "text2"),
        ):
            label = Label(words, style, ink, wrap=True)
            label.setAlignment(_CENTRE)
            layout.addWidget(label)
            layout.addSpacing(10)
        layout.addSpacing(22)
        centred = row(gap=0)
        centred.addStretch(1)
        centred.addWidget(inside, 100)
        centred.addStretch(1)
        layout.addLayout(centred)
        layout.addSpacing(24)
        prepare = Button(text("ui.first_start.prepare"), LINK, pressed=ways.prepare)
        question = Label(text("ui.first_start.prepare_question"), Style.BODY, "text2")
        layout.addLayout(row(None, Icon("data", 18), question, prepare, None))
        layout.addStretch(3)
        self.setLayout(layout)


def _choice(name: str, title: str, words: str, button: Button) -> QFrame:
    heading = Label(title, Style.TITLE, wrap=True)
    says = Label(words, Style.BODY, "text2", wrap=True)
    button.setAccessibleName(title)
    button.setAccessibleDescription(words)
    tone = "selected" if name == TRY else ""
    return card(Drawing(name), 10, heading, says, None, 18, button, gap=8, padding=24, tone=tone)


class _Logo(QWidget):
    """The program's sign."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(52, 52)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        icons.paint(QPainter(self), "logo", QRectF(self.rect()), theme().colour("acc"))
