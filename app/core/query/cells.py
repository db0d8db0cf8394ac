"""What an analysis opens: its cells, one released number each, as sums over patients.

A cell is Σ over the patients in ``mask`` of the product of ``factors``, each a linear form of sealed columns. The
planner says how that is computed, :mod:`app.core.query.placing` where the number lies in what is opened,
:mod:`app.core.disclosure` how much noise it gets, and :mod:`app.core.analysis` what the numbers mean. All of them, and
the oracle in the tests, rest on :func:`cells_of` alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from app.core.catalogue.columns import PRESENT, Column
from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.catalogue.numbers import decimal_text
from app.core.catalogue.scales import DIGIT_BASE, Digits, Periods
from app.core.errors import Bug, UserError
from app.core.query.analyses import (
    MOST_GROUPS,
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Count,
    Grouping,
    Histogram,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.core.query.model import All, Cohort, Dates, Flag, Known, Levels, Not, Query, Range
from app.core.query.written import write_days

MOST_CELLS = 1024
"""Numbers that one query opens at the most."""
UNKNOWN = "(unknown)"
"""Label of those without a value; no level can have such a code."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Σ weight·column + constant, between ``low`` and ``high`` for every patient of a mask."""

    weights: tuple[tuple[Column, int], ...]
    low: int
    high: int
    constant: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """One number: Σ over the patients in ``mask`` of the product of ``factors`` (none: 1).

    ``label`` says what it is; see the functions below for each analysis.
    """

    label: tuple[str, ...]
    mask: Cohort
    factors: tuple[Linear, ...] = ()

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest that one patient adds; 0 is always between them."""
        low = high = 1
        for factor in self.factors:
            ends = [a * b for a in (low, high) for b in (factor.low, factor.high)]
            low, high = min(ends), max(ends)
        return min(low, 0), max(high, 0)


@dataclass(frozen=True, slots=True)
class Part:
    """Cells that share a budget: adding or removing one patient changes all of them together by ``sensitivity``."""

    cells: tuple[int, ...]
    sensitivity: int


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a query in order, and the parts that noise is added by: each cell is in exactly one of them."""

    cells: tuple[Cell, ...]
    parts: tuple[Part, ...]

    def find(self, *label: str) -> int:
        """Return the index of the cell with this label."""
        return next(index for index, cell in enumerate(self.cells) if cell.label == label)


@dataclass(frozen=True, slots=True)
class Group:
    """One group of a grouping: its label (a level's code, ``yes``/``no``, or ``[low,high)``), as criterion and form."""

    label: str
    criterion: Cohort
    form: Linear


def cells_of(query: Query, catalogue: Catalogue) -> Cells:  # noqa: PLR0911 - one return a kind of analysis
    """Return the cells of a query whose variables the catalogue has.

    Raises UserError ``query.analysis_kind`` (a variable of the wrong kind), ``query.needs_exact_values`` (a number
    without a step has no exact sums), ``query.too_many_groups``, ``query.two_groups``, ``query.not_a_cut_point``,
    ``query.not_a_period`` (a horizon or step that is no multiple of the periods), ``query.too_many_results``.
    """
    made = _cells(query, catalogue)
    _check_count(len(made.cells))
    return made


def _check_count(count: int) -> None:
    if count > MOST_CELLS:
        raise UserError("query.too_many_results", count=count, most=MOST_CELLS)


def _cells(query: Query, catalogue: Catalogue) -> Cells:  # noqa: PLR0911 - one return a kind of analysis
    cohort = query.cohort
    match query.analysis:
        case Count():
            return _exclusive([Cell(("count",), cohort)])
        case Attrition():
            return _attrition(cohort)
        case Breakdown(code):
            _require(catalogue, code, Kind.CATEGORY, Kind.FLAG)
            return _exclusive(_spread(cohort, Grouping(code), catalogue))
        case Histogram(code):
            _require(catalogue, code, Kind.NUMBER, Kind.DATE)
            return _exclusive(_spread(cohort, Grouping(code), catalogue))
        case Table(rows, columns):
            down, across = groups_of(rows, catalogue), groups_of(columns, catalogue)
            _check_count(len(down) * len(across))  # before there are as many cells
            return _exclusive(
                [
                    Cell((row.label, column.label), _both(cohort, row.criterion), (column.form,))
                    for row in down
                    for column in across
                ]
            )
        case Summary(variables):
            return _joined([_summary(cohort, code, catalogue) for code in variables])
        case Compare(code, by):
            return _compared(cohort, code, by, catalogue)
        case Correlate(variables):
            return _crossed(cohort, variables, catalogue)
        case Regress(outcome, predictors):
            _require(catalogue, outcome, Kind.NUMBER)
            return _crossed(cohort, (outcome, *predictors), catalogue)
        case Survival():
            return _survival(cohort, query.analysis, catalogue)


