"""A date as a range of days, months or years, with what is usually wanted at a press."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget

from app.core.catalogue.model import Variable
from app.texts import text
from app.ui.icons import icon
from app.ui.models.distribution import Distribution
from app.ui.models.scales import DateScale
from app.ui.theme import set_role
from app.ui.views.explore.editor import ScaleEditor
from app.ui.views.explore.wording import label
from app.ui.widgets.buttons import Button
from app.ui.widgets.layout import Flow, column

_MOST_YEARS = 30


class DateEditor(ScaleEditor):
    """Two typed bounds over a slider, and presets: the last months or years, one year, any date."""

    def __init__(self, variable: Variable, shown: Distribution | None, today: Callable[[], date] = date.today) -> None:
        self._dates = DateScale(variable)
        super().__init__(self._dates, label(variable), shown)
        now = today()
        self.presets = QWidget()
        set_role(self.presets, role="clear")
        flow = Flow(gap=4)
        self.last_year = self._preset(text("ui.explore.last_12_months"), self._dates.since(_years_before(now, 1)))
        self.last_five = self._preset(text("ui.explore.last_5_years"), self._dates.since(_years_before(now, 5)))
        self.year = Button(text("ui.explore.a_year"), size="small")
        self.year.setIcon(icon("chevron-down"))
        self.year.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self.year.setMenu(self._years(now))
        self.any = Button(text("ui.explore.any_date"), size="small", pressed=lambda: self.take(0, self.scale.last))
        for each in (self.last_year, self.last_five, self.year, self.any):
            flow.addWidget(each)
        self.presets.setLayout(flow)
        self.setLayout(column(self.presets, self.range, gap=6))

    def _preset(self, words: str, places: tuple[int, int] | None) -> Button:
        made = Button(words, size="small", pressed=lambda: None if places is None else self.take(*places))
        first, last = (
            self._dates.calendar.text(day) for day in (self._dates.calendar.first, self._dates.calendar.last)
        )
        made.forbid("" if places is not None else text("ui.explore.outside_dates", first=first, last=last))
        return made

    def _years(self, now: date) -> QMenu:
        menu, calendar = QMenu(self.year), self._dates.calendar
        newest = min(calendar.last.year, now.year)
        for year in range(newest, max(calendar.first.year, newest - _MOST_YEARS + 1) - 1, -1):
            if (places := self._dates.year(year)) is not None:
                menu.addAction(str(year), partial(self.take, *places))
        return menu


def _years_before(day: date, years: int) -> date:
    """Return the same day some years earlier; of 29 February, the 28th."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)
