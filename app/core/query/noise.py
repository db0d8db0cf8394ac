"""The noise of homomorphic arithmetic, bounded before it runs.

Model: what decryption sees of a ciphertext, message and noise together, is a polynomial whose values at the roots are
independent complex Gaussians (canonical embedding; Costache, Laine, Player, *Evaluating the effectiveness of heuristic
worst-case noise analysis in FHE*, ESORICS 2020). Its size is one number, log2 of the variance of a coefficient. A
product has N·V_a·V_b if its factors are independent; powers of degrees g and h in the same Gaussians have
binom(g + h, g) times that. Independent terms add variances, dependent ones standard deviations. A bound is eight
standard deviations: one coefficient exceeds it with probability 2^-49.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.core.crypto.parameters import ERROR_ETA, RELEASE_PRIMES, ParameterSet
from app.core.crypto.release import rounding_variance

DEVIATIONS_BITS = 3.0
"""log2 of the standard deviations in a bound."""


def add_logs(*values: float) -> float:
    """Return log2 of the sum of numbers given by their log2."""
    largest = max(values)
    return largest + math.log2(sum(2.0 ** (value - largest) for value in values))


@dataclass(frozen=True)
class NoiseModel:
    """Log2 variances at one parameter set for a collective secret of ``sites`` key shares."""

    parameters: ParameterSet
    sites: int

    @property
    def _plain(self) -> float:
        return 2 * math.log2(self.parameters.plain_modulus)

    @property
    def _secret(self) -> float:
        """What a multiplication by the secret adds: log2 of N·2n/3."""
        return math.log2(self.parameters.ring_degree * 2 * self.sites / 3)

    @property
    def rounding(self) -> float:
        """Noise that a switch leaves."""
        return self._plain + math.log2(rounding_variance(self.parameters, self.sites))

    @property
    def fresh(self) -> float:
        """A sealed column: the noise of its encryption and its message, at most uniform modulo t."""
        return self._plain + math.log2(rounding_variance(self.parameters, self.sites) + 1 / 12)

    def product(self, left: float, right: float, left_degree: int, right_degree: int, dependent: bool) -> float:
        """Variance of a product."""
        ways = math.comb(left_degree + right_degree, left_degree) if dependent else 1
        return left + right + math.log2(self.parameters.ring_degree) + math.log2(ways)

    def constant(self, value: int) -> float:
        """What adding the same constant in every slot adds to the mean square of the coefficients."""
        return 2 * math.log2(abs(value)) - math.log2(self.parameters.ring_degree) if value else -math.inf

    def key_switch(self, level: int) -> float:
        """What one relinearization at ``level`` primes adds.

        The collective key's error is t·(s·Σe + u·Σe′ + Σe″) with s and u sums of ternary shares, of variance
        t²·(2·N·(2n/3)·n·σ² + 2nσ²); each of the digits is below its prime (mean square q²/3).
        """
        degree, variance = self.parameters.ring_degree, ERROR_ETA / 2
        key = 2 * degree * (2 * self.sites / 3) * self.sites * variance + 2 * self.sites * variance
        digits = sum((prime / self.parameters.special_prime) ** 2 / 3 for prime in self.parameters.data_primes[:level])
        return add_logs(self._plain + math.log2(degree * digits * key), self.rounding)

    def relinearized(self, value: float, polynomials: int, level: int) -> float:
        """Variance after Horner's relinearization of ``polynomials`` polynomials at ``level`` primes.

        The step that removes s^i does so inside a factor s^(i−2).
        """
        switch = self.key_switch(level)
        return add_logs(value, *(switch + self._power(i - 2) for i in range(2, polynomials)))

    def _power(self, exponent: int) -> float:
        return exponent * self._secret + math.log2(math.factorial(exponent))

    def switched(self, value: float, polynomials: int, level: int, target: int) -> float:
        """Variance after switching from ``level`` down to ``target`` primes."""
        for prime in reversed(self.parameters.data_primes[target:level]):
            rounding = self._plain - math.log2(12) + add_logs(*(self._power(i) for i in range(polynomials)))
            value = add_logs(value - 2 * math.log2(prime), rounding)
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
        return value / 2 + DEVIATIONS_BITS

    def release_level(self) -> int:
        """Results are opened at this many primes."""
        return RELEASE_PRIMES
