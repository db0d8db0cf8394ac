"""Whether intervals are what they say: 1,000 releases of new patients with new noise, the truth known.

Sampling and noise together must be covered at the stated level less 2 points, and at most by 4.9 points more (where a
count can be told at all: whole numbers leave no choice). The draws are fixed, so nothing is flaky.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from app.core.analysis.analyse import Numbers, analyse
from app.core.analysis.results import (
    AttritionResult,
    CompareResult,
    CorrelateResult,
    CountResult,
    Estimate,
    GroupsResult,
    RegressResult,
    SummaryResult,
    SurvivalResult,
)
from app.core.catalogue.model import Catalogue
from app.core.query.analyses import (
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Grouping,
    Regress,
    Summary,
    Survival,
)
from app.core.query.cells import cells_of
from app.core.query.model import EVERYONE, Flag, Query
from tests.analysed import MONTH, Columns, category, flag, follow_up, noised, number

RELEASES = 1000
PERIODS, HAZARD, RATIO, LEAVING = 14, 0.09, 0.6, 0.03
CATALOGUE = Catalogue(
    "generated",
    1,
    (
        category("arm", "a", "b"),
        category("site", "p", "q", "r", "s"),
        number("age", [40, 50, 60, 70, 80], 0, 127),
        number("bmi", [20, 25, 30, 35], 0, 63),
        flag("smoker"),
        follow_up(MONTH, PERIODS),
    ),
)
SURVIVAL = Query(EVERYONE, Survival("os", Grouping("arm")))

Covered = dict[str, list[bool]]


def check(covered: Covered, confidence: float, *, most: float = 0.049, shown: int = RELEASES) -> None:
    for name, hits in covered.items():
        share = np.mean(hits)
        assert len(hits) >= shown, f"{name}: {len(hits)} shown"
        assert confidence - 0.02 <= share <= confidence + most, f"{name}: {share:.3f} at {confidence}"


def put(covered: Covered, name: str, estimate: Estimate | None, truth: float) -> None:
    """Note whether the interval holds the truth; what is left out is not counted."""
    if estimate is not None and estimate.low is not None and estimate.high is not None:
        covered[name].append(estimate.low <= truth <= estimate.high)


# --- survival -----------------------------------------------------------------------------------------------------


def survival_table(source: np.random.Generator, patients: int) -> Numbers:
    """Return the cells of a new study: proportional hazards in two arms, censored at the ends of intervals."""
    cells = cells_of(SURVIVAL, CATALOGUE)
    values = dict.fromkeys((cell.label for cell in cells.cells), 0)
    for key, theta in (("a", 1.0), ("b", RATIO)):
        left = patients // 2
        for period in range(PERIODS):
            events = int(source.binomial(left, -math.expm1(-HAZARD * theta)))
            left -= events
            censored = left if period == PERIODS - 1 else int(source.binomial(left, LEAVING))
            left -= censored
            values[key, "event", str(period)], values[key, "censored", str(period)] = events, censored
    return Numbers(cells, tuple(values[cell.label] for cell in cells.cells))


@pytest.mark.parametrize(
    ("patients", "epsilon", "sites", "confidence"),
    [(400, Fraction(1), 3, 0.95), (1500, Fraction(1, 2), 3, 0.99), (300, None, 0, 0.95)],
)
def test_survival(patients: int, epsilon: Fraction | None, sites: int, confidence: float) -> None:
    source = np.random.default_rng(41)
    covered: Covered = defaultdict(list)
    median = math.ceil(math.log(2) / HAZARD) * float(MONTH)
    for _ in range(RELEASES):
        clear = survival_table(source, patients)
        numbers = clear if epsilon is None else noised(clear, epsilon, sites, source)
        found = analyse(SURVIVAL, CATALOGUE, numbers, confidence)
        assert isinstance(found, SurvivalResult)
        curve = found.curves[0]
        for period in (3, 7, 10):
            truth, at = math.exp(-HAZARD * (period + 1)), curve.survival[period]
            put(
                covered,
                f"plain {period}",
                Estimate(at, curve.greenwood_low[period], curve.greenwood_high[period]),
                truth,
            )
            put(covered, f"loglog {period}", Estimate(at, curve.loglog_low[period], curve.loglog_high[period]), truth)
        put(covered, "hazard ratio", found.hazard_ratios[0].ratio, RATIO)
        low, high = (math.inf if end is None else end for end in (curve.median.low, curve.median.high))
        covered["median"].append(min(low, high) <= median <= high)
        if epsilon is not None:
            put(covered, "n", curve.n, patients // 2)
    # a median is known to a whole interval only, which may cover it always
    check({"median": covered.pop("median")}, confidence, most=1)
    check(covered, confidence, shown=RELEASES * 95 // 100)


def test_a_curve_that_noise_nearly_hides_is_rarely_wrong() -> None:
    """What is left out is not wrong: of all releases, few show an interval that misses."""
    source = np.random.default_rng(42)
    wrong: dict[str, int] = defaultdict(int)
    for _ in range(RELEASES):
        found = analyse(SURVIVAL, CATALOGUE, noised(survival_table(source, 100), Fraction(1), 3, source))
        assert isinstance(found, SurvivalResult)
        covered: Covered = defaultdict(list)
        curve = found.curves[0]
        for period in (3, 7, 10):
            bounds = Estimate(curve.survival[period], curve.loglog_low[period], curve.loglog_high[period])
            put(covered, f"loglog {period}", bounds, math.exp(-HAZARD * (period + 1)))
        for ratio in found.hazard_ratios:
            put(covered, "hazard ratio", ratio.ratio, RATIO)
        for name, hits in covered.items():
            wrong[name] += not all(hits)
    assert max(wrong.values()) <= 0.07 * RELEASES


# --- numbers ------------------------------------------------------------------------------------------------------


def patients(source: np.random.Generator, count: int) -> Columns:
    """Return new patients: means, a correlation and slopes that :func:`truths` knows."""
    columns = Columns(CATALOGUE, count)
    arm, smoker = source.integers(0, 2, count), source.random(count) < 0.4
    age = np.clip(np.round(source.normal(60, 12, count) + 3 * arm), 0, 127)
    bmi = np.clip(np.round(27 + 0.15 * (age - 60) + 2 * smoker + source.normal(0, 5, count)), 0, 63)
    columns.add_category("arm", arm)
    columns.add_category("site", source.choice(4, count, p=[0.6, 0.3, 0.09, 0.01]))
    columns.add_number("age", age)
    columns.add_number("bmi", bmi)
    columns.add_flag("smoker", smoker)
    return columns


SUMMARY, COMPARE = Query(EVERYONE, Summary(("age",))), Query(EVERYONE, Compare("age", Grouping("arm")))
CORRELATE, REGRESS = Query(EVERYONE, Correlate(("age", "bmi"))), Query(EVERYONE, Regress("bmi", ("age", "smoker")))


def estimates(query: Query, numbers: Numbers, confidence: float = 0.95) -> Iterator[tuple[str, Estimate | None]]:
    """Yield what is estimated about the patients that the study stands for."""
    match analyse(query, CATALOGUE, numbers, confidence):
        case SummaryResult((summary,)):
            yield "mean", summary.mean
        case CompareResult() as found:
            yield "difference", found.difference
        case CorrelateResult() as found:
            yield "r", found.pairs[0].r
        case RegressResult() as found:
            for each in found.coefficients:
                yield each.code, each.estimate


@cache
def truths(query: Query) -> dict[str, float]:
    """Return what a study of millions finds."""
    found = estimates(query, patients(np.random.default_rng(1), 3_000_000).numbers(query))
    return {name: estimate.value for name, estimate in found if estimate is not None and estimate.value is not None}


@pytest.mark.parametrize(
    ("query", "count", "epsilon", "confidence"),
    [
        (SUMMARY, 800, Fraction(5), 0.95),
        (SUMMARY, 300, Fraction(10), 0.99),
        (COMPARE, 800, Fraction(5), 0.95),
        (COMPARE, 400, Fraction(10), 0.99),
        (CORRELATE, 800, Fraction(50), 0.95),
        (CORRELATE, 1500, Fraction(30), 0.99),
        (REGRESS, 800, Fraction(80), 0.95),
        (REGRESS, 1500, Fraction(60), 0.99),
        (REGRESS, 60, None, 0.95),
    ],
)
def test_numbers(query: Query, count: int, epsilon: Fraction | None, confidence: float) -> None:
    source = np.random.default_rng(43)
    covered: Covered = defaultdict(list)
    for _ in range(RELEASES):
        clear = patients(source, count).numbers(query)
        numbers = clear if epsilon is None else noised(clear, epsilon, 3, source)
        for name, estimate in estimates(query, numbers, confidence):
            put(covered, name, estimate, truths(query)[name])
    assert set(covered) == set(truths(query))
    check(covered, confidence, shown=RELEASES * 95 // 100)


# --- counts: only noise is open -----------------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", [0.95, 0.99])
@pytest.mark.parametrize(("epsilon", "sites"), [(Fraction(1), 3), (Fraction(1, 10), 2), (Fraction(1, 2), 1)])
def test_counts(epsilon: Fraction, sites: int, confidence: float) -> None:
    source = np.random.default_rng(44)
    truth = (60, 30, 9, 1, 0)
    queries = [Query(EVERYONE), Query(EVERYONE, Breakdown("site")), Query(Flag("smoker"), Attrition())]
    count, breakdown, funnel = (cells_of(query, CATALOGUE) for query in queries)
    covered: Covered = defaultdict(list)
    for _ in range(RELEASES):
        found = [
            analyse(query, CATALOGUE, noised(Numbers(cells, values), epsilon, sites, source), confidence)
            for query, cells, values in zip(
                queries, (count, breakdown, funnel), ((100,), truth, (100, 40)), strict=True
            )
        ]
        for result in found:
            match result:
                case CountResult():
                    put(covered, "count", result.count, 100)
                case GroupsResult():
                    put(covered, "total", result.total, 100)
                    for group, each in zip(result.groups, truth, strict=True):
                        put(covered, f"group {each}", group.count, each)
                case AttritionResult():
                    put(covered, "step", result.steps[1].count, 40)
    # whole numbers: at 99 % nothing may be between 98.9 and 99.9; and nobody is below 0
    check(covered, confidence, most=0.05)


def test_the_spread_of_a_number_is_known_but_for_noise() -> None:
    source = np.random.default_rng(45)
    covered: Covered = defaultdict(list)
    clear = patients(source, 5000).numbers(SUMMARY)
    exact = analyse(SUMMARY, CATALOGUE, clear)
    assert isinstance(exact, SummaryResult)
    (whole,) = exact.variables
    assert whole.deviation is not None
    assert whole.deviation.value is not None
    for _ in range(RELEASES):
        found = analyse(SUMMARY, CATALOGUE, noised(clear, Fraction(2), 3, source))
        assert isinstance(found, SummaryResult)
        (noisy,) = found.variables
        put(covered, "deviation", noisy.deviation, whole.deviation.value)
        put(covered, "n", noisy.n, 5000)
        median, held = noisy.quantiles[2], whole.quantiles[2]
        assert median.low is not None
        assert median.high is not None
        assert held.low is not None
        assert held.high is not None
        covered["median"].append(median.low <= held.low and held.high <= median.high)
    check({"median": covered.pop("median")}, 0.95, most=1)
    check(covered, 0.95, shown=RELEASES * 95 // 100)
