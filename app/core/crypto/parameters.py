"""The registry of parameter sets. Nothing else is accepted, from a file or from a peer.

``standard-1`` was checked with the lattice-estimator (MATZOV cost model, classical): 128.4 bits for N = 16384 and
log2(QP) = 430; the primes below make 428.4. The data primes are the eight largest below 2^48 that are 1 modulo 2·N·t:
every coefficient is six bytes, products fit the float64 trick of :mod:`app.core.crypto.ring`, and BGV's correction
factor stays 1.
"""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass
from functools import cached_property

from app.core.errors import EnvironmentProblem, ProtocolViolation

ERROR_ETA = 21
"""Centred binomial parameter of fresh errors: standard deviation sqrt(eta/2) = 3.24."""

RELEASE_PRIMES = 3
"""Key shares are dealt, and results opened, modulo the first three data primes."""

ROTATION_PRIMES = 4
"""Rotation keys exist at the first four data primes only: packing happens after the last product."""

EXTRACTION_PRIMES = 8
"""Keys of the automorphisms that extract a column from a shared ciphertext exist at all data primes.

Columns are extracted before they are multiplied, one prime above the level where the products start, because the switch
that follows takes the extraction's noise away; the deepest formulas start at seven. A key of eight primes cut to fewer
is the key of that level. They make a site's share of all rotation keys 58 MB instead of 28.
"""

MOST_COLUMNS = 64
"""Columns that may share a ciphertext, where the patients are few: a power of two."""

INSECURE_SWITCH = "CONSILIUM_ALLOW_INSECURE_TEST_PARAMETERS"


@dataclass(frozen=True)
class ParameterSet:
    """One named BGV parameter set.

    ``data_primes`` are in the order in which they are kept: a ciphertext at level k has the first k of them.
    """

    name: str
    ring_degree: int
    data_primes: tuple[int, ...]
    special_prime: int
    plain_modulus: int

    @cached_property
    def all_primes(self) -> tuple[int, ...]:
        """The data primes followed by the special prime: the modulus of the public key."""
        return (*self.data_primes, self.special_prime)

    def key_primes(self, level: int) -> tuple[int, ...]:
        """The primes of a key-switching key for ciphertexts of ``level`` data primes."""
        return (*self.data_primes[:level], self.special_prime)

    @property
    def levels(self) -> int:
        """The number of data primes."""
        return len(self.data_primes)

    @property
    def slots(self) -> int:
        """Patients in one block."""
        return self.ring_degree

    @property
    def rotation_elements(self) -> tuple[int, ...]:
        """The automorphisms X → X^g with keys: g = 2^i + 1 for i = 1 … log2 N."""
        return tuple((1 << i) + 1 for i in range(1, self.ring_degree.bit_length()))

    @property
    def extraction_elements(self) -> tuple[int, ...]:
        """The automorphisms, among the rotations, that extract one of up to 64 columns: the last six.

        For 2^k columns a ciphertext the last k of them are needed.
        """
        return self.rotation_elements[-(MOST_COLUMNS.bit_length() - 1) :]

    def columns_per_ciphertext(self, patients: int) -> int:
        """Return how many columns of so many patients share a ciphertext: the most for which all have a slot."""
        columns = 1
        while columns < MOST_COLUMNS and 2 * columns * patients <= self.slots:
            columns *= 2
        return columns

    def modulus_bits(self, level: int) -> float:
        """log2 of the product of the first ``level`` data primes."""
        return sum(math.log2(prime) for prime in self.data_primes[:level])


_DATA_PRIMES = (
    276003205021697,
    274373264834561,
    253184042401793,
    246120968257537,
    237971267321857,
    235254700343297,
    228734939594753,
    218955298471937,
)
_SPECIAL_PRIME = 70368743587841
_PLAIN_MODULUS = 16580609

STANDARD_1 = ParameterSet("standard-1", 16384, _DATA_PRIMES, _SPECIAL_PRIME, _PLAIN_MODULUS)
INSECURE_TEST_PARAMETERS = ParameterSet("INSECURE_TEST_PARAMETERS", 1024, _DATA_PRIMES, _SPECIAL_PRIME, _PLAIN_MODULUS)


def get(name: str) -> ParameterSet:
    """Return the set called ``name``.

    Raises ProtocolViolation for an unknown name, and EnvironmentProblem for the insecure test set unless the tests
    have switched it on; an installed (frozen) program never accepts it.
    """
    if name == STANDARD_1.name:
        return STANDARD_1
    if name == INSECURE_TEST_PARAMETERS.name:
        if getattr(sys, "frozen", False) or os.environ.get(INSECURE_SWITCH) != "yes":
            raise EnvironmentProblem("crypto.insecure_parameters", name=name)
        return INSECURE_TEST_PARAMETERS
    raise ProtocolViolation("crypto.unknown_parameters", name=name[:64])
