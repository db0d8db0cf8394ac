"""Random cohorts of every term on random patients: oracle, sealed columns and canonical form always say the same."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.catalogue.columns import PRESENT, Column
from app.core.query.canonical import canonical, query_hash
from app.core.query.criteria import And, Complement, Constant, Criteria, Criterion, Form, Literal, Relation
from app.core.query.facets import borders, calendar_of
from app.core.query.model import (
    All,
    Any,
    Before,
    Cohort,
    Dates,
    Happened,
    Known,
    Levels,
    Moment,
    Not,
    Occurs,
    Query,
    Range,
    Term,
    Within,
    codes,
)
from app.core.query.oracle import matches
from app.core.query.text import format, parse
from tests.cohorts import CLINICAL, EVERY_TERM, RELATIONS, cohorts, moments, patients, relations, terms_of

PATIENTS = patients(120, seed=7, catalogue=CLINICAL)
CRITERIA = Criteria(CLINICAL)
RELAPSE = st.one_of(terms_of(CLINICAL.variable("relapse")), relations("relapse"))
FEW = st.one_of(RELAPSE, terms_of(CLINICAL.variable("smoker")), terms_of(CLINICAL.variable("diagnosed")))
SEALED: list[dict[tuple[str, str], int]] = []
for _row in PATIENTS:
    SEALED.append({(PRESENT.variable, PRESENT.part): 1})
    for _variable in CLINICAL:
        _columns = zip(_variable.columns, _variable.encode(_row.get(_variable.code)), strict=True)
        SEALED[-1] |= {(column.variable, column.part): value for column, value in _columns}


def linear(form: Form, sealed: dict[tuple[str, str], int]) -> int:
    value = sum(weight * sealed[column] for column, weight in form.items())
    assert value in (0, 1)
    return value


def computed(criterion: Criterion, sealed: dict[tuple[str, str], int]) -> int:
    """What arithmetic on the sealed columns of one patient gives."""
    match criterion:
        case Constant(value):
            return int(value)
        case Literal():
            return linear(CRITERIA.columns(criterion), sealed)
        case Relation():
            pairs = CRITERIA.products(criterion)
            return sum(linear(left, sealed) * linear(right, sealed) for left, right in pairs)
        case And(children):
            return min(computed(child, sealed) for child in children)
        case Complement(inner):
            return 1 - computed(inner, sealed)


def who(cohort: Cohort) -> list[bool]:
    return [matches(cohort, row, CLINICAL) for row in PATIENTS]


@given(cohorts(EVERY_TERM))
@settings(deadline=None, max_examples=150)
def test_what_is_computed_on_columns_is_what_the_oracle_says(cohort: Cohort) -> None:
    for criterion in (CRITERIA.normalise(cohort), CRITERIA.normalise(canonical(cohort, CLINICAL))):
        assert [bool(computed(criterion, sealed)) for sealed in SEALED] == who(cohort)


@given(RELATIONS)
@settings(deadline=None)
def test_a_relation_takes_no_more_products_than_there_are_periods(term: Term) -> None:
    criterion = CRITERIA.normalise(term)
    assert [bool(computed(criterion, sealed)) for sealed in SEALED] == who(term)
    if isinstance(criterion, Relation):
        products = CRITERIA.products(criterion)
        assert 1 <= len(products) <= 5
        assert all(left and right for left, right in products)


@given(cohorts(st.one_of(EVERY_TERM, FEW), leaves=30))
@settings(max_examples=250, deadline=None)
def test_the_canonical_form_has_the_same_patients(cohort: Cohort) -> None:
    assert who(canonical(cohort, CLINICAL)) == who(cohort)


@given(cohorts(FEW, leaves=30))
@settings(max_examples=400, deadline=None)
def test_the_canonical_form_is_its_own_and_no_deeper(cohort: Cohort) -> None:
    form = canonical(cohort, CLINICAL)
    assert canonical(form, CLINICAL) == form
    assert form.depth <= max(cohort.depth, 1)
    assert set(codes(form)) <= set(codes(cohort))


def rewritten(cohort: Cohort, draw: random.Random) -> Cohort:  # noqa: PLR0912 - one a kind of term
    """Say the same another way."""
    match cohort:
        case Not(child):
            cohort = Not(rewritten(child, draw))
        case All(children) | Any(children):
            parts = [rewritten(child, draw) for child in children]
            parts += draw.sample(parts, draw.randint(0, len(parts)))
            draw.shuffle(parts)
            kind, other = (All, Any) if isinstance(cohort, All) else (Any, All)
            cohort = kind(tuple(parts)) if draw.random() < 0.7 else Not(other(tuple(map(Not, parts))))
        case Range(code, low, high) if low is not None and high is not None:
            cohort = All((Range(code, low, None), Not(Range(code, high, None))))
        case Dates(code, low, high):
            starts = [None, *calendar_of(CLINICAL.variable(code)).starts(), None]
            kept = [Dates(code, *ends) for ends in pairwise(starts) if _inside(ends[0], ends[1], low, high)]
            cohort = Any(tuple(kept)) if draw.random() < 0.5 else _known_but(cohort, Known(code))
        case Happened(which, code, low, high):
            days = borders(CLINICAL.variable(code))
            shown = [Happened(which, code, *ends) for ends in pairwise(days) if _inside(*ends, low, high)]
            cohort = Any(tuple(shown)) if draw.random() < 0.5 else _known_but(cohort, Occurs(code, 1))
        case Occurs(code, 1):
            low, *_, high = borders(CLINICAL.variable(code))
            ends = draw.choice([(low, None), (None, high), (low, high)])
            cohort = Happened(draw.choice(["first", "last"]), code, *ends)
        case Levels(code, levels):
            cohort = Any(tuple(Levels(code, frozenset([level])) for level in levels))
        case Before(earlier, later, least, most) if least is None:
            implied = draw.choice([Decimal(0), _length(earlier.code)]) if most != 0 else None
            cohort = Before(earlier, later, implied, most)
        case Within(one, other, most):
            cohort = Within(other, one, most)
    return Not(Not(cohort)) if draw.random() < 0.2 else cohort


def _inside(begin: object, end: object, low: object, high: object) -> bool:
    after = low is None or (begin is not None and begin >= low)  # type: ignore[operator]
    return after and (high is None or (end is not None and end <= high))  # type: ignore[operator]


def _known_but(term: Dates | Happened, known: Term) -> Cohort:
    return All((known, Not(All((known, Not(term))))))


def _length(code: str) -> Decimal:
    return borders(CLINICAL.variable(code))[1] - borders(CLINICAL.variable(code))[0]


@given(cohorts(st.one_of(EVERY_TERM, FEW), leaves=12), st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_a_rewritten_question_has_the_same_hash(cohort: Cohort, seed: int) -> None:
    again = rewritten(cohort, random.Random(seed))
    assert canonical(again, CLINICAL) == canonical(cohort, CLINICAL)
    if again.depth <= 12 and again.size <= 500:
        assert query_hash(Query(again), CLINICAL) == query_hash(Query(cohort), CLINICAL)


@given(cohorts(RELAPSE, leaves=8), cohorts(RELAPSE, leaves=8))
@settings(max_examples=200, deadline=None)
def test_one_form_means_one_answer(left: Cohort, right: Cohort) -> None:
    if canonical(left, CLINICAL) == canonical(right, CLINICAL):
        assert who(left) == who(right)


@given(moments("relapse", "rx:L01"), moments("relapse", "rx:L01"), st.integers(0, 20))
@settings(deadline=None)
def test_bounds_that_the_horizons_imply_make_no_difference(one: Moment, other: Moment, extra: int) -> None:
    if one != other:
        most = (5 + extra) * _length("relapse")
        assert canonical(Before(one, other, None, most), CLINICAL) == canonical(Before(one, other), CLINICAL)
        swapped = canonical(Within(other, one, most), CLINICAL)
        assert swapped == canonical(Within(one, other, most + _length("relapse")), CLINICAL)


@given(cohorts(EVERY_TERM))
@settings(deadline=None)
def test_the_text_form_round_trips_exactly(cohort: Cohort) -> None:
    for text in (format(cohort, CLINICAL), format(cohort)):
        assert parse(text, CLINICAL) == cohort


def test_every_column_of_a_relation_is_sealed() -> None:
    known = {(column.variable, column.part) for variable in CLINICAL for column in variable.columns}
    for term in (Before(*_two("first", "last")), Within(*_two("last", "last"), Decimal(0))):
        criterion = CRITERIA.normalise(term)
        assert isinstance(criterion, Relation)
        assert {column for pair in CRITERIA.products(criterion) for form in pair for column in form} <= known
    assert Column("relapse", "first:-2") in CLINICAL.variable("relapse").columns


def _two(one: str, other: str) -> tuple[Moment, Moment]:
    return Moment(one, "relapse"), Moment(other, "rx:L01")
