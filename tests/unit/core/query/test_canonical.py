from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.query.canonical import canonical, canonical_query, query_hash
from app.core.query.model import Flag, Query
from app.core.query.text import format, format_query, parse, parse_query
from tests.cohorts import CATALOGUE, CLINICAL


@pytest.mark.parametrize(
    ("text", "form"),
    [
        # one variable
        ("not not smoker", "smoker"),
        ("smoker and smoker", "smoker"),
        ("smoker and not smoker", "nobody"),
        ("smoker or not smoker", "everyone"),
        ("stage in {}", "nobody"),
        ("stage in {I, II, III, IV}", "stage known"),
        ("stage in {I, II} and stage in {II, III}", "stage = II"),
        ("stage = I or stage = III", "stage in {I, III}"),
        ("stage known and not stage = I", "stage in {II, III, IV}"),
        ("not stage = I", "not stage = I"),
        ("not stage = I and not stage in {II, III}", "not stage in {I, II, III}"),
        ("not stage in {I, II} or stage = I", "not stage = II"),
        ("age >= 50 and age < 70", "age in [50, 70)"),
        ("age in [40, 60) or age in [50, 70)", "age in [40, 70)"),
        ("age < 50 or age >= 50", "age known"),
        ("age < 50 and age >= 50", "nobody"),
        ("not age >= 50", "not age >= 50"),
        ("not age >= 50 and age known", "age < 50"),
        ("not age >= 50 or not age < 70", "not age in [50, 70)"),
        ("not age known or age < 50", "not age >= 50"),
        ("age < 50 or age >= 70", "age < 50 or age >= 70"),
        ("age known and not age in [50, 70)", "age < 50 or age >= 70"),
        ("not age < 50 and not age >= 70", "not age known or age in [50, 70)"),
        (
            "(not age known or age >= 40) and (smoker or not age in [50, 60))",
            "not age < 40 and (not age in [50, 60) or smoker)",
        ),
        (
            "(not age known or age >= 40) and (smoker or age >= 60 or age in [40, 50) or not age known)",
            "not age < 40 and (not age in [50, 60) or smoker)",
        ),
        ("age known and (smoker or not age in [50, 60))", "age known and (smoker or age >= 60 or age < 50)"),
        ("age >= 50 and (smoker or age < 60)", "(smoker or age in [50, 60)) and age >= 50"),
        # groups
        ("smoker and (dx:C50 and sex = male)", "dx:C50 and smoker and sex = male"),
        ("all(any(smoker))", "smoker"),
        ("everyone and smoker", "smoker"),
        ("nobody or smoker", "smoker"),
        ("nobody and smoker", "nobody"),
        ("not (smoker or not dx:C50)", "not smoker and dx:C50"),
        ("not (smoker and age >= 50)", "not smoker or not age >= 50"),
        ("smoker and (smoker or dx:C50)", "smoker"),
        ("smoker or smoker and dx:C50", "smoker"),
        ("smoker and (not smoker or dx:C50)", "dx:C50 and smoker"),
        ("smoker or not smoker and dx:C50", "dx:C50 or smoker"),
        ("age >= 50 and (age >= 40 or dx:C50)", "age >= 50"),
        ("age >= 50 and (age < 70 or dx:C50)", "(dx:C50 or age in [50, 70)) and age >= 50"),
        ("(smoker or dx:C50) and (dx:C50 or smoker)", "dx:C50 or smoker"),
        ("(smoker or dx:C50) and not (smoker or dx:C50)", "nobody"),
    ],
)
def test_canonical_forms(text: str, form: str) -> None:
    assert format(canonical(parse(text, CATALOGUE), CATALOGUE), CATALOGUE) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("diagnosed >= 2018-12 and diagnosed < 2019-02", "diagnosed in [2018-12, 2019-02)"),
        ("diagnosed in [2018-11, 2019-01) or diagnosed in [2018-12, 2019-02)", "diagnosed in [2018-11, 2019-02)"),
        ("diagnosed < 2019-01 or diagnosed >= 2019-01", "diagnosed known"),
        ("not diagnosed >= 2019-01 and diagnosed known", "diagnosed < 2019-01"),
        ("os known and not os known", "nobody"),
        # an event that happened has a first time, a last time and a number of times
        ("first relapse >= -2 months", "relapse occurs"),
        ("last relapse < 3 months", "relapse occurs"),
        ("first relapse < 1 month or first relapse >= 1 month", "relapse occurs"),
        ("not (first relapse < 1 month or first relapse >= 1 month)", "not relapse occurs"),
        ("first relapse < 1 month and relapse occurs", "first relapse < 1 month"),
        ("first relapse < 1 month or relapse occurs", "relapse occurs"),
        ("not first relapse < 1 month and relapse occurs", "first relapse >= 1 month"),
        (
            "not first relapse < 1 month and last relapse < 2 months",
            "last relapse < 2 months and first relapse >= 1 month",
        ),
        ("first relapse < 1 month and not relapse occurs", "nobody"),
        ("last relapse < 1 month or not relapse occurs", "not last relapse >= 1 month"),
        ("first relapse >= 3 months", "nobody"),
        ("last rx:L01 < 0 months", "nobody"),
        ("relapse at least 2 times and relapse at least 5 times", "relapse at least 5 times"),
        ("not relapse at least 2 times and relapse occurs", "not relapse at least 2 times and relapse occurs"),
        ("relapse at least 2 times or not relapse at least 5 times", "everyone"),
        (
            "relapse occurs and (smoker or not relapse at least 2 times)",
            "(not relapse at least 2 times or smoker) and relapse occurs",
        ),
        # relations: the horizons are [-2, 3) and [0, 4) months
        ("last rx:L01 after first relapse by at least 1 month", "first relapse before last rx:L01"),
        ("first relapse before last rx:L01 by at most 5 months", "first relapse before last rx:L01"),
        (
            "first relapse before last rx:L01 by at most 4 months",
            "first relapse before last rx:L01 by at most 4 months",
        ),
        ("first relapse before last rx:L01 by at least 6 months", "nobody"),
        ("first rx:L01 before last relapse by at most 9 months", "first rx:L01 before last relapse"),
        ("first rx:L01 before last relapse by at least 3 months", "nobody"),
        ("first relapse before last rx:L01 by at most 0 months", "nobody"),
        ("last relapse before first relapse", "nobody"),
        ("last rx:L01 within 9 months of first relapse", "first relapse within 5 months of last rx:L01"),
        ("last relapse within 9 months of first relapse", "relapse occurs"),
        ("last relapse within 1 month of first relapse", "first relapse within 1 month of last relapse"),
        ("not not first relapse before last relapse", "first relapse before last relapse"),
        ("smoker and first relapse before last relapse and smoker", "smoker and first relapse before last relapse"),
        (
            "first relapse before last relapse and (smoker or last relapse after first relapse)",
            "first relapse before last relapse",
        ),
        ("first relapse before last relapse or not last relapse after first relapse", "everyone"),
    ],
)
def test_canonical_forms_of_times(text: str, form: str) -> None:
    found = canonical(parse(text, CLINICAL), CLINICAL)
    assert format(found, CLINICAL) == form
    assert canonical(found, CLINICAL) == found


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("table stage x sex where not not smoker", "table sex x stage where smoker"),
        ("table stage x age at 40, 50, 60, 70", "table age x stage"),
        ("summary height, bmi", "summary bmi, height"),
        ("correlate height, smoker, bmi", "correlate bmi, height, smoker"),
        ("regress height on smoker, bmi", "regress height on bmi, smoker"),
        ("compare bmi by age at 50", "compare bmi by age at 50"),
        ("survival os over 6 months in steps of 1 month", "survival os"),
        ("survival os over 1 year in steps of 2 months", "survival os in steps of 2 months"),
        ("attrition where smoker and (age < 50 or age >= 50)", "attrition where smoker and age known"),
        ("attrition where smoker and smoker", "attrition where smoker and smoker"),
    ],
)
def test_canonical_queries(text: str, form: str) -> None:
    assert format_query(canonical_query(parse_query(text, CLINICAL), CLINICAL), CLINICAL) == form


