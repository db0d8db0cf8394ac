"""A cohort as sets of possibilities and groups of them, simplified: the steps 1 to 4 of
:mod:`app.core.query.canonical`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from app.core.catalogue.model import Catalogue
from app.core.query.facets import NO_VALUE, Facets, Key, Sort, distances, event_keys, key_of, periods_of, reach
from app.core.query.model import NOBODY, All, Any, Before, Cohort, Not, Occurs, Within

About: TypeAlias = Key | Before | Within
"""What a set is about: a facet, or a relation, which is a facet of its own."""


@dataclass(frozen=True, slots=True)
class Set:
    """The patients for whom a facet is one of some possibilities."""

    of: About
    mask: int


@dataclass(frozen=True, slots=True)
class Group:
    """All (``every``) or any of the children."""

    every: bool
    children: frozenset[Node]


Node: TypeAlias = Set | Group
_Given: TypeAlias = Mapping[About, int]
_EVERYONE, _NOBODY = Group(True, frozenset()), Group(False, frozenset())
HOLDS = 0b10


class Possibilities:
    """Simplifies cohorts over one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._facets = Facets(catalogue)

    def of(self, cohort: Cohort) -> Node:
        """Return the simplest node that means the same as a cohort that was checked against the catalogue."""
        return self._simplified(self._without_not(cohort, True), {})

    def _full(self, of: About) -> int:
        return self._facets[of].every if isinstance(of, tuple) else HOLDS | NO_VALUE

    def _without_not(self, cohort: Cohort, positive: bool) -> Node:
        """Return the cohort, or everybody else if not ``positive``, as sets and groups only."""
        match cohort:
            case Not(child):
                return self._without_not(child, not positive)
            case All(children) | Any(children):
                every = isinstance(cohort, All) == positive
                return Group(every, frozenset(self._without_not(child, positive) for child in children))
            case Before() | Within():
                clamped = self._clamped(cohort)
                if isinstance(clamped, Before | Within):
                    return Set(clamped, HOLDS if positive else NO_VALUE)
                return self._without_not(clamped, positive)
            case _:
                key = key_of(cohort)
                mask = self._facets.said(cohort)
                return Set(key, mask if positive else self._full(key) & ~mask)

    def _clamped(self, term: Before | Within) -> Cohort:
        """Return the one way to write a relation: no bound that the horizons imply; ``nobody`` if it cannot hold."""
        one, other = (term.earlier, term.later) if isinstance(term, Before) else (term.one, term.other)
        variables = (self._catalogue.variable(one.code), self._catalogue.variable(other.code))
        days, allowed = periods_of(variables[0]).days, reach(term, variables)
        low, high = distances(variables)
        if not allowed:
            return NOBODY
        if isinstance(term, Before):
            least = None if allowed.start == max(low, 1) else allowed.start * days
            return Before(one, other, least, None if allowed.stop - 1 == high else (allowed.stop - 1) * days)
        farthest = max(abs(low), abs(high))
        if one.code == other.code and int(term.most / days) >= farthest:
            return Occurs(one.code, 1)
        first, second = sorted((one, other), key=lambda moment: (moment.code, moment.which))
        return Within(first, second, min(int(term.most / days), farthest) * days)

    # --- simplifying

    def _simplified(self, node: Node, given: _Given) -> Node:
        """Return a node that means the same wherever each facet of ``given`` is one of those possibilities."""
        if isinstance(node, Set):
            node = Group(True, frozenset([node]))
        neutral, absorbing = (_EVERYONE, _NOBODY) if node.every else (_NOBODY, _EVERYONE)
        children: Iterable[Node] = node.children
        while True:
            sets, groups = _merged(children, node.every)
            self._share_never(sets, node.every, given)
            inner, simple = dict(given), set[Node]()
            for of, mask in sets.items():
                simple.add(self._narrowed(Set(of, mask), given))
                self._learn(inner, of, mask if node.every else ~mask)
            if absorbing in simple:
                return absorbing
            inside = {self._simplified(group, inner) for group in groups}
            if absorbing in inside:
                return absorbing
            children = frozenset((simple | inside) - {neutral})
            if all(isinstance(each, Group) and each.every != node.every for each in inside):
                break
        return next(iter(children)) if len(children) == 1 else Group(node.every, children)

    def _learn(self, given: dict[About, int], of: About, mask: int) -> None:
        """Add to what is given that a facet is one of these possibilities; that an event never happened, or did, goes
        for all of its facets."""
        given[of] = given.get(of, self._full(of)) & mask
        if isinstance(of, tuple) and of[1]:
            for other in event_keys(of[0]):
                possible = given.get(other, self._full(other))
                if not given[of] & NO_VALUE:
                    possible &= ~NO_VALUE
                elif given[of] == NO_VALUE:
                    possible &= NO_VALUE
                given[other] = possible

    def _share_never(self, sets: dict[About, int], every: bool, given: _Given) -> None:
        """Let the sets of one event in a group agree on whether it may never have happened, and say nothing twice."""
        for code in {of[0] for of in sets if isinstance(of, tuple) and of[1]}:
            *moments, times = event_keys(code)
            for key in moments:  # what only says whether it happened is said of the times
                possible = given.get(key, self._full(key))
                if key in sets and sets[key] & possible in (possible & ~NO_VALUE, NO_VALUE) and possible & NO_VALUE:
                    happened = self._full(times) & ~NO_VALUE if sets.pop(key) & possible != NO_VALUE else NO_VALUE
                    before = sets.get(times, happened)
                    sets[times] = before & happened if every else before | happened
            found = [key for key in (*moments, times) if key in sets]
            never = [bool(sets[key] & NO_VALUE) for key in found]
            shared = all(never) if every else any(never)
            for key in found:
                sets[key] = sets[key] | NO_VALUE if shared else sets[key] & ~NO_VALUE
            if len(found) > 1 and times in sets:
                possible, happened = given.get(times, self._full(times)), sets[times] & ~NO_VALUE
                unless = 0 if every else ~NO_VALUE
                if not (happened ^ unless) & possible & ~NO_VALUE:  # that it (never) happened decides alone
                    for key in moments:
                        sets.pop(key, None)
                elif not (happened ^ ~unless) & possible & ~NO_VALUE and shared != every:  # the others say it as well
                    del sets[times]

    def _narrowed(self, node: Set, given: _Given) -> Node:
        """Return the simplest set that is the same as ``node`` within what is given.

        What lies outside the given is free. A set of ranges takes in the gaps between its ranges that are free, or,
        where it has "no value", leaves out those between the ranges that it lacks: fewer ranges, and one form for all
        equals. Of times, what is free goes with what is below it.
        """
        full = self._full(node.of)
        possible = given.get(node.of, full)
        inside = node.mask & possible
        if inside in (0, possible):
            return _EVERYONE if inside else _NOBODY
        sort = self._facets[node.of].sort if isinstance(node.of, tuple) else Sort.FLAG
        if sort is Sort.TIMES:
            return Set(node.of, _filled_from_below(inside, possible, full))
        if inside & NO_VALUE:
            return Set(node.of, full & ~_gaps_filled(possible & ~inside, possible, sort))
        return Set(node.of, _gaps_filled(inside, possible, sort))


