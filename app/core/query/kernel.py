"""Formulas on residues in numpy: unrelinearized products of any degree, summed over blocks.

A ciphertext (c0, c1) is the polynomial c0 + c1·s in the secret s. A formula of degree d in it is evaluated at d + 1
small points s = 0, ∞, 1, −1, 2, … instead of multiplying polynomials: at each point everything is a plain residue, and
the last product is only added up. The coefficients are interpolated once, after the last block.

Residues are int64 with their float64 twins. A product is a·b − rint(a·b/q)·q in wrapping int64, where the float only
tells the quotient. *Magnitudes*, in units of q, are known when the kernel is made, so that every quotient is right to
within one and nothing is reduced that need not be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.core.crypto.ring import Array, Field
from app.core.query.plan import Formula, Product, Sum

Floats = NDArray[np.float64]
Pair = tuple[Array, Array]
"""(c0, c1) of one value at one prime."""
INFINITY = 1 << 20
"""The point whose value is the leading coefficient."""

_POINTS = (0, INFINITY, 1, -1, 2, -2, 3, -3, 4, -4)
_REDUCE_ABOVE = 2.0
_EXACT_FLOAT = 16.0  # magnitudes up to here are exact as float64, being below 2^52


class Workspace:
    """Arrays of N numbers by name, shared by all kernels of one evaluation, which run one after the other."""

    def __init__(self, degree: int) -> None:
        self.degree = degree
        self._integers: dict[object, Array] = {}
        self._floats: dict[object, Floats] = {}

    def integers(self, name: object) -> Array:
        """Return an int64 array (N,)."""
        if name not in self._integers:
            self._integers[name] = np.empty(self.degree, np.int64)
        return self._integers[name]

    def floats(self, name: object) -> Floats:
        """Return a float64 array (N,)."""
        if name not in self._floats:
            self._floats[name] = np.empty(self.degree, np.float64)
        return self._floats[name]


@dataclass(frozen=True, slots=True)
class _Operand:
    integers: Array
    floats: Floats
    magnitude: float


class FormulaKernel:
    """One formula at one prime. ``add`` takes a block; ``result`` gives the d + 1 polynomials of the sum so far."""

    def __init__(self, formula: Formula, field: Field, workspace: Workspace, factor: int = 1) -> None:
        self._formula = formula
        self._field = field
        self._modulus = field.modulus
        self._inverse = 1.0 / field.modulus
        self._workspace = workspace
        self._factor = factor
        self._points = _POINTS[: formula.degree + 1]
        self._exact = np.zeros((len(self._points), workspace.degree), np.int64)
        self._approximate = np.zeros((len(self._points), workspace.degree), np.float64)
        self._count = 0
        self._largest = 1.0
        self._linear = _linear_steps(formula)
        self._needed = self._operands_at_points()

    def _operands_at_points(self) -> list[int]:
        """Return the registers of degree 1 that are wanted at the points, and are not made there."""
        first = len(self._formula.sources)
        needed: set[int] = set()
        made: set[int] = set()
        for place, step in enumerate(self._formula.steps, start=first):
            if place in self._linear:
                continue
            made.add(place)
            needed.update(_operands(step))
        return sorted(needed - made)

    def reset(self) -> None:
        """Forget all blocks."""
        self._exact.fill(0)
        self._approximate.fill(0)
        self._count = 0

    def add(self, sources: Sequence[Pair]) -> None:
        """Add one block; ``sources`` are the (c0, c1), in ±q, of the formula's sources in order."""
        if self._count**2 * self._largest >= 2.0**18:  # far enough from where the error would pass 2^63
            self._fold()
        pairs = self._pairs(sources)
        for place, point in enumerate(self._points):
            self._add_point(place, point, pairs)
        self._count += 1

    def result(self) -> Array:
        """Return the polynomials (d + 1, N) in [0, q), multiplied by the factor."""
        rows, denominators = _interpolation(self._points)
        values = self._values()
        # the float sums of n products are off by at most n²·left·right·2^-5 q: often too little to mind here
        error = 1 + self._count**2 * self._largest * 2.0**-5
        small = max(sum(map(abs, row)) for row in rows) < 1 << 13
        if not small or max(sum(map(abs, row)) for row in rows) * error > 2.0**13:
            values %= self._modulus
        result = np.empty_like(values)
        for power, (row, denominator) in enumerate(zip(rows, denominators, strict=True)):
            self._combined(values, row, small, result[power])
            scale = self._factor * pow(denominator, -1, self._modulus) % self._modulus
            if scale != 1:
                result[power] = self._field.multiply(result[power], scale)
        return result

    def _combined(self, values: Array, row: Sequence[int], small: bool, total: Array) -> None:
        """Write Σ weight·value modulo q; at once if the weights are ``small``."""
        if small:
            self._weighted([(value, weight) for value, weight in zip(values, row, strict=True) if weight], 0, total)
            total %= self._modulus
            return
        total.fill(0)
        for value, weight in zip(values, row, strict=True):
            if weight:
                total[...] = self._field.add(total, self._field.multiply(value, weight % self._modulus))

    def _values(self) -> Array:
        """Return the sums at the points, reduced but for the error of the float sums."""
        quotient = self._approximate * self._inverse
        np.rint(quotient, out=quotient)
        values = quotient.astype(np.int64)
        values *= -self._modulus
        values += self._exact
        return values

    def _fold(self) -> None:
        self._exact[...] = self._values() % self._modulus
        self._approximate[...] = self._exact
        self._count = 1

    # --- degree 1: on c0 and c1 ---------------------------------------------------------------------------------

    def _pairs(self, sources: Sequence[Pair]) -> dict[int, tuple[Pair, float]]:
        """Return (c0, c1) and magnitude of every register of degree 1 that is not a shift."""
        pairs: dict[int, tuple[Pair, float]] = {register: (source, 1.0) for register, source in enumerate(sources)}
        for register, step in self._linear.items():
            target = (self._workspace.integers(("pair", register, 0)), self._workspace.integers(("pair", register, 1)))
            pairs[register] = (target, self._linear_sum(step, pairs, target))
        return pairs

    def _linear_sum(self, step: Sum, pairs: dict[int, tuple[Pair, float]], target: Pair) -> float:
        magnitude = sum(abs(weight) * pairs[register][1] for register, weight in step.terms)
        magnitude += abs(step.constant) / self._modulus
        exact = magnitude <= _EXACT_FLOAT
        for part in (0, 1):
            constant = step.constant if part == 0 else 0
            integers = [(pairs[register][0][part], weight) for register, weight in step.terms]
            self._weighted(integers, constant, target[part])
            if magnitude > _REDUCE_ABOVE:
                floats = self._workspace.floats("sum")
                if exact:
                    np.copyto(floats, target[part])
                else:
                    self._weighted_floats(integers, constant, floats)
                self._reduce(target[part], floats)
        return 0.51 if magnitude > _REDUCE_ABOVE else magnitude

    def _weighted(self, terms: Sequence[tuple[Array, int]], constant: int, target: Array) -> None:
        scratch = self._workspace.integers("weighted")
        empty = True
        for values, weight in sorted(terms, key=lambda term: term[1] != 1):
            if empty:
                np.copyto(target, values) if weight == 1 else np.multiply(values, weight, out=target)
                empty = False
            elif weight == 1:
                target += values
            elif weight == -1:
                target -= values
            else:
                np.multiply(values, weight, out=scratch)
                target += scratch
        if empty:
            target.fill(0)
        if constant:
            target += constant

    def _weighted_floats(self, terms: Sequence[tuple[Array, int]], constant: int, target: Floats) -> None:
        scratch = self._workspace.floats("weighted")
        target.fill(constant)
        for values, weight in terms:
            np.multiply(values, float(weight), out=scratch)
            target += scratch

    def _reduce(self, integers: Array, floats: Floats) -> None:
        """Bring ``integers`` (exact modulo 2^64) into ±q/2; ``floats`` are about the same numbers, and are spent."""
        quotient = self._workspace.integers("quotient")
        floats *= self._inverse
        np.rint(floats, out=floats)
        np.copyto(quotient, floats, casting="unsafe")
        quotient *= self._modulus
        integers -= quotient

    # --- at the points ------------------------------------------------------------------------------------------

    def _add_point(self, place: int, point: int, pairs: dict[int, tuple[Pair, float]]) -> None:
        values = {register: self._at(point, register, *pairs[register]) for register in self._needed}
        first = len(self._formula.sources)
        last = first + len(self._formula.steps) - 1
        for register, step in enumerate(self._formula.steps, start=first):
            if register == last:
                self._accumulate(place, values, step)
            elif isinstance(step, Product):
                values[register] = self._product(register, values[step.left], values[step.right])
            elif register not in self._linear:
                values[register] = self._sum(register, step, values, point)

    def _at(self, point: int, register: int, pair: Pair, magnitude: float) -> _Operand:
        floats = self._workspace.floats(("value", register))
        if point in (0, INFINITY):
            integers = pair[0 if point == 0 else 1]
        else:
            integers = self._workspace.integers(("value", register))
            if point == 1:
                np.add(pair[0], pair[1], out=integers)
            elif point == -1:
                np.subtract(pair[0], pair[1], out=integers)
            else:
                np.multiply(pair[1], point, out=integers)
                integers += pair[0]
            magnitude *= 1 + abs(point)
        np.copyto(floats, integers)
        return _Operand(integers, floats, magnitude)

    def _sum(self, register: int, step: Sum, values: dict[int, _Operand], point: int) -> _Operand:
        degrees, degree = self._formula.degrees, self._formula.degrees[register]
        top = point == INFINITY
        terms = [(values[each], weight) for each, weight in step.terms if not top or degrees[each] == degree]
        constant = 0 if top else step.constant
        integers = self._workspace.integers(("value", register))
        floats = self._workspace.floats(("value", register))
        self._weighted([(operand.integers, weight) for operand, weight in terms], constant, integers)
        magnitude = sum(abs(weight) * operand.magnitude for operand, weight in terms) + abs(constant) / self._modulus
        if magnitude <= _EXACT_FLOAT:
            np.copyto(floats, integers)
        else:
            scratch = self._workspace.floats("weighted")
            floats.fill(constant)
            for operand, weight in terms:
                np.multiply(operand.floats, float(weight), out=scratch)
                np.add(floats, scratch, out=floats)
        if magnitude > _REDUCE_ABOVE + 2:
            self._reduce(integers, floats)
            np.copyto(floats, integers)
            magnitude = 0.51
        return _Operand(integers, floats, magnitude)

    def _product(self, register: int, left: _Operand, right: _Operand) -> _Operand:
        integers = self._workspace.integers(("value", register))
        floats = self._workspace.floats(("value", register))
        np.multiply(left.floats, right.floats, out=floats)
        np.multiply(left.integers, right.integers, out=integers)
        self._reduce(integers, floats)
        np.copyto(floats, integers)
        # three roundings of 2^-53 each in a quotient of at most left·right·2^48
        magnitude = 0.51 + left.magnitude * right.magnitude * 2.0**-3
        if magnitude > _REDUCE_ABOVE + 2:
            self._reduce(integers, floats)
            np.copyto(floats, integers)
            magnitude = 0.51
        return _Operand(integers, floats, magnitude)

    def _accumulate(self, place: int, values: dict[int, _Operand], step: Sum | Product) -> None:
        if not isinstance(step, Product):
            raise ValueError("a formula ends with a product")
        left, right = values[step.left], values[step.right]
        integers, floats = self._workspace.integers("product"), self._workspace.floats("product")
        np.multiply(left.integers, right.integers, out=integers)
        exact, approximate = self._exact[place], self._approximate[place]
        exact += integers
        np.multiply(left.floats, right.floats, out=floats)
        approximate += floats
        self._largest = max(self._largest, left.magnitude * right.magnitude)


