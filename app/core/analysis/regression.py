"""Ordinary least squares from centred cross-products: solved in exact rationals, so that nothing is ill-conditioned.

Noise enters by its first-order effect on each coefficient, dβ = C⁻¹(dc − dC·β). Where noise is a quarter or more of
what a predictor varies by beside the others, that is no longer true and nothing is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from app.core.analysis.counts import notes_of
from app.core.analysis.crossed import SQUARES_LIMIT, Crossed, Weights, crossed
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
from app.core.analysis.moments import combined
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import INTERCEPT, Coefficient, RegressResult, Test
from app.core.analysis.spread import normal_quantile
from app.core.catalogue.model import Catalogue

Matrix = list[list[Fraction]]


def regress(
    numbers: Numbers, outcome: str, predictors: tuple[str, ...], catalogue: Catalogue, confidence: float
) -> RegressResult:
    """Return the regression of ``outcome`` on ``predictors``."""
    found = crossed(numbers, (outcome, *predictors), catalogue)
    raw, place = numbers.value("n"), numbers.place("n")
    empty = RegressResult(
        outcome,
        predictors,
        count_estimate(numbers, [place], max(0, raw), confidence),
        (),
        confidence=confidence,
        adjusted=raw < 0,
        noise_width=noise_width(numbers, place, confidence),
    )

    def without(note: str, singular: str | None = None) -> RegressResult:
        return replace(empty, singular=singular, notes=notes_of(numbers, note, adjusted=raw < 0))

    df = found.n - len(predictors) - 1
    if found.note is not None or df < 1:
        return without(found.note or "too_few")
    inside = range(1, len(predictors) + 1)
    inverse, dependent = inverted([[found.products[k][j] for j in inside] for k in inside])
    if inverse is None:
        if numbers.noised:
            return without("too_noisy")
        return without("singular", predictors[dependent])
    if numbers.noised and not _calm(numbers, found, inverse):
        return without("too_noisy")
    return _fitted(numbers, empty, found, inverse, df)


def _fitted(numbers: Numbers, empty: RegressResult, found: Crossed, inverse: Matrix, df: int) -> RegressResult:
    confidence = empty.confidence
    places = range(1, len(inverse) + 1)
    with_outcome = [found.products[k][0] for k in places]
    slopes = [_dot(row, with_outcome) for row in inverse]
    total, explained = found.products[0][0], _dot(slopes, with_outcome)
    left = total - explained
    if left < 0 or total <= 0 or (numbers.noised and left == 0):
        note = "too_noisy" if numbers.noised else "inconsistent" if left < 0 or total < 0 else "no_spread"
        return replace(empty, notes=notes_of(numbers, note, adjusted=empty.adjusted))
    variance = left / df
    slope_weights = [_slope_weights(found, row, slopes) for row in inverse]
    # back to the units: the slope of v on v times step of the outcome over step of the predictor
    steps, minima = found.steps, found.minima
    ratios = [steps[0] / steps[k] for k in places]
    wide = _wider(df, confidence)

    def coefficient(code: str, value: Fraction, scatter: Fraction, weights: Weights) -> Coefficient:
        sigma = math.sqrt(float(scatter * variance))
        error = math.hypot(sigma, noise_deviation(numbers, weights))
        estimate = around(float(value), width_of(numbers, weights, sigma * wide, confidence))
        return Coefficient(code, estimate, error, _test(numbers, float(value), error, df, weights, sigma * wide))

    means = [minima[k] + steps[k] * found.means[k] for k in (0, *places)]
    in_units = [slope * ratio for slope, ratio in zip(slopes, ratios, strict=True)]
    scatter = [
        [inverse[k][j] * ratios[k] * ratios[j] for j in range(len(inverse))] for k in range(len(inverse))
    ]  # times the variance of v of the outcome: the steps of the outcome are in the ratios
    intercept = means[0] - _dot(in_units, means[1:])
    spread = steps[0] ** 2 / found.n + _dot(means[1:], [_dot(row, means[1:]) for row in scatter])
    shift = combined(
        (found.mean_weights[0], float(steps[0])),
        *((found.mean_weights[k], -float(in_units[k - 1] * steps[k])) for k in places),
        *((slope_weights[k - 1], -float(ratios[k - 1] * means[k])) for k in places),
    )
    coefficients = [coefficient(INTERCEPT, intercept, spread, shift)]
    for at, code in enumerate(empty.predictors):
        weights = {place: weight * float(ratios[at]) for place, weight in slope_weights[at].items()}
        coefficients.append(coefficient(code, in_units[at], scatter[at][at], weights))
    r2 = explained / total
    notes = ["noise_in_tests"] if numbers.noised else [] if left else ["no_spread"]
    return replace(
        empty,
        coefficients=tuple(coefficients),
        r2=min(1.0, max(0.0, float(r2))),
        adjusted_r2=float(1 - (1 - r2) * (found.n - 1) / df),
        residual_deviation=float(steps[0]) * math.sqrt(float(variance)),
        residual_df=float(df),
        f=None if numbers.noised else _f_test(r2, len(inverse), df),
        notes=notes_of(numbers, *notes, adjusted=empty.adjusted),
    )


def inverted(matrix: Matrix) -> tuple[Matrix | None, int]:
    """Return the exact inverse of a symmetric positive definite matrix.

    None if it is none, with the first row that follows from those before it.
    """
    size = len(matrix)
    rows = [[*row, *(Fraction(int(k == j)) for j in range(size))] for k, row in enumerate(matrix)]
    for pivot in range(size):
        if rows[pivot][pivot] <= 0:
            return None, pivot
        inverse = 1 / rows[pivot][pivot]
        rows[pivot] = [each * inverse for each in rows[pivot]]
        for k in range(size):
            if k != pivot and (factor := rows[k][pivot]):
                rows[k] = [each - factor * by for each, by in zip(rows[k], rows[pivot], strict=True)]
    return [row[size:] for row in rows], -1


def _calm(numbers: Numbers, found: Crossed, inverse: Matrix) -> bool:
    """Return whether every predictor varies, beside the others, by enough more than noise."""
    for row, own in zip(inverse, (row[k] for k, row in enumerate(inverse)), strict=True):
        beside = 1 / float(own)  # what the predictor varies by that the others do not say
        shares = [float(each) * beside for each in row]
        weights = combined(
            *(
                (found.product_weights[k + 1][j + 1], one * other)
                for k, one in enumerate(shares)
                for j, other in enumerate(shares)
            )
        )
        if beside < SQUARES_LIMIT * noise_deviation(numbers, weights):
            return False
    return found.divisible(numbers, 0)


def _slope_weights(found: Crossed, row: Sequence[Fraction], slopes: Sequence[Fraction]) -> Weights:
    """Return the change of one slope by each cell."""
    parts = []
    for k, factor in enumerate(row, start=1):
        parts.append((found.product_weights[k][0], float(factor)))
        parts += [(found.product_weights[k][j], -float(factor * slope)) for j, slope in enumerate(slopes, start=1)]
    return combined(*parts)


def _test(numbers: Numbers, value: float, error: float, df: int, weights: Weights, sigma: float) -> Test:
    if not error:
        return Test()
    t = finite(value / error)
    if numbers.noised:
        return Test(t, p_of(numbers, value, weights, sigma))
    from scipy import stats  # noqa: PLC0415 - slow to load, and not needed to show a result

    return Test(t, finite(2 * stats.t.sf(abs(value / error), df)), float(df))


def _f_test(r2: Fraction, count: int, df: int) -> Test | None:
    from scipy import stats  # noqa: PLC0415

    if r2 >= 1:
        return None
    f = float(r2 / count / ((1 - r2) / df))
    return Test(finite(f), finite(stats.f.sf(f, count, df)), float(count))


def _wider(df: int, confidence: float) -> float:
    """Return by how much Student's t is wider than a normal distribution."""
    return (student(df, confidence) or 0.0) / normal_quantile(confidence)


def _dot(one: Sequence[Fraction], other: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0))
