"""Sets of possibilities written as terms again: the last step of :mod:`app.core.query.canonical`."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import cast

from app.core import codec
from app.core.catalogue.model import Catalogue, Kind
from app.core.catalogue.scales import OCCURRENCES
from app.core.query.facets import NO_VALUE, Facets, Key, Sort
from app.core.query.model import (
    All,
    Any,
    Cohort,
    Dates,
    Flag,
    Happened,
    Known,
    Levels,
    Not,
    Occurs,
    Range,
    to_plain,
)
from app.core.query.possibilities import HOLDS, Node, Set, runs


class Restated:
    """Writes sets over one catalogue as cohorts."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._facets = Facets(catalogue)

    def cohort(self, node: Node) -> Cohort:
        """Return the cohort that says this."""
        written = self._written(node, False)
        return written[0] if len(written) == 1 else Any(tuple(written))

    def _written(self, node: Node, every: bool) -> list[Cohort]:
        """Return the cohorts that say this as parts of an ``all`` (``every``) or an ``any``."""
        if isinstance(node, Set):
            if not isinstance(node.of, tuple):
                return [node.of if node.mask == HOLDS else Not(node.of)]
            if self._facets[node.of].sort is Sort.TIMES:
                return _written_times(node.of[0], node.mask, every)
            return self._written_set(node.of, node.mask, every)
        parts = [part for child in node.children for part in self._written(child, node.every)]
        parts.sort(key=_bytes)
        return [All(tuple(parts)) if node.every else Any(tuple(parts))]

    def _written_set(self, key: Key, mask: int, every: bool) -> list[Cohort]:
        """Return the terms that say this: several ranges are separate parts where the group allows it."""
        if not mask & NO_VALUE:
            return self._written_known(key, mask, every)
        facet = self._facets[key]
        lacking = facet.every & ~mask
        if every or len(runs(lacking)) == 1 or facet.sort is not Sort.RANGES:
            return [Not(each) for each in self._written_known(key, lacking, False)]
        known = Occurs(key[0], 1) if facet.variable.kind is Kind.EVENT else Known(key[0])
        return [Not(known), *self._written_known(key, mask & ~NO_VALUE, False)]

    def _written_known(self, key: Key, mask: int, every: bool) -> list[Cohort]:
        facet, code = self._facets[key], key[0]
        if facet.sort is Sort.FLAG:
            return [Flag(code)]
        if mask == facet.known:
            return [Known(code)]
        if facet.sort is Sort.LEVELS:
            levels = facet.variable.levels
            return [Levels(code, frozenset(each.code for place, each in enumerate(levels) if mask >> place + 1 & 1))]
        ranges = [self._range(key, first - 1, end - 1) for first, end in runs(mask)]
        return [Any(tuple(sorted(ranges, key=_bytes)))] if every and len(ranges) > 1 else ranges

    def _range(self, key: Key, first: int, end: int) -> Cohort:
        facet, (code, aspect) = self._facets[key], key
        low, high = facet.bounds[first], facet.bounds[end]
        match facet.variable.kind:
            case Kind.NUMBER:
                return Range(code, cast("Decimal | None", low), cast("Decimal | None", high))
            case Kind.DATE:
                return Dates(code, cast("date | None", low), cast("date | None", high))
            case _:
                return Happened(aspect, code, cast("Decimal | None", low), cast("Decimal | None", high))


def _written_times(code: str, mask: int, every: bool) -> list[Cohort]:
    """Return how often an event happened as parts of an ``all`` (what each gap leaves out) or an ``any`` (each run)."""
    full = (2 << len(OCCURRENCES)) - 1
    parts: list[Cohort] = []
    for first, end in runs(full & ~mask if every else mask):
        reached = None if first == 0 else Occurs(code, OCCURRENCES[first - 1])
        passed = None if end > len(OCCURRENCES) else Occurs(code, OCCURRENCES[end - 1])
        ends: list[Cohort] = []
        if reached is not None:
            ends.append(Not(reached) if every else reached)
        if passed is not None:
            ends.append(passed if every else Not(passed))
        ends.sort(key=_bytes)
        group: Cohort = Any(tuple(ends)) if every else All(tuple(ends))
        parts.append(ends[0] if len(ends) == 1 else group)
    return parts


def _bytes(cohort: Cohort) -> bytes:
    return codec.encode(to_plain(cohort))