def _operands(step: Sum | Product) -> list[int]:
    return [register for register, _ in step.terms] if isinstance(step, Sum) else [step.left, step.right]


def _linear_steps(formula: Formula) -> dict[int, Sum]:
    """Return the sums of degree 1 by register: they are made once, on c0 and c1.

    A bare "+ constant" is cheaper at the points, unless another such sum needs it.
    """
    sums = {
        register: step
        for register, step in enumerate(formula.steps, start=len(formula.sources))
        if isinstance(step, Sum) and formula.degrees[register] == 1
    }
    linear: dict[int, Sum] = {}
    wanted: set[int] = set()
    for register, step in sorted(sums.items(), reverse=True):
        if register in wanted or not _is_shift(step):
            linear[register] = step
            wanted.update(_operands(step))
    return dict(sorted(linear.items()))


def _is_shift(step: Sum) -> bool:
    return len(step.terms) == 1 and step.terms[0][1] == 1


@lru_cache(maxsize=16)
def _interpolation(points: tuple[int, ...]) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """Return, for each coefficient, integer weights of the values at ``points`` and their common denominator."""
    size = len(points)
    matrix = [
        [Fraction(int(power == size - 1)) if point == INFINITY else Fraction(point) ** power for power in range(size)]
        for point in points
    ]
    inverse = _inverted(matrix)
    denominators = tuple(math.lcm(*(value.denominator for value in row)) for row in inverse)
    rows = tuple(
        tuple(int(value * denominator) for value in row) for row, denominator in zip(inverse, denominators, strict=True)
    )
    return rows, denominators


def _inverted(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    """Gauss–Jordan."""
    size = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(size))] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(i for i in range(column, size) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for other in range(size):
            if other != column and rows[other][column]:
                factor = rows[other][column]
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[column], strict=True)]
    return [row[size:] for row in rows]
