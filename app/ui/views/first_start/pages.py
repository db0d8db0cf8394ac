"""What the pages behind the choices have in common, and the two that only explain."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app.texts import text
from app.ui.tokens import Style
from app.ui.widgets.buttons import PRIMARY, QUIET, Button
from app.ui.widgets.feedback import Banners, Icon
from app.ui.widgets.layout import Item, card, column, row, scrolling
from app.ui.widgets.text import Label

WIDEST = 620


class Page(QWidget):
    """A page: the way back, a title, a sentence, banners, and its content, in the middle of the window."""

    def __init__(self, title: str, words: str, back: Callable[[], object] | None, *items: Item) -> None:
        super().__init__()
        self.banners = Banners()
        top: list[Item] = []
        if back is not None:
            self.back = Button(text("ui.first_start.back"), QUIET, icon_name="chevron-left", pressed=back)
            self.setFocusProxy(self.back)
            top = [row(self.back, None), 4]
        heading = Label(title, Style.WELCOME, wrap=True)
        says = Label(words, Style.SENTENCE, "text2", wrap=True)
        inside = QWidget()
        inside.setMaximumWidth(WIDEST)
        inside.setLayout(column(*top, heading, says, 8, self.banners, *items, None, gap=8))
        middle = row(gap=0, margins=(24, 24, 24, 24))
        middle.addStretch(1)
        middle.addWidget(inside, 100)
        middle.addStretch(1)
        layout = column(scrolling(middle), gap=0)
        self.setLayout(layout)


def help_page(back: Callable[[], object], prepare: Callable[[], object]) -> Page:
    """Return what a newcomer may ask before the first click."""
    answers = [
        ("shield", text("ui.first_start.help_data"), text("ui.first_start.help_data_words")),
        ("people", text("ui.first_start.help_join"), text("ui.first_start.help_join_words")),
        ("federation", text("ui.first_start.help_start"), text("ui.first_start.help_start_words")),
        ("computer", text("ui.first_start.help_try"), text("ui.first_start.help_try_words")),
    ]
    prepared = Button(text("ui.first_start.prepare"), icon_name="data", pressed=prepare)
    items: list[Item] = [card(*(_answer(*each) for each in answers), gap=18, padding=20), row(prepared, None)]
    return Page(text("ui.first_start.help"), text("ui.first_start.help_words"), back, *items)


def _answer(icon_name: str, question: str, words: str) -> QWidget:
    made = QWidget()
    layout = row(gap=12)
    layout.addWidget(Icon(icon_name, 20, "acc"), 0, Qt.AlignmentFlag.AlignTop)
    layout.addLayout(column(Label(question, Style.STRONG, wrap=True), Label(words, Style.BODY, "text2", wrap=True)), 1)
    made.setLayout(layout)
    return made


def offline_page(back: Callable[[], object], prepare: Callable[[], object]) -> Page:
    """Return how a dataset is prepared on a machine without network; ``prepare`` begins."""
    steps = [
        (text("ui.first_start.offline_public"), "consilium federation export-public federation.public"),
        (
            text("ui.first_start.offline_prepare"),
            "consilium data prepare --federation federation.public --mapping mapping.toml --output dataset.consilium",
        ),
        (text("ui.first_start.offline_verify"), "consilium data verify dataset.consilium"),
        (text("ui.first_start.offline_carry"), ""),
    ]
    begin = Button(text("ui.prepare.open_wizard"), PRIMARY, icon_name="table", size="large", pressed=prepare)
    items: list[Item] = [Label(text("ui.first_start.offline_command_line"), Style.STRONG, wrap=True)]
    for number, (words, command) in enumerate(steps, start=1):
        items.append(Label(f"{number}. {words}", Style.BODY, wrap=True))
        if command:
            shown = Label(command, Style.CODE, wrap=True, selectable=True)
            shown.setProperty("role", "code")
            shown.setMargin(8)
            shown.setAccessibleName(text("ui.first_start.offline_command", number=number))
            items.append(shown)
    return Page(
        text("ui.first_start.prepare"),
        text("ui.first_start.offline_words"),
        back,
        row(begin, None),
        8,
        card(*items, gap=10, padding=20),
    )
