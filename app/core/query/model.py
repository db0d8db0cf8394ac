"""What is asked: a cohort (the criteria) and an analysis, as frozen values that hash and compare.

A patient without a value meets no term, so ``Not(Range("age", 50, None))`` includes patients of unknown age, and
``Range("age", None, 50)`` means known and below 50.

Canonical bytes: ``{format, version, analysis, cohort}``. A cohort is a list that starts with its name: ``["flag",
code]``, ``["levels", code, level…]`` (sorted), ``["range", code, low, high]`` (decimal texts or null), ``["known",
code]``, ``["not", cohort]``, ``["all", cohort…]``, ``["any", cohort…]``. A request from another site carries them, so
:meth:`Query.from_cbor` treats them as hostile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any as Anything
from typing import ClassVar, TypeAlias

from app.core import codec
from app.core.catalogue.numbers import decimal_text, read_decimal
from app.core.errors import ProtocolViolation, UserError

FORMAT = "consilium-query"
FORMAT_VERSION = 1
COUNT = "count"
ANALYSES = (COUNT,)

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
        if (self.low is None) if self.high is None else (self.low is not None and self.low >= self.high):
            raise UserError("query.empty_range", variable=self.code)


@dataclass(frozen=True, slots=True)
class Known:
    """Patients who have a value of ``code``, a category or a number."""

    code: str
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


Term: TypeAlias = Flag | Levels | Range | Known
Cohort: TypeAlias = Term | Not | All | Any


def _measure(group: Not | All | Any, children: tuple[Cohort, ...]) -> None:
    """Keep depth and size in the node: looking at them never recurses, however deep the tree is."""
    object.__setattr__(group, "depth", 1 + max((child.depth for child in children), default=0))
    object.__setattr__(group, "size", 1 + sum(child.size for child in children))


EVERYONE = All(())
NOBODY = Any(())


@dataclass(frozen=True, slots=True)
class Query:
    """A cohort and what to find out about it. Raises UserError ``query.too_deep`` or ``query.too_many_terms``."""

    cohort: Cohort
    analysis: str = COUNT

    def __post_init__(self) -> None:
        check_size(self.cohort)
        if self.analysis not in ANALYSES:
            raise UserError("query.unknown_analysis", analysis=self.analysis[:100])

    def to_cbor(self) -> bytes:
        """Return the canonical bytes."""
        plain = {"analysis": self.analysis, "cohort": to_plain(self.cohort)}
        return codec.encode({"format": FORMAT, "version": FORMAT_VERSION, **plain})

    @classmethod
    def from_cbor(cls, data: bytes) -> Query:
        """Read canonical bytes that may be hostile; whether the catalogue has its variables is checked elsewhere.

        Raises ProtocolViolation: ``codec.*``, or ``query.malformed`` for what :meth:`to_cbor` cannot have made.
        """
        plain = codec.decode(data, MAX_BYTES)
        try:
            match plain:
                case {"format": "consilium-query", "version": int(), "analysis": str(analysis), "cohort": cohort}:
                    query = cls(from_plain(cohort), analysis)
                case _:
                    raise ProtocolViolation("query.malformed", problem="shape")
        except UserError as error:
            raise ProtocolViolation("query.malformed", problem=error.code) from error
        if query.to_cbor() != data:  # another version or key, unsorted levels, a bound written another way
            raise ProtocolViolation("query.malformed", problem="codec.not_canonical")
        return query


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
    return tuple(sorted({term.code for term in terms(cohort)}))


def to_plain(cohort: Cohort) -> list[Anything]:  # noqa: PLR0911 - one return a kind of node
    """Return the cohort as nested lists (see the top of this module)."""
    match cohort:
        case Flag(code):
            return ["flag", code]
        case Levels(code, levels):
            return ["levels", code, *sorted(levels)]
        case Range(code, low, high):
            return ["range", code, *(None if bound is None else decimal_text(bound) for bound in (low, high))]
        case Known(code):
            return ["known", code]
        case Not(child):
            return ["not", to_plain(child)]
        case All(children):
            return ["all", *map(to_plain, children)]
        case Any(children):
            return ["any", *map(to_plain, children)]


def from_plain(plain: object) -> Cohort:  # noqa: PLR0911 - one return a kind of node
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
