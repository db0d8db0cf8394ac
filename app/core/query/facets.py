"""Facets: what can be said of one variable as possibilities of which a patient meets exactly one.

A flag is there or not; a category has one of its levels; a number or date lies between two of its cut points; an event
has three facets: the period in which it was ``first``, the one in which it was ``last``, and how many ``times`` it
happened; of a survival variable only whether a patient was followed is asked. "No value" is a possibility of every
facet.

A set of possibilities is a bit set: bit 0 is no value (no flag, never), bit i the i-th possibility, in the order of the
facet's sealed columns. What a term says is such a set, so that all, any and not within one facet are the operations on
sets; and any set is a sum of the facet's columns, because these exclude one another or contain one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TypeAlias, cast

from app.core.catalogue.columns import Column
from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.catalogue.scales import OCCURRENCES, Calendar, Periods
from app.core.errors import Bug
from app.core.query.model import FIRST, LAST, Before, Dates, Flag, Happened, Known, Levels, Occurs, Range, Term, Within

TIMES = "times"
NO_VALUE = 1
"""The set of the one possibility that there is no value."""

Key: TypeAlias = tuple[str, str]
"""What identifies a facet: the code of its variable, and which of an event's three it is (``""`` elsewhere)."""

Bound: TypeAlias = Decimal | date


class Sort(Enum):
    """How the terms about a facet are written."""

    FLAG = "flag"
    LEVELS = "levels"
    RANGES = "ranges"
    """Intervals between bounds."""
    TIMES = "times"
    """At least so many."""
    KNOWN = "known"
    """Only whether there is a value."""


@dataclass(frozen=True, slots=True)
class Facet:
    """One facet of a variable.

    ``nested`` columns contain one another: each is the set of its possibility and all later ones. Others exclude one
    another. ``bounds`` are the ends of the intervals, one more than there are intervals; None is no end.
    """

    variable: Variable
    aspect: str
    sort: Sort
    columns: tuple[Column, ...]
    nested: bool
    bounds: tuple[Bound | None, ...] = ()

    @property
    def key(self) -> Key:
        """What identifies it."""
        return (self.variable.code, self.aspect)

    @property
    def count(self) -> int:
        """How many possibilities there are, no value among them."""
        return len(self.columns) + 1

    @property
    def every(self) -> int:
        """The set of all possibilities."""
        return (1 << self.count) - 1

    @property
    def known(self) -> int:
        """The set of all possibilities but no value."""
        return self.every & ~NO_VALUE


def key_of(term: Term) -> Key:
    """Return the facet that a term is about; a relation is about none."""
    match term:
        case Happened(which, code):
            return (code, which)
        case Occurs(code):
            return (code, TIMES)
        case Before() | Within():
            raise Bug("query.no_facet")
        case _:
            return (term.code, "")


class Facets:
    """The facets of one catalogue, each made once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._made: dict[Key, Facet] = {}

    def __getitem__(self, key: Key) -> Facet:
        """Return a facet. Raises UserError ``catalogue.unknown_variable``."""
        if key not in self._made:
            self._made[key] = _facet(self._catalogue.variable(key[0]), key[1])
        return self._made[key]

    def said(self, term: Term) -> int:
        """Return the set of possibilities that a term, which was checked against the catalogue, is about."""
        facet = self[key_of(term)]
        match term:
            case Flag() | Known():
                return facet.known
            case Levels(_, levels):
                places = (place for place, level in enumerate(facet.variable.levels) if level.code in levels)
                return sum(2 << place for place in places)
            case Occurs(_, least):
                return facet.every & ~((2 << OCCURRENCES.index(least)) - 1)
            case Range(_, low, high) | Dates(_, low, high) | Happened(_, _, low, high):
                first = 0 if low is None else _place(facet, low)
                end = facet.count - 1 if high is None else _place(facet, high)
                return (2 << end) - (2 << first) if first < end else 0
            case _:
                raise Bug("query.no_facet")


def _facet(variable: Variable, aspect: str) -> Facet:
    columns, nested = variable.criteria_columns, variable.kind in (Kind.NUMBER, Kind.DATE)
    sort, bounds = Sort.RANGES, tuple[Bound | None, ...]()
    match variable.kind:
        case Kind.FLAG:
            sort = Sort.FLAG
        case Kind.CATEGORY:
            sort = Sort.LEVELS
        case Kind.NUMBER:
            bounds = (None, *variable.cut_points, None)
        case Kind.DATE:
            bounds = (None, *calendar_of(variable).starts(), None)
        case Kind.SURVIVAL:
            sort = Sort.KNOWN
        case Kind.EVENT if aspect == TIMES:
            sort, nested, columns = Sort.TIMES, True, columns[-len(OCCURRENCES) :]
        case Kind.EVENT:
            count = periods_of(variable).count
            columns = columns[:count] if aspect == FIRST else columns[count : 2 * count]
            bounds = (None, *borders(variable)[1:-1], None)
    return Facet(variable, aspect, sort, columns, nested, bounds)


def _place(facet: Facet, bound: Bound) -> int:
    """Return before which of the facet's intervals this bound lies; the ends of an event's horizon are bounds too."""
    if facet.variable.kind is Kind.EVENT:
        return borders(facet.variable).index(cast("Decimal", bound))
    return facet.bounds.index(bound)


def borders(variable: Variable) -> list[Decimal]:
    """Return where an event's periods begin, and where the last one ends, in days."""
    periods = periods_of(variable)
    return [number * periods.days for number in range(periods.numbers.start, periods.numbers.stop + 1)]


def event_keys(code: str) -> tuple[Key, Key, Key]:
    """Return the facets of an event; that it never happened is one and the same possibility of all three."""
    return ((code, FIRST), (code, LAST), (code, TIMES))


def calendar_of(variable: Variable) -> Calendar:
    """Return the calendar of a date."""
    if variable.calendar is None:
        raise Bug("catalogue.no_calendar", variable=variable.code)
    return variable.calendar


def periods_of(variable: Variable) -> Periods:
    """Return the periods of an event or survival variable."""
    if variable.periods is None:
        raise Bug("catalogue.no_periods", variable=variable.code)
    return variable.periods


def distances(variables: tuple[Variable, Variable]) -> tuple[int, int]:
    """Return the least and the greatest of q − p over the periods p of the one and q of the other event."""
    one, other = (periods_of(variable).numbers for variable in variables)
    return other.start - (one.stop - 1), other.stop - 1 - one.start


def reach(term: Before | Within, variables: tuple[Variable, Variable]) -> range:
    """Return the differences of period numbers, second event minus first one, that a checked relation allows and the
    horizons have; an empty range is nobody."""
    days = periods_of(variables[0]).days
    low, high = distances(variables)
    match term:
        case Before(earlier, later, least, most):
            if earlier.code == later.code and earlier.which == LAST:  # the last is never before the first
                return range(0)
            low = max(low, 1, 1 if least is None else int(least / days))
            high = high if most is None else min(high, int(most / days))
        case Within(_, _, most):
            low, high = max(low, -int(most / days)), min(high, int(most / days))
    return range(low, high + 1) if low <= high else range(0)
