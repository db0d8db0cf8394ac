"""The public keys of a federation as a worker uses them: loaded when they are first needed, kept for the next work."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from app.core.crypto.parameters import RELEASE_PRIMES, ROTATION_PRIMES, ParameterSet
from app.core.crypto.ring import Array
from app.core.crypto.seal import BlockEncryptor, Context, Handle, context
from app.core.errors import EnvironmentProblem
from app.core.files import read_limited

PUBLIC_KEY_FILE = "public_key.bin"
ROTATION_FILE = f"rotation.{RELEASE_PRIMES}.seal"
"""The keys that results are packed with, in SEAL's own bytes."""
EARLY_FILE = f"packing.{ROTATION_PRIMES}.seal"
"""Those of the lowest nodes at the level of their products, for what is packed before it is relinearized."""
_PUBLIC_KEY_LIMIT = 64 << 20
ZEROS_KEPT = 3
"""Encryptions of zero that a worker makes ahead: nobody knows which worker the next task goes to."""


def relinearization_file(level: int) -> str:
    """Return the name of the relinearization key's file for ``level`` primes, in SEAL's own bytes."""
    return f"relinearization.{level}.seal"


def extraction_file(level: int) -> str:
    """Return the name of the file of the keys that extract columns at ``level`` primes, in SEAL's own bytes."""
    return f"extraction.{level}.seal"


class KeyFiles:
    """The public keys of one federation as a worker uses them."""

    def __init__(self, parameters: ParameterSet, directory: Path) -> None:
        self._parameters = parameters
        self._directory = directory
        self._relinearization: dict[int, Any] = {}
        self._rotation: tuple[int, int, int, Any] | None = None
        self._extraction: dict[int, Any] = {}
        self._encryptors: dict[int, BlockEncryptor] = {}
        self._zeros: dict[int, list[Array]] = {}

    def relinearization(self, level: int) -> Any:
        """Return SEAL's relinearization key at ``level`` primes."""
        if level not in self._relinearization:
            path = self._file(relinearization_file(level))
            self._relinearization[level] = context(self._parameters, level).load_relinearization_key(path)
        return self._relinearization[level]

    def rotation(self, results: int, together: int = 1) -> Any:
        """Return SEAL's rotation keys that pack so many results, each ``together`` of them packed already."""
        return self._packing(ROTATION_FILE, context(self._parameters, RELEASE_PRIMES), together, results)

    def early(self, together: int, context: Context) -> Any:
        """Return SEAL's rotation keys of the nodes over so many results, at the level of the products."""
        return self._packing(EARLY_FILE, context, 1, together)

    def _packing(self, name: str, context: Context, together: int, results: int) -> Any:
        """Return the keys of the nodes over more than ``together`` places; others, 3 to 5 MB each, are not loaded."""
        known, level = self._rotation, context.level
        if known is None or known[0] != level or known[1] > together or known[2] < results:
            if known is not None and known[0] == level:
                together, results = min(known[1], together), max(known[2], results)
            elements = [(1 << height) + 1 for height in range(together.bit_length(), results.bit_length())]
            known = self._rotation = None  # those of one level are in memory at a time: loading takes 20 ms
            loaded = context.load_rotation_keys(self._file(name), elements)
            known = self._rotation = level, together, results, loaded
        return known[3]

    def extraction(self, level: int) -> Any:
        """Return SEAL's keys that extract columns from shared ciphertexts, at ``level`` primes."""
        if level not in self._extraction:
            path = self._file(extraction_file(level))
            self._extraction[level] = context(self._parameters, level).load_rotation_keys(path)
        return self._extraction[level]

    def prepare_zero(self, level: int) -> None:
        """Make an encryption of zero ahead of its use, unless there are enough."""
        zeros = self._zeros.setdefault(level, [])
        if len(zeros) < ZEROS_KEPT:
            zeros.append(self._encryptor(level).encrypt_zero())

    def take_zero(self, level: int) -> Array:
        """Return a fresh encryption of zero, shape (2, level, N); none is ever returned twice."""
        if not self._zeros.get(level):
            self.prepare_zero(level)
        return self._zeros[level].pop()

    def encrypt(self, slots: Array, level: int) -> Array:
        """Return a fresh encryption of N slots at ``level`` primes, shape (2, level, N)."""
        return self._encryptor(level).encrypt(slots)

    def _file(self, name: str) -> Path:
        path = self._directory / name
        if not path.is_file():
            raise EnvironmentProblem("file.not_found", path=str(path))
        return path

    def _encryptor(self, level: int) -> BlockEncryptor:
        if level not in self._encryptors:
            public_key = read_limited(self._directory / PUBLIC_KEY_FILE, _PUBLIC_KEY_LIMIT)
            self._encryptors[level] = BlockEncryptor(self._parameters, public_key, level)
        return self._encryptors[level]


@lru_cache(maxsize=2)
def key_files(parameters: ParameterSet, directory: Path) -> KeyFiles:
    """Return the (cached) keys of a directory."""
    return KeyFiles(parameters, directory)


def relinearized(  # noqa: PLR0917 - one operation
    parameters: ParameterSet,
    polynomials: Array,
    keys: KeyFiles,
    level: int,
    target: int | None = None,
    key_level: int | None = None,
) -> Handle:
    """Bring polynomials (d + 1, k, N) back to two with the key of s² alone, by Horner: the last three make two.

    ``level`` ≥ k is the level of the context and, unless ``key_level`` is another, of the key: one of both for a whole
    plan takes least memory. They are switched to ``target`` ≤ ``key_level`` primes before.
    """
    key_level = key_level or level
    seal, key = context(parameters, key_level), keys.relinearization(key_level)
    if target is not None and target < polynomials.shape[1]:
        first = context(parameters, level)
        handle = first.switch(first.load(polynomials), target)
        if len(polynomials) == 3:
            return seal.relinearize(handle, key)
        polynomials = seal.read(handle)
    while True:
        handle = seal.relinearize(seal.load(polynomials[-3:]), key)
        if len(polynomials) == 3:
            return handle
        polynomials = np.concatenate([polynomials[:-3], seal.read(handle)])
