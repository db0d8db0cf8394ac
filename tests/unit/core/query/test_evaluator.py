"""Evaluation in worker processes: cutting, sums, faults, memory."""

from __future__ import annotations

import os
import signal
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.crypto.release import Contribution
from app.core.errors import ConsiliumError, EnvironmentProblem
from app.core.jobs.job import Cancelled, Job, Progress
from app.core.jobs.pool import WorkerPool
from app.core.query import sums, worker
from app.core.query.canonical import canonical_query
from app.core.query.cells import cells_of
from app.core.query.evaluator import STEP, block_ranges, evaluate, pack_parts
from app.core.query.keys import key_files, relinearization_file
from app.core.query.oracle import count, numbers
from app.core.query.placing import Placing, placed
from app.core.query.plan import Plan
from app.core.query.planner import Openers, make_plan
from app.core.query.text import parse, parse_query
from app.core.query.values import Columns
from app.core.store.dataset_file import DatasetReader
from tests.cohorts import CATALOGUE, patients
from tests.crypto_parties import parties
from tests.packages import Inline
from tests.sealed_datasets import SealedDataset, seal_rows, write_keys

ROWS = patients(4500, seed=3)  # five blocks
BOTH = parse("smoker and not dx:C50", CATALOGUE)
DEEP = parse('smoker or dx:C50 or sex = male or stage = I or age < 40 or lab:crp >= 2.25 or "and" = 10', CATALOGUE)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> SealedDataset:
    directory = tmp_path_factory.mktemp("dataset")
    people = parties(3, 2)
    return seal_rows(directory / "data.db", write_keys(people, directory / "keys"), people, CATALOGUE, ROWS, 6)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2) as workers:
        yield workers


def test_whole_in_one_worker(dataset: SealedDataset, pool: WorkerPool) -> None:
    plan = dataset.plan(BOTH)
    assert block_ranges(plan, 2) == [(0, 5)]
    contribution = evaluate(plan, dataset.path, dataset.keys, pool, (5,))
    assert dataset.opened(plan, contribution) == count(BOTH, ROWS, CATALOGUE) + 5


def test_cut_into_ranges(dataset: SealedDataset, pool: WorkerPool) -> None:
    plan = replace(dataset.plan(DEEP), seconds=0.5)
    assert plan.stages
    assert block_ranges(plan, 2) == [(0, 2), (2, 5)]
    heard: list[Progress] = []
    contribution = evaluate(plan, dataset.path, dataset.keys, pool, job=Job(heard.append))
    assert dataset.opened(plan, contribution) == count(DEEP, ROWS, CATALOGUE)
    assert {progress.step for progress in heard} == {STEP}
    assert heard[-1].fraction == 1


def test_ranges_cover_all_blocks_once(dataset: SealedDataset) -> None:
    for seconds in (0.01, 0.2, 3.0, 1000.0):
        for workers in (1, 2, 7):
            ranges = block_ranges(replace(dataset.plan(BOTH), blocks=61, seconds=seconds), workers)
            assert [block for first, end in ranges for block in range(first, end)] == list(range(61))


@pytest.fixture(scope="module")
def table(dataset: SealedDataset) -> tuple[Plan, Placing, tuple[int, ...]]:
    """A table of a cohort that takes a stage for each row: its plan, its places and its numbers."""
    query = canonical_query(parse_query('table stage × "and" where smoker and age >= 40', CATALOGUE), CATALOGUE)
    openers = Openers(dataset.people.sites, dataset.people.quorum)
    plan = make_plan(query, CATALOGUE, dataset.shape, openers, blocks=(5,))
    assert plan.results == 32
    assert len(plan.stages) >= 4
    placing = placed(cells_of(query, CATALOGUE).cells, plan.parameters, (5,), per_site=False)
    return plan, placing, numbers(query, ROWS, CATALOGUE)


@pytest.mark.parametrize(
    ("seconds", "stages", "parts"), [(0.1, 0.0, 0), (0.4, 0.01, 2), (9.0, 0.01, 5), (100.0, 1.0, 5), (100.0, 99.0, 2)]
)
def test_parts_of_the_pack_tree(
    dataset: SealedDataset,
    pool: WorkerPool,
    table: tuple[Plan, Placing, tuple[int, ...]],
    seconds: float,
    stages: float,
    parts: int,
) -> None:
    plan, placing, wanted = table
    plan = replace(plan, seconds=seconds, stage_seconds=stages, result_seconds=(seconds - stages) / 2)
    assert len(pack_parts(plan, 2)) == parts
    heard: list[Progress] = []
    contribution = evaluate(plan, dataset.path, dataset.keys, pool, job=Job(heard.append))
    assert placing.read(dataset.numbers(plan, contribution)) == (wanted,)
    assert heard[-1].fraction == 1
    assert [progress.fraction for progress in heard] == sorted(progress.fraction for progress in heard)


