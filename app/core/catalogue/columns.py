"""The sealed columns of a variable, and how a patient's value becomes theirs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, NoReturn

from app.core import codec
from app.core.catalogue.kinds import Kind
from app.core.catalogue.numbers import decimal_text, exact
from app.core.catalogue.scales import DIGIT_BASE, OCCURRENCES, Calendar, FollowUp, Periods, is_time
from app.core.errors import Bug, UserError

if TYPE_CHECKING:
    from app.core.catalogue.variable import Variable

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Column:
    """One sealed column: for each patient a bit, or a digit below ``bound``.

    ``part`` is ``has`` (flag), ``level:<code>`` (category), ``known`` (number, date), ``ge:<cut point>`` (number, date:
    the value is the cut point or later), ``digit:<place>`` and ``square:<place>`` (number), ``first:<period>``,
    ``last:<period>`` and ``times:<n>`` (event), ``event:<period>`` and ``censored:<period>`` (survival).
    """

    variable: str
    part: str

    @property
    def bound(self) -> int:
        """All values of the column are below this: 2, or 32 for digits."""
        return DIGIT_BASE if self.part.startswith(("digit:", "square:")) else 2


PRESENT = Column("", "present")
"""The sealed column of every dataset that says which slots hold a patient: the complement of a criterion is taken from
it, so that the empty slots of a block are never counted."""

PRESENT_MEANING = codec.digest(["consilium-present", 1])


def criteria_parts(variable: Variable) -> list[str]:
    """Return the parts of the columns of bits, in order."""
    match variable.kind:
        case Kind.FLAG:
            return ["has"]
        case Kind.CATEGORY:
            return [f"level:{level.code}" for level in variable.levels]
        case Kind.NUMBER:
            return ["known", *(f"ge:{decimal_text(cut)}" for cut in variable.cut_points)]
        case Kind.DATE:
            calendar = _calendar(variable)
            return ["known", *(f"ge:{calendar.text(start)}" for start in calendar.starts())]
        case Kind.EVENT:
            numbers = _periods(variable).numbers
            first, last = ([f"{which}:{p}" for p in numbers] for which in ("first", "last"))
            return [*first, *last, *(f"times:{least}" for least in OCCURRENCES)]
        case Kind.SURVIVAL:
            numbers = _periods(variable).numbers
            return [*(f"event:{p}" for p in numbers), *(f"censored:{p}" for p in numbers)]


def encode(variable: Variable, value: object) -> tuple[int, ...]:
    """Return the values of the sealed columns for a patient: see :meth:`.Variable.encode`."""
    if value is None:
        return (0,) * len(variable.columns)
    return _ENCODE[variable.kind](variable, value)


def _encode_flag(variable: Variable, value: object) -> tuple[int, ...]:
    if not isinstance(value, bool):
        _refuse(variable, "not_flag", value)
    return (int(value),)


def _encode_category(variable: Variable, value: object) -> tuple[int, ...]:
    bits = tuple(int(level.code == value) for level in variable.levels)
    if not any(bits):
        _refuse(variable, "unknown_level", value)
    return bits


def _encode_number(variable: Variable, value: object) -> tuple[int, ...]:
    number = exact(value)
    if number is None:
        _refuse(variable, "not_number", value)
    reached = bisect_right(variable.cut_points, number)
    bits = (1, *(int(position < reached) for position in range(len(variable.cut_points))))
    if (digits := variable.digits) is None:
        return bits
    if not digits.minimum <= number <= digits.maximum:
        _refuse(variable, "out_of_range", value)
    return (*bits, *digits.values(number))


def _encode_date(variable: Variable, value: object) -> tuple[int, ...]:
    if type(value) is not date:
        _refuse(variable, "not_date", value)
    return (1, *(int(value >= start) for start in _calendar(variable).starts()))


def _encode_event(variable: Variable, value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple | list) or not all(isinstance(each, Decimal) and is_time(each) for each in value):
        _refuse(variable, "not_times", value)
    periods = _periods(variable)
    happened = sorted(period for period in map(periods.period_of, value) if period in periods.numbers)
    first, last = (happened[0], happened[-1]) if happened else (None, None)
    return (
        *_one_of(periods.numbers, first),
        *_one_of(periods.numbers, last),
        *(int(len(happened) >= least) for least in OCCURRENCES),
    )


def _encode_survival(variable: Variable, value: object) -> tuple[int, ...]:
    if not isinstance(value, FollowUp) or not is_time(value.days):
        _refuse(variable, "not_follow_up", value)
    if value.days < 0:
        _refuse(variable, "before_index", value.days)
    periods = _periods(variable)
    period, event = periods.period_of(value.days), value.event
    if period >= periods.count:
        period, event = periods.count - 1, False
    ended, nothing = _one_of(periods.numbers, period), (0,) * periods.count
    return (*ended, *nothing) if event else (*nothing, *ended)


_ENCODE: dict[Kind, Callable[[Variable, object], tuple[int, ...]]] = {
    Kind.FLAG: _encode_flag,
    Kind.CATEGORY: _encode_category,
    Kind.NUMBER: _encode_number,
    Kind.DATE: _encode_date,
    Kind.EVENT: _encode_event,
    Kind.SURVIVAL: _encode_survival,
}


def _one_of(numbers: Sequence[int], chosen: int | None) -> tuple[int, ...]:
    return tuple(int(each == chosen) for each in numbers)


def _calendar(variable: Variable) -> Calendar:
    if variable.calendar is None:
        raise Bug("catalogue.no_calendar", variable=variable.code)
    return variable.calendar


def _periods(variable: Variable) -> Periods:
    if variable.periods is None:
        raise Bug("catalogue.no_periods", variable=variable.code)
    return variable.periods


def _refuse(variable: Variable, problem: str, value: object) -> NoReturn:
    raise UserError(f"catalogue.value_{problem}", variable=variable.code, value=str(value)[:_SHOWN])
