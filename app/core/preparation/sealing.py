"""Seal a table into a package: a map over (column, block) tasks handed to an executor, then one signed file.

Patients fill blocks of N slots in a secret random order; unused slots are zero. Where they are few, up to 64 columns
share a ciphertext, with N/64 slots each. A task carries the values of one block of one column (or of those that share
its ciphertext) to a worker (which was given parameter set and public key once) and brings back its residues as packed
blobs, and their hash. Few tasks are under way at a time, so memory does not grow with the number of patients. What is
sealed goes into a :class:`WorkFile`, so that a preparation which was killed goes on where it stopped; when it is whole
it takes the output's name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

from app.core.catalogue.model import Column
from app.core.crypto.identity import MemberPublicKey
from app.core.crypto.parameters import ParameterSet
from app.core.errors import Bug, EnvironmentProblem, ProtocolViolation, UserError
from app.core.files import disk_problems
from app.core.jobs.job import Job
from app.core.jobs.pool import map_unordered
from app.core.preparation.encrypting import Task, seal_block
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.report import make_report
from app.core.preparation.work_file import WorkFile, remove_finished, work_path
from app.core.secret import SecretBytes
from app.core.store.dataset_file import stored_size
from app.core.store.documents import REPORT_PURPOSE, Header, Manifest
from app.core.store.package import open_package

if TYPE_CHECKING:
    from app.core.preparation.table import ClearTable


@dataclass(frozen=True)
class Target:
    """Whom a package is for: the federation (id, transcript hash, catalogue hash, parameter set, collective key in the
    format of ``pack_polynomials``), the site's member key, and how many residues to keep (5 serve 4 terms).

    ``sharing`` is how many columns may share a ciphertext at most: 1 if the federation has no keys to extract them.
    """

    federation: bytes
    transcript: bytes
    catalogue: bytes
    parameters: ParameterSet
    public_key: bytes
    site: MemberPublicKey
    residues: int
    sharing: int = 1


def sharing_of(target: Target, patients: int) -> int:
    """Return how many columns of a table of so many patients share a ciphertext."""
    return min(target.sharing, target.parameters.columns_per_ciphertext(patients))


def worker_arguments(target: Target) -> tuple[str, bytes, int]:
    """Return the arguments of :func:`.encrypting.begin_worker`."""
    return target.parameters.name, target.public_key, target.residues


def in_flight(workers: int) -> int:
    """Return how many blocks to have under way: enough that no worker waits while what came is made safe on the disk.

    A block takes one to two megabytes of memory while it is under way.
    """
    return 2 * workers + 16


def seal_table(
    table: ClearTable,
    target: Target,
    output: Path,
    *,
    preparer: PreparerKey,
    executor: Executor,
    in_flight: int,
    now: int,
    job: Job | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> Header:
    """Seal ``table`` into a package at ``output`` and return its header.

    ``executor``'s workers were begun with :func:`.encrypting.begin_worker`. Raises UserError ``prepare.output_exists``,
    ``prepare.bad_residues`` and as :meth:`WorkFile.open`; EnvironmentProblem ``disk.*``, ``worker.killed``; Cancelled.
    After any of them, and after a crash, the same call goes on with what was sealed.
    """
    job = job or Job()
    refuse_existing(output)
    if not 2 <= target.residues <= target.parameters.levels:
        raise UserError("prepare.bad_residues", residues=target.residues, most=target.parameters.levels)
    header = _header(table, target, dataset=random(16), now=now)
    with WorkFile.open(
        work_path(output), header, table, public_key=target.public_key, preparer=preparer, random=random
    ) as work:
        tasks = work.header.groups * work.header.blocks
        _check_space(output, (tasks - work.done) * stored_size(target.parameters, target.residues))
        meter = job.meter("data.step.sealing", tasks, work.done)
        pending = _tasks(table, work, target.parameters.slots)
        for task, sealed in map_unordered(executor, seal_block, pending, in_flight=in_flight, cancel=job.cancel):
            work.put(task.group, task.block, sealed)
            meter.advance()
        report = target.site.seal_to(
            REPORT_PURPOSE, make_report(table, work.header.dataset, work.header.created), work.header.hash
        )
        _finish(output, work, report, preparer, job)
        return work.header


def refuse_existing(output: Path) -> None:
    """Raise UserError ``prepare.output_exists`` if ``output`` is there; the work file it was made of goes now, in case
    the process was killed before it could remove it."""
    if output.exists():
        with suppress(ProtocolViolation), open_package(output) as package:
            remove_finished(work_path(output), package.header.dataset)
        raise UserError("prepare.output_exists", path=str(output))


def patient_order(seed: SecretBytes, patients: int) -> NDArray[np.intp]:
    """Return a uniformly random order of ``patients``: slot i gets patient ``order[i]``.

    Patients are sorted by 128 bits each of the AES-256-CTR key stream under ``seed``; two equal keys, which would be
    the only bias, have probability below 2^-80 for a million patients.
    """
    stream = Cipher(AES256(seed.reveal()), CTR(bytes(16))).encryptor().update(bytes(16 * patients))
    keys = np.frombuffer(stream, "<u8").reshape(patients, 2)
    return np.lexsort(keys.T)


def _header(table: ClearTable, target: Target, dataset: bytes, now: int) -> Header:
    sharing = sharing_of(target, table.patients)
    return Header(
        federation=target.federation,
        transcript=target.transcript,
        catalogue=target.catalogue,
        dataset=dataset,
        parameters=target.parameters.name,
        residues=target.residues,
        blocks=-(-table.patients // target.parameters.slots),
        columns=table.columns,
        created=now,
        columns_per_ciphertext=sharing,
    )


def _tasks(table: ClearTable, work: WorkFile, slots: int) -> Iterator[Task]:
    """Yield what is still to be sealed, column after column, or group after group of those that share a ciphertext."""
    order, sharing = patient_order(work.order_seed, table.patients), work.header.columns_per_ciphertext
    for group in range(work.header.groups):
        missing = [block for block in range(work.header.blocks) if not work.has(group, block)]
        if not missing:
            continue
        first = group * sharing
        columns = [_values(table, column)[order] for column in range(first, min(first + sharing, len(table.columns)))]
        for block in missing:
            patients = slice(block * slots, (block + 1) * slots)
            yield Task(group, block, tuple(values[patients].tobytes() for values in columns), sharing)


def _values(table: ClearTable, column: int) -> NDArray[np.uint8]:
    values = table.values(column)
    sealed = table.columns[column]
    if values.max(initial=0) >= Column(sealed.variable, sealed.part).bound:  # sums count on it
        raise Bug("prepare.value_out_of_bound", variable=sealed.variable, part=sealed.part)
    return values


def _finish(output: Path, work: WorkFile, report: bytes, preparer: PreparerKey, job: Job) -> None:
    meter = job.meter("data.step.writing", work.header.groups)
    hashes = []
    for group in range(work.header.groups):
        hashes.append(work.digests(group))
        meter.advance()
    manifest = Manifest(
        header=hashlib.sha256(work.header.encode()).digest(),
        report=hashlib.sha256(report).digest(),
        blocks=tuple(hashes),
        preparer=preparer.public,
    ).encode()
    work.finish(output, {"manifest": manifest, "signature": preparer.sign(manifest), "report": report})


def _check_space(output: Path, needed: int) -> None:
    """Refuse to begin what cannot end. Raises EnvironmentProblem ``disk.too_small``."""
    with disk_problems(output):
        free = shutil.disk_usage(output.parent).free
    if needed > free:
        raise EnvironmentProblem("disk.too_small", path=str(output.parent), needed=needed >> 20, free=free >> 20)
