"""The canonical form: differently written equal questions become the same, so that the same noise answers them.

What a term says of one variable is a set of *possibilities*: a flag is there or not; a category has one of its levels
or no value; a number lies in one of the ranges between its cut points or has no value. ``not`` is the complement of
such a set, "no value" included, ``all`` of sets is their intersection and ``any`` their union, so everything that is
said of one variable in one group becomes one set, exactly.

1. ``not`` is pushed down to the sets (De Morgan), which takes double negations away.
2. A group within a group of its own sort is flattened; its sets of the same variable are merged; what is said twice,
   always true or never true goes away; a group of one is its child.
3. Within ``all``, the groups inside are simplified knowing what the sets beside them say (in ``a and (a or b)`` the
   second part is always true); within ``any``, knowing that those beside them do not hold.
4. Sets are written as terms again, and the parts of a group sorted by their canonical bytes.

Not every equality is found: distributing (``a and b or a and c``) is not undone. Such a pair counts as two questions,
and the second is charged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from app.core import codec
from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.query.check import check
from app.core.query.model import All, Any, Cohort, Flag, Known, Levels, Not, Query, Range, Term, codes, to_plain


def canonical(cohort: Cohort, catalogue: Catalogue) -> Cohort:
    """Return the canonical form: the same patients whatever their data, never nested deeper than ``cohort``.

    Raises the UserErrors of :func:`check`.
    """
    check(cohort, catalogue)
    node = _simplified(_without_not(cohort, True, catalogue), {}, catalogue)
    written = _written(node, False, catalogue)
    return written[0] if len(written) == 1 else Any(tuple(written))


def query_hash(query: Query, catalogue: Catalogue) -> bytes:
    """Return 32 bytes that equal questions share: SHA-256 of analysis, canonical cohort and its variables' meanings."""
    cohort = canonical(query.cohort, catalogue)
    meanings = [catalogue.meaning(code) for code in codes(cohort)]
    return codec.digest(["consilium-canonical-query", 1, query.analysis, to_plain(cohort), meanings])


@dataclass(frozen=True, slots=True)
class _Set:
    """The patients for whom a variable is one of some possibilities.

    Bit i of ``mask`` is the i-th known possibility (the flag itself; a level; a range between cut points, from the
    lowest); the highest bit of all is "no value".
    """

    code: str
    mask: int


@dataclass(frozen=True, slots=True)
class _Group:
    """All (``every``) or any of the children."""

    every: bool
    children: frozenset[_Node]


_Node: TypeAlias = _Set | _Group
_EVERYONE, _NOBODY = _Group(True, frozenset()), _Group(False, frozenset())


def _known_count(variable: Variable) -> int:
    return {Kind.FLAG: 1, Kind.CATEGORY: len(variable.levels), Kind.NUMBER: len(variable.cut_points) + 1}[variable.kind]


def _full(variable: Variable) -> int:
    return (2 << _known_count(variable)) - 1


def _without_not(cohort: Cohort, positive: bool, catalogue: Catalogue) -> _Node:
    """Return the cohort, or everybody else if not ``positive``, as sets and groups only."""
    match cohort:
        case Not(child):
            return _without_not(child, not positive, catalogue)
        case All(children) | Any(children):
            every = isinstance(cohort, All) == positive
            return _Group(every, frozenset(_without_not(child, positive, catalogue) for child in children))
        case _:
            variable = catalogue.variable(cohort.code)
            mask = _mask(cohort, variable)
            return _Set(cohort.code, mask if positive else _full(variable) & ~mask)


def _mask(term: Term, variable: Variable) -> int:
    match term:
        case Flag():
            return 1
        case Levels():
            return sum(1 << place for place, level in enumerate(variable.levels) if level.code in term.levels)
        case Range():
            cuts = variable.cut_points
            first = 0 if term.low is None else cuts.index(term.low) + 1
            end = len(cuts) + 1 if term.high is None else cuts.index(term.high) + 1
            return (1 << end) - (1 << first)
        case Known():
            return (1 << _known_count(variable)) - 1


def _simplified(node: _Node, given: Mapping[str, int], catalogue: Catalogue) -> _Node:
    """Return a node that means the same wherever each variable of ``given`` is one of those possibilities."""
    if isinstance(node, _Set):
        return _narrowed(node, given, catalogue.variable(node.code))
    neutral, absorbing = (_EVERYONE, _NOBODY) if node.every else (_NOBODY, _EVERYONE)
    children: Iterable[_Node] = node.children
    while True:
        sets, groups = _merged(children, node.every)
        inner, simple = dict(given), set[_Node]()
        for code, mask in sets.items():
            variable = catalogue.variable(code)
            simple.add(_narrowed(_Set(code, mask), given, variable))
            inner[code] = given.get(code, _full(variable)) & (mask if node.every else ~mask)
        if absorbing in simple:
            return absorbing
        inside = {_simplified(group, inner, catalogue) for group in groups}
        if absorbing in inside:
            return absorbing
        children = frozenset((simple | inside) - {neutral})
        if all(isinstance(each, _Group) and each.every != node.every for each in inside):
            break
    return next(iter(children)) if len(children) == 1 else _Group(node.every, children)


