"""Random ring elements expanded from seeds by SHAKE-256.

A stream is named by a seed, a ``label`` for its purpose and an ``index`` within it; two different names give
independent streams. Secrets come from the key share's seed; errors, ephemerals and flooding come from 32 fresh bytes
of the operating system for every message, so no error stream is ever used twice (two messages with one error stream
give the secret away by a division).
"""

from __future__ import annotations

import hashlib

import numpy as np

from app.core.codec import encode
from app.core.crypto.parameters import ERROR_ETA
from app.core.crypto.ring import Array


def expand(seed: bytes, label: str, index: tuple[int, ...], length: int) -> bytes:
    """Return ``length`` bytes of the stream named (seed, label, index)."""
    return hashlib.shake_256(encode(["consilium stream", seed, label, list(index)])).digest(length)


def _six_byte_words(data: bytes) -> Array:
    raw = np.frombuffer(data, np.uint8).reshape(-1, 6)
    words = np.zeros((len(raw), 8), np.uint8)
    words[:, :6] = raw
    return words.view("<i8").reshape(-1).astype(np.int64, copy=False)


def uniform(seed: bytes, label: str, index: tuple[int, ...], modulus: int, count: int) -> Array:
    """Return ``count`` residues uniform modulo ``modulus`` (below 2^48), by rejection."""
    mask = (1 << modulus.bit_length()) - 1
    margin = 1.02 * (mask + 1) / modulus
    candidates = int(count * margin) + 256
    while True:
        words = _six_byte_words(expand(seed, label, index, 6 * candidates)) & mask
        accepted = words[words < modulus]
        if len(accepted) >= count:
            return accepted[:count]
        candidates *= 2  # a longer stream has the shorter one as its prefix, so the result does not change


def ternary(seed: bytes, label: str, index: tuple[int, ...], count: int) -> Array:
    """Return ``count`` coefficients uniform in {−1, 0, 1}, by rejection of the byte 255."""
    candidates = count + count // 32 + 256
    while True:
        data = np.frombuffer(expand(seed, label, index, candidates), np.uint8)
        accepted = data[data < 255]
        if len(accepted) >= count:
            return (accepted[:count] % 3).astype(np.int64) - 1
        candidates *= 2


def error(seed: bytes, label: str, index: tuple[int, ...], count: int) -> Array:
    """Return ``count`` centred binomial coefficients with η = 21 (standard deviation 3.24, magnitude at most 21)."""
    words = _six_byte_words(expand(seed, label, index, 6 * count))
    mask = (1 << ERROR_ETA) - 1
    ones: Array = np.bitwise_count(words & mask).astype(np.int64)
    minus: Array = np.bitwise_count((words >> ERROR_ETA) & mask).astype(np.int64)
    return ones - minus


def wide(seed: bytes, label: str, index: tuple[int, ...], bits: int, count: int) -> list[int]:
    """Return ``count`` integers uniform in [−2^bits, 2^bits)."""
    width = (bits + 1 + 7) // 8
    data = expand(seed, label, index, width * count)
    mask = (1 << (bits + 1)) - 1
    return [(int.from_bytes(data[i * width : (i + 1) * width], "little") & mask) - (1 << bits) for i in range(count)]