# --- the analyses -------------------------------------------------------------------------------------------------


def steps_of(cohort: Cohort) -> tuple[Cohort, ...]:
    """Return the criteria that a funnel applies one after the other, as they are written."""
    return cohort.cohorts if type(cohort) is All and cohort.cohorts else (cohort,)


def _attrition(cohort: Cohort) -> Cells:
    """Labels ``("step", n)``: everyone present (n = 0), then who meets the first n criteria."""
    steps = steps_of(cohort)
    cells = [Cell(("step", str(n)), All(steps[:n])) for n in range(len(steps) + 1)]
    return Cells(tuple(cells), (Part(tuple(range(len(cells))), len(cells)),))


def _spread(cohort: Cohort, grouping: Grouping, catalogue: Catalogue) -> list[Cell]:
    """Labels ``(group,)``, and ``("(unknown)",)`` for those without a value (flags have none)."""
    groups = groups_of(grouping, catalogue)
    cells = [Cell((group.label,), cohort, (group.form,)) for group in groups]
    if catalogue.variable(grouping.code).kind is not Kind.FLAG:
        cells.append(Cell((UNKNOWN,), cohort, (_unknown(groups),)))
    return cells


def _summary(cohort: Cohort, code: str, catalogue: Catalogue) -> Cells:
    """Labels ``(code, "between", group)`` between all cut points, ``(code, "sum" | "square", place)`` where exact."""
    variable = _require(catalogue, code, Kind.NUMBER)
    groups = groups_of(Grouping(code), catalogue)
    between = _exclusive([Cell((code, "between", group.label), cohort, (group.form,)) for group in groups])
    if variable.digits is None:
        return between
    sums = [
        _exclusive([Cell((code, name, str(place)), cohort, (form,))])
        for name, forms in (("sum", _digits(variable)), ("square", _squares(variable)))
        for place, form in enumerate(forms)
    ]
    return _joined([between, *sums])


def _compared(cohort: Cohort, code: str, by: Grouping, catalogue: Catalogue) -> Cells:
    """Labels ``(group, "n")``, ``(group, "sum" | "square", place)``, over those who have the number."""
    variable, groups = _exact(catalogue, code), groups_of(by, catalogue)
    if len(groups) != 2:
        raise UserError("query.two_groups", variable=by.code, count=len(groups))
    wanted: list[tuple[tuple[str, ...], Linear]] = [(("n",), _known(variable))]
    wanted += [(("sum", str(place)), form) for place, form in enumerate(_digits(variable))]
    wanted += [(("square", str(place)), form) for place, form in enumerate(_squares(variable))]
    return _joined(
        [
            _exclusive([Cell((group.label, *label), _both(cohort, group.criterion), (form,)) for group in groups])
            for label, form in wanted
        ]
    )


def _crossed(cohort: Cohort, codes: Sequence[str], catalogue: Catalogue) -> Cells:
    """Complete cases. Labels ``("n",)``, ``("sum" | "square", code, place)``, ``("product", a, place, b, place)``.

    Digits of numbers are taken from the middle of their range (:func:`offset_of`) in products, so that sums of
    products stay small. A flag has the one place 0 and no square: it is its own.
    """
    variables = [_exact(catalogue, code, Kind.NUMBER, Kind.FLAG) for code in codes]
    known = [Known(variable.code) for variable in variables if variable.kind is Kind.NUMBER]
    mask = _both(cohort, *known)
    made = [Cell(("n",), mask)]
    for variable in variables:
        made += [Cell(("sum", variable.code, str(k)), mask, (form,)) for k, form in enumerate(_digits(variable))]
        made += [Cell(("square", variable.code, str(k)), mask, (form,)) for k, form in enumerate(_squares(variable))]
    for one, other in combinations(variables, 2):
        for i, left in enumerate(_digits(one)):
            for j, right in enumerate(_digits(other)):
                label = ("product", one.code, str(i), other.code, str(j))
                made.append(Cell(label, mask, (_from_middle(left), _from_middle(right))))
    return _joined([_exclusive([cell]) for cell in made])


