"""What one patient can change, by brute force: the noise of every analysis is enough for it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.catalogue.scales import FollowUp
from app.core.disclosure.noise import laplace_scale
from app.core.disclosure.sensitivity import sensitivities
from app.core.errors import UserError
from app.core.query.analyses import (
    Analysis,
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Count,
    Grouping,
    Histogram,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.core.query.canonical import canonical_query
from app.core.query.cells import Cells, cells_of
from app.core.query.model import All, Query
from app.core.query.oracle import Row, cell_numbers
from tests.cohorts import CLINICAL, patients
from tests.queries import QUERIES

EPSILON = Fraction(1, 3)
EVERYONE: Row = {
    "smoker": True,
    "dx:C50": False,
    "sex": "female",
    "stage": "II",
    "age": 55,
    "bmi": Decimal(60),
    "height": Decimal(230),
    "diagnosed": date(2018, 12, 5),
    "os": FollowUp(Decimal(40), event=True),
}
LEAST: Row = {**EVERYONE, "smoker": False, "bmi": Decimal(10), "height": Decimal(100)}
"""Has every value, the least or the greatest: whose products are farthest from the middle."""


def loss(cells: Cells, before: list[Row], after: list[Row]) -> Fraction:
    """The privacy that telling these two apart takes: Σ |change of a cell| / scale of its noise."""
    numbers = [cell_numbers(cells, rows, CLINICAL) for rows in (before, after)]
    scales = [laplace_scale(EPSILON, each) for each in sensitivities(cells)]
    changes = (abs(one - other) for one, other in zip(*numbers, strict=True))
    return sum((change / scale for change, scale in zip(changes, scales, strict=True)), Fraction(0))


def changes(cells: Cells, patient: Row) -> list[int]:
    """How much one patient changes each part in all: Σ |what is added to a cell|, whoever else there is."""
    added = cell_numbers(cells, [patient], CLINICAL)
    return [sum(abs(added[cell]) for cell in part.cells) for part in cells.parts]


def opened(query: Query) -> Cells | None:
    try:
        return cells_of(canonical_query(query, CLINICAL), CLINICAL)
    except UserError as error:
        if error.code in ("query.too_many_groups", "query.too_many_results"):
            return None
        raise


def check(query: Query, rows: list[Row], patient: Row) -> None:
    cells = opened(query)
    if cells is None:
        return
    assert sorted(cell for part in cells.parts for cell in part.cells) == list(range(len(cells.cells)))
    assert loss(cells, rows, [*rows, patient]) <= EPSILON
    before, after = (cell_numbers(cells, each, CLINICAL) for each in ([*rows, patient], rows))
    for part in cells.parts:
        assert sum(abs(before[cell] - after[cell]) for cell in part.cells) <= part.sensitivity


@settings(max_examples=400, deadline=None)
@given(query=QUERIES, seed=st.integers(0, 10**6))
def test_one_patient_costs_no_more_than_epsilon(query: Query, seed: int) -> None:
    *rows, patient = patients(4, seed, CLINICAL)
    check(query, rows, patient)
    for extreme in (EVERYONE, LEAST):
        check(query, rows, extreme)


ANALYSES: list[Analysis] = [
    Attrition(),
    Summary(("bmi", "height", "age")),
    Compare("bmi", Grouping("smoker")),
    Correlate(("bmi", "height", "smoker", "dx:C50")),
    Regress("height", ("bmi", "smoker")),
    Survival("os", Grouping("stage")),
    Survival("os", None, Decimal("60.875")),
    Table(Grouping("age", (Decimal(50),)), Grouping("diagnosed")),
]


@pytest.mark.parametrize("analysis", ANALYSES)
@pytest.mark.parametrize("patient", [EVERYONE, LEAST])
def test_whoever_has_most_to_lose_is_counted_and_loses_no_more(analysis: Analysis, patient: Row) -> None:
    cells = opened(Query(All(()), analysis))
    assert cells is not None
    assert 0 < loss(cells, [], [patient]) <= EPSILON


ALL_TEN: list[Analysis] = [*ANALYSES, Count(), Breakdown("sex"), Breakdown("smoker"), Histogram("age")]


def examples() -> list[Row]:
    """The two extremes, everything between for the numbers that are kept exactly, and nothing known at all."""
    found: list[Row] = [*({**row, "dx:C50": has} for row in (EVERYONE, LEAST) for has in (False, True)), {}]
    for code in ("bmi", "height"):
        digits = CLINICAL.variable(code).digits
        assert digits is not None
        found += [{**EVERYONE, code: digits.minimum + n * digits.step} for n in range(digits.largest + 1)]
    return found


def test_all_ten_analyses_are_here() -> None:
    assert {type(each) for each in ALL_TEN} == set(get_args(Analysis))


@pytest.mark.parametrize("analysis", ALL_TEN)
def test_the_sensitivity_of_every_part_is_reached_and_never_passed(analysis: Analysis) -> None:
    """No noise is wasted, and none is missing: one patient changes each part by its sensitivity at the most."""
    cells = opened(Query(All(()), analysis))
    assert cells is not None
    found = [max(each) for each in zip(*(changes(cells, row) for row in examples()), strict=True)]
    for part, reached in zip(cells.parts, found, strict=True):
        assert reached <= part.sensitivity
        if not any("square" in cells.cells[cell].label for cell in part.cells):
            assert reached == part.sensitivity  # the last digit of a square is never 31: no square is 31 modulo 32


def test_who_meets_every_criterion_costs_all_of_epsilon() -> None:
    """The scale is no larger than it must be."""
    cells = opened(Query(All(()), Attrition()))
    assert cells is not None
    assert loss(cells, [], [EVERYONE]) == EPSILON
