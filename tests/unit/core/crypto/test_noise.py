"""The noise model: never exceeded, and near enough to what happens that plans are not wasteful."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from app.core.crypto.noise import Noise, NoiseModel
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, STANDARD_1
from app.core.crypto.ring import Array
from tests.crypto_parties import lift, multiply, parties

P = INSECURE_TEST_PARAMETERS
T = P.plain_modulus


def summed(ciphertexts: list[Array]) -> Array:
    primes = np.array(P.data_primes[: ciphertexts[0].shape[1]])[None, :, None]
    return sum(ciphertexts) % primes


@pytest.mark.parametrize("sites", [2, 3, 10, 16])
def test_seals_rounding_walks_with_the_secret(sites: int) -> None:
    """Its mean is not zero but −½·(1 + s·ΣXⁱ): smooth, secret, and the same in every ciphertext of a key."""
    team = parties(sites)
    phases = np.array([team.phase(team.encryptor(2).encrypt_zero()) // T for _ in range(60)]).astype(float)
    sums = np.cumsum(team.secret.coefficients)
    walk = -0.5 * (1 + 2 * sums - sums[-1])
    assert np.corrcoef(phases.mean(axis=0), walk)[0, 1] > 0.95
    spread = float(np.sqrt(np.mean((phases - walk) ** 2)))
    assert spread == pytest.approx(math.sqrt((1 + P.ring_degree * 2 * sites / 3) / 12), rel=0.1)


def test_flooding_bound_of_16_sites_needs_the_walk() -> None:
    """Reckoned with centred roundings, 8·√(2n(1 + 2nN/3)/12), the bound would be exceeded by what really happens."""
    team = parties(16, parameters=STANDARD_1)
    total = summed([team.encryptor(1).encrypt_zero() for _ in range(32)])
    centred = 8 * math.sqrt(32 * (1 + 32 * STANDARD_1.ring_degree / 3) / 12)
    assert centred < team.noise(total) / T <= team.model.rounding(32).peak


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
        alone = model.relinearized(Noise(0, 0), 3)
        assert alone.peak / 64 < added <= alone.peak
        assert team.within(relinearized, model.relinearized(bound, 3))


def test_every_plaintext_fits_the_bound_of_a_fresh_encryption() -> None:
    team = parties(3)
    for values in (np.zeros(P.slots, np.int64), np.ones(P.slots, np.int64), np.full(P.slots, T - 1)):
        assert team.within(team.encryptor(1).encrypt(values), team.model.fresh())


def test_arithmetic() -> None:
    noise = Noise(4, 2)
    assert noise + Noise(1, 1) == Noise(5, 3)
    assert noise.times(-3) == Noise(12, 6)
    model = NoiseModel(P, 3)
    assert model.bits(Noise(2, 1)) == pytest.approx(math.log2(2 * T))
    assert model.packed(noise, 1, 3) == noise
    assert model.packed(noise, 3, 3) == model.packed(noise, 4, 3)
    assert model.rounding(4).peak < 4 * model.rounding(1).peak
    assert lift(np.array([[1], [1]]), P.data_primes[:2])[0] == 1
