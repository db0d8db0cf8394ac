"""The ceremony's key generation: public key, relinearization key, rotation keys.

Source: Mouchet, Troncoso-Pastoriza, Bossuat, Hubaux, *Multiparty Homomorphic Encryption from Ring-Learning-with-Errors*
(PETS 2021, eprint 2020/304), in BGV form: every error is multiplied by t.

Each protocol has the same three verbs. ``generate_share`` is what one site computes, from its key share and 32 fresh
bytes of randomness that were stored before; ``aggregate_shares`` sums what all sites sent; ``finish`` makes the key.
Errors and ephemerals come from that randomness bound to the ceremony's common seed, so that two ceremonies never share
an error stream, which would give sᵢ away by one division. Committing to a share before anyone reveals theirs, and
agreeing on the transcript between rounds, is the caller's duty (:mod:`app.core.federation.ceremony`): without it
the last to speak chooses the sum.

Arrays are int64 in NTT form. P below is the special prime, wⱼ the gadget: P in the residue of data prime j, else 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.core.codec import digest
from app.core.crypto import format as own_format
from app.core.crypto import ring, sampling
from app.core.crypto.parameters import ROTATION_PRIMES, ParameterSet
from app.core.crypto.ring import Array
from app.core.errors import Bug
from app.core.secret import SecretBytes


@dataclass(frozen=True, eq=False)
class KeyShare:
    """A site's part sᵢ of the collective secret: uniform ternary, expanded from a 32-byte seed.

    Only the seed is ever stored; the polynomial lives as long as this object.
    """

    parameters: ParameterSet
    coefficients: Array = field(repr=False)
    _forms: dict[int, Array] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_seed(cls, parameters: ParameterSet, seed: SecretBytes) -> KeyShare:
        """Expand the key share of ``seed`` (32 bytes)."""
        return cls(parameters, sampling.ternary(seed.reveal(), "key share", (), parameters.ring_degree))

    def form(self, prime: int) -> Array:
        """Return the NTT form of sᵢ modulo ``prime``."""
        if prime not in self._forms:
            self._forms[prime] = ring.field(prime, self.parameters.ring_degree).forward(self.coefficients)
        return self._forms[prime]

    def rotated_form(self, element: int, prime: int) -> Array:
        """Return the NTT form of sᵢ(X^element) modulo ``prime``."""
        rotated = _automorphism(self.coefficients, element)
        return ring.field(prime, self.parameters.ring_degree).forward(rotated)


def _automorphism(coefficients: Array, element: int) -> Array:
    degree = len(coefficients)
    exponents = np.arange(degree) * element % (2 * degree)
    rotated = np.empty_like(coefficients)
    rotated[exponents % degree] = np.where(exponents < degree, coefficients, -coefficients)
    return rotated


def common_polynomial(
    parameters: ParameterSet, crs: bytes, label: str, index: tuple[int, ...], primes: tuple[int, ...]
) -> Array:
    """Return the public uniform polynomial ``a`` named (label, index), shape (primes, N), from the agreed seed."""
    return np.stack([sampling.uniform(crs, label, (*index, prime), prime, parameters.ring_degree) for prime in primes])


def _bound(randomness: bytes, crs: bytes) -> bytes:
    """Return the seed of a message's errors and ephemerals: its own randomness, for this ceremony alone."""
    return digest(["consilium ceremony errors v1", randomness, crs])


def _noise(parameters: ParameterSet, randomness: bytes, label: str, index: tuple[int, ...]) -> Array:
    """Return t·e as coefficients (N,)."""
    return parameters.plain_modulus * sampling.error(randomness, label, index, parameters.ring_degree)


def aggregate_shares(primes: tuple[int, ...], shares: Iterable[Array]) -> Array:
    """Return the sum of shares of shape (count, primes, N), residue by residue."""
    total: Array | None = None
    moduli = np.array(primes, np.int64)[None, :, None]
    for share in shares:
        total = share.copy() if total is None else total + share
        total -= (total >= moduli) * moduli
    if total is None:
        raise Bug("crypto.no_shares")
    return total


# --- public key -------------------------------------------------------------------------------------------------


