"""What is asked: a cohort (the criteria) and an analysis, as frozen values that hash and compare.

A patient without a value meets no term, so ``Not(Range("age", 50, None))`` includes patients of unknown age, and
``Range("age", None, 50)`` means known and below 50.

Canonical bytes: ``{format, version, analysis, cohort}``. A cohort is a list that starts with its name: ``["flag",
code]``, ``["levels", code, level…]`` (sorted), ``["range", code, low, high]`` (decimal texts or null), ``["known",
code]``, ``["not", cohort]``, ``["all", cohort…]``, ``["any", cohort…]``; in version 2 also ``["dates", code, low,
high]`` (ISO dates or null), ``["occurs", code, least]``, ``["happened", which, code, low, high]`` (days),
``["before", [which, code], [which, code], least, most]``, ``["within", [which, code], [which, code], most]``. Version 1
counts over all sites together (analysis ``"count"``); in version 2 ``analysis`` is a list
(:mod:`app.core.query.analyses`) and ``per_site`` says whether each site's numbers are told. What version 1 can say is
said in it. A request from another site carries these bytes, so :meth:`Query.from_cbor` treats them as hostile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any as Anything
from typing import ClassVar, TypeAlias

from app.core import codec
from app.core.catalogue.numbers import decimal_text, read_decimal
from app.core.catalogue.scales import OCCURRENCES
from app.core.errors import ProtocolViolation, UserError
from app.core.query import analyses
from app.core.query.analyses import Analysis, Count

FORMAT = "consilium-query"
FORMAT_VERSION = 2
FIRST, LAST = "first", "last"

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
"""Groups within groups; canonical CBOR nests no deeper than 16, and a request needs some of that itself."""
MAX_TERMS = 500


@dataclass(frozen=True, slots=True)
class Flag:
    """Patients who have the flag ``code``."""

    code: str
    depth: ClassVar[int] = 1
    size: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Levels:
    """Patients whose category ``code`` is one of ``levels`` (none: nobody)."""

    code: str
    levels: frozenset[str]
    depth: ClassVar[int] = 1
    size: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Range:
    """Patients whose number ``code`` is known and in [low, high); None is no bound on that side.

    At least one bound is there (otherwise it is :class:`Known`), and low < high: else UserError ``query.empty_range``.
    """

    code: str
    low: Decimal | None
    high: Decimal | None
    depth: ClassVar[int] = 1
    size: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check_bounds(self.code, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Known:
    """Patients who have a value of ``code``: a category, a number, a date, or follow-up for a survival."""

    code: str
    depth: ClassVar[int] = 1
    size: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Dates:
    """Patients whose date ``code`` is known and in [low, high); None is no bound on that side.

    Raises UserError ``query.empty_range`` as :class:`Range` does.
    """

    code: str
    low: date | None
    high: date | None
    depth: ClassVar[int] = 1
    size: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check_bounds(self.code, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Occurs:
    """Patients to whom the event ``code`` happened at least ``least`` times within its horizon (1, 2, 3, 5 or 10)."""

    code: str
    least: int
    depth: ClassVar[int] = 1
    size: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Happened:
    """Patients whose ``which`` ("first" or "last") event ``code`` lies in [low, high) days after the index date.

    The bounds are borders of the event's periods; None is no bound on that side. Raises UserError ``query.empty_range``
    as :class:`Range` does.
    """

    which: str
    code: str
    low: Decimal | None
    high: Decimal | None
    depth: ClassVar[int] = 1
    size: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _check_bounds(self.code, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Moment:
    """The ``which`` ("first" or "last") time at which the event ``code`` happened."""

    which: str
    code: str


@dataclass(frozen=True, slots=True)
class Before:
    """Patients to whom both happened, ``earlier`` in an earlier period than ``later``.

    The days from the beginning of the one period to that of the other are at least ``least`` and at most ``most``, if
    these are given: whole multiples of the periods' length. Raises UserError ``query.empty_range`` if least > most.
    """

    earlier: Moment
    later: Moment
    least: Decimal | None = None
    most: Decimal | None = None
    depth: ClassVar[int] = 1
    size: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.least is not None and self.most is not None and self.least > self.most:
            raise UserError("query.empty_range", variable=self.earlier.code)


@dataclass(frozen=True, slots=True)
class Within:
    """Patients to whom both happened, with at most ``most`` days from one period's beginning to the other's."""

    one: Moment
    other: Moment
    most: Decimal
    depth: ClassVar[int] = 1
    size: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Not:
    """Patients who are not in ``cohort``, those without a value included."""

    cohort: Cohort
    depth: int = field(init=False, repr=False, compare=False)
    size: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _measure(self, (self.cohort,))


@dataclass(frozen=True, slots=True)
class All:
    """Patients who are in every one of ``cohorts`` (none: everyone)."""

    cohorts: tuple[Cohort, ...]
    depth: int = field(init=False, repr=False, compare=False)
    size: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _measure(self, self.cohorts)


@dataclass(frozen=True, slots=True)
class Any:
    """Patients who are in at least one of ``cohorts`` (none: nobody)."""

    cohorts: tuple[Cohort, ...]
    depth: int = field(init=False, repr=False, compare=False)
    size: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _measure(self, self.cohorts)


@dataclass(frozen=True, slots=True)
class Saved(All):
    """A saved cohort used as a term: a group of one, the definition, under its ``name``.

    The name is for the people who wrote it: what is hashed, sent or stored is the definition alone.
    """

    name: str = ""


def saved(name: str, definition: Cohort) -> Saved:
    """Return the saved cohort ``name`` as a term."""
    return Saved((definition,), name)


def expanded(cohort: Cohort) -> Cohort:
    """Return ``cohort`` with every saved cohort in it replaced by its definition."""
    match cohort:
        case Saved((definition,)):
            return expanded(definition)
        case Not(child):
            return Not(expanded(child))
        case All(children):
            return All(tuple(map(expanded, children)))
        case Any(children):
            return Any(tuple(map(expanded, children)))
        case _:
            return cohort


Relation: TypeAlias = Before | Within
Term: TypeAlias = Flag | Levels | Range | Known | Dates | Occurs | Happened | Relation
Cohort: TypeAlias = Term | Not | All | Any


def _measure(group: Not | All | Any, children: tuple[Cohort, ...]) -> None:
    """Keep depth and size in the node: looking at them never recurses, however deep the tree is."""
    object.__setattr__(group, "depth", 1 + max((child.depth for child in children), default=0))
    object.__setattr__(group, "size", 1 + sum(child.size for child in children))


EVERYONE = All(())
NOBODY = Any(())


@dataclass(frozen=True, slots=True)
class Query:
    """A cohort, what to find out about it, and whether each site's own numbers are told (``per_site``).

    Raises UserError ``query.too_deep`` or ``query.too_many_terms``.
    """

    cohort: Cohort
    analysis: Analysis = Count()
    per_site: bool = False

    def __post_init__(self) -> None:
        check_size(self.cohort)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the variables that cohort and analysis use, sorted, each once."""
        return tuple(sorted({*codes(self.cohort), *self.analysis.codes}))

    @property
    def version(self) -> int:
        """The version of the format that it is written in: the first one that can say it."""
        first = self.analysis == Count() and not self.per_site
        return 1 if first and all(isinstance(each, _FIRST_TERMS) for each in terms(self.cohort)) else 2

    def to_cbor(self) -> bytes:
        """Return the canonical bytes."""
        plain: dict[str, Anything] = {"format": FORMAT, "version": self.version, "cohort": to_plain(self.cohort)}
        if self.version == 1:
            return codec.encode({**plain, "analysis": "count"})
        return codec.encode({**plain, "analysis": analyses.to_plain(self.analysis), "per_site": self.per_site})

    @classmethod
    def from_cbor(cls, data: bytes) -> Query:
        """Read canonical bytes that may be hostile; whether the catalogue has its variables is checked elsewhere.

        Raises ProtocolViolation: ``codec.*``, or ``query.malformed`` for what :meth:`to_cbor` cannot have made.
        """
        plain = codec.decode(data, MAX_BYTES)
        try:
            match plain:
                case {"format": "consilium-query", "version": 1, "analysis": "count", "cohort": cohort}:
                    query = cls(from_plain(cohort))
                case {
                    "format": "consilium-query",
                    "version": 2,
                    "analysis": list(analysis),
                    "cohort": cohort,
                    "per_site": bool(per_site),
                }:
                    query = cls(from_plain(cohort), analyses.from_plain(analysis), per_site)
                case _:
                    raise ProtocolViolation("query.malformed", problem="shape")
        except UserError as error:
            raise ProtocolViolation("query.malformed", problem=error.code) from error
        if query.to_cbor() != data:  # a needless version, another key, unsorted levels, a bound written another way
            raise ProtocolViolation("query.malformed", problem="codec.not_canonical")
        return query


