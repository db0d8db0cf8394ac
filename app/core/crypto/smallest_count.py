"""The smallest count: a number of few patients is withheld by what is opened, not by who reads it.

For each of m numbers let x be the tested one (the patients it is about, without those of the asker's own site), c the
number itself, and P the polynomial that is zero for all x that are withheld: 0 … least − 1, or 1 … least − 1 where
zeros are shown. Opened, to the asker alone, is the pair

    (r·P(x), r·P(x)·c)          with r = Σ rᵢ, uniform modulo t, of numbers that each site of the quorum has encrypted.

Where P(x) = 0 both are zero. Otherwise the first is uniform among the rest and the second divided by it is c: the asker
learns c and nothing of x but that it is not withheld. (r = 0 withholds a good number once in t, 2^24.)

P pairs its roots: with s = first + last root, U = x² − s·x, (x − i)(x − (s − i)) = U + i·(s − i), and the root in the
middle stays alone. The products make three levels for least = 5 and four for 8 and 11, whose result is at the release
level. SEAL rounds by ½ on average, which meets the secret as a walk that grows with each product
(:mod:`app.core.crypto.noise`): a multiple of t in c1 makes up for it after every sum and product, and what is left of
an odd number of roundings is spread over all roots by a fixed pattern.

Everything is spread (:mod:`app.core.crypto.refresh`), so that it is opened at m positions, where only the pair lies.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Generic, TypeVar

import numpy as np

from app.core.crypto import format as own_format
from app.core.crypto import ring, sampling
from app.core.crypto.noise import Noise, NoiseModel
from app.core.crypto.parameters import RELEASE_PRIMES, ParameterSet
from app.core.crypto.refresh import read_spread, refreshed, spread
from app.core.crypto.release import Contribution, aggregate_contributions, flooding_bits, make_contribution
from app.core.crypto.ring import Array
from app.core.errors import Bug, ProtocolViolation

T = TypeVar("T")

LEAST_COUNTS = (5, 8, 11)
PAIR = 2
"""Ciphertexts that are opened: r·P(x) and r·P(x)·c."""
COUNT_LEVEL = RELEASE_PRIMES + 2
"""Data primes of the encrypted counts: they are multiplied last but one."""

Relinearize = Callable[[Array], Array]
"""Brings a product (3, k, N) back to two polynomials and switches it to k − 1 primes."""
Encrypt = Callable[[Array, int], Array]
"""Encrypts N slots, in NTT order modulo t, at so many primes."""

_HEADER = struct.Struct("<2sBBBBHI")  # magic, version, least, zeros, padding, results, ring degree
_MAGIC = b"CM"
_VERSION = 1


@dataclass(frozen=True)
class SmallestCountRule:
    """Which numbers are withheld, and the products that say so. ``least`` is one of :data:`LEAST_COUNTS`."""

    parameters: ParameterSet
    least: int
    zeros: bool

    def __post_init__(self) -> None:
        if self.least not in LEAST_COUNTS:
            raise Bug("smallest.least", least=self.least)

    @property
    def roots(self) -> range:
        """The tested numbers that are withheld."""
        return range(1 if self.zeros else 0, self.least)

    @property
    def never_withheld(self) -> int:
        """A tested number for places to which the rule does not apply."""
        return self.least

    @property
    def _shift(self) -> int:
        return self.roots[0] + self.roots[-1]

    @cached_property
    def _constants(self) -> tuple[int, ...]:
        """i·(s − i) of each pair of roots: the pair's factor is U plus that."""
        return tuple(i * (self._shift - i) for i in self.roots[: len(self.roots) // 2])

    @property
    def _middle(self) -> int | None:
        return self._shift // 2 if len(self.roots) % 2 else None

    @property
    def level(self) -> int:
        """Data primes of the encrypted tested numbers: a product each level, down to the release."""
        return RELEASE_PRIMES + (3 if len(self._constants) == PAIR else 4)

    @property
    def random_level(self) -> int:
        """Data primes of the encrypted random numbers: as many as their first product needs."""
        if self._middle is not None:
            return self.level
        return self.level - 1 if len(self._constants) % 2 else COUNT_LEVEL

    def evaluate(
        self, tested: Array, random: Array, counts: Array, relinearize: Relinearize, added: int = 1
    ) -> tuple[Array, Array]:
        """Return (r·P(x), r·P(x)·c), shape (2, release primes, N) each.

        ``tested``, ``random`` and ``counts`` are sums of as many fresh encryptions as ``added`` says, at :attr:`level`,
        :attr:`random_level` and :data:`COUNT_LEVEL` primes.
        """
        arithmetic = _Ciphertexts(self.parameters, relinearize)
        tested, random, counts = (arithmetic.recentred(each, added) for each in (tested, random, counts))
        first, second = self._evaluated(arithmetic, tested, random, counts)
        return first[:, :RELEASE_PRIMES], second[:, :RELEASE_PRIMES]

    def _evaluated(self, over: _Over[T], tested: T, random: T, counts: T) -> tuple[T, T]:
        """The products, over ciphertexts or over the bounds of their noise."""
        u = over.product(tested, over.plus(tested, -self._shift))
        factors = [over.plus(u, constant) for constant in self._constants]
        if self._middle is not None:
            random = over.product(random, over.plus(tested, -self._middle))
        if len(factors) % 2:
            random = over.product(random, factors.pop())
        counted = over.product(random, counts)
        while len(factors) > 1:
            factors = [over.product(factors[i], factors[i + 1]) for i in range(0, len(factors), 2)]
        return over.product(factors[0], random), over.product(factors[0], counted)

    def noise(self, sites: int, quorum: int) -> Noise:
        """Return the bound of either of the pair before the encryptions of zero are added, in units of t."""
        over = _Bounds(NoiseModel(self.parameters, sites))
        fresh = over.rounding(quorum) + Noise(quorum + 1, quorum + 1)  # plaintexts that were not reduced
        bounds = self._evaluated(over, (fresh, self.level), (fresh, self.random_level), (fresh, COUNT_LEVEL))
        return Noise(max(bound.peak for bound, _ in bounds), max(bound.size for bound, _ in bounds))

    def flooding_bits(self, sites: int, quorum: int, results: int) -> int:
        """Return F for the release of either of the pair."""
        bound = self.noise(sites, quorum).peak + NoiseModel(self.parameters, sites).rounding(quorum).peak
        return flooding_bits(self.parameters, bound, results)

    def read(self, first: Sequence[int], second: Sequence[int]) -> list[int | None]:
        """Return the counts by place, centred modulo t, None where withheld, from the coefficients that were opened."""
        modulus = self.parameters.plain_modulus
        counts: list[int | None] = []
        pairs = zip(read_spread(self.parameters, first), read_spread(self.parameters, second), strict=True)
        for tested, multiplied in ((int(a), int(b)) for a, b in pairs):
            if tested == 0 and multiplied != 0:
                raise ProtocolViolation("smallest.inconsistent")
            count = multiplied * pow(tested, -1, modulus) % modulus if tested else None
            counts.append(count - modulus if count is not None and count > modulus // 2 else count)
        return counts


class _Over(Generic[T]):
    """Sums with constants, and products that are relinearized and switched."""

    def plus(self, value: T, constant: int) -> T:
        raise NotImplementedError

    def product(self, left: T, right: T) -> T:
        raise NotImplementedError


class _Ciphertexts(_Over[Array]):
    def __init__(self, parameters: ParameterSet, relinearize: Relinearize) -> None:
        self._parameters = parameters
        self._fields = ring.fields(parameters, parameters.data_primes)
        self._relinearize = relinearize

    def recentred(self, value: Array, walks: int) -> Array:
        """Take out of c1 the mean of so many roundings: SEAL's are −½ each."""
        centred = value.copy()
        for index, field_ in enumerate(self._fields[: value.shape[1]]):
            centred[1, index] = field_.add(centred[1, index], _mean(self._parameters, index, walks))
        return centred

    def plus(self, value: Array, constant: int) -> Array:
        total = value.copy()
        for index in range(value.shape[1]):
            field_ = self._fields[index]
            total[0, index] = (total[0, index] + constant % field_.modulus) % field_.modulus
        return total

    def product(self, left: Array, right: Array) -> Array:
        level = min(left.shape[1], right.shape[1])  # the noise is far below any prime: dropping residues is exact
        made = np.empty((3, level, left.shape[2]), np.int64)
        for index, field_ in enumerate(self._fields[:level]):
            made[0, index] = field_.multiply(left[0, index], right[0, index])
            crossed = field_.multiply(left[0, index], right[1, index])
            made[1, index] = field_.add(crossed, field_.multiply(left[1, index], right[0, index]))
            made[2, index] = field_.multiply(left[1, index], right[1, index])
        return self.recentred(self._relinearize(made), 1)


@lru_cache(maxsize=16)
def _mean(parameters: ParameterSet, index: int, walks: int) -> Array:
    """Return t·(⌊walks/2⌋·ΣXⁱ + R) as an NTT form, R zero for even ``walks``, else fixed zeros and ones.

    Multiples of t change no message, so any R will do: it is drawn from a public stream.
    """
    stream = sampling.expand(b"", "recentring a smallest count", (), parameters.ring_degree // 8)
    bits = np.unpackbits(np.frombuffer(stream, np.uint8)).astype(np.int64)
    multiple: Array = walks // 2 + (walks % 2) * bits
    return ring.field(parameters.data_primes[index], parameters.ring_degree).forward(
        multiple * parameters.plain_modulus
    )


class _Bounds(_Over[tuple[Noise, int]]):
    def __init__(self, model: NoiseModel) -> None:
        self._model = model

    def rounding(self, count: int) -> Noise:
        """The sum of so many roundings, recentred: their random parts, and ±½ in every coefficient."""
        energy = 1 + self._model.parameters.ring_degree * 2 * self._model.sites / 3
        deviation = math.sqrt(count * energy / 12) + math.sqrt(energy / 4)
        return Noise(8 * deviation + 1, 1.5 * deviation + 1)

    def plus(self, value: tuple[Noise, int], constant: int) -> tuple[Noise, int]:
        noise, level = value
        return noise + Noise(1, 1), level

    def product(self, left: tuple[Noise, int], right: tuple[Noise, int]) -> tuple[Noise, int]:
        level = min(left[1], right[1])
        made = self._model.relinearized(self._model.product(left[0], right[0]), level)
        return made.times(1 / self._model.parameters.data_primes[level - 1]) + self.rounding(1), level - 1


@dataclass(frozen=True, eq=False)
class Hidden:
    """What one site of the quorum adds, encrypted: −(its masks of the tested numbers), its random numbers,
    −(its masks of the counts), and two encryptions of zero for the pair that is opened."""

    rule: SmallestCountRule
    tested: Array = field(repr=False)
    random: Array = field(repr=False)
    counts: Array = field(repr=False)
    zeros: tuple[Contribution, Contribution] = field(repr=False)

    def to_bytes(self) -> bytes:
        """Return the wire format: a 12-byte header, three ciphertexts, two contributions."""
        parameters = self.rule.parameters
        polynomials = [
            own_format.pack_polynomials(parameters, parameters.data_primes[: each.shape[1]], each)
            for each in (self.tested, self.random, self.counts)
        ]
        zeros = [each.to_bytes() for each in self.zeros]
        return b"".join([_header(self.rule, self.zeros[0].results), *polynomials, *zeros])

    @classmethod
    def from_bytes(cls, rule: SmallestCountRule, data: bytes, results: int) -> Hidden:
        """Parse what must be for this rule and number of results; raises ProtocolViolation for anything else."""
        if len(data) != hidden_size(rule, results) or data[: _HEADER.size] != _header(rule, results):
            raise ProtocolViolation("smallest.wrong_masks")
        parameters, view, offset = rule.parameters, memoryview(data), _HEADER.size
        ciphertexts = []
        for level in (rule.level, rule.random_level, COUNT_LEVEL):
            primes = parameters.data_primes[:level]
            size = own_format.polynomials_size(parameters, primes, 2)
            ciphertexts.append(own_format.unpack_polynomials(parameters, primes, 2, view[offset : offset + size]))
            offset += size
        size = (len(data) - offset) // PAIR
        first, second = (
            Contribution.from_bytes(parameters, data[start : start + size], RELEASE_PRIMES, results)
            for start in (offset, offset + size)
        )
        tested, random, counts = ciphertexts
        return cls(rule, tested, random, counts, (first, second))


def _header(rule: SmallestCountRule, results: int) -> bytes:
    return _HEADER.pack(_MAGIC, _VERSION, rule.least, rule.zeros, 0, results, rule.parameters.ring_degree)


def hidden_size(rule: SmallestCountRule, results: int) -> int:
    """Bytes of a :class:`Hidden`: 4.4 MB at most."""
    parameters = rule.parameters
    levels = (rule.level, rule.random_level, COUNT_LEVEL)
    sizes = [own_format.polynomials_size(parameters, parameters.data_primes[:level], 2) for level in levels]
    return _HEADER.size + sum(sizes) + PAIR * (10 + 6 * RELEASE_PRIMES * (parameters.ring_degree + results))


def hide(rule: SmallestCountRule, encrypt: Encrypt, *, tested: Array, random: Array, counts: Array) -> Hidden:
    """Encrypt one site's part: ``tested`` and ``counts`` are its masks by place, ``random`` its random numbers."""
    parameters, results = rule.parameters, len(counts)
    zeros = []
    for _ in range(PAIR):
        zero = encrypt(np.zeros(parameters.slots, np.int64), RELEASE_PRIMES)
        zeros.append(make_contribution(parameters, np.zeros_like(zero), results, (), zero))
    return Hidden(
        rule,
        tested=encrypt(spread(parameters, -tested), rule.level),
        random=encrypt(spread(parameters, random), rule.random_level),
        counts=encrypt(spread(parameters, -counts), COUNT_LEVEL),
        zeros=(zeros[0], zeros[1]),
    )


def pair(
    hidden: Sequence[Hidden], *, tested: Array, counts: Array, relinearize: Relinearize
) -> tuple[Contribution, Contribution]:
    """Return what is opened to the asker, from what every site of the quorum has hidden, in the quorum's order.

    ``tested`` and ``counts`` are the numbers by place as they were opened under all masks. The same everywhere: nothing
    here is random.
    """
    rule, added = hidden[0].rule, len(hidden)
    results = len(counts)
    made = rule.evaluate(
        refreshed(rule.parameters, tested, [each.tested for each in hidden]),
        refreshed(rule.parameters, np.zeros(results, np.int64), [each.random for each in hidden]),
        refreshed(rule.parameters, counts, [each.counts for each in hidden]),
        relinearize,
        added,
    )
    first, second = (
        aggregate_contributions(
            [
                make_contribution(rule.parameters, ciphertext, results, (), np.zeros_like(ciphertext)),
                *(each.zeros[place] for each in hidden),
            ]
        )
        for place, ciphertext in enumerate(made)
    )
    return first, second
