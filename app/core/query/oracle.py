"""The plaintext oracle: who is in a cohort and what an analysis opens, decided on clear values.

It knows nothing of sealed columns, facets or canonical forms where it decides who is in a cohort, so that tests and the
demo can hold the encrypted answer against it. It never sees a hospital's data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_FLOOR, Decimal

from app.core.catalogue.columns import PRESENT, Column
from app.core.catalogue.model import Catalogue
from app.core.catalogue.numbers import exact
from app.core.catalogue.scales import Periods
from app.core.errors import Bug
from app.core.query.cells import Cells, Linear, cells_of
from app.core.query.model import (
    FIRST,
    All,
    Any,
    Before,
    Cohort,
    Dates,
    Flag,
    Happened,
    Known,
    Levels,
    Moment,
    Not,
    Occurs,
    Query,
    Range,
    Term,
    Within,
)

Row = Mapping[str, object]
"""One patient: value by variable code, as :meth:`.Variable.encode` takes them; None or absent is no value."""


def matches(cohort: Cohort, row: Row, catalogue: Catalogue) -> bool:
    """Return whether this patient is in the cohort."""
    match cohort:
        case Not(child):
            return not matches(child, row, catalogue)
        case All(children):
            return all(matches(child, row, catalogue) for child in children)
        case Any(children):
            return any(matches(child, row, catalogue) for child in children)
        case _:
            return _meets(cohort, row, catalogue)


def count(cohort: Cohort, rows: Iterable[Row], catalogue: Catalogue) -> int:
    """Return how many of these patients are in the cohort."""
    return sum(matches(cohort, row, catalogue) for row in rows)


def numbers(query: Query, rows: Iterable[Row], catalogue: Catalogue) -> tuple[int, ...]:
    """Return the number in every cell of the query, in order. Raises as :func:`~app.core.query.cells.cells_of`."""
    return cell_numbers(cells_of(query, catalogue), rows, catalogue)


def cell_numbers(cells: Cells, rows: Iterable[Row], catalogue: Catalogue) -> tuple[int, ...]:
    """Return the number in every cell: who is in a mask by :func:`matches`, what is added up by the sealed columns."""
    used = {column.variable for cell in cells.cells for factor in cell.factors for column, _ in factor.weights}
    variables = [catalogue.variable(code) for code in sorted(used - {PRESENT.variable})]
    masks = {cell.mask for cell in cells.cells}
    totals = [0] * len(cells.cells)
    for row in rows:
        found = {mask: matches(mask, row, catalogue) for mask in masks}
        values = {PRESENT: 1}
        for variable in variables:
            values |= zip(variable.columns, variable.encode(row.get(variable.code)), strict=True)
        for place, cell in enumerate(cells.cells):
            if found[cell.mask]:
                totals[place] += _product(cell.factors, values)
    return tuple(totals)


def _product(factors: Sequence[Linear], values: Mapping[Column, int]) -> int:
    product = 1
    for factor in factors:
        product *= factor.constant + sum(weight * values[column] for column, weight in factor.weights)
    return product


def _meets(term: Term, row: Row, catalogue: Catalogue) -> bool:  # noqa: PLR0911, PLR0912 - one a kind of term
    match term:
        case Flag(code):
            return _value(code, row, catalogue) is True
        case Levels(code, levels):
            return _value(code, row, catalogue) in levels
        case Known(code):
            return _value(code, row, catalogue) is not None
        case Range(code, low, high):
            value = _value(code, row, catalogue)
            if value is None:
                return False
            number = exact(value)
            if number is None:
                raise Bug("query.oracle_value", variable=code)
            return (low is None or low <= number) and (high is None or number < high)
        case Dates(code, first, end):
            day = _value(code, row, catalogue)
            if day is None:
                return False
            if type(day) is not date:
                raise Bug("query.oracle_value", variable=code)
            return (first is None or first <= day) and (end is None or day < end)
        case Occurs(code, least):
            return len(_times(code, row, catalogue)) >= least
        case Happened(which, code, low, high):
            time = _time(Moment(which, code), row, catalogue)
            return time is not None and (low is None or low <= time) and (high is None or time < high)
        case Before(earlier, later, least, most):
            apart = _apart(earlier, later, row, catalogue)
            if apart is None or apart <= 0:
                return False
            return (least is None or least <= apart) and (most is None or apart <= most)
        case Within(one, other, most):
            apart = _apart(one, other, row, catalogue)
            return apart is not None and abs(apart) <= most


def _value(code: str, row: Row, catalogue: Catalogue) -> object:
    return row.get(catalogue.variable(code).code)


def _times(code: str, row: Row, catalogue: Catalogue) -> list[Decimal]:
    """Return the times in days at which an event happened within its horizon."""
    value, periods = row.get(code), _periods(code, catalogue)
    if value is None:
        return []
    if not isinstance(value, tuple | list):
        raise Bug("query.oracle_value", variable=code)
    start, end = periods.first * periods.days, (periods.first + periods.count) * periods.days
    return [time for time in value if start <= time < end]


def _time(moment: Moment, row: Row, catalogue: Catalogue) -> Decimal | None:
    times = _times(moment.code, row, catalogue)
    if not times:
        return None
    return min(times) if moment.which == FIRST else max(times)


def _apart(one: Moment, other: Moment, row: Row, catalogue: Catalogue) -> Decimal | None:
    """Return the days from the beginning of the one time's period to that of the other's; None if either is missing."""
    starts = []
    for moment in (one, other):
        time, length = _time(moment, row, catalogue), _periods(moment.code, catalogue).days
        if time is None:
            return None
        starts.append((time / length).to_integral_value(ROUND_FLOOR) * length)
    return starts[1] - starts[0]


def _periods(code: str, catalogue: Catalogue) -> Periods:
    periods = catalogue.variable(code).periods
    if periods is None:
        raise Bug("query.oracle_value", variable=code)
    return periods
