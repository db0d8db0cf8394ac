"""Random queries of every analysis: text, bytes and canonical form say the same, and open the same numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.query.analyses import Analysis, Attrition, Correlate, Count, Grouping, Regress, Summary, Survival, Table
from app.core.query.canonical import canonical_query, query_hash
from app.core.query.cells import cells_of, steps_of
from app.core.query.check import check_query
from app.core.query.facets import periods_of
from app.core.query.model import All, Cohort, Flag, Not, Query
from app.core.query.oracle import cell_numbers, count, numbers
from app.core.query.sentence import sentence
from app.core.query.text import format_query, parse_query
from app.texts import LANGUAGES, text
from tests.cohorts import CLINICAL, EVERY_TERM, cohorts, patients
from tests.queries import ANALYSES, QUERIES

PATIENTS = patients(80, seed=3, catalogue=CLINICAL)


@given(QUERIES)
@settings(deadline=None)
def test_the_text_form_round_trips_exactly(query: Query) -> None:
    check_query(query, CLINICAL)
    told_together = replace(query, per_site=False)  # who is told is no part of the text
    for catalogue in (CLINICAL, None):
        assert parse_query(format_query(query, catalogue), CLINICAL) == told_together


@given(QUERIES)
@settings(deadline=None)
def test_the_bytes_round_trip(query: Query) -> None:
    data = query.to_cbor()
    assert Query.from_cbor(data) == query
    assert codec.decode(data, len(data))["version"] == query.version


@given(QUERIES, st.data())
@settings(deadline=None, max_examples=200)
def test_bytes_that_were_tampered_with_are_refused_or_say_something_else(query: Query, data: st.DataObject) -> None:
    written = bytearray(query.to_cbor())
    place = data.draw(st.integers(0, len(written) - 1))
    written[place] ^= data.draw(st.integers(1, 255))
    try:
        read = Query.from_cbor(bytes(written))
    except ProtocolViolation:
        return
    assert read != query
    assert read.to_cbor() == bytes(written)


@given(QUERIES)
@settings(deadline=None)
def test_the_canonical_query_is_its_own(query: Query) -> None:
    form = canonical_query(query, CLINICAL)
    assert canonical_query(form, CLINICAL) == form
    assert query_hash(form, CLINICAL) == query_hash(query, CLINICAL)
    assert set(form.codes) <= set(query.codes)


@given(QUERIES)
@settings(deadline=None, max_examples=60)
def test_the_canonical_query_opens_the_same_numbers(query: Query) -> None:
    form = canonical_query(query, CLINICAL)
    assert sorted(numbers(form, PATIENTS, CLINICAL)) == sorted(numbers(query, PATIENTS, CLINICAL))
    if isinstance(query.analysis, Count):
        assert numbers(form, PATIENTS, CLINICAL) == (count(query.cohort, PATIENTS, CLINICAL),)
    if isinstance(query.analysis, Attrition):  # the order of the steps is the question
        assert numbers(form, PATIENTS, CLINICAL) == numbers(query, PATIENTS, CLINICAL)
        assert len(steps_of(form.cohort)) == len(steps_of(query.cohort))


@given(cohorts(EVERY_TERM, leaves=5), ANALYSES)
@settings(deadline=None)
def test_an_analysis_in_another_order_is_the_same_question(cohort: Cohort, analysis: Analysis) -> None:
    again: Analysis = analysis
    match analysis:
        case Table(rows, columns):
            again = Table(*(_all_cuts(each) for each in (columns, rows)))
        case Summary(variables):
            again = Summary(variables[::-1])
        case Correlate(variables):
            again = Correlate(variables[::-1])
        case Regress(outcome, predictors):
            again = Regress(outcome, predictors[::-1])
        case Survival(code, by, horizon, step):
            periods = periods_of(CLINICAL.variable(code))
            whole = periods.count * periods.days
            again = Survival(code, by and _all_cuts(by), horizon or whole, step or periods.days)
        case _:
            assume(False)
    one, other = Query(cohort, analysis), Query(Not(Not(cohort)), again)
    assert query_hash(one, CLINICAL) == query_hash(other, CLINICAL)
    assert query_hash(replace(one, per_site=True), CLINICAL) != query_hash(one, CLINICAL)
    assert query_hash(Query(cohort), CLINICAL) != query_hash(one, CLINICAL)


def _all_cuts(grouping: Grouping) -> Grouping:
    return grouping if grouping.cuts else Grouping(grouping.code, CLINICAL.variable(grouping.code).cut_points)


@given(QUERIES, st.sampled_from(LANGUAGES))
@settings(deadline=None)
def test_every_query_can_be_said(query: Query, language: str) -> None:
    said = sentence(query, CLINICAL, language, text)
    assert "query.sentence" not in said
    assert "{" not in said


def test_the_order_of_criteria_is_a_question_of_its_own_in_a_funnel_only() -> None:
    smoker, breast = Flag("smoker"), Flag("dx:C50")
    one, other = All((smoker, breast)), All((breast, smoker))
    assert query_hash(Query(one), CLINICAL) == query_hash(Query(other), CLINICAL)
    assert query_hash(Query(one, Attrition()), CLINICAL) != query_hash(Query(other, Attrition()), CLINICAL)


def test_a_funnel_of_one_criterion_stays_one() -> None:
    for cohort in (Not(Not(All((Flag("smoker"), Flag("dx:C50"))))), All(()), Flag("smoker")):
        form = canonical_query(Query(cohort, Attrition()), CLINICAL)
        assert len(cells_of(form, CLINICAL).cells) == 2


@pytest.mark.parametrize("row", PATIENTS[:5])
def test_the_cells_of_one_patient_add_up(row: dict[str, object]) -> None:
    """Everybody is in one cell of a breakdown, a histogram, and in each table of two flags."""
    for asked in ("breakdown stage", "histogram diagnosed", "histogram bmi", "table smoker x dx:C50"):
        cells = cells_of(parse_query(asked, CLINICAL), CLINICAL)
        assert sum(cell_numbers(cells, [row], CLINICAL)) == 1
