"""The leaves of a plan summed over blocks, and packed.

A batch of leaves is summed together, prime after prime: what is alive is the sums of one batch, at one prime also in
the making. Batches follow the pack tree, so that each is packed into one ciphertext before the next begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.core.crypto import ring
from app.core.crypto.packing import pack_part
from app.core.crypto.ring import Array
from app.core.crypto.seal import Handle, context
from app.core.query.early_packing import EarlyPacking, early_context
from app.core.query.extraction import shifted_sum
from app.core.query.kernel import FormulaKernel, Workspace
from app.core.query.keys import KeyFiles, relinearized
from app.core.query.plan import Final, Leaf, Plan
from app.core.query.shared_packing import SharedPacking
from app.core.query.values import BlockValues, Columns, Kept, columns_of, shared_columns, stage_runners

SUMS_BYTES = 16 << 20
"""What the sums of a batch may take."""


@dataclass(frozen=True)
class LeafSum:
    """A leaf's sums over some blocks, or sums of ``pieces`` such sums: not reduced, each in [0, pieces·q).

    ``final`` has shape (d + 1, level, N), ``linear`` (2, release level, N); None where the leaf has none.
    """

    final: Array | None = field(repr=False)
    linear: Array | None = field(repr=False)
    pieces: int = 1

    def __add__(self, other: LeafSum) -> LeafSum:
        pieces = self.pieces + other.pieces
        return LeafSum(_added(self.final, other.final), _added(self.linear, other.linear), pieces)

    def reduced(self, moduli: Sequence[int]) -> LeafSum:
        """Return the same sums in [0, q)."""
        if self.pieces == 1:
            return self
        column = np.array(moduli, np.int64)[:, None]
        final, linear = (None if sums is None else sums % column[: sums.shape[1]] for sums in (self.final, self.linear))
        return LeafSum(final, linear)


def _added(one: Array | None, other: Array | None) -> Array | None:
    return one if other is None else other if one is None else one + other


def batch_size(plan: Plan, *, staged: bool) -> int:
    """Return how many leaves are summed together: a power of two.

    ``staged``: with the stages of each block, where the sums of all primes are in the making at once.
    """
    largest = 2 * plan.release_level
    for final in plan.finals:
        making = final.level if staged else 1
        largest = max(largest, (final.formula.degree + 1) * (final.level + 2 * making))
    count = max(1, SUMS_BYTES // (8 * largest * plan.parameters.ring_degree))
    return min(plan.results, 1 << (count.bit_length() - 1))


def summed(
    plan: Plan, columns: Columns, keys: KeyFiles, leaves: Sequence[Leaf], blocks: range, kept: Kept | None = None
) -> list[LeafSum]:
    """Return the sums of the leaves over those of ``blocks`` that are theirs.

    The stages are computed on the way, or read where they were ``kept``.
    """
    return _Summation(plan, columns, keys, leaves, kept).run(blocks)


class _Summation:
    def __init__(self, plan: Plan, columns: Columns, keys: KeyFiles, leaves: Sequence[Leaf], kept: Kept | None) -> None:
        self._plan = plan
        self._columns = columns_of(plan, columns)
        self._keys = keys
        self._kept = kept
        self._leaves = leaves
        self._finals = [None if leaf.final is None else plan.finals[leaf.final] for leaf in leaves]
        self._fields = ring.fields(plan.parameters, plan.parameters.data_primes[: plan.residues])
        self._workspace = Workspace(plan.parameters.ring_degree)
        staged = kept is None and any(self._finals)
        stages = plan.stages if staged else ()
        self._stages = stage_runners(plan, self._fields, self._workspace, keys) if staged else []
        formulas = [final.formula for final in self._finals if final is not None]
        formulas += [stage.formula for stage in stages]
        self._shared = shared_columns(plan, formulas, [leaf.linear for leaf in leaves])

    def run(self, blocks: range) -> list[LeafSum]:
        degree, release = self._plan.parameters.ring_degree, self._plan.release_level
        self._sums = [
            None if final is None else np.empty((final.formula.degree + 1, final.level, degree), np.int64)
            for final in self._finals
        ]
        self._linear = [np.zeros((2, release, degree), np.int64) if leaf.linear else None for leaf in self._leaves]
        self._pending = [[0] * release for _ in self._leaves]
        levels = [final.level for final in self._finals if final is not None]
        levels += [release for leaf in self._leaves if leaf.linear]
        primes = range(max(levels, default=0))
        if self._stages:
            self._block_by_block(blocks, primes)
        else:  # residue by residue, as they lie in the file
            for prime in primes:
                if len(blocks) == 1:
                    self._leaf_by_leaf(blocks[0], prime)
                    continue
                kernels = self._kernels(prime)
                for block in blocks:
                    self._add(self._values(block), kernels, prime, block)
                self._finish(kernels, prime)
        return [LeafSum(final, linear) for final, linear in zip(self._sums, self._linear, strict=True)]

    def _block_by_block(self, blocks: range, primes: range) -> None:
        kernels = [self._kernels(prime) for prime in primes]
        for block in blocks:
            values = self._values(block)
            for stage in self._stages:
                values.add_stage({}) if stage is None else stage.run(values)
            for prime in primes:
                self._add(values, kernels[prime], prime, block)
        for prime in primes:
            self._finish(kernels[prime], prime)

    def _leaf_by_leaf(self, block: int, prime: int) -> None:
        """One block at one prime: what a leaf's sums are made in is used again for the next."""
        values = self._values(block)
        for place in range(len(self._leaves)):
            kernel = self._kernel(place, prime, brief=True)
            self._add_leaf(place, kernel, values, prime, block)
            self._finish_leaf(place, kernel, prime)

    def _values(self, block: int) -> BlockValues:
        return BlockValues(self._plan, self._columns, block, self._shared, self._kept)

    def _kernels(self, prime: int) -> list[FormulaKernel | None]:
        return [self._kernel(place, prime) for place in range(len(self._leaves))]

    def _kernel(self, place: int, prime: int, *, brief: bool = False) -> FormulaKernel | None:
        final = self._finals[place]
        if final is None or prime >= final.level:
            return None
        return FormulaKernel(final.formula, self._fields[prime], self._workspace, final.factor, brief=brief)

    def _add(self, values: BlockValues, kernels: Sequence[FormulaKernel | None], prime: int, block: int) -> None:
        for place, kernel in enumerate(kernels):
            self._add_leaf(place, kernel, values, prime, block)

    def _add_leaf(self, place: int, kernel: FormulaKernel | None, values: BlockValues, prime: int, block: int) -> None:
        leaf, final = self._leaves[place], self._finals[place]
        if not leaf.first <= block < leaf.end:
            return
        if kernel is not None and final is not None:
            kernel.add(values.sources(final.formula, prime, final.level))
        if leaf.linear and prime < self._plan.release_level:
            self._add_linear(place, values, prime)

    def _add_linear(self, place: int, values: BlockValues, prime: int) -> None:
        total, pending = self._linear[place], self._pending[place]
        if total is None:
            return
        for column, weight in self._leaves[place].linear:
            residues = values.raw(column, prime)
            total[:, prime] += residues if weight == 1 else weight * residues
            pending[prime] += abs(weight)
            if pending[prime] >= 1 << 13:
                total[:, prime] %= self._plan.parameters.data_primes[prime]
                pending[prime] = 1

    def _finish(self, kernels: Sequence[FormulaKernel | None], prime: int) -> None:
        for place, kernel in enumerate(kernels):
            self._finish_leaf(place, kernel, prime)

    def _finish_leaf(self, place: int, kernel: FormulaKernel | None, prime: int) -> None:
        sums, linear = self._sums[place], self._linear[place]
        if kernel is not None and sums is not None:
            sums[:, prime] = kernel.result()
        if linear is not None and prime < self._plan.release_level:
            linear[:, prime] %= self._plan.parameters.data_primes[prime]


