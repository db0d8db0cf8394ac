"""The ceremony's closing check: known values, computed with every key the ceremony made, opened by overlapping quorums.

For window w the two blocks of bits and the randomness of their encryption come from the transcript, so every site makes
the very same ciphertexts; nothing about them is secret. Their product is relinearized at all primes (every component
of the relinearization key), then folded once with every rotation key at the level at which it was made (every component
of those: the keys that extract columns have more), which leaves the sum over all slots in the constant coefficient. A
wrong key anywhere gives a random number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.core.crypto import format as crypto_format
from app.core.crypto import ring, sampling, seal
from app.core.crypto.parameters import RELEASE_PRIMES, ROTATION_PRIMES, ParameterSet
from app.core.crypto.release import Contribution
from app.core.crypto.ring import Array
from app.core.query.keys import extraction_file

NOISE_BITS = 64.0
"""log2 of a bound, far above what the switch to three primes leaves and far below what flooding has room for."""


@dataclass(frozen=True)
class KnownValue:
    """A ciphertext whose value everyone knows, ready to be opened."""

    contribution: Contribution
    value: int


def windows(sites: int, quorum: int) -> list[tuple[int, ...]]:
    """Return the overlapping quorums {1…t}, {2…t+1}, …: together they use every site's dealt share."""
    return [tuple(range(first, first + quorum)) for first in range(1, sites - quorum + 2)]


def known_value(
    parameters: ParameterSet, keys: Path, transcript: bytes, window: int, extraction: int = 0
) -> KnownValue:
    """Return the check ciphertext of ``window``; ``keys`` holds the key files at full level.

    ``extraction`` is the level of the keys that extract columns, 0 if the ceremony makes none.
    """
    public_key = crypto_format.unpack_polynomials(
        parameters, parameters.all_primes, 2, (keys / "public_key.bin").read_bytes()
    )
    plain = ring.field(parameters.plain_modulus, parameters.ring_degree)
    fields = ring.fields(parameters, parameters.data_primes)
    bits, ciphertexts = [], []
    for part in range(2):
        stream = sampling.expand(transcript, "check bits", (window, part), parameters.ring_degree)
        bits.append(np.frombuffer(stream, np.uint8).astype(np.int64) & 1)
        message = plain.backward(bits[part])
        ciphertexts.append(_encrypt_publicly(parameters, public_key, message, transcript, (window, part)))
    left, right = ciphertexts
    product = np.empty((3, parameters.levels, parameters.ring_degree), np.int64)
    for index, field in enumerate(fields):
        product[0, index] = field.multiply(left[0, index], right[0, index])
        product[1, index] = field.add(
            field.multiply(left[0, index], right[1, index]), field.multiply(left[1, index], right[0, index])
        )
        product[2, index] = field.multiply(left[1, index], right[1, index])
    total = _fold(parameters, keys, product, extraction)
    contribution = Contribution(parameters, total[1], _constant(parameters, total[0]))
    return KnownValue(contribution, int((bits[0] & bits[1]).sum()))


def _fold(parameters: ParameterSet, keys: Path, product: Array, extraction: int) -> Array:
    """Relinearize at all primes, sum over all automorphisms, and switch to the release level."""
    top = seal.context(parameters, parameters.levels)
    handle = top.relinearize(
        top.load(product), top.load_relinearization_key(keys / f"relinearization.{parameters.levels}.seal")
    )
    total = top.read(handle)
    extracting = parameters.extraction_elements if extraction else ()
    if extraction:
        total = _summed(parameters, total, extraction, keys / extraction_file(extraction), extracting)
    others = [element for element in parameters.rotation_elements if element not in extracting]
    total = _summed(parameters, total, ROTATION_PRIMES, keys / f"rotation.{ROTATION_PRIMES}.seal", others)
    release = seal.context(parameters, ROTATION_PRIMES)
    return release.read(release.switch(release.load(total), RELEASE_PRIMES))


def _summed(parameters: ParameterSet, total: Array, level: int, keys: Path, elements: Sequence[int]) -> Array:
    """Switch to ``level`` and sum over the automorphisms that ``elements`` make."""
    above = seal.context(parameters, total.shape[1])
    context = seal.context(parameters, level)
    handle = context.load(above.read(above.switch(above.load(total), level)))
    loaded = context.load_rotation_keys(keys)
    for element in elements:
        handle = context.add(handle, context.rotate(handle, element, loaded))
    return context.read(handle)


def opened_value(parameters: ParameterSet, number: int) -> int:
    """Return the slot sum from an opened constant coefficient.

    The fold multiplied the constant coefficient by N, which is the slot sum; opening multiplies by N once more.
    """
    return number * pow(parameters.ring_degree, -1, parameters.plain_modulus) % parameters.plain_modulus


def _constant(parameters: ParameterSet, c0: Array) -> Array:
    fields = ring.fields(parameters, parameters.data_primes[:RELEASE_PRIMES])
    return np.array([[field.coefficient(c0[index], 0)] for index, field in enumerate(fields)], np.int64)


def _encrypt_publicly(
    parameters: ParameterSet, public_key: Array, message: Array, seed: bytes, index: tuple[int, ...]
) -> Array:
    """Return (b·u + t·e0 + m, a·u + t·e1) at all data primes, with u and e from a public seed."""
    degree, t = parameters.ring_degree, parameters.plain_modulus
    ephemeral = sampling.ternary(seed, "check ephemeral", index, degree)
    errors = [t * sampling.error(seed, "check error", (*index, part), degree) for part in range(2)]
    ciphertext = np.empty((2, parameters.levels, degree), np.int64)
    for position, field in enumerate(ring.fields(parameters, parameters.data_primes)):
        u = field.forward(ephemeral)
        for part, plain in enumerate((errors[0] + message, errors[1])):
            ciphertext[part, position] = field.add(field.multiply(public_key[part, position], u), field.forward(plain))
    return ciphertext
