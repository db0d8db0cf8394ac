"""The values of a block: sealed columns, what stages make of them, and what stages made before.

Values are *recentred* before they are multiplied (:mod:`app.core.query.circuit_noise`). A stage's values that many
results need are made once for all blocks and kept in a file (:class:`Kept`), from which they are read as columns are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from app.core.crypto import ring, sampling
from app.core.crypto.parameters import ParameterSet
from app.core.crypto.ring import Array
from app.core.crypto.seal import Handle, context
from app.core.files import disk_problems
from app.core.query.circuit_noise import PATTERNS
from app.core.query.extraction import ShiftedColumns, terms_of, trace, weighted
from app.core.query.kernel import FormulaKernel, Pair, Workspace
from app.core.query.keys import KeyFiles, relinearized
from app.core.query.plan import Formula, Plan, Stage


class Columns(Protocol):
    """Where sealed columns come from."""

    def residue(self, column: int, prime_index: int, block: int) -> Array:
        """Return (c0, c1) of the dataset's ``column``, shape (2, N), in [0, q)."""


def columns_of(plan: Plan, columns: Columns) -> Columns:
    """Return where a plan's columns come from: where they share ciphertexts, each is shifted to its own coefficient."""
    if plan.columns_per_ciphertext == 1:
        return columns
    return ShiftedColumns(columns, plan.parameters, plan.columns_per_ciphertext)


