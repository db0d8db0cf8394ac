"""Runs a plan in worker processes: small ones whole in one worker, larger ones cut.

Many results are cut by subtrees of the pack tree, each of which a worker packs into one ciphertext; those that share
products are cut by these, each worker packing its own; few are cut by blocks, whose sums are added up. Stages that
several parts need are computed before, and kept in a file meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from app.core.crypto.ring import Array
from app.core.errors import EnvironmentProblem
from app.core.jobs.job import Job
from app.core.jobs.pool import WorkerPool, map_unordered
from app.core.query import early_nodes, worker
from app.core.query.cost import Costs
from app.core.query.plan import Leaf, Plan
from app.core.query.worker import Partial

STEP = "job.evaluate"
"""Text key of the only step."""

_WHOLE_BELOW = 0.15
"""Plans of fewer seconds run in one worker: handing sums about would cost more than a second worker gains."""
_RANGE_SECONDS = 0.5
_PART_SECONDS = 1.5
"""Parts of the pack tree are longer than ranges of blocks: the nodes above them are one worker's, after the last."""
_IN_FLIGHT = 16
_WORTH_A_SECOND = 0.8
"""A second worker is asked for shares of products if the longer one takes at most so much of the whole."""
_LEAST_OF_A_PART = 4
"""Results that a part of the pack tree has at least."""

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

    ``dataset`` is the dataset file that ``plan`` was made for; ``keys`` the directory of ``public_key.bin``,
    ``relinearization.<k>.seal`` and ``rotation.<k>.seal``; ``noise`` this site's own noise, one integer a place, empty
    for an exact release. Two calls never return the same bytes: each adds a fresh encryption of zero.

    Raises Cancelled; EnvironmentProblem ``worker.killed``, ``dataset.damaged``, ``file.*``,
    ``crypto.key_file_damaged``.
    """
    job = job or Job()
    task = worker.Work(plan, dataset, keys)
    workers = executor.workers if isinstance(executor, WorkerPool) else 1
    parts, ranges = pack_parts(plan, workers), block_ranges(plan, workers)
    if shares := product_shares(plan, workers):
        contribution = _by_shares(executor, task, shares, tuple(noise), job)
    elif parts:
        contribution = _by_parts(executor, task, parts, ranges, tuple(noise), job)
    elif len(ranges) > 1 and worker.fits_memory(plan):
        contribution = _by_blocks(executor, task, ranges, tuple(noise), job)
    else:
        meter = job.meter(STEP, 1)
        contribution = _one(executor, partial(worker.run_all, task), tuple(noise), job)
        meter.advance()
    with suppress(EnvironmentProblem):  # the next evaluation will see for itself that the workers are gone
        for _ in range(workers):  # nobody waits for it; the next evaluation finds its encryption of zero made
            executor.submit(worker.prepare_zero, task)
    return contribution


def _by_blocks(
    executor: Executor, task: worker.Work, ranges: Sequence[tuple[int, int]], noise: tuple[int, ...], job: Job
) -> bytes:
    meter = job.meter(STEP, task.plan.blocks)
    sums: Partial | None = None
    run = partial(worker.run_range, task)
    for (first, end), found in map_unordered(executor, run, ranges, in_flight=_IN_FLIGHT, cancel=job.cancel):
        sums = found if sums is None else tuple(one + other for one, other in zip(sums, found, strict=True))
        meter.advance(end - first)
    return _one(executor, partial(worker.finish, task, noise), sums, job)


def _by_parts(  # noqa: PLR0917 - one evaluation
    executor: Executor,
    task: worker.Work,
    parts: Sequence[tuple[int, int]],
    ranges: Sequence[tuple[int, int]],
    noise: tuple[int, ...],
    job: Job,
) -> bytes:
    """Stages over ranges of blocks, which are kept; then parts of the pack tree; then the last nodes of it."""
    plan = task.plan
    rest = max(plan.seconds - plan.stage_seconds, 1e-9) / len(parts)
    staged = math.ceil(plan.stage_seconds / plan.blocks / rest) if plan.stages else 0
    meter = job.meter(STEP, plan.blocks * staged + len(parts))
    with ExitStack() as undo:
        if plan.stages:
            task = replace(task, kept=undo.enter_context(worker.kept_file(plan)))
            run = partial(worker.run_stages, task)
            for (first, end), _ in map_unordered(executor, run, ranges, in_flight=_IN_FLIGHT, cancel=job.cancel):
                meter.advance((end - first) * staged)
        packed: dict[int, Array | None] = {}
        for (first, _), found in map_unordered(
            executor, partial(worker.run_part, task), parts, in_flight=_IN_FLIGHT, cancel=job.cancel
        ):
            packed[first] = found
            meter.advance()
    return _one(executor, partial(worker.join, task, noise, parts[0][1]), packed, job)


def _by_shares(
    executor: Executor, task: worker.Work, shares: Sequence[Plan], noise: tuple[int, ...], job: Job
) -> bytes:
    meter = job.meter(STEP, len(shares))
    tasks = [replace(task, plan=share) for share in shares]
    packed: list[Array | None] = []
    for _, found in map_unordered(executor, worker.run_share, tasks, in_flight=_IN_FLIGHT, cancel=job.cancel):
        packed.append(found)
        meter.advance()
    return _one(executor, partial(worker.added, task, noise), packed, job)


def product_shares(plan: Plan, workers: int) -> list[Plan]:
    """Return a plan whose leaves share products or rotations cut in two, leaf by leaf, if that is worth a worker more.

    Leaves of one mask stay together, or nodes of the same columns. Packing is linear, so each part packs its leaves at
    their places and both results are added up. Not into more than two: their rotations add to the noise, of which
    :mod:`app.core.query.circuit_noise` allows two for every one.
    """
    if workers == 1 or plan.seconds < _WHOLE_BELOW:
        return []
    if plan.together > 1:
        cut = early_nodes.halves(plan)
    elif any(leaf.shares for leaf in plan.leaves):
        cut = _by_mask(plan)
    else:
        return []
    if not all(cut):
        return []
    costs = Costs()
    shares = [costs.priced(replace(plan, leaves=tuple(sorted(half, key=_place)))) for half in cut]
    whole = costs.priced(plan).seconds
    return shares if max(share.seconds for share in shares) < _WORTH_A_SECOND * whole else []


def _by_mask(plan: Plan) -> tuple[list[Leaf], list[Leaf]]:
    """Return the leaves cut in two, those of one mask together."""
    masks: dict[frozenset[int], list[Leaf]] = {}
    for leaf in plan.leaves:
        masks.setdefault(_stages_of(plan, leaf), []).append(leaf)
    halves: tuple[list[Leaf], list[Leaf]] = ([], [])
    for leaves in sorted(masks.values(), key=len, reverse=True):
        min(halves, key=len).extend(leaves)
    return halves


def _place(leaf: Leaf) -> int:
    return leaf.place


def _stages_of(plan: Plan, leaf: Leaf) -> frozenset[int]:
    finals = {number for number, _, _ in leaf.shares} | ({leaf.final} - {None})
    sources = {source for number in finals if number is not None for source in plan.finals[number].formula.sources}
    return frozenset(source for source in sources if source >= len(plan.columns))


def pack_parts(plan: Plan, workers: int) -> list[tuple[int, int]]:
    """Return the parts of the pack tree, (first place, count), that have leaves; none where blocks are cut instead.

    By parts, stages take their turn first, and the rest runs side by side; by blocks, what follows the last block does
    not. Parts take about a second each, or have few results.
    """
    if plan.results == 1 or plan.seconds < _WHOLE_BELOW:
        return []
    if plan.together > 1 or any(leaf.shares for leaf in plan.leaves):  # parts would share none of them
        return []
    rest = plan.seconds - plan.stage_seconds
    by_blocks = (plan.seconds - plan.result_seconds) / min(workers, plan.blocks) + plan.result_seconds
    by_parts = plan.stage_seconds / min(workers, plan.blocks) + rest / min(workers, len(plan.leaves))
    if by_blocks <= by_parts and worker.fits_memory(plan):
        return []
    size = plan.results
    while True:
        parts = [(first, size) for first in sorted({leaf.place // size * size for leaf in plan.leaves})]
        enough = len(parts) >= workers and (rest / len(parts) <= _PART_SECONDS or size <= _LEAST_OF_A_PART)
        if enough or size == 1:
            return parts
        size //= 2


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
