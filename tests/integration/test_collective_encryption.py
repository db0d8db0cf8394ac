"""The whole way at production parameters: three sites' keys, sealed columns, products, packing, release by a quorum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.core.crypto import packing, release, seal
from app.core.crypto.parameters import RELEASE_PRIMES, STANDARD_1
from app.core.crypto.ring import Array
from app.core.crypto.seal import Handle
from tests.crypto_parties import multiply, parties

P = STANDARD_1


@pytest.mark.production
def test_three_sites_at_production_parameters(tmp_path: Path) -> None:
    team, rng = parties(3, 2, P), np.random.default_rng(1)
    level = RELEASE_PRIMES + 1
    context, relinearization = team.keys_at(level, tmp_path)
    small, rotations = team.rotations_at(RELEASE_PRIMES, tmp_path)
    # sealed once at six residues; this query reads four of them
    columns = [rng.integers(0, 2, P.slots) for _ in range(5)]
    sealed = [team.encryptor(6).encrypt(values) for values in columns]
    assert (team.decrypt(sealed[0]) == columns[0]).all()
    for ciphertext in sealed:
        assert team.within(ciphertext, team.model.fresh())

    pairs = [(left, right) for left in range(4) for right in range(left + 1, 5)][:8]
    bound = team.model.product(team.model.fresh(), team.model.fresh())
    bound = team.model.switched(team.model.relinearized(bound, level), level)

    def result(j: int) -> Handle:
        left, right = pairs[j]
        product = multiply(P, sealed[left][:, :level], sealed[right][:, :level])
        handle = context.switch(context.relinearize(context.load(product), relinearization), RELEASE_PRIMES)
        return small.load(context.read(handle))

    truth = [int((columns[left] & columns[right]).sum()) for left, right in pairs]
    first = context.read(result(0))
    assert (team.decrypt(first) == columns[pairs[0][0]] * columns[pairs[0][1]]).all()
    assert team.within(first, bound)

    packed = small.read(packing.pack(small, rotations, 8, result))
    bound = team.model.packed(bound, 8, RELEASE_PRIMES)
    assert team.within(packed, bound)

    encryptor, nothing = team.encryptor(RELEASE_PRIMES), np.zeros_like(packed)

    def contribution(ciphertext: Array, noise: tuple[int, ...]) -> release.Contribution:
        return release.make_contribution(P, ciphertext, 8, noise, encryptor.encrypt_zero())

    parts = [contribution(packed, ()), contribution(nothing, (5, -7)), contribution(packed, ())]
    expected = [2 * number + noise for number, noise in zip(truth, [5, -7, 0, 0, 0, 0, 0, 0], strict=True)]
    for quorum in ((1, 2), (1, 3), (2, 3)):
        assert team.open(parts, team.model.bits(bound), quorum, bytes(quorum)) == expected


@pytest.mark.production
def test_seal_takes_all_eight_primes_at_production_parameters(tmp_path: Path) -> None:
    """The relinearization key at full level, in SEAL's bytes and back."""
    team = parties(3, 2, P)
    context, key = team.keys_at(P.levels, tmp_path)
    assert context.saved_bytes(key) == (tmp_path / f"relinearization-{P.levels}").read_bytes()
    values = np.random.default_rng(2).integers(0, P.plain_modulus, P.slots)
    ciphertext = seal.BlockEncryptor(P, team.public_key, P.levels).encrypt(values)
    handle = context.relinearize(context.load(multiply(P, ciphertext, ciphertext)), key)
    switched = context.read(context.switch(handle, 2))
    truth = (values.astype(object) ** 2 % P.plain_modulus).astype(np.int64)
    assert (team.decrypt(switched) == truth).all()
