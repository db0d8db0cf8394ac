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
would pass the limit, parts of it become stages. A cell (:mod:`app.core.query.cells`) is a mask times factors: a mask of
many cells may be worth a stage, relinearized once a block instead of once a cell; so may a mask times its first factor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.query.cells import Linear
from app.core.query.circuit import Circuit
from app.core.query.criteria import And, Complement, Constant, Criteria, Criterion, Form, Literal, Relation
from app.core.query.plan import PRESENT, centred

LARGEST_SUM = 16
"""More children than this are grouped first."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """Limits of the degree of the final formula and of stages, whether gates are polynomials of sums, and what becomes
    a stage: masks that have factors, and masks times the first of two factors."""

    final_degree: int
    stage_degree: int
    sums: bool
    masks: bool = False
    pairs: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """A circuit node that is ``scale`` (modulo t) times a bit."""

    node: int
    scale: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A cell: Σ weight·column + ``factor`` · the sum of the node ``root``, a product.

    ``shares`` (root, place, weight), in place of a root where columns share ciphertexts: Σ weight · the sum of the
    column that is at ``place`` in the ciphertext which the product ``root`` multiplies.
    """

    linear: Form
    root: int | None = None
    factor: int = 1
    shares: tuple[tuple[int, int, int], ...] = ()


def form_of(factor: Linear) -> Form:
    """Return a factor of everyone's cell: its constant is taken of those who are present."""
    form = {(column.variable, column.part): weight for column, weight in factor.weights}
    if factor.constant:
        form[PRESENT] = form.get(PRESENT, 0) + factor.constant
    return form


class Gates:
    """Builds nodes of one circuit by one strategy."""

    def __init__(self, circuit: Circuit, criteria: Criteria, strategy: Strategy) -> None:
        self._circuit = circuit
        self._criteria = criteria
        self._strategy = strategy
        self._modulus = circuit.model.parameters.plain_modulus
        self._masks: dict[tuple[Criterion, int], Value] = {}

    def cell(self, mask: Criterion, factors: Sequence[Linear]) -> Drawn:
        """Return Σ over the patients in ``mask`` of the product of at most two factors."""
        match mask:
            case Constant(False):
                return Drawn({})
            case Constant(True) if len(factors) < 2:
                return Drawn(form_of(factors[0]) if factors else {PRESENT: 1})
            case Constant(True):
                left, right = (self._form(form_of(factor)) for factor in factors)
                return Drawn({}, self._circuit.product(left, right))
            case Literal() if not factors:
                return Drawn(self._criteria.columns(mask))
            case Complement(inner) if len(factors) < 2:  # what everyone adds needs no product
                everyone, others = self.cell(Constant(True), factors), self.cell(inner, factors)
                return Drawn(everyone.linear, others.root, -others.factor)
        value = self._mask(mask, len(factors))
        node = value.node
        for place, factor in enumerate(factors):
            weights = {self._circuit.column((each.variable, each.part)): weight for each, weight in factor.weights}
            node = self._circuit.product(node, self._circuit.sum(weights, factor.constant))
            if self._strategy.pairs and place + 1 < len(factors):
                node = self._circuit.stage(node)
        return Drawn({}, node, pow(value.scale, -1, self._modulus))

    def _mask(self, mask: Criterion, factors: int) -> Value:
        key = mask, factors
        if key not in self._masks:
            limit = self._strategy.final_degree - factors
            stage = factors and (self._strategy.masks or limit < 2)
            self._masks[key] = self._staged(mask) if stage else self._value(mask, limit)
        return self._masks[key]

    def _value(self, criterion: Criterion, limit: int) -> Value:
        match criterion:
            case Literal():
                return Value(self._form(self._criteria.columns(criterion)), 1)
            case Relation():
                pairs = self._criteria.products(criterion)
                products = [self._circuit.product(self._form(left), self._form(right)) for left, right in pairs]
                return Value(self._circuit.sum(Counter(products)), 1)
            case Complement(inner):
                value = self._value(inner, limit)
                present = self._circuit.column(PRESENT)
                return Value(self._circuit.sum({present: value.scale, value.node: -1}), value.scale)
            case And():
                return self._gate(criterion, limit)
            case Constant():
                raise ValueError("a constant within a gate")

    def _form(self, form: Form) -> int:
        return self._circuit.sum({self._circuit.column(column): weight for column, weight in sorted(form.items())})

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
