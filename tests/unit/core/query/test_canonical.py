from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.query.canonical import canonical, query_hash
from app.core.query.model import Flag, Query
from app.core.query.text import format, parse
from tests.cohorts import CATALOGUE


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
