from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from app.core.catalogue.scales import FollowUp
from app.core.errors import Bug, UserError
from app.core.query.cells import UNKNOWN as UNKNOWN_LABEL
from app.core.query.cells import cells_of
from app.core.query.oracle import Row, count, matches, numbers
from app.core.query.text import parse, parse_query
from tests.cohorts import CATALOGUE, CLINICAL

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


DAYS = tuple(map(Decimal, ("-70", "-1", "0", "45", "60", "95")))
"""Of an event from day −60.875 to day 91.3125, in periods of 30.4375 days: four times, in periods −1, 0, 1 and 1."""
TREATED: Row = {"relapse": DAYS, "rx:L01": (Decimal("30.4375"), Decimal("121.7"))}
NEVER: Row = {"relapse": (), "diagnosed": date(2019, 1, 31), "os": FollowUp(Decimal(900), event=False)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("relapse occurs", [True, False, False]),
        ("relapse at least 3 times", [True, False, False]),
        ("relapse at least 5 times", [False, False, False]),
        ("not relapse at least 5 times", [True, True, True]),
        ("first relapse in [-1, 0) months", [True, False, False]),
        ("first relapse >= 0 months", [False, False, False]),
        ("last relapse in [1, 2) months", [True, False, False]),
        ("not last relapse in [1, 2) months", [False, True, True]),
        ("first relapse before first rx:L01", [True, False, False]),
        ("first relapse before first rx:L01 by at least 2 months", [True, False, False]),
        ("first relapse before first rx:L01 by at least 3 months", [False, False, False]),
        ("first relapse before first rx:L01 by at most 1 month", [False, False, False]),
        ("last relapse before first rx:L01", [False, False, False]),  # in one period
        ("first rx:L01 within 0 days of last relapse", [True, False, False]),
        ("not first rx:L01 within 0 days of last relapse", [False, True, True]),
        ("last rx:L01 within 1 month of first relapse", [False, False, False]),
        ("last rx:L01 within 4 months of first relapse", [True, False, False]),
        ("diagnosed = 2019-01", [False, True, False]),
        ("diagnosed < 2019-01", [False, False, False]),
        ("os known", [False, True, False]),
    ],
)
def test_who_matches_in_time(text: str, expected: list[bool]) -> None:
    cohort = parse(text, CLINICAL)
    assert [matches(cohort, row, CLINICAL) for row in (TREATED, NEVER, UNKNOWN)] == expected


def test_what_an_analysis_opens() -> None:
    rows: list[Row] = [
        {"sex": "male", "height": 170, "smoker": True, "os": FollowUp(Decimal(31), event=True)},
        {"sex": "female", "height": 160, "smoker": True, "os": FollowUp(Decimal(999), event=True)},
        {"sex": "female", "height": 163, "smoker": False},
        {"height": None},
    ]

    def opened(asked: str) -> dict[tuple[str, ...], int]:
        query = parse_query(asked, CLINICAL)
        labels = [cell.label for cell in cells_of(query, CLINICAL).cells]
        return dict(zip(labels, numbers(query, rows, CLINICAL), strict=True))

    assert opened("smoker") == {("count",): 2}
    assert opened("breakdown sex") == {("female",): 2, ("male",): 1, (UNKNOWN_LABEL,): 1}
    assert opened("table sex x smoker")[("female", "no")] == 1
    assert opened("attrition where smoker and sex = male") == {("step", "0"): 4, ("step", "1"): 2, ("step", "2"): 1}
    summary = opened("summary height where sex known")
    assert summary[("height", "between", "[160,161)")] == 1
    sums = [
        summary[("height", "sum", str(place))] * 32**place
        for place in (0, 1, 2)
        if ("height", "sum", str(place)) in summary
    ]
    assert sum(sums) == 70 + 60 + 63  # from the minimum of 100 cm, in steps of 1 cm
    followed = opened("survival os where smoker")
    assert followed[("", "event", "1")] == 1
    assert followed[("", "censored", "5")] == 1  # what comes after the horizon is censored at its end
    assert sum(followed.values()) == 2
