from __future__ import annotations

import json
import math
from typing import Any

import pytest

from app.core.analysis.results import (
    CountResult,
    Curve,
    CurvesTest,
    Estimate,
    GroupCount,
    HazardRatio,
    Quantile,
    Result,
    SummaryResult,
    SurvivalResult,
    TableResult,
    Test,
    VariableSummary,
    from_plain,
    to_plain,
)
from app.core.errors import ProtocolViolation

EXACT = Estimate(7, 7, 7)
CURVE = Curve(
    "female",
    EXACT,
    EXACT,
    EXACT,
    (30.4375, 60.875),
    (7, 3),
    (2, 1),
    (2, 2),
    0,
    (5 / 7, None),
    (0.1, None),
    (1.0, None),
    (0.2, None),
    (0.9, None),
    Estimate(60.875, None, None),
)
RESULTS: list[Result] = [
    CountResult(EXACT, 7),
    TableResult(
        "sex", "ecog", ("a",), ("0", "1"), ((EXACT, EXACT),), (EXACT,), (EXACT, EXACT), EXACT, Test(1.5, 0.2, 1)
    ),
    SummaryResult(
        (
            VariableSummary(
                "age", EXACT, None, None, (Quantile(0.5, 60.5, None, 65.0),), (GroupCount("[,50)", EXACT, None, -1),)
            ),
        ),
        0.99,
        True,
        12,
        ("noised",),
    ),
    SurvivalResult(
        "os",
        "sex",
        30.4375,
        (CURVE,),
        (CurvesTest("logrank", ("male", "female"), Test(11.0, 0.0009, 1)),),
        (),
        (HazardRatio("female", "male", Estimate(0.58, 0.4, 0.8), 0.001),),
    ),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.kind)
def test_a_result_goes_through_json_and_back(result: Result) -> None:
    text = json.dumps(to_plain(result), allow_nan=False)
    assert from_plain(json.loads(text)) == result


def test_what_is_not_finite_is_none() -> None:
    plain = to_plain(CountResult(Estimate(3, -math.inf, math.nan), 3))
    assert plain["count"] == {"value": 3, "low": None, "high": None}


def broken(**changes: Any) -> dict[str, Any]:
    return {**to_plain(CountResult(EXACT, 7)), **changes}


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        {},
        {"kind": "nothing"},
        {"kind": ["count"]},
        {"kind": "count"},
        broken(more=1),
        broken(raw="7"),
        broken(raw=True),
        broken(raw=7.0),
        broken(adjusted=1),
        broken(confidence=math.inf),
        broken(confidence=None),
        broken(count=[7, 7, 7]),
        broken(count={"value": 7, "low": 7}),
        broken(count={"value": "7", "low": 7, "high": 7}),
        broken(notes="noised"),
        broken(notes=[1]),
    ],
)
def test_anything_else_is_refused(plain: object) -> None:
    with pytest.raises(ProtocolViolation, match=r"query\.malformed"):
        from_plain(plain)
