from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings

from app.core.errors import UserError
from app.core.query.analyses import (
    Analysis,
    Breakdown,
    Compare,
    Grouping,
    Histogram,
    Regress,
    Survival,
    Table,
)
from app.core.query.check import check, check_query
from app.core.query.model import (
    Before,
    Cohort,
    Dates,
    Flag,
    Happened,
    Known,
    Levels,
    Moment,
    Not,
    Occurs,
    Query,
    Range,
    Within,
)
from app.core.query.text import parse, parse_query
from app.texts import LANGUAGES, explain
from tests.catalogues import EVERY_KIND
from tests.cohorts import CATALOGUE, CLINICAL, cohorts


@given(cohorts())
@settings(deadline=None)
def test_what_the_catalogue_has_passes(cohort: Cohort) -> None:
    check(cohort, CATALOGUE)


@pytest.mark.parametrize(
    ("cohort", "code"),
    [
        (Flag("smokr"), "unknown_variable"),
        (Flag("xyzzy"), "no_such_variable"),
        (Flag("age"), "number_usage"),
        (Known("smoker"), "flag_usage"),
        (Levels("age", frozenset()), "number_usage"),
        (Range("sex", Decimal(1), None), "category_usage"),
        (Levels("sex", frozenset(["male", "x"])), "unknown_level"),
        (Range("age", Decimal(40), Decimal(55)), "not_a_cut_point"),
    ],
)
def test_what_it_does_not_have_is_an_error_that_can_be_shown(cohort: Cohort, code: str) -> None:
    with pytest.raises(UserError) as caught:
        check(Not(cohort), CATALOGUE)
    assert caught.value.code == f"query.{code}"
    for language in LANGUAGES:
        assert str(caught.value.params["variable"]) in explain(caught.value, language).what


@pytest.mark.parametrize(
    ("typed", "code", "shown"),
    [
        ("diagnosis", "date_usage", "diagnosis >= 2015-07"),
        ("birth = x", "date_usage", "birth >= 1970"),
        ("diagnosis occurs", "date_usage", "diagnosis >= 2015-07"),
        ("relapse", "event_usage", "relapse at least 2 times"),
        ("relapse known", "event_usage", "relapse occurs"),
        ("relapse >= 3", "event_usage", "first relapse < 10 months"),
        ("os", "survival_usage", "os known · survival os"),
        ("os >= 3", "survival_usage", "os known"),
        ("first os < 1 month", "survival_usage", "os known"),
        ("age occurs", "number_usage", "age >= 65"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_written_otherwise_is_shown(typed: str, code: str, shown: str, language: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(f"sex = male and {typed}", EVERY_KIND)
    assert caught.value.code == f"query.{code}"
    assert caught.value.params["line"] == 1
    assert str(caught.value.params["column"]) in ("16", "22")
    told = explain(caught.value, language)
    assert shown in told.next
    for example in shown.split(" · "):
        parse_query(example, EVERY_KIND)  # what is shown can be typed


MONTH = Decimal("30.4375")
FIRST, LAST = Moment("first", "relapse"), Moment("last", "relapse")


@pytest.mark.parametrize(
    ("cohort", "code", "suggestion"),
    [
        (Dates("diagnosis", date(2015, 3, 2), None), "not_a_beginning", "2015-03, 2015-04"),
        (Dates("diagnosis", None, date(2030, 1, 1)), "not_a_beginning", "2016-02"),
        (Dates("birth", date(1919, 1, 1), None), "not_a_beginning", "1920"),
        (Dates("age", date(2015, 3, 1), None), "number_usage", None),
        (Occurs("relapse", 4), "not_a_count", "1, 2, 3, 5, 10"),
        (Occurs("sex", 1), "category_usage", None),
        (Happened("first", "relapse", Decimal(30), None), "not_a_period", "0 days · 1 month"),
        (Happened("first", "relapse", None, -3 * MONTH), "not_a_period", "-2 months"),
        (Happened("first", "relapse", None, 23 * MONTH), "not_a_period", "22 months"),
        (Happened("first", "os", None, MONTH), "survival_usage", None),
        (Known("relapse"), "event_usage", None),
        (Before(FIRST, FIRST), "same_moment", None),
        (Within(LAST, LAST, MONTH), "same_moment", None),
        (Before(FIRST, LAST, Decimal(31), None), "not_a_period", "1 month · 2 months"),
        (Before(FIRST, LAST, None, Decimal(-31)), "not_a_period", "0 days"),
        (Within(FIRST, LAST, Decimal("0.5")), "not_a_period", "0 days · 1 month"),
        (Before(FIRST, Moment("first", "os")), "survival_usage", None),
        (Before(Moment("first", "relaps"), LAST), "unknown_variable", "relapse"),
    ],
)
def test_times_that_were_not_prepared(cohort: Cohort, code: str, suggestion: str | None) -> None:
    with pytest.raises(UserError) as caught:
        check(cohort, EVERY_KIND)
    assert caught.value.code == f"query.{code}"
    assert caught.value.params.get("suggestion") == suggestion
    for language in LANGUAGES:
        told = explain(caught.value, language)
        assert (suggestion or "") in told.next
        assert "{" not in told.what + told.next


def test_events_of_other_periods_are_not_compared() -> None:
    with pytest.raises(UserError) as caught:
        parse("first relapse before first first", CLINICAL)
    assert caught.value.code == "query.periods_differ"
    assert "7" in explain(caught.value, "en").what
    check(Before(FIRST, LAST, Decimal(0), None), EVERY_KIND)  # nothing is a whole number of periods
    check(Happened("last", "relapse", -2 * MONTH, 22 * MONTH), EVERY_KIND)  # so are the ends of the horizon


@pytest.mark.parametrize(
    ("analysis", "code"),
    [
        (Breakdown("lab:ldh"), "analysis_kind"),
        (Breakdown("nothing"), "no_such_variable"),
        (Histogram("relapse"), "analysis_kind"),
        (Table(Grouping("sex", (Decimal(1),)), Grouping("age")), "analysis_kind"),
        (Table(Grouping("age", (Decimal(41),)), Grouping("sex")), "not_a_cut_point"),
        (Table(Grouping("diagnosis"), Grouping("birth")), "too_many_results"),
        (Compare("age", Grouping("sex")), "needs_exact_values"),
        (Compare("lab:ldh", Grouping("age")), "two_groups"),
        (Regress("ICD10:C43", ("lab:ldh",)), "analysis_kind"),
        (Survival("os", Grouping("diagnosis")), "too_many_groups"),
        (Survival("os", step=Decimal(45)), "not_a_period"),
    ],
)
def test_analyses_that_cannot_be_made(analysis: Analysis, code: str) -> None:
    with pytest.raises(UserError) as caught:
        check_query(Query(Flag("ICD10:C43"), analysis), EVERY_KIND)
    assert caught.value.code == f"query.{code}"
    for language in LANGUAGES:
        told = explain(caught.value, language)
        assert told.what
        assert told.next
        assert "{" not in told.what + told.next


def test_a_cohort_is_checked_before_its_analysis() -> None:
    with pytest.raises(UserError, match="query.flag_usage"):
        check_query(Query(Known("ICD10:C43"), Breakdown("nothing")), EVERY_KIND)
