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


def _places(size: int) -> list[int]:
    """The coefficient of every place."""
    return [release.positions(P, size)[used] for used in release.place_order(size)]


@pytest.mark.parametrize(("results", "size"), [(1, 1), (2, 2), (3, 4), (8, 8), (9, 16), (240, 256), (256, 256)])
def test_packed_size(results: int, size: int) -> None:
    assert packing.packed_size(results) == size
    found = _places(size)
    assert sorted(found) == [j * N // size for j in range(size)]
    assert all(found[j] < N // 2 for j in range(0, size, 2))  # the lowest bit of a place is the highest of its position


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
    opened = [int(phase[j]) * (N // size) % P.plain_modulus for j in _places(size)]
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
    assert order == [0, 1, 2, 3, 4]  # each once; neighbours are folded at once


@pytest.mark.parametrize("absent", [{0}, {1}, {0, 1}, {4, 5, 6, 7}, {0, 2, 4, 6}, {1, 2, 3, 4, 5, 6, 7}])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_absent_results_are_zero_however_it_is_cut(tmp_path: Path, absent: set[int], size: int) -> None:
    team = parties(3)
    context, keys = team.rotations_at(RELEASE_PRIMES, tmp_path)
    columns, encryptor = [column(P, seed) for seed in range(8)], team.encryptor(RELEASE_PRIMES)

    def result(j: int) -> Handle | None:
        return None if j in absent else context.load(encryptor.encrypt(columns[j]))

    pieces = {j: packing.pack_part(context, keys, result, (j, size), 1) for j in range(0, 8, size)}
    packed = packing.pack_part(context, keys, pieces.__getitem__, (0, 8), size)
    ciphertext = context.read(packed)
    assert team.within(ciphertext, team.model.packed(team.model.fresh(), 8, RELEASE_PRIMES))
    phase = team.phase(ciphertext) % P.plain_modulus
    opened = [int(phase[j]) * (N // 8) % P.plain_modulus for j in _places(8)]
    assert opened == [0 if j in absent else int(values.sum()) for j, values in enumerate(columns)]


def test_nothing_to_pack_is_refused(tmp_path: Path) -> None:
    context, keys = parties(2).rotations_at(2, tmp_path)
    with pytest.raises(Bug, match=r"crypto\.nothing_to_pack"):
        packing.pack(context, keys, 0, lambda j: None)
