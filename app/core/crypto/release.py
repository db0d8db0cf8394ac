"""Opening a result: contributions, decryption shares, and putting them together.

A result of m numbers sits at m coefficients (:func:`positions`) of a ciphertext (c0, c1) at the release level (three
data primes, or two). Only those m coefficients of c0 ever leave a site: the others hold data-dependent garbage.

The counter-measures, each of which has a test that fails without it:

* every contribution carries a fresh encryption of zero, because evaluation is deterministic and two runs of one circuit
  would otherwise differ by exactly the difference of their noise;
* every decryption share carries flooding, t·e with e uniform in ±2^F, 2^60 times wider than the ciphertext's noise;
* every decryption share carries pads that cancel only in the complete sum of one quorum over one ciphertext: without
  them one honest share shows the ciphertext's noise modulo the denominators of the Lagrange coefficients;
* a share is computed once per ciphertext, with randomness reserved in the share ledger before.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NoReturn

import numpy as np

from app.core.codec import digest
from app.core.crypto import format as own_format
from app.core.crypto import ring, sampling
from app.core.crypto.noise import NoiseModel
from app.core.crypto.parameters import RELEASE_PRIMES, ParameterSet
from app.core.crypto.ring import Array
from app.core.crypto.threshold import lagrange
from app.core.errors import Bug, ProtocolViolation, UserError
from app.core.secret import SecretBytes

STATISTICAL_BITS = 40
"""One share is 2^-40 close to one that does not depend on the noise …"""
RELEASES_BITS = 20
"""… for up to 2^20 releases of one collective key."""
MAX_RESULTS = 1024

_HEADER = struct.Struct("<2sBBHI")  # magic, version, level, results, ring degree
_MAGIC = b"CN"
_SHARE_MAGIC = b"CS"
_VERSION = 1


def positions(parameters: ParameterSet, results: int) -> range:
    """Return the coefficients that are used for ``results`` (m, a power of two) numbers, ascending: i·N/m."""
    return range(0, parameters.ring_degree, parameters.ring_degree // results)


@lru_cache(maxsize=16)
def place_order(results: int) -> tuple[int, ...]:
    """Return for each of ``results`` places which of the used coefficients holds it: the bits of its number reversed.

    Neighbouring places are packed together (:mod:`app.core.crypto.packing`).
    """
    bits = results.bit_length() - 1
    return tuple(int(f"{place:0{bits}b}"[::-1], 2) if bits else 0 for place in range(results))


@dataclass(frozen=True, eq=False)
class Contribution:
    """A site's encrypted partial result, or the sum of several.

    ``mask`` is c1 in NTT form, shape (level, N); ``values`` are the m used coefficients of c0, ascending, shape
    (level, m).
    """

    parameters: ParameterSet
    mask: Array = field(repr=False)
    values: Array = field(repr=False)

    @property
    def level(self) -> int:
        """Number of data primes."""
        return len(self.mask)

    @property
    def results(self) -> int:
        """Number m of packed results (a power of two)."""
        return int(self.values.shape[1])

    def to_bytes(self) -> bytes:
        """Return the wire format: 10-byte header, c1, then the used coefficients of c0, 6 bytes each."""
        front = _HEADER.pack(_MAGIC, _VERSION, self.level, self.results, self.parameters.ring_degree)
        return front + own_format.pack_words(self.mask) + own_format.pack_words(self.values)

    @classmethod
    def from_bytes(cls, parameters: ParameterSet, data: bytes, level: int, results: int) -> Contribution:
        """Parse a contribution that must have this level and number of results.

        Raises ProtocolViolation: another format, level or size; a residue out of range.
        """
        if data[: _HEADER.size] != _HEADER.pack(_MAGIC, _VERSION, level, results, parameters.ring_degree):
            raise ProtocolViolation("release.wrong_contribution")
        degree = parameters.ring_degree
        words = own_format.unpack_words(data, _HEADER.size, level * (degree + results))
        mask = words[: level * degree].reshape(level, degree)
        values = words[level * degree :].reshape(level, results)
        for index in range(level):
            own_format.check_below(mask[index], parameters.data_primes[index])
            own_format.check_below(values[index], parameters.data_primes[index])
        return cls(parameters, mask, values)

    def hash(self) -> bytes:
        """Return the SHA-256 of :meth:`to_bytes`."""
        return hashlib.sha256(self.to_bytes()).digest()

    def mask_hash(self) -> bytes:
        """Return the SHA-256 of c1 alone: a c1 seen before is refused even under another c0."""
        return hashlib.sha256(own_format.pack_words(self.mask)).digest()


def make_contribution(
    parameters: ParameterSet, ciphertext: Array, results: int, noise: Sequence[int], zero: Array
) -> Contribution:
    """Return the contribution of a packed ciphertext, shape (2, level, N), NTT form.

    ``zero`` is a fresh encryption of zero of the same shape; ``noise`` is the site's own noise, one integer a place
    (empty for an exact release), added in the clear to c0.
    """
    level = ciphertext.shape[1]
    if zero.shape != ciphertext.shape or level > RELEASE_PRIMES or len(noise) > results:
        raise Bug("release.shapes")
    if not 1 <= results <= MAX_RESULTS or results & (results - 1):
        raise Bug("release.results", results=results)
    fields = ring.fields(parameters, parameters.data_primes[:level])
    unscale = results * pow(parameters.ring_degree, -1, parameters.plain_modulus)
    plain = [0] * results
    for value, used in zip(noise, place_order(results), strict=False):
        plain[used] = _centred(value * unscale, parameters.plain_modulus)
    masks, values = [], []
    for index, field_ in enumerate(fields):
        masks.append(field_.add(ciphertext[1, index], zero[1, index]))
        total = _coefficients(field_, field_.add(ciphertext[0, index], zero[0, index]), parameters, results)
        values.append((total + np.array([value % field_.modulus for value in plain], np.int64)) % field_.modulus)
    return Contribution(parameters, np.stack(masks), np.stack(values))


def _coefficients(field_: ring.Field, form: Array, parameters: ParameterSet, results: int) -> Array:
    if results == 1:
        return np.array([field_.coefficient(form, 0)], np.int64)
    return field_.backward(form)[:: parameters.ring_degree // results].copy()


def aggregate_contributions(contributions: Sequence[Contribution]) -> Contribution:
    """Return the sum of contributions of one shape."""
    first = contributions[0]
    mask, values = np.zeros_like(first.mask), np.zeros_like(first.values)
    moduli = np.array(first.parameters.data_primes[: first.level], np.int64)[:, None]
    for contribution in contributions:
        if contribution.mask.shape != mask.shape or contribution.values.shape != values.shape:
            raise ProtocolViolation("release.wrong_contribution")
        mask = (mask + contribution.mask) % moduli
        values = (values + contribution.values) % moduli
    return Contribution(first.parameters, mask, values)


# --- noise ------------------------------------------------------------------------------------------------------


def total_noise_bound(parameters: ParameterSet, sites: int, contributors: int, noise_bits: float) -> float:
    """Return B, in units of t: the bound of the summed contributions.

    ``noise_bits`` is log2 of one site's bound for its own ciphertext (in absolute units, as the plan states it). The
    fresh encryptions of zero add up in step, see :mod:`app.core.crypto.noise`.
    """
    own: float = contributors * 2.0**noise_bits / parameters.plain_modulus
    zeros = NoiseModel(parameters, sites).rounding(contributors).peak
    return own + zeros + 2 * contributors  # centred plaintexts of several sites add up beyond t/2


def flooding_bits(parameters: ParameterSet, bound: float, results: int) -> int:
    """Return F for a total with noise at most ``bound`` (units of t): log2 B + 40 + log2 m + 20, rounded up."""
    return math.ceil(math.log2(bound) + STATISTICAL_BITS + math.log2(results) + RELEASES_BITS)


def check_fits(parameters: ParameterSet, level: int, bits: int, quorum: int) -> None:
    """Raise UserError unless t·|A|·2^F stays a bit below half the release modulus."""
    needed = math.log2(parameters.plain_modulus) + bits + 1 + math.log2(quorum)
    if needed >= parameters.modulus_bits(level) - 1:
        raise UserError("release.does_not_fit", needed=math.ceil(needed), level=level)


# --- decryption shares ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Opening:
    """What is opened, by whom: the context every pad and share is bound to.

    ``quorum`` holds different roster positions in rising order; anything else is a ProtocolViolation.
    """

    session: bytes
    attempt: int
    quorum: tuple[int, ...]
    total: Contribution = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.quorum) < 2 or self.quorum[0] < 1 or list(self.quorum) != sorted(set(self.quorum)):
            raise ProtocolViolation("release.quorum")

    def digest(self) -> bytes:
        """Return H(request, attempt, A, ciphertext)."""
        return digest(["consilium opening v1", self.session, self.attempt, list(self.quorum), self.total.hash()])


class DecryptionTicket:
    """The right to compute one decryption share, once; only the share ledger hands it out. It cannot be copied."""

    def __init__(self, opening_digest: bytes, randomness: SecretBytes) -> None:
        self.opening_digest = opening_digest
        self._randomness: SecretBytes | None = randomness

    def take(self, opening: Opening) -> bytes:
        """Return the flooding's seed for ``opening``; a second call, or another opening, is a Bug."""
        randomness, self._randomness = self._randomness, None
        if randomness is None or opening.digest() != self.opening_digest:
            raise Bug("release.ticket_used")
        return randomness.derive("consilium flooding v1", self.opening_digest).reveal()

    def __reduce__(self) -> NoReturn:
        raise Bug("release.ticket_copied")


