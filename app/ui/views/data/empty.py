"""What the screen says while a site has no dataset: what one is, and how to get it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QWidget

from app.texts import text
from app.ui.tokens import Style
from app.ui.widgets.buttons import LINK, PRIMARY, Button
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import column, row, scrolling
from app.ui.widgets.text import Label

_WIDEST = 640


def empty_page(explain: Callable[[], object], prepare: Callable[[], object]) -> QScrollArea:
    """Return the page; ``explain`` opens the help about preparing, ``prepare`` the wizard."""
    steps = column(gap=14)
    for icon_name, key in (("computer", "prepare"), ("lock", "carry"), ("import", "import")):
        words = column(
            Label(text(f"ui.data.empty.{key}"), Style.STRONG, wrap=True),
            Label(text(f"ui.data.empty.{key}_words"), Style.BODY, "text2", wrap=True),
            gap=2,
        )
        if key == "prepare":
            words.addSpacing(4)
            begin = Button(text("ui.prepare.open_wizard"), PRIMARY, icon_name="table", pressed=prepare)
            words.addLayout(row(begin, Button(text("ui.data.empty.how"), LINK, pressed=explain), None))
        each = row(gap=12)
        each.addWidget(Icon(icon_name, 20, "acc"), 0, Qt.AlignmentFlag.AlignTop)
        each.addLayout(words, 1)
        steps.addLayout(each)
    inside = QWidget()
    inside.setMaximumWidth(_WIDEST)
    title = Label(text("ui.data.empty.title"), Style.TITLE, wrap=True)
    inside.setLayout(column(title, Label(text("ui.data.empty.words"), Style.BODY, "text2", wrap=True), 8, steps))
    centred = row(None, inside, None, margins=(24, 40, 24, 24))
    centred.setStretch(1, 8)
    return scrolling(column(centred, None, gap=0))
