"""The ways in which one query can be computed on one dataset, as plans.

Every strategy of :mod:`app.core.query.gates` gives a circuit with one root a cell. Each root is put at the lowest level
at which its sum can still be packed and opened, the stages above it as high as they need to be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

from app.core.crypto import release
from app.core.crypto.parameters import RELEASE_PRIMES, ROTATION_PRIMES
from app.core.errors import UserError
from app.core.query import early_nodes
from app.core.query.cells import Linear
from app.core.query.circuit import Circuit, ColumnNode, StageNode
from app.core.query.circuit_noise import CircuitNoise, add_logs
from app.core.query.cost import Costs
from app.core.query.criteria import And, Complement, Criteria, Criterion, Relation
from app.core.query.gates import Drawn, Gates, Strategy
from app.core.query.placing import Placing
from app.core.query.plan import ColumnUse, DatasetShape, Final, Leaf, Plan, Stage, centred
from app.core.query.sharing import Apart

LARGEST_DEGREE = 8
"""A final formula of degree d needs d + 1 points, and about d residues."""
_FEW_CELLS = 8
"""More cells than this share the choices that single ones have."""


@dataclass(frozen=True, slots=True)
class Openers:
    """Who the result is for: sites of the federation, as many of which may contribute, and the quorum that opens."""

    sites: int
    quorum: int
    early: bool = True
    """Whether there are keys for packing before relinearization: older programs have kept none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A cell's mask and factors."""

    mask: Criterion
    factors: tuple[Linear, ...]


def gates_of(criterion: Criterion) -> int:
    """Return how many literals are combined; a relation combines two."""
    match criterion:
        case And(children):
            return sum(map(gates_of, children))
        case Complement(inner):
            return gates_of(inner)
        case Relation():
            return 2
        case _:
            return 1


