"""What runs in a worker process: blocks of a plan, and the end of it. Only here does evaluation meet SEAL.

Memory is constant in the number of patients: one block's columns, the registers of one block and the sums are alive.
Keys are loaded from their files when they are first needed, and stay for the next work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from app.core.crypto import ring, sampling
from app.core.crypto.parameters import ParameterSet, get
from app.core.crypto.release import make_contribution
from app.core.crypto.ring import Array
from app.core.crypto.seal import BlockEncryptor, Handle, context
from app.core.errors import EnvironmentProblem
from app.core.files import read_limited
from app.core.query.circuit_noise import PATTERNS
from app.core.query.kernel import FormulaKernel, Pair, Workspace
from app.core.query.plan import ColumnUse, Formula, Plan, Stage
from app.core.store.dataset_file import DatasetReader

PUBLIC_KEY_FILE = "public_key.bin"
_PUBLIC_KEY_LIMIT = 64 << 20
ZEROS_KEPT = 3
"""Encryptions of zero that a worker makes ahead: nobody knows which worker the next task goes to."""


def relinearization_file(level: int) -> str:
    """Return the name of the relinearization key's file for ``level`` primes, in SEAL's own bytes."""
    return f"relinearization.{level}.seal"


class Columns(Protocol):
    """Where sealed columns come from."""

    def residue(self, column: int, prime_index: int, block: int) -> Array:
        """Return (c0, c1) of the dataset's ``column``, shape (2, N), in [0, q)."""


@dataclass(frozen=True)
class Work:
    """One piece of work on a dataset file."""

    plan: Plan
    dataset: Path
    keys: Path


@dataclass(frozen=True)
class Partial:
    """Sums over some blocks, or sums of such sums: not reduced, each in [0, pieces·q).

    ``final`` has shape (d + 1, level, N), ``linear`` (2, release level, N); empty where the plan has none.
    """

    final: Array = field(repr=False)
    linear: Array = field(repr=False)

    def __add__(self, other: Partial) -> Partial:
        return Partial(self.final + other.final, self.linear + other.linear)


class KeyFiles:
    """The public keys of one federation as a worker uses them."""

    def __init__(self, parameters: ParameterSet, directory: Path) -> None:
        self._parameters = parameters
        self._directory = directory
        self._relinearization: dict[int, Any] = {}
        self._encryptors: dict[int, BlockEncryptor] = {}
        self._zeros: dict[int, list[Array]] = {}

    def relinearization(self, level: int) -> Any:
        """Return SEAL's relinearization key at ``level`` primes."""
        if level not in self._relinearization:
            path = self._directory / relinearization_file(level)
            if not path.is_file():
                raise EnvironmentProblem("file.not_found", path=str(path))
            self._relinearization[level] = context(self._parameters, level).load_relinearization_key(path)
        return self._relinearization[level]

    def prepare_zero(self, level: int) -> None:
        """Make an encryption of zero ahead of its use, unless there are enough."""
        zeros = self._zeros.setdefault(level, [])
        if len(zeros) < ZEROS_KEPT:
            zeros.append(self._encryptor(level).encrypt_zero())

    def take_zero(self, level: int) -> Array:
        """Return a fresh encryption of zero, shape (2, level, N); none is ever returned twice."""
        if not self._zeros.get(level):
            self.prepare_zero(level)
        return self._zeros[level].pop()

    def _encryptor(self, level: int) -> BlockEncryptor:
        if level not in self._encryptors:
            public_key = read_limited(self._directory / PUBLIC_KEY_FILE, _PUBLIC_KEY_LIMIT)
            self._encryptors[level] = BlockEncryptor(self._parameters, public_key, level)
        return self._encryptors[level]


@lru_cache(maxsize=2)
def key_files(parameters: ParameterSet, directory: Path) -> KeyFiles:
    """Return the (cached) keys of a directory."""
    return KeyFiles(parameters, directory)


# --- tasks --------------------------------------------------------------------------------------------------------


def start(parameters: str, keys: Path, levels: Iterable[int]) -> None:
    """Load what every job needs: contexts, keys, tables of the fields, an encryption of zero."""
    named = get(parameters)
    for level in levels:
        key_files(named, keys).relinearization(level)
        ring.fields(named, named.data_primes[:level])
        for prime in range(level):
            recentring(named, prime)
        key_files(named, keys).prepare_zero(level)


def run_all(work: Work, noise: tuple[int, ...]) -> bytes:
    """Compute the whole plan and return the contribution's bytes."""
    return finish(work, noise, run_range(work, (0, work.plan.blocks)))


def run_range(work: Work, blocks: tuple[int, int]) -> Partial:
    """Compute the blocks [first, end) of the plan and return their sums."""
    with DatasetReader(work.dataset, work.plan.parameters) as reader:
        header = reader.header
        if (header.residues, header.blocks) != (work.plan.stored, work.plan.blocks):
            raise EnvironmentProblem("dataset.damaged", path=str(work.dataset))
        return compute(work.plan, reader, key_files(work.plan.parameters, work.keys), *blocks)