_FIRST_TERMS = (Flag, Levels, Range, Known)
"""The terms of version 1."""


def check_size(cohort: Cohort) -> None:
    """Refuse a cohort that is nested deeper or has more parts than anyone needs. Raises UserError ``query.too_*``."""
    if cohort.depth > MAX_DEPTH:
        raise UserError("query.too_deep", depth=cohort.depth, limit=MAX_DEPTH)
    if cohort.size > MAX_TERMS:
        raise UserError("query.too_many_terms", count=cohort.size, limit=MAX_TERMS)


def terms(cohort: Cohort) -> Iterator[Term]:
    """Yield every term of the cohort, from left to right, repeated ones again."""
    match cohort:
        case Not(child):
            yield from terms(child)
        case All(children) | Any(children):
            for child in children:
                yield from terms(child)
        case _:
            yield cohort


def codes(cohort: Cohort) -> tuple[str, ...]:
    """Return the codes of the variables that the cohort uses, sorted, each once."""
    return tuple(sorted({code for term in terms(cohort) for code in codes_of(term)}))


def codes_of(term: Term) -> tuple[str, ...]:
    """Return the codes of the variables that a term is about: two for a relation, which may be the same."""
    match term:
        case Before(earlier, later):
            return (earlier.code, later.code)
        case Within(one, other):
            return (one.code, other.code)
        case _:
            return (term.code,)


