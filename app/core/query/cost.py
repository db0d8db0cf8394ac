"""Seconds expected of a plan: counted operations times constants measured on this kind of machine.

The constants are for N = 16384 and scale with N. They need not be right to choose between plans, only in proportion;
:func:`calibrated` corrects them by one quick measurement so that the forecast on screen is honest.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from app.core.crypto.parameters import ROTATION_PRIMES
from app.core.query import early_nodes
from app.core.query.plan import Final, Formula, Plan, Product, Stage, Sum

_REFERENCE_DEGREE = 16384


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds at N = 16384; what SEAL does is quadratic in the primes k: a·k + b·k²."""

    read: float = 0.00016
    """Reading, unpacking and checking one residue of one column and block."""
    product: float = 0.000050
    """A reduced product at one point and prime."""
    final_product: float = 0.000025
    """A product that is only added up."""
    term: float = 0.000009
    """Adding one term of a sum at one point and prime."""
    load: float = 0.00007
    """Handing one polynomial at one prime to SEAL."""
    relinearize: tuple[float, float] = (0.0011, 0.00026)
    switch: tuple[float, float] = (0.0006, 0.00001)
    rotate: tuple[float, float] = (0.00137, 0.00026)
    """A node of the pack tree: a rotation, a monomial and three sums."""
    fetch: float = 0.00031
    """Reading one polynomial at one prime back from SEAL."""
    interpolate: float = 0.00003
    """One coefficient of interpolation at one prime."""
    release: float = 0.0025
    """Making the contribution, beside the encryption of zero."""
    start: float = 0.003
    """Handing a job to a worker and taking its result back."""

    def priced(self, plan: Plan) -> Plan:
        """Return the plan with the seconds of one core that it takes, reading included."""
        release = plan.release_level
        scale = plan.parameters.ring_degree / _REFERENCE_DEGREE
        stages = sum(self._stage(plan.stages[place], plan.columns_per_ciphertext) for place in plan.used_stages)
        blocks = plan.blocks * (self.read * sum(column.residues for column in plan.columns) + stages)
        once = self.release + self._packing(plan)
        if (nodes := early_nodes.nodes_of(plan) if plan.together > 1 else None) is not None:
            once += self._early(plan, nodes)
        for leaf in () if nodes is not None else plan.leaves:
            each = 2 * self.term * release * len(leaf.linear)
            if leaf.final is not None:
                final = plan.finals[leaf.final]
                each += self._formula(final.formula) * final.level
                once += self._finish(final, release)
            blocks += (leaf.end - leaf.first) * each
            once += 2 * release * (self.product * len(leaf.shares) + self.load * bool(leaf.shares))
        for number in {number for leaf in plan.leaves for number, _, _ in leaf.shares}:
            final = plan.finals[number]
            once += self._formula(final.formula) * final.level + self._finish(final, release)
        return replace(
            plan,
            seconds=self.start + scale * (blocks + once),
            stage_seconds=scale * plan.blocks * stages,
            result_seconds=scale * once,
        )

    def _early(self, plan: Plan, nodes: Sequence[early_nodes.Node]) -> float:
        """Rotations of columns and masks at the level of the products, the products, and what follows them."""
        level, linear, square = ROTATION_PRIMES, *self.rotate
        moved = 2 * level * (self.load + self.fetch + 2 * self.product)  # to SEAL and back, shifted and recentred
        seconds = early_nodes.rotations(plan, nodes) * (linear * level + square * level**2 + moved)
        for node in nodes:
            pairs = plan.together * len(node.products)
            seconds += 3 * level * pairs * (self.final_product + 2 * self.term)
            seconds += self._finish(node.final, plan.release_level) + 2 * plan.release_level * (self.fetch + self.load)
        return seconds

    def _packing(self, plan: Plan) -> float:
        """Each node of the tree is a rotation; those over places of other sites alone have nothing to rotate."""
        if plan.results == 1:
            return 0.0
        release, linear, square = plan.release_level, *self.rotate
        if plan.together > 1:
            leaves = len({leaf.place // plan.together for leaf in plan.leaves})
            return min(plan.results // plan.together - 1, 2 * leaves) * (linear * release + square * release**2)
        products = len({number for leaf in plan.leaves for number, _, _ in leaf.shares})
        if products:  # the lowest nodes share their rotations, see app.core.query.shared_packing
            depth, leaves = plan.results.bit_length(), len(plan.leaves)
            used = min(
                products * ((1 << height) - 1) + min(plan.results >> height, (leaves >> height) + depth - height)
                for height in range(depth)
            )
            return used * (linear * release + square * release**2)
        used = min(plan.results - 1, len(plan.leaves) * max(1, (plan.results // max(1, len(plan.leaves))).bit_length()))
        return used * (linear * release + square * release**2)

    def _stage(self, stage: Stage, sharing: int) -> float:
        polynomials = stage.formula.degree + 1
        if stage.formula.degree == 1:  # columns that share ciphertexts are shifted, added up and traced
            linear, square = self.rotate
            seconds = 2 * stage.level * (self.product * len(stage.formula.sources) + self.load)
            seconds += (sharing.bit_length() - 1) * (linear * stage.level + square * stage.level**2)
        else:
            seconds = stage.level * (self._formula(stage.formula) + self.interpolate * polynomials)
            seconds += self._relinearizations(polynomials, stage.level)
        level = stage.level
        for output in stage.outputs:
            seconds += self._switches(2, level, output) + 2 * output * self.fetch
            level = output
        return seconds

    def _finish(self, final: Final, release: int) -> float:
        polynomials = final.formula.degree + 1
        seconds = final.level * self.interpolate * polynomials**2
        if final.level > final.relinearization_level:
            seconds += polynomials * final.level * self.load
            seconds += self._switches(polynomials, final.level, final.relinearization_level)
            seconds += polynomials * final.relinearization_level * self.fetch
        seconds += self._relinearizations(polynomials, final.relinearization_level)
        return seconds + self._switches(2, final.relinearization_level, release) + 2 * release * self.fetch

    def _relinearizations(self, polynomials: int, level: int) -> float:
        linear, square = self.relinearize
        each = linear * level + square * level**2 + 3 * level * self.load
        return (polynomials - 2) * each + (polynomials - 3) * 2 * level * self.fetch

    def _switches(self, polynomials: int, level: int, target: int) -> float:
        linear, square = self.switch
        return sum((linear * k + square * k * k) * polynomials / 2 for k in range(target + 1, level + 1))

    def _formula(self, formula: Formula) -> float:
        """Seconds of one block and prime."""
        points = formula.degree + 1
        seconds = 0.0
        for step, degree in zip(formula.steps, formula.degrees[len(formula.sources) :], strict=True):
            match step:
                case Sum(terms, _) if degree == 1 and len(terms) > 1:
                    seconds += 2 * (self.term * len(terms) + self.product)
                case Sum(terms, _):
                    seconds += points * self.term * (len(terms) + 1)
                case Product():
                    seconds += points * self.product
        return seconds + points * (self.final_product - self.product + 2 * self.term)


def calibrated(costs: Costs | None = None) -> Costs:
    """Return the constants scaled to this machine by the time of numpy products (about 5 ms)."""
    costs = costs or Costs()
    left = np.arange(_REFERENCE_DEGREE, dtype=np.int64)
    result = np.empty_like(left)
    fastest = min(_timed(left, result) for _ in range(5))
    factor = fastest / _REFERENCE_MULTIPLICATIONS
    scaled: dict[str, Any] = {}
    for field in fields(Costs):
        value = getattr(costs, field.name)
        scaled[field.name] = tuple(part * factor for part in value) if isinstance(value, tuple) else value * factor
    return Costs(**scaled)


_REFERENCE_MULTIPLICATIONS = 0.0009
"""Seconds of 200 products of 16384 numbers where the constants were measured."""


def _timed(
    left: np.ndarray[tuple[int], np.dtype[np.int64]], result: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> float:
    started = time.perf_counter()
    for _ in range(200):
        np.multiply(left, left, out=result)
    return time.perf_counter() - started
