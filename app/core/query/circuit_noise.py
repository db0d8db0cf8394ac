"""The noise of whole circuits, bounded before they run.

Model: the phase of a ciphertext, message and noise together, is a polynomial whose values at the roots are complex
Gaussians of one variance (canonical embedding; Costache, Laine, Player, *Evaluating the effectiveness of heuristic
worst-case noise analysis in FHE*, ESORICS 2020). One number tells its size: log2 of the variance of a coefficient. A
product has N·V_a·V_b times binom(g + h, g), for degrees g and h, because the secret is in every value; once more if
they share other noise too. Independent terms add variances, dependent ones standard deviations. A bound is eight
standard deviations: one coefficient exceeds it with probability 2^-49.

SEAL rounds by adding a multiple of t drawn from [0, t): the mean ½·s·ΣXⁱ sits nearly whole in one pair of roots (see
:mod:`app.core.crypto.noise`), and high powers of it would be ruinous: 20 bits more in an AND of four. Values are
therefore *recentred* before they are multiplied: t·R(X) is taken from c1, R a fixed pattern of zeros and ones that
looks random. That leaves the message as it was, and a mean of ±½ that is spread over all roots. A value's variance is
then t²·(1 + N·2n/3)·(1/12 + 1/4), in step with other values of the same pattern only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from app.core.crypto.parameters import ERROR_ETA, RELEASE_PRIMES, ParameterSet

PATTERNS = 17
"""How many recentring patterns there are: a prime, so that blocks fall in step as late as possible."""

_DEVIATIONS_BITS = 3.0
_WALK = math.log2(3.7)
"""log2 of Σ 1/|1 − ζ| / N over the roots: what a mean of ½ in all coefficients amounts to."""
_TAIL = math.log2(3.0)
"""log2 of how much larger than its deviation the secret may be at the root that matters."""


def add_logs(*values: float) -> float:
    """Return log2 of the sum of numbers given by their log2."""
    largest = max(values)
    return largest + math.log2(sum(2.0 ** (value - largest) for value in values))


@dataclass(frozen=True)
class CircuitNoise:
    """Log2 variances at one parameter set for a collective secret of ``sites`` key shares."""

    parameters: ParameterSet
    sites: int

    @cached_property
    def _plain(self) -> float:
        return 2 * math.log2(self.parameters.plain_modulus)

    @cached_property
    def _secret(self) -> float:
        """What a multiplication by the secret adds: log2 of N·2n/3."""
        return math.log2(self.parameters.ring_degree * 2 * self.sites / 3)

    @cached_property
    def rounding(self) -> float:
        """What a switch or a fresh encryption leaves, its mean included."""
        return self._plain + math.log2((1 + 2.0**self._secret) / 3)

    @cached_property
    def fresh(self) -> float:
        """A recentred value: its noise, and its message, at most uniform modulo t."""
        return add_logs(self.rounding, self._plain - math.log2(12))

    def product(self, left: float, right: float, left_degree: int, right_degree: int, dependent: bool) -> float:
        """Variance of a product of recentred values."""
        ways = math.log2(math.comb(left_degree + right_degree, left_degree))
        return left + right + math.log2(self.parameters.ring_degree) + (2 if dependent else 1) * ways

    def constant(self, value: int) -> float:
        """What adding the same constant in every slot adds to the mean square of the coefficients."""
        return 2 * math.log2(abs(value)) - math.log2(self.parameters.ring_degree) if value else -math.inf

    def over_blocks(self, value: float, blocks: int) -> float:
        """Variance of the sum of a product over blocks; those of one pattern are in step."""
        return value + math.log2(blocks * math.ceil(blocks / PATTERNS))

    def in_step(self, value: float, count: int) -> float:
        """Variance of the sum of ``count`` values that were not recentred."""
        return value + 2 * math.log2(count)

    def relinearized(self, value: float, polynomials: int, level: int) -> float:
        """Variance after Horner's relinearization of ``polynomials`` polynomials at ``level`` primes.

        The step that removes s^i does so inside a factor s^(i−2).
        """
        switch = self._key_switch(level)
        return add_logs(value, *(switch + self._power(i - 2) for i in range(2, polynomials)))

    def switched(self, value: float, polynomials: int, level: int, target: int) -> float:
        """Variance after switching ``polynomials`` polynomials from ``level`` down to ``target`` primes."""
        for prime in reversed(self.parameters.data_primes[target:level]):
            rounding = self._plain - math.log2(3) + add_logs(*(self._power(i) for i in range(polynomials)))
            value = add_logs(value - 2 * math.log2(prime), rounding)
        return value

    def traced(self, value: float, sharing: int) -> float:
        """Variance after the trace that extracts columns: each step adds a value to its rotation, in step at the worst,
        and what a key switch at all primes adds."""
        switch = self._key_switch(self.parameters.levels)  # a rotation key's own noise is less than this
        for _ in range(sharing.bit_length() - 1):
            value = add_logs(value + 2, switch)
        return value

    def turned(self, value: float, times: int, level: int) -> float:
        """Variance of a recentred value after so many rotations, one after the other, at ``level`` primes."""
        return add_logs(value, self.in_step(self._rotation(level), times))

    def packed(self, value: float, results: int, *, shared: bool = False) -> float:
        """Variance after packing at the release level: each doubling adds two ciphertexts to two that are rotated
        together, all in step at the worst.

        Where nodes have ``shared`` rotations, s/2 of them make a node over s places: at most one and a half times as
        much. Two workers may pack a part of the leaves each, and both are added up: three times.
        """
        switch = self._rotation(RELEASE_PRIMES)
        switch += 2 * math.log2(3) if shared else 0.0
        for _ in range((results - 1).bit_length()):
            value = 2 * add_logs(value / 2 + 2, switch / 2)
        return value

    def primes_to_drop(self, value: float) -> int:
        """How many primes a relinearized product must be switched down to be as quiet as a fresh column, nearly.

        Reckoned with the smallest prime, so that it holds at every level.
        """
        prime = 2 * math.log2(min(self.parameters.data_primes))
        return max(1, math.ceil((value - self.rounding) / prime))

    def decrypts(self, value: float, level: int) -> bool:
        """Return whether a value this wide still fits ``level`` primes."""
        return self.bound(value) < self.parameters.modulus_bits(level) - 1

    def bound(self, value: float) -> float:
        """Return log2 of the bound of one coefficient."""
        return value / 2 + _DEVIATIONS_BITS

    def released(self, value: float, polynomials: int, level: int, relinearization: int) -> float | None:
        """Variance of a summed product at the release level, by way of relinearization at another; None if lost."""
        if not self.decrypts(value, level):
            return None
        value = self.switched(value, polynomials, level, relinearization)
        value = self.relinearized(value, polynomials, relinearization)
        return self.switched(value, 2, relinearization, RELEASE_PRIMES)

    def _key_switch(self, level: int) -> float:
        """What one relinearization at ``level`` primes adds.

        The collective key's error is t·(s·Σe + u·Σe′ + Σe″) with s and u sums of ternary shares, of variance
        t²·(2·N·(2n/3)·n·σ² + 2nσ²); each of the digits is below its prime (mean square q²/3).
        """
        degree, variance = self.parameters.ring_degree, ERROR_ETA / 2
        key = 2 * degree * (2 * self.sites / 3) * self.sites * variance + 2 * self.sites * variance
        return self._switched_with(key, level)

    def _rotation(self, level: int) -> float:
        """What one rotation at ``level`` primes adds: its key's error is t·Σe, of variance t²·n·σ²."""
        return self._switched_with(self.sites * ERROR_ETA / 2, level)

    def _switched_with(self, key: float, level: int) -> float:
        """What switching with a key of this error variance, in units of t², adds: the digits, and the rounding by P."""
        digits = sum((prime / self.parameters.special_prime) ** 2 / 3 for prime in self.parameters.data_primes[:level])
        return add_logs(self._plain + math.log2(self.parameters.ring_degree * digits * key), self.rounding)

    def _power(self, exponent: int) -> float:
        """What s^exponent makes of a rounding of variance 1: of its random part, and of its mean."""
        random = exponent * self._secret + math.log2(math.factorial(exponent))
        mean = 2 * _WALK + exponent * (self._secret + 2 * _TAIL) if exponent else 0.0
        return add_logs(random, mean)
