"""Widths against the exact distribution of the noise, and against what is known of normal and Laplace numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from app.core.analysis.spread import half_width, lattice_half_width, normal_quantile, p_value, variance
from app.core.disclosure import noise

SCALES = [Fraction(1, 5), Fraction(1), Fraction(7, 3), Fraction(20), Fraction(150)]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_whole_numbers_get_the_exact_width(scale: Fraction, confidence: float) -> None:
    """Of one draw, P(|X| > h) = 2·a^(h + 1)/(1 + a); sums are tested where the noise is drawn."""
    a = math.exp(-1 / scale)
    least = next(h for h in range(10_000) if 2 * a ** (h + 1) / (1 + a) <= 1 - confidence)
    assert lattice_half_width((scale,), 1, confidence) == least
    assert lattice_half_width((scale, scale / 2), 3, confidence) == noise.half_width(
        [scale] * 3 + [scale / 2] * 3, confidence
    )


def test_large_scales_are_as_wide_as_a_laplace_distribution() -> None:
    assert lattice_half_width((Fraction(5000),), 1, 0.95) == pytest.approx(5000 * math.log(20), rel=1e-3)


def test_no_noise_is_no_width() -> None:
    assert lattice_half_width((), 3, 0.95) == 0
    assert half_width(np.zeros(2), np.ones(2), 1, 0.0, 0.95) == 0
    assert p_value(1.0, np.zeros(0), np.zeros(0), 0, 0.0) is None


@pytest.mark.parametrize("scale", SCALES)
def test_the_variance_is_that_of_the_distribution(scale: Fraction) -> None:
    x = np.arange(-8000, 8001)
    a = math.exp(-1 / scale)
    assert variance(scale) == pytest.approx(float((x**2 * (1 - a) / (1 + a) * a ** np.abs(x)).sum()))


@pytest.mark.parametrize(("confidence", "z"), [(0.9, 1.645), (0.95, 1.960), (0.99, 2.576)])
def test_confidence_is_what_it_says(confidence: float, z: float) -> None:
    assert normal_quantile(confidence) == pytest.approx(z, abs=5e-4)
    assert half_width(np.zeros(0), np.zeros(0), 0, 2.0, confidence) == pytest.approx(2 * z, abs=1e-3)


@pytest.mark.parametrize(("weights", "sites", "sigma"), [([1.0], 1, 0.0), ([1.0, -2.0], 2, 1.5), ([1.0] * 8, 3, 0.1)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_widths_cover_what_they_say(weights: list[float], sites: int, sigma: float, confidence: float) -> None:
    """Against a million draws of Laplace noise of scale 1 and a normal number."""
    source = np.random.default_rng(11)
    count = 1_000_000
    drawn = sigma * source.standard_normal(count)
    for weight in weights:
        for _ in range(sites):
            drawn += weight * source.laplace(size=count)
    width = half_width(np.array(weights), np.full(len(weights), 2.0 * sites), sites, sigma, confidence)
    assert np.mean(np.abs(drawn) <= width) == pytest.approx(confidence, abs=0.002)
    p = p_value(width, np.array(weights), np.full(len(weights), 2.0 * sites), sites, sigma)
    assert p == pytest.approx(1 - confidence, abs=0.002)


def test_p_of_a_normal_statistic() -> None:
    assert p_value(-1.3, np.zeros(0), np.zeros(0), 0, 1.0) == pytest.approx(2 * stats.norm.sf(1.3))