def _survival(cohort: Cohort, asked: Survival, catalogue: Catalogue) -> Cells:
    """Labels ``(group, "event" | "censored", interval)`` and ``(group, "beyond")``: followed past the horizon.

    Without groups the one group is ``""``.
    """
    variable = _require(catalogue, asked.code, Kind.SURVIVAL)
    spans = spans_of(asked, variable)
    groups = [Group("", All(()), Linear((), 1, 1))] if asked.by is None else groups_of(asked.by, catalogue)
    if len(groups) > MOST_GROUPS:
        raise UserError("query.too_many_groups", variable=asked.code, count=len(groups), most=MOST_GROUPS)
    periods, end = _periods(variable), spans[-1].stop
    forms: list[tuple[tuple[str, ...], Linear]] = [
        ((ended, str(number)), _bits(Column(asked.code, f"{ended}:{p}") for p in span))
        for number, span in enumerate(spans)
        for ended in ("event", "censored")
    ]
    if end < periods.numbers.stop:
        late = range(end, periods.numbers.stop)
        ends = (Column(asked.code, f"{ended}:{p}") for ended in ("event", "censored") for p in late)
        forms.append((("beyond",), _bits(ends)))
    return _exclusive(
        [
            Cell((group.label, *label), _both(cohort, group.criterion), (form,))
            for group in groups
            for label, form in forms
        ]
    )


def spans_of(asked: Survival, variable: Variable) -> tuple[range, ...]:
    """Return the periods of each interval: ``step`` of them together, up to ``horizon``; the last may be shorter."""
    periods = _periods(variable)
    step = 1 if asked.step is None else _whole(asked.step, periods, variable)
    count = periods.count if asked.horizon is None else min(_whole(asked.horizon, periods, variable), periods.count)
    return tuple(range(low, min(low + step, count)) for low in range(0, count, step))


def _whole(days: Decimal, periods: Periods, variable: Variable) -> int:
    """Return how many periods these days are; UserError ``query.not_a_period`` if that is no whole number."""
    count = int(days / periods.days)
    if count < 1 or count * periods.days != days:
        nearest = sorted({max(1, count), count + 1})
        suggestion = " · ".join(write_days(each * periods.days) for each in nearest)
        found = write_days(days)
        raise UserError("query.not_a_period", variable=variable.code, found=found, suggestion=suggestion)
    return count


# --- groups -------------------------------------------------------------------------------------------------------


def groups_of(grouping: Grouping, catalogue: Catalogue) -> list[Group]:
    """Return the groups of a variable, in the catalogue's order; raises as :func:`cells_of`."""
    variable = _require(catalogue, grouping.code, Kind.FLAG, Kind.CATEGORY, Kind.NUMBER, Kind.DATE)
    code = variable.code
    if grouping.cuts and variable.kind is not Kind.NUMBER:
        raise UserError("query.analysis_kind", variable=code, kind=variable.kind.value)
    match variable.kind:
        case Kind.FLAG:
            has = Column(code, "has")
            without = Linear(((PRESENT, 1), (has, -1)), 0, 1)
            return [Group("yes", Flag(code), _bits([has])), Group("no", Not(Flag(code)), without)]
        case Kind.CATEGORY:
            return [
                Group(level.code, Levels(code, frozenset([level.code])), _bits([Column(code, f"level:{level.code}")]))
                for level in variable.levels
            ]
        case Kind.NUMBER:
            return list(_between_numbers(variable, grouping.cuts or variable.cut_points))
        case _:
            return list(_between_dates(variable))


def _between_numbers(variable: Variable, cuts: Sequence[Decimal]) -> Iterator[Group]:
    for cut in cuts:
        if cut not in variable.cut_points:
            place = bisect_right(variable.cut_points, cut)
            suggestion = ", ".join(map(decimal_text, variable.cut_points[max(0, place - 1) : place + 1]))
            found = decimal_text(cut)
            raise UserError("query.not_a_cut_point", variable=variable.code, found=found, suggestion=suggestion)
    ends: list[Decimal | None] = [None, *cuts, None]
    for low, high in zip(ends, ends[1:], strict=False):
        texts = ["" if end is None else decimal_text(end) for end in (low, high)]
        yield Group(f"[{texts[0]},{texts[1]})", Range(variable.code, low, high), _step(variable.code, *texts))


