"""Random cohorts on random patients: oracle, sealed columns and canonical form always say the same."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.catalogue.model import Column
from app.core.catalogue.numbers import decimal_text
from app.core.query.canonical import canonical, query_hash
from app.core.query.model import All, Any, Cohort, Flag, Known, Levels, Not, Query, Range, codes
from app.core.query.oracle import Row, count, matches
from tests.cohorts import CATALOGUE, TERMS, cohorts, patients, terms_of

PATIENTS = patients(400, seed=1)
BITS = [
    {
        column: bit
        for each in CATALOGUE
        for column, bit in zip(each.columns, each.encode(row.get(each.code)), strict=True)
    }
    for row in PATIENTS
]
FEW_VARIABLES = st.one_of([terms_of(CATALOGUE.variable(code)) for code in ("age", "stage", "smoker")])


def on_bits(cohort: Cohort, bits: dict[Column, int]) -> int:  # noqa: PLR0911 - one return a kind of node
    """Evaluate as the sealed columns allow: sums and differences within a variable, products across."""

    def bit(code: str, part: str) -> int:
        return bits[Column(code, part)]

    match cohort:
        case Flag(code):
            return bit(code, "has")
        case Levels(code, levels):
            return sum(bit(code, f"level:{level}") for level in levels)
        case Range(code, low, high):
            above = bit(code, "known" if low is None else f"ge:{decimal_text(low)}")
            return above - (0 if high is None else bit(code, f"ge:{decimal_text(high)}"))
        case Known(code):
            variable = CATALOGUE.variable(code)
            return bit(code, "known") if variable.cut_points else sum(bit(code, each.part) for each in variable.columns)
        case Not(child):
            return 1 - on_bits(child, bits)
        case All(children):
            product = 1
            for child in children:
                product *= on_bits(child, bits)
            return product
        case Any(children):
            return 1 - on_bits(All(tuple(map(Not, children))), bits)
        case _:
            raise NotImplementedError("a term of version 2: see test_query_terms.py")


def rewritten(cohort: Cohort, draw: random.Random) -> Cohort:
    """Say the same another way: shuffled, doubled, regrouped, by De Morgan, with what changes nothing."""
    match cohort:
        case Not(child):
            cohort = Not(rewritten(child, draw))
        case All(children) | Any(children):
            parts = [rewritten(child, draw) for child in children]
            parts += draw.sample(parts, draw.randint(0, len(parts)))
            draw.shuffle(parts)
            cut = draw.randint(0, len(parts))
            kind, other = (All, Any) if isinstance(cohort, All) else (Any, All)
            if len(parts) > 2 and draw.random() < 0.5:
                parts = [kind(tuple(parts[:cut])), *parts[cut:]]
            cohort = kind(tuple(parts))
            if draw.random() < 0.3:
                cohort = Not(other(tuple(map(Not, parts))))
        case Range(code, low, high) if low is not None and high is not None and draw.random() < 0.5:
            cohort = All((Range(code, low, None), Not(Range(code, high, None))))
        case Range(code, None, high) if draw.random() < 0.5:
            cohort = All((Not(Range(code, high, None)), Known(code)))
        case Levels(code, levels) if draw.random() < 0.5:
            cohort = Any(tuple(Levels(code, frozenset([level])) for level in levels))
    match draw.randint(0, 5):
        case 0:
            return Not(Not(cohort))
        case 1:
            return All((cohort, All(())))
        case 2:
            return Any((Any(()), cohort))
    return cohort


@given(cohorts())
@settings(deadline=None)
def test_the_columns_say_what_the_oracle_says(cohort: Cohort) -> None:
    for row, bits in zip(PATIENTS[:60], BITS, strict=False):
        assert on_bits(cohort, bits) == matches(cohort, row, CATALOGUE)


@given(cohorts(st.one_of(TERMS, FEW_VARIABLES), leaves=30))
@settings(max_examples=400, deadline=None)
def test_the_canonical_form_has_the_same_patients(cohort: Cohort) -> None:
    form = canonical(cohort, CATALOGUE)
    assert [matches(form, row, CATALOGUE) for row in PATIENTS] == [matches(cohort, row, CATALOGUE) for row in PATIENTS]


@given(cohorts(FEW_VARIABLES, leaves=30))
@settings(max_examples=400, deadline=None)
def test_the_canonical_form_is_its_own_and_no_deeper(cohort: Cohort) -> None:
    form = canonical(cohort, CATALOGUE)
    assert canonical(form, CATALOGUE) == form
    assert form.depth <= max(cohort.depth, 1)


@given(cohorts(st.one_of(TERMS, FEW_VARIABLES), leaves=15), st.integers(0, 2**32))
@settings(max_examples=400, deadline=None)
def test_a_rewritten_question_has_the_same_hash(cohort: Cohort, seed: int) -> None:
    again = rewritten(cohort, random.Random(seed))
    assert canonical(again, CATALOGUE) == canonical(cohort, CATALOGUE)
    if again.depth <= 12 and again.size <= 500:
        assert query_hash(Query(again), CATALOGUE) == query_hash(Query(cohort), CATALOGUE)


@given(cohorts(FEW_VARIABLES, leaves=10), cohorts(FEW_VARIABLES, leaves=10))
@settings(deadline=None)
def test_one_form_means_one_answer(left: Cohort, right: Cohort) -> None:
    if canonical(left, CATALOGUE) == canonical(right, CATALOGUE):
        assert count(left, PATIENTS, CATALOGUE) == count(right, PATIENTS, CATALOGUE)


def _one_variable_rows() -> list[Row]:
    return [{"age": value} for value in (None, 39, 40, 50, 60, 70)]


@given(cohorts(terms_of(CATALOGUE.variable("age"))), cohorts(terms_of(CATALOGUE.variable("age"))))
@settings(deadline=None)
def test_of_one_variable_the_form_is_complete(left: Cohort, right: Cohort) -> None:
    """Same patients whatever the data, then same form: exact for what is said of a single variable."""
    rows = _one_variable_rows()
    same = [matches(left, row, CATALOGUE) for row in rows] == [matches(right, row, CATALOGUE) for row in rows]
    assert (canonical(left, CATALOGUE) == canonical(right, CATALOGUE)) == same


def test_every_set_of_ages_beside_every_other() -> None:
    """All that can be said of an age, next to all that can be known of it: 4096 pairs, on every kind of patient."""
    bins = [Not(Known("age")), *_between_cut_points()]
    rows: list[Row] = [{"age": age, "smoker": smokes} for age in (None, 39, 40, 50, 60, 70) for smokes in (True, False)]
    sets = [Any(tuple(each for place, each in enumerate(bins) if mask >> place & 1)) for mask in range(64)]
    for given_mask, known in enumerate(sets):
        forms: dict[int, Cohort] = {}
        for mask, said in enumerate(sets):
            cohort = All((known, Any((said, Flag("smoker")))))
            form = canonical(cohort, CATALOGUE)
            assert [matches(form, row, CATALOGUE) for row in rows] == [matches(cohort, row, CATALOGUE) for row in rows]
            assert forms.setdefault(mask & given_mask, form) == form  # what is outside the given makes no difference
        assert len(set(forms.values())) == len(forms)


def _between_cut_points() -> list[Cohort]:
    bounds = [None, *CATALOGUE.variable("age").cut_points, None]
    return [Range("age", low, high) for low, high in pairwise(bounds)]


@given(cohorts())
@settings(deadline=None)
def test_the_canonical_form_uses_no_other_variable(cohort: Cohort) -> None:
    assert set(codes(canonical(cohort, CATALOGUE))) <= set(codes(cohort))
