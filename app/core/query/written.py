"""From a query to its text form: the words and signs of the language, and minimal parentheses.

``not`` binds tightest, then ``and``, then ``or``. Parentheses that keep a group apart are part of the text, so
``(a and b) and c`` and ``a and b and c`` are two cohorts (with one canonical form). Groups of none or one, which nobody
types, are ``everyone``, ``nobody``, ``all(a)`` and ``any(a)``. Times are written in the largest unit in which they are
whole. A count is its cohort alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Context, Decimal

from app.core.catalogue.model import Catalogue
from app.core.catalogue.numbers import decimal_text
from app.core.query.analyses import (
    NAMES,
    Analysis,
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
from app.core.query.model import (
    EVERYONE,
    All,
    Any,
    Before,
    Cohort,
    Dates,
    Flag,
    Happened,
    Levels,
    Moment,
    Not,
    Occurs,
    Query,
    Range,
    Saved,
    Term,
    Within,
    codes_of,
)

KEYWORDS = ("and", "or", "not", "in", "known", "all", "any", "everyone", "nobody")
"""Words of the language, in any mix of capitals; a code that is one of them is quoted."""

OTHER_WORDS = (
    *("first", "last", "before", "after", "within", "by", "at", "least", "most", "of", "occurs", "time", "times"),
    *("day", "days", "week", "weeks", "month", "months", "year", "years"),
    *("where", "on", "over", "steps", "x", *NAMES),
)
"""Words that mean something in some places only: a code that is one of them is quoted there."""

UNITS = {"year": Decimal("365.25"), "month": Decimal("30.4375"), "week": Decimal(7), "day": Decimal(1)}
"""Days in a unit of time, the largest unit first."""

LETTERS = "A-Za-z0-9_.:/+*-"
"""What a bare code is made of, as a regular expression's set; it starts with a letter."""

_BARE_CODE = re.compile(rf"(?!(?:{'|'.join(KEYWORDS)})$)[A-Za-z][{LETTERS}]*", re.IGNORECASE)
_BARE_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_EXACT = Context(prec=80)


def write_query(query: Query, catalogue: Catalogue | None = None) -> str:
    """Return the text form of a query; that each site's numbers are told is no part of it."""
    if isinstance(query.analysis, Count):
        return write(query.cohort, catalogue)
    named = write_analysis(query.analysis)
    if query.cohort == EVERYONE and query.analysis.codes:
        return named
    return f"{named} where {write(query.cohort, catalogue)}"


def write_analysis(analysis: Analysis) -> str:  # noqa: PLR0911 - one return a kind of analysis
    """Return the text form of an analysis, without its cohort."""
    name = analysis.name
    match analysis:
        case Breakdown(code) | Histogram(code):
            return f"{name} {_name(code)}"
        case Table(rows, columns):
            return f"{name} {_grouping(rows)} x {_grouping(columns)}"
        case Summary(variables) | Correlate(variables):
            return f"{name} {', '.join(map(_name, variables))}"
        case Compare(code, by):
            return f"{name} {_name(code)} by {_grouping(by)}"
        case Regress(outcome, predictors):
            return f"{name} {_name(outcome)} on {', '.join(map(_name, predictors))}"
        case Survival(code, by, horizon, step):
            groups = "" if by is None else f" by {_grouping(by)}"
            over = "" if horizon is None else f" over {write_days(horizon)}"
            return f"{name} {_name(code)}{groups}{over}" + ("" if step is None else f" in steps of {write_days(step)}")
        case _:
            return name


def write(cohort: Cohort, catalogue: Catalogue | None = None) -> str:  # noqa: PLR0911 - one return a kind of node
    """Return the text form; levels in the order of the catalogue, or sorted if there is none."""
    match cohort:
        case Saved():
            return f'cohort:"{cohort.name}"'
        case Not(child):
            return f"not {_grouped(child, (All, Any), catalogue)}"
        case All(children) if len(children) > 1:
            return " and ".join(_grouped(child, (All, Any), catalogue) for child in children)
        case Any(children) if len(children) > 1:
            return " or ".join(_grouped(child, (Any,), catalogue) for child in children)
        case All(children):
            return f"all({write(children[0], catalogue)})" if children else "everyone"
        case Any(children):
            return f"any({write(children[0], catalogue)})" if children else "nobody"
        case _:
            return write_term(cohort, catalogue)