def _between_dates(variable: Variable) -> Iterator[Group]:
    if variable.calendar is None:
        raise Bug("catalogue.no_calendar", variable=variable.code)
    starts = [None, *variable.calendar.starts(), None]
    for low, high in zip(starts, starts[1:], strict=False):
        texts = ["" if end is None else variable.calendar.text(end) for end in (low, high)]
        yield Group(f"[{texts[0]},{texts[1]})", Dates(variable.code, low, high), _step(variable.code, *texts))


def _step(code: str, low: str, high: str) -> Linear:
    """Return who has reached ``low`` and not ``high``, by the thermometer's columns; "" is no bound."""
    first = Column(code, f"ge:{low}" if low else "known")
    after = ((Column(code, f"ge:{high}"), -1),) if high else ()
    return Linear(((first, 1), *after), 0, 1)


def _unknown(groups: Sequence[Group]) -> Linear:
    """Return who is present and in none of the groups."""
    total: dict[Column, int] = {PRESENT: 1}
    for group in groups:
        for column, weight in group.form.weights:
            total[column] = total.get(column, 0) - weight
    return Linear(tuple((column, weight) for column, weight in total.items() if weight), 0, 1)


# --- columns ------------------------------------------------------------------------------------------------------


def _bits(columns: Iterator[Column] | Sequence[Column]) -> Linear:
    """Return the sum of columns that exclude one another."""
    return Linear(tuple((column, 1) for column in columns), 0, 1)


def _known(variable: Variable) -> Linear:
    return _bits([Column(variable.code, "known")])


def _digits(variable: Variable) -> list[Linear]:
    """Return the digits of v, least first; a flag's only digit is itself."""
    if variable.kind is Kind.FLAG:
        return [_bits([Column(variable.code, "has")])]
    return _places(variable, "digit", _exactly(variable).largest)


def _squares(variable: Variable) -> list[Linear]:
    return [] if variable.kind is Kind.FLAG else _places(variable, "square", _exactly(variable).largest ** 2)


def _places(variable: Variable, name: str, largest: int) -> list[Linear]:
    """Return the digits in base 32 of numbers up to ``largest``: the highest one has a smaller bound."""
    made, place = [], 0
    while (above := largest // DIGIT_BASE**place) or not place:
        made.append(Linear(((Column(variable.code, f"{name}:{place}"), 1),), 0, min(above, DIGIT_BASE - 1)))
        place += 1
    return made


def offset_of(form: Linear) -> int:
    """Return what is taken from a digit before it is multiplied by another one; a flag's is 0."""
    return (form.high + 1) // 2 if form.high > 1 else 0


def _from_middle(form: Linear) -> Linear:
    offset = offset_of(form)
    return Linear(form.weights, form.low - offset, form.high - offset, -offset)


# --- small helps --------------------------------------------------------------------------------------------------


def _exclusive(cells: Sequence[Cell]) -> Cells:
    """One part: a patient is in at most one of the cells."""
    sensitivity = max((max(-cell.bounds[0], cell.bounds[1]) for cell in cells), default=1)
    return Cells(tuple(cells), (Part(tuple(range(len(cells))), sensitivity),))


def _joined(several: Sequence[Cells]) -> Cells:
    cells: list[Cell] = []
    parts: list[Part] = []
    for each in several:
        parts += [Part(tuple(len(cells) + cell for cell in part.cells), part.sensitivity) for part in each.parts]
        cells += each.cells
    return Cells(tuple(cells), tuple(parts))


def _both(cohort: Cohort, *more: Cohort) -> Cohort:
    parts = [each for each in (cohort, *more) if each != All(())]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _require(catalogue: Catalogue, code: str, *kinds: Kind) -> Variable:
    variable = catalogue.find(code)
    if variable is None:
        raise UserError("query.no_such_variable", variable=code[:100])
    if variable.kind not in kinds:
        raise UserError("query.analysis_kind", variable=variable.code, kind=variable.kind.value)
    return variable


def _exact(catalogue: Catalogue, code: str, *kinds: Kind) -> Variable:
    variable = _require(catalogue, code, *(kinds or (Kind.NUMBER,)))
    if variable.kind is Kind.NUMBER and variable.digits is None:
        raise UserError("query.needs_exact_values", variable=variable.code)
    return variable


def _exactly(variable: Variable) -> Digits:
    if variable.digits is None:
        raise UserError("query.needs_exact_values", variable=variable.code)
    return variable.digits


def _periods(variable: Variable) -> Periods:
    if variable.periods is None:
        raise Bug("catalogue.no_periods", variable=variable.code)
    return variable.periods
