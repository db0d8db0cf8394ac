"""From values to sealed columns for all patients at once: bits, packed eight a byte; a digit below 32 is five of them.

What a variable's columns hold for one patient is said by :meth:`.Variable.encode`; this is the same in arrays. Days and
times are exact; a number stands for its shortest decimal text, as there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from app.core.catalogue.model import Column, Kind, Variable
from app.core.catalogue.scales import DIGIT_BASE, OCCURRENCES, Digits
from app.core.errors import Bug
from app.core.preparation.values import EPOCH

Values = NDArray[np.float64]
Bits = NDArray[np.uint8]

_TIE = 1e-6


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one variable, an array over the patients each, NaN for no value.

    ``values`` are a flag (0, 1), the place of a level, a number, the days of a date since 1970, the first day of an
    event, or how many days a patient was followed. ``last`` and ``times`` belong to events, ``ended`` to survival.
    """

    values: Values
    last: Values | None = None
    times: Values | None = None
    ended: Values | None = None


def width(column: Column) -> int:
    """Return how many planes a column has."""
    return 1 if column.bound == 2 else DIGIT_BASE.bit_length() - 1  # noqa: PLR2004 - bits


def columns(variable: Variable, read: Read) -> Iterator[Bits]:
    """Yield what each of the variable's columns holds for every patient, in the order of :attr:`.Variable.columns`."""
    values = read.values
    match variable.kind:
        case Kind.FLAG:
            yield _bits(values == 1)
        case Kind.CATEGORY:
            for place in range(len(variable.levels)):
                yield _bits(values == place)
        case Kind.NUMBER:
            yield _bits(~np.isnan(values))
            yield from (_bits(values >= least(cut)) for cut in variable.cut_points)
            if variable.digits is not None:
                yield from _digits(variable.digits, values)
        case Kind.DATE:
            if variable.calendar is None:
                raise Bug("catalogue.no_calendar", variable=variable.code)
            yield _bits(~np.isnan(values))
            yield from (_bits(values >= (start - EPOCH).days) for start in variable.calendar.starts())
        case Kind.EVENT | Kind.SURVIVAL:
            yield from _in_periods(variable, read)


def least(cut: Decimal) -> float:
    """Return the smallest double whose shortest decimal text is not below ``cut``."""
    number = float(cut)
    while Decimal(repr(number)) < cut:
        number = math.nextafter(number, math.inf)
    while Decimal(repr(below := math.nextafter(number, -math.inf))) >= cut:
        number = below
    return number


def first_days(variable: Variable) -> list[int]:
    """Return the first whole day of every period of an event or of survival, and the day after the last one's."""
    if variable.periods is None:
        raise Bug("catalogue.no_periods", variable=variable.code)
    numbers = chain(variable.periods.numbers, [variable.periods.numbers.stop])
    return [math.ceil(number * variable.periods.days) for number in numbers]


def _in_periods(variable: Variable, read: Read) -> Iterator[Bits]:
    if variable.periods is None:
        raise Bug("catalogue.no_periods", variable=variable.code)
    count = variable.periods.count
    borders = np.array([least(number * variable.periods.days) for number in variable.periods.numbers])
    if variable.kind is Kind.SURVIVAL:
        period = _periods(borders, read.values)
        beyond = read.values >= least(count * variable.periods.days)
        ended = (read.ended == 1) & ~beyond
        yield from (_bits((period == p) & ended) for p in range(count))
        yield from (_bits((period == p) & ~ended) for p in range(count))
        return
    end = least(variable.periods.numbers.stop * variable.periods.days)
    for days in (read.values, read.values if read.last is None else read.last):
        period = np.where(days < end, _periods(borders, days), -1)
        yield from (_bits(period == p) for p in range(count))
    times = np.zeros(len(read.values)) if read.times is None else np.nan_to_num(read.times)
    yield from (_bits(times >= least_times) for least_times in OCCURRENCES)


def _periods(borders: Values, days: Values) -> NDArray[np.intp]:
    """Return the place of the period of each time; -1 for none."""
    found = np.searchsorted(borders, days, side="right") - 1
    return np.where(np.isnan(days), -1, found)


def _digits(digits: Digits, values: Values) -> Iterator[Bits]:
    known = ~np.isnan(values)
    low, step = float(digits.minimum), float(digits.step)
    scaled = np.where(known, (values - low) / step, 0.0)
    whole = np.rint(scaled).astype(np.int64)
    near = known & (np.abs(np.abs(scaled - np.floor(scaled)) - 0.5) < _TIE)  # noqa: PLR2004 - a tie
    for value in np.unique(values[near]):  # where a double may round another way than the decimal number
        whole[values == value] = digits.whole(Decimal(repr(float(value))))
    whole[~known] = 0
    for part in digits.parts():
        name, _, place = part.partition(":")
        number = whole if name == "digit" else whole**2
        yield ((number // DIGIT_BASE ** int(place)) % DIGIT_BASE).astype(np.uint8)


def _bits(found: NDArray[np.bool_]) -> Bits:
    return found.astype(np.uint8)