class DecryptionProtocol:
    """Share of site k: λ_k·σ_k·c1 + t·e + Σ_j ±PRF(K_kj, opening), at the m positions."""

    def __init__(self, opening: Opening, bits: int) -> None:
        self.opening = opening
        self.parameters = opening.total.parameters
        self.bits = bits
        self._fields = ring.fields(self.parameters, self.parameters.data_primes[: opening.total.level])
        check_fits(self.parameters, opening.total.level, bits, len(opening.quorum))

    def generate_share(
        self, ticket: DecryptionTicket, position: int, dealt: Array, pad_keys: Mapping[int, SecretBytes]
    ) -> Array:
        """Return this site's share, shape (level, m), uniform modulo the release primes.

        ``dealt`` is σ_position, shape (3, N); ``pad_keys`` maps exactly the other quorum positions to the pairs' keys.
        """
        quorum, total = self.opening.quorum, self.opening.total
        if position not in quorum or set(pad_keys) != set(quorum) - {position}:
            raise Bug("release.not_in_quorum", position=position)
        randomness = ticket.take(self.opening)
        flood = sampling.wide(randomness, "flooding", (), self.bits, total.results)
        context = self.opening.digest()
        rows = []
        for index, field_ in enumerate(self._fields):
            weight = lagrange(field_.modulus, quorum, position)
            product = field_.multiply(field_.multiply(dealt[index], total.mask[index]), weight)
            row = _coefficients(field_, product, self.parameters, total.results)
            row = row + np.array([value * self.parameters.plain_modulus % field_.modulus for value in flood], np.int64)
            for other in quorum:
                if other == position:
                    continue
                pad_seed = pad_keys[other].derive("consilium pad", context).reveal()
                pad = sampling.uniform(pad_seed, "pad", (index,), field_.modulus, total.results)
                row = row + pad if position < other else row - pad
            rows.append(row % field_.modulus)
        return np.stack(rows)

    def finish(self, shares: Mapping[int, Array]) -> list[int]:
        """Return the m opened numbers by place, centred modulo t, from the shares of the whole quorum."""
        if set(shares) != set(self.opening.quorum):
            raise Bug("release.incomplete")
        opened = opened_coefficients(self.parameters, self.opening.total.values, list(shares.values()))
        scale = self.parameters.ring_degree // self.opening.total.results
        numbers = [_centred(value * scale, self.parameters.plain_modulus) for value in opened]
        return [numbers[used] for used in place_order(self.opening.total.results)]