# --- after the last block -----------------------------------------------------------------------------------------


def released(plan: Plan, leaf: Leaf, total: LeafSum, keys: KeyFiles) -> Handle:
    """Return a leaf's ciphertext at the release level from its sums over all its blocks."""
    seal = context(plan.parameters, plan.release_level)
    total = total.reduced(plan.parameters.data_primes)
    handle = None
    if leaf.final is not None and total.final is not None:
        handle = _relinearized(plan, plan.finals[leaf.final], total.final, keys)
    if total.linear is not None:
        linear = seal.load(total.linear)
        handle = linear if handle is None else seal.accumulate(handle, linear)
    return handle


def _relinearized(plan: Plan, final: Final, polynomials: Array, keys: KeyFiles) -> Handle:
    """Return a final's sum relinearized and switched to the release level.

    The key is that of the stages, or the smallest that will do: every worker has the one of the release level.
    """
    key = plan.top if any(stage.formula.degree > 1 for stage in plan.stages) else final.relinearization_level
    handle = relinearized(plan.parameters, polynomials, keys, plan.top, final.relinearization_level, key)
    return context(plan.parameters, key).switch(handle, plan.release_level)


def packed(
    plan: Plan, columns: Columns, keys: KeyFiles, part: tuple[int, int], kept: Kept | None = None
) -> Handle | None:
    """Return the ciphertext of the places ``part`` (first, count), packed; None if nothing is there."""
    if any(leaf.shares for leaf in plan.leaves):
        return _packed_shares(plan, columns, keys, part, kept)
    if plan.together > 1:
        return _packed_early(plan, columns, keys, part)
    size = min(part[1], batch_size(plan, staged=bool(plan.stages) and kept is None))

    def batch(first: int) -> Handle | None:
        leaves = [leaf for leaf in plan.leaves if first <= leaf.place < first + size]
        sums = summed(plan, columns, keys, leaves, range(plan.blocks), kept)
        return joined(plan, leaves, sums, keys, (first, size))

    return pack_part(context(plan.parameters, plan.release_level), _rotation(plan, keys), batch, part, size)


