"""Where a range can begin and end: at the cut points of a number, the beginnings of a date, the borders of periods.

A *place* is where a bound stands: 0 is no lower bound, n the n-th border, and one past the last no upper bound.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from app.core.catalogue.model import Kind, Variable
from app.core.catalogue.numbers import decimal_text, read_decimal
from app.core.catalogue.scales import Calendar, Granularity, Periods
from app.core.errors import Bug
from app.core.query.model import Dates, Happened, Known, Occurs, Range
from app.texts import preferred_language, text
from app.ui.locale import locale
from app.ui.models.catalogue import unit_of
from app.ui.models.criteria import Content

UNITS = {"day": Decimal(1), "week": Decimal(7), "month": Decimal("30.4375"), "year": Decimal("365.25")}
"""Days of the units in which times are said."""
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")
_LOCAL = re.compile(r"(?:(\d{1,2})[./])?(\d{1,2})[./](\d{4})")


class Unreadable(Exception):
    """What was typed is no place of the scale; its text says why, in words."""


class Scale(ABC):
    """The borders of one variable, in words; ``unit`` is that of all of them, perhaps empty."""

    unit = ""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many borders there are."""

    @abstractmethod
    def text(self, place: int) -> str:
        """Return the border at a place from 1 to ``count``, as people type it."""

    @abstractmethod
    def read(self, typed: str) -> int:
        """Return the place of the border that was typed. Raises :class:`Unreadable`."""

    @abstractmethod
    def content(self, low: int, high: int) -> Content:
        """Return the term with bounds at these places."""

    @abstractmethod
    def places(self, content: Content) -> tuple[int, int]:
        """Return where the bounds of a term stand; a bound that is no border is none."""

    @property
    def last(self) -> int:
        """The place of no upper bound."""
        return self.count + 1

    def ticks(self, every: int) -> range:
        """Return the places that are written below a picture, at least ``every`` places apart."""
        return range(1, self.count + 1, every)

    def words(self, place: int) -> str:
        """Return a place in words, with its unit."""
        if not 1 <= place <= self.count:
            return text("ui.explore.no_bound")
        return f"{self.text(place)} {self.unit}".rstrip()

    def _between(self, low: object, high: object, borders: dict[object, int]) -> tuple[int, int]:
        return borders.get(low, 0), borders.get(high, self.last)

    def _refuse(self, found: str, near: Iterable[int]) -> Unreadable:
        listed = text("ui.explore.or").join(self.text(place) for place in near if 1 <= place <= self.count)
        return Unreadable(text("ui.explore.not_a_cut", found=found, near=listed))


@dataclass(frozen=True)
class NumberScale(Scale):
    """The cut points of a number."""

    variable: Variable

    @property
    def unit(self) -> str:  # type: ignore[override]
        """The unit of the number."""
        return unit_of(self.variable, preferred_language())

    @property
    def count(self) -> int:
        """How many cut points there are."""
        return len(self.variable.cut_points)

    def text(self, place: int) -> str:
        """Return a cut point."""
        return number_text(self.variable.cut_points[place - 1])

    def read(self, typed: str) -> int:
        """Return the place of a cut point."""
        value, cuts = _number(typed), self.variable.cut_points
        place = bisect_right(cuts, value)
        if not place or cuts[place - 1] != value:
            raise self._refuse(number_text(value), (place, place + 1))
        return place

    def content(self, low: int, high: int) -> Content:
        """Return the range, or "known" without any bound."""
        code, cuts = self.variable.code, self.variable.cut_points
        if low == 0 and high == self.last:
            return Known(code)
        return Range(code, cuts[low - 1] if low else None, cuts[high - 1] if high <= self.count else None)

    def places(self, content: Content) -> tuple[int, int]:
        """Return the places of a range."""
        if not isinstance(content, Range):
            return 0, self.last
        return self._between(content.low, content.high, {cut: n for n, cut in enumerate(self.variable.cut_points, 1)})


