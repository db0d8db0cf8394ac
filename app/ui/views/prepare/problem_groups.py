"""Problems that are mended in one go, three at a time, each with its cure."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QWidget

from app.texts import text
from app.ui.locale import number
from app.ui.models.preparing_check import Group
from app.ui.tokens import Style
from app.ui.widgets.buttons import Button, IconButton
from app.ui.widgets.layout import clear, column, frame, row
from app.ui.widgets.text import ElidedLabel, Label

_SHOWN = 3

Do = Callable[[Group], object]


class ProblemGroups(QFrame):
    """The groups. ``mend`` does what a group's button says, ``look`` shows its rows."""

    def __init__(self, mend: Do, look: Do) -> None:
        super().__init__()
        self._mend, self._look = mend, look
        self._groups: tuple[Group, ...] = ()
        self._first = 0
        self._row = row(gap=0)
        self._where = Label("", Style.CAPTION, "text2")
        self._before = IconButton(
            "chevron-left", text("ui.prepare.groups_before"), size=14, pressed=lambda: self._turn(-1)
        )
        self._after = IconButton(
            "chevron-right", text("ui.prepare.groups_after"), size=14, pressed=lambda: self._turn(1)
        )
        self.pages = QWidget()
        """Where one turns to more groups; whoever shows the groups has a place for it."""
        self.pages.setLayout(row(self._where, self._before, self._after, gap=4))
        self.setLayout(column(frame("card", self._row), gap=0))

    def show_groups(self, groups: tuple[Group, ...]) -> None:
        """Show these, the largest first."""
        if groups == self._groups:
            return
        self._groups, self._first = groups, 0
        self._show()

    def _turn(self, by: int) -> None:
        self._first = max(0, min(self._first + by * _SHOWN, (len(self._groups) - 1) // _SHOWN * _SHOWN))
        self._show()

    def _show(self) -> None:
        clear(self._row)
        shown = self._groups[self._first : self._first + _SHOWN]
        for place, group in enumerate(shown):
            if place:
                self._row.addWidget(_hairline())
            self._row.addWidget(self._group(group), 1)
        last = self._first + len(shown)
        self._where.setText(text("ui.prepare.groups_of", first=self._first + 1, last=last, count=len(self._groups)))
        self._before.setEnabled(self._first > 0)
        self._after.setEnabled(last < len(self._groups))
        self.pages.setVisible(len(self._groups) > _SHOWN)
        self.setVisible(bool(shown))

    def _group(self, group: Group) -> QWidget:
        title = Label(group.title, Style.STRONG, wrap=True)
        words = ElidedLabel(_words(group), Style.SMALL, "text2")
        cure, does = cure_of(group), self._mend
        if not cure:
            cure, does = text("ui.prepare.show_rows", count=number(group.count)), self._look
        button = Button(cure, size="small", pressed=lambda: does(group))
        button.setAccessibleDescription(f"{group.title}. {_words(group)}")
        made = QWidget()
        made.setLayout(column(title, words, None, 4, row(button, None), gap=2, margins=(14, 11, 12, 11)))
        return made


def cure_of(group: Group) -> str:  # noqa: PLR0911 - one a kind
    """Return what the button says that mends a group; an empty text if nothing does."""
    fix = group.fix or {}
    match fix.get("kind"):
        case "decimal":
            return text("ui.prepare.cure.comma" if fix.get("value") == "," else "ui.prepare.cure.point")
        case "dates":
            return text("ui.prepare.cure.dates", order=text(f"ui.prepare.dates.{str(fix.get('value')).lower()}"))
        case "missing":
            return text("ui.prepare.cure.missing")
        case "unit":
            return text("ui.prepare.cure.unit", unit=fix.get("unit"))
        case "values" if fix.get("suggested"):
            return text("ui.prepare.cure.values", count=len(fix["suggested"]))
        case "values":
            return text("ui.prepare.cure.map", count=len(fix.get("values") or ()) or group.different)
    return text("ui.prepare.cure.map", count=group.different) if group.unknown and group.variable else ""


def _words(group: Group) -> str:
    count = text("ui.prepare.group.count", count=number(group.count))
    if group.examples and group.different <= 1:
        count = text("ui.prepare.group.such_as", count=number(group.count), example=group.examples[0])
    elif group.different > 1:
        shown = ", ".join(group.examples[:2])
        count = text("ui.prepare.group.different", count=number(group.count), different=number(group.different))
        count = f"{count}: {shown}" if shown else count
    return count


def _hairline() -> QFrame:
    made = frame("rule")
    made.setFixedWidth(1)
    return made
