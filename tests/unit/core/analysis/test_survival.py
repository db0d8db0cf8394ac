"""Survival against lifelines on the patients' rows rounded to the same periods: equal before noise."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import logrank_test, multivariate_logrank_test

from app.core.analysis.analyse import analyse
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import Curve, SurvivalResult
from app.core.catalogue.model import Catalogue
from app.core.query.analyses import Grouping, Survival
from app.core.query.cells import cells_of
from app.core.query.model import EVERYONE, Query, Range
from tests.analysed import MONTH, Study, category, clear_numbers, follow_up, gbsg2, lung, noised, rossi


def generated() -> Study:
    """500 patients in three arms with hazard ratios 0.5 and 2."""
    source = np.random.default_rng(20)
    arms = source.integers(0, 3, 500)
    died = source.exponential(1, 500) / (0.004 * np.array([1, 0.5, 2])[arms])
    left = source.uniform(0, 720, 500)
    rows = [
        {"arm": "abc"[arm], "os": _follow_up(min(death, end), death <= end)}
        for arm, death, end in zip(arms, died, left, strict=True)
    ]
    return Study(Catalogue("arms", 1, (category("arm", "a", "b", "c"), follow_up(MONTH, 24))), tuple(rows))


def _follow_up(days: float, event: bool) -> object:
    from app.core.catalogue.scales import FollowUp

    return FollowUp(Decimal(int(days)), bool(event))


def survival(study: Study, by: Grouping | None = None, confidence: float = 0.95, **more: Decimal) -> SurvivalResult:
    query = Query(EVERYONE, Survival("os", by, **more))
    found = analyse(query, study.catalogue, clear_numbers(query, study), confidence)
    assert isinstance(found, SurvivalResult)
    return found


def labelled(frame: pd.DataFrame, by: str) -> pd.Series:
    """Return the groups' keys of the rows: a flag is yes or no."""
    return frame[by].map({True: "yes", False: "no"}) if frame[by].dtype == bool else frame[by]


CASES: list[tuple[Callable[[], Study], float | Decimal, str]] = [
    (lung, MONTH, "sex"),
    (lung, MONTH, "ecog"),
    (lung, MONTH, "old"),
    (gbsg2, 30, "grade"),
    (gbsg2, 30, "therapy"),
    (rossi, 7, "fin"),
    (generated, MONTH, "arm"),
]


def test_the_published_study() -> None:
    everyone = survival(lung()).curves[0]
    assert len(everyone.ends) == 34
    assert everyone.n.value == 228
    assert everyone.median.value == pytest.approx(334.8125)
    found = survival(lung(), Grouping("sex"))
    medians = {curve.key: curve.median.value for curve in found.curves}
    assert medians == {"male": pytest.approx(273.9375), "female": pytest.approx(426.125)}
    assert found.tests[0].test.statistic == pytest.approx(11.002, abs=5e-4)
    assert found.hazard_ratios[0].ratio.value == pytest.approx(0.5818, abs=5e-5)


@pytest.mark.parametrize(("study", "days", "by"), CASES)
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_curves_are_those_of_the_rows(
    study: Callable[[], Study], days: Decimal | float, by: str, confidence: float
) -> None:
    frame = study().frame(days).dropna(subset=[by])
    groups = labelled(frame, by)
    for curve in survival(study(), Grouping(by), confidence).curves:
        check_curve(curve, frame[groups == curve.key], 1 - confidence)


def check_curve(curve: Curve, rows: pd.DataFrame, alpha: float) -> None:
    fitter = KaplanMeierFitter(alpha=alpha).fit(rows["time"], rows["event"])
    table, bounds = fitter.event_table, fitter.confidence_interval_
    assert curve.n.value == len(rows)
    for place, end in enumerate(curve.ends):
        if end in table.index:
            assert curve.at_risk[place] == table.loc[end, "at_risk"]
            assert curve.events[place] == table.loc[end, "observed"]
            assert curve.censored[place] == table.loc[end, "censored"]
        if curve.survival[place] is None:
            assert end > rows["time"].max()
            continue
        assert curve.survival[place] == pytest.approx(fitter.predict(end), abs=1e-12)
        if 0 < fitter.predict(end) < 1:
            low, high = bounds[bounds.index <= end].iloc[-1]
            assert curve.loglog_low[place] == pytest.approx(low, abs=1e-10)
            assert curve.loglog_high[place] == pytest.approx(high, abs=1e-10)
    median = fitter.median_survival_time_
    assert curve.median.value == (None if math.isinf(median) else pytest.approx(median))
    for found, side in ((curve.median.low, 0), (curve.median.high, 1)):
        below = bounds[bounds.iloc[:, side] <= 0.5]
        if side and len(below) and fitter.predict(below.index[0]) == 0:
            below = below.iloc[:0]  # nobody is left to say how high it might be: lifelines takes 0 for the bound
        assert found == (pytest.approx(below.index[0]) if len(below) else None)


