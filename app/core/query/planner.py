"""Chooses how a query is computed on a dataset, and proves that it fits before anything runs.

Every strategy of :mod:`app.core.query.gates` gives a circuit. Its final formula is put at the lowest level at which the
result can still be opened, the stages above it as high as they need to be, and what fits the residues that the dataset
stores is a candidate. The cheapest one is the plan.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.core.catalogue.model import Catalogue
from app.core.crypto import release
from app.core.crypto.parameters import RELEASE_PRIMES
from app.core.errors import UserError
from app.core.query.canonical import canonical
from app.core.query.circuit import Circuit, ColumnNode, StageNode
from app.core.query.circuit_noise import CircuitNoise, add_logs
from app.core.query.cost import Costs
from app.core.query.criteria import And, Complement, Constant, Criteria, Criterion, Literal
from app.core.query.gates import Gates, Strategy
from app.core.query.model import Cohort, Query
from app.core.query.plan import PRESENT, ColumnUse, DatasetShape, Final, Plan, Stage, centred

LARGEST_DEGREE = 8
"""A final formula of degree d needs d + 1 points, and about d residues."""


@dataclass(frozen=True, slots=True)
class Openers:
    """Who the result is for: sites that contribute, the quorum that opens, and the slots of all their blocks."""

    sites: int
    quorum: int
    slots: int | None = None
    """Public slots over the whole federation; None: as many as here at every site."""


def make_plan(
    query: Query, catalogue: Catalogue, dataset: DatasetShape, openers: Openers, costs: Costs | None = None
) -> Plan:
    """Return the cheapest plan that fits.

    Raises UserError: those of :func:`app.core.query.check.check`; ``query.variable_not_in_dataset``,
    ``query.variable_differs``; ``query.too_many_patients`` where a count could pass t/2; ``query.does_not_fit``.
    """
    _check_slots(dataset, openers)
    criteria = Criteria(catalogue)
    criterion = normal_form(query.cohort, catalogue)
    _check_variables(criterion, catalogue, dataset)
    planner = _Planner(criteria, dataset, openers, costs or Costs())
    best: Plan | None = None
    for plan in planner.candidates(criterion):
        if plan.residues <= dataset.residues and (best is None or plan.seconds < best.seconds):
            best = plan
    if best is None:
        raise _does_not_fit(planner, criterion, dataset)
    return best


def normal_form(cohort: Cohort, catalogue: Catalogue) -> Criterion:
    """Return what is computed for ``cohort``. Raises UserError as :func:`app.core.query.check.check`."""
    return Criteria(catalogue).normalise(canonical(cohort, catalogue))


def gates_of(criterion: Criterion) -> int:
    """Return how many literals are combined."""
    match criterion:
        case And(children):
            return sum(map(gates_of, children))
        case Complement(inner):
            return gates_of(inner)
        case _:
            return 1


class _Planner:
    def __init__(self, criteria: Criteria, dataset: DatasetShape, openers: Openers, costs: Costs) -> None:
        self._criteria = criteria
        self._dataset = dataset
        self._openers = openers
        self._costs = costs
        self._model = CircuitNoise(dataset.parameters, openers.sites)
        self._places = {column: place for place, column in enumerate(dataset.columns)}

    def candidates(self, criterion: Criterion) -> Iterator[Plan]:
        """Yield a plan for every strategy that can be opened, whatever residues it needs."""
        positive = criterion
        linear: dict[tuple[str, str], int] = {}
        if isinstance(criterion, Complement):
            positive, linear = criterion.inner, {PRESENT: 1}
        match positive:
            case Constant(everyone):
                yield from self._linear({PRESENT: 1} if everyone else {})
            case Literal():
                yield from self._linear(self._criteria.columns(positive))
            case And():
                seen: set[tuple[object, ...]] = set()
                for strategy in self._strategies(positive):
                    circuit = Circuit(self._model)
                    value = Gates(circuit, self._criteria, strategy).final(positive)
                    key = (*circuit.nodes, value)
                    if key not in seen:
                        seen.add(key)
                        factor = pow(value.scale, -1, self._dataset.parameters.plain_modulus)
                        yield from self._final(circuit, value.node, -factor if linear else factor, linear)

    def _strategies(self, gate: And) -> Iterator[Strategy]:
        largest = min(LARGEST_DEGREE, max(2, gates_of(gate)))
        for final in range(2, largest + 1):
            for stage in (2, 3, 4):
                for sums in (False, True):
                    yield Strategy(final, stage, sums)

    def _linear(self, weights: dict[tuple[str, str], int]) -> Iterator[Plan]:
        noise = self._linear_noise(weights)
        plan = self._plan(dict.fromkeys(weights, RELEASE_PRIMES), (), None, weights, noise)
        if plan is not None:
            yield plan

    def _linear_noise(self, weights: dict[tuple[str, str], int]) -> float:
        count = self._dataset.blocks * sum(map(abs, weights.values()))
        return self._model.in_step(self._model.fresh, count) if count else 0.0

    def _final(self, circuit: Circuit, root: int, factor: int, linear: dict[tuple[str, str], int]) -> Iterator[Plan]:
        """Yield the plan with the lowest level of the final formula."""
        factor = centred(factor, self._dataset.parameters.plain_modulus)
        noise = self._model.over_blocks(circuit.noise[root], self._dataset.blocks) + 2 * math.log2(abs(factor))
        polynomials = circuit.degrees[root] + 1
        for level in range(RELEASE_PRIMES, self._dataset.parameters.levels + 1):
            placed = _placed(circuit, root, level)
            if max((need for need, _ in placed.values()), default=level) > self._dataset.parameters.levels:
                return
            for relinearization in range(RELEASE_PRIMES, level + 1):
                released = self._model.released(noise, polynomials, level, relinearization)
                if released is None:
                    continue
                total = add_logs(released, self._linear_noise(linear))
                plan = self._assembled(circuit, root, placed, level, relinearization, factor, linear, total)
                if plan is not None:
                    yield plan
                    return

    def _assembled(
        self,
        circuit: Circuit,
        root: int,
        placed: dict[int, tuple[int, set[int]]],
        level: int,
        relinearization: int,
        factor: int,
        linear: dict[tuple[str, str], int],
        noise: float,
    ) -> Plan | None:
        residues: dict[tuple[str, str], int] = dict.fromkeys(linear, RELEASE_PRIMES)
        stages = sorted(number for number in placed if isinstance(circuit.nodes[number], StageNode))
        for number, (_, levels) in placed.items():
            node = circuit.nodes[number]
            if isinstance(node, ColumnNode):
                residues[node.column] = max(residues.get(node.column, 0), *levels)
        order = {column: place for place, column in enumerate(self._ordered(residues))}
        values = {
            number: order[node.column] for number in placed if isinstance(node := circuit.nodes[number], ColumnNode)
        }
        values |= {number: len(order) + place for place, number in enumerate(stages)}
        made = []
        for number in stages:
            node = circuit.nodes[number]
            if not isinstance(node, StageNode):
                continue
            need, outputs = placed[number]
            made.append(Stage(circuit.formula(node.inner, values), need, tuple(sorted(outputs, reverse=True))))
        final = Final(circuit.formula(root, values), level, relinearization, factor)
        return self._plan(residues, tuple(made), final, linear, noise)

    def _ordered(self, residues: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
        return sorted(residues, key=lambda column: self._places[column])

    def _plan(
        self,
        residues: dict[tuple[str, str], int],
        stages: tuple[Stage, ...],
        final: Final | None,
        linear: dict[tuple[str, str], int],
        noise: float,
    ) -> Plan | None:
        bits = self._model.bound(noise)
        flooding = self._flooding(bits)
        if flooding is None:
            return None
        columns = self._ordered(residues)
        plan = Plan(
            parameters=self._dataset.parameters,
            columns=tuple(
                ColumnUse(code, part, self._places[code, part], residues[code, part]) for code, part in columns
            ),
            stages=stages,
            final=final,
            linear=tuple((columns.index(column), weight) for column, weight in sorted(linear.items())),
            stored=self._dataset.residues,
            blocks=self._dataset.blocks,
            noise_bits=bits,
            flooding_bits=flooding,
            seconds=0.0,
            release_level=RELEASE_PRIMES,
        )
        return replace(plan, seconds=self._costs.plan(plan))

    def _flooding(self, bits: float) -> int | None:
        """Return F for contributions of this noise from every site, or None if it does not fit.

        Sites announce their noise in whole bits, and one bit more when they contribute to another attempt.
        """
        parameters, sites = self._dataset.parameters, self._openers.sites
        bound = release.total_noise_bound(parameters, sites, sites, math.ceil(bits) + 1)
        flooding = release.flooding_bits(parameters, bound, 1)
        try:
            release.check_fits(parameters, RELEASE_PRIMES, flooding, self._openers.quorum)
        except UserError:
            return None
        return flooding


def _placed(circuit: Circuit, root: int, level: int) -> dict[int, tuple[int, set[int]]]:
    """Return, for every column and stage, the level it is computed at and the levels it is used at.

    Numbers fall from the result to its operands, so each stage's uses are known when its turn comes.
    """
    placed: dict[int, tuple[int, set[int]]] = {}

    def use(top: int, at: int) -> None:
        for leaf in circuit.leaves(top):
            placed.setdefault(leaf, (at, set()))[1].add(at)

    use(root, level)
    for number in range(root, -1, -1):
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


def _check_slots(dataset: DatasetShape, openers: Openers) -> None:
    here = dataset.blocks * dataset.parameters.slots
    slots = openers.slots if openers.slots is not None else here * openers.sites
    limit = dataset.parameters.plain_modulus // 2
    if max(here, slots) >= limit:
        raise UserError("query.too_many_patients", slots=max(here, slots), limit=limit)


def _check_variables(criterion: Criterion, catalogue: Catalogue, dataset: DatasetShape) -> None:
    """Refuse a variable that the dataset lacks or means otherwise."""
    names = set(dataset.columns)
    if PRESENT not in names:
        raise UserError("query.dataset_too_old")
    for code in sorted(_codes(criterion)):
        variable = catalogue.variable(code)
        if dataset.meanings.get(code) not in (None, catalogue.meaning(code)):
            raise UserError("query.variable_differs", variable=code)
        if any((column.variable, column.part) not in names for column in variable.columns):
            raise UserError("query.variable_not_in_dataset", variable=code)


def _codes(criterion: Criterion) -> set[str]:
    match criterion:
        case Literal(code, _):
            return {code}
        case And(children):
            return set().union(*map(_codes, children))
        case Complement(inner):
            return _codes(inner)
        case Constant():
            return set()


def _does_not_fit(planner: _Planner, criterion: Criterion, dataset: DatasetShape) -> UserError:
    needed = min((plan.residues for plan in planner.candidates(criterion)), default=None)
    terms = gates_of(criterion)
    if needed is None:
        return UserError("query.does_not_fit", terms=terms)
    return UserError("query.needs_more_residues", terms=terms, needed=needed, stored=dataset.residues)
