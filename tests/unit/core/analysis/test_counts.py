"""Counts, breakdowns, funnels and tables; scipy's chi² and Fisher's test on the same table."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from app.core.analysis.analyse import Numbers, analyse
from app.core.analysis.results import AttritionResult, CountResult, Estimate, GroupsResult, Result, TableResult
from app.core.errors import Bug
from app.core.query.analyses import Analysis, Attrition, Breakdown, Count, Grouping, Histogram, Table
from app.core.query.cells import UNKNOWN, cells_of
from app.core.query.model import EVERYONE, All, Flag, Levels, Query
from tests.analysed import clear_numbers, gbsg2, lung

FUNNEL = Query(All((Levels("sex", frozenset(["female"])), Flag("old"))), Attrition())


def of(query: Query, values: tuple[int, ...], scale: int = 0, sites: int = 3, confidence: float = 0.95) -> Result:
    cells = cells_of(query, lung().catalogue)
    scales = (Fraction(scale),) * len(values) if scale else ()
    return analyse(query, lung().catalogue, Numbers(cells, values, scales, sites), confidence)


def exactly(count: int) -> Estimate:
    return Estimate(count, count, count)


def test_a_count_without_noise_is_exact() -> None:
    result = of(Query(EVERYONE), (228,))
    assert result == CountResult(exactly(228), 228)


def test_a_noised_count_says_how_far_noise_reaches() -> None:
    result = of(Query(EVERYONE), (228,), scale=2, confidence=0.99)
    assert isinstance(result, CountResult)
    assert (result.noise_width, result.adjusted, result.notes) == (14, False, ("noised",))
    assert result.count == Estimate(228, 214, 242)


def test_nobody_is_the_least_that_can_be() -> None:
    result = of(Query(EVERYONE), (-4,), scale=2)
    assert isinstance(result, CountResult)
    assert (result.count, result.raw, result.adjusted) == (Estimate(0, 0, 6), -4, True)
    assert "noise_clipped" in result.notes


def test_groups_add_up_to_the_total() -> None:
    result = analyse(
        Query(EVERYONE, Breakdown("ecog")), lung().catalogue, clear_numbers(Query(EVERYONE, Breakdown("ecog")), lung())
    )
    assert isinstance(result, GroupsResult)
    assert [(each.key, each.count) for each in result.groups] == [
        ("0", exactly(63)),
        ("1", exactly(113)),
        ("2", exactly(50)),
        ("3", exactly(1)),
        (UNKNOWN, exactly(1)),
    ]
    assert result.total == exactly(228)
    assert sum(each.share or 0 for each in result.groups) == pytest.approx(1)


def test_noised_groups_are_consistent() -> None:
    result = of(Query(EVERYONE, Histogram("age")), (20, -3, 40, 45, 44, 57, -1), scale=1)
    assert isinstance(result, GroupsResult)
    counts = [each.count.value for each in result.groups]
    assert counts == [20, 0, 39, 44, 43, 56, 0]
    assert [each.raw for each in result.groups] == [20, -3, 40, 45, 44, 57, -1]
    assert result.total.value == sum(each for each in counts if each is not None) == 202
    assert result.adjusted
    for each in result.groups:
        assert each.count.low is not None
        assert each.count.high is not None
        assert 0 <= each.count.low <= max(0, each.raw) <= each.count.high


def test_an_empty_breakdown_has_no_shares() -> None:
    result = of(Query(EVERYONE, Breakdown("sex")), (0, 0, 0))
    assert isinstance(result, GroupsResult)
    assert {each.share for each in result.groups} == {None}


def test_a_funnel() -> None:
    numbers = clear_numbers(FUNNEL, lung())
    result = analyse(FUNNEL, lung().catalogue, numbers)
    assert isinstance(result, AttritionResult)
    assert [step.count.value for step in result.steps] == [228, 90, 33]
    assert result.steps[1].share == pytest.approx(90 / 228)


def test_a_noised_funnel_never_grows() -> None:
    result = of(FUNNEL, (100, 108, -2), scale=2)
    assert isinstance(result, AttritionResult)
    assert [step.count.value for step in result.steps] == [104, 104, 0]
    assert [step.raw for step in result.steps] == [100, 108, -2]


# --- tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "rows", "columns"),
    [
        (lung, "sex", "old"),
        (lung, "sex", "ecog"),
        (lung, "ecog", "age"),
        (gbsg2, "grade", "therapy"),
        (gbsg2, "grade", "size"),
    ],
)
def test_chi2_is_that_of_scipy(study: object, rows: str, columns: str) -> None:
    assert callable(study)
    query = Query(EVERYONE, Table(Grouping(rows), Grouping(columns)))
    result = analyse(query, study().catalogue, clear_numbers(query, study()))
    assert isinstance(result, TableResult)
    counts = np.array([[cell.value for cell in row] for row in result.cells], float)
    frame = study().frame(30)
    assert result.total.value == counts.sum() == len(frame[[rows, columns]].dropna())
    assert [each.value for each in result.row_totals] == counts.sum(1).tolist()
    assert [each.value for each in result.column_totals] == counts.sum(0).tolist()
    used = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    expected = stats.chi2_contingency(used, correction=False)
    assert result.chi2 is not None
    assert (result.chi2.statistic, result.chi2.p, result.chi2.df) == pytest.approx(
        (expected.statistic, expected.pvalue, expected.dof)
    )
    assert result.cramers_v == pytest.approx(stats.contingency.association(used.astype(int), "cramer"))
    assert ("small_expected_counts" in result.notes) == (expected.expected_freq.min() < 5)
    if counts.shape == (2, 2):
        assert result.fisher is not None
        assert result.fisher.p == pytest.approx(stats.fisher_exact(counts.astype(int)).pvalue)
    else:
        assert result.fisher is None


TWO_BY_TWO = Query(EVERYONE, Table(Grouping("sex"), Grouping("old")))


@pytest.mark.parametrize("values", [(0, 0, 0, 0), (3, 0, 5, 0), (0, 0, 0, 4)])
def test_tables_with_one_row_or_column_have_no_test(values: tuple[int, ...]) -> None:
    result = of(TWO_BY_TWO, values)
    assert isinstance(result, TableResult)
    assert (result.chi2, result.cramers_v, result.fisher) == (None, None, None)
    assert {"too_few", "empty_left_out"} <= set(result.notes)


def test_odds_that_are_infinite_are_not_said() -> None:
    result = of(TWO_BY_TWO, (5, 0, 0, 7))
    assert isinstance(result, TableResult)
    assert result.fisher is not None
    assert result.fisher.statistic is None
    assert result.fisher.p == pytest.approx(stats.fisher_exact([[5, 0], [0, 7]]).pvalue)


def test_noise_has_no_exact_test_and_less_evidence() -> None:
    values = (67, 71, 33, 57)
    exact, noisy = of(TWO_BY_TWO, values), of(TWO_BY_TWO, values, scale=3)
    assert isinstance(exact, TableResult)
    assert isinstance(noisy, TableResult)
    assert noisy.fisher is None
    assert {"fisher_needs_exact", "noise_in_tests"} <= set(noisy.notes)
    assert exact.chi2 is not None
    assert noisy.chi2 is not None
    assert noisy.chi2.p > exact.chi2.p  # type: ignore[operator]


@pytest.mark.parametrize("query", [TWO_BY_TWO, Query(EVERYONE, Table(Grouping("ecog"), Grouping("age")))])
def test_next_to_no_noise_is_pearson_s_chi2(query: Query) -> None:
    clear = clear_numbers(query, lung())
    values = tuple(value + 8 for value in clear.values)  # no empty rows
    noisy = Numbers(clear.cells, values, (Fraction(1, 30),) * len(values), 1)
    found = [analyse(query, lung().catalogue, numbers) for numbers in (noisy, Numbers(clear.cells, values))]
    one, other = found
    assert isinstance(one, TableResult)
    assert isinstance(other, TableResult)
    assert one.chi2 is not None
    assert other.chi2 is not None
    assert one.chi2.statistic == pytest.approx(other.chi2.statistic)
    assert one.chi2.df == other.chi2.df


def test_the_chi2_of_noised_tables_rejects_as_often_as_it_says() -> None:
    """Independent rows and columns, 2,000 noised tables; Pearson's own would reject three times as often."""
    source = np.random.default_rng(4)
    chances = np.outer([0.6, 0.4], [0.7, 0.3]).ravel()
    rejected = 0
    for _ in range(2000):
        counts = source.multinomial(400, chances)
        noise = source.negative_binomial(3, 1 - math.exp(-1 / 4), (2, 4))
        values = tuple(map(int, counts + noise[0] - noise[1]))
        result = of(TWO_BY_TWO, values, scale=4)
        assert isinstance(result, TableResult)
        assert result.chi2 is not None
        assert result.chi2.p is not None
        rejected += result.chi2.p < 0.05
    assert rejected / 2000 == pytest.approx(0.05, abs=0.015)


# --- what cannot be -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", [0.0, 1.0, 2.0])
def test_a_confidence_that_is_none(confidence: float) -> None:
    with pytest.raises(Bug, match=r"analysis\.confidence"):
        of(Query(EVERYONE), (1,), confidence=confidence)


@pytest.mark.parametrize(
    ("values", "scales"), [((), ()), ((1, 2), ()), ((1,), (Fraction(1),) * 2), ((1,), (Fraction(0),))]
)
def test_numbers_that_do_not_fit_their_cells(values: tuple[int, ...], scales: tuple[Fraction, ...]) -> None:
    with pytest.raises(Bug, match=r"analysis\.numbers"):
        Numbers(cells_of(Query(EVERYONE), lung().catalogue), values, scales, 1)


@pytest.mark.parametrize("asked", [Count(), Breakdown("sex")])
def test_exact_numbers_have_no_noise_width(asked: Analysis) -> None:
    query = Query(EVERYONE, asked)
    result = analyse(query, lung().catalogue, clear_numbers(query, lung()))
    assert result.noise_width is None
    assert result.notes == ()
