"""The bridge to Microsoft SEAL (through TenSEAL): the only file that knows SEAL's objects and byte formats.

``tenseal.sealapi`` names only BFV and CKKS, but scheme 3 is SEAL's BGV. Its objects load and save by file path only, so
arrays cross through a file in memory (:mod:`app.core.crypto.exchange`). Only public objects do: ciphertexts, public,
relinearization and rotation keys. No SEAL ``SecretKey`` is ever built, and plaintexts are handed over in memory.

SEAL's stream format, little endian: a 16-byte header (magic u16 0xA15E, header size u8, major u8, minor u8, compression
u8, reserved u16, total size u64), then the body. A ciphertext's body: parms_id 4×u64, NTT form u8, size u64, N u64,
primes u64, scale f64, correction factor u64, nested header, count u64, u64 residues. Key-switching keys: parms_id,
outer dimension u64, then for each the inner dimension u64 and that many ciphertexts with their headers.

None of these calls releases the GIL: they belong into worker processes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import zstandard
from numpy.typing import NDArray
from tenseal import sealapi

from app.core.crypto import exchange
from app.core.crypto import format as own_format
from app.core.crypto.parameters import STANDARD_1, ParameterSet
from app.core.crypto.ring import Array
from app.core.errors import Bug, EnvironmentProblem, ProtocolViolation
from app.core.files import disk_problems

_BGV = 3
_MAGIC = 0xA15E
_HEADER = struct.Struct("<HBBBBHQ")
_CIPHERTEXT = struct.Struct("<32sBQQQdQ")
_PARMS_BYTES = 32
_COMPRESSION_NONE, _COMPRESSION_ZSTD = 0, 2
_KEY_PART_LIMIT, _MOST_KEYS = 1 << 24, 1 << 16
_MONOMIALS_KEPT = 16

Handle = Any
"""A SEAL ciphertext in memory; opaque outside this file."""


class Context:
    """SEAL's context for the first ``level`` data primes and the special prime, and for the levels below.

    ``alone``: without those below, where nothing is switched down; at four primes that is 14 MB instead of 23.
    """

    def __init__(self, parameters: ParameterSet, level: int, *, alone: bool = False) -> None:
        if not 1 <= level <= parameters.levels:
            raise Bug("crypto.level", level=level)
        self.parameters = parameters
        self.level = level
        encryption = sealapi.EncryptionParameters(sealapi.SCHEME_TYPE(_BGV))
        encryption.set_poly_modulus_degree(parameters.ring_degree)
        encryption.set_coeff_modulus([sealapi.Modulus(prime) for prime in parameters.key_primes(level)])
        encryption.set_plain_modulus(parameters.plain_modulus)
        security = sealapi.SEC_LEVEL_TYPE
        self.seal = sealapi.SEALContext(
            encryption, not alone, security.TC128 if parameters == STANDARD_1 else security.NONE
        )
        if not self.seal.parameters_set():
            raise EnvironmentProblem("crypto.seal_refused", reason=str(self.seal.parameters_error_name()))
        self._parms = {self._level_of(parms): parms for parms in self._chain()}
        self._monomials: dict[tuple[int, int], Any] = {}

    def _chain(self) -> Iterator[bytes]:
        data = self.seal.first_context_data()
        while data is not None:
            yield _parms_bytes(data.parms_id())
            data = data.next_context_data()

    def _level_of(self, parms: bytes) -> int:
        for_level = self.seal.get_context_data(list(struct.unpack("<4Q", parms)))
        return len(for_level.parms().coeff_modulus())

    @cached_property
    def _evaluator(self) -> Any:
        return sealapi.Evaluator(self.seal)

    @cached_property
    def _version(self) -> tuple[int, int]:
        """SEAL's version as an object it has just saved states it."""
        path = exchange.path("out")
        sealapi.Plaintext("0").save(path)
        magic, size, major, minor, _, _, _ = _HEADER.unpack(Path(path).read_bytes()[:16])
        if magic != _MAGIC or size != _HEADER.size:
            raise EnvironmentProblem("crypto.seal_format")
        return major, minor

    def _header(self, size: int) -> bytes:
        """Return the header of a body of ``size`` bytes."""
        return _HEADER.pack(_MAGIC, 16, *self._version, _COMPRESSION_NONE, 0, 16 + size)

    def _headed(self, body: bytes) -> bytes:
        return self._header(len(body)) + body

    def _ciphertext_bytes(self, parms: bytes, residues: Array) -> bytes:
        return b"".join(self._ciphertext_parts(parms, residues))

    def _ciphertext_parts(self, parms: bytes, residues: Array) -> tuple[bytes, memoryview]:
        """Return what stands in front of the residues, and the residues: nothing of them is copied."""
        size, primes, degree = residues.shape
        words = np.ascontiguousarray(residues, "<u8")
        nested = self._header(8 + words.nbytes) + struct.pack("<Q", words.size)
        front = _CIPHERTEXT.pack(parms, 1, size, degree, primes, 1.0, 1) + nested
        return self._header(len(front) + words.nbytes) + front, words.data.cast("B")

    def _load(self, target: Any, *parts: bytes | memoryview) -> Any:
        return self._load_parts(target, parts)

    def _load_parts(self, target: Any, parts: Iterable[bytes | memoryview]) -> Any:
        path = exchange.path("in")
        with open(path, "r+b", buffering=0) as file:  # its memory is used again; SEAL reads as far as a header says
            for part in parts:
                file.write(part)
        try:
            target.load(self.seal, path)
        except (RuntimeError, ValueError) as error:
            raise ProtocolViolation("crypto.seal_rejected") from error
        return target

    @staticmethod
    def _saved_body(target: Any) -> bytes:
        """Return what SEAL saves of ``target``, without the header in front and decompressed."""
        path = exchange.path("out")
        target.save(path)
        data = Path(path).read_bytes()
        if len(data) < _HEADER.size:
            raise EnvironmentProblem("crypto.seal_format")
        magic, size, _, _, compression, _, total = _HEADER.unpack_from(data)
        if (magic, size, total) != (_MAGIC, _HEADER.size, len(data)):
            raise EnvironmentProblem("crypto.seal_format")
        if compression == _COMPRESSION_NONE:
            return data[_HEADER.size :]
        if compression != _COMPRESSION_ZSTD:
            raise EnvironmentProblem("crypto.seal_format")
        return zstandard.ZstdDecompressor().decompress(memoryview(data)[_HEADER.size :])

    def saved_bytes(self, target: Any) -> bytes:
        """Return SEAL's own bytes of a ciphertext or key, uncompressed: the bytes it was loaded from."""
        return self._headed(self._saved_body(target))

    def ciphertext_bytes(self, residues: Array) -> bytes:
        """Return SEAL's bytes of a ciphertext of shape (size, k, N), k ≤ level, correction factor 1."""
        return self._ciphertext_bytes(self._parms_of(residues), residues)

    def _parms_of(self, residues: Array) -> bytes:
        if residues.shape[1] not in self._parms:
            raise Bug("crypto.level", level=residues.shape[1])
        return self._parms[residues.shape[1]]

    def load(self, residues: Array) -> Handle:
        """Hand a ciphertext of shape (size, k, N), k ≤ level, residues checked, correction factor 1, to SEAL."""
        return self._load(sealapi.Ciphertext(self.seal), *self._ciphertext_parts(self._parms_of(residues), residues))

    def read(self, ciphertext: Handle) -> Array:
        """Return SEAL's ciphertext as an array (size, k, N); its correction factor is checked to be 1."""
        body = self._saved_body(ciphertext)
        offset = _CIPHERTEXT.size + _HEADER.size + 8
        if len(body) < offset:
            raise EnvironmentProblem("crypto.seal_format")
        _, is_ntt, size, degree, primes, _, correction = _CIPHERTEXT.unpack_from(body)
        if not is_ntt or degree != self.parameters.ring_degree or len(body) != offset + 8 * size * primes * degree:
            raise EnvironmentProblem("crypto.seal_format")
        if correction != 1:
            raise Bug("crypto.correction_factor", factor=correction)
        return np.frombuffer(body, "<i8", offset=offset).reshape(size, primes, degree)

    def level_of(self, ciphertext: Handle) -> int:
        """Return how many data primes ``ciphertext`` has."""
        return int(ciphertext.coeff_modulus_size())

    def switch(self, ciphertext: Handle, level: int) -> Handle:
        """Switch down to ``level`` data primes, in place: the noise is divided by each dropped prime."""
        while ciphertext.coeff_modulus_size() > level:
            self._evaluator.mod_switch_to_next_inplace(ciphertext)
        return ciphertext

    def add(self, left: Handle, right: Handle) -> Handle:
        """Return left + right."""
        total = sealapi.Ciphertext(self.seal)
        self._evaluator.add(left, right, total)
        return total

    def accumulate(self, total: Handle, more: Handle) -> Handle:
        """Add ``more`` to ``total``, in place."""
        self._evaluator.add_inplace(total, more)
        return total

    def subtract(self, left: Handle, right: Handle) -> Handle:
        """Return left − right."""
        difference = sealapi.Ciphertext(self.seal)
        self._evaluator.sub(left, right, difference)
        return difference

    def multiply_monomial(self, ciphertext: Handle, exponent: int) -> Handle:
        """Return X^exponent · ciphertext, 0 ≤ exponent < N; adds no noise."""
        product = sealapi.Ciphertext(self.seal)
        self._evaluator.multiply_plain(ciphertext, self._monomial(exponent, self.level_of(ciphertext)), product)
        return product

    def _monomial(self, exponent: int, level: int) -> Any:
        """Return the NTT form of X^exponent at ``level`` primes; packing uses few of them over and over."""
        plain = self._monomials.get((exponent, level))
        if plain is None:  # another thread may forget them all at any time
            plain = sealapi.Plaintext(f"1x^{exponent}")
            self._evaluator.transform_to_ntt_inplace(plain, list(struct.unpack("<4Q", self._parms[level])))
            if len(self._monomials) >= _MONOMIALS_KEPT:
                self._monomials.clear()
            self._monomials[exponent, level] = plain
        return plain

    # --- keys -----------------------------------------------------------------------------------------------

    def public_key(self, residues: Array) -> Any:
        """Load the collective public key (b, a), shape (2, all primes, N), cut to this context."""
        return self._load(sealapi.PublicKey(), self.public_key_bytes(residues))

    def public_key_bytes(self, residues: Array) -> bytes:
        """Return SEAL's bytes of the collective public key, cut to this context."""
        return self._ciphertext_bytes(_parms_bytes(self.seal.key_parms_id()), self._cut(residues))

    def _cut(self, residues: Array) -> Array:
        """Keep this context's data primes and the special prime, which comes last."""
        keep = [*range(self.level), residues.shape[1] - 1]
        return residues[:, keep]

    def switching_key_bytes(self, outer: int, keys: Mapping[int, Array]) -> bytes:
        """Return SEAL's bytes of key-switching keys, ``keys`` cut to this level.

        ``keys[index]`` has shape (components ≥ level, 2, primes, N) with the special prime last; ``outer`` is 1 for
        relinearization and N for rotations, where index = (g − 1)/2.
        """
        parms = _parms_bytes(self.seal.key_parms_id())
        parts = [parms, struct.pack("<Q", outer)]
        for index in range(outer):
            components = keys.get(index)
            if components is None:
                parts.append(struct.pack("<Q", 0))
                continue
            parts.append(struct.pack("<Q", self.level))
            parts.extend(self._ciphertext_bytes(parms, self._cut(component)) for component in components[: self.level])
        size = _HEADER.size + sum(map(len, parts))  # no second copy of what may be a hundred megabytes
        header = _HEADER.pack(_MAGIC, _HEADER.size, *self._version, _COMPRESSION_NONE, 0, size)
        return b"".join([header, *parts])

    def load_relinearization_key(self, path: Path) -> Any:
        """Load the relinearization key that :meth:`switching_key_bytes` wrote to ``path``."""
        return self._load_file(sealapi.RelinKeys(), path)

    def load_rotation_keys(self, path: Path, elements: Collection[int] | None = None) -> Any:
        """Load the rotation keys that :meth:`switching_key_bytes` wrote to ``path``: all, or only some ``elements``."""
        if elements is None:
            return self._load_file(sealapi.GaloisKeys(), path)
        try:
            with disk_problems(path), open(path, "rb") as file:
                chosen = self._chosen_keys(file, {(element - 1) // 2 for element in elements})
                return self._load_parts(sealapi.GaloisKeys(), chosen)
        except (struct.error, ProtocolViolation) as error:
            raise EnvironmentProblem("crypto.key_file_damaged", path=str(path)) from error

    @staticmethod
    def _chosen_keys(file: BinaryIO, indices: set[int]) -> Iterator[bytes]:
        """Yield the file with all other keys left out; struct.error where it ends too early."""
        magic, length, *versions, _ = _HEADER.unpack(file.read(_HEADER.size))
        parms, counted = file.read(_PARMS_BYTES), file.read(8)
        (outer,) = struct.unpack("<Q", counted)
        found: list[tuple[int, int]] = []  # where what is chosen begins, and its size; -1: as many zeros
        for index in range(max(indices) + 1):  # what follows is not even read
            start = file.tell()
            (parts,) = struct.unpack("<Q", file.read(8))
            for _ in range(parts):
                (*_, size) = _HEADER.unpack(file.read(_HEADER.size))
                if not _HEADER.size <= size <= _KEY_PART_LIMIT:
                    raise struct.error("a part of a key is too large")
                file.seek(size - _HEADER.size, os.SEEK_CUR)
            found.append((start, file.tell() - start) if index in indices else (-1, 8))
        if outer > _MOST_KEYS or outer < len(found):
            raise struct.error("another number of keys")
        found.append((-1, 8 * (outer - len(found))))
        total = _HEADER.size + len(parms) + len(counted) + sum(size for _, size in found)
        yield _HEADER.pack(magic, length, *versions, total) + parms + counted
        for start, size in found:
            if start >= 0:
                file.seek(start)
            yield bytes(size) if start < 0 else file.read(size)

    def _load_file(self, target: Any, path: Path) -> Any:
        try:
            target.load(self.seal, str(path))
        except (RuntimeError, ValueError) as error:
            raise EnvironmentProblem("crypto.key_file_damaged", path=str(path)) from error
        return target

    def relinearize(self, ciphertext: Handle, key: Any) -> Handle:
        """Bring a ciphertext of three polynomials back to two, in place."""
        self._evaluator.relinearize_inplace(ciphertext, key)
        return ciphertext

    def rotate(self, ciphertext: Handle, element: int, keys: Any) -> Handle:
        """Return the ciphertext of m(X^element)."""
        rotated = sealapi.Ciphertext(self.seal)
        self._evaluator.apply_galois(ciphertext, element, keys, rotated)
        return rotated

    def turn(self, ciphertext: Handle, element: int, keys: Any) -> Handle:
        """As :meth:`rotate`, in place."""
        self._evaluator.apply_galois_inplace(ciphertext, element, keys)
        return ciphertext


def _parms_bytes(parms: Any) -> bytes:
    return struct.pack("<4Q", *parms)


@lru_cache(maxsize=16)
def context(parameters: ParameterSet, level: int, *, alone: bool = False) -> Context:
    """Return the (cached) context."""
    return Context(parameters, level, alone=alone)


@lru_cache(maxsize=4)
def _slot_order(degree: int) -> NDArray[np.int64]:
    """Return SEAL's matrix order: the NTT index of each of its batching slots."""
    bits = degree.bit_length() - 1
    order = np.empty(degree, np.int64)
    position = 1
    for i in range(degree // 2):
        for row, exponent in ((0, position), (degree // 2, 2 * degree - position)):
            order[row + i] = int(format((exponent - 1) >> 1, f"0{bits}b")[::-1], 2)
        position = position * 3 % (2 * degree)
    return order


class BlockEncryptor:
    """Encrypts blocks of slots under the collective key, at the first ``residues`` data primes.

    SEAL draws its ephemerals and errors from the operating system; encrypting in the small context of the depth that
    is kept is correct and faster than at all primes.
    """

    def __init__(self, parameters: ParameterSet, public_key: bytes, residues: int) -> None:
        self._context = context(parameters, residues)
        key = own_format.unpack_polynomials(parameters, parameters.all_primes, 2, public_key)
        self._encryptor = sealapi.Encryptor(self._context.seal, self._context.public_key(key))
        self._encoder = sealapi.BatchEncoder(self._context.seal)
        self._order = _slot_order(parameters.ring_degree)

    def encrypt(self, slots: Array) -> Array:
        """Return a fresh encryption, shape (2, residues, N), of N slot values in [0, t) in NTT order modulo t."""
        if slots.shape != self._order.shape:
            raise Bug("crypto.slots", count=slots.size, expected=self._order.size)
        plain = sealapi.Plaintext()
        self._encoder.encode(slots[self._order].tolist(), plain)
        ciphertext = sealapi.Ciphertext(self._context.seal)
        self._encryptor.encrypt(plain, ciphertext)
        return self._context.read(ciphertext)

    def encrypt_zero(self) -> Array:
        """Return a fresh encryption of zero, shape (2, residues, N)."""
        ciphertext = sealapi.Ciphertext(self._context.seal)
        self._encryptor.encrypt_zero(ciphertext)
        return self._context.read(ciphertext)