def _merged(children: Iterable[_Node], every: bool) -> tuple[dict[str, int], list[_Group]]:
    """Return one set of possibilities a variable, and the groups of the other sort; own sorts are flattened."""
    sets: dict[str, int] = {}
    groups: list[_Group] = []
    waiting = list(children)
    while waiting:
        match waiting.pop():
            case _Set(code, mask):
                before = sets.get(code, mask)
                sets[code] = before & mask if every else before | mask
            case _Group() as group if group.every == every:
                waiting.extend(group.children)
            case _Group() as group:
                groups.append(group)
    return sets, groups


def _narrowed(node: _Set, given: Mapping[str, int], variable: Variable) -> _Node:
    """Return the simplest set that is the same as ``node`` within what is given.

    What lies outside the given is free. A number's set takes in the gaps between its ranges that are free, or, where
    it has "no value", leaves out those between the ranges that it lacks: fewer ranges, and one form for all equals.
    """
    full = _full(variable)
    possible = given.get(node.code, full)
    inside = node.mask & possible
    if inside in (0, possible):
        return _EVERYONE if inside else _NOBODY
    no_value = (full + 1) >> 1
    if inside & no_value:
        return _Set(node.code, full & ~_gaps_filled(possible & ~inside, possible, variable))
    return _Set(node.code, _gaps_filled(inside, possible, variable))


def _gaps_filled(mask: int, possible: int, variable: Variable) -> int:
    """Return ``mask`` with each gap between its ranges that lies wholly outside ``possible``."""
    if variable.kind is Kind.NUMBER:
        ranges = _runs(mask)
        for (_, end), (first, _) in zip(ranges, ranges[1:], strict=False):
            gap = (1 << first) - (1 << end)
            if not gap & possible:
                mask |= gap
    return mask


def _runs(mask: int) -> list[tuple[int, int]]:
    """Return [first, end) of each run of ones, from the lowest."""
    runs = []
    while mask:
        first = (mask & -mask).bit_length() - 1
        length = ((mask >> first) + 1 & ~(mask >> first)).bit_length() - 1
        runs.append((first, first + length))
        mask &= ~((1 << first + length) - (1 << first))
    return runs


def _written(node: _Node, every: bool, catalogue: Catalogue) -> list[Cohort]:
    """Return the cohorts that say this as parts of an ``all`` (``every``) or an ``any``."""
    if isinstance(node, _Set):
        return _written_set(node.mask, every, catalogue.variable(node.code))
    parts = [part for child in node.children for part in _written(child, node.every, catalogue)]
    parts.sort(key=_bytes)
    return [All(tuple(parts)) if node.every else Any(tuple(parts))]


def _written_set(mask: int, every: bool, variable: Variable) -> list[Cohort]:
    """Return the terms that say this: several ranges are separate parts where the group allows it."""
    full = _full(variable)
    no_value = (full + 1) >> 1
    if not mask & no_value:
        return _written_known(mask, every, variable)
    lacking = full & ~mask
    if every or len(_runs(lacking)) == 1 or variable.kind is not Kind.NUMBER:
        return [Not(each) for each in _written_known(lacking, False, variable)]
    return [Not(Known(variable.code)), *_written_known(mask & ~no_value, False, variable)]


def _written_known(mask: int, every: bool, variable: Variable) -> list[Cohort]:
    code = variable.code
    if variable.kind is Kind.FLAG:
        return [Flag(code)]
    if mask == (1 << _known_count(variable)) - 1:
        return [Known(code)]
    if variable.kind is Kind.CATEGORY:
        return [Levels(code, frozenset(each.code for place, each in enumerate(variable.levels) if mask >> place & 1))]
    bounds: list[Decimal | None] = [None, *variable.cut_points, None]
    ranges: list[Cohort] = [Range(code, bounds[first], bounds[end]) for first, end in _runs(mask)]
    return [Any(tuple(sorted(ranges, key=_bytes)))] if every and len(ranges) > 1 else ranges


def _bytes(cohort: Cohort) -> bytes:
    return codec.encode(to_plain(cohort))
