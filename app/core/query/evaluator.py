"""Runs a plan in worker processes: small ones whole in one worker, larger ones as a map over ranges of blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from app.core.errors import EnvironmentProblem
from app.core.jobs.job import Job
from app.core.jobs.pool import WorkerPool, map_unordered
from app.core.query import worker
from app.core.query.plan import Plan
from app.core.query.worker import Partial

STEP = "job.evaluate"
"""Text key of the only step."""

_WHOLE_BELOW = 0.15
"""Plans of fewer seconds run in one worker: handing sums about would cost more than a second worker gains."""
_RANGE_SECONDS = 0.5
_IN_FLIGHT = 16

T = TypeVar("T")


def evaluate(
    plan: Plan,
    dataset: Path,
    keys: Path,
    executor: Executor,
    noise: Sequence[int] = (),
    job: Job | None = None,
) -> bytes:
    """Return the bytes of this site's contribution: :meth:`app.core.crypto.release.Contribution.to_bytes`.

    ``dataset`` is the dataset file that ``plan`` was made for; ``keys`` the directory of ``public_key.bin`` and
    ``relinearization.<k>.seal``; ``noise`` this site's own noise, one integer a result, empty for an exact release. Two
    calls never return the same bytes: each adds a fresh encryption of zero.

    Raises Cancelled; EnvironmentProblem ``worker.killed``, ``dataset.damaged``, ``file.*``,
    ``crypto.key_file_damaged``.
    """
    job = job or Job()
    meter = job.meter(STEP, plan.blocks)
    task = worker.Work(plan, dataset, keys)
    workers = executor.workers if isinstance(executor, WorkerPool) else 1
    ranges = block_ranges(plan, workers)
    if len(ranges) == 1:
        contribution = _one(executor, partial(worker.run_all, task), tuple(noise), job)
    else:
        sums: Partial | None = None
        run = partial(worker.run_range, task)
        for (first, end), part in map_unordered(executor, run, ranges, in_flight=_IN_FLIGHT, cancel=job.cancel):
            sums = part if sums is None else sums + part
            meter.advance(end - first)
        contribution = _one(executor, partial(worker.finish, task, tuple(noise)), sums, job)
    with suppress(EnvironmentProblem):  # the next evaluation will see for itself that the workers are gone
        for _ in range(workers):  # nobody waits for it; the next evaluation finds its encryption of zero made
            executor.submit(worker.prepare_zero, task)
    meter.advance(plan.blocks if len(ranges) == 1 else 0)
    return contribution


def block_ranges(plan: Plan, workers: int) -> list[tuple[int, int]]:
    """Return how the blocks are cut into tasks: [first, end) each, nearly equal.

    One task where it is short; otherwise a multiple of ``workers``, each about half a second.
    """
    if plan.seconds < _WHOLE_BELOW or plan.blocks == 1:
        return [(0, plan.blocks)]
    rounds = max(1, math.ceil(plan.seconds / workers / _RANGE_SECONDS))
    count = min(plan.blocks, rounds * workers)
    ends = [plan.blocks * place // count for place in range(count + 1)]
    return list(pairwise(ends))


def _one(executor: Executor, function: Callable[[T], bytes], argument: T, job: Job) -> bytes:
    """Run one task; cancelling kills its worker."""
    [(_, result)] = map_unordered(executor, function, [argument], in_flight=1, cancel=job.cancel)
    return result
