"""Packing with shared rotations puts the same numbers in the same places as the plain tree, with fewer rotations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.core.crypto.packing import pack_part
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS as P
from app.core.crypto.parameters import RELEASE_PRIMES
from app.core.crypto.ring import Array
from app.core.crypto.seal import Context, Handle
from app.core.query.extraction import shifted_sum
from app.core.query.shared_packing import SharedPacking
from tests.crypto_parties import parties

TEAM = parties(2)
CIPHERTEXTS = {
    number: TEAM.encryptor(RELEASE_PRIMES).encrypt(np.random.default_rng(number).integers(0, 2, P.slots))
    for number in (3, 5, 8)
}
RUN = {place: (3, place) for place in range(64)}
TWO_GROUPS = {place: ((3, 5)[place // 32], place % 32) for place in range(64)}
IN_TURN = {place: ((3, 5)[place % 2], 7 + place // 2) for place in range(64)}
WITH_GAPS = {place: (3, place) for place in range(48) if place % 4 != 2}
BACKWARDS = {place: (8, 63 - place) for place in range(64)}
ODD_ONES = {place: (3, place * place % 61) for place in range(64)}


class Counting(Context):
    """Counts rotations."""

    rotations = 0

    def rotate(self, ciphertext: Handle, element: int, keys: object) -> Handle:
        self.rotations += 1
        return super().rotate(ciphertext, element, keys)

    def turn(self, ciphertext: Handle, element: int, keys: object) -> Handle:
        self.rotations += 1
        return super().turn(ciphertext, element, keys)


def moved(number: int, place: int) -> Array:
    return shifted_sum(P, RELEASE_PRIMES, [(1, place, CIPHERTEXTS[number])])


@pytest.mark.parametrize(
    ("leaves", "most"),
    [(RUN, 22), (TWO_GROUPS, 31), (IN_TURN, 31), (WITH_GAPS, 40), (BACKWARDS, 22), (ODD_ONES, 63)],
    ids=["run", "two groups", "in turn", "with gaps", "backwards", "odd ones"],
)
@pytest.mark.parametrize("mixed", [False, True])
def test_the_same_numbers_in_the_same_places(
    tmp_path: Path, leaves: dict[int, tuple[int, int]], most: int, mixed: bool
) -> None:
    _, keys = TEAM.rotations_at(RELEASE_PRIMES, tmp_path)
    plain, shared = Counting(P, RELEASE_PRIMES), Counting(P, RELEASE_PRIMES)
    others = {17: (5, 3), 40: (5, 9)} if mixed else {}
    every = leaves | others
    alike = {place: leaf for place, leaf in leaves.items() if place not in others}

    def leaf(context: Context, place: int) -> Handle | None:
        return context.load(moved(*every[place])) if place in every else None

    expected = pack_part(plain, keys, lambda place: leaf(plain, place), (0, 64), 1)
    packing = SharedPacking(shared, keys, CIPHERTEXTS, alike, lambda place: leaf(shared, place), frozenset(every))
    found = packing.pack((0, 64))
    step = P.ring_degree // 64
    phases = [TEAM.phase(plain.read(each))[::step] % P.plain_modulus for each in (expected, found)]
    assert (phases[0] == phases[1]).all()
    assert phases[0].any()
    assert shared.rotations <= (plain.rotations if mixed else most)
    bound = TEAM.model.packed(TEAM.model.fresh(), 64, RELEASE_PRIMES)
    assert np.abs((TEAM.phase(shared.read(found)) / P.plain_modulus).astype(float)).max() < bound.peak


def test_a_part_with_nothing_in_it_is_nothing(tmp_path: Path) -> None:
    _, keys = TEAM.rotations_at(RELEASE_PRIMES, tmp_path)
    packing = SharedPacking(Counting(P, RELEASE_PRIMES), keys, CIPHERTEXTS, {}, lambda _: None, frozenset())
    assert packing.pack((0, 8)) is None