@dataclass(frozen=True)
class DateScale(Scale):
    """The beginnings of the days, months or years of a date."""

    variable: Variable

    @cached_property
    def calendar(self) -> Calendar:
        """What the catalogue says of it."""
        if self.variable.calendar is None:
            raise Bug("catalogue.no_calendar", variable=self.variable.code)
        return self.variable.calendar

    @cached_property
    def starts(self) -> tuple[date, ...]:
        """All beginnings."""
        return tuple(self.calendar.starts())

    @cached_property
    def _places(self) -> dict[object, int]:
        return {start: place for place, start in enumerate(self.starts, 1)}

    @property
    def count(self) -> int:
        """How many beginnings there are."""
        return len(self.starts)

    def text(self, place: int) -> str:
        """Return a beginning as the catalogue writes it."""
        return self.calendar.text(self.starts[place - 1])

    def read(self, typed: str) -> int:
        """Return the place of the beginning of what was typed: a year, a month or a day."""
        day = read_date(typed)
        if day is None:
            raise Unreadable(text(f"ui.explore.not_a_date.{self.calendar.granularity.value}"))
        if (place := self._places.get(day)) is None:
            near = bisect_right(self.starts, day)
            raise self._refuse(typed.strip(), (near, near + 1))
        return place

    def content(self, low: int, high: int) -> Content:
        """Return the dates, or "known" without any bound."""
        if low == 0 and high == self.last:
            return Known(self.variable.code)
        return Dates(
            self.variable.code,
            self.starts[low - 1] if low else None,
            self.starts[high - 1] if high <= self.count else None,
        )

    def places(self, content: Content) -> tuple[int, int]:
        """Return the places of dates."""
        if not isinstance(content, Dates):
            return 0, self.last
        return self._between(content.low, content.high, self._places)

    def ticks(self, every: int) -> range:
        """Return round years, and months that divide a year."""
        first = self.calendar.first
        match self.calendar.granularity:
            case Granularity.MONTH:
                return _round(every, (1, 3, 6, 12, 24, 60, 120, 240), 12 * first.year + first.month - 1, self.count)
            case Granularity.YEAR:
                return _round(every, (1, 2, 5, 10, 20, 50, 100), first.year, self.count)
            case _:
                return range(1, self.count + 1, every)

    def year(self, year: int) -> tuple[int, int] | None:
        """Return the places of a year as far as the calendar has it; None if it has nothing of it."""
        return self.since(date(year, 1, 1), date(year + 1, 1, 1))

    def since(self, low: date, high: date | None = None) -> tuple[int, int] | None:
        """Return the places of the time from ``low`` to before ``high``; None if the calendar has nothing of it."""
        first = self._places.get(self.calendar.start_of(low), 0)
        last = self.last if high is None else self._places.get(self.calendar.start_of(high), self.last)
        outside = low > self.calendar.last or (high is not None and high <= self.calendar.first)
        return None if outside or first >= last else (first, last)


@dataclass(frozen=True)
class TimeScale(Scale):
    """The borders between the periods of an event, for its ``which`` ("first" or "last") time, in a unit."""

    variable: Variable
    which: str
    unit_name: str = "day"

    @property
    def unit(self) -> str:  # type: ignore[override]
        """The unit in words."""
        return text(f"ui.explore.units.{self.unit_name}")

    @cached_property
    def _periods(self) -> Periods:
        return periods_of(self.variable)

    @property
    def count(self) -> int:
        """How many borders lie within the horizon."""
        return self._periods.count - 1

    def _days(self, place: int) -> Decimal:
        return (self._periods.first + place) * self._periods.days

    def text(self, place: int) -> str:
        """Return a border, in the unit."""
        return number_text(self._days(place) / UNITS[self.unit_name])

    def read(self, typed: str) -> int:
        """Return the place of a border, typed in the unit."""
        value = _number(typed)
        days, periods = value * UNITS[self.unit_name], self._periods
        place = periods.period_of(days) - periods.first
        if not 1 <= place <= self.count or self._days(place) != days:
            near = max(0, min(place, self.count))
            raise self._refuse(number_text(value), (near, near + 1))
        return place

    def ticks(self, every: int) -> range:
        """Return round numbers of periods."""
        return _round(every, (1, 2, 3, 6, 12, 24, 60, 120, 240, 600), self._periods.first + 1, self.count)

    def content(self, low: int, high: int) -> Content:
        """Return when it happened; having happened at all without any bound."""
        code = self.variable.code
        if low == 0 and high == self.last:
            return Occurs(code, 1)
        return Happened(
            self.which, code, self._days(low) if low else None, self._days(high) if high <= self.count else None
        )

    def places(self, content: Content) -> tuple[int, int]:
        """Return the places of a time."""
        if not isinstance(content, Happened):
            return 0, self.last
        return self._between(content.low, content.high, {self._days(place): place for place in range(1, self.last)})