class PublicKeyProtocol:
    """bᵢ = −(a·sᵢ + t·eᵢ); the key is (Σbᵢ, a), at all primes."""

    def __init__(self, parameters: ParameterSet, crs: bytes) -> None:
        self.parameters = parameters
        self.primes = parameters.all_primes
        self._crs = crs
        self._common = common_polynomial(parameters, crs, "public key", (), self.primes)

    def generate_share(self, share: KeyShare, randomness: bytes) -> Array:
        """Return bᵢ, shape (1, primes, N)."""
        error = _noise(self.parameters, _bound(randomness, self._crs), "public key error", ())
        rows = []
        for index, field_ in enumerate(ring.fields(self.parameters, self.primes)):
            product = field_.multiply(self._common[index], share.form(field_.modulus))
            rows.append(field_.subtract(np.zeros_like(product), field_.add(product, field_.forward(error))))
        return np.stack(rows)[None]

    def aggregate_shares(self, shares: Iterable[Array]) -> Array:
        """Return Σbᵢ, shape (1, primes, N)."""
        return aggregate_shares(self.primes, shares)

    def finish(self, total: Array) -> bytes:
        """Return the public key (b, a) in our own format."""
        return own_format.pack_polynomials(self.parameters, self.primes, np.stack([total[0], self._common]))


# --- relinearization key ----------------------------------------------------------------------------------------


class RelinearizationProtocol:
    """The key that brings s² back to s, in two rounds. Component j is (b, Σh1) with b = s²·wⱼ − s·h1 + noise.

    Round 1: h0 = −uᵢ·aⱼ + sᵢ·wⱼ + t·e and h1 = sᵢ·aⱼ + t·e, with an ephemeral ternary uᵢ.
    Round 2: sᵢ·h0 + t·e + (uᵢ − sᵢ)·h1 + t·e, with the sums of round 1.
    """

    def __init__(self, parameters: ParameterSet, crs: bytes) -> None:
        self.parameters = parameters
        self.primes = parameters.all_primes
        self._crs = crs
        self._fields = ring.fields(parameters, self.primes)

    def _ephemeral(self, randomness: bytes) -> list[Array]:
        coefficients = sampling.ternary(randomness, "relinearization ephemeral", (), self.parameters.ring_degree)
        return [field_.forward(coefficients) for field_ in self._fields]

    def generate_share_one(self, share: KeyShare, randomness: bytes) -> Array:
        """Return (h0, h1) of every component, shape (2·levels, primes, N)."""
        randomness = _bound(randomness, self._crs)
        ephemeral = self._ephemeral(randomness)
        rows = np.empty((2 * self.parameters.levels, len(self.primes), self.parameters.ring_degree), np.int64)
        for j in range(self.parameters.levels):
            common = common_polynomial(self.parameters, self._crs, "relinearization", (j,), self.primes)
            error0 = _noise(self.parameters, randomness, "relinearization error", (1, j, 0))
            error1 = _noise(self.parameters, randomness, "relinearization error", (1, j, 1))
            for index, field_ in enumerate(self._fields):
                secret = share.form(field_.modulus)
                h0 = field_.subtract(field_.forward(error0), field_.multiply(ephemeral[index], common[index]))
                if index == j:
                    h0 = field_.add(h0, field_.multiply(secret, self.parameters.special_prime % field_.modulus))
                rows[2 * j, index] = h0
                rows[2 * j + 1, index] = field_.add(field_.multiply(secret, common[index]), field_.forward(error1))
        return rows

    def generate_share_two(self, share: KeyShare, randomness: bytes, sums: Array) -> Array:
        """Return the second round's share, shape (levels, primes, N), from the same randomness and round 1's sums."""
        randomness = _bound(randomness, self._crs)
        ephemeral = self._ephemeral(randomness)
        rows = np.empty((self.parameters.levels, len(self.primes), self.parameters.ring_degree), np.int64)
        for j in range(self.parameters.levels):
            error = _noise(self.parameters, randomness, "relinearization error", (2, j, 0))
            error += _noise(self.parameters, randomness, "relinearization error", (2, j, 1))
            for index, field_ in enumerate(self._fields):
                secret = share.form(field_.modulus)
                h0, h1 = sums[2 * j, index], sums[2 * j + 1, index]
                mixed = field_.multiply(field_.subtract(ephemeral[index], secret), h1)
                masked = field_.add(field_.multiply(secret, h0), mixed)
                rows[j, index] = field_.add(masked, field_.forward(error))
        return rows

    def aggregate_shares(self, shares: Iterable[Array]) -> Array:
        """Return the sum of one round's shares."""
        return aggregate_shares(self.primes, shares)

    def finish(self, sums_one: Array, sums_two: Array) -> Array:
        """Return the key, shape (levels, 2, primes, N)."""
        return np.stack([sums_two, sums_one[1::2]], axis=1)


