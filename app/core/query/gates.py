"""From criteria to a circuit, in one of several ways.

An AND of d bits is a product of them, or a polynomial of their sum S: with S padded by a constant so that d is 4, 8 or
16, U = S(S − d + 1), and S = d is the only value of 0 … d at which

    d = 3    S(S−1)(S−2)                                             is not zero but 3!
    d = 4    U(U+2)                                                                  4!
    d = 8    (V−2U)(V+2U+60)                             V = U(U+14)                 8!
    d = 16   (W+1544V−10880U)(W+1928V+896896)            V = U(U+70), W = V²         16!

The last two pair the roots of U so that no large number multiplies the noise of a stage: the textbook grouping with
V = U² needs V(V+140U), which costs one more prime.

A node's value is *scale* times its bit; scales are undone once, on the sum over all blocks. Where a formula's degree
would pass the limit, parts of it become stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.query.circuit import Circuit
from app.core.query.criteria import And, Complement, Constant, Criteria, Criterion, Literal
from app.core.query.plan import PRESENT, centred

LARGEST_SUM = 16
"""More children than this are grouped first."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """Limits of the degree of the final formula and of stages, and whether gates are polynomials of sums."""

    final_degree: int
    stage_degree: int
    sums: bool


@dataclass(frozen=True, slots=True)
class Value:
    """A circuit node that is ``scale`` (modulo t) times a bit."""

    node: int
    scale: int


class Gates:
    """Builds nodes of one circuit by one strategy."""

    def __init__(self, circuit: Circuit, criteria: Criteria, strategy: Strategy) -> None:
        self._circuit = circuit
        self._criteria = criteria
        self._strategy = strategy
        self._modulus = circuit.model.parameters.plain_modulus

    def final(self, gate: And) -> Value:
        """Return the product that is summed over all blocks."""
        return self._gate(gate, self._strategy.final_degree)

    def _value(self, criterion: Criterion, limit: int) -> Value:
        match criterion:
            case Literal():
                columns = self._criteria.columns(criterion)
                weights = {self._circuit.column(column): weight for column, weight in sorted(columns.items())}
                return Value(self._circuit.sum(weights), 1)
            case Complement(inner):
                value = self._gate(inner, limit)
                present = self._circuit.column(PRESENT)
                return Value(self._circuit.sum({present: value.scale, value.node: -1}), value.scale)
            case And():
                return self._gate(criterion, limit)
            case Constant():
                raise ValueError("a constant within a gate")

    def _staged(self, criterion: Criterion) -> Value:
        """Return the value at degree 1. The complement is taken after the stage: that keeps its noise small."""
        if isinstance(criterion, Complement):
            value = self._staged(criterion.inner)
            present = self._circuit.column(PRESENT)
            return Value(self._circuit.sum({present: value.scale, value.node: -1}), value.scale)
        value = self._value(criterion, self._strategy.stage_degree)
        return Value(self._circuit.stage(value.node), value.scale)

    def _gate(self, gate: And, limit: int) -> Value:
        children = gate.children
        if self._strategy.sums and len(children) > 2:
            values = [self._staged(child) for child in children]
            if len({value.scale for value in values}) == 1:
                return self._sum_gate(values, limit)
        values = [self._value(child, limit) for child in children]
        while sum(map(self._degree, values)) > limit:
            place = max(range(len(values)), key=lambda i: self._degree(values[i]))
            if self._degree(values[place]) == 1:
                break
            values[place] = self._staged(children[place])
        return self._grouped(values, limit)

    def _degree(self, value: Value) -> int:
        return self._circuit.degrees[value.node]

    def _grouped(self, values: Sequence[Value], limit: int) -> Value:
        """Return the product of values, made of stages of at most the stage degree where they are too many."""
        while sum(map(self._degree, values)) > limit:
            size = min(self._strategy.stage_degree, -(-len(values) // limit))
            parts = [self._multiplied(values[i : i + size]) for i in range(0, len(values), size)]
            values = [Value(self._circuit.stage(part.node), part.scale) for part in parts]
        return self._multiplied(values)

    def _multiplied(self, values: Sequence[Value]) -> Value:
        while len(values) > 1:
            pairs = [
                Value(self._circuit.product(a.node, b.node), a.scale * b.scale % self._modulus)
                for a, b in zip(values[::2], values[1::2], strict=False)
            ]
            values = [*pairs, *values[2 * len(pairs) :]]
        return values[0]

    def _sum_gate(self, values: Sequence[Value], limit: int) -> Value:
        while len(values) > LARGEST_SUM:
            gates = [
                self._sum_gate(values[i : i + LARGEST_SUM], self._strategy.stage_degree)
                for i in range(0, len(values) - len(values) % LARGEST_SUM, LARGEST_SUM)
            ]
            rest = values[len(values) - len(values) % LARGEST_SUM :]
            if rest:
                gates.append(self._sum_gate(rest, self._strategy.stage_degree) if len(rest) > 1 else rest[0])
            values = [Value(self._circuit.stage(gate.node), gate.scale) for gate in gates]
            if len({value.scale for value in values}) > 1:
                return self._grouped(values, limit)
        if len(values) == 2:
            return self._grouped(values, limit)
        return self._polynomial(values, limit)

    def _polynomial(self, values: Sequence[Value], limit: int) -> Value:
        circuit, scale = self._circuit, values[0].scale
        inputs = len(values)
        width = inputs if inputs == 3 and limit > 2 else next(each for each in (4, 8, 16) if each >= inputs)
        weights: dict[int, int] = {}
        for value in values:
            weights[value.node] = weights.get(value.node, 0) + 1
        total = circuit.sum(weights, (width - inputs) * scale)
        factorial = 1
        for factor in range(1, width + 1):
            factorial = factorial * factor * scale % self._modulus
        return Value(self._roots(total, scale, width, limit), factorial)

    def _roots(self, total: int, scale: int, width: int, limit: int) -> int:
        """Return the polynomial of S = ``total`` that is zero at 0 … width − 1 times ``scale``."""
        circuit = self._circuit

        def power(constant: int, exponent: int) -> int:
            return centred(constant * pow(scale, exponent, self._modulus), self._modulus)

        def cut(node: int, remaining: int) -> int:
            """Make a stage of an intermediate result while the rest is of too high a degree."""
            return circuit.stage(node) if remaining > limit else node

        if width == 3:
            first = circuit.product(total, circuit.sum({total: 1}, power(-1, 1)))
            return circuit.product(first, circuit.sum({total: 1}, power(-2, 1)))
        u = cut(circuit.product(total, circuit.sum({total: 1}, power(1 - width, 1))), width)
        if width == 4:
            return circuit.product(u, circuit.sum({u: 1}, power(2, 2)))
        v = cut(circuit.product(u, circuit.sum({u: 1}, power(14 if width == 8 else 70, 2))), width // 2)
        if width == 8:
            left = circuit.sum({v: 1, u: power(-2, 2)})
            return circuit.product(left, circuit.sum({v: 1, u: power(2, 2)}, power(60, 4)))
        w = cut(circuit.product(v, v), width // 4)
        left = circuit.sum({w: 1, v: power(1544, 4), u: power(-10880, 6)})
        return circuit.product(left, circuit.sum({w: 1, v: power(1928, 4)}, power(896896, 8)))
