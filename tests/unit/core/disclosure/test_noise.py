"""The sampler against its exact distribution and against OpenDP's; the stream of bits is fixed, so nothing is flaky.

Only OpenDP's own draws are random: its comparison would fail by chance less than once in 10^9 runs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import opendp.prelude as dp
import pytest
from numpy.typing import NDArray
from opendp.accuracy import discrete_laplacian_scale_to_accuracy
from scipy import stats

from app.core.disclosure.noise import Bits, Noise, discrete_laplace, half_width, laplace_scale, quantile_of_sum
from app.core.errors import Bug
from app.core.secret import SecretBytes

dp.enable_features("contrib")
KEY = SecretBytes(bytes(range(32)))
QUERY, DATASET = bytes(32), b"dataset"
SCALES = [Fraction(1, 3), Fraction(1), Fraction(7, 3), Fraction(10), Fraction(355, 113), Fraction(1000, 7)]
NARROW = [Fraction(1, 20), Fraction(1, 2), Fraction(7, 3), Fraction(50)]
DRAWS = 30_000


def pmf(scale: Fraction, reach: int) -> NDArray[np.float64]:
    """P(−reach) … P(reach) by the formula."""
    a = math.exp(-1 / scale)
    x = np.abs(np.arange(-reach, reach + 1))
    return np.asarray((1 - a) / (1 + a) * np.exp(-x / float(scale)), np.float64)


@cache
def drawn(scale: Fraction) -> tuple[int, ...]:
    bits = Bits(KEY, str(scale).encode())
    return tuple(discrete_laplace(scale, bits) for _ in range(DRAWS))


def binned(draws: Sequence[int], edges: Sequence[int]) -> NDArray[np.int64]:
    return np.bincount(np.searchsorted(edges, draws, side="right"), minlength=len(edges) + 1)


def equal_bins(scale: Fraction) -> list[int]:
    """Edges of bins that hold about 2 % each, single numbers where they hold more."""
    reach = int(40 * scale) + 40
    cumulated = np.cumsum(pmf(scale, reach))
    return sorted({int(np.searchsorted(cumulated, share)) - reach for share in np.arange(0.02, 1, 0.02)})


@pytest.mark.parametrize("scale", SCALES)
def test_draws_follow_the_exact_distribution(scale: Fraction) -> None:
    edges = equal_bins(scale)
    reach = int(40 * scale) + 40
    upto = np.concatenate([[0], np.cumsum(pmf(scale, reach))])  # upto[i]: below i − reach
    expected = np.diff(np.concatenate([[0], upto[np.array(edges) + reach], [1]])) * DRAWS
    assert stats.chisquare(binned(drawn(scale), edges), expected).pvalue > 0.001


@pytest.mark.parametrize("scale", SCALES)
def test_small_values_one_by_one(scale: Fraction) -> None:
    """The parity of the draws and zero itself show a wrong sign rule or rounding at once."""
    counts = Counter(drawn(scale))
    for value, probability in zip(range(-3, 4), pmf(scale, 3), strict=True):
        assert stats.binomtest(counts[value], DRAWS, probability).pvalue > 0.001


@pytest.mark.parametrize("scale", SCALES)
def test_tails(scale: Fraction) -> None:
    a = math.exp(-1 / scale)
    for beyond in (math.ceil(3 * scale), math.ceil(6 * scale)):
        probability = a**beyond / (1 + a)
        for sign in (1, -1):
            outside = sum(sign * draw >= beyond for draw in drawn(scale))
            assert stats.binomtest(outside, DRAWS, probability).pvalue > 0.001


@pytest.mark.parametrize("scale", SCALES)
def test_two_samples_with_opendp(scale: Fraction) -> None:
    space = dp.atom_domain(T="i64"), dp.absolute_distance(T="i64")
    measure = dp.m.make_laplace(*space, scale=float(scale))
    theirs = [measure(0) for _ in range(8_000)]
    edges = equal_bins(scale)
    table = np.array([binned(drawn(scale), edges), binned(theirs, edges)])
    assert stats.chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue > 1e-9


def asked(
    key: SecretBytes = KEY, query: bytes = QUERY, dataset: bytes = DATASET, per: int = 100, sensitivity: int = 1
) -> NDArray[np.float64]:
    """The noise at many positions of one question, at ε = 1/``per``."""
    noise, epsilon = Noise(key), Fraction(1, per)
    return np.array([noise.laplace(query, dataset, epsilon, sensitivity, position) for position in range(2000)], float)


def test_the_same_question_gets_the_same_noise() -> None:
    assert np.array_equal(asked(), asked())


@pytest.mark.parametrize(
    "change",
    [
        {"key": SecretBytes(bytes(32))},
        {"query": bytes([1] * 32)},
        {"dataset": b"dataset2"},
        {"per": 101},
        {"sensitivity": 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_other_question_gets_independent_noise(change: dict[str, Any]) -> None:
    """The same bits at another scale would be as correlated as can be."""
    assert abs(np.corrcoef(asked(), asked(**change))[0, 1]) < 0.08


def test_equal_ways_to_write_epsilon_are_one() -> None:
    noise = Noise(KEY)
    assert noise.laplace(QUERY, DATASET, Fraction(2, 20), 1) == noise.laplace(QUERY, DATASET, Fraction("0.1"), 1)


def test_noise_of_neighbouring_positions_is_independent() -> None:
    noise = Noise(KEY)
    draws = np.array([noise.laplace(QUERY, DATASET, Fraction(1, 50), 1, position) for position in range(5000)])
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.05
    assert stats.kstest(draws + 0.0, "laplace", args=(0, 50)).pvalue > 0.001


def test_checked_in_draws_stay() -> None:
    """Another stream would answer an old question with new noise, which can be averaged away."""
    noise = Noise(KEY)
    assert [noise.laplace(QUERY, DATASET, Fraction(1, 10), 1, position) for position in range(8)] == [
        4,
        7,
        -1,
        0,
        15,
        -9,
        -3,
        9,
    ]


def test_the_bits_are_uniform_whatever_pieces_they_are_taken_in() -> None:
    whole, pieces = Bits(KEY, b"x"), Bits(KEY, b"x")
    taken = 0
    for count in (0, 1, 7, 255, 256, 257, 1000):
        taken = taken << count | pieces.take(count)
    assert whole.take(1776) == taken
    counts = np.bincount([whole.below(6) for _ in range(12_000)])
    assert stats.chisquare(counts).pvalue > 0.001
    assert whole.below(1) == 0


@pytest.mark.parametrize(
    ("query", "dataset", "epsilon", "sensitivity", "position"),
    [
        (b"short", DATASET, Fraction(1), 1, 0),
        (QUERY, b"", Fraction(1), 1, 0),
        (QUERY, DATASET, Fraction(0), 1, 0),
        (QUERY, DATASET, Fraction(-1), 1, 0),
        (QUERY, DATASET, Fraction(1), 0, 0),
        (QUERY, DATASET, Fraction(1), 1, -1),
    ],
)
def test_impossible_parameters(
    query: bytes, dataset: bytes, epsilon: Fraction, sensitivity: int, position: int
) -> None:
    with pytest.raises(Bug, match="disclosure.noise_parameters"):
        Noise(KEY).laplace(query, dataset, epsilon, sensitivity, position)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(Bug, match="disclosure.noise_key"):
        Noise(SecretBytes(b"short"))


def test_the_scale_is_exact() -> None:
    assert laplace_scale(Fraction("0.3"), 2) == Fraction(20, 3)


def by_convolution(scales: Sequence[Fraction], level: float) -> int:
    reach = int(60 * max(scales)) + 60
    mass = np.ones(1)
    for scale in scales:
        mass = np.convolve(mass, pmf(scale, reach))
    centre = len(mass) // 2
    within = mass[centre] + 2 * np.concatenate([[0], np.cumsum(mass[centre + 1 :])])
    return int(np.argmax(within >= level))


@pytest.mark.parametrize("scales", [*([scale] * n for scale in NARROW for n in (1, 2, 5)), SCALES])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99, 0.999999])
def test_intervals_are_those_of_the_convolution(scales: list[Fraction], level: float) -> None:
    assert half_width(scales, level) == by_convolution(scales, level)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.5, 10.0, 100.0])
@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.01])
def test_the_interval_of_one_draw_is_opendps(scale: float, alpha: float) -> None:
    """OpenDP gives the smallest real a with P(|x| ≥ a) ≤ α, so |x| < a: the next integer below it."""
    accuracy = discrete_laplacian_scale_to_accuracy(scale, alpha)
    assert quantile_of_sum(Fraction(scale), 1, 1 - alpha) == math.ceil(accuracy) - 1


@pytest.mark.parametrize("n", [1, 3, 16])
def test_large_scales_are_a_little_wider_never_narrower(n: int) -> None:
    scale, level = Fraction(1500), 0.95
    rough = quantile_of_sum(scale, n, level)
    draws = stats.dlaplace(1 / 1500).rvs(size=(n, 200_000), random_state=7).sum(axis=0)
    assert np.mean(np.abs(draws) <= rough) >= level - 0.002
    exact = float(np.quantile(np.abs(draws), level))
    assert exact * 0.99 <= rough <= exact * 1.01 + n * 10


def test_the_interval_of_no_noise_is_nothing() -> None:
    assert half_width([], 0.95) == 0
    for scales, level in (([Fraction(1)], 1.0), ([Fraction(1)], 0.0), ([Fraction(0)], 0.5)):
        with pytest.raises(Bug, match="disclosure.interval_parameters"):
            half_width(scales, level)