def write_term(term: Term, catalogue: Catalogue | None = None) -> str:  # noqa: PLR0911 - one return a kind of term
    """Return the text form of one term."""
    name = write_code(codes_of(term)[0])
    match term:
        case Flag():
            return name
        case Levels(_, levels):
            written = [write_code(level, number=True) for level in _ordered(term, catalogue)]
            return f"{name} = {written[0]}" if len(levels) == 1 else f"{name} in {{{', '.join(written)}}}"
        case Range(_, low, high):
            return _between(name, *(None if bound is None else decimal_text(bound) for bound in (low, high)))
        case Dates(code, low, high):
            return _between(name, *(None if day is None else _date(day, code, catalogue) for day in (low, high)))
        case Occurs(_, 1):
            return f"{name} occurs"
        case Occurs(_, least):
            return f"{name} at least {least} times"
        case Happened(which, code, low, high):
            return _in_time(_moment(Moment(which, code)), low, high)
        case Before(earlier, later, least, most):
            bounds = [("at least", least), ("at most", most)]
            by = " and ".join(f"{word} {write_days(bound)}" for word, bound in bounds if bound is not None)
            return f"{_moment(earlier)} before {_moment(later)}" + (f" by {by}" if by else "")
        case Within(one, other, most):
            return f"{_moment(one)} within {write_days(most)} of {_moment(other)}"
        case _:
            return f"{name} known"


def write_days(days: Decimal) -> str:
    """Return a number of days in the largest unit in which it is whole."""
    unit = unit_of([days])
    count = _EXACT.divide(days, UNITS[unit])
    return f"{decimal_text(count)} {unit}" + ("" if abs(count) == 1 else "s")


def unit_of(several: Sequence[Decimal]) -> str:
    """Return the largest unit in which all of these days are whole; nothing is no year."""
    whole = (
        unit for unit, days in UNITS.items() if any(several) and not any(_EXACT.remainder(x, days) for x in several)
    )
    return next(whole, "day")


def _in_time(name: str, low: Decimal | None, high: Decimal | None) -> str:
    if low is None or high is None:
        return _between(name, *(None if bound is None else write_days(bound) for bound in (low, high)))
    unit = unit_of([low, high])
    bounds = (decimal_text(_EXACT.divide(bound, UNITS[unit])) for bound in (low, high))
    return f"{_between(name, *bounds)} {unit}s"


def _between(name: str, low: str | None, high: str | None) -> str:
    if low is not None and high is not None:
        return f"{name} in [{low}, {high})"
    return f"{name} >= {low}" if high is None else f"{name} < {high}"


def _date(day: date, code: str, catalogue: Catalogue | None) -> str:
    """Return a date as its calendar writes beginnings; a month by itself where there is no such calendar."""
    variable = None if catalogue is None else catalogue.find(code)
    calendar = None if variable is None else variable.calendar
    if calendar is not None and calendar.start_of(day) == day:
        return calendar.text(day)
    return day.isoformat()[: 7 if day.day == 1 else 10]


def _moment(moment: Moment) -> str:
    return f"{moment.which} {_name(moment.code)}"


def _grouping(grouping: Grouping) -> str:
    cuts = ", ".join(map(decimal_text, grouping.cuts))
    return f"{_name(grouping.code)} at {cuts}" if cuts else _name(grouping.code)


def _name(code: str) -> str:
    """Write a code where the words that mean something in some places only could be meant."""
    return f'"{code}"' if code.casefold() in OTHER_WORDS else write_code(code)


def _ordered(term: Levels, catalogue: Catalogue | None) -> list[str]:
    variable = catalogue.find(term.code) if catalogue is not None else None
    places = {level.code: place for place, level in enumerate(variable.levels)} if variable is not None else {}
    return sorted(term.levels, key=lambda level: (places.get(level, len(places)), level))


def _grouped(child: Cohort, looser: tuple[type[All] | type[Any], ...], catalogue: Catalogue | None) -> str:
    """Write a part of a group, in parentheses if it is itself a written-out group that binds no tighter."""
    written = write(child, catalogue)
    return f"({written})" if isinstance(child, looser) and len(child.cohorts) > 1 else written


def write_code(code: str, number: bool = False) -> str:
    """Return a code as it is typed, in quotes if it is no plain word; a level's may also be a plain ``number``."""
    bare = _BARE_CODE.fullmatch(code) or (number and _BARE_NUMBER.fullmatch(code))
    return code if bare else f'"{code}"'
