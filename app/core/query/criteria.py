"""A cohort brought to the form that is computed: ANDs of literals and of complements.

A literal says which answers of *one* variable count: any nesting of all, any and not over one variable is a single
literal. Sealed columns of one variable exclude one another (levels) or contain one another (cut points), so a literal
is a sum of columns with integer weights and needs no product.

The complement is taken within the patients present: unused slots of a block meet nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from app.core.catalogue.model import Catalogue, Kind
from app.core.query.model import All, Any, Cohort, Flag, Known, Levels, Not, Range
from app.core.query.plan import PRESENT


@dataclass(frozen=True, slots=True)
class Constant:
    """Everybody present, or nobody."""

    value: bool


@dataclass(frozen=True, slots=True)
class Literal:
    """Patients whose answer is one of ``answers``, a bit set: bit 0 is no value (or no flag), then one a level, or
    one an interval between cut points from below the first to above the last. Neither empty nor full."""

    code: str
    answers: int


@dataclass(frozen=True, slots=True)
class And:
    """Patients in every one of at least two children, none of them an And or Constant, at most one literal a
    variable; in canonical order."""

    children: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Complement:
    """Patients present who are not in ``inner``."""

    inner: And


Criterion: TypeAlias = Constant | Literal | And | Complement


class Criteria:
    """Normalises cohorts over one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def normalise(self, cohort: Cohort) -> Criterion:
        """Return the normal form of a cohort that was checked against the catalogue."""
        match cohort:
            case Not(child):
                return self.complement(self.normalise(child))
            case All(children):
                return self._both(self.normalise(child) for child in children)
            case Any(children):
                return self.complement(self._both(self.complement(self.normalise(child)) for child in children))
            case _:
                return self._literal(cohort.code, self._answers(cohort))

    def complement(self, criterion: Criterion) -> Criterion:
        """Return who is present and not in ``criterion``."""
        match criterion:
            case Constant(value):
                return Constant(not value)
            case Literal(code, answers):
                return Literal(code, self._every(code) & ~answers)
            case Complement(inner):
                return inner
            case And():
                return Complement(criterion)

    def columns(self, literal: Literal) -> dict[tuple[str, str], int]:
        """Return the weights of the sealed columns (code, part), ``present`` among them, whose sum is the literal."""
        variable = self._catalogue.variable(literal.code)
        has = [literal.answers >> bit & 1 for bit in range(len(variable.criteria_columns) + 1)]
        names = [(column.variable, column.part) for column in variable.criteria_columns]
        # a number's columns contain one another: each adds the step to the next interval; "known" is the first
        before = has[:-1] if variable.kind is Kind.NUMBER else [has[0]] * len(names)
        weights = {PRESENT: has[0]}
        weights |= {name: after - base for name, after, base in zip(names, has[1:], before, strict=True)}
        return {name: weight for name, weight in weights.items() if weight}

    def _answers(self, term: Flag | Levels | Range | Known) -> int:
        variable = self._catalogue.variable(term.code)
        match term:
            case Flag():
                return 0b10
            case Known():
                return self._every(term.code) & ~1
            case Levels(_, levels):
                return sum(2 << position for position, level in enumerate(variable.levels) if level.code in levels)
            case Range(_, low, high):
                first = 0 if low is None else variable.cut_points.index(low) + 1
                last = len(variable.cut_points) if high is None else variable.cut_points.index(high)
                return sum(2 << interval for interval in range(first, last + 1))

    def _every(self, code: str) -> int:
        return (1 << len(self._catalogue.variable(code).criteria_columns) + 1) - 1

    def _literal(self, code: str, answers: int) -> Criterion:
        if answers in (0, self._every(code)):
            return Constant(answers != 0)
        return Literal(code, answers)

    def _both(self, children: Iterable[Criterion]) -> Criterion:
        """Return the intersection."""
        literals: dict[str, int] = {}
        others: set[Criterion] = set()
        queue = list(children)
        while queue:
            match queue.pop():
                case Constant(value):
                    if not value:
                        return Constant(False)
                case Literal(code, answers):
                    literals[code] = literals.get(code, -1) & answers
                case And(inner):
                    queue.extend(inner)
                case other:
                    others.add(other)
        merged = [self._literal(code, answers) for code, answers in literals.items()]
        if Constant(False) in merged:
            return Constant(False)
        kept = {each for each in merged if isinstance(each, Literal)} | others
        if any(isinstance(other, Complement) and _within(other.inner, kept) for other in others):
            return Constant(False)
        if not kept:
            return Constant(True)
        return kept.pop() if len(kept) == 1 else And(tuple(sorted(kept, key=_order)))


def _within(inner: And, kept: set[Criterion]) -> bool:
    """Return whether everyone who meets ``kept`` meets ``inner`` as well, as far as that is plain to see."""
    return set(inner.children) <= kept


def _order(criterion: Criterion) -> tuple[int, str]:
    return (0 if isinstance(criterion, Literal) else 1, repr(criterion))
