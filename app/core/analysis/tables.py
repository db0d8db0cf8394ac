"""Tables of two variables: Pearson's chi² without continuity correction, Cramér's V, Fisher's exact test.

Noise adds to how far the counts lie from what independence expects, so the chi² of noised counts sets their distance
against the covariance of sampling and noise together: rᵀ (A (diag(E) + noise) Aᵀ)⁻ r, r the residuals of the counts as
they were opened and A their derivative by the counts. Without noise that is Pearson's chi² itself, because diag(E)⁻¹ is
a generalised inverse of A diag(E) Aᵀ.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from app.core.analysis.counts import notes_of
from app.core.analysis.fitting import exclusive
from app.core.analysis.intervals import count_estimate, finite, noise_width
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import Estimate, TableResult, Test

Floats = NDArray[np.float64]
_SMALL = 5
"""Expected counts below this make the distribution of chi² doubtful."""


def table(numbers: Numbers, codes: tuple[str, str], confidence: float) -> TableResult:
    """Return the table with its totals and tests."""
    labels = [cell.label for cell in numbers.cells.cells]
    rows, columns = (list(dict.fromkeys(label[side] for label in labels)) for side in (0, 1))
    raw, width = list(numbers.values), len(columns)
    fitted = exclusive(raw) if numbers.noised else raw

    def estimate(places: range) -> Estimate:
        return count_estimate(numbers, places, sum(fitted[place] for place in places), confidence)

    counts = np.array(fitted, float).reshape(len(rows), width)
    chi2, cramers_v, fisher, notes = _tests(numbers, counts)
    return TableResult(
        *codes,
        tuple(rows),
        tuple(columns),
        tuple(tuple(estimate(range(i * width + j, i * width + j + 1)) for j in range(width)) for i in range(len(rows))),
        tuple(estimate(range(i * width, (i + 1) * width)) for i in range(len(rows))),
        tuple(estimate(range(j, len(raw), width)) for j in range(width)),
        estimate(range(len(raw))),
        chi2,
        cramers_v,
        fisher,
        confidence,
        fitted != raw,
        noise_width(numbers, 0, confidence),
        notes_of(numbers, *notes, adjusted=fitted != raw),
    )


def _tests(numbers: Numbers, counts: Floats) -> tuple[Test | None, float | None, Test | None, list[str]]:
    if (counts < 0).any():
        return None, None, None, ["inconsistent"]
    keep_rows, keep_columns = counts.sum(1) > 0, counts.sum(0) > 0
    used = counts[keep_rows][:, keep_columns]
    notes = [] if used.shape == counts.shape else ["empty_left_out"]
    fisher, total = None, float(used.sum())
    if counts.shape == (2, 2):
        if numbers.noised:
            notes.append("fisher_needs_exact")
        elif used.shape == counts.shape:
            fisher = _fisher(counts)
    if min(used.shape) < 2:
        return None, None, fisher, [*notes, "too_few"]
    expected = np.outer(used.sum(1), used.sum(0)) / total
    if expected.min() < _SMALL:
        notes.append("small_expected_counts")
    if numbers.noised:
        if math.sqrt(sum(map(numbers.variance, range(len(numbers.values))))) * 3 > total:
            return None, None, None, [*notes, "too_noisy"]
        notes.append("noise_in_tests")
        chi2 = _noised_chi2(numbers, (keep_rows, keep_columns), expected)
    else:
        chi2 = _chi2(used)
    if chi2.statistic is None:
        return None, None, fisher, [*notes, "too_few"]
    return chi2, math.sqrt(chi2.statistic / (total * (min(used.shape) - 1))), fisher, notes


def _chi2(counts: Floats) -> Test:
    from scipy import stats  # noqa: PLC0415 - slow to load, and not needed to show a result

    found = stats.chi2_contingency(counts, correction=False)
    return Test(finite(found.statistic), finite(found.pvalue), float(found.dof))


def _fisher(counts: Floats) -> Test:
    from scipy import stats  # noqa: PLC0415

    whole = counts.astype(np.int64)
    across, along = int(whole[0, 1] * whole[1, 0]), int(whole[0, 0] * whole[1, 1])
    odds = along / across if across else None
    return Test(odds, finite(stats.fisher_exact(whole).pvalue))


def _noised_chi2(numbers: Numbers, keep: tuple[NDArray[np.bool_], NDArray[np.bool_]], expected: Floats) -> Test:
    from scipy import stats  # noqa: PLC0415

    shape = (len(keep[0]), len(keep[1]))
    opened = np.array(numbers.values, float).reshape(shape)[keep[0]][:, keep[1]]
    noise = np.array([numbers.variance(place) for place in range(len(numbers.values))]).reshape(shape)
    noise = noise[keep[0]][:, keep[1]]
    rows, columns, total = opened.sum(1), opened.sum(0), float(opened.sum())
    residuals = opened - np.outer(rows, columns) / total
    r, c = expected.sum(1) / expected.sum(), expected.sum(0) / expected.sum()
    # residuals without their last row and column determine the others: R (counts) Cᵀ
    left = (np.eye(len(r)) - np.outer(r, np.ones(len(r))))[:-1]
    right = (np.eye(len(c)) - np.outer(c, np.ones(len(c))))[:-1]
    derivative = np.kron(left, right)
    covariance = (derivative * (expected + noise).ravel()) @ derivative.T
    short = residuals[:-1, :-1].ravel()
    statistic = float(short @ np.linalg.solve(covariance, short))
    return Test(finite(statistic), finite(stats.chi2.sf(statistic, len(short))), float(len(short)))