@lru_cache(maxsize=8 * PATTERNS)
def recentring(parameters: ParameterSet, prime_index: int, number: int) -> Array:
    """Return the NTT form of t·R at one prime for the pattern R of a number, shape (N,), in [0, q).

    Any zeros and ones will do, so they are drawn from a fixed, public stream. See :mod:`app.core.query.circuit_noise`.
    """
    field_ = ring.field(parameters.data_primes[prime_index], parameters.ring_degree)
    stream = sampling.expand(b"", "recentring", (number,), parameters.ring_degree // 8)
    bits = np.unpackbits(np.frombuffer(stream, np.uint8)).astype(np.int64)
    return field_.forward(-bits * parameters.plain_modulus)  # taken from c1 below, which adds t·R


def pattern(value: int, block: int) -> int:
    """Return which pattern recentres a value of a block: neighbours differ, and meet again after many blocks."""
    return (value * (block // PATTERNS + 1) + block) % PATTERNS


class Kept:
    """Values of stages in a file, for all blocks: those that the finals of a plan use, at the levels they use.

    Each is (level, 2, N) numbers of 8 bytes, recentred, at a place that the plan alone decides, so that several workers
    write different blocks of one file. They are ciphertexts under the collective key.
    """

    def __init__(self, plan: Plan, path: Path) -> None:
        self._path = path
        self._degree = plan.parameters.ring_degree
        self._blocks = plan.blocks
        self._starts: dict[tuple[int, int], int] = {}
        self.size = 0
        for value, level in kept_values(plan):
            self._starts[value, level] = self.size
            self.size += plan.blocks * self._bytes(level)

    def create(self) -> None:
        """Make the file, empty and as large as it will be."""
        with disk_problems(self._path), open(self._path, "xb") as file:
            file.truncate(self.size)

    def write(self, value: int, level: int, block: int, array: Array) -> None:
        """Keep the value of a block, shape (2, level, N)."""
        with disk_problems(self._path), open(self._path, "r+b") as file:
            file.seek(self._start(value, level, block))
            file.write(np.ascontiguousarray(array.swapaxes(0, 1), np.int64).data)

    def read(self, value: int, level: int, prime: int, block: int) -> Pair:
        """Return (c0, c1) of a value at one prime."""
        size = 16 * self._degree
        with disk_problems(self._path):
            words = np.fromfile(
                self._path, np.int64, 2 * self._degree, offset=self._start(value, level, block) + prime * size
            )
        return words[: self._degree], words[self._degree :]

    def _bytes(self, level: int) -> int:
        return 16 * level * self._degree

    def _start(self, value: int, level: int, block: int) -> int:
        return self._starts[value, level] + block * self._bytes(level)


def kept_values(plan: Plan) -> list[tuple[int, int]]:
    """Return (value, level) of the stages that finals use."""
    first = len(plan.columns)
    finals = [plan.finals[number] for number in plan.used_finals]
    used = {(source, final.level) for final in finals for source in final.formula.sources if source >= first}
    return sorted(used)


class BlockValues:
    """The values of one block: those that several formulas use are read once, and kept until the next block."""

    def __init__(
        self, plan: Plan, columns: Columns, block: int, shared: frozenset[int], kept: Kept | None = None
    ) -> None:
        self._plan = plan
        self._columns = columns
        self._block = block
        self._shared = shared
        self._kept = kept
        self._raw: dict[tuple[int, int], Array] = {}
        self._centred: dict[tuple[int, int], Array] = {}
        self._made: list[dict[int, Array]] = []

    def sources(self, formula: Formula, prime: int, level: int) -> list[Pair]:
        """Return (c0, c1), recentred, at one prime of each of the formula's sources, as it is at ``level``."""
        return [self.value(source, prime, level) for source in formula.sources]

    def raw(self, source: int, prime: int) -> Array:
        """Return (c0, c1), shape (2, N), of a column as it was sealed."""
        key = (source, prime)
        if (known := self._raw.get(key)) is not None:
            return known
        residues = self._columns.residue(self._plan.columns[source].index, prime, self._block)
        if source in self._shared:
            self._raw[key] = residues
        return residues

    def add_stage(self, outputs: dict[int, Array]) -> None:
        """Keep a stage's value, (2, level, N) for each of its levels, recentred here."""
        number = pattern(len(self._plan.columns) + len(self._made), self._block)
        for output in outputs.values():
            for prime in range(output.shape[1]):
                output[1, prime] -= recentring(self._plan.parameters, prime, number)
        self._made.append(outputs)

    def stage(self, value: int, level: int) -> Array:
        """Return what a stage has made, shape (2, level, N)."""
        return self._made[value - len(self._plan.columns)][level]

    def value(self, source: int, prime: int, level: int) -> Pair:
        """Return (c0, c1), recentred, in ±q, at one prime of a column or of a stage's output for ``level``."""
        if source >= len(self._plan.columns):
            if self._kept is not None:
                return self._kept.read(source, level, prime, self._block)
            made = self.stage(source, level)
            return made[0, prime], made[1, prime]
        residues, key = self.raw(source, prime), (source, prime)
        centred = self._centred.get(key)
        if centred is None:
            offset = recentring(self._plan.parameters, prime, pattern(source, self._block))
            centred = residues[1] - offset
            if source in self._shared:
                self._centred[key] = centred
        return residues[0], centred


def shared_columns(
    plan: Plan, formulas: Iterable[Formula], linear: Iterable[Sequence[tuple[int, int]]]
) -> frozenset[int]:
    """Return the columns that more than one of these reads."""
    uses = Counter(source for formula in formulas for source in set(formula.sources))
    uses.update(column for each in linear for column, _ in each)
    return frozenset(source for source, count in uses.items() if count > 1 and source < len(plan.columns))


class StageRunner:
    """One stage, block after block."""

    def __init__(
        self, plan: Plan, stage: Stage, fields: Sequence[ring.Field], workspace: Workspace, keys: KeyFiles
    ) -> None:
        self._parameters = plan.parameters
        self._top = plan.top
        self._stage = stage
        self._keys = keys
        self._fields = fields
        self._sharing = plan.columns_per_ciphertext
        if stage.formula.degree == 1:
            return
        # one kernel a prime, all with the same sums: they are read out before the next one runs
        self._kernels = [FormulaKernel(stage.formula, each, workspace, brief=True) for each in fields[: stage.level]]

    def run(self, values: BlockValues) -> None:
        """Compute this stage of one block and add it to ``values``."""
        stage = self._stage
        extracts = stage.formula.degree == 1
        handle = self._extracted(values) if extracts else self._relinearized(values)
        seal = context(self._parameters, stage.level if extracts else self._top)
        values.add_stage({output: seal.read(seal.switch(handle, output)).copy() for output in stage.outputs})

    def _extracted(self, values: BlockValues) -> Handle:
        """Return the sum of columns that share ciphertexts as a value of its own."""
        stage, seal = self._stage, context(self._parameters, self._stage.level)
        terms = terms_of(stage.formula)
        form = [
            weighted(field, [(weight, values.raw(source, prime)) for source, weight in terms])
            for prime, field in enumerate(self._fields[: stage.level])
        ]
        return trace(seal, seal.load(np.stack(form, axis=1)), self._sharing, self._keys.extraction(stage.level))

    def _relinearized(self, values: BlockValues) -> Handle:
        stage = self._stage
        polynomials = np.empty((stage.formula.degree + 1, stage.level, self._parameters.ring_degree), np.int64)
        for prime, kernel in enumerate(self._kernels):
            kernel.reset()
            kernel.add(values.sources(stage.formula, prime, stage.level))
            polynomials[:, prime] = kernel.result()
        return relinearized(self._parameters, polynomials, self._keys, self._top)


def stage_runners(
    plan: Plan, fields: Sequence[ring.Field], workspace: Workspace, keys: KeyFiles
) -> list[StageRunner | None]:
    """Return what runs each of the plan's stages, None where its leaves do not need it."""
    used = plan.used_stages
    return [
        StageRunner(plan, stage, fields, workspace, keys) if place in used else None
        for place, stage in enumerate(plan.stages)
    ]


def keep_stages(plan: Plan, columns: Columns, keys: KeyFiles, kept: Kept, blocks: Sequence[int]) -> None:
    """Compute the stages of some blocks and write what the finals need of them."""
    columns = columns_of(plan, columns)
    workspace = Workspace(plan.parameters.ring_degree)
    fields = ring.fields(plan.parameters, plan.parameters.data_primes[: plan.residues])
    runners = stage_runners(plan, fields, workspace, keys)
    shared = shared_columns(plan, (stage.formula for stage in plan.stages), ())
    for block in blocks:
        values = BlockValues(plan, columns, block, shared)
        for runner in runners:
            values.add_stage({}) if runner is None else runner.run(values)
        for value, level in kept_values(plan):
            kept.write(value, level, block, values.stage(value, level))
