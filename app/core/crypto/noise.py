"""How much noise each operation leaves in a ciphertext: hard-to-exceed bounds, which flooding rests on.

Everything is in units of the plaintext modulus t and includes the plaintext itself, so the phase c0 + c1·s of a
ciphertext lies within ± t·peak. Statistical bounds leave less than 2^-44 a coefficient.

SEAL's BGV rounds by adding a multiple of t drawn from [0, t), not from ±t/2. The half that remains on average meets the
secret as ½·(1 + s·ΣXⁱ): a random walk over the coefficients of s, **the same for every ciphertext of a key**. Noises
of many ciphertexts therefore add up like their number, not like its root, and products see two smooth walks. A walk's
greatest value stays below 8 of its standard deviations, its root mean square below 5 (four fifths of its energy are in
one mode, so its square is nearly exponentially distributed). Circuits take the walk out before they multiply; see
:mod:`app.core.query.circuit_noise`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.core.crypto.parameters import ERROR_ETA, ParameterSet

_PEAK = 8.0
"""Standard deviations that no coefficient exceeds."""
_SIZE = 5.0
"""Standard deviations that the root mean square of a walk does not exceed."""


@dataclass(frozen=True)
class Noise:
    """A bound in units of t: on the greatest coefficient and on the root mean square over the coefficients."""

    peak: float
    size: float

    def __add__(self, other: Noise) -> Noise:
        return Noise(self.peak + other.peak, self.size + other.size)

    def times(self, factor: float) -> Noise:
        """Return the noise of ``factor`` ciphertexts added up, or of one multiplied by that number."""
        return Noise(self.peak * abs(factor), self.size * abs(factor))


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
        """Return the sum of the roundings of ``count`` fresh encryptions or switches: random parts, walks in step."""
        energy = self.parameters.ring_degree * self._secret_variance
        random = math.sqrt(count * (1 + energy) / 12)
        walk = count * math.sqrt(energy) / 2
        return Noise(_PEAK * (random + walk) + count / 2, 1.5 * random + _SIZE * walk + count / 2)

    def fresh(self) -> Noise:
        """Return the noise of a fresh encryption of any plaintext."""
        return self.rounding() + Noise(1, 1)

    def product(self, left: Noise, right: Noise) -> Noise:
        """Return a product's noise before relinearization: N times the two root mean squares (Cauchy–Schwarz)."""
        peak = self.parameters.plain_modulus * self.parameters.ring_degree * left.size * right.size
        return Noise(peak, peak)

    def switched(self, before: Noise, level: int) -> Noise:
        """Return the noise after one switch from ``level`` to level − 1 data primes."""
        return before.times(1 / self.parameters.data_primes[level - 1]) + self.rounding()

    def relinearized(self, before: Noise, level: int) -> Noise:
        """Return the noise after relinearization; a key component's own is s·e0 + u·e1 + e2 + e3."""
        own = 2 * self._error_variance * (self.parameters.ring_degree * self._secret_variance + 1)
        return before + self._key_switch(own, level)

    def rotated(self, before: Noise, level: int) -> Noise:
        """Return the noise after a rotation at ``level``."""
        return before + self._key_switch(self._error_variance, level)

    def packed(self, before: Noise, results: int, level: int) -> Noise:
        """Return the noise after packing: each doubling adds two ciphertexts to two that are rotated together."""
        noise = before
        for _ in range((results - 1).bit_length()):
            noise = self.rotated(noise.times(4), level)
        return noise

    def _key_switch(self, component_variance: float, level: int) -> Noise:
        """Σ_j [c]_j·E_j/P and the rounding by P; [c]_j lies in [0, q_j), so its mean square is q_j²/3."""
        squares = sum((prime / self.parameters.special_prime) ** 2 / 3 for prime in self.parameters.data_primes[:level])
        deviation = math.sqrt(self.parameters.ring_degree * squares * component_variance)
        return Noise(_PEAK * deviation, _SIZE * deviation) + self.rounding()

    def bits(self, noise: Noise) -> float:
        """Return log2 of the greatest magnitude of the phase, in absolute units."""
        return math.log2(noise.peak * self.parameters.plain_modulus)
