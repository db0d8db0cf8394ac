"""What a preparation worker does: encrypt one block of one column, or of a few columns that share a ciphertext. It
loads nothing but the encryption.

Where R columns of at most N/R patients share a ciphertext, column r is an element C_r of the subring Z_t[X^R], and the
plaintext is Σ_r X^r·C_r(X^R)/R. An element of the subring has equal values in R slots that follow one another, so slot
s of the plaintext is Σ_r x_s^r·v_r[⌊s/R⌋]/R, where x_s is the root of unity that belongs to the slot and v_r the values
of column r. The trace that extracts a column (:mod:`app.core.query.extraction`) multiplies by R, hence the division.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from app.core.crypto import parameters as registry
from app.core.crypto import ring, self_test
from app.core.crypto.format import pack_residue
from app.core.crypto.parameters import ParameterSet
from app.core.crypto.ring import Array
from app.core.crypto.seal import BlockEncryptor
from app.core.errors import Bug

_workers: list[tuple[ParameterSet, BlockEncryptor, int]] = []  # what this process encrypts with, if it is a worker


@dataclass(frozen=True)
class Task:
    """One block of a group of columns to be sealed.

    ``values`` has, for each column of the group, the values of its patients, a byte each; ``sharing`` is the header's
    number of columns per ciphertext: each column has N/sharing slots, and those that are left over are zero.
    """

    group: int
    block: int
    values: tuple[bytes, ...]
    sharing: int = 1


@dataclass(frozen=True)
class Sealed:
    """A sealed block: its residue blobs in the order of the primes, and the SHA-256 of them all."""

    blobs: tuple[bytes, ...]
    digest: bytes


def begin_worker(parameters: str, public_key: bytes, residues: int) -> None:
    """Prepare this process for :func:`seal_block`; the initializer of the worker pool."""
    self_test.ensure()
    chosen = registry.get(parameters)
    _workers[:] = [(chosen, BlockEncryptor(chosen, public_key, residues), residues)]


def seal_block(task: Task) -> Sealed:
    """Seal one block, at no more primes than are kept; runs in a worker."""
    if not _workers:
        raise Bug("prepare.worker_not_begun")
    parameters, encryptor, residues = _workers[0]
    columns = np.zeros((task.sharing, parameters.slots // task.sharing), np.int64)
    for column, values in zip(columns, task.values, strict=False):
        column[: len(values)] = np.frombuffer(values, np.uint8)
    polynomials = encryptor.encrypt(shared_slots(parameters, columns))
    blobs = tuple(
        pack_residue(parameters, residues, prime, polynomials[:, prime], task.sharing) for prime in range(residues)
    )
    return Sealed(blobs, digest_of(blobs))


def shared_slots(parameters: ParameterSet, columns: Array) -> Array:
    """Return the N slots modulo t of the plaintext in which R ``columns``, shape (R, N/R), share a ciphertext.

    Values below 2^32 come back exactly; one column alone is its own slots.
    """
    sharing, patients = columns.shape
    slots: Array
    if sharing == 1:
        slots = columns[0]
    else:
        powers = _powers(parameters, sharing).reshape(sharing, patients, sharing)
        slots = np.einsum("rps,rp->ps", powers, columns).reshape(-1) % parameters.plain_modulus
    return slots


@lru_cache(maxsize=2)
def _powers(parameters: ParameterSet, sharing: int) -> Array:
    """Return x_s^r/R modulo t of every slot s, shape (R, N): below 2^24, so that sums with values stay exact."""
    plain = ring.field(parameters.plain_modulus, parameters.ring_degree)
    part = pow(sharing, -1, parameters.plain_modulus)
    return np.stack([plain.multiply(plain.monomial(exponent), part) for exponent in range(sharing)])


def digest_of(blobs: tuple[bytes, ...]) -> bytes:
    """Return the hash of a block that the manifest holds: over its residue blobs in the order of the primes."""
    digest = hashlib.sha256()
    for blob in blobs:
        digest.update(blob)
    return digest.digest()
