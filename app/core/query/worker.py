"""What runs in a worker process: parts of a plan, and the end of it. Only here does evaluation meet SEAL.

Memory is constant in the number of patients and of results: one block's columns, the registers of one block and the
sums of one batch of results are alive.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.core.crypto import ring
from app.core.crypto.packing import pack_part
from app.core.crypto.parameters import get
from app.core.crypto.release import make_contribution
from app.core.crypto.ring import Array
from app.core.crypto.seal import Handle, context
from app.core.errors import EnvironmentProblem
from app.core.query.circuit_noise import PATTERNS
from app.core.query.keys import KeyFiles, key_files
from app.core.query.plan import Plan
from app.core.query.sums import LeafSum, batch_size, joined, packed, summed
from app.core.query.values import Columns, Kept, keep_stages, recentring
from app.core.store.dataset_file import DatasetReader


@dataclass(frozen=True)
class Work:
    """One piece of work on a dataset file; ``kept`` is the file of the stages' values, if there is one."""

    plan: Plan
    dataset: Path
    keys: Path
    kept: Path | None = None


Partial = tuple[LeafSum, ...]
"""The sums of all leaves over some blocks."""


# --- tasks --------------------------------------------------------------------------------------------------------


def start(parameters: str, keys: Path, levels: Iterable[int]) -> None:
    """Load what every job needs: contexts, keys, tables of the fields, an encryption of zero."""
    named = get(parameters)
    for level in levels:
        key_files(named, keys).relinearization(level)
        ring.fields(named, named.data_primes[:level])
        for prime in range(level):
            for number in range(PATTERNS):
                recentring(named, prime, number)
        key_files(named, keys).prepare_zero(level)


def run_all(work: Work, noise: tuple[int, ...]) -> bytes:
    """Compute the whole plan and return the contribution's bytes."""
    plan, keys = work.plan, key_files(work.plan.parameters, work.keys)
    with _reader(work) as reader:
        return contribution(plan, _all_packed(plan, reader, keys), keys, noise)


def run_share(work: Work) -> Array | None:
    """Compute a plan that has some of another's leaves; several such are :func:`added`."""
    plan = work.plan
    with _reader(work) as reader:
        handle = _all_packed(plan, reader, key_files(plan.parameters, work.keys))
    return None if handle is None else context(plan.parameters, plan.release_level).read(handle)


def run_stages(work: Work, blocks: tuple[int, int]) -> None:
    """Compute the stages of the blocks [first, end) and keep them."""
    plan = work.plan
    with _reader(work) as reader:
        keep_stages(plan, reader, key_files(plan.parameters, work.keys), _file(work), range(*blocks))


def run_range(work: Work, blocks: tuple[int, int]) -> Partial:
    """Compute all leaves over the blocks [first, end) of the plan and return their sums."""
    plan = work.plan
    with _reader(work) as reader:
        return tuple(summed(plan, reader, key_files(plan.parameters, work.keys), plan.leaves, range(*blocks)))


def run_part(work: Work, part: tuple[int, int]) -> Array | None:
    """Compute the leaves at the places of a part, (first, count), over all blocks, packed; None if there are none."""
    plan, kept = work.plan, None if work.kept is None else _file(work)
    with _reader(work) as reader:
        handle = packed(plan, reader, key_files(plan.parameters, work.keys), part, kept)
    return None if handle is None else context(plan.parameters, plan.release_level).read(handle)


def finish(work: Work, noise: tuple[int, ...], partial: Partial) -> bytes:
    """Return the contribution's bytes from the sums over all blocks."""
    plan, keys = work.plan, key_files(work.plan.parameters, work.keys)
    return contribution(plan, joined(plan, plan.leaves, partial, keys, (0, plan.results)), keys, noise)