def _round(least: int, steps: tuple[int, ...], first: int, count: int) -> range:
    """Return the places of multiples of a round step, where the first place is that of the number ``first``."""
    step = next((each for each in steps if each >= least), least)
    return range(1 + -first % step, count + 1, step)


def scale_of(variable: Variable, content: Content | None = None) -> Scale | None:
    """Return the scale on which a term of this variable is a range; None for the kinds without one."""
    if variable.kind is Kind.NUMBER and variable.cut_points:
        return NumberScale(variable)
    if variable.kind is Kind.DATE:
        return DateScale(variable)
    if variable.kind is Kind.EVENT:
        which = content.which if isinstance(content, Happened) else "first"
        return TimeScale(variable, which, units_of(periods_of(variable))[0])
    return None


# --- times --------------------------------------------------------------------------------------------------------


def periods_of(variable: Variable) -> Periods:
    """Return the periods of an event or survival, which always has them."""
    if variable.periods is None:
        raise Bug("catalogue.no_periods", variable=variable.code)
    return variable.periods


def units_of(periods: Periods) -> tuple[str, ...]:
    """Return the units in which whole periods are whole numbers, the largest first, and days."""
    return tuple(name for name in ("year", "month", "week") if periods.days % UNITS[name] == 0) + ("day",)


def time_text(days: Decimal, periods: Periods) -> str:
    """Return a time in words, in the largest unit that fits the periods."""
    name = units_of(periods)[0]
    count = days / UNITS[name]
    return text(
        f"ui.explore.time.{name}" if abs(count) != 1 else f"ui.explore.time.one_{name}", count=number_text(count)
    )


def read_time(typed: str, unit: str, periods: Periods) -> Decimal:
    """Return the days of a time typed in a unit, a whole number of periods above zero. Raises :class:`Unreadable`."""
    value = _number(typed)
    days = value * UNITS[unit]
    count = int(days / periods.days)
    if count < 1 or count * periods.days != days:
        near = sorted({max(1, count), max(1, count) + (count >= 1)})
        listed = text("ui.explore.or").join(number_text(each * periods.days / UNITS[unit]) for each in near)
        raise Unreadable(text("ui.explore.not_a_cut", found=number_text(value), near=listed))
    return days


def number_text(number: Decimal) -> str:
    """Return a number as people write it here."""
    return decimal_text(number).replace(".", locale().decimalPoint())


def read_date(typed: str) -> date | None:
    """Return the first day of what was typed: 2024, 2024-03, 2024-03-01, 03/2024 or 1.3.2024; None if it is no date."""
    if (found := _DATE.fullmatch(typed.strip())) is not None:
        year, month, day = found.groups()
    elif (found := _LOCAL.fullmatch(typed.strip())) is not None:
        day, month, year = found.groups()
    else:
        return None
    try:
        return date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None


def _number(typed: str) -> Decimal:
    value = read_decimal(typed.strip().replace(locale().decimalPoint(), ".").replace("−", "-"))
    if value is None:
        raise Unreadable(text("ui.explore.not_a_number"))
    return value
