"""Columns of small datasets taken out of the ciphertexts that they share.

With R columns a ciphertext, column r is an element C_r of the subring Z_t[X^R], whose slots hold N/R patients, each R
times in a row, and a ciphertext holds Σ_r X^r·C_r(X^R)/R (:mod:`app.core.preparation.encrypting`). Two things can be
made of it:

* X^(−r) times it is a *shifted* column. Its coefficient 0 is that of C_r/R, so the sum of the column over the patients
  is N times it, as of a column that is alone; and so is the sum of its product with an element of the subring. Its
  slots mean nothing.
* The trace of a sum of shifted columns over the log2 R automorphisms that leave the subring as it is, is the sum of the
  columns: an *extracted* value, which is multiplied and added like a column that is alone. Every patient is in R of its
  slots, so sums over slots are divided by R in the clear.

A trace is linear: however many columns a literal adds up, it takes one. It is made one prime above the level where its
value is needed, because the switch that follows takes its noise away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from app.core.crypto import ring
from app.core.crypto.parameters import ParameterSet
from app.core.crypto.ring import Array
from app.core.crypto.seal import Context, Handle
from app.core.query.plan import Formula, Sum

_SMALL = 1 << 14
"""Residues times weights that add up to less than this stay below 2^63."""


class Ciphertexts(Protocol):
    """Where sealed ciphertexts come from."""

    def residue(self, column: int, prime_index: int, block: int) -> Array:
        """Return (c0, c1) of a ciphertext of the dataset, shape (2, N), in [0, q); ``column`` is its number."""


class ShiftedColumns:
    """The columns of a dataset whose columns share ciphertexts, each at coefficient 0, 1 … of its own X^R."""

    def __init__(self, ciphertexts: Ciphertexts, parameters: ParameterSet, sharing: int) -> None:
        self._ciphertexts = ciphertexts
        self._parameters = parameters
        self._sharing = sharing
        self._last: dict[int, tuple[int, Array]] = {}

    def residue(self, column: int, prime_index: int, block: int) -> Array:
        """Return (c0, c1) of X^(−r) times the ciphertext of ``column``, shape (2, N), in [0, q)."""
        group, place = divmod(column, self._sharing)
        known = self._last.get(prime_index)
        if known is None or known[0] != group:  # columns of one ciphertext are mostly asked for one after the other
            known = self._last[prime_index] = group, self._ciphertexts.residue(group, prime_index, block)
        if place == 0:
            return known[1]
        field = ring.field(self._parameters.data_primes[prime_index], self._parameters.ring_degree)
        return field.multiply(known[1], shift(self._parameters, prime_index, place))


@lru_cache(maxsize=64 * 8)
def shift(parameters: ParameterSet, prime_index: int, place: int) -> Array:
    """Return the NTT form of X^(−place) at one prime."""
    return ring.field(parameters.data_primes[prime_index], parameters.ring_degree).monomial(-place)


def weighted(field: ring.Field, terms: Sequence[tuple[int, Array]]) -> Array:
    """Return Σ weight·residues modulo one prime, in [0, q); weights are centred modulo t, residues in [0, q)."""
    total: Array | None = None
    room = 0
    for weight, residues in terms:
        small = abs(weight) < _SMALL
        product = residues * weight if small else field.multiply(residues, weight % field.modulus)
        size = abs(weight) if small else 1
        if total is None:
            total, room = product, size
        elif room + size < _SMALL:
            total, room = total + product, room + size
        else:
            total, room = total % field.modulus + product, 1 + size
    if total is None:
        raise ValueError("nothing to add up")
    reduced: Array = total % field.modulus
    return reduced


def shifted_sum(parameters: ParameterSet, level: int, terms: Sequence[tuple[int, int, Array]]) -> Array:
    """Return Σ weight·X^(−place)·ciphertext of (weight, place, ciphertext) terms, shape (2, level, N)."""
    total = np.empty((2, level, parameters.ring_degree), np.int64)
    for prime, field in enumerate(ring.fields(parameters, parameters.data_primes[:level])):
        moved = [
            (weight, field.multiply(each[:, prime], shift(parameters, prime, place)) if place else each[:, prime])
            for weight, place, each in terms
        ]
        total[:, prime] = weighted(field, moved)
    return total


def trace(context: Context, value: Handle, sharing: int, keys: Any) -> Handle:
    """Return the sum over the automorphisms that leave Z_t[X^R] as it is: R times what the value has of it."""
    for element in elements(context.parameters, sharing):
        value = context.add(value, context.rotate(value, element, keys))
    return value


def elements(parameters: ParameterSet, sharing: int) -> tuple[int, ...]:
    """Return the automorphisms whose sums make the trace to Z_t[X^R]: g = 2^i + 1 for the last log2 R of i."""
    count = sharing.bit_length() - 1
    return parameters.extraction_elements[len(parameters.extraction_elements) - count :]


def terms_of(formula: Formula) -> tuple[tuple[int, int], ...]:
    """Return (source, weight) of a formula of degree 1: one source, or a single sum of them."""
    if not formula.steps:
        return ((formula.sources[0], 1),)
    (step,) = formula.steps
    if not isinstance(step, Sum) or step.constant:
        raise ValueError("more than a sum of columns")
    return tuple((formula.sources[register], weight) for register, weight in step.terms)


def weights_of(terms: Mapping[int, int]) -> tuple[int, dict[int, int]]:
    """Return a common factor of the weights, and the weights without it: forms that differ by it are one trace."""
    factor = 0
    for weight in terms.values():
        factor = int(np.gcd(factor, weight))
    if next(iter(terms.values())) < 0:
        factor = -factor
    return factor, {term: weight // factor for term, weight in terms.items()}