def added(work: Work, noise: tuple[int, ...], shares: Sequence[Array | None]) -> bytes:
    """Return the contribution's bytes from the packed shares of a plan."""
    plan, keys = work.plan, key_files(work.plan.parameters, work.keys)
    seal = context(plan.parameters, plan.release_level)
    total: Handle | None = None
    for share in shares:
        if share is not None:
            handle = seal.load(share)
            total = handle if total is None else seal.accumulate(total, handle)
    return contribution(plan, total, keys, noise)


def join(work: Work, noise: tuple[int, ...], size: int, parts: Mapping[int, Array | None]) -> bytes:
    """Return the contribution's bytes from the packed parts of ``size`` places, by their first one."""
    plan, keys = work.plan, key_files(work.plan.parameters, work.keys)
    seal = context(plan.parameters, plan.release_level)

    def piece(first: int) -> Handle | None:
        found = parts.get(first)
        return None if found is None else seal.load(found)

    return contribution(
        plan, pack_part(seal, keys.rotation(plan.results, size), piece, (0, plan.results), size), keys, noise
    )


def prepare_zero(work: Work) -> None:
    """Make the next job's encryption of zero while nobody waits."""
    key_files(work.plan.parameters, work.keys).prepare_zero(work.plan.release_level)


def keeps(plan: Plan) -> bool:
    """Whether the leaves are too many to be summed while the stages of each block are computed."""
    return bool(plan.stages) and plan.together == 1 and batch_size(plan, staged=True) < plan.results


def fits_memory(plan: Plan) -> bool:
    """Whether the sums of all leaves may be alive at once."""
    return batch_size(plan, staged=bool(plan.stages)) >= plan.results


@contextmanager
def kept_file(plan: Plan) -> Iterator[Path]:
    """Give a private file for the values of the plan's stages, and remove it."""
    with tempfile.TemporaryDirectory(prefix="consilium-") as directory:
        path = Path(directory) / "stages"
        Kept(plan, path).create()
        yield path


@contextmanager
def _kept(plan: Plan) -> Iterator[Kept]:
    with kept_file(plan) as path:
        yield Kept(plan, path)


def _file(work: Work) -> Kept:
    if work.kept is None:
        raise ValueError("no file for stages")
    return Kept(work.plan, work.kept)


@contextmanager
def _reader(work: Work) -> Iterator[DatasetReader]:
    """Open the dataset that the plan was made for."""
    with DatasetReader(work.dataset, work.plan.parameters) as reader:
        header = reader.header
        found = header.residues, header.blocks, header.columns_per_ciphertext
        if found != (work.plan.stored, work.plan.blocks, work.plan.columns_per_ciphertext):
            raise EnvironmentProblem("dataset.damaged", path=str(work.dataset))
        yield reader


# --- the end ------------------------------------------------------------------------------------------------------


def contribution(plan: Plan, total: Handle | None, keys: KeyFiles, noise: Sequence[int]) -> bytes:
    """Return the contribution's bytes of the packed ciphertext; None is zero everywhere."""
    zero = keys.take_zero(plan.release_level)
    return make_contribution(plan.parameters, ciphertext(plan, total), plan.results, noise, zero).to_bytes()


def ciphertext(plan: Plan, total: Handle | None) -> Array:
    """Return a ciphertext at the release level as an array, shape (2, level, N)."""
    if total is None:
        return np.zeros((2, plan.release_level, plan.parameters.ring_degree), np.int64)
    return context(plan.parameters, plan.release_level).read(total)


def whole(plan: Plan, columns: Columns, keys: KeyFiles) -> Array:
    """Return the result's ciphertext at the release level: noise at most the plan's bound."""
    return ciphertext(plan, _all_packed(plan, columns, keys))


def _all_packed(plan: Plan, columns: Columns, keys: KeyFiles) -> Handle | None:
    with _kept(plan) if keeps(plan) else nullcontext() as kept:
        if kept is not None:
            keep_stages(plan, columns, keys, kept, range(plan.blocks))
        return packed(plan, columns, keys, (0, plan.results), kept)
