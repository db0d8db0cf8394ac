"""Distributions with fixed seeds: each test is a fixed computation, so it passes always or never."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from app.core.crypto import sampling
from app.core.crypto.parameters import ERROR_ETA, STANDARD_1

SEED = b"s" * 32
COUNT = 200_000


def test_ternary_is_uniform() -> None:
    values = sampling.ternary(SEED, "test", (), COUNT)
    assert sorted(set(values.tolist())) == [-1, 0, 1]
    assert stats.chisquare(np.bincount(values + 1)).pvalue > 0.01
    pairs = np.bincount((values[::2] + 1) * 3 + values[1::2] + 1, minlength=9)
    assert stats.chisquare(pairs).pvalue > 0.01


def test_errors_are_centred_binomial() -> None:
    values = sampling.error(SEED, "test", (), COUNT)
    assert np.abs(values).max() <= ERROR_ETA
    assert abs(values.mean()) < 4 * np.sqrt(ERROR_ETA / 2 / COUNT)
    assert values.var() == pytest.approx(ERROR_ETA / 2, rel=0.02)
    assert np.sqrt(ERROR_ETA / 2) == pytest.approx(3.24, abs=0.005)
    expected = stats.binom.pmf(np.arange(2 * ERROR_ETA + 1), 2 * ERROR_ETA, 0.5) * COUNT
    counts = np.bincount(values + ERROR_ETA, minlength=2 * ERROR_ETA + 1)
    common = expected > 10
    observed, wanted = counts[common].astype(float), expected[common]
    assert stats.chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue > 0.01


def test_errors_use_both_halves_of_a_word() -> None:
    assert abs(np.corrcoef(*sampling.error(SEED, "test", (1,), COUNT).reshape(2, -1))[0, 1]) < 0.02


@pytest.mark.parametrize("modulus", [*STANDARD_1.all_primes, STANDARD_1.plain_modulus, 2, 3, 255, 256, 2**47 + 5])
def test_uniform_is_uniform(modulus: int) -> None:
    values = sampling.uniform(SEED, "test", (modulus,), modulus, COUNT)
    assert len(values) == COUNT
    assert values.min() >= 0
    assert values.max() < modulus
    cells = min(modulus, 1000)
    edges = [-(-cell * modulus // cells) for cell in range(cells + 1)]
    counts = np.bincount(np.searchsorted(edges, values, side="right") - 1, minlength=cells)
    expected = np.diff(edges) * (COUNT / modulus)
    assert stats.chisquare(counts, expected).pvalue > 0.001
    if modulus > 2**20:  # the low bits too
        assert stats.chisquare(np.bincount(values % 256, minlength=256)).pvalue > 0.001


@pytest.mark.parametrize("bits", [1, 6, 7, 8, 40, 79, 80, 81, 96])
def test_wide_is_uniform(bits: int) -> None:
    values = sampling.wide(SEED, "test", (bits,), bits, 20_000)
    assert min(values) >= -(2**bits)
    assert max(values) < 2**bits
    cells = min(2 ** (bits + 1), 64)
    counts = np.bincount([(value + 2**bits) * cells >> (bits + 1) for value in values], minlength=cells)
    assert stats.chisquare(counts).pvalue > 0.001
    assert stats.chisquare(np.bincount([value % 4 for value in values], minlength=4)).pvalue > 0.001


def test_a_longer_request_begins_with_the_shorter_one() -> None:
    modulus = STANDARD_1.data_primes[7]  # the most rejections
    lengths = (1, 2, 7, 100, 1024, 4097, 16384)
    for shorter, longer in itertools.pairwise(lengths):
        for sample in (
            lambda count: sampling.uniform(SEED, "prefix", (), modulus, count).tolist(),
            lambda count: sampling.ternary(SEED, "prefix", (), count).tolist(),
            lambda count: sampling.error(SEED, "prefix", (), count).tolist(),
            lambda count: sampling.wide(SEED, "prefix", (), 80, count),
            lambda count: list(sampling.expand(SEED, "prefix", (), count)),
        ):
            assert sample(longer)[:shorter] == sample(shorter)


def test_rejection_goes_on_when_the_first_stretch_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result must not depend on how many candidates were drawn at once."""
    modulus = 2**47 + 1  # half of all candidates are rejected
    plain = sampling.uniform(SEED, "again", (), modulus, 5000).tolist()
    ternary = sampling.ternary(SEED, "again", (), 5000).tolist()
    original, lengths = sampling.expand, []

    def meagre(seed: bytes, label: str, index: tuple[int, ...], length: int) -> bytes:
        lengths.append(length)
        return original(seed, label, index, max(6, length // 60 * 6))

    monkeypatch.setattr(sampling, "expand", meagre)
    assert sampling.uniform(SEED, "again", (), modulus, 5000).tolist() == plain
    assert len(lengths) > 1
    assert sampling.ternary(SEED, "again", (), 5000).tolist() == ternary


def test_streams_are_distinct_by_seed_label_and_index() -> None:
    names = [
        (seed, label, index)
        for seed in (SEED, b"t" * 32, b"")
        for label in ("a", "b", "")
        for index in ((), (0,), (1,), (0, 0), (0, 1), (1, 0), (10,), (256,))
    ]
    assert len({sampling.expand(*name, 32) for name in names}) == len(names)
    assert sampling.expand(SEED, "a", (1,), 8) == sampling.expand(SEED, "a", (1,), 8)
