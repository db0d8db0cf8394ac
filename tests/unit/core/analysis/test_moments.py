"""Summaries, comparisons, correlations and regressions against numpy, scipy and statsmodels on the patients' rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from app.core.analysis.analyse import analyse
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import (
    CompareResult,
    CorrelateResult,
    Estimate,
    RegressResult,
    Result,
    SummaryResult,
)
from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.query.analyses import Analysis, Compare, Correlate, Grouping, Regress, Summary
from app.core.query.cells import cells_of
from app.core.query.model import EVERYONE, Cohort, Levels, Query
from tests.analysed import Columns, Study, clear_numbers, flag, gbsg2, lung, noised, number, rossi

DAYS = 30


def found(study: Study, asked: Analysis, confidence: float = 0.95, cohort: Cohort = EVERYONE) -> Result:
    query = Query(cohort, asked)
    return analyse(query, study.catalogue, clear_numbers(query, study), confidence)


def opened(study: Study, asked: Analysis, cells: dict[tuple[str, ...], int]) -> Result:
    """Return what these numbers say; cells that are not given are 0."""
    query = Query(EVERYONE, asked)
    wanted = cells_of(query, study.catalogue)
    numbers = Numbers(wanted, tuple(cells.get(cell.label, 0) for cell in wanted.cells))
    return analyse(query, study.catalogue, numbers)


def bounds(estimate: Estimate | None) -> tuple[float, float]:
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


# --- summary ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "code"), [(lung, "age"), (lung, "loss"), (lung, "karnofsky"), (gbsg2, "size"), (rossi, "prio")]
)
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_mean_and_deviation_are_those_of_the_rows(study: Callable[[], Study], code: str, confidence: float) -> None:
    result = found(study(), Summary((code,)), confidence)
    assert isinstance(result, SummaryResult)
    (summary,), values = result.variables, study().frame(DAYS)[code].dropna().astype(float)
    assert summary.n == Estimate(len(values), len(values), len(values))
    assert summary.mean is not None
    assert summary.mean.value == pytest.approx(values.mean(), rel=1e-12)
    expected = stats.t.interval(confidence, len(values) - 1, values.mean(), stats.sem(values))
    assert bounds(summary.mean) == pytest.approx(expected, rel=1e-9)
    assert summary.deviation is not None
    assert summary.deviation.value == pytest.approx(values.std(ddof=1), rel=1e-12)


@pytest.mark.parametrize(("study", "code"), [(lung, "age"), (lung, "loss"), (gbsg2, "size"), (rossi, "age")])
def test_quantiles_lie_in_the_interval_that_holds_them(study: Callable[[], Study], code: str) -> None:
    """Interpolated as numpy would in a histogram of the same intervals."""
    result = found(study(), Summary((code,)))
    assert isinstance(result, SummaryResult)
    variable, values = study().catalogue.variable(code), np.sort(study().frame(DAYS)[code].dropna().astype(float))
    assert variable.minimum is not None
    assert variable.maximum is not None
    edges = [float(each) for each in (variable.minimum, *variable.cut_points, variable.maximum)]
    reached = [int((values < edge).sum()) for edge in edges[:-1]] + [len(values)]
    for quantile in result.variables[0].quantiles:
        assert quantile.low is not None
        assert quantile.high is not None
        rank = math.ceil(quantile.level * len(values))
        assert quantile.low <= values[rank - 1] <= quantile.high
        inside = np.interp(quantile.level * len(values), reached, edges)
        assert quantile.value == pytest.approx(inside)
        assert (quantile.low, quantile.high) in list(zip(edges, edges[1:], strict=False))


def test_open_ends_have_no_bound() -> None:
    age = Variable("age", Kind.NUMBER, Label("Age"), cut_points=(Decimal(40), Decimal(65)))
    study = Study(Catalogue("open", 1, (age,)), tuple({"age": value} for value in (30, 50, 60, 61, 70)))
    result = found(study, Summary(("age",)))
    assert isinstance(result, SummaryResult)
    (summary,) = result.variables
    assert summary.mean is summary.deviation is None
    first, last = summary.quantiles[0], summary.quantiles[-1]
    assert (first.value, first.low, first.high) == (None, None, 40)
    assert (last.value, last.low, last.high) == (None, 65, None)
    assert summary.quantiles[2].value == pytest.approx(40 + 25 * (2.5 - 1) / 3)


@pytest.mark.parametrize("values", [(), (50,), (50, 50, 50)])
def test_too_few_for_an_interval(values: tuple[int, ...]) -> None:
    study = Study(lung().catalogue, tuple({"age": value} for value in (*values, None)))
    result = found(study, Summary(("age",)))
    assert isinstance(result, SummaryResult)
    (summary,) = result.variables
    assert summary.n.value == len(values)
    expected = {0: Estimate(), 1: Estimate(50), 3: Estimate(50, 50, 50)}[len(values)]
    assert summary.mean == expected
    assert ("no_spread" if len(values) == 3 else "too_few") in summary.notes
    assert summary.quantiles[2].value == (pytest.approx(52.5) if values else None)


# --- compare ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "code", "by"),
    [
        (lung, "age", Grouping("sex")),
        (lung, "loss", Grouping("old")),
        (lung, "karnofsky", Grouping("age", (Decimal(60),))),
        (gbsg2, "size", Grouping("therapy")),
        (rossi, "prio", Grouping("fin")),
    ],
)
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_welch(study: Callable[[], Study], code: str, by: Grouping, confidence: float) -> None:
    result = found(study(), Compare(code, by), confidence)
    assert isinstance(result, CompareResult)
    frame = study().frame(DAYS)
    first = {"sex": frame.get("sex") == "male", "age": frame["age"] < 60}.get(by.code, frame[by.code] == True)  # noqa: E712
    one, other = (frame[code][who].dropna().astype(float) for who in (first, ~first))
    expected = stats.ttest_ind(one, other, equal_var=False)
    interval = expected.confidence_interval(confidence)
    assert [group.n.value for group in result.groups] == [len(one), len(other)]
    assert [group.mean.value for group in result.groups] == pytest.approx([one.mean(), other.mean()])
    assert [group.deviation.value for group in result.groups] == pytest.approx([one.std(), other.std()])
    assert result.difference.value == pytest.approx(one.mean() - other.mean(), rel=1e-10)
    assert bounds(result.difference) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert result.test is not None
    assert (result.test.statistic, result.test.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    assert result.test.df == pytest.approx(expected.df, rel=1e-9)


@pytest.mark.parametrize(
    ("men", "women", "difference"),
    [
        ((), (50, 60), Estimate()),
        ((50,), (50, 60), Estimate(-5)),
        ((50, 50), (60, 60), Estimate(-10, -10, -10)),
        ((), (), Estimate()),
    ],
)
def test_groups_too_small_to_compare(men: tuple[int, ...], women: tuple[int, ...], difference: Estimate) -> None:
    rows = [{"sex": "male", "age": age} for age in men] + [{"sex": "female", "age": age} for age in women]
    result = found(Study(lung().catalogue, tuple(rows)), Compare("age", Grouping("sex")))
    assert isinstance(result, CompareResult)
    assert result.difference == difference
    assert result.test is None
    assert {"too_few", "no_spread"} & set(result.notes)


# --- correlate ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "codes"),
    [
        (lung, ("age", "loss", "karnofsky", "old")),
        (gbsg2, ("age", "size", "therapy")),
        (rossi, ("age", "prio", "fin", "mar")),
    ],
)
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_pearson(study: Callable[[], Study], codes: tuple[str, ...], confidence: float) -> None:
    result = found(study(), Correlate(codes), confidence)
    assert isinstance(result, CorrelateResult)
    frame = study().frame(DAYS)[list(codes)].dropna().astype(float)
    assert result.n.value == len(frame)
    assert len(result.pairs) == len(codes) * (len(codes) - 1) // 2
    for pair in result.pairs:
        expected = stats.pearsonr(frame[pair.one], frame[pair.other])
        interval = expected.confidence_interval(confidence)
        assert pair.r.value == pytest.approx(expected.statistic, rel=1e-10)
        assert bounds(pair.r) == pytest.approx((interval.low, interval.high), rel=1e-9)
        assert pair.p == pytest.approx(expected.pvalue, rel=1e-8)


def test_a_straight_line_and_a_constant() -> None:
    rows = [{"age": 50 + year, "loss": 2 * year, "karnofsky": 90} for year in range(5)]
    result = found(Study(lung().catalogue, tuple(rows)), Correlate(("age", "loss", "karnofsky")))
    assert isinstance(result, CorrelateResult)
    line, *others = result.pairs
    assert (line.r, line.p) == (Estimate(1.0), 0.0)
    assert {pair.r for pair in others} == {Estimate()}
    assert "no_spread" in result.notes


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_to_correlate(count: int) -> None:
    rows = tuple({"age": 50 + year, "loss": year} for year in range(count))
    result = found(Study(lung().catalogue, rows), Correlate(("age", "loss")))
    assert isinstance(result, CorrelateResult)
    assert result.pairs[0].r == Estimate()
    assert "too_few" in result.notes


# --- regress ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "outcome", "predictors"),
    [
        (lung, "loss", ("age", "karnofsky", "old")),
        (lung, "karnofsky", ("age",)),
        (gbsg2, "size", ("age", "therapy")),
        (rossi, "prio", ("age", "fin", "mar")),
    ],
)
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_ordinary_least_squares(
    study: Callable[[], Study], outcome: str, predictors: tuple[str, ...], confidence: float
) -> None:
    result = found(study(), Regress(outcome, predictors), confidence)
    frame = study().frame(DAYS)[[outcome, *predictors]].dropna().astype(float)
    check_fit(result, frame, outcome, predictors, confidence)


def check_fit(
    result: Result, frame: pd.DataFrame, outcome: str, predictors: tuple[str, ...], confidence: float
) -> None:
    assert isinstance(result, RegressResult)
    fit = sm.OLS(frame[outcome], sm.add_constant(frame[list(predictors)])).fit()
    assert [each.code for each in result.coefficients] == ["intercept", *predictors]
    assert [each.estimate.value for each in result.coefficients] == pytest.approx(list(fit.params), rel=1e-8)
    assert [each.error for each in result.coefficients] == pytest.approx(list(fit.bse), rel=1e-8)
    assert [each.test.statistic for each in result.coefficients] == pytest.approx(list(fit.tvalues), rel=1e-8)
    assert [each.test.p for each in result.coefficients] == pytest.approx(list(fit.pvalues), rel=1e-6)
    intervals = fit.conf_int(1 - confidence).to_numpy()
    for each, expected in zip(result.coefficients, intervals, strict=True):
        assert bounds(each.estimate) == pytest.approx(tuple(expected), rel=1e-8)
    assert (result.r2, result.adjusted_r2) == pytest.approx((fit.rsquared, fit.rsquared_adj), rel=1e-8)
    assert result.residual_deviation == pytest.approx(math.sqrt(fit.mse_resid), rel=1e-8)
    assert result.residual_df == fit.df_resid
    assert result.f is not None
    assert (result.f.statistic, result.f.p) == pytest.approx((fit.fvalue, fit.f_pvalue), rel=1e-7)
    assert result.f.df == len(predictors)


def test_ten_variables_that_nearly_follow_from_one_another() -> None:
    """What floating point would make of it: nine predictors, correlated at 0.9 and more."""
    source = np.random.default_rng(12)
    codes = tuple(f"x{place}" for place in range(9))
    catalogue = Catalogue("wide", 1, tuple(number(code, [0], -500, 1000) for code in ("y", *codes)))
    common = source.normal(0, 100, 3000)
    frame = pd.DataFrame({code: np.round(250 + common + source.normal(0, 20, 3000)).clip(-500, 1000) for code in codes})
    frame["y"] = np.round(frame["x0"] - 0.5 * frame["x1"] + source.normal(0, 30, 3000)).clip(-500, 1000)
    columns = Columns(catalogue, 3000)
    for code in frame:
        columns.add_number(str(code), frame[code].to_numpy())
    query = Query(EVERYONE, Regress("y", codes))
    check_fit(analyse(query, catalogue, columns.numbers(query)), frame, "y", codes, 0.95)


def test_steps_and_minima_are_taken_into_account() -> None:
    catalogue = Catalogue("fine", 1, (number("y", [0], -10, 20, "0.25"), number("x", [0], 5, 9, "0.5"), flag("f")))
    source = np.random.default_rng(13)
    frame = pd.DataFrame({"x": source.integers(10, 19, 80) / 2, "f": source.random(80) < 0.4})
    frame["y"] = np.round(4 * (1 + 0.5 * frame["x"] - 2 * frame["f"] + source.normal(0, 1, 80))) / 4
    rows = [
        {code: bool(each) if code == "f" else each for code, each in row.items()} for row in frame.to_dict("records")
    ]
    result = found(Study(catalogue, tuple(rows)), Regress("y", ("x", "f")))
    check_fit(result, frame.astype(float), "y", ("x", "f"), 0.95)


def test_a_predictor_that_follows_from_others_is_named() -> None:
    rows = [{"loss": year % 5, "age": 50 + year, "old": year % 2 == 0, "karnofsky": 90} for year in range(12)]
    study = Study(lung().catalogue, tuple(rows))
    result = found(study, Regress("loss", ("age", "karnofsky", "old")))
    assert isinstance(result, RegressResult)
    assert (result.singular, result.coefficients) == ("karnofsky", ())
    assert "singular" in result.notes


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_to_fit(count: int) -> None:
    rows = tuple({"loss": year, "age": 50 + year} for year in range(count))
    result = found(Study(lung().catalogue, rows), Regress("loss", ("age",)))
    assert isinstance(result, RegressResult)
    assert result.coefficients == ()
    assert "too_few" in result.notes


def test_a_perfect_fit() -> None:
    rows = tuple({"loss": 2 * year - 3, "age": 50 + year} for year in range(6))
    result = found(Study(lung().catalogue, rows), Regress("loss", ("age",)))
    assert isinstance(result, RegressResult)
    assert [each.estimate.value for each in result.coefficients] == [-103, 2]
    assert (result.r2, result.f) == (1.0, None)
    assert [each.test.p for each in result.coefficients] == [None, None]


# --- criteria and noise -------------------------------------------------------------------------------------------


def test_only_the_cohort_counts() -> None:
    women = Levels("sex", frozenset(["female"]))
    result = found(lung(), Correlate(("age", "loss")), cohort=women)
    assert isinstance(result, CorrelateResult)
    frame = lung().frame(DAYS)
    frame = frame[frame["sex"] == "female"][["age", "loss"]].dropna()
    assert result.n.value == len(frame)
    assert result.pairs[0].r.value == pytest.approx(stats.pearsonr(*frame.astype(float).to_numpy().T).statistic)


@pytest.mark.parametrize(
    "asked",
    [
        Summary(("age", "loss")),
        Compare("age", Grouping("sex")),
        Correlate(("age", "loss", "old")),
        Regress("loss", ("age",)),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_what_noise_hides_is_left_out(asked: Analysis, seed: int) -> None:
    query = Query(EVERYONE, asked)
    clear = clear_numbers(query, lung())
    result = analyse(query, lung().catalogue, noised(clear, Fraction(1, 10), 3, np.random.default_rng(seed)))
    parts = result.variables if isinstance(result, SummaryResult) else ()
    assert "noised" in result.notes
    assert "too_noisy" in (*result.notes, *(note for part in parts for note in part.notes))


def test_hardly_any_noise_changes_hardly_anything() -> None:
    asked = Regress("loss", ("age", "karnofsky"))
    query = Query(EVERYONE, asked)
    clear = clear_numbers(query, lung())
    numbers = Numbers(clear.cells, clear.values, (Fraction(1, 1000),) * len(clear.values), 3)
    exact, noisy = analyse(query, lung().catalogue, clear), analyse(query, lung().catalogue, numbers)
    assert isinstance(exact, RegressResult)
    assert isinstance(noisy, RegressResult)
    for one, other in zip(exact.coefficients, noisy.coefficients, strict=True):
        assert bounds(one.estimate) == pytest.approx(bounds(other.estimate))
    assert noisy.f is None


def test_numbers_that_contradict_one_another_are_said_to() -> None:
    result = opened(lung(), Compare("age", Grouping("sex")), {("male", "n"): 10, ("male", "sum", "1"): 20})
    assert isinstance(result, CompareResult)
    assert result.groups[0].deviation == Estimate()
    assert "inconsistent" in result.notes
