"""Arithmetic on values, each computed once however often it is used.

Nodes are numbered; equal nodes have the same number. A *stage* node is its inner node relinearized and switched down,
of degree 1 again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app.core.query.circuit_noise import CircuitNoise, add_logs
from app.core.query.plan import Formula, Product, Sum, centred


@dataclass(frozen=True, slots=True)
class ColumnNode:
    """A sealed column (code, part)."""

    column: tuple[str, str]


@dataclass(frozen=True, slots=True)
class SumNode:
    """Σ weight·node + constant."""

    terms: tuple[tuple[int, int], ...]
    constant: int


@dataclass(frozen=True, slots=True)
class ProductNode:
    """left · right, left ≤ right."""

    left: int
    right: int


@dataclass(frozen=True, slots=True)
class StageNode:
    """The inner node, relinearized and switched down; one of degree 1 is extracted and switched down."""

    inner: int


Node: TypeAlias = ColumnNode | SumNode | ProductNode | StageNode


class Circuit:
    """A growing directed acyclic graph with the degree, the noise and the origins of each node."""

    def __init__(self, model: CircuitNoise) -> None:
        self.model = model
        self.nodes: list[Node] = []
        self.degrees: list[int] = []
        self.noise: list[float] = []
        self.heights: list[int] = []
        """How many more primes its columns need than the node itself: what the stages below it drop."""
        self._origins: list[int] = []  # bit sets: nodes with common bits are not independent
        self._numbers: dict[Node, int] = {}

    def column(self, column: tuple[str, str]) -> int:
        """Return the node of a sealed column."""
        return self._add(ColumnNode(column), 1, self.model.fresh, 1 << len(self.nodes))

    def sum(self, weights: Mapping[int, int], constant: int = 0) -> int:
        """Return Σ weight·node + constant; sums within sums of degree 1 are merged."""
        modulus = self.model.parameters.plain_modulus
        merged: dict[int, int] = {}
        for number, weight in weights.items():
            node = self.nodes[number]
            if isinstance(node, SumNode) and self.degrees[number] == 1:
                constant += weight * node.constant
                inner = {each: weight * factor for each, factor in node.terms}
            else:
                inner = {number: weight}
            for each, factor in inner.items():
                merged[each] = centred(merged.get(each, 0) + factor, modulus)
        terms = tuple(sorted((number, weight) for number, weight in merged.items() if weight))
        constant = centred(constant, modulus)
        if len(terms) == 1 and terms[0][1] == 1 and not constant:
            return terms[0][0]
        degree = max((self.degrees[number] for number, _ in terms), default=0)
        return self._add(SumNode(terms, constant), degree, *self._sum_noise(terms, constant))

    def product(self, left: int, right: int) -> int:
        """Return left · right."""
        left, right = sorted((left, right))
        dependent = bool(self._origins[left] & self._origins[right])
        noise = self.model.product(
            self.noise[left], self.noise[right], self.degrees[left], self.degrees[right], dependent
        )
        degree = self.degrees[left] + self.degrees[right]
        return self._add(ProductNode(left, right), degree, noise, self._origins[left] | self._origins[right])

    def stage(self, inner: int) -> int:
        """Return the inner node brought back to degree 1; a node of degree 1 as it is."""
        if self.degrees[inner] <= 1:
            return inner
        model, levels = self.model, self.model.parameters.levels
        relinearized = model.relinearized(self.noise[inner], self.degrees[inner] + 1, levels)
        noise = add_logs(model.rounding, relinearized - 2 * self.drops(inner) * self._prime)
        return self._add(StageNode(inner), 1, noise, self._origins[inner] | 1 << len(self.nodes))

    def extracted(self, inner: int, sharing: int) -> int:
        """Return a sum of columns that share ciphertexts as a value of its own: its trace, switched down."""
        noise = add_logs(
            self.model.rounding, self.model.traced(self.noise[inner], sharing) - 2 * self.drops(inner) * self._prime
        )
        return self._add(StageNode(inner), 1, noise, self._origins[inner] | 1 << len(self.nodes))

    def drops(self, inner: int) -> int:
        """How many primes the stage of ``inner`` drops."""
        model = self.model
        noise = model.relinearized(self.noise[inner], self.degrees[inner] + 1, model.parameters.levels)
        return model.primes_to_drop(noise)

    @property
    def _prime(self) -> float:
        return math.log2(min(self.model.parameters.data_primes))

    def factors(self, root: int) -> tuple[float, float]:
        """Return the noise of the two factors of a product."""
        node = self.nodes[root]
        if not isinstance(node, ProductNode):
            raise ValueError("not a product")
        return self.noise[node.left], self.noise[node.right]

    def formula(self, root: int, values: Mapping[int, int]) -> Formula:
        """Return the formula of ``root``, a product or a sum; ``values`` numbers its columns and stages."""
        leaves = self.leaves(root)
        registers = {number: place for place, number in enumerate(leaves)}
        steps: list[Sum | Product] = []
        for number in self._inner(root, set(leaves)):
            node = self.nodes[number]
            if isinstance(node, SumNode):
                steps.append(Sum(tuple((registers[each], weight) for each, weight in node.terms), node.constant))
            elif isinstance(node, ProductNode):
                steps.append(Product(registers[node.left], registers[node.right]))
            registers[number] = len(registers)
        order = sorted(registers, key=registers.__getitem__)
        return Formula(
            tuple(values[number] for number in leaves), tuple(steps), tuple(self.degrees[number] for number in order)
        )

    def leaves(self, root: int) -> list[int]:
        """Return the columns and stages of the formula of ``root``."""
        inner = self._inner(root, set())
        return [number for number in inner if isinstance(self.nodes[number], ColumnNode | StageNode)]

    def _inner(self, root: int, known: set[int]) -> list[int]:
        """Return all nodes of the formula of ``root`` that are not ``known``, each after what it needs."""
        found: set[int] = set()
        queue = [root]
        while queue:
            number = queue.pop()
            if number not in found and number not in known:
                found.add(number)
                queue.extend(self._operands(number))
        return sorted(found)  # a node has a larger number than its operands

    def _operands(self, number: int) -> Sequence[int]:
        match self.nodes[number]:
            case SumNode(terms, _):
                return [each for each, _ in terms]
            case ProductNode(left, right):
                return [left, right]
            case _:
                return []

    def _sum_noise(self, terms: Sequence[tuple[int, int]], constant: int) -> tuple[float, int]:
        noise, origins = self.model.constant(constant), 0
        for number, weight in terms:
            added = self.noise[number] + 2 * math.log2(abs(weight))
            if origins & self._origins[number]:
                noise = 2 * add_logs(noise / 2, added / 2)
            else:
                noise = add_logs(noise, added) if noise > -math.inf else added
            origins |= self._origins[number]
        return noise, origins

    def _add(self, node: Node, degree: int, noise: float, origins: int) -> int:
        if (number := self._numbers.get(node)) is None:
            number = self._numbers[node] = len(self.nodes)
            self.nodes.append(node)
            self.degrees.append(degree)
            self.noise.append(noise)
            self._origins.append(origins)
            height = max((self.heights[each] for each in self._operands(number)), default=0)
            if isinstance(node, StageNode):
                height = self.drops(node.inner) + self.heights[node.inner]
            self.heights.append(height)
        return number
