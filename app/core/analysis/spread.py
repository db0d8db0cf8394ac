"""How wide an interval must be that includes the noise of the sites, exactly and not by a normal approximation.

The noise of a cell is a sum of independent discrete Laplace draws, one a site; a statistic is a linear combination of
cells (by its gradient where it is not linear), and what sampling adds is normal. The half width h of the interval is
where P(|Y| ≤ h) reaches the confidence, by inverting the characteristic function of Y. Nothing is drawn at random.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LARGE = 200
"""Scales beyond which whole numbers may be treated as continuous ones."""
_NEARLY_NORMAL = 0.25
"""The excess kurtosis up to which the first Cornish–Fisher term does instead of the inversion: off by 0.1 points."""
_STEP, _POINTS = 0.1, 1024
_GRID: Floats = np.linspace(_STEP, _STEP * (_POINTS - 1), _POINTS - 1)
"""The grid of the inversion in units of 1/sd: tails beyond 30 sd are folded in, what is above 100/sd is left out."""
_ROUNDING = 1e-10
"""More than what floating point takes from a probability in :func:`exact_half_width`."""
_ENOUGH = 1e-4
"""How exactly a half width is found, as a share of it."""


@lru_cache(maxsize=4096)
def variance(scale: Fraction) -> float:
    """Return the variance of a discrete Laplace draw of this scale: 2a/(1 − a)², a = exp(−1/scale)."""
    return 2 * math.exp(-1 / scale) / math.expm1(-1 / scale) ** 2


@lru_cache(maxsize=4096)
def normal_quantile(confidence: float) -> float:
    """Return z such that a standard normal number lies in ±z with this probability: 2.576 at 99 %."""
    from scipy.special import ndtri  # noqa: PLC0415 - slow to load, and not needed to show a result

    return float(ndtri((1 + confidence) / 2))


@lru_cache(maxsize=4096)
def exact_half_width(scales: tuple[Fraction, ...], confidence: float) -> int:
    """Return the least whole h with P(|sum of one draw of each of ``scales``| ≤ h) ≥ ``confidence``.

    The distribution is the inverse discrete Fourier transform of its characteristic function
    ∏ (1 − a)²/(1 − 2a·cos θ + a²) at M points: exact but for the mass beyond M/2, which is below 2^−53, as
    P(|sum| ≥ w) ≤ 2·(4/3)^n·exp(−w/2s) for the largest scale s.
    """
    reach = float(max(scales)) * (76 + len(scales)) + 2
    points = 1 << math.ceil(math.log2(2 * reach))
    cosine = np.cos(2 * np.pi * np.arange(points // 2 + 1) / points)
    transform = np.ones_like(cosine)
    for scale, count in Counter(scales).items():
        a, rest = math.exp(-1 / scale), -math.expm1(-1 / scale)
        # 1 − 2a·cos θ + a² without the cancellation near θ = 0
        transform *= (rest**2 / (rest**2 + 2 * a * (1 - cosine))) ** count
    mass = np.fft.irfft(transform, points)[: points // 2]
    within = mass[0] + 2 * np.concatenate([[0.0], np.cumsum(mass[1:])])
    return int(np.searchsorted(within, confidence + _ROUNDING))


@lru_cache(maxsize=4096)
def lattice_half_width(scales: tuple[Fraction, ...], sites: int, confidence: float) -> int:
    """Return the least whole h with P(|sum of ``sites`` draws of each of ``scales``| ≤ h) ≥ ``confidence``."""
    if not scales or not sites:
        return 0
    if max(scales) > _LARGE:
        variances = tuple(sites * variance(scale) for scale in scales)
        return math.ceil(half_width(np.ones(len(scales)), np.array(variances), sites, 0.0, confidence))
    return exact_half_width(tuple(sorted(scales * sites)), confidence)


def half_width(weights: Floats, variances: Floats, sites: int, sigma: float, confidence: float) -> float:
    """Return h with P(|Y| ≤ h) = ``confidence`` for Y = Σ weight·noise + sigma·(standard normal).

    ``variances`` are those of the cells' noise, each a sum of ``sites`` draws.
    """
    made = _Spread.of(weights, variances, sites, sigma)
    z = normal_quantile(confidence)
    if made.kurtosis < _NEARLY_NORMAL:
        return made.deviation * (z + made.kurtosis * (z**3 - 3 * z) / 24)
    h = z
    for _ in range(50):  # Newton: what is sought rises and bends down, so that steps from below never overshoot
        step = (confidence - made.within(h)) / made.density(h)
        h = max(h / 2, h + step)
        if abs(step) < _ENOUGH * h:
            break
    return h * made.deviation


def p_value(value: float, weights: Floats, variances: Floats, sites: int, sigma: float) -> float | None:
    """Return P(|Y| ≥ |value|), Y as in :func:`half_width`: the two-sided p of a statistic that should be 0."""
    made = _Spread.of(weights, variances, sites, sigma)
    if made.deviation == 0:
        return None
    if made.kurtosis == 0:
        return math.erfc(abs(value) / made.deviation / math.sqrt(2))
    return min(1.0, max(0.0, 1 - made.within(abs(value) / made.deviation)))


@dataclass(frozen=True)
class _Spread:
    """Y: its deviation, its excess kurtosis, and the variances of the normal part and of each draw as shares of its."""

    deviation: float
    kurtosis: float
    normal: float
    shares: Floats
    sites: int

    @classmethod
    def of(cls, weights: Floats, variances: Floats, sites: int, sigma: float) -> _Spread:
        noise = weights**2 * variances
        total = float(noise.sum()) + sigma**2
        if not 0 < total < math.inf:
            return cls(0.0, 0.0, 1.0, np.zeros(0), 0)
        shares = noise / total
        kurtosis = 3 * float(shares @ shares) / sites if sites else 0.0
        return cls(math.sqrt(total), kurtosis, sigma**2 / total, shares / max(1, sites), sites)

    def within(self, h: float) -> float:
        """Return P(|Y| ≤ h·deviation), each draw taken as a Laplace one of its variance."""
        return float(2 / np.pi * _STEP * (h / 2 + self._transform @ np.sin(h * _GRID)))

    def density(self, h: float) -> float:
        """Return the derivative of :meth:`within`."""
        return float(2 / np.pi * _STEP * (0.5 + (self._transform * _GRID) @ np.cos(h * _GRID)))

    @cached_property
    def _transform(self) -> Floats:
        """The characteristic function over u."""
        logarithm = -self.normal * _GRID**2 / 2
        some = np.round(self.shares[self.shares > 1e-9], 12).tolist()
        for share, count in Counter(some).items():
            logarithm = logarithm - count * self.sites * np.log1p(share * _GRID**2 / 2)
        return np.asarray(np.exp(logarithm) / _GRID, np.float64)
