"""What ``query explain`` tells programs and people."""

from __future__ import annotations

import json

import pytest

from app.core.crypto.parameters import STANDARD_1
from app.core.errors import UserError
from app.core.query.explaining import Explanation, explain, supposed_dataset
from app.core.query.planner import Openers
from app.core.query.text import parse_query
from tests.cohorts import CATALOGUE


def explained(text: str, residues: int = 5) -> Explanation:
    dataset = supposed_dataset(CATALOGUE, STANDARD_1, residues, blocks=8)
    return explain(parse_query(text, CATALOGUE), CATALOGUE, dataset, Openers(3, 2))


def test_structure() -> None:
    plain = explained("not (not smoker or not age >= 50)").to_plain()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["text"] == "not (not smoker or not age >= 50)"
    assert plain["canonical"] == explained("age >= 50 and smoker").to_plain()["canonical"]
    assert plain["hash"] == explained("age >= 50 and smoker").to_plain()["hash"]
    plan = plain["plan"]
    assert isinstance(plan, dict)
    assert plan["columns"] == [
        {"variable": "smoker", "part": "has", "residues": 3},
        {"variable": "age", "part": "ge:50", "residues": 3},
    ]
    assert (plan["products"], plan["levels"], plan["residues"], plan["release_level"]) == (1, 1, 3, 3)


def test_a_linear_query_has_no_final_product() -> None:
    plan = explained("age >= 50").to_plain()["plan"]
    assert isinstance(plan, dict)
    assert plan["finals"] == []


def test_an_analysis_says_how_many_numbers_it_opens() -> None:
    plain = explained("table stage x sex where smoker").to_plain()
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["cells"], plain["analysis"]) == (8, ["table", ["stage"], ["sex"]])
    assert plain["canonical"] == explained("table stage x sex where smoker and smoker").to_plain()["canonical"]
    plan = plain["plan"]
    assert isinstance(plan, dict)
    assert (plan["results"], sum(final["count"] for final in plan["finals"])) == (8, 8)


def test_what_does_not_fit_is_refused_before_anything_runs() -> None:
    deep = "smoker or dx:C50 or sex = male or stage = I or age < 40 or lab:crp >= 2.25"
    with pytest.raises(UserError, match="query.needs_more_residues"):
        explained(deep, 4)
    assert explained(deep, 6).plan.residues <= 6
