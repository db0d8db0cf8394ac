"""The means of a number in two groups: Welch's t."""

from __future__ import annotations

import math

from app.core.analysis.counts import notes_of
from app.core.analysis.intervals import (
    around,
    count_estimate,
    finite,
    noise_deviation,
    noise_width,
    p_of,
    student,
    width_of,
)
from app.core.analysis.moments import Moments, combined, deviation_estimate, mean_estimate, moments
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import CompareResult, Estimate, GroupMean, Test
from app.core.analysis.spread import normal_quantile
from app.core.catalogue.model import Variable
from app.core.catalogue.scales import DIGIT_BASE, Digits
from app.core.errors import Bug


def compare(numbers: Numbers, variable: Variable, by_code: str, confidence: float) -> CompareResult:
    """Return both means and their difference, the first less the second."""
    if (digits := variable.digits) is None:
        raise Bug("analysis.no_digits", variable=variable.code)
    keys = list(dict.fromkeys(cell.label[0] for cell in numbers.cells.cells))
    found = [
        moments(
            numbers,
            numbers.sum((key, "n")),
            numbers.digits(DIGIT_BASE, key, "sum"),
            numbers.digits(DIGIT_BASE, key, "square"),
        )
        for key in keys
    ]
    groups = tuple(
        GroupMean(
            key,
            count_estimate(numbers, [numbers.place(key, "n")], max(0, numbers.value(key, "n")), confidence),
            mean_estimate(numbers, each, digits, confidence),
            deviation_estimate(numbers, each, digits, confidence),
        )
        for key, each in zip(keys, found, strict=True)
    )
    notes = [note for each in found for note in each.notes]
    difference, test = _difference(numbers, found[0], found[1], digits, confidence)
    adjusted = any(numbers.value(key, "n") < 0 for key in keys)
    if test is not None and numbers.noised:
        notes.append("noise_in_tests")
    return CompareResult(
        variable.code,
        by_code,
        groups,
        difference,
        test,
        confidence,
        adjusted,
        noise_width(numbers, numbers.place(keys[0], "n"), confidence),
        notes_of(numbers, *notes, adjusted=adjusted),
    )


def _difference(
    numbers: Numbers, one: Moments, other: Moments, digits: Digits, confidence: float
) -> tuple[Estimate, Test | None]:
    if one.mean is None or other.mean is None:
        return Estimate(), None
    step, value = float(digits.step), float(one.mean - other.mean)
    if min(one.n, other.n) < 2 or (not numbers.noised and (one.variance is None or other.variance is None)):
        return Estimate(step * value), None
    errors = one.error**2, other.error**2
    sigma = math.sqrt(sum(errors))
    terms = errors[0] ** 2 / (one.n - 1) + errors[1] ** 2 / (other.n - 1)
    df = sum(errors) ** 2 / terms if terms else None  # Welch–Satterthwaite
    t = student(df, confidence) if df else None
    wider = t / normal_quantile(confidence) if t is not None else 1.0
    weights = combined((one.mean_weights, 1), (other.mean_weights, -1))
    width = width_of(numbers, weights, sigma * wider, confidence)
    estimate = around(step * value, step * width)
    if numbers.noised:
        p = p_of(numbers, value, weights, sigma * wider)
        deviation = math.hypot(sigma, noise_deviation(numbers, weights))
        return estimate, Test(finite(value / deviation) if deviation else None, p)
    return estimate, _welch(one, other, df) if df else None


def _welch(one: Moments, other: Moments, df: float) -> Test:
    from scipy import stats  # noqa: PLC0415 - slow to load, and not needed to show a result

    given = [
        value
        for each in (one, other)
        for value in (float(each.mean or 0), math.sqrt(float(each.variance or 0)), each.n)
    ]
    found = stats.ttest_ind_from_stats(*given, equal_var=False)
    return Test(finite(found.statistic), finite(found.pvalue), df)