def opened_coefficients(parameters: ParameterSet, values: Array, shares: Sequence[Array]) -> list[int]:
    """Return the m coefficients of the plaintext, ascending, in [0, t): c0 there plus all shares of one quorum.

    ``values`` and each share have the shape (level, m).
    """
    moduli = parameters.data_primes[: len(values)]
    sums = values + sum(shares)
    modulus = math.prod(moduli)
    weights = [(modulus // q) * pow(modulus // q, -1, q) for q in moduli]
    opened = []
    for column in range(values.shape[1]):
        residue = sum(int(sums[i, column]) % q * weights[i] for i, q in enumerate(moduli)) % modulus
        opened.append(_centred(residue, modulus) % parameters.plain_modulus)
    return opened


def _share_header(level: int, results: int) -> bytes:
    return struct.pack("<2sBBH", _SHARE_MAGIC, _VERSION, level, results)


def share_to_bytes(share: Array) -> bytes:
    """Return a decryption share's wire format: magic ``CS``, version, level, results u16, then 6 bytes a residue."""
    level, results = share.shape
    return _share_header(level, results) + own_format.pack_words(share)


def share_from_bytes(parameters: ParameterSet, data: bytes, level: int, results: int) -> Array:
    """Parse a decryption share; raises ProtocolViolation for another format, a wrong size or residue."""
    front = _share_header(level, results)
    if data[: len(front)] != front:
        raise ProtocolViolation("release.wrong_share")
    share = own_format.unpack_words(data, len(front), level * results).reshape(level, results)
    for index in range(level):
        own_format.check_below(share[index], parameters.data_primes[index])
    return share


def _centred(value: int, modulus: int) -> int:
    value %= modulus
    return value - modulus if value > modulus // 2 else value
