from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.crypto import format as own_format
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, STANDARD_1
from app.core.errors import ProtocolViolation

P = INSECURE_TEST_PARAMETERS
N = P.ring_degree
LEVEL, INDEX = 5, 3
RNG = np.random.default_rng(7)
COLUMN = RNG.integers(0, P.data_primes[INDEX], (2, N))
BLOB = own_format.pack_residue(P, LEVEL, INDEX, COLUMN)
PRIMES = P.key_primes(2)
POLYNOMIALS = np.stack([RNG.integers(0, prime, (3, N)) for prime in PRIMES], axis=1)
MESSAGE = own_format.pack_polynomials(P, PRIMES, POLYNOMIALS)


def refuse(data: bytes, level: int = LEVEL, index: int = INDEX, columns: int = 1) -> None:
    with pytest.raises(ProtocolViolation, match=r"format\."):
        own_format.unpack_residue(P, data, level, index, columns)


@given(st.lists(st.integers(0, 2**48 - 1), max_size=50))
def test_words_are_six_bytes_little_endian(numbers: list[int]) -> None:
    packed = own_format.pack_words(np.array(numbers, np.int64))
    assert packed == b"".join(number.to_bytes(6, "little") for number in numbers)
    for front in (b"..", b"\xff" * 16):
        assert own_format.unpack_words(front + packed, len(front), len(numbers)).tolist() == numbers


def test_words_of_any_memory_layout() -> None:
    array = RNG.integers(0, 2**48, (4, 6))
    for view in (array.T, array[::2], array[:, ::-1]):
        packed = own_format.pack_words(view)
        assert own_format.unpack_words(b"\0\0" + packed, 2, view.size).tolist() == view.reshape(-1).tolist()


def test_header_is_as_documented() -> None:
    assert BLOB[:16] == struct.pack("<2sBBBBBBBBIH", b"CR", 1, 1, 255, LEVEL, INDEX, 1, 2, 0, 1, 0)
    assert MESSAGE[:16] == struct.pack("<2sBBBBBBBBIH", b"CR", 1, 2, 255, 3, 255, 1, 3, 0, 1, 0)
    assert own_format.residue_size(P) == len(BLOB) == 16 + 12 * N
    assert own_format.residue_size(STANDARD_1) == 16 + 12 * 16384


def test_residues_come_back() -> None:
    for data in (BLOB, memoryview(BLOB)):
        assert (own_format.unpack_residue(P, data, LEVEL, INDEX) == COLUMN).all()
    packed = own_format.pack_residue(P, 8, 7, COLUMN % P.data_primes[7], columns=64)
    assert (own_format.unpack_residue(P, packed, 8, 7, columns=64) == COLUMN % P.data_primes[7]).all()


def test_polynomials_come_back() -> None:
    for primes in (P.all_primes, P.key_primes(4), P.data_primes[:3], P.data_primes[:1]):
        array = np.stack([RNG.integers(0, prime, (2, N)) for prime in primes], axis=1)
        packed = own_format.pack_polynomials(P, primes, array)
        assert (own_format.unpack_polynomials(P, primes, 2, packed) == array).all()


def test_every_other_meaning_is_refused() -> None:
    refuse(BLOB, level=LEVEL + 1)
    refuse(BLOB, index=INDEX - 1)
    refuse(BLOB, columns=2)
    refuse(MESSAGE)
    refuse(own_format.pack_residue(P, LEVEL, INDEX, COLUMN[:1]))
    refuse(own_format.pack_residue(P, LEVEL, INDEX, np.concatenate([COLUMN, COLUMN[:1]])))
    for level, index in ((LEVEL, LEVEL), (LEVEL, -1), (9, 3), (0, 0)):
        refuse(BLOB, level, index)
    with pytest.raises(ProtocolViolation, match=r"format\.wrong_header"):  # another parameter set
        own_format.unpack_residue(STANDARD_1, BLOB, LEVEL, INDEX)
    for primes, count in ((P.key_primes(3), 3), (P.data_primes[:3], 3), (PRIMES, 2), (PRIMES, 4), (P.all_primes, 3)):
        with pytest.raises(ProtocolViolation, match=r"format\."):
            own_format.unpack_polynomials(P, primes, count, MESSAGE)
    with pytest.raises(ProtocolViolation, match=r"format\.wrong_size"):
        own_format.pack_polynomials(P, P.all_primes, POLYNOMIALS)


@given(st.integers(0, len(BLOB) - 1))
def test_truncated_is_refused(length: int) -> None:
    refuse(BLOB[:length])


@given(st.binary(min_size=1, max_size=4096))
def test_oversized_is_refused(more: bytes) -> None:
    refuse(BLOB + more)


@given(st.integers(0, 15), st.integers(1, 255))
def test_every_altered_header_byte_is_refused(place: int, change: int) -> None:
    altered = bytearray(BLOB)
    altered[place] ^= change
    refuse(bytes(altered))


@given(st.integers(0, 2 * N - 1), st.integers(0, 2**48 - 1))
def test_a_residue_is_taken_exactly_when_it_is_below_its_prime(place: int, value: int) -> None:
    altered = bytearray(BLOB)
    altered[16 + 6 * place : 22 + 6 * place] = value.to_bytes(6, "little")
    if value >= P.data_primes[INDEX]:
        refuse(bytes(altered))
    else:
        assert own_format.unpack_residue(P, bytes(altered), LEVEL, INDEX).reshape(-1)[place] == value


@pytest.mark.parametrize("place", [0, N - 1, N, 2 * N - 1])
def test_the_prime_itself_is_refused_and_one_less_is_not(place: int) -> None:
    prime = P.data_primes[INDEX]
    column = COLUMN.copy()
    column.reshape(-1)[place] = prime - 1
    own_format.unpack_residue(P, own_format.pack_residue(P, LEVEL, INDEX, column), LEVEL, INDEX)
    column.reshape(-1)[place] = prime
    refuse(own_format.pack_residue(P, LEVEL, INDEX, column))


@given(st.integers(0, 2), st.integers(0, 2), st.integers(0, N - 1))
def test_polynomials_are_checked_against_each_own_prime(count: int, row: int, place: int) -> None:
    altered = POLYNOMIALS.copy()
    altered[count, row, place] = PRIMES[row]
    with pytest.raises(ProtocolViolation, match=r"format\.residue_out_of_range"):
        own_format.unpack_polynomials(P, PRIMES, 3, own_format.pack_polynomials(P, PRIMES, altered))


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    refuse(data)
    with pytest.raises(ProtocolViolation, match=r"format\."):
        own_format.unpack_polynomials(P, PRIMES, 3, data)
