from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings

from app.core.errors import UserError
from app.core.query.check import check
from app.core.query.model import Cohort, Flag, Known, Levels, Not, Range
from app.core.query.text import parse
from app.texts import LANGUAGES, explain
from tests.catalogues import EVERY_KIND
from tests.cohorts import CATALOGUE, cohorts


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
    ("typed", "kind"), [("diagnosis", "date"), ("os known", "survival"), ("relapse >= 3", "event")]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_no_question_can_use_yet_is_said(typed: str, kind: str, language: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(f"sex = male and {typed}", EVERY_KIND)
    assert caught.value.code == f"query.{kind}_usage"
    assert (caught.value.params["line"], caught.value.params["column"]) == (1, 16)
    told = explain(caught.value, language)
    assert typed.split(maxsplit=1)[0] in told.what
    assert "{" not in told.what + told.next
