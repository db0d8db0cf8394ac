from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression, minimize

from app.core.analysis.fitting import ascending, descending, exclusive, ordered

COUNTS = st.lists(st.integers(-50, 200), max_size=12)


@given(COUNTS)
def test_groups_are_whole_non_negative_and_keep_their_total(values: list[int]) -> None:
    fitted = exclusive(values)
    assert min(fitted, default=0) >= 0
    assert sum(fitted) == max(0, sum(values))
    assert all(a <= b for (v, a), (w, b) in pairwise(sorted(zip(values, fitted, strict=True))) if v < w)


def test_groups_are_the_nearest_by_least_squares() -> None:
    values = [40, -9, 3, 25, -2, 1]
    best = minimize(
        lambda x: ((x - values) ** 2).sum(),
        np.full(6, sum(values) / 6),
        bounds=[(0, None)] * 6,
        constraints={"type": "eq", "fun": lambda x: x.sum() - sum(values)},
    )
    assert exclusive(values) == pytest.approx(best.x, abs=1)


@given(COUNTS)
def test_running_totals_are_the_nearest_that_rise(values: list[int]) -> None:
    fitted = ordered(values)
    assert min(fitted, default=0) >= 0
    if values:
        best = np.maximum(isotonic_regression(np.cumsum(values)).x, 0)
        assert np.abs(np.cumsum(fitted) - best).max() <= 0.5


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_pooling_is_isotonic_regression(values: list[float]) -> None:
    assert ascending(values) == pytest.approx(isotonic_regression(values).x, rel=1e-9, abs=1e-6)


@given(COUNTS)
def test_funnels_never_grow(values: list[int]) -> None:
    fitted = descending(values)
    assert all(before >= after >= 0 for before, after in pairwise([*fitted, 0]))


@given(st.lists(st.integers(0, 200), max_size=12))
def test_consistent_counts_stay_as_they_are(values: list[int]) -> None:
    assert exclusive(values) == ordered(values) == values
    funnel = list(accumulate(values))[::-1]
    assert descending(funnel) == funnel