def test_plain_intervals_are_greenwood_s() -> None:
    """By the formula, on the whole study."""
    curve, frame = survival(lung(), confidence=0.99).curves[0], lung().frame(MONTH)
    survived, total = 1.0, 0.0
    for place, end in enumerate(curve.ends[:30]):
        at_risk = int((frame["time"] >= end).sum())
        events = int(((frame["time"] == end) & (frame["event"] == 1)).sum())
        survived *= 1 - events / at_risk
        total += events / at_risk / (at_risk - events)
        width = 2.575829 * survived * math.sqrt(total)
        assert curve.greenwood_low[place] == pytest.approx(max(0.0, survived - width), abs=1e-6)
        assert curve.greenwood_high[place] == pytest.approx(min(1.0, survived + width), abs=1e-6)


@pytest.mark.parametrize(("study", "days", "by"), CASES)
def test_tests_are_those_of_the_rows(study: Callable[[], Study], days: Decimal | float, by: str) -> None:
    frame = study().frame(days).dropna(subset=[by])
    groups, found = labelled(frame, by), survival(study(), Grouping(by))
    names = {"logrank": None, "wilcoxon": "wilcoxon", "tarone_ware": "tarone-ware", "peto": "peto"}
    assert {each.weights for each in found.tests} == set(names)
    for each in found.tests:
        expected = multivariate_logrank_test(frame["time"], groups, frame["event"], weightings=names[each.weights])
        assert each.test.statistic == pytest.approx(expected.test_statistic, rel=1e-8)
        assert each.test.p == pytest.approx(expected.p_value, rel=1e-7)
        assert each.test.df == groups.nunique() - 1
    if groups.nunique() == 2:
        assert found.pairwise == ()
        return
    assert [each.groups for each in found.pairwise] == list(combinations(found.tests[0].groups, 2))
    for each in found.pairwise:
        one, other = (frame[groups == key] for key in each.groups)
        pair = logrank_test(one["time"], other["time"], one["event"], other["event"])
        assert each.test.statistic == pytest.approx(pair.test_statistic, rel=1e-8)


@pytest.mark.parametrize(("study", "days", "by"), CASES)
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_hazard_ratios_are_those_of_a_cox_model_of_the_rows(
    study: Callable[[], Study], days: Decimal | float, by: str, confidence: float
) -> None:
    """Ties by Efron's method on rows, never with weights."""
    frame = study().frame(days).dropna(subset=[by])
    groups, found = labelled(frame, by), survival(study(), Grouping(by), confidence)
    table = pd.DataFrame({each.key: (groups == each.key).astype(float) for each in found.hazard_ratios})
    table["time"], table["event"] = frame["time"], frame["event"]
    fitter = CoxPHFitter(alpha=1 - confidence).fit(table, "time", "event", fit_options={"precision": 1e-16})
    for each in found.hazard_ratios:
        expected = fitter.summary.loc[each.key]
        assert each.reference == found.curves[0].key
        assert each.ratio.value == pytest.approx(expected["exp(coef)"], rel=1e-6)
        bounds = np.exp(fitter.confidence_intervals_.loc[each.key])
        assert (each.ratio.low, each.ratio.high) == pytest.approx(tuple(bounds), rel=1e-6)
        assert each.p == pytest.approx(expected["p"], rel=1e-4)


def test_longer_intervals_and_a_horizon() -> None:
    found = survival(lung(), Grouping("sex"), step=3 * MONTH, horizon=12 * MONTH)
    assert found.days == float(3 * MONTH)
    frame = lung().frame(3 * MONTH)
    late = frame["time"] > float(12 * MONTH)
    frame.loc[late, "event"] = 0
    for curve in found.curves:
        assert curve.ends == tuple(float(3 * MONTH * each) for each in range(1, 5))
        assert curve.beyond == int((late & (frame["sex"] == curve.key)).sum())
        rows = frame[frame["sex"] == curve.key]
        fitter = KaplanMeierFitter().fit(rows["time"], rows["event"])
        assert curve.survival == pytest.approx([fitter.predict(end) for end in curve.ends])
    expected = multivariate_logrank_test(frame["time"], frame["sex"], frame["event"])
    assert found.tests[0].test.statistic == pytest.approx(expected.test_statistic, rel=1e-8)


def table_of(cells: dict[tuple[str, ...], int], by: str | None = "sex") -> SurvivalResult:
    query = Query(EVERYONE, Survival("os", None if by is None else Grouping(by)))
    opened = cells_of(query, lung().catalogue)
    numbers = Numbers(opened, tuple(cells.get(cell.label, 0) for cell in opened.cells))
    found = analyse(query, lung().catalogue, numbers)
    assert isinstance(found, SurvivalResult)
    return found