def to_plain(cohort: Cohort) -> list[Anything]:  # noqa: PLR0911 - one return a kind of node
    """Return the cohort as nested lists (see the top of this module)."""
    match cohort:
        case Flag(code):
            return ["flag", code]
        case Levels(code, levels):
            return ["levels", code, *sorted(levels)]
        case Range(code, low, high):
            return ["range", code, _decimal(low), _decimal(high)]
        case Known(code):
            return ["known", code]
        case Dates(code, low, high):
            return ["dates", code, *(None if bound is None else bound.isoformat() for bound in (low, high))]
        case Occurs(code, least):
            return ["occurs", code, least]
        case Happened(which, code, low, high):
            return ["happened", which, code, _decimal(low), _decimal(high)]
        case Before(earlier, later, least, most):
            return ["before", _moment(earlier), _moment(later), _decimal(least), _decimal(most)]
        case Within(one, other, most):
            return ["within", _moment(one), _moment(other), _decimal(most)]
        case Not(child):
            return ["not", to_plain(child)]
        case All(children):
            return ["all", *map(to_plain, children)]
        case Any(children):
            return ["any", *map(to_plain, children)]


def from_plain(plain: object) -> Cohort:  # noqa: PLR0911, PLR0912 - one return a kind of node
    """Build a cohort from nested lists, which :func:`codec.decode` has kept shallow. Raises ProtocolViolation."""
    match plain:
        case ["flag", str(code)]:
            return Flag(code)
        case ["levels", str(code), *levels]:
            return Levels(code, frozenset(_text(level) for level in levels))
        case ["range", str(code), low, high]:
            return Range(code, _bound(low), _bound(high))
        case ["known", str(code)]:
            return Known(code)
        case ["dates", str(code), low, high]:
            return Dates(code, _day(low), _day(high))
        case ["occurs", str(code), int(least)] if least in OCCURRENCES and least is not True:
            return Occurs(code, least)
        case ["happened", "first" | "last" as which, str(code), low, high]:
            return Happened(which, code, _bound(low), _bound(high))
        case ["before", earlier, later, least, most]:
            return Before(_read_moment(earlier), _read_moment(later), _bound(least), _bound(most))
        case ["within", one, other, str(most)]:
            return Within(_read_moment(one), _read_moment(other), _some(_bound(most)))
        case ["not", child]:
            return Not(from_plain(child))
        case ["all", *children]:
            return All(tuple(map(from_plain, children)))
        case ["any", *children]:
            return Any(tuple(map(from_plain, children)))
        case _:
            raise ProtocolViolation("query.malformed", problem="cohort")


def _text(plain: object) -> str:
    if not isinstance(plain, str):
        raise ProtocolViolation("query.malformed", problem="level")
    return plain


def _bound(plain: object) -> Decimal | None:
    if plain is None:
        return None
    number = read_decimal(plain) if isinstance(plain, str) else None
    if number is None:
        raise ProtocolViolation("query.malformed", problem="bound")
    return number


def _some(bound: Decimal | None) -> Decimal:
    if bound is None:
        raise ProtocolViolation("query.malformed", problem="bound")
    return bound


def _day(plain: object) -> date | None:
    if plain is None:
        return None
    try:
        return date.fromisoformat(_text(plain))
    except ValueError as error:
        raise ProtocolViolation("query.malformed", problem="date") from error


def _read_moment(plain: object) -> Moment:
    match plain:
        case ["first" | "last" as which, str(code)]:
            return Moment(which, code)
        case _:
            raise ProtocolViolation("query.malformed", problem="moment")


def _moment(moment: Moment) -> list[str]:
    return [moment.which, moment.code]


def _decimal(bound: Decimal | None) -> str | None:
    return None if bound is None else decimal_text(bound)


def _check_bounds(code: str, low: Anything, high: Anything) -> None:
    """At least one bound is there, and the low one is below the high one."""
    if (low is None) if high is None else (low is not None and low >= high):
        raise UserError("query.empty_range", variable=code)
