"""Dealing the key shares so that any quorum of t_d sites can open a result together.

Source: Mouchet, Bertrand, Hubaux, *An Efficient Threshold Access-Structure for RLWE-Based Multiparty Homomorphic
Encryption* (J. Cryptology 2023, eprint 2022/780): Shamir sharing over the ring, evaluated at the roster positions.

Everything is modulo the three release primes, in NTT form, shape (3, N).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.core.crypto import ring, sampling
from app.core.crypto.keygen import KeyShare
from app.core.crypto.parameters import RELEASE_PRIMES, ParameterSet
from app.core.crypto.ring import Array
from app.core.errors import Bug


class ThresholdProtocol:
    """Site i draws f of degree t_d − 1 with f(0) = sᵢ and deals f(k) to site k; site k keeps σ_k = Σᵢ fᵢ(k)."""

    def __init__(self, parameters: ParameterSet, quorum: int, sites: int) -> None:
        if not 2 <= quorum <= sites:
            raise Bug("crypto.quorum", quorum=quorum, sites=sites)
        self.parameters = parameters
        self.quorum = quorum
        self.sites = sites
        self.primes = parameters.data_primes[:RELEASE_PRIMES]
        self._fields = ring.fields(parameters, self.primes)

    def generate_share(self, share: KeyShare, randomness: bytes, position: int) -> Array:
        """Return f(position), shape (3, N): the value for the site at that roster position (1-based)."""
        if not 1 <= position <= self.sites:
            raise Bug("crypto.position", position=position)
        rows = []
        for field_ in self._fields:
            value = np.zeros(self.parameters.ring_degree, np.int64)
            for power in range(self.quorum - 1, 0, -1):  # Horner
                name = (self.quorum, self.sites, power, field_.modulus)
                coefficient = sampling.uniform(randomness, "dealing", name, field_.modulus, self.parameters.ring_degree)
                value = field_.multiply(field_.add(value, coefficient), position)
            rows.append(field_.add(value, share.form(field_.modulus)))
        return np.stack(rows)

    def aggregate_shares(self, values: Sequence[Array]) -> Array:
        """Return σ_k, shape (3, N): the sum of the values that all sites dealt to this one."""
        if len(values) != self.sites:
            raise Bug("crypto.dealt_values", count=len(values), sites=self.sites)
        moduli = np.array(self.primes, np.int64)[:, None]
        total: Array = np.zeros_like(values[0])
        for value in values:
            total = (total + value) % moduli
        return total


def lagrange(modulus: int, quorum: Sequence[int], position: int) -> int:
    """Return λ_position = Π j/(j − position) over the other members j of ``quorum``, modulo a prime."""
    numerator = denominator = 1
    for other in quorum:
        if other != position:
            numerator = numerator * other % modulus
            denominator = denominator * (other - position) % modulus
    return numerator * pow(denominator, -1, modulus) % modulus
