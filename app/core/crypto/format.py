"""Our own byte formats of ring elements: what lies on disk and travels.

**Residues**: 6 bytes a coefficient, little endian. A residue blob has a 16-byte header in front, which is also what
lets :func:`unpack_words` read 48-bit words as an unaligned 64-bit view starting two bytes early.

Header, 16 bytes: magic ``CR`` · version u8 (1) · kind u8 · parameter set u8 · level u8 (primes the ciphertext was
sealed with) · prime index u8 · columns per ciphertext u8 · polynomials u8 · zero u8 · correction factor u32 ·
zero u16.

Every load checks kind, set, level, index, exact size and that each residue is below its prime.
"""

from __future__ import annotations

import struct
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, STANDARD_1, ParameterSet
from app.core.crypto.ring import Array
from app.core.errors import ProtocolViolation

HEADER_SIZE = 16
_HEADER = struct.Struct("<2sBBBBBBBBIH")
_MAGIC = b"CR"
VERSION = 1
_SET_NUMBERS = {STANDARD_1.name: 1, INSECURE_TEST_PARAMETERS.name: 255}
SPECIAL = 255
"""Prime index of the special prime."""


class Kind(IntEnum):
    """What a blob holds."""

    COLUMN = 1
    """(c0, c1) of one sealed column and block at one prime."""
    POLYNOMIALS = 2
    """Polynomials of a protocol message, all primes of its level in turn."""


def pack_words(residues: Array) -> bytes:
    """Return 6 bytes little endian for each number in [0, 2^48), in C order."""
    words = np.ascontiguousarray(residues, dtype="<i8").view("<u2").reshape(-1, 4)
    packed = np.empty((len(words), 3), "<u2")
    for place in range(3):  # three long copies take a fifth of the time of one with many short rows
        packed[:, place] = words[:, place]
    return packed.tobytes()


def unpack_words(data: bytes | memoryview, offset: int, count: int) -> Array:
    """Return ``count`` 48-bit words that start at ``offset`` ≥ 2 of ``data``."""
    if offset < 2 or len(data) != offset + 6 * count:
        raise ProtocolViolation("format.wrong_size", size=len(data), expected=offset + 6 * count)
    view: NDArray[np.uint64] = np.ndarray((count,), "<u8", data, offset - 2, (6,))
    return (view >> np.uint64(16)).view(np.int64)


def header(
    parameters: ParameterSet, kind: Kind, level: int, prime_index: int, polynomials: int, *, columns: int = 1
) -> bytes:
    """Return the 16 bytes in front of a blob."""
    number = _SET_NUMBERS[parameters.name]
    return _HEADER.pack(_MAGIC, VERSION, kind, number, level, prime_index, columns, polynomials, 0, 1, 0)


def check_below(residues: Array, modulus: int) -> None:
    """Raise ProtocolViolation unless all residues are in [0, modulus)."""
    if residues.size and int(residues.max()) >= modulus:  # unsigned 48-bit words are never negative
        raise ProtocolViolation("format.residue_out_of_range")


def pack_residue(parameters: ParameterSet, level: int, prime_index: int, polynomials: Array, columns: int = 1) -> bytes:
    """Return the blob of one sealed column's (c0, c1), shape (2, N), at data prime ``prime_index``."""
    return header(parameters, Kind.COLUMN, level, prime_index, len(polynomials), columns=columns) + pack_words(
        polynomials
    )


def unpack_residue(
    parameters: ParameterSet, data: bytes | memoryview, level: int, prime_index: int, columns: int = 1
) -> Array:
    """Return (c0, c1), shape (2, N), of a blob made by :func:`pack_residue`.

    Raises ProtocolViolation: another format, version, kind, set, level or prime; wrong size; residue out of range.
    """
    if not 0 <= prime_index < level <= parameters.levels:
        raise ProtocolViolation("format.wrong_header")
    if bytes(data[:HEADER_SIZE]) != header(parameters, Kind.COLUMN, level, prime_index, 2, columns=columns):
        raise ProtocolViolation("format.wrong_header")
    residues = unpack_words(data, HEADER_SIZE, 2 * parameters.ring_degree)
    check_below(residues, parameters.data_primes[prime_index])
    return residues.reshape(2, parameters.ring_degree)


def residue_size(parameters: ParameterSet) -> int:
    """Bytes of one residue blob."""
    return HEADER_SIZE + 12 * parameters.ring_degree


def pack_polynomials(parameters: ParameterSet, primes: tuple[int, ...], polynomials: Array) -> bytes:
    """Return the blob of ``polynomials``, shape (count, len(primes), N), of a protocol message (count ≤ 255)."""
    count, used, degree = polynomials.shape
    if used != len(primes) or degree != parameters.ring_degree:
        raise ProtocolViolation("format.wrong_size", size=used * degree, expected=len(primes) * parameters.ring_degree)
    last = SPECIAL if primes[-1] == parameters.special_prime else used - 1
    return header(parameters, Kind.POLYNOMIALS, used, last, count) + pack_words(polynomials)


def polynomials_size(parameters: ParameterSet, primes: tuple[int, ...], count: int) -> int:
    """Bytes of the blob of ``count`` polynomials."""
    return HEADER_SIZE + 6 * count * len(primes) * parameters.ring_degree


def unpack_polynomials(
    parameters: ParameterSet, primes: tuple[int, ...], count: int, data: bytes | memoryview
) -> Array:
    """Return the array (count, len(primes), N) packed by :func:`pack_polynomials`; errors as there and above."""
    last = SPECIAL if primes[-1] == parameters.special_prime else len(primes) - 1
    if bytes(data[:HEADER_SIZE]) != header(parameters, Kind.POLYNOMIALS, len(primes), last, count):
        raise ProtocolViolation("format.wrong_header")
    words = unpack_words(data, HEADER_SIZE, count * len(primes) * parameters.ring_degree)
    polynomials = words.reshape(count, len(primes), parameters.ring_degree)
    for index, prime in enumerate(primes):
        check_below(polynomials[:, index], prime)
    return polynomials