def _values_of_one_block(plan: Plan, columns: Columns, keys: KeyFiles) -> BlockValues:
    fields = ring.fields(plan.parameters, plan.parameters.data_primes[: plan.residues])
    values = BlockValues(plan, columns, 0, frozenset())  # a column that many results need is read once all the same
    for stage in stage_runners(plan, fields, Workspace(plan.parameters.ring_degree), keys):
        values.add_stage({}) if stage is None else stage.run(values)
    return values


def _packed_early(plan: Plan, columns: Columns, keys: KeyFiles, part: tuple[int, int]) -> Handle | None:
    """As :func:`packed`, where the lowest nodes are packed before they are relinearized: there is one block."""
    seal = context(plan.parameters, plan.release_level)
    values = _values_of_one_block(plan, columns, keys)

    def finish(final: Final, polynomials: Array) -> Handle:
        return _relinearized(plan, final, polynomials, keys)

    with EarlyPacking(plan, values, keys.early(plan.together, early_context(plan)), finish) as nodes:

        def piece(first: int) -> Handle | None:
            found = nodes.read(first)
            return None if found is None else seal.load(found)

        return pack_part(seal, keys.rotation(plan.results, plan.together), piece, part, plan.together)


def joined(
    plan: Plan, leaves: Sequence[Leaf], sums: Sequence[LeafSum], keys: KeyFiles, part: tuple[int, int]
) -> Handle | None:
    """Pack leaves, all that the plan has in the ``part``, from their sums over all blocks."""
    by_place = {leaf.place: (leaf, total) for leaf, total in zip(leaves, sums, strict=True)}

    def result(place: int) -> Handle | None:
        return released(plan, *by_place[place], keys) if place in by_place else None

    return pack_part(context(plan.parameters, plan.release_level), _rotation(plan, keys), result, part, 1)


def _packed_shares(
    plan: Plan, columns: Columns, keys: KeyFiles, part: tuple[int, int], kept: Kept | None
) -> Handle | None:
    """As :func:`packed`, where columns share ciphertexts and leaves share products: there is one block.

    The products are computed as if each were a leaf, once.
    """
    seal = context(plan.parameters, plan.release_level)
    chosen = [leaf for leaf in plan.leaves if part[0] <= leaf.place < part[0] + part[1]]
    numbers = sorted({number for leaf in chosen for number, _, _ in leaf.shares})
    alone = [
        Leaf(leaf.place, 0, 1, leaf.linear, leaf.final) for leaf in chosen if leaf.linear or leaf.final is not None
    ]
    together = [Leaf(plan.results, 0, 1, (), number) for number in numbers]
    sums = summed(plan, columns, keys, [*alone, *together], range(plan.blocks), kept)
    products = {
        number: seal.read(released(plan, leaf, total, keys)).copy()
        for number, leaf, total in zip(numbers, together, sums[len(alone) :], strict=True)
    }
    others = {leaf.place: (leaf, total) for leaf, total in zip(alone, sums, strict=False)}
    by_place = {leaf.place: leaf for leaf in chosen}
    alike = {
        leaf.place: leaf.shares[0][:2]
        for leaf in chosen
        if leaf.place not in others and len(leaf.shares) == 1 and leaf.shares[0][2] == 1
    }

    def result(place: int) -> Handle | None:
        if place not in by_place:
            return None
        handle = released(plan, *others[place], keys) if place in others else None
        if not by_place[place].shares:
            return handle
        terms = [(weight, at, products[number]) for number, at, weight in by_place[place].shares]
        shared = seal.load(shifted_sum(plan.parameters, plan.release_level, terms))
        return shared if handle is None else seal.add(handle, shared)

    packing = SharedPacking(seal, _rotation(plan, keys), products, alike, result, frozenset(by_place))
    return packing.pack(part)


def _rotation(plan: Plan, keys: KeyFiles) -> object:
    return keys.rotation(plan.results) if plan.results > 1 else None
