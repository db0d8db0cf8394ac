"""Sealing, counting from SQLite to the packed contribution, packing, opening, and the workers that do it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.core.catalogue.model import PRESENT, PRESENT_MEANING, Catalogue, Kind, Label, Variable
from app.core.crypto import packing, release, seal
from app.core.crypto.release import Contribution, DecryptionProtocol, Opening
from app.core.jobs.pool import WorkerPool
from app.core.query import worker
from app.core.query.evaluator import evaluate
from app.core.query.keys import key_files
from app.core.query.model import All, Flag, Query
from app.core.query.plan import DatasetShape, Plan
from app.core.query.planner import Openers, make_plan
from app.core.query.sums import LeafSum, joined, packed, summed
from app.core.query.values import Columns
from app.core.store.dataset_file import DatasetReader
from app.core.store.documents import SealedColumn
from tests.benchmarks import analyses
from tests.benchmarks.ceremony import Keys
from tests.benchmarks.probes import peak_megabytes
from tests.benchmarks.timing import Measurement, Report
from tests.crypto_parties import Parties
from tests.sealed_datasets import seal_columns

FLAGS = Catalogue("Flags", 1, tuple(Variable(f"f{i}", Kind.FLAG, Label(f"f{i}")) for i in range(16)))


class InMemory:
    """Columns read beforehand."""

    def __init__(self, reader: DatasetReader, plan: Plan) -> None:
        self._residues = {
            (column.index, prime, block): reader.residue(column.index, prime, block)
            for column in plan.columns
            for prime in range(column.residues)
            for block in range(plan.blocks)
        }

    def residue(self, column: int, prime_index: int, block: int) -> np.ndarray:
        return self._residues[column, prime_index, block]


class Bench:
    """One federation, its key files and its report."""

    def __init__(self, report: Report, people: Parties, keys: Keys, directory: Path) -> None:
        self.report = report
        self.people = people
        self.keys = keys
        self.directory = directory
        self.files = key_files(people.parameters, keys.directory)

    def dataset(self, flags: int, blocks: int, residues: int) -> tuple[Path, DatasetShape]:
        """Seal columns of random bits."""
        size = blocks * self.people.parameters.slots
        random = np.random.default_rng(1)
        columns = [(SealedColumn(PRESENT.variable, PRESENT_MEANING, PRESENT.part), np.ones(size, np.int64))]
        for variable in FLAGS.variables[:flags]:
            columns.append((SealedColumn(variable.code, variable.meaning, "has"), random.integers(0, 2, size)))
        path = self.directory / f"{flags}-{blocks}-{residues}.db"
        return path, seal_columns(path, self.people, columns, residues)

    def plan(self, shape: DatasetShape, terms: int) -> Plan:
        """Plan the AND of so many flags."""
        cohort = All(tuple(Flag(f"f{i}") for i in range(terms)))
        known = {variable.code for variable in FLAGS.variables} & set(shape.meanings)
        catalogue = Catalogue("Flags", 1, tuple(each for each in FLAGS.variables if each.code in known))
        return make_plan(Query(cohort), catalogue, shape, Openers(self.people.sites, self.people.quorum))

    def zero(self) -> None:
        self.files.prepare_zero(3)


def measure(report: Report, people: Parties, keys: Keys, directory: Path, *, quick: bool) -> None:
    """Measure everything but the ceremony."""
    bench = Bench(report, people, keys, directory)
    _sealing(bench)
    contribution, plan = _two_terms(bench, 8)
    if not quick:
        _two_terms(bench, 61)
    _more_terms(bench, 2 if quick else 8)
    _packing(bench, (1, 8, 64) if quick else (1, 8, 64, 240))
    _opening(bench, contribution, plan)
    analyses.measure(report, people, keys.directory, directory, quick=quick)
    _workers(bench, 16 if quick else 61)


def _sealing(bench: Bench) -> None:
    slots = np.random.default_rng(0).integers(0, 2, bench.people.parameters.slots)
    for residues in (5, 8):
        encryptor = bench.people.encryptor(residues)
        bench.report.time(f"encrypting one block at {residues} residues", lambda e=encryptor: e.encrypt(slots))
    bench.report.time("an encryption of zero, made while nobody waits", bench.people.encryptor(3).encrypt_zero)


def _two_terms(bench: Bench, blocks: int) -> tuple[bytes, Plan]:
    path, shape = bench.dataset(2, blocks, 5)
    plan = bench.plan(shape, 2)
    work = worker.Work(plan, path, bench.keys.directory)
    name = f"AND of 2, {blocks} blocks"
    with DatasetReader(path, plan.parameters) as reader:
        memory = InMemory(reader, plan)
    wanted = {8: (0.012, 0.025), 61: (None, 0.08)}[blocks]

    def in_memory() -> bytes:
        return worker.contribution(plan, packed(plan, memory, bench.files, (0, 1)), bench.files, ())

    bench.report.time(f"{name}, columns in memory, one core", in_memory, wanted=wanted[0], before=bench.zero)
    bench.report.time(
        f"{name}, from SQLite, one core, warm", lambda: worker.run_all(work, ()), wanted=wanted[1], before=bench.zero
    )

    def forget() -> None:
        bench.zero()
        os.sync()
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    if hasattr(os, "posix_fadvise"):
        bench.report.time(
            f"{name}, from SQLite, one core, cold", lambda: worker.run_all(work, ()), before=forget, runs=5
        )
    with WorkerPool(2, worker.start, (plan.parameters.name, bench.keys.directory, [3])) as pool:
        for _ in range(4):
            pool.submit(time.perf_counter).result()

        def settled() -> None:  # every worker has an encryption of zero: nobody knows which one will be asked
            for future in [pool.submit(worker.prepare_zero, work) for _ in range(8)]:
                future.result()

        bench.report.time(
            f"{name}, from SQLite, worker processes, warm",
            lambda: evaluate(plan, path, bench.keys.directory, pool),
            wanted=wanted[1],
            before=settled,
        )
    return worker.run_all(work, ()), plan


def _more_terms(bench: Bench, blocks: int) -> None:
    """A block's share is the slope between one block and all of them; the rest is done once."""
    path, shape = bench.dataset(16, blocks, 7)
    for terms, wanted, once in ((4, 0.005, 0.07), (8, 0.058, None), (16, 0.107, None)):
        plan = bench.plan(shape, terms)
        with DatasetReader(path, plan.parameters) as reader:
            sources: dict[str, Columns] = {"from SQLite": reader, "columns in memory": InMemory(reader, plan)}
            for name, source in sources.items():
                one = _times(lambda s=source, p=plan: summed(p, s, bench.files, p.leaves, range(1)))
                many = _times(lambda s=source, p=plan: summed(p, s, bench.files, p.leaves, range(blocks)))
                each = tuple((long - short) / (blocks - 1) for long, short in zip(many, one, strict=True))
                bench.report.add(Measurement(f"AND of {terms}, {name}, each block", each, wanted=wanted))
            sums = summed(plan, reader, bench.files, plan.leaves, range(blocks))

        def end(plan: Plan = plan, sums: list[LeafSum] = sums) -> bytes:
            return worker.contribution(plan, joined(plan, plan.leaves, sums, bench.files, (0, 1)), bench.files, ())

        ends = _times(end, before=bench.zero)
        rest = tuple(end + short - block for end, short, block in zip(ends, one, each, strict=True))
        bench.report.add(Measurement(f"AND of {terms}, once", rest, wanted=once))


