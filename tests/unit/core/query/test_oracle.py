from __future__ import annotations

import pytest

from app.core.errors import Bug, UserError
from app.core.query.oracle import Row, count, matches
from app.core.query.text import parse
from tests.cohorts import CATALOGUE

OLD: Row = {"age": 72, "sex": "female", "smoker": True}
YOUNG: Row = {"age": 49.5, "sex": "male", "smoker": False}
UNKNOWN: Row = {"age": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age >= 50", [True, False, False]),
        ("age < 50", [False, True, False]),
        ("not age >= 50", [False, True, True]),
        ("not age < 50", [True, False, True]),
        ("age in [40, 50)", [False, True, False]),
        ("age known", [True, True, False]),
        ("not age known", [False, False, True]),
        ("smoker", [True, False, False]),
        ("not smoker", [False, True, True]),
        ("sex = female", [True, False, False]),
        ("not sex = female", [False, True, True]),
        ("sex in {}", [False, False, False]),
        ("everyone", [True, True, True]),
        ("nobody", [False, False, False]),
        ("sex = male or age >= 70", [True, True, False]),
        ("sex = male and age >= 70", [False, False, False]),
    ],
)
def test_who_matches(text: str, expected: list[bool]) -> None:
    cohort = parse(text, CATALOGUE)
    assert [matches(cohort, row, CATALOGUE) for row in (OLD, YOUNG, UNKNOWN)] == expected
    assert count(cohort, [OLD, YOUNG, UNKNOWN], CATALOGUE) == sum(expected)


def test_a_bound_belongs_to_the_range_above_it() -> None:
    assert matches(parse("lab:crp >= 0.3", CATALOGUE), {"lab:crp": 0.3}, CATALOGUE)
    assert not matches(parse("lab:crp < 0.3", CATALOGUE), {"lab:crp": 0.3}, CATALOGUE)


def test_what_cannot_be_answered() -> None:
    with pytest.raises(Bug, match="query.oracle_value"):
        matches(parse("age >= 50", CATALOGUE), {"age": "old"}, CATALOGUE)
    from app.core.query.model import Flag

    with pytest.raises(UserError, match="catalogue.unknown_variable"):
        matches(Flag("nothing"), {}, CATALOGUE)