def test_unknown_variables_are_refused() -> None:
    with pytest.raises(UserError, match="query.no_such_variable"):
        canonical(Flag("xyzzy"), CATALOGUE)


def _hash(text: str, catalogue: Catalogue = CATALOGUE) -> bytes:
    return query_hash(Query(parse(text, catalogue)), catalogue)


def test_equal_questions_have_one_hash_and_others_have_not() -> None:
    assert _hash("smoker and age >= 50") == _hash("not (not age >= 50 or not smoker)")
    different = ["smoker", "not smoker", "age >= 50", "not age >= 50", "age < 50", "not age < 50", "everyone", "nobody"]
    assert len({_hash(text) for text in different}) == len(different)
    assert len(_hash("smoker")) == 32


def test_the_hash_goes_with_the_meaning_of_the_variables_used() -> None:
    age = CATALOGUE.variable("age")
    others = tuple(each for each in CATALOGUE if each.code != "age")
    changed = Catalogue("Other", 2, (*others, replace(age, cut_points=(*age.cut_points, Decimal(80)))))
    assert _hash("smoker", changed) == _hash("smoker")
    assert _hash("age >= 50", changed) != _hash("age >= 50")


def test_a_checked_in_hash_stays() -> None:
    """Another hash would give other noise to questions that were answered before."""
    assert _hash("sex = female and age >= 50 and (dx:C50 or stage in {III, IV}) and not smoker").hex() == (
        "b03f9dd442f110b78cdc0d932f7a321043ae3cf40bf3cfc2d572ac8ba53cb48f"
    )
