"""Sentences with controls in them: they break like words, and say where a control cannot be used, and why."""

from __future__ import annotations

import re

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QComboBox, QToolTip, QWidget

from app.texts import text
from app.ui.tokens import Style
from app.ui.widgets.buttons import IconButton
from app.ui.widgets.layout import Flow, column, row
from app.ui.widgets.text import Label, tip

_POINTS = (".", ",")
_MARK = re.compile("(\ue000\\d+\ue001)")


def slot(number: int) -> str:
    """Return what stands in a text where the control of this number goes: give it as the text's parameter."""
    return f"\ue000{number}\ue001"


class Lock(IconButton):
    """Says that an administrator has fixed something: as its name, and beside it when it is pressed."""

    def __init__(self, why: str) -> None:
        super().__init__("lock", why, size=14, pressed=self._say)

    def _say(self) -> None:
        QToolTip.showText(self.mapToGlobal(QPoint(0, self.height())), tip(self.accessibleName()), self)


class Sentence(QWidget):
    """Words with ``controls`` where :func:`slot` stands for them, and perhaps a ``note`` below.

    ``fixed`` says who has fixed it, if somebody has: its controls are off then, and a lock tells.
    """

    def __init__(self, words: str, *controls: QWidget, note: str = "", fixed: str = "") -> None:
        super().__init__()
        flow = Flow(4)
        for part in _MARK.split(words):
            if _MARK.fullmatch(part):
                flow.addWidget(controls[int(part[1:-1])])
            else:
                for each in part.split():
                    if each not in _POINTS:  # alone after a control they would stand apart
                        flow.addWidget(Label(each))
        if fixed:
            flow.addWidget(Lock(fixed))
            for control in controls:
                control.setEnabled(False)
                control.setToolTip(tip(fixed))
                control.setAccessibleDescription(fixed)
        body = column(flow, gap=2)
        if note:
            body.addWidget(Label(note, Style.SMALL, "text2", wrap=True))
        whole = row(body, gap=0)
        whole.setStretch(0, 1)
        self.setLayout(whole)


def wide_as_words(choice: QComboBox) -> None:
    """Make a combo box as wide as the widest of its entries."""
    widest = max((choice.fontMetrics().horizontalAdvance(choice.itemText(n)) for n in range(choice.count())), default=0)
    choice.setMinimumWidth(widest + 44)


def fixed_words(source: str) -> str:
    """Return who has fixed a setting: the administrator, and where."""
    return text("ui.policy.fixed_in", place=source) if source else text("ui.policy.fixed")