def finish(work: Work, noise: tuple[int, ...], partial: Partial) -> bytes:
    """Return the contribution's bytes from the sums over all blocks."""
    return contribution(work.plan, partial, key_files(work.plan.parameters, work.keys), noise)


def prepare_zero(work: Work) -> None:
    """Make the next job's encryption of zero while nobody waits."""
    key_files(work.plan.parameters, work.keys).prepare_zero(work.plan.release_level)


# --- arithmetic ---------------------------------------------------------------------------------------------------


def compute(plan: Plan, columns: Columns, keys: KeyFiles, first: int, end: int) -> Partial:
    """Return the sums over the blocks ``first`` … ``end`` − 1."""
    blocks = range(first, end)
    final = _Final(plan, columns, keys).run(blocks)
    return Partial(final, _linear(plan, columns, blocks))


def contribution(plan: Plan, partial: Partial, keys: KeyFiles, noise: Sequence[int]) -> bytes:
    """Return the contribution's bytes from the sums over all blocks."""
    zero = keys.take_zero(plan.release_level)
    return make_contribution(plan.parameters, result(plan, partial, keys), plan.results, noise, zero).to_bytes()


def result(plan: Plan, partial: Partial, keys: KeyFiles) -> Array:
    """Return the result's ciphertext at the release level, shape (2, level, N), noise at most the plan's bound."""
    moduli = np.array(plan.parameters.data_primes[: plan.release_level], np.int64)[:, None]
    total = np.zeros((2, plan.release_level, plan.parameters.ring_degree), np.int64)
    if plan.linear:
        total += partial.linear % moduli
    if plan.final is not None:
        total += _released(plan, partial.final, keys)
        total -= (total >= moduli) * moduli
    return total


def _released(plan: Plan, sums: Array, keys: KeyFiles) -> Array:
    """Return the final formula's sum relinearized at the release level, shape (2, release level, N)."""
    final = plan.final
    if final is None:
        raise ValueError("no final formula")
    polynomials: Array = sums % np.array(plan.parameters.data_primes[: final.level], np.int64)[:, None]
    if final.relinearization_level < final.level:
        seal = context(plan.parameters, final.level)
        polynomials = seal.read(seal.switch(seal.load(polynomials), final.relinearization_level))
    handle = relinearized(plan.parameters, polynomials, keys)
    seal = context(plan.parameters, final.relinearization_level)
    return seal.read(seal.switch(handle, plan.release_level))


def relinearized(parameters: ParameterSet, polynomials: Array, keys: KeyFiles) -> Handle:
    """Bring polynomials (d + 1, k, N) back to two with the key of s² alone, by Horner: the last three make two."""
    level = polynomials.shape[1]
    seal, key = context(parameters, level), keys.relinearization(level)
    while True:
        handle = seal.relinearize(seal.load(polynomials[-3:]), key)
        if len(polynomials) == 3:
            return handle
        polynomials = np.concatenate([polynomials[:-3], seal.read(handle)])


def _linear(plan: Plan, columns: Columns, blocks: Sequence[int]) -> Array:
    """Return Σ weight·column over the blocks, shape (2, release level, N), in [0, q)."""
    level, degree = plan.release_level, plan.parameters.ring_degree
    if not plan.linear:
        return np.zeros((0, 0, degree), np.int64)
    total = np.zeros((2, level, degree), np.int64)
    for prime in range(level):
        modulus = plan.parameters.data_primes[prime]
        pending = 0
        for column, weight in plan.linear:
            for block in blocks:
                residues = columns.residue(plan.columns[column].index, prime, block)
                total[:, prime] += residues if weight == 1 else weight * residues
                pending += abs(weight)
                if pending >= 1 << 13:
                    total[:, prime] %= modulus
                    pending = 1
        total[:, prime] %= modulus
    return total


