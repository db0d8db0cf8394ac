"""How much noise a ciphertext carries: bounds for every operation, which plans and flooding rest on.

Everything is in units of the plaintext modulus t and includes the plaintext itself, so the phase c0 + c1·s of a
ciphertext lies within ± t·peak. Statistical bounds leave less than 2^-44 a coefficient.

SEAL's rounding has a part that is the same in every ciphertext of a key (:mod:`app.core.crypto.centring`). Noises of
many ciphertexts therefore add up like their number, not like its root. Fresh encryptions and switches are centred, so
that part is white; a key switch's own rounding is not, and is a random walk. A walk's greatest value stays below 8 of
its standard deviations, its root mean square below 5 (four fifths of its energy are in one mode, so its square is
nearly exponentially distributed); white noise's root mean square below 5/4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.core.crypto.parameters import ERROR_ETA, ParameterSet

_PEAK = 8.0
"""Standard deviations that no coefficient exceeds."""
_WALK = 5.0
"""Standard deviations that the root mean square of a random walk does not exceed."""
_WHITE = 1.25
"""The same of white noise."""


@dataclass(frozen=True)
class Noise:
    """A bound in units of t on the greatest coefficient, made of two parts bounded in root mean square.

    ``white`` has a flat spectrum; ``coherent`` may have any: plaintexts, random walks, products of those.
    """

    peak: float
    white: float
    coherent: float

    def __add__(self, other: Noise) -> Noise:
        return Noise(self.peak + other.peak, self.white + other.white, self.coherent + other.coherent)

    def times(self, factor: float) -> Noise:
        """The noise of ``factor`` ciphertexts added up, or of one multiplied by that number."""
        factor = abs(factor)
        return Noise(self.peak * factor, self.white * factor, self.coherent * factor)


@dataclass(frozen=True)
class NoiseModel:
    """The noise of ciphertexts under the collective key of ``sites`` sites."""

    parameters: ParameterSet
    sites: int

    @property
    def _secret_variance(self) -> float:
        return 2 * self.sites / 3  # a sum of ternary secrets

    @property
    def _error_variance(self) -> float:
        return self.sites * ERROR_ETA / 2

    def rounding(self, count: int = 1) -> Noise:
        """The sum of the roundings of ``count`` fresh encryptions or switches: random parts, and fixed ones in step."""
        energy = self.parameters.ring_degree * self._secret_variance
        deviation = math.sqrt(count * (1 + energy) / 12) + count * math.sqrt(energy) / 2
        return Noise(_PEAK * deviation + count / 2, _WHITE * deviation, count / 2)

    def fresh(self) -> Noise:
        """A fresh encryption of any plaintext."""
        return self.rounding() + Noise(1, 0, 1)

    def product(self, left: Noise, right: Noise) -> Noise:
        """A product, before relinearization.

        White noise meets anything like a random walk of N steps (of 2N in a square); coherent parts may meet in step.
        """
        degree = self.parameters.ring_degree
        mixed = left.white * (right.white + right.coherent) + left.coherent * right.white
        random = self.parameters.plain_modulus * math.sqrt(2 * degree) * mixed
        coherent = self.parameters.plain_modulus * degree * left.coherent * right.coherent
        return Noise(_PEAK * random + coherent, _WHITE * random, coherent)

    def switched(self, before: Noise, level: int) -> Noise:
        """After one switch from ``level`` to level − 1 data primes."""
        return before.times(1 / self.parameters.data_primes[level - 1]) + self.rounding()

    def relinearized(self, before: Noise, level: int) -> Noise:
        """After relinearization at ``level``; a component's own noise is s·e0 + u·e1 + e2 + e3."""
        own = 2 * self._error_variance * (self.parameters.ring_degree * self._secret_variance + 1)
        return before + self._key_switch(own, level)

    def rotated(self, before: Noise, level: int) -> Noise:
        """After a rotation at ``level``."""
        return before + self._key_switch(self._error_variance, level)

    def packed(self, before: Noise, results: int, level: int) -> Noise:
        """After packing ``results``: each doubling adds two ciphertexts to two that are rotated together."""
        noise = before
        for _ in range((results - 1).bit_length()):
            noise = self.rotated(noise.times(4), level)
        return noise

    def _key_switch(self, component_variance: float, level: int) -> Noise:
        """Σ_j [c]_j·E_j/P and the rounding by P; [c]_j lies in [0, q_j), so its mean square is q_j²/3."""
        squares = sum((prime / self.parameters.special_prime) ** 2 / 3 for prime in self.parameters.data_primes[:level])
        deviation = math.sqrt(self.parameters.ring_degree * squares * component_variance)
        walk = math.sqrt(self.parameters.ring_degree * self._secret_variance) / 2
        step = Noise(_PEAK * walk, 0, _WALK * walk)
        return Noise(_PEAK * deviation, 0, _WALK * deviation) + self.rounding() + step

    def bits(self, noise: Noise) -> float:
        """log2 of the greatest magnitude of the phase, in absolute units."""
        return math.log2(noise.peak * self.parameters.plain_modulus)
