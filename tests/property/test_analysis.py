"""Whatever numbers are opened, every analysis has a result of finite numbers and None, that JSON keeps as it is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.analysis.analyse import Numbers, analyse
from app.core.analysis.results import NOTES, Curve, Estimate, Result, SurvivalResult, from_plain, to_plain
from app.core.analysis.rows import tables_of
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
from app.core.query.cells import cells_of
from app.core.query.model import EVERYONE, All, Flag, Levels, Query
from tests.analysed import MONTH, lung

ANALYSES: list[Analysis] = [
    Count(),
    Attrition(),
    Breakdown("ecog"),
    Histogram("age"),
    Table(Grouping("sex"), Grouping("old")),
    Table(Grouping("sex"), Grouping("ecog")),
    Summary(("age", "loss")),
    Compare("age", Grouping("sex")),
    Correlate(("age", "loss", "old")),
    Regress("loss", ("age", "old")),
    Survival("os", None, 8 * MONTH),
    Survival("os", Grouping("sex"), 8 * MONTH),
    Survival("os", Grouping("ecog"), 6 * MONTH, 2 * MONTH),
]
COHORT = All((Levels("sex", frozenset(["female"])), Flag("old")))


def numbers_for(query: Query, values: st.SearchStrategy[int]) -> st.SearchStrategy[Numbers]:
    cells = cells_of(query, lung().catalogue)
    count = len(cells.cells)
    exact = st.just(())
    noised = st.lists(st.sampled_from([Fraction(1, 9), Fraction(2), Fraction(90)]), min_size=count, max_size=count)
    return st.builds(
        lambda drawn, scales, sites: Numbers(cells, tuple(drawn), tuple(scales), sites),
        st.lists(values, min_size=count, max_size=count),
        exact | noised,
        st.integers(1, 5),
    )


SMALL, LARGE = st.integers(0, 3), st.integers(-100, 20_000)


@pytest.mark.parametrize("values", [SMALL, LARGE, SMALL | LARGE], ids=["small", "large", "both"])
@pytest.mark.parametrize("asked", ANALYSES, ids=lambda asked: asked.name)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_numbers_give_a_result(asked: Analysis, values: st.SearchStrategy[int], data: st.DataObject) -> None:
    query = Query(COHORT if isinstance(asked, Attrition) else EVERYONE, asked)
    numbers = data.draw(numbers_for(query, values))
    result = analyse(query, lung().catalogue, numbers, data.draw(st.sampled_from([0.5, 0.95, 0.99, 0.9999])))
    check(result)
    assert analyse(query, lung().catalogue, numbers, result.confidence) == result


def check(result: Result) -> None:
    plain = to_plain(result)
    for value in numbers_in(json.loads(json.dumps(plain, allow_nan=False))):
        assert math.isfinite(value)
    assert from_plain(json.loads(json.dumps(plain))) == result, "a value that is not finite became None"
    assert set(result.notes) <= set(NOTES)
    for estimate in estimates_in(result):
        if estimate.value is not None and estimate.low is not None:
            assert estimate.low <= estimate.value + 1e-9 * abs(estimate.value)
        if estimate.value is not None and estimate.high is not None:
            assert estimate.value - 1e-9 * abs(estimate.value) <= estimate.high
    if isinstance(result, SurvivalResult):
        for curve in result.curves:
            check_curve(curve)
    for table in tables_of(result).values():
        assert {len(row) for row in table.rows} <= {len(table.columns)}


def check_curve(curve: Curve) -> None:
    kept = [value for value in curve.survival if value is not None]
    assert all(0 <= after <= before <= 1 for before, after in zip([1.0, *kept], kept, strict=False))
    for low, value, high in zip(curve.loglog_low, curve.survival, curve.loglog_high, strict=True):
        if value is not None and low is not None:
            assert 0 <= low <= value + 1e-12
        if value is not None and high is not None:
            assert value <= high + 1e-12 <= 1 + 1e-9


def numbers_in(plain: Any) -> Iterator[float]:
    if isinstance(plain, dict):
        plain = list(plain.values())
    if isinstance(plain, list):
        for each in plain:
            yield from numbers_in(each)
    elif isinstance(plain, int | float):
        yield plain


def estimates_in(value: Any) -> Iterator[Estimate]:
    if isinstance(value, Estimate):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from estimates_in(each)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from estimates_in(getattr(value, name))
