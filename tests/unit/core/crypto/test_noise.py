"""The noise model: never exceeded, and near enough to what happens that plans are not wasteful."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from app.core.crypto import centring
from app.core.crypto.noise import Noise, NoiseModel
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, STANDARD_1
from app.core.crypto.ring import Array
from tests.crypto_parties import Parties, lift, multiply, parties

P = INSECURE_TEST_PARAMETERS
T = P.plain_modulus


def summed(ciphertexts: list[Array]) -> Array:
    primes = np.array(P.data_primes[: ciphertexts[0].shape[1]])[None, :, None]
    return sum(ciphertexts) % primes


def mean_and_spread(team: Parties) -> tuple[Array, float, Array]:
    """Mean phase of fresh encryptions, spread around it, and the phase that the centring polynomial has."""
    phases = np.array([team.phase(team.encryptor(2).encrypt_zero()) // T for _ in range(60)]).astype(float)
    mask = centring.polynomial(P)[:2]
    centre = team.phase(np.stack([np.zeros_like(mask), mask])) // T
    return phases.mean(axis=0), float(np.sqrt(np.mean((phases - phases.mean(axis=0)) ** 2))), centre.astype(float)


@pytest.mark.parametrize("sites", [2, 3, 10, 16])
def test_seals_rounding_walks_with_the_secret_and_is_centred(sites: int) -> None:
    """Without the centring the mean is −½·(1 + s·ΣXⁱ), smooth and the same in every ciphertext; with it, white."""
    team = parties(sites)
    mean, spread, centre = mean_and_spread(team)
    sums = np.cumsum(team.secret.coefficients)
    walk = -0.5 * (1 + 2 * sums - sums[-1])
    assert np.corrcoef(mean - centre, walk)[0, 1] > 0.95
    assert spread == pytest.approx(math.sqrt((1 + P.ring_degree * 2 * sites / 3) / 12), rel=0.1)

    def neighbours(values: Array) -> float:
        return abs(float(np.corrcoef(values[:-1], values[1:])[0, 1]))

    assert neighbours(mean - centre) > 0.8
    assert neighbours(mean) < 0.15


@pytest.mark.parametrize("count", [1, 4, 32])
@pytest.mark.parametrize("sites", [2, 3, 10])
def test_sums_of_fresh_encryptions(sites: int, count: int) -> None:
    for name in (b"first", b"second", b"third"):
        team = parties(sites, name=name)
        total = summed([team.encryptor(2).encrypt_zero() for _ in range(count)])
        bound = team.model.rounding(count)
        assert team.within(total, bound)
        assert team.noise(total) / T > bound.peak / 64


@pytest.mark.parametrize("sites", [2, 3, 10])
def test_products_and_relinearization(tmp_path: Path, sites: int) -> None:
    for name in (b"first", b"second"):
        team = parties(sites, name=name)
        model, rng = team.model, np.random.default_rng(sites)
        a, b = (team.encryptor(3).encrypt(rng.integers(0, T, P.slots)) for _ in range(2))
        product = multiply(P, a, b)
        bound = model.product(model.fresh(), model.fresh())
        assert team.within(product, bound)
        assert team.noise(product) / T > bound.peak / 2**9
        context, key = team.keys_at(3, tmp_path)
        before = team.phase(product)
        relinearized = context.read(context.relinearize(context.load(product), key))
        added = np.abs((team.phase(relinearized) - before) / T).max()
        alone = model.relinearized(Noise(0, 0, 0), 3)
        assert alone.peak / 64 < added <= alone.peak
        assert team.within(relinearized, model.relinearized(bound, 3))


def test_every_plaintext_fits_the_bound_of_a_fresh_encryption() -> None:
    team = parties(3)
    for values in (np.zeros(P.slots, np.int64), np.ones(P.slots, np.int64), np.full(P.slots, T - 1)):
        assert team.within(team.encryptor(1).encrypt(values), team.model.fresh())


def test_production_plans_have_room() -> None:
    """Six products in a row, 61 blocks each, still leave a number that decrypts and floods at three primes."""
    model = NoiseModel(STANDARD_1, 16)
    noise = model.fresh()
    for level in range(8, 3, -1):
        noise = model.switched(model.relinearized(model.product(noise, noise), level), level)
    assert model.bits(noise) < 40
    summed_ = model.product(noise, noise).times(61)
    assert model.bits(model.relinearized(summed_, 3)) < STANDARD_1.modulus_bits(3) - 2


def test_arithmetic() -> None:
    noise = Noise(4, 2, 1)
    assert noise + Noise(1, 1, 1) == Noise(5, 3, 2)
    assert noise.times(-3) == Noise(12, 6, 3)
    model = NoiseModel(P, 3)
    assert model.bits(Noise(2, 1, 1)) == pytest.approx(math.log2(2 * T))
    assert model.packed(noise, 1, 3) == noise
    assert model.packed(noise, 3, 3) == model.packed(noise, 4, 3)
    assert model.rounding(4).peak < 4 * model.rounding(1).peak
    assert lift(np.array([[1], [1]]), P.data_primes[:2])[0] == 1