@lru_cache(maxsize=8)
def recentring(parameters: ParameterSet, prime_index: int) -> Array:
    """Return the NTT forms of t·R for every pattern R, shape (patterns, N), in [0, q).

    Any zeros and ones will do, so they are drawn from a fixed, public stream. See :mod:`app.core.query.circuit_noise`.
    """
    field_ = ring.field(parameters.data_primes[prime_index], parameters.ring_degree)
    forms = []
    for index in range(PATTERNS):
        stream = sampling.expand(b"", "recentring", (index,), parameters.ring_degree // 8)
        bits = np.unpackbits(np.frombuffer(stream, np.uint8)).astype(np.int64)
        forms.append(field_.forward(-bits * parameters.plain_modulus))  # taken from c1 below, which adds t·R
    return np.stack(forms)


def pattern(value: int, block: int) -> int:
    """Return which pattern recentres a value of a block: neighbours differ, and meet again after many blocks."""
    return (value * (block // PATTERNS + 1) + block) % PATTERNS


class _Final:
    """The final formula and the stages it needs, over a range of blocks."""

    def __init__(self, plan: Plan, columns: Columns, keys: KeyFiles) -> None:
        self._plan = plan
        self._columns = columns
        self._keys = keys
        self._fields = ring.fields(plan.parameters, plan.parameters.data_primes[: plan.residues])
        self._workspace = Workspace(plan.parameters.ring_degree)
        self._stages = [_StageRunner(plan, stage, self._fields, self._workspace, keys) for stage in plan.stages]

    def run(self, blocks: Sequence[int]) -> Array:
        """Return the sums, shape (d + 1, level, N), in [0, q)."""
        plan, final = self._plan, self._plan.final
        degree = plan.parameters.ring_degree
        if final is None:
            return np.zeros((0, 0, degree), np.int64)
        sums = np.empty((final.formula.degree + 1, final.level, degree), np.int64)

        def kernel(prime: int) -> FormulaKernel:
            return FormulaKernel(final.formula, self._fields[prime], self._workspace, final.factor)

        if not self._stages:  # residue by residue, as they lie in the file: one kernel is alive
            for prime in range(final.level):
                running = kernel(prime)
                for block in blocks:
                    running.add([self._column(source, prime, block) for source in final.formula.sources])
                sums[:, prime] = running.result()
            return sums
        kernels = [kernel(prime) for prime in range(final.level)]
        for block in blocks:
            cache = _BlockValues(plan.parameters, self._columns, plan.columns, block)
            for stage in self._stages:
                stage.run(cache)
            for prime, running in enumerate(kernels):
                running.add(cache.sources(final.formula, prime, final.level))
        for prime, running in enumerate(kernels):
            sums[:, prime] = running.result()
        return sums

    def _column(self, source: int, prime: int, block: int) -> Pair:
        residues = self._columns.residue(self._plan.columns[source].index, prime, block)
        recentred = self._workspace.integers(("recentred", source))
        np.subtract(residues[1], recentring(self._plan.parameters, prime)[pattern(source, block)], out=recentred)
        return residues[0], recentred


class _BlockValues:
    """The values of one block: columns, read once, and what stages have made."""

    def __init__(self, parameters: ParameterSet, columns: Columns, uses: Sequence[ColumnUse], block: int) -> None:
        self._parameters = parameters
        self._columns = columns
        self._uses = uses
        self._block = block
        self._residues: dict[tuple[int, int], Pair] = {}
        self._made: list[dict[int, Array]] = []

    def sources(self, formula: Formula, prime: int, level: int) -> list[Pair]:
        """Return (c0, c1) at one prime of each of the formula's sources, as it is at ``level``."""
        return [self._value(source, prime, level) for source in formula.sources]

    def add_stage(self, outputs: dict[int, Array]) -> None:
        """Keep a stage's value, (2, level, N) for each of its levels, recentred."""
        number = pattern(len(self._uses) + len(self._made), self._block)
        for output in outputs.values():
            for prime in range(output.shape[1]):
                output[1, prime] -= recentring(self._parameters, prime)[number]
        self._made.append(outputs)

    def _value(self, source: int, prime: int, level: int) -> Pair:
        if source >= len(self._uses):
            made = self._made[source - len(self._uses)][level]
            return made[0, prime], made[1, prime]
        key = (source, prime)
        if key not in self._residues:
            residues = self._columns.residue(self._uses[source].index, prime, self._block)
            offset = recentring(self._parameters, prime)[pattern(source, self._block)]
            self._residues[key] = residues[0], residues[1] - offset
        return self._residues[key]


class _StageRunner:
    """One stage, block after block."""

    def __init__(
        self, plan: Plan, stage: Stage, fields: Sequence[ring.Field], workspace: Workspace, keys: KeyFiles
    ) -> None:
        self._parameters = plan.parameters
        self._stage = stage
        self._keys = keys
        # one kernel a prime, but all with the same sums: they are read out before the next one runs
        self._kernels = [FormulaKernel(stage.formula, field_, workspace) for field_ in fields[: stage.level]]
        self._polynomials = np.empty((stage.formula.degree + 1, stage.level, plan.parameters.ring_degree), np.int64)

    def run(self, values: _BlockValues) -> None:
        """Compute this stage of one block and add it to ``values``."""
        stage = self._stage
        for prime, kernel in enumerate(self._kernels):
            kernel.reset()
            kernel.add(values.sources(stage.formula, prime, stage.level))
            self._polynomials[:, prime] = kernel.result()
        handle = relinearized(self._parameters, self._polynomials, self._keys)
        seal = context(self._parameters, stage.level)
        values.add_stage({output: seal.read(seal.switch(handle, output)).copy() for output in stage.outputs})
