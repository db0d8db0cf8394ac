"""Mean and standard deviation from the sums of a number's digits: exact rationals until the end.

A number is kept as v = (value − minimum)/step; the digits of v and of v² were summed, so Σv = Σ 32ᵏ·(sum of digit k).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from app.core.analysis.intervals import around, noise_deviation, student, width_of
from app.core.analysis.numbers import Numbers, Sum
from app.core.analysis.results import Estimate
from app.core.analysis.spread import normal_quantile
from app.core.catalogue.scales import Digits

NOISE_LIMIT = 3
"""A divisor must be this many times the noise in it: below, what is divided by it has no honest interval."""


@dataclass(frozen=True, slots=True)
class Moments:
    """n, mean and variance of v in a group, with what they change by each cell (for the noise).

    ``mean`` and ``variance`` are None where they cannot be said; ``notes`` say why.
    """

    n: int
    mean: Fraction | None
    variance: Fraction | None
    notes: tuple[str, ...]
    mean_weights: Mapping[int, float]
    variance_weights: Mapping[int, float]

    @property
    def error(self) -> float:
        """The standard error of the mean from sampling alone, in units of v; 0 where the variance is unknown."""
        return math.sqrt(max(0.0, float(self.variance or 0)) / self.n) if self.n > 0 else 0.0


def moments(numbers: Numbers, n: Sum, total: Sum, squares: Sum) -> Moments:
    """Return the moments from n, Σv and Σv²."""
    count = n.value
    if count < 1:
        return Moments(max(0, count), None, None, ("too_few",), {}, {})
    if noise_deviation(numbers, n.weights) * NOISE_LIMIT > count:
        return Moments(count, None, None, ("too_noisy",), {}, {})
    mean = Fraction(total.value, count)
    mean_weights = combined((total.weights, 1 / count), (n.weights, -float(mean) / count))
    if count == 1:
        return Moments(count, mean, None, ("too_few",), mean_weights, {})
    variance = (squares.value - total.value * mean) / (count - 1)
    weights = combined(
        (squares.weights, 1 / (count - 1)),
        (total.weights, -2 * float(mean) / (count - 1)),
        (n.weights, float(mean) ** 2 / (count - 1) - float(variance) / (count - 1)),
    )
    if variance < 0 or (numbers.noised and variance == 0):
        note = "too_noisy" if numbers.noised else "inconsistent"
        return Moments(count, mean, None, (note,), mean_weights, weights)
    return Moments(count, mean, variance, () if variance else ("no_spread",), mean_weights, weights)


def combined(*parts: tuple[Mapping[int, float], float]) -> dict[int, float]:
    """Return Σ factor · weights, cell by cell."""
    made: dict[int, float] = {}
    for weights, factor in parts:
        for place, weight in weights.items():
            made[place] = made.get(place, 0.0) + factor * weight
    return made


def mean_estimate(numbers: Numbers, found: Moments, digits: Digits, confidence: float) -> Estimate:
    """Return the mean in the variable's unit: Student's t of sampling, and noise."""
    if found.mean is None:
        return Estimate()
    step, least = Fraction(digits.step), Fraction(digits.minimum)
    width, t = None, student(found.n - 1, confidence)
    if t is not None and (found.variance is not None or numbers.noised):
        sigma = found.error * t / normal_quantile(confidence)
        width = float(step) * width_of(numbers, found.mean_weights, sigma, confidence)
    value = float(least + step * found.mean)
    most = float(least + step * digits.largest)
    return around(value, width, float(least), most) if numbers.noised else around(value, width)


def deviation_estimate(numbers: Numbers, found: Moments, digits: Digits, confidence: float) -> Estimate:
    """Return the sample standard deviation in the variable's unit, with what noise leaves open around it."""
    if found.variance is None:
        return Estimate()
    step, variance = float(digits.step), float(found.variance)
    value = step * math.sqrt(variance)
    if not numbers.noised:
        return Estimate(value, value, value)
    width = width_of(numbers, found.variance_weights, 0.0, confidence)
    return Estimate(value, step * math.sqrt(max(0.0, variance - width)), step * math.sqrt(variance + width))
