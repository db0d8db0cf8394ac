"""Does the catalogue have what a query uses? The same answers for a typed query and for another site's request."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import NoReturn, TypeVar

from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.catalogue.numbers import decimal_text
from app.core.catalogue.scales import OCCURRENCES
from app.core.errors import UserError
from app.core.query.analyses import Survival
from app.core.query.cells import cells_of
from app.core.query.facets import borders, calendar_of, periods_of
from app.core.query.model import (
    FIRST,
    Before,
    Cohort,
    Dates,
    Flag,
    Happened,
    Known,
    Levels,
    Moment,
    Occurs,
    Query,
    Range,
    Term,
    Within,
    codes_of,
    terms,
)
from app.core.query.written import write_analysis, write_code, write_days, write_term

_Bound = TypeVar("_Bound", date, Decimal)

SHOWN = 8
"""How many levels or codes a message lists."""


def check_query(query: Query, catalogue: Catalogue) -> None:
    """Check the cohort, and that the analysis can be made of what the catalogue has.

    Raises the UserErrors of :func:`check` and of :func:`~app.core.query.cells.cells_of`, all with ``line``, ``column``
    and ``excerpt``.
    """
    check(query.cohort, catalogue)
    try:
        cells_of(query, catalogue)
    except UserError as error:
        if "excerpt" in error.params:
            raise
        excerpt = write_analysis(query.analysis)[:100]
        raise UserError(error.code, **error.params, line=1, column=1, excerpt=excerpt) from error


def check(cohort: Cohort, catalogue: Catalogue) -> None:
    """Check every term against the catalogue.

    Raises the UserErrors of :func:`check_term`, with ``line``, ``column`` and ``excerpt`` as a typed query has them.
    """
    for term in terms(cohort):
        try:
            check_term(term, catalogue)
        except UserError as error:
            excerpt = codes_of(term)[0][:100]
            raise UserError(error.code, **error.params, line=1, column=1, excerpt=excerpt) from error


def check_term(term: Term, catalogue: Catalogue) -> None:  # noqa: PLR0912 - one branch a kind of term
    """Check one term.

    Raises UserError ``query.unknown_variable``, ``.no_such_variable``, ``.<kind>_usage``, ``.unknown_level``,
    ``.not_a_cut_point``, ``.not_a_beginning`` (of a date's day, month or year), ``.not_a_count`` (of occurrences),
    ``.not_a_period``, ``.periods_differ`` or ``.same_moment`` (a time related to itself).
    """
    variable = find(codes_of(term)[0], catalogue)
    match term:
        case Flag():
            require(variable, Kind.FLAG)
        case Levels():
            require(variable, Kind.CATEGORY)
            for level in sorted(term.levels):
                _check_level(level, variable)
        case Range():
            require(variable, Kind.NUMBER)
            for bound in (term.low, term.high):
                if bound is not None:
                    _check_cut_point(bound, variable)
        case Known():
            require(variable, Kind.CATEGORY, Kind.NUMBER, Kind.DATE, Kind.SURVIVAL)
        case Dates():
            require(variable, Kind.DATE)
            for day in (term.low, term.high):
                if day is not None:
                    _check_beginning(day, variable)
        case Occurs():
            require(variable, Kind.EVENT)
            _check_occurrences(term.least, variable)
        case Happened():
            require(variable, Kind.EVENT)
            for bound in (term.low, term.high):
                if bound is not None:
                    _check_border(bound, variable)
        case Before(earlier, later, least, most):
            _check_moments(earlier, later, (least, most), catalogue)
        case Within(one, other, most):
            _check_moments(one, other, (most,), catalogue)


def find(code: str, catalogue: Catalogue) -> Variable:
    """Return the variable, or raise UserError ``query.unknown_variable`` with the codes that look like it."""
    variable = catalogue.find(code)
    if variable is None:
        similar = _similar(code, (each.code for each in catalogue))
        if similar:
            raise UserError("query.unknown_variable", variable=code[:100], suggestion=similar)
        raise UserError("query.no_such_variable", variable=code[:100])
    return variable


def require(variable: Variable, *kinds: Kind) -> None:
    """Refuse a variable of another kind, with an example of how its own kind is written."""
    if variable.kind not in kinds:
        raise UserError(f"query.{variable.kind.value}_usage", variable=variable.code, example=example(variable))


def example(variable: Variable) -> str:
    """Return terms of this variable as they are typed."""
    code = variable.code
    match variable.kind:
        case Kind.FLAG:
            return write_term(Flag(code))
        case Kind.CATEGORY:
            return write_term(Levels(code, frozenset([variable.levels[0].code])))
        case Kind.NUMBER:
            return write_term(Range(code, variable.cut_points[len(variable.cut_points) // 2], None))
        case Kind.DATE:
            calendar = calendar_of(variable)
            starts = list(calendar.starts())
            return f"{write_code(code)} >= {calendar.text(starts[len(starts) // 2])}"
        case Kind.EVENT:
            inner = borders(variable)[1:-1] or borders(variable)
            happened = Happened(FIRST, code, None, inner[len(inner) // 2])
            shown: tuple[Term, ...] = (Occurs(code, 1), Occurs(code, 2), happened)
            return " · ".join(map(write_term, shown))
        case Kind.SURVIVAL:
            return f"{write_term(Known(code))} · {write_analysis(Survival(code))}"


def nearest(number: Decimal, variable: Variable) -> list[Decimal]:
    """Return the cut points around ``number``: the last one up to it and the first one above it."""
    place = bisect_right(variable.cut_points, number)
    return list(variable.cut_points[max(0, place - 1) : place + 1])


def _check_level(level: str, variable: Variable) -> None:
    codes = [each.code for each in variable.levels]
    if level not in codes:
        listed = _similar(level, codes) or ", ".join(codes[:SHOWN]) + (", …" if len(codes) > SHOWN else "")
        raise UserError("query.unknown_level", variable=variable.code, found=level[:100], suggestion=listed)


def _check_cut_point(number: Decimal, variable: Variable) -> None:
    if number not in variable.cut_points:
        suggestion = ", ".join(map(decimal_text, nearest(number, variable)))
        found = decimal_text(number)
        raise UserError("query.not_a_cut_point", variable=variable.code, found=found, suggestion=suggestion)


def nearest_dates(day: date, variable: Variable) -> list[date]:
    """Return the beginnings around ``day``: the last one up to it and the first one above it."""
    return _around(day, list(calendar_of(variable).starts()))


def nearest_borders(days: Decimal, variable: Variable) -> list[Decimal]:
    """Return the ends of an event's periods around ``days``: the last one up to it and the first one above it."""
    return _around(days, borders(variable))


def _around(found: _Bound, ascending: Sequence[_Bound]) -> list[_Bound]:
    place = bisect_right(ascending, found)
    return list(ascending[max(0, place - 1) : place + 1])


def _check_beginning(day: date, variable: Variable) -> None:
    around = nearest_dates(day, variable)
    if day not in around:
        calendar = calendar_of(variable)
        suggestion = ", ".join(map(calendar.text, around))
        raise UserError("query.not_a_beginning", variable=variable.code, found=day.isoformat(), suggestion=suggestion)


def _check_occurrences(least: int, variable: Variable) -> None:
    if least not in OCCURRENCES:
        suggestion = ", ".join(map(str, OCCURRENCES))
        raise UserError("query.not_a_count", variable=variable.code, found=str(least), suggestion=suggestion)


def _check_border(days: Decimal, variable: Variable) -> None:
    around = nearest_borders(days, variable)
    if days not in around:
        _refuse_days(days, around, variable)


def _check_moments(one: Moment, other: Moment, bounds: Iterable[Decimal | None], catalogue: Catalogue) -> None:
    if one == other:
        raise UserError("query.same_moment", variable=one.code, which=one.which)
    variables = [find(moment.code, catalogue) for moment in (one, other)]
    for variable in variables:
        require(variable, Kind.EVENT)
    first, second = (periods_of(variable).days for variable in variables)
    if first != second:
        raise UserError(
            "query.periods_differ",
            variable=one.code, days=decimal_text(first), other=other.code, other_days=decimal_text(second),
        )  # fmt: skip
    for bound in bounds:
        if bound is not None and (count := int(bound / first)) * first != bound:
            around = [count * first, (count + 1) * first] if bound > 0 else [(count - 1) * first, count * first]
            _refuse_days(bound, [each for each in around if each >= 0] or [Decimal(0)], variables[0])


def _refuse_days(days: Decimal, around: Iterable[Decimal], variable: Variable) -> NoReturn:
    suggestion = " · ".join(map(write_days, around))
    raise UserError("query.not_a_period", variable=variable.code, found=write_days(days), suggestion=suggestion)


def _similar(word: str, codes: Iterable[str]) -> str:
    """Return the codes that look like ``word`` whatever its capitals, best first, or an empty text."""
    by_folded = {code.casefold(): code for code in codes}
    return ", ".join(by_folded[match] for match in get_close_matches(word[:100].casefold(), by_folded, n=3))