def _merged(children: Iterable[Node], every: bool) -> tuple[dict[About, int], list[Group]]:
    """Return one set of possibilities a facet, and the groups of the other sort; own sorts are flattened."""
    sets: dict[About, int] = {}
    groups: list[Group] = []
    waiting = list(children)
    while waiting:
        match waiting.pop():
            case Set(of, mask):
                before = sets.get(of, mask)
                sets[of] = before & mask if every else before | mask
            case Group() as group if group.every == every:
                waiting.extend(group.children)
            case Group() as group:
                groups.append(group)
    return sets, groups


def _gaps_filled(mask: int, possible: int, sort: Sort) -> int:
    """Return ``mask`` with each gap between its ranges that lies wholly outside ``possible``."""
    if sort is Sort.RANGES:
        ranges = runs(mask)
        for (_, end), (first, _) in zip(ranges, ranges[1:], strict=False):
            gap = (1 << first) - (1 << end)
            if not gap & possible:
                mask |= gap
    return mask


def _filled_from_below(inside: int, possible: int, full: int) -> int:
    """Return ``inside`` with what is not possible added where the next possibility below it is inside; the lowest of
    all where the next one above it is."""
    lowest = possible & -possible
    within, filled = bool(inside & lowest), 0
    for bit in range(full.bit_length()):
        if possible >> bit & 1:
            within = bool(inside >> bit & 1)
        filled |= within << bit
    return filled


def runs(mask: int) -> list[tuple[int, int]]:
    """Return [first, end) of each run of ones, from the lowest."""
    runs = []
    while mask:
        first = (mask & -mask).bit_length() - 1
        length = ((mask >> first) + 1 & ~(mask >> first)).bit_length() - 1
        runs.append((first, first + length))
        mask &= ~((1 << first + length) - (1 << first))
    return runs
