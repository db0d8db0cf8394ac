from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.core.crypto import packing, release
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, RELEASE_PRIMES
from app.core.crypto.ring import Array
from app.core.crypto.seal import Handle
from app.core.errors import Bug
from tests.crypto_parties import column, parties

P = INSECURE_TEST_PARAMETERS
N = P.ring_degree


@pytest.mark.parametrize(("results", "size"), [(1, 1), (2, 2), (3, 4), (8, 8), (9, 16), (240, 256), (256, 256)])
def test_packed_size(results: int, size: int) -> None:
    assert packing.packed_size(results) == size
    assert list(release.positions(P, size)) == [j * N // size for j in range(size)]


@pytest.mark.parametrize("level", [2, RELEASE_PRIMES, 4])
@pytest.mark.parametrize("results", [1, 2, 3, 8, 64, 240])
def test_results_are_exact(tmp_path: Path, results: int, level: int) -> None:
    team = parties(3)
    context, keys = team.rotations_at(level, tmp_path)
    columns = [column(P, seed) for seed in range(results)]
    encryptor = team.encryptor(level)
    packed = packing.pack(context, keys, results, lambda j: context.load(encryptor.encrypt(columns[j])))
    size, ciphertext = packing.packed_size(results), context.read(packed)
    assert team.within(ciphertext, team.model.packed(team.model.fresh(), results, level))
    phase = team.phase(ciphertext) % P.plain_modulus
    opened = [int(phase[j]) * (N // size) % P.plain_modulus for j in release.positions(P, size)]
    assert opened == [int(values.sum()) for values in columns] + [0] * (size - results)


@pytest.mark.parametrize("results", [1, 3, 240])
def test_results_open_exactly(tmp_path: Path, results: int) -> None:
    """Packed by three sites, added up, opened by two of them."""
    team = parties(3, 2)
    context, keys = team.rotations_at(RELEASE_PRIMES, tmp_path)
    size, contributions, encryptor = packing.packed_size(results), [], team.encryptor(RELEASE_PRIMES)
    truth = np.zeros(size, np.int64)
    for site in range(1, 4):
        columns = [column(P, 1000 * site + j) for j in range(results)]
        truth[:results] += [values.sum() for values in columns]

        def result(j: int, columns: list[Array] = columns) -> Handle:
            return context.load(encryptor.encrypt(columns[j]))

        ciphertext = context.read(packing.pack(context, keys, results, result))
        contributions.append(release.make_contribution(P, ciphertext, size, (), encryptor.encrypt_zero()))
    bits = team.model.bits(team.model.packed(team.model.fresh(), results, RELEASE_PRIMES))
    assert team.open(contributions, bits, quorum=(1, 3)) == truth.tolist()


def test_few_ciphertexts_are_alive_at_a_time(tmp_path: Path) -> None:
    team = parties(2)
    context, keys = team.rotations_at(2, tmp_path)
    zero, order = team.encryptor(2).encrypt_zero(), []

    def result(j: int) -> Handle:
        order.append(j)
        return context.load(zero)

    packing.pack(context, keys, 5, result)
    assert order == [0, 4, 2, 1, 3]  # each once; partners first, so that pairs are folded at once


def test_nothing_to_pack_is_refused(tmp_path: Path) -> None:
    context, keys = parties(2).rotations_at(2, tmp_path)
    with pytest.raises(Bug, match=r"crypto\.nothing_to_pack"):
        packing.pack(context, keys, 0, lambda j: None)