def _times(run: Callable[[], object], runs: int = 7, before: Callable[[], object] = int) -> list[float]:
    """Return the seconds of several runs, in order of length."""
    run()
    seconds = []
    for _ in range(runs):
        before()
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)


def _packing(bench: Bench, counts: Sequence[int]) -> None:
    context = seal.context(bench.people.parameters, 3)
    rotations = context.load_rotation_keys(bench.keys.rotations)
    sealed = bench.people.encryptor(3).encrypt(np.ones(bench.people.parameters.slots, np.int64))
    for count in counts:
        bench.report.time(
            f"packing {count} results at three primes",
            lambda n=count: context.read(packing.pack(context, rotations, n, lambda _: context.load(sealed))),
            runs=3 if count > 8 else 5,
        )


def _opening(bench: Bench, contribution: bytes, plan: Plan) -> None:
    people = bench.people
    total = Contribution.from_bytes(people.parameters, contribution, plan.release_level, 1)
    for results in (1, 64):
        spread = replace(total, values=np.repeat(total.values, results, axis=1))
        opening = Opening(b"benchmark", 1, tuple(range(1, people.quorum + 1)), spread)
        bound = release.total_noise_bound(people.parameters, people.sites, people.sites, 50)
        protocol = DecryptionProtocol(opening, release.flooding_bits(people.parameters, bound, results))
        _ = people.dealt
        bench.report.time(
            f"decryption share, {results} result{'s' if results > 1 else ''}",
            lambda p=protocol: people.share(p, 1),
            wanted=0.005,
        )
    bench.report.time("adding three contributions", lambda: release.aggregate_contributions([total] * 3))


def _workers(bench: Bench, blocks: int) -> None:
    arguments = (bench.people.parameters.name, bench.keys.directory, [3])

    def start() -> None:
        with WorkerPool(1, worker.start, arguments) as pool:
            pool.submit(time.perf_counter).result()

    bench.report.time("start of a worker, with its keys and tables", start, wanted=0.44, runs=3)
    for count, terms, residues in ((2, 2, 3), (blocks, 4, 5), (2, 8, 7), (2, 16, 7)):
        path, shape = bench.dataset(terms, count, residues)
        plan = bench.plan(shape, terms)
        with WorkerPool(1, worker.start, arguments) as pool:
            pool.submit(worker.run_all, worker.Work(plan, path, bench.keys.directory), ()).result()
            peak = pool.submit(peak_megabytes).result()
        name = f"peak memory of a worker, AND of {terms}, {count} blocks"
        bench.report.add(Measurement(name, (peak,), "MB", 250))
