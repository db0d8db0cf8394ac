"""Arithmetic in Z_q[X]/(X^N + 1), one prime at a time, in numpy.

A polynomial modulo one prime is an int64 array of shape (N,); in RNS form it is (primes, N), and a ciphertext of
``size`` polynomials is (size, primes, N). NTT form uses SEAL's order (minimal primitive 2N-th root, its powers in
bit-reversed order), so residues made here and by SEAL are interchangeable bit for bit.

Products use the float64 quotient: r = a·b − round(a·b/q)·q in wrapping int64, exact up to one q for q < 2^50.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.core.crypto.parameters import ParameterSet

Array = NDArray[np.int64]


def _bit_reverse(value: int, bits: int) -> int:
    return int(format(value, f"0{bits}b")[::-1], 2) if bits else 0


def _minimal_root(modulus: int, order: int) -> int:
    """Return the smallest primitive ``order``-th root of unity, ``order`` a power of two dividing modulus − 1."""
    generator = 2
    while True:
        root = pow(generator, (modulus - 1) // order, modulus)
        if pow(root, order // 2, modulus) == modulus - 1:
            break
        generator += 1
    square, power, best = root * root % modulus, root, root
    for _ in range(order // 2):
        best = min(best, power)
        power = power * square % modulus
    return best


class Field:
    """One prime ``modulus`` with the tables of its negacyclic NTT of length ``degree``."""

    def __init__(self, modulus: int, degree: int) -> None:
        bits = degree.bit_length() - 1
        self.modulus = modulus
        self.degree = degree
        self._rows = 1 << ((bits + 1) // 2)
        self._columns = degree // self._rows
        self.root = _minimal_root(modulus, 2 * degree)
        powers = np.empty(2 * degree, dtype=np.int64)
        powers[0] = value = 1
        for i in range(1, 2 * degree):
            value = value * self.root % modulus
            powers[i] = value
        self.root_powers = powers
        order = np.array([_bit_reverse(i, bits) for i in range(degree)])
        # slot i of the NTT form is the value at root^(2·bitrev(i)+1)
        self.exponents = 2 * order + 1
        half = modulus // 2
        forward = powers[order]
        backward = powers[(-order) % (2 * degree)]
        self._forward = self._stages(np.where(forward > half, forward - modulus, forward))
        self._backward = self._stages(np.where(backward > half, backward - modulus, backward))
        self.degree_inverse = pow(degree, -1, modulus)

    def _stages(self, table: Array) -> list[tuple[Array, NDArray[np.float64]]]:
        """Cut the table of twiddles into one array a stage, shaped for the layout that stage works in.

        The first stages see the polynomial as (m, 2, t). The later ones see its transposed matrix, where the
        columns are contiguous: (m', 2, t', rows). Both have long inner loops.
        """
        stages = []
        m = 1
        while m < self.degree:
            weights = table[m : 2 * m]
            if m < self._rows:
                shaped = weights.reshape(m, 1)
            else:
                shaped = weights.reshape(self._rows, m // self._rows).T[:, None, :]
            shaped = np.ascontiguousarray(shaped)
            stages.append((shaped, shaped / self.modulus))
            m *= 2
        return stages

    def _views(self, values: Array, stage: int) -> tuple[Array, Array]:
        m = 1 << stage
        if m < self._rows:
            pairs = values.reshape(m, 2, self.degree // (2 * m))
            return pairs[:, 0], pairs[:, 1]
        inner = m // self._rows
        blocks = values.reshape(inner, 2, self._columns // (2 * inner), self._rows)
        return blocks[:, 0], blocks[:, 1]

    def forward(self, polynomial: Array) -> Array:
        """Return the NTT form, in [0, q), of coefficients of magnitude at most q. Shape (…, N)."""
        return self._map(self._forward_one, polynomial)

    def backward(self, values: Array) -> Array:
        """Return the coefficients, in [0, q), of an NTT form in [0, q). Shape (…, N)."""
        return self._map(self._backward_one, values)

    def _map(self, one: Callable[[Array], Array], array: Array) -> Array:
        if array.ndim == 1:
            return one(array)
        return np.stack([self._map(one, part) for part in array])

    def _forward_one(self, polynomial: Array) -> Array:
        # Lazy: each of the log2 N stages adds to a value a product of magnitude at most q·(1/2 + v·2^-53), v being the
        # value's own bound, so a value starting at q ends below 10.2·q < 2^51.4 for 14 stages: exact in float64.
        values = np.array(polynomial, dtype=np.int64)
        half = self.degree // 2
        scratch, quotient = np.empty(half, np.int64), np.empty(half, np.float64)
        transposed = False
        for stage, (weights, ratios) in enumerate(self._forward):
            if not transposed and (1 << stage) >= self._rows:
                values = np.ascontiguousarray(values.reshape(self._rows, self._columns).T)
                transposed = True
            low, high = self._views(values, stage)
            product, estimate = scratch.reshape(low.shape), quotient.reshape(low.shape)
            np.multiply(high, ratios, out=estimate)
            np.rint(estimate, out=estimate)
            np.multiply(high, weights, out=product)
            rounded = estimate.astype(np.int64)
            rounded *= self.modulus
            product -= rounded
            np.subtract(low, product, out=high)
            low += product
        values = np.ascontiguousarray(values.reshape(self._columns, self._rows).T).reshape(-1)
        return self.reduce(values)

    def _backward_one(self, form: Array) -> Array:
        # Lazy: sums double at each stage and are brought back every fourth: never above 16·q < 2^52.
        values = np.array(form.reshape(self._rows, self._columns).T, np.int64, order="C")
        half = self.degree // 2
        scratch, quotient = np.empty(half, np.int64), np.empty(half, np.float64)
        transposed = True
        for stage in range(len(self._backward) - 1, -1, -1):
            weights, ratios = self._backward[stage]
            if transposed and (1 << stage) < self._rows:
                values = np.ascontiguousarray(values.reshape(self._columns, self._rows).T)
                transposed = False
            low, high = self._views(values, stage)
            difference, estimate = scratch.reshape(low.shape), quotient.reshape(low.shape)
            np.subtract(low, high, out=difference)
            low += high
            np.multiply(difference, ratios, out=estimate)
            np.rint(estimate, out=estimate)
            np.multiply(difference, weights, out=high)
            rounded = estimate.astype(np.int64)
            rounded *= self.modulus
            high -= rounded
            if stage % 4 == 0:  # sums double at each stage: bring them back below q in time
                low -= np.rint(low * (1.0 / self.modulus)).astype(np.int64) * self.modulus
        return self.multiply(values.reshape(-1), self.degree_inverse)

    def reduce(self, values: Array) -> Array:
        """Return ``values`` (of magnitude below 2^53) modulo q, in [0, q)."""
        quotient = values * (1.0 / self.modulus)
        np.rint(quotient, out=quotient)
        multiple = quotient.astype(np.int64)
        multiple *= self.modulus
        return self._lifted(np.subtract(values, multiple, out=multiple))

    def multiply(self, left: Array, right: Array | int) -> Array:
        """Return left·right modulo q, in [0, q); both of magnitude at most q."""
        quotient: NDArray[np.float64] = np.multiply(left, np.multiply(right, 1.0 / self.modulus), dtype=np.float64)
        np.rint(quotient, out=quotient)
        multiple = quotient.astype(np.int64)
        multiple *= self.modulus
        result: Array = left * np.int64(right) if isinstance(right, int) else left * right
        result -= multiple
        return self._lifted(result)

    def inner(self, pairs: Iterable[tuple[Array, Array]], shape: tuple[int, ...]) -> Array:
        """Return Σ left·right modulo q, in [0, q), of pairs in [0, q); ``shape`` is that of the products."""
        exact, quotient = np.zeros(shape, np.int64), np.zeros(shape, np.float64)
        product, estimate = np.empty(shape, np.int64), np.empty(shape, np.float64)
        for number, (left, right) in enumerate(pairs, start=1):
            exact += np.multiply(left, right, out=product)
            quotient += np.multiply(left, right * (1.0 / self.modulus), out=estimate)
            if number % 16 == 0:  # until then the quotient is right to within 16·(1/2 + 3/32): below 10·q is left
                exact = self._remainder(exact, quotient)
                np.multiply(exact, 1.0 / self.modulus, out=quotient)
        return self._remainder(exact, quotient)

    def _remainder(self, exact: Array, quotient: NDArray[np.float64]) -> Array:
        """Return ``exact`` (wrapped) modulo q, in [0, q), where ``quotient`` is nearly what q goes into it."""
        return self.reduce(exact - np.rint(quotient).astype(np.int64) * self.modulus)

    def add(self, left: Array, right: Array) -> Array:
        """Return left + right modulo q for operands in [0, q)."""
        result: Array = left + right
        result -= self.modulus
        return self._lifted(result)

    def subtract(self, left: Array, right: Array) -> Array:
        """Return left − right modulo q for operands in [0, q)."""
        return self._lifted(left - right)

    def _lifted(self, values: Array) -> Array:
        """Return ``values``, in [−q, q), with q added to the negative ones; they are spent.

        Unsigned, a negative number is larger than any other: the smaller of both is the one in range.
        """
        lifted = values + self.modulus
        np.minimum(values.view(np.uint64), lifted.view(np.uint64), out=values.view(np.uint64))
        return values

    def monomial(self, exponent: int) -> Array:
        """Return the NTT form of X^exponent, exponent modulo 2N (X^N = −1)."""
        return self.root_powers.take(self.exponents * exponent & (2 * self.degree - 1))

    def coefficient(self, form: Array, position: int) -> int:
        """Return one coefficient of the polynomial with NTT form ``form``: N⁻¹·Σ form_i·root_i^(−position)."""
        terms = self.multiply(form, self.monomial(-position))
        total = int(terms.sum(dtype=np.int64))  # N·q < 2^62
        return total * self.degree_inverse % self.modulus


@lru_cache(maxsize=64)
def field(modulus: int, degree: int) -> Field:
    """Return the (cached) field; building one takes about 30 ms at N = 16384."""
    return Field(modulus, degree)


def fields(parameters: ParameterSet, primes: tuple[int, ...]) -> tuple[Field, ...]:
    """Return the field of each prime at the set's ring degree."""
    return tuple(field(prime, parameters.ring_degree) for prime in primes)
