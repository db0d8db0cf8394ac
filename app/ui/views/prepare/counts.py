"""What a dry run comes to in numbers: rows that are ready, values left empty, rows left out."""

from __future__ import annotations

from PySide6.QtCore import QLocale
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.texts import text
from app.ui.locale import locale, number
from app.ui.models.preparing_check import Checked
from app.ui.tokens import Style
from app.ui.widgets.chips import Meter
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import Label

_SIGNS = {"ready": ("check-circle", "pos"), "empty": ("warning", "cau"), "refused": ("close-circle", "dan")}


class Counts(QWidget):
    """The numbers, and the bar beside them."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[str, Label] = {}
        whole = row(gap=28)
        for name in _SIGNS:
            whole.addLayout(self._number(name))
        self._share = Label("", Style.SMALL, "text2")
        self._bar = Meter(8)
        right = column(row(None, self._share), self._bar, gap=8, margins=(0, 6, 0, 0))
        whole.addLayout(right, 1)
        self.setLayout(whole)

    def _number(self, name: str) -> QVBoxLayout:
        label = Label("0", Style.QUESTION)
        font = label.font()
        font.setWeight(font.Weight.DemiBold)
        label.setFont(font)
        self._numbers[name] = label
        head = row(
            Icon(_SIGNS[name][0], 14, _SIGNS[name][1]),
            Label(text(f"ui.prepare.counts.{name}"), Style.SMALL, "text2"),
            gap=6,
        )
        return column(head, label, gap=0)

    def show_checked(self, checked: Checked) -> None:
        """Show the numbers of a dry run."""
        empty, refused = checked.states["empty"], checked.refused_rows
        for name, count in (("ready", checked.usable_rows), ("empty", empty), ("refused", refused)):
            self._numbers[name].setText(number(count))
        rows = max(checked.rows, 1)
        ready = max(0, checked.usable_rows) / rows
        some = min(empty / rows, ready)
        words = text("ui.prepare.complete", percent=_percent(ready))
        self._share.setText(words)
        least = 0.006  # what is there is seen, however little it is
        parts = [
            (ready - some, "pos"),
            (max(some, least) if empty else 0.0, "cau"),
            (max(refused / rows, least) if refused else 0.0, "dan"),
        ]
        over = max(0.0, sum(share for share, _ in parts) - 1)
        self._bar.set_parts([(parts[0][0] - over, parts[0][1]), *parts[1:]], words)


def _percent(fraction: float) -> str:
    """Return a percentage that says "100 %" only of all rows."""
    tenths = number(int(fraction * 1000) / 10, 1)
    return tenths + ("%" if locale().language() is QLocale.Language.English else " %")