class Candidates:
    """Plans for cells, whatever residues they need."""

    def __init__(  # noqa: PLR0917 - all that a plan depends on
        self,
        cells: Sequence[Asked],
        placing: Placing,
        contributor: int,
        criteria: Criteria,
        dataset: DatasetShape,
        openers: Openers,
        costs: Costs,
    ) -> None:
        self._cells = cells
        self._placing = placing
        self._ranges = [_ranges(placing, contributor, cell, dataset.blocks) for cell in range(len(cells))]
        self._criteria = criteria
        self._dataset = dataset
        self._openers = openers
        self._costs = costs
        self._model = CircuitNoise(dataset.parameters, openers.sites)
        self._places = {column: place for place, column in enumerate(dataset.columns)}
        self._released = cache(self._way_down)
        self._flooding = cache(self._flooding_bits)

    def __iter__(self) -> Iterator[Plan]:
        seen: set[tuple[object, ...]] = set()
        for strategy in self._strategies():
            circuit = Circuit(self._model)
            gates = Gates(circuit, self._criteria, strategy)
            drawn = [gates.cell(cell.mask, cell.factors) for cell in self._cells]
            if self._dataset.columns_per_ciphertext > 1:
                drawn = Apart(circuit, self._dataset).cells(drawn)
            key = (*circuit.nodes, *((each.root, each.factor) for each in drawn))
            if key not in seen:
                seen.add(key)
                yield from self._plans(circuit, drawn)

    def _plans(self, circuit: Circuit, drawn: Sequence[Drawn]) -> Iterator[Plan]:
        """Yield the plan of a circuit, and those that pack its lowest nodes before they are relinearized."""
        plan = _Assembly(self, circuit, drawn).plan()
        if plan is None:
            return
        yield plan
        for together in early_nodes.TOGETHER if self._openers.early else ():
            if early_nodes.nodes_of(replace(plan, together=together)) is None:
                continue
            early = _Assembly(self, circuit, drawn, together).plan()
            if early is not None and early_nodes.nodes_of(early) is not None:
                yield early

    @cached_property
    def terms(self) -> int:
        """The literals of the largest mask."""
        return max(gates_of(cell.mask) for cell in self._cells)

    def _strategies(self) -> Iterator[Strategy]:
        counts = {len(cell.factors) for cell in self._cells}
        factors, deep = max(counts), self.terms > 1
        largest = min(LARGEST_DEGREE, max(2, self.terms + factors))
        if len(self._cells) > _FEW_CELLS:
            largest = min(largest, 2 + factors)
        for final in range(2, largest + 1):
            for stage in (2, 3, 4) if deep else (2,):
                for sums in (False, True) if deep else (False,):
                    for pairs in (False, True) if factors > 1 else (False,):
                        if final - min(counts) >= 2 or not deep:  # otherwise no mask has room in a final formula
                            yield Strategy(final, stage, sums, masks=False, pairs=pairs)
                        if factors and deep and final == 2:
                            yield Strategy(final, stage, sums, masks=True, pairs=pairs)

    def _way_down(  # noqa: PLR0917 - what a result's noise depends on
        self, noise: float, polynomials: int, linear: float, count: int, together: int = 1
    ) -> tuple[int, int, float] | None:
        """Return the lowest level of a final, that of its relinearization, and the variance that is left of ``count``
        of its kind added up. The final of a node over some ``together`` is at the level of its rotations."""
        levels = range(RELEASE_PRIMES, self._dataset.parameters.levels + 1)
        for level in levels if together == 1 else (ROTATION_PRIMES,):
            for relinearization in range(RELEASE_PRIMES, level + 1):
                released = self._model.released(noise, polynomials, level, relinearization)
                if released is not None:
                    total = add_logs(self._model.in_step(released, count), linear)
                    if self._flooding(total, together) is not None:
                        return level, relinearization, total
        return None

    def packed_bits(self, noise: float, together: int = 1) -> float:
        """Return log2 of the bound of the packed result of leaves, or nodes over ``together``, of this variance."""
        shared = self._dataset.columns_per_ciphertext > 1 or together > 1
        return self._model.bound(self._model.packed(noise, self._placing.results // together, shared=shared))

    def _flooding_bits(self, noise: float, together: int = 1) -> int | None:
        """Return F for contributions of such leaves from every site, or None if it does not fit.

        Sites announce their noise in whole bits, and one bit more when they contribute to another attempt.
        """
        parameters, sites = self._dataset.parameters, self._openers.sites
        announced = math.ceil(self.packed_bits(noise, together)) + 1
        bound = release.total_noise_bound(parameters, sites, sites, announced)
        flooding = release.flooding_bits(parameters, bound, self._placing.results)
        try:
            release.check_fits(parameters, RELEASE_PRIMES, flooding, self._openers.quorum)
        except UserError:
            return None
        return flooding


class _Assembly:
    """The plan of one circuit."""

    def __init__(self, candidates: Candidates, circuit: Circuit, drawn: Sequence[Drawn], together: int = 1) -> None:
        self._all = candidates
        self._circuit = circuit
        self._drawn = drawn
        self._together = together
        self._dataset = candidates._dataset
        self._model = candidates._model

    def plan(self) -> Plan | None:
        """Return it; None if some result is too noisy to be opened, or its columns would need too many residues."""
        levels: dict[int, int] = {}
        ways: dict[tuple[int, int], tuple[int, int]] = {}
        loudest, counts = 0.0, self._counts()
        for cell, drawn in enumerate(self._drawn):
            blocks = max((end - first for _, first, end in self._all._ranges[cell]), default=0)
            linear = self._linear_noise(drawn, blocks)
            if drawn.root is None and not drawn.shares:
                if self._all._flooding(linear) is None:
                    return None
                loudest = max(loudest, linear)
                continue
            factor = self._centred(drawn.factor)
            for root in _roots(drawn):
                noise = self._model.over_blocks(self._noise(root), blocks) + 2 * math.log2(abs(factor))
                polynomials, count = self._circuit.degrees[root] + 1, counts.get(root, 1)
                found = self._all._released(noise, polynomials, linear, count, self._together)
                if found is None:
                    return None
                level, relinearization, total = found
                if level + self._circuit.heights[root] > self._dataset.parameters.levels:
                    return None
                loudest = max(loudest, total)
                ways[root, factor] = level, relinearization
                levels[root] = max(levels.get(root, 0), level)
        return self._assembled(levels, ways, loudest)

    def _noise(self, root: int) -> float:
        """Variance of a root, or of a node over some ``together`` of its kind.

        Such a node is a sum of as many products, of a turned mask and a sum of as many turned columns: all in step.
        """
        if self._together == 1:
            return self._circuit.noise[root]
        times = self._together.bit_length() - 1
        left, right = (self._model.turned(noise, times, ROTATION_PRIMES) for noise in self._circuit.factors(root))
        return self._model.in_step(self._model.product(left, right, 1, 1, dependent=True), self._together**2)

    def _counts(self) -> dict[int, int]:
        """Return how many shares of a product one cell may add up: what is left of its noise is in every one."""
        counts: dict[int, int] = {}
        for drawn in self._drawn:
            count = sum(abs(weight) for _, _, weight in drawn.shares)
            counts |= {root: max(count, counts.get(root, 1)) for root, _, _ in drawn.shares}
        return counts

    def _centred(self, factor: int) -> int:
        return centred(factor, self._dataset.parameters.plain_modulus)

    def _linear_noise(self, drawn: Drawn, blocks: int) -> float:
        count = blocks * sum(map(abs, drawn.linear.values()))
        return self._model.in_step(self._model.fresh, count) if count else 0.0

    def _assembled(
        self, levels: dict[int, int], ways: dict[tuple[int, int], tuple[int, int]], loudest: float
    ) -> Plan | None:
        circuit, parameters = self._circuit, self._dataset.parameters
        residues = {column: RELEASE_PRIMES for drawn in self._drawn for column in drawn.linear}
        placed = _placed(circuit, levels)
        for number, (_, used) in placed.items():
            node = circuit.nodes[number]
            if isinstance(node, ColumnNode):
                residues[node.column] = max(residues.get(node.column, 0), *used)
        columns = sorted(residues, key=lambda column: self._all._places[column])
        order = {column: place for place, column in enumerate(columns)}
        stages = sorted(number for number in placed if isinstance(circuit.nodes[number], StageNode))
        values = {
            number: order[node.column] for number in placed if isinstance(node := circuit.nodes[number], ColumnNode)
        }
        values |= {number: len(order) + place for place, number in enumerate(stages)}
        made = []
        for number in stages:
            node = circuit.nodes[number]
            if isinstance(node, StageNode):
                level, used = placed[number]
                made.append(Stage(circuit.formula(node.inner, values), level, tuple(sorted(used, reverse=True))))
        finals = {
            key: Final(circuit.formula(key[0], values), levels[key[0]], relinearization, key[1])
            for key, (_, relinearization) in ways.items()
        }
        numbers = {key: place for place, key in enumerate(finals)}
        flooding = self._all._flooding(loudest, self._together)
        if flooding is None:
            return None
        leaves = tuple(sorted(self._leaves(order, numbers), key=lambda leaf: leaf.place))
        plan = Plan(
            parameters=parameters,
            columns=tuple(
                ColumnUse(code, part, self._all._places[code, part], residues[code, part]) for code, part in columns
            ),
            stages=tuple(made),
            finals=tuple(finals.values()),
            leaves=leaves,
            stored=self._dataset.residues,
            blocks=self._dataset.blocks,
            results=self._all._placing.results,
            noise_bits=self._all.packed_bits(loudest, self._together) if leaves else self._model.bound(0),
            flooding_bits=flooding,
            release_level=RELEASE_PRIMES,
            columns_per_ciphertext=self._dataset.columns_per_ciphertext,
            together=self._together,
        )
        return self._all._costs.priced(plan)

    def _leaves(self, order: dict[tuple[str, str], int], numbers: dict[tuple[int, int], int]) -> Iterator[Leaf]:
        for drawn, ranges in zip(self._drawn, self._all._ranges, strict=True):
            linear = tuple((order[column], weight) for column, weight in sorted(drawn.linear.items()))
            factor = self._centred(drawn.factor)
            final = None if drawn.root is None else numbers[drawn.root, factor]
            shares = tuple((numbers[root, factor], place, weight) for root, place, weight in drawn.shares)
            if linear or final is not None or shares:
                for place, first, end in ranges:
                    yield Leaf(place, first, end, linear, final, shares)


def _roots(drawn: Drawn) -> list[int]:
    """Return the products that a cell needs, each once."""
    return [drawn.root] if drawn.root is not None else list(dict.fromkeys(root for root, _, _ in drawn.shares))


def _ranges(placing: Placing, contributor: int, cell: int, blocks: int) -> list[tuple[int, int, int]]:
    """Return (place, first, end) of the blocks that share each place of a cell."""
    ranges: list[tuple[int, int, int]] = []
    for block in range(blocks):
        place = placing.place(contributor, cell, block)
        if ranges and ranges[-1][0] == place:
            ranges[-1] = (place, ranges[-1][1], block + 1)
        else:
            ranges.append((place, block, block + 1))
    return ranges


def _placed(circuit: Circuit, levels: dict[int, int]) -> dict[int, tuple[int, set[int]]]:
    """Return, for every column and stage, the level it is computed at and the levels it is used at.

    ``levels`` are those of the roots. Numbers fall from a result to its operands, so each stage's uses are known when
    its turn comes.
    """
    placed: dict[int, tuple[int, set[int]]] = {}

    def use(top: int, at: int) -> None:
        for leaf in circuit.leaves(top):
            placed.setdefault(leaf, (at, set()))[1].add(at)

    for root, level in levels.items():
        use(root, level)
    for number in range(len(circuit.nodes) - 1, -1, -1):
        node = circuit.nodes[number]
        if number not in placed:
            continue
        used = placed[number][1]
        need = max(used)
        if isinstance(node, StageNode):
            need += circuit.drops(node.inner)
            use(node.inner, need)
        placed[number] = (need, used)
    return placed
