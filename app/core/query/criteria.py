"""A cohort brought to the form that is computed: ANDs of literals, relations and complements.

A literal says which answers of one *facet* count (:mod:`app.core.query.facets`): any nesting of all, any and not over
one facet is a single literal. Its sealed columns exclude one another or contain one another, so a literal is a sum of
columns with integer weights and needs no product. A relation between two events is a sum of products of two such sums
(:meth:`Criteria.products`), of which at most one is 1 for a patient: it is a bit, and needs one level.

The complement is taken within the patients present: unused slots of a block meet nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from app.core.catalogue.columns import Column
from app.core.catalogue.model import Catalogue, Kind
from app.core.query.facets import TIMES, Facet, Facets, Key, key_of, periods_of, reach
from app.core.query.model import All, Any, Before, Cohort, Not, Within
from app.core.query.plan import PRESENT

Form: TypeAlias = dict[tuple[str, str], int]
"""A linear form: the weights of the sealed columns (code, part)."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Everybody present, or nobody."""

    value: bool


@dataclass(frozen=True, slots=True)
class Literal:
    """Patients whose answer is one of ``answers``, a bit set of possibilities of one facet: bit 0 is no value (or no
    flag), then one a column. Neither empty nor full. ``aspect`` is which facet of an event it is; else empty."""

    code: str
    answers: int
    aspect: str = ""

    @property
    def key(self) -> Key:
        """The facet."""
        return (self.code, self.aspect)


@dataclass(frozen=True, slots=True)
class Relation:
    """Patients to whom two events happened as the term relates them in time; possible within their horizons."""

    term: Before | Within


@dataclass(frozen=True, slots=True)
class And:
    """Patients in every one of at least two children, none of them an And or Constant, at most one literal a facet; in
    canonical order."""

    children: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Complement:
    """Patients present who are not in ``inner``."""

    inner: And | Relation


Criterion: TypeAlias = Constant | Literal | Relation | And | Complement


class Criteria:
    """Normalises cohorts over one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._facets = Facets(catalogue)

    def normalise(self, cohort: Cohort) -> Criterion:
        """Return the normal form of a cohort that was checked against the catalogue."""
        match cohort:
            case Not(child):
                return self.complement(self.normalise(child))
            case All(children):
                return self._both(self.normalise(child) for child in children)
            case Any(children):
                return self.complement(self._both(self.complement(self.normalise(child)) for child in children))
            case Before() | Within():
                return Relation(cohort) if self._reach(cohort) else Constant(False)
            case _:
                return self._literal(key_of(cohort), self._facets.said(cohort))

    def complement(self, criterion: Criterion) -> Criterion:
        """Return who is present and not in ``criterion``."""
        match criterion:
            case Constant(value):
                return Constant(not value)
            case Literal(code, answers, aspect):
                return Literal(code, self._facets[criterion.key].every & ~answers, aspect)
            case Complement(inner):
                return inner
            case And() | Relation():
                return Complement(criterion)

    def columns(self, literal: Literal) -> Form:
        """Return the weights of the sealed columns (code, part), ``present`` among them, whose sum is the literal."""
        facet, answers = self._facets[literal.key], literal.answers
        has = [answers >> bit & 1 for bit in range(facet.count)]
        if facet.variable.kind is Kind.EVENT and not facet.nested:
            return _of_periods(facet, has)
        # nested columns contain one another: each adds the step to its possibility; the first is "there is a value"
        before = has[:-1] if facet.nested else [has[0]] * len(facet.columns)
        weights = {column: after - base for column, after, base in zip(facet.columns, has[1:], before, strict=True)}
        return _with_present(has[0], weights)

    def products(self, relation: Relation) -> tuple[tuple[Form, Form], ...]:
        """Return the pairs of linear forms whose products, summed, are the relation: each form is 0 or 1 for every
        patient, and at most one product is 1.

        The periods of one event that allow the same ones of the other share a product; the event with fewer products
        leads.
        """
        one, other = _moments(relation.term)
        allowed = self._reach(relation.term)
        ways: list[list[tuple[Form, Form]]] = []
        for left, right, sign in ((one, other, 1), (other, one, -1)):
            lead, follow = (periods_of(self._catalogue.variable(code)).numbers for _, code in (left, right))
            shared: dict[tuple[int, ...], list[int]] = {}
            for p in lead:
                met = tuple(q for q in follow if sign * (q - p) in allowed)
                if met:
                    shared.setdefault(met, []).append(p)
            ways.append([(_periods_form(left, ps), _periods_form(right, met)) for met, ps in shared.items()])
        one_leads, other_leads = ways
        return tuple(one_leads if len(one_leads) <= len(other_leads) else other_leads)

    def _reach(self, term: Before | Within) -> range:
        one, other = _moments(term)
        return reach(term, (self._catalogue.variable(one[1]), self._catalogue.variable(other[1])))

    def _literal(self, key: Key, answers: int) -> Criterion:
        if answers in (0, self._facets[key].every):
            return Constant(answers != 0)
        return Literal(key[0], answers, key[1])

    def _both(self, children: Iterable[Criterion]) -> Criterion:
        """Return the intersection."""
        literals: dict[Key, int] = {}
        others: set[Criterion] = set()
        queue = list(children)
        while queue:
            match queue.pop():
                case Constant(value):
                    if not value:
                        return Constant(False)
                case Literal() as literal:
                    literals[literal.key] = literals.get(literal.key, -1) & literal.answers
                case And(inner):
                    queue.extend(inner)
                case other:
                    others.add(other)
        merged = [self._literal(key, answers) for key, answers in literals.items()]
        if Constant(False) in merged:
            return Constant(False)
        kept = {each for each in merged if isinstance(each, Literal)} | others
        if any(isinstance(other, Complement) and _within(other.inner, kept) for other in others):
            return Constant(False)
        if not kept:
            return Constant(True)
        return kept.pop() if len(kept) == 1 else And(tuple(sorted(kept, key=_order)))


def _of_periods(facet: Facet, has: list[int]) -> Form:
    """Return the sum for an event's one-hot periods: those meant added up, or those not meant taken away from all."""
    ever = (facet.variable.code, f"{TIMES}:1")  # the sum of all periods
    meant = [column for column, answer in zip(facet.columns, has[1:], strict=True) if answer]
    if 2 * len(meant) <= len(facet.columns):
        weights = {(column.variable, column.part): 1 for column in meant}
        return {PRESENT: 1, ever: -1, **weights} if has[0] else weights
    others = {(column.variable, column.part): -1 for column in facet.columns if column not in set(meant)}
    return {PRESENT if has[0] else ever: 1, **others}


def _with_present(present: int, weights: dict[Column, int]) -> Form:
    named = {(column.variable, column.part): weight for column, weight in weights.items() if weight}
    return {PRESENT: present, **named} if present else named


def _moments(term: Before | Within) -> tuple[Key, Key]:
    """Return which time of which event, (first or last, code), stands on either side."""
    one, other = (term.earlier, term.later) if isinstance(term, Before) else (term.one, term.other)
    return (one.which, one.code), (other.which, other.code)


def _periods_form(moment: Key, periods: Iterable[int]) -> Form:
    which, code = moment
    return {(code, f"{which}:{period}"): 1 for period in periods}


def _within(inner: Criterion, kept: set[Criterion]) -> bool:
    """Return whether everyone who meets ``kept`` meets ``inner`` as well, as far as that is plain to see."""
    return set(inner.children) <= kept if isinstance(inner, And) else inner in kept


def _order(criterion: Criterion) -> tuple[int, str]:
    return (0 if isinstance(criterion, Literal) else 1, repr(criterion))
