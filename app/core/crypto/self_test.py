"""Proves at start that the TenSEAL that is installed does what this program relies on.

SEAL's BGV is reached through a number that TenSEAL does not name, and keys are handed over in SEAL's own bytes. Both
may change with any release, so they are tried: the scheme, every byte format, the order of the NTT, and a whole
collective round trip of two sites (keys, product, relinearization, rotation, packing, release) at the insecure test
degree, with random secrets that nothing else uses. A wrong result or an exception of any kind is one clear error.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np

from app.core.crypto import exchange, keygen, release, ring
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, RELEASE_PRIMES
from app.core.crypto.ring import Array
from app.core.crypto.threshold import ThresholdProtocol
from app.core.errors import EnvironmentProblem
from app.core.files import disk_problems
from app.core.secret import SecretBytes

_SET = INSECURE_TEST_PARAMETERS  # never through the registry: an installed program refuses it for real work
_RESULTS = 2
_SITES = (1, 2)


@dataclass(frozen=True)
class Finding:
    """One step that passed, and how long it took."""

    step: str
    seconds: float


@cache
def ensure() -> None:
    """Do :func:`run` once in this process: nothing is encrypted with a library that has not passed it."""
    run()


def run() -> list[Finding]:
    """Do every step; takes less than a second.

    Raises EnvironmentProblem ``crypto.self_test_failed``, its ``step`` one of: memory, library, scheme, ciphertext
    format, order, public key, relinearization key, rotation keys, product, packing, release.
    """
    findings: list[Finding] = []

    def step(name: str, work: Callable[[], bool]) -> None:
        started = time.perf_counter()
        try:
            passed = work()
        except Exception as error:  # whatever another TenSEAL throws, it means the same
            raise EnvironmentProblem("crypto.self_test_failed", step=name) from error
        if not passed:
            raise EnvironmentProblem("crypto.self_test_failed", step=name)
        findings.append(Finding(name, time.perf_counter() - started))

    step("memory", _memory)
    step("library", lambda: import_module("app.core.crypto.seal") is not None)
    place = Path(tempfile.gettempdir())
    with disk_problems(place), tempfile.TemporaryDirectory(prefix="consilium-self-test-", dir=place) as directory:
        trial = _Trial(Path(directory))
        step("scheme", trial.scheme)
        step("ciphertext format", trial.ciphertext_format)
        step("order", trial.order)
        step("public key", trial.public_key)
        step("relinearization key", trial.relinearization_key)
        step("rotation keys", trial.rotation_keys)
        step("product", trial.product)
        step("packing", trial.packing)
        step("release", trial.release)
    return findings


def _memory() -> bool:
    """There is a temporary directory, and the file through which arrays cross can be written and read again."""
    tempfile.gettempdir()
    path, data = Path(exchange.path()), os.urandom(1 << 16)
    path.write_bytes(data)
    return path.read_bytes() == data


class _Trial:
    """Two sites in one process, with fresh random secrets."""

    def __init__(self, directory: Path) -> None:
        from app.core.crypto import packing, seal  # noqa: PLC0415 - where TenSEAL is broken, the step before says so

        self._seal, self._pack = seal, packing.pack
        self._directory = directory
        self._crs = os.urandom(32)
        self._shares = [keygen.KeyShare.from_seed(_SET, SecretBytes(os.urandom(32))) for _ in _SITES]
        self._randomness = [os.urandom(32) for _ in _SITES]
        self._parties = list(zip(self._shares, self._randomness, strict=True))
        generator = np.random.default_rng()
        self._columns = [generator.integers(0, 2, _SET.slots) for _ in range(2)]

    def scheme(self) -> bool:
        self._context = self._seal.Context(_SET, RELEASE_PRIMES)
        return self._context.level_of(self._context.load(self._random(RELEASE_PRIMES))) == RELEASE_PRIMES

    def _random(self, level: int, size: int = 2) -> Array:
        generator, shape = np.random.default_rng(), (size, _SET.ring_degree)
        return np.stack([generator.integers(0, prime, shape) for prime in _SET.data_primes[:level]], axis=1)

    def ciphertext_format(self) -> bool:
        """SEAL gives back the very bytes and residues it was given."""
        for level, size in ((RELEASE_PRIMES, 2), (RELEASE_PRIMES, 3), (1, 2)):
            residues = self._random(level, size)
            handle = self._context.load(residues)
            if self._context.saved_bytes(handle) != self._context.ciphertext_bytes(residues):
                return False
            if (self._context.read(handle) != residues).any():
                return False
        return True

    def order(self) -> bool:
        """X·c by SEAL is c times our NTT form of X, residue by residue."""
        residues = self._random(RELEASE_PRIMES)
        shifted = self._context.read(self._context.multiply_monomial(self._context.load(residues), 1))
        for index, field in enumerate(ring.fields(_SET, _SET.data_primes[:RELEASE_PRIMES])):
            monomial = np.zeros(_SET.ring_degree, np.int64)
            monomial[1] = 1
            if (field.multiply(residues[:, index], field.forward(monomial)) != shifted[:, index]).any():
                return False
        return True

    def public_key(self) -> bool:
        protocol = keygen.PublicKeyProtocol(_SET, self._crs)
        total = protocol.aggregate_shares(protocol.generate_share(*party) for party in self._parties)
        self._encryptor = self._seal.BlockEncryptor(_SET, protocol.finish(total), RELEASE_PRIMES)
        self._sealed = [self._encryptor.encrypt(values) for values in self._columns]
        return True

    def relinearization_key(self) -> bool:
        protocol = keygen.RelinearizationProtocol(_SET, self._crs)
        one = protocol.aggregate_shares(protocol.generate_share_one(*party) for party in self._parties)
        two = protocol.aggregate_shares(protocol.generate_share_two(*party, one) for party in self._parties)
        data = self._context.switching_key_bytes(1, {0: protocol.finish(one, two)})
        path = self._directory / "relinearization"
        path.write_bytes(data)
        self._relinearization = self._context.load_relinearization_key(path)
        return self._context.saved_bytes(self._relinearization) == data

    def rotation_keys(self) -> bool:
        protocol = keygen.RotationProtocol(_SET, self._crs)
        keys = protocol.finish(protocol.aggregate_shares(protocol.generate_share(*party) for party in self._parties))
        data = self._context.switching_key_bytes(_SET.ring_degree, keys)
        path = self._directory / "rotation"
        path.write_bytes(data)
        self._rotation = self._context.load_rotation_keys(path)
        return self._context.saved_bytes(self._rotation) == data

    def product(self) -> bool:
        left, right = self._sealed
        rows = []
        for index, field in enumerate(ring.fields(_SET, _SET.data_primes[:RELEASE_PRIMES])):
            (a0, a1), (b0, b1) = left[:, index], right[:, index]
            cross = field.add(field.multiply(a0, b1), field.multiply(a1, b0))
            rows.append(np.stack([field.multiply(a0, b0), cross, field.multiply(a1, b1)]))
        handle = self._context.load(np.stack(rows, axis=1))
        self._product = self._context.relinearize(handle, self._relinearization)
        return self._context.read(self._product).shape == left.shape

    def packing(self) -> bool:
        results = [self._product, self._context.load(self._sealed[0])]
        packed = self._pack(self._context, self._rotation, _RESULTS, results.__getitem__)
        self._packed = self._context.read(packed)
        return True

    def release(self) -> bool:
        """The two numbers, opened by both sites, are the right ones."""
        protocol = ThresholdProtocol(_SET, len(_SITES), len(_SITES))
        zero = self._encryptor.encrypt_zero()
        total = release.make_contribution(_SET, self._packed, _RESULTS, (), zero)
        opening = release.Opening(b"self-test", 1, _SITES, total)
        decryption = release.DecryptionProtocol(opening, bits=80)
        pad, answers = SecretBytes(os.urandom(32)), {}
        for site in _SITES:
            dealt = protocol.aggregate_shares([protocol.generate_share(*party, site) for party in self._parties])
            ticket = release.DecryptionTicket(opening.digest(), SecretBytes(os.urandom(32)))
            pads = {other: pad for other in _SITES if other != site}
            answers[site] = decryption.generate_share(ticket, site, dealt, pads)
        first, second = self._columns
        return decryption.finish(answers) == [int((first & second).sum()), int(first.sum())]
