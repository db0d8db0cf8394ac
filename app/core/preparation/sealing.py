"""Seal a table into a package: a map over (column, block) tasks handed to an executor, then one sorted, signed file.

Patients fill blocks of N slots in a secret random order; unused slots are zero. A task carries the packed bits of one
block of one column to a worker (which was given parameter set and public key once) and brings back its residues as
packed blobs. Few tasks are under way at a time, so memory does not grow with the number of patients. What was
sealed is kept in a :class:`WorkFile`, so that a preparation which was killed goes on where it stopped.

At the end the residues are read once in the order of their ids, hashed for the manifest and written to a new file,
which takes the output's name when it is whole.
"""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

from app.core.crypto.format import residue_size
from app.core.crypto.identity import MemberPublicKey
from app.core.crypto.parameters import ParameterSet
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.files import disk_problems, replacing
from app.core.jobs.job import Job, Meter
from app.core.jobs.pool import map_unordered
from app.core.preparation.encrypting import Task, seal_block
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.report import make_report
from app.core.preparation.table import ClearTable
from app.core.preparation.work_file import WorkFile, remove_finished, work_path
from app.core.secret import SecretBytes
from app.core.store.dataset_file import open_for_writing, residue_id
from app.core.store.documents import REPORT_PURPOSE, Header, Manifest
from app.core.store.package import open_package
from app.core.store.problems import database_problems


@dataclass(frozen=True)
class Target:
    """Whom a package is for: the federation (id, transcript hash, catalogue hash, parameter set, collective key in the
    format of ``pack_polynomials``), the site's member key, and how many residues to keep (5 serve 4 terms)."""

    federation: bytes
    transcript: bytes
    catalogue: bytes
    parameters: ParameterSet
    public_key: bytes
    site: MemberPublicKey
    residues: int


def worker_arguments(target: Target) -> tuple[str, bytes, int]:
    """Return the arguments of :func:`.encrypting.begin_worker`."""
    return target.parameters.name, target.public_key, target.residues


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
        for half_written in output.parent.glob(f".{glob.escape(output.name)}.*.part"):  # by a process that was killed
            half_written.unlink()
        tasks = len(work.header.columns) * work.header.blocks
        done = work.count()
        _check_space(output, (2 * tasks - done) * target.residues * residue_size(target.parameters))
        meter = job.meter("data.step.sealing", tasks, done)
        pending = _tasks(table, work, target.parameters.slots)
        for task, blobs in map_unordered(executor, seal_block, pending, in_flight=in_flight, cancel=job.cancel):
            work.put(task.column, task.block, blobs)
            meter.advance()
        report = target.site.seal_to(
            REPORT_PURPOSE, make_report(table, work.header.dataset, work.header.created), work.header.hash
        )
        _write_package(output, work, report, preparer, job)
        work.remove()
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
    )


def _tasks(table: ClearTable, work: WorkFile, slots: int) -> Iterator[Task]:
    """Yield what is still to be sealed, column after column."""
    order = patient_order(work.order_seed, table.patients)
    for column in range(len(table.columns)):
        missing = [block for block in range(work.header.blocks) if not work.has(column, block)]
        if not missing:
            continue
        bits = table.column(column)[order]
        for block in missing:
            part = np.zeros(slots, np.uint8)
            filled = bits[block * slots : (block + 1) * slots]
            part[: len(filled)] = filled
            yield Task(column, block, np.packbits(part).tobytes())


def _write_package(output: Path, work: WorkFile, report: bytes, preparer: PreparerKey, job: Job) -> None:
    columns = len(work.header.columns)
    meter = job.meter("data.step.writing", columns)
    with replacing(output) as temporary:  # noqa: SIM117 - the inner one closes the file before the outer renames it
        with closing(open_for_writing(temporary, durable=False)) as connection, database_problems(temporary):
            connection.execute("BEGIN")
            hashes = tuple(_copy_column(connection, work, column, meter) for column in range(columns))
            header = work.header.encode()
            manifest = Manifest(
                header=hashlib.sha256(header).digest(),
                report=hashlib.sha256(report).digest(),
                blocks=hashes,
                preparer=preparer.public,
            ).encode()
            documents = {
                "header": header,
                "manifest": manifest,
                "signature": preparer.sign(manifest),
                "report": report,
            }
            connection.executemany("INSERT INTO document VALUES (?, ?)", documents.items())
            connection.execute("COMMIT")


def _copy_column(connection: sqlite3.Connection, work: WorkFile, column: int, meter: Meter) -> bytes:
    """Copy one column's residues in the order of their ids; return its blocks' hashes one after the other."""
    header = work.header
    hashes = [hashlib.sha256() for _ in range(header.blocks)]
    for prime in range(header.residues):
        for block in range(header.blocks):
            blob = work.get(column, prime, block)
            hashes[block].update(blob)
            connection.execute("INSERT INTO residue VALUES (?, ?)", (residue_id(column, prime, block), blob))
    meter.advance()
    return b"".join(each.digest() for each in hashes)


def _check_space(output: Path, needed: int) -> None:
    """Refuse to begin what cannot end. Raises EnvironmentProblem ``disk.too_small``."""
    with disk_problems(output):
        free = shutil.disk_usage(output.parent).free
    if needed > free:
        raise EnvironmentProblem("disk.too_small", path=str(output.parent), needed=needed >> 20, free=free >> 20)