def test_nobody() -> None:
    found = table_of({})
    assert [curve.survival[0] for curve in found.curves] == [None, None]
    assert found.hazard_ratios == ()
    assert {each.test.statistic for each in found.tests} == {None}
    assert "too_few" in found.notes


def test_all_are_censored() -> None:
    found = table_of({("male", "censored", "5"): 7, ("female", "censored", "2"): 3})
    assert found.curves[0].survival[:7] == (1, 1, 1, 1, 1, 1, None)
    assert found.curves[0].loglog_low[0] == 1
    assert found.curves[0].median.value is None
    assert found.hazard_ratios[0].ratio.value is None
    assert found.tests[0].test.statistic is None
    assert {"no_events", "not_reached"} <= set(found.notes)


@pytest.mark.parametrize("key", ["male", "female"])
def test_events_on_one_side_only_have_no_ratio(key: str) -> None:
    other = {"male": "female", "female": "male"}[key]
    found = table_of({(key, "event", "1"): 5, (other, "censored", "3"): 5})
    assert found.hazard_ratios[0].ratio.value is None
    assert "no_convergence" in found.notes
    assert found.tests[0].test.statistic is not None


def test_separated_groups_have_no_ratio() -> None:
    found = table_of({("male", "event", "1"): 5, ("female", "event", "3"): 5})
    assert found.hazard_ratios[0].ratio.value is None
    assert "no_convergence" in found.notes


def test_one_patient() -> None:
    curve = table_of({("", "event", "4"): 1}, None).curves[0]
    assert curve.survival[3:6] == (1.0, 0.0, None)
    assert (curve.greenwood_low[4], curve.greenwood_high[4]) == (0.0, None)
    assert curve.median.value == pytest.approx(5 * 30.4375)


def test_millions_of_patients_take_no_longer_than_a_second_or_two() -> None:
    source = np.random.default_rng(3)
    cells: dict[tuple[str, ...], int] = {}
    for key in ("male", "female"):
        for period in range(34):
            cells[key, "event", str(period)] = int(source.integers(5_000, 15_000))
            cells[key, "censored", str(period)] = int(source.integers(5_000, 15_000))
    began = time.process_time()
    found = table_of(cells)
    assert time.process_time() - began < 3
    assert found.hazard_ratios[0].ratio.value == pytest.approx(1, abs=0.1)


def test_noise_makes_intervals_wider_and_curves_end_earlier() -> None:
    query = Query(EVERYONE, Survival("os", Grouping("sex")))
    clear = clear_numbers(query, lung())
    found = analyse(query, lung().catalogue, noised(clear, Fraction(2), 3, np.random.default_rng(5)))
    exact = survival(lung(), Grouping("sex"))
    assert isinstance(found, SurvivalResult)
    assert {"noised", "noise_clipped", "tail_left_out", "noise_in_tests"} <= set(found.notes)
    assert found.adjusted
    for one, other in zip(found.curves, exact.curves, strict=True):
        assert min(*one.events, *one.censored) >= 0
        assert sum(one.events) + sum(one.censored) + one.beyond == one.n.value
        assert all(a >= b for a, b in zip(one.at_risk, one.at_risk[1:], strict=False))
        shown = [value for value in one.survival if value is not None]
        assert 0 < len(shown) < len([value for value in other.survival if value is not None])
        middle = len(shown) // 2
        width, narrower = (c.loglog_high[middle] - c.loglog_low[middle] for c in (one, other))  # type: ignore[operator]
        assert width > narrower
    ratio, narrow = found.hazard_ratios[0].ratio, exact.hazard_ratios[0].ratio
    assert math.log(ratio.high / ratio.low) > math.log(narrow.high / narrow.low)  # type: ignore[operator]


def test_a_group_that_is_all_noise_is_not_compared() -> None:
    query = Query(Range("age", Decimal(50), None), Survival("os", Grouping("ecog")))
    clear = clear_numbers(query, lung())
    found = analyse(query, lung().catalogue, noised(clear, Fraction(2), 3, np.random.default_rng(5)))
    assert isinstance(found, SurvivalResult)
    assert {each.key for each in found.hazard_ratios} == {"1", "2", "3"}
    assert found.hazard_ratios[-1].ratio.value is None
    assert "too_noisy" in found.notes


def test_numbers_that_no_federation_has_are_not_expanded() -> None:
    """A site that lies can add eight millions to every number: Efron's ties of them would fill the memory."""
    cells = {
        (key, ended, str(period)): 8_000_000
        for key in ("male", "female")
        for period in range(34)
        for ended in ("event", "censored")
    }
    began = time.process_time()
    found = table_of(cells)
    assert time.process_time() - began < 3
    assert "no_convergence" in found.notes
    assert found.hazard_ratios[0].ratio.value is None