def test_few_results_over_many_blocks_are_cut_by_blocks(
    dataset: SealedDataset, pool: WorkerPool, table: tuple[Plan, Placing, tuple[int, ...]]
) -> None:
    plan, placing, wanted = table
    plan = replace(plan, seconds=1.0, stage_seconds=0.4, result_seconds=0.01, leaves=plan.leaves[:1])
    assert pack_parts(plan, 2) == []
    opened = dataset.numbers(plan, evaluate(plan, dataset.path, dataset.keys, pool))
    assert placing.read(opened)[0] == (wanted[0], *[0] * (len(wanted) - 1))


@pytest.mark.parametrize("room", [1 << 30, 1 << 20, 1])
def test_batches_give_the_same_numbers(
    dataset: SealedDataset,
    table: tuple[Plan, Placing, tuple[int, ...]],
    monkeypatch: pytest.MonkeyPatch,
    room: int,
) -> None:
    plan, placing, wanted = table
    monkeypatch.setattr(sums, "SUMS_BYTES", room)
    assert worker.keeps(plan) == (room < 1 << 30)
    for seconds in (0.1, 10.0):
        opened = dataset.numbers(plan, evaluate(replace(plan, seconds=seconds), dataset.path, dataset.keys, Inline()))
        assert placing.read(opened) == (wanted,)


def test_evaluating_twice_never_gives_the_same_ciphertext(dataset: SealedDataset) -> None:
    plan = dataset.plan(BOTH)
    one, two = (evaluate(plan, dataset.path, dataset.keys, Inline()) for _ in range(2))
    parsed = [Contribution.from_bytes(plan.parameters, data, plan.release_level, 1) for data in (one, two)]
    assert (parsed[0].mask != parsed[1].mask).mean() > 0.99


def test_an_encryption_of_zero_is_given_out_once(dataset: SealedDataset) -> None:
    keys = key_files(dataset.people.parameters, dataset.keys)
    keys.prepare_zero(3)
    assert (keys.take_zero(3) != keys.take_zero(3)).mean() > 0.99


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe with a name to stop a worker in its work")
def test_a_killed_worker_is_named_and_the_next_evaluation_works(dataset: SealedDataset, tmp_path: Path) -> None:
    plan, pipe = dataset.plan(DEEP), tmp_path / "dataset.db"
    os.mkfifo(pipe)
    with WorkerPool(1) as workers:

        def kill_the_reader() -> None:
            with open(pipe, "wb"):  # opens when the worker does
                for pid in workers.pids():
                    os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill_the_reader)
        killer.start()
        with pytest.raises(EnvironmentProblem, match="worker.killed"):
            evaluate(plan, pipe, dataset.keys, workers)
        killer.join()
        contribution = evaluate(plan, dataset.path, dataset.keys, workers)
    assert dataset.opened(plan, contribution) == count(DEEP, ROWS, CATALOGUE)


def test_cancel_before_it_begins(dataset: SealedDataset, pool: WorkerPool) -> None:
    job = Job()
    job.cancel.cancel()
    with pytest.raises(Cancelled):
        evaluate(dataset.plan(BOTH), dataset.path, dataset.keys, pool, job=job)


def test_faults_have_names(dataset: SealedDataset, tmp_path: Path) -> None:
    plan = dataset.plan(BOTH)
    cases: list[tuple[Path, Path, str]] = [
        (tmp_path / "none.db", dataset.keys, "file.not_found"),
        (dataset.path, tmp_path, "file.not_found"),
    ]
    broken = tmp_path / "broken"
    write_keys(dataset.people, broken, [3])
    (broken / relinearization_file(3)).write_bytes(b"\xa1" * 1000)
    cases.append((dataset.path, broken, "crypto.key_file_damaged"))
    for data, keys, code in cases:
        with pytest.raises(ConsiliumError, match=code):
            evaluate(plan, data, keys, Inline())
    with pytest.raises(EnvironmentProblem, match="dataset.damaged"):  # made for another version of the dataset
        evaluate(replace(plan, blocks=4), dataset.path, dataset.keys, Inline())


def test_memory_does_not_grow_with_patients(dataset: SealedDataset) -> None:
    """What is alive at once is one block, however many there are."""

    class Endless:
        """The dataset's blocks, again and again."""

        def __init__(self, source: Columns) -> None:
            self._source = source

        def residue(self, column: int, prime_index: int, block: int) -> NDArray[np.int64]:
            return self._source.residue(column, prime_index, block % 5)

    keys = key_files(dataset.people.parameters, dataset.keys)
    for cohort in (BOTH, DEEP):
        peaks = []
        with DatasetReader(dataset.path, dataset.people.parameters) as reader:
            for blocks in (1, 5, 100):  # the first makes tables that stay
                plan = dataset.plan(cohort)
                plan = replace(plan, blocks=blocks, leaves=(replace(plan.leaves[0], end=blocks),))
                tracemalloc.start()
                worker.whole(plan, Endless(reader), keys)
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
        assert peaks[2] < 1.1 * peaks[1]