# --- rotation keys ----------------------------------------------------------------------------------------------


class RotationProtocol:
    """Keys for X → X^g: component j of element g is (Σbᵢ, a), bᵢ = −(a·sᵢ + t·e) + wⱼ·sᵢ(X^g).

    All elements at level 4, unless the ``elements``, the ``level`` and the ``name`` of the streams say otherwise.
    """

    def __init__(
        self,
        parameters: ParameterSet,
        crs: bytes,
        elements: Sequence[int] | None = None,
        level: int = ROTATION_PRIMES,
        name: str = "rotation",
    ) -> None:
        self.parameters = parameters
        self.primes = parameters.key_primes(level)
        self._crs = crs
        self._name = name
        self._fields = ring.fields(parameters, self.primes)
        chosen = parameters.rotation_elements if elements is None else elements
        self._indices = [(element, j) for element in chosen for j in range(level)]

    @property
    def components(self) -> int:
        """How many polynomials (at all primes of the level) a share has: elements · level."""
        return len(self._indices)

    def _common(self, element: int, j: int) -> Array:
        return common_polynomial(self.parameters, self._crs, self._name, (element, j), self.primes)

    def generate_share(self, share: KeyShare, randomness: bytes) -> Array:
        """Return bᵢ of every element and component, shape (elements·level, primes, N)."""
        randomness = _bound(randomness, self._crs)
        rows = np.empty((len(self._indices), len(self.primes), self.parameters.ring_degree), np.int64)
        for row, (element, j) in enumerate(self._indices):
            common = self._common(element, j)
            error = _noise(self.parameters, randomness, f"{self._name} error", (element, j))
            for index, field_ in enumerate(self._fields):
                product = field_.multiply(common[index], share.form(field_.modulus))
                value = field_.subtract(np.zeros_like(product), field_.add(product, field_.forward(error)))
                if index == j:
                    rotated = share.rotated_form(element, field_.modulus)
                    gadget = self.parameters.special_prime % field_.modulus
                    value = field_.add(value, field_.multiply(rotated, gadget))
                rows[row, index] = value
        return rows

    def aggregate_shares(self, shares: Iterable[Array]) -> Array:
        """Return the sum of the shares."""
        return aggregate_shares(self.primes, shares)

    def finish(self, total: Array) -> dict[int, Array]:
        """Return {(g − 1)/2: components of shape (level, 2, primes, N)}, as SEAL indexes rotation keys."""
        keys: dict[int, list[Array]] = {}
        for row, (element, j) in enumerate(self._indices):
            keys.setdefault((element - 1) // 2, []).append(np.stack([total[row], self._common(element, j)]))
        return {index: np.stack(components) for index, components in keys.items()}


def rotation_protocols(parameters: ParameterSet, crs: bytes, extraction: int) -> tuple[RotationProtocol, ...]:
    """Return the protocols of one ceremony, whose shares lie one after the other in a site's share of the round.

    With ``extraction`` (a level, 0 for the ceremonies from before) the keys that extract columns are made at that
    level, all others at level 4.
    """
    if not extraction:
        return (RotationProtocol(parameters, crs),)
    extracting = parameters.extraction_elements
    others = [element for element in parameters.rotation_elements if element not in extracting]
    return (
        RotationProtocol(parameters, crs, others),
        RotationProtocol(parameters, crs, extracting, extraction, "extraction"),
    )
