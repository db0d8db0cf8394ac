"""What a preparation worker does: encrypt one block of one column. It loads nothing but the encryption."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from app.core.crypto import parameters as registry
from app.core.crypto import self_test
from app.core.crypto.format import pack_residue
from app.core.crypto.parameters import ParameterSet
from app.core.crypto.seal import BlockEncryptor
from app.core.errors import Bug

_workers: list[tuple[ParameterSet, BlockEncryptor, int]] = []  # what this process encrypts with, if it is a worker


@dataclass(frozen=True)
class Task:
    """One block of one column to be sealed: the values of up to N slots, a byte each; the other slots are zero."""

    column: int
    block: int
    values: bytes


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
    slots = np.zeros(parameters.slots, np.int64)
    slots[: len(task.values)] = np.frombuffer(task.values, np.uint8)
    polynomials = encryptor.encrypt(slots)
    blobs = tuple(pack_residue(parameters, residues, prime, polynomials[:, prime]) for prime in range(residues))
    return Sealed(blobs, digest_of(blobs))


def digest_of(blobs: tuple[bytes, ...]) -> bytes:
    """Return the hash of a block that the manifest holds: over its residue blobs in the order of the primes."""
    digest = hashlib.sha256()
    for blob in blobs:
        digest.update(blob)
    return digest.digest()
