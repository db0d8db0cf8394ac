"""Formulas on residues in numpy: unrelinearized products of any degree, summed over blocks.

A ciphertext (c0, c1) is the polynomial c0 + c1·s in the secret s. A formula of degree d in it is evaluated at d + 1
small points s = 0, ∞, 1, −1, 2, … instead of multiplying polynomials: at each point everything is a plain residue, and
the last product, or each product of the last sum, is only added up. The coefficients are interpolated once, after the
last block.

Residues are int64 with their float64 twins. A product is a·b − rint(a·b/q)·q in wrapping int64, where the float only
tells the quotient. *Magnitudes*, in units of q, are known when the kernel is made, so that every quotient is right to
within one and nothing is reduced that need not be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.crypto.ring import Array, Field
from app.core.query.formulas import EXACT_FLOAT, added_products, linear_steps, operands
from app.core.query.interpolation import INFINITY, POINTS, interpolation
from app.core.query.plan import Formula, Product, Sum

Floats = NDArray[np.float64]
Pair = tuple[Array, Array]
"""(c0, c1) of one value at one prime."""
_REDUCE_ABOVE = 2.0
_ERROR = 2.0**18  # count²·magnitudes: far enough from where the error of the float sums would pass 2^63


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

    def __init__(
        self, formula: Formula, field: Field, workspace: Workspace, factor: int = 1, *, brief: bool = False
    ) -> None:
        """``brief``: the sums are read out before another kernel is reset and used; all such share their memory."""
        self._formula = formula
        self._field = field
        self._modulus = field.modulus
        self._inverse = 1.0 / field.modulus
        self._workspace = workspace
        self._factor = factor
        self._points = POINTS[: formula.degree + 1]
        places = range(len(self._points))
        if brief:
            self._exact = [workspace.integers(("sum", place)) for place in places]
            self._approximate = [workspace.floats(("sum", place)) for place in places]
        else:
            self._exact = [np.empty(workspace.degree, np.int64) for _ in places]
            self._approximate = [np.empty(workspace.degree, np.float64) for _ in places]
        self._counts = [0] * len(self._points)
        self._largest = 1.0
        self._linear = linear_steps(formula)
        self._added = added_products(formula)
        self._needed = self._operands_at_points()

    def _operands_at_points(self) -> list[int]:
        """Return the registers of degree 1 that are wanted at the points more than once, and are not made there."""
        first = len(self._formula.sources)
        needed: set[int] = set()
        made: set[int] = set()
        for place, step in enumerate(self._formula.steps, start=first):
            if place in self._linear:
                continue
            made.add(place)
            if place not in self._added:
                needed.update(operands(step))
        uses = Counter(register for place in self._added for register in operands(self._formula.steps[place - first]))
        needed.update(register for register, count in uses.items() if count > 1)
        return sorted(needed - made)

    def reset(self) -> None:
        """Forget all blocks."""
        self._counts = [0] * len(self._points)

    def add(self, sources: Sequence[Pair]) -> None:
        """Add one block; ``sources`` are the (c0, c1), in ±q, of the formula's sources in order."""
        pairs = self._pairs(sources)
        for place, point in enumerate(self._points):
            self._add_point(place, point, pairs)

    def result(self) -> Array:
        """Return the polynomials (d + 1, N) in [0, q), multiplied by the factor."""
        rows, denominators = interpolation(self._points)
        values = np.empty((len(self._points), self._workspace.degree), np.int64)
        for place, value in enumerate(values):
            self._value(place, value)
        # the float sums of n products are off by at most n²·left·right·2^-5 q: often too little to mind here
        error = 1 + max(self._counts) ** 2 * self._largest * 2.0**-5
        small = max(sum(map(abs, row)) for row in rows) < 1 << 13
        if not small or max(sum(map(abs, row)) for row in rows) * error > 2.0**13:
            values %= self._modulus
        result = np.empty_like(values)
        for power, (row, denominator) in enumerate(zip(rows, denominators, strict=True)):
            exact = small and sum(map(abs, row)) * error < EXACT_FLOAT
            self._combined(values, row, small, exact, result[power])
            scale = self._factor * pow(denominator, -1, self._modulus) % self._modulus
            if scale != 1:
                result[power] = self._field.multiply(result[power], scale)
        return result

    def _combined(self, values: Array, row: Sequence[int], small: bool, exact: bool, total: Array) -> None:
        """Write Σ weight·value modulo q; at once if the weights are ``small``, quickly if floats tell it ``exact``."""
        if small:
            self._weighted([(value, weight) for value, weight in zip(values, row, strict=True) if weight], 0, total)
            if exact:
                total[...] = self._field.reduce(total)
            else:
                total %= self._modulus
            return
        total.fill(0)
        for value, weight in zip(values, row, strict=True):
            if weight:
                total[...] = self._field.add(total, self._field.multiply(value, weight % self._modulus))

    def _value(self, place: int, value: Array) -> None:
        """Write the sum at a point, reduced but for the error of the float sum."""
        if not self._counts[place]:
            value.fill(0)
            return
        quotient = np.multiply(self._approximate[place], self._inverse, out=self._workspace.floats("value"))
        np.rint(quotient, out=quotient)
        np.copyto(value, quotient, casting="unsafe")
        value *= -self._modulus
        value += self._exact[place]

    def _fold(self, place: int) -> None:
        value = self._workspace.integers("fold")
        self._value(place, value)
        np.remainder(value, self._modulus, out=self._exact[place])
        self._approximate[place][...] = self._exact[place]
        self._counts[place] = 1

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
        exact = magnitude <= EXACT_FLOAT
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
        values = {register: self._at(point, ("value", register), *pairs[register]) for register in self._needed}
        for register, step in enumerate(self._formula.steps[:-1], start=len(self._formula.sources)):
            if register in self._added or register in self._linear:
                continue
            if isinstance(step, Product):
                values[register] = self._product(register, values[step.left], values[step.right])
            else:
                values[register] = self._sum(register, step, values, point)
        self._accumulate(place, point, values, pairs)

    def _at(self, point: int, name: object, pair: Pair, magnitude: float) -> _Operand:
        floats = self._workspace.floats(name)
        if point in (0, INFINITY):
            integers = pair[0 if point == 0 else 1]
        else:
            integers = self._workspace.integers(name)
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
        if magnitude <= EXACT_FLOAT:
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

    def _accumulate(
        self, place: int, point: int, values: dict[int, _Operand], pairs: dict[int, tuple[Pair, float]]
    ) -> None:
        """Add the last step: its products as they are, anything else as a value."""
        formula, first = self._formula, len(self._formula.sources)
        last = formula.steps[-1]
        terms = last.terms if isinstance(last, Sum) else ((first + len(formula.steps) - 1, 1),)
        for register, weight in terms:
            if point == INFINITY and formula.degrees[register] < formula.degree:
                continue
            if register in self._added:
                step = formula.steps[register - first]
                left, right = (
                    values[each] if each in values else self._at(point, ("once", side), *pairs[each])
                    for side, each in enumerate(operands(step))
                )
                self._add_term(place, left, right, weight)
            else:
                self._add_term(place, values[register], None, weight)
        if isinstance(last, Sum) and last.constant and point != INFINITY:
            if not self._counts[place]:  # a constant alone: nothing has been written there yet
                self._exact[place].fill(0)
                self._approximate[place].fill(0)
                self._counts[place] = 1
            self._exact[place] += last.constant
            self._approximate[place] += last.constant

    def _add_term(self, place: int, left: _Operand, right: _Operand | None, weight: int) -> None:
        """Add weight·left·right, or weight·left."""
        first = not self._counts[place]  # nothing is there yet: the sums are not even zero
        integers = self._exact[place] if first else self._workspace.integers("product")
        floats = self._approximate[place] if first else self._workspace.floats("product")
        if right is None:
            np.multiply(left.integers, weight, out=integers)
            np.multiply(left.floats, float(weight), out=floats)
        else:
            np.multiply(left.integers, right.integers, out=integers)
            np.multiply(left.floats, right.floats, out=floats)
            if weight != 1:
                integers *= weight
                floats *= float(weight)
            self._largest = max(self._largest, left.magnitude * right.magnitude * abs(weight))
        self._counts[place] += 1
        if first:
            return
        if self._counts[place] ** 2 * self._largest >= _ERROR:
            self._fold(place)
            self._counts[place] += 1
        self._exact[place] += integers
        self._approximate[place] += floats
