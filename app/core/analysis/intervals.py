"""Estimates with intervals that hold what sampling and what the sites' noise leave open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from app.core.analysis.numbers import Numbers
from app.core.analysis.results import Estimate, GroupCount
from app.core.analysis.spread import Floats, half_width, normal_quantile, p_value

NOTHING = Estimate()
"""What cannot be said."""


def count_estimate(numbers: Numbers, places: Iterable[int], fitted: int, confidence: float) -> Estimate:
    """Return a count, the sum of these cells: ``fitted`` in the interval that noise leaves open around what was opened.

    The interval always holds ``fitted`` and no negative number, which takes nothing from its coverage.
    """
    if not numbers.noised:
        return Estimate(fitted, fitted, fitted)
    places = tuple(places)
    opened, width = sum(numbers.values[place] for place in places), numbers.width(places, confidence)
    return Estimate(fitted, max(0, min(fitted, opened - width)), max(fitted, opened + width))


def group_counts(
    numbers: Numbers, keys: Iterable[tuple[str, int]], fitted: list[int], confidence: float
) -> tuple[GroupCount, ...]:
    """Return the groups of these keys and cells, with their share of all of them."""
    total = sum(fitted)
    return tuple(
        GroupCount(
            key, count_estimate(numbers, [place], count, confidence), share_of(count, total), numbers.values[place]
        )
        for (key, place), count in zip(keys, fitted, strict=True)
    )


def share_of(count: float, total: float) -> float | None:
    """Return count / total, or None of nothing."""
    return count / total if total else None


def noise_width(numbers: Numbers, place: int, confidence: float) -> float | None:
    """Return how far noise may have moved the number of this cell; None if it is exact."""
    return numbers.width([place], confidence) if numbers.noised else None


def noise_deviation(numbers: Numbers, weights: Mapping[int, float]) -> float:
    """Return the standard deviation of the noise in a combination of cells."""
    return math.sqrt(sum(weight**2 * numbers.variance(place) for place, weight in weights.items()))


def width_of(numbers: Numbers, weights: Mapping[int, float], sigma: float, confidence: float) -> float:
    """Return the half width for a combination of cells (a gradient) whose sampling error is ``sigma``."""
    if not numbers.noised:
        return normal_quantile(confidence) * sigma
    return half_width(*_noise(numbers, weights), numbers.sites, sigma, confidence)


def p_of(numbers: Numbers, value: float, weights: Mapping[int, float], sigma: float) -> float | None:
    """Return the two-sided p of a statistic ``value`` that should be 0; ``weights`` and ``sigma`` as above."""
    return p_value(value, *_noise(numbers, weights), numbers.sites, sigma)


def student(df: float, confidence: float) -> float | None:
    """Return the quantile of Student's t that goes with this confidence; None without degrees of freedom."""
    from scipy import stats  # noqa: PLC0415 - slow to load, and not needed to show a result

    return finite(stats.t.ppf((1 + confidence) / 2, df)) if df > 0 else None


def around(value: float | None, width: float | None, least: float = -math.inf, most: float = math.inf) -> Estimate:
    """Return value ± width, both ends and the value within [least, most]; None if one of them is not finite."""
    value, width = finite(value), finite(width)
    if value is None:
        return NOTHING
    value = min(max(value, least), most)
    if width is None:
        return Estimate(value)
    return Estimate(value, max(least, value - width), min(most, value + width))


def finite(value: float | None) -> float | None:
    """Return a plain float, or None for what is not finite."""
    return float(value) if value is not None and math.isfinite(value) else None


def _noise(numbers: Numbers, weights: Mapping[int, float]) -> tuple[Floats, Floats]:
    used = sorted(weights)
    return np.array([weights[place] for place in used], float), np.array([numbers.variance(p) for p in used], float)
