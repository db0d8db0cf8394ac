"""What a preparation worker does: encrypt one block of one column. It loads nothing but the encryption."""

from __future__ import annotations

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
    """One block of one column to be sealed: N bits, packed."""

    column: int
    block: int
    bits: bytes


def begin_worker(parameters: str, public_key: bytes, residues: int) -> None:
    """Prepare this process for :func:`seal_block`; the initializer of the worker pool."""
    self_test.ensure()
    chosen = registry.get(parameters)
    _workers[:] = [(chosen, BlockEncryptor(chosen, public_key, residues), residues)]


def seal_block(task: Task) -> tuple[bytes, ...]:
    """Return the residue blobs of one sealed block; runs in a worker."""
    if not _workers:
        raise Bug("prepare.worker_not_begun")
    parameters, encryptor, residues = _workers[0]
    slots = np.unpackbits(np.frombuffer(task.bits, np.uint8)).astype(np.int64)
    sealed = encryptor.encrypt(slots)
    return tuple(pack_residue(parameters, residues, prime, sealed[:, prime]) for prime in range(residues))
