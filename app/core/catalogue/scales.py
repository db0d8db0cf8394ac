"""What dates, times and exact sums are measured in: calendar scales, periods of days, digits of a stepped number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum

from app.core.catalogue.numbers import decimal_text

DIGIT_BASE = 32
OCCURRENCES = (1, 2, 3, 5, 10)
"""How often an event happened is known as: at least once, twice, three, five, ten times."""

_MOST_PLACES = 30
_FLOOR, _NEAREST = Context(prec=80, rounding=ROUND_FLOOR), Context(prec=80, rounding=ROUND_HALF_EVEN)
# wide enough for every value, so that nothing depends on the decimal context of whoever calls
_LARGEST = DIGIT_BASE**4 - 1  # of a stepped number; its square then has eight digits


class Granularity(StrEnum):
    """How finely a calendar date is kept."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Dates cut at the beginning of every day, month or year from ``first`` to ``last``, both of them beginnings."""

    granularity: Granularity
    first: date
    last: date

    def starts(self) -> Iterator[date]:
        """Yield the beginnings, ascending."""
        start = self.first
        yield start
        while start < self.last:  # which the calendar's own end may be: nothing follows it
            start = self.following(start)
            yield start

    def following(self, start: date) -> date:
        """Return the beginning after the one at ``start``."""
        match self.granularity:
            case Granularity.DAY:
                return start + timedelta(days=1)
            case Granularity.MONTH:
                return date(start.year + start.month // 12, start.month % 12 + 1, 1)
            case Granularity.YEAR:
                return date(start.year + 1, 1, 1)

    def start_of(self, day: date) -> date:
        """Return the beginning of the day, month or year that ``day`` lies in."""
        match self.granularity:
            case Granularity.DAY:
                return day
            case Granularity.MONTH:
                return day.replace(day=1)
            case Granularity.YEAR:
                return day.replace(month=1, day=1)

    @property
    def count(self) -> int:
        """How many beginnings there are; not more than zero if ``last`` is before ``first``."""
        match self.granularity:
            case Granularity.DAY:
                return (self.last - self.first).days + 1
            case Granularity.MONTH:
                return 12 * (self.last.year - self.first.year) + self.last.month - self.first.month + 1
            case Granularity.YEAR:
                return self.last.year - self.first.year + 1

    def text(self, start: date) -> str:
        """Return a beginning as the catalogue writes it: 2024-03-01, 2024-03 or 2024."""
        return start.isoformat()[: {"day": 10, "month": 7, "year": 4}[self.granularity]]


@dataclass(frozen=True, slots=True)
class Periods:
    """``count`` periods of ``days`` days each; period p holds times in [p · days, (p + 1) · days) after the index date.

    The first one is ``first``: negative where the time before the index date matters.
    """

    days: Decimal
    count: int
    first: int = 0

    def period_of(self, time: Decimal) -> int:
        """Return the number p of the period of a time in days, which may lie outside of the horizon."""
        return int(_FLOOR.to_integral_value(_FLOOR.divide(time, self.days)))

    @property
    def numbers(self) -> range:
        """The numbers p of the periods."""
        return range(self.first, self.first + self.count)


@dataclass(frozen=True, slots=True)
class Digits:
    """A number kept exactly, as v = (value − ``minimum``) / ``step`` rounded to the nearest whole (ties to even).

    Sealed are the base-32 digits of v and of v², least first, so that sums and sums of squares are exact.
    """

    minimum: Decimal
    maximum: Decimal
    step: Decimal

    @property
    def largest(self) -> int:
        """The largest v."""
        return self.whole(self.maximum)

    @property
    def fits(self) -> bool:
        """Whether v has at most four digits."""
        return self._steps(self.maximum) <= _LARGEST

    def whole(self, value: Decimal) -> int:
        """Return v."""
        return int(_NEAREST.to_integral_value(self._steps(value)))

    def _steps(self, value: Decimal) -> Decimal:
        return _NEAREST.divide(_NEAREST.subtract(value, self.minimum), self.step)

    def parts(self) -> tuple[str, ...]:
        """Return the names of the columns: ``digit:0``, … , ``square:0``, …"""
        largest = self.largest
        digits = (f"digit:{place}" for place in range(_digits_of(largest)))
        squares = (f"square:{place}" for place in range(_digits_of(largest**2)))
        return (*digits, *squares)

    def values(self, value: Decimal) -> tuple[int, ...]:
        """Return the digits, aligned with :meth:`parts`."""
        whole, largest = self.whole(value), self.largest
        return (*_split(whole, _digits_of(largest)), *_split(whole**2, _digits_of(largest**2)))

    def plain(self) -> list[str]:
        """Return what the meaning of a variable depends on."""
        return [decimal_text(each) for each in (self.minimum, self.maximum, self.step)]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A patient's survival value: followed for ``days`` (from the index date), and whether the event ended it."""

    days: Decimal
    event: bool


def is_time(days: Decimal) -> bool:
    """Return whether this can be a time in days: a finite number of no absurd size."""
    return days.is_finite() and days.adjusted() <= _MOST_PLACES


def _digits_of(number: int) -> int:
    count = 1
    while number >= DIGIT_BASE**count:
        count += 1
    return count


def _split(number: int, count: int) -> tuple[int, ...]:
    return tuple(number // DIGIT_BASE**place % DIGIT_BASE for place in range(count))
