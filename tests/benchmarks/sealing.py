"""``python -m tests.benchmarks.sealing``: what sealing costs beyond SEAL's encryption calls, and how much memory.

At production parameters, in one run: the encryption calls alone on all cores and the whole sealing take turns in the
same pool, and the ratio is taken turn by turn, because machines are noisy. ``--memory PATIENTS`` measures one size in a
process of its own, so that its peak is its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tenseal import sealapi

from app.core.catalogue.model import PRESENT, PRESENT_MEANING
from app.core.crypto.identity import MemberKey
from app.core.crypto.parameters import STANDARD_1
from app.core.jobs.pool import WorkerPool, available_cores, map_unordered
from app.core.preparation import encrypting
from app.core.preparation.encrypting import Task, begin_worker
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.problems import Problems
from app.core.preparation.sealing import Target, in_flight, seal_table, worker_arguments
from app.core.preparation.table import ClearTable
from app.core.secret import SecretBytes
from app.core.store.documents import SealedColumn
from tests.benchmarks.timing import Measurement, Report
from tests.crypto_parties import Parties

WANTED = 130
"""Per cent of what the encryption calls alone take."""


def made_up(patients: int, width: int) -> ClearTable:
    """Return a clear table of random values: every tenth column holds digits."""
    columns = [SealedColumn(PRESENT.variable, PRESENT_MEANING, PRESENT.part)]
    planes = [np.ones(patients, np.uint8)]
    draw = np.random.default_rng(1)
    for number in range(1, width):
        digits = number % 10 == 9
        columns.append(SealedColumn(f"v{number - digits}", bytes(32), "digit:0" if digits else "has"))
        planes += [draw.integers(0, 2, patients, np.uint8) for _ in range(5 if digits else 1)]
    packed = np.stack([np.packbits(plane) for plane in planes])
    return ClearTable(tuple(columns), packed, patients, patients, 0, Problems(), (), (), ())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sealing", description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--residues", type=int, nargs="*", default=[5, 6, 7])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--memory", type=int, metavar="PATIENTS", help="only seal so many patients, and say the peak")
    options = parser.parse_args()
    if options.memory is not None:
        print(peak(options.memory, columns=12))
        return
    report = Report(options.turns)
    for residues in options.residues:
        speed(report, made_up(options.patients, options.columns), residues, options.turns)
    for patients in (20_000, 100_000, 400_000):
        command = [sys.executable, "-m", "tests.benchmarks.sealing", "--memory", str(patients)]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        report.add(Measurement(f"peak memory of the preparing process, {patients} patients", (float(found[0]),), "MB"))
        report.add(Measurement(f"peak memory of a worker, {patients} patients", (float(found[1]),), "MB"))


def speed(report: Report, table: ClearTable, residues: int, turns: int) -> None:
    """Measure the encryption calls alone, SEAL's two calls alone, and the sealing, in turn."""
    workers, name = available_cores(), f"{residues} residues"
    times: dict[str, list[tuple[float, float]]] = {"seal": [], "calls": [], "sealing": []}
    with tempfile.TemporaryDirectory(prefix="consilium-benchmark-") as directory:
        target, output = a_target(residues), Path(directory) / "made-up.consilium"
        with WorkerPool(workers, begin_worker, worker_arguments(target)) as pool:
            whole = partial(_seal, table, target, output, pool)
            seal_alone, calls_alone = (partial(_alone, each, table, pool) for each in (seal_only, calls_only))
            _alone(calls_only, made_up(20_000, 20), pool)  # both workers are up
            for _ in range(turns):
                for what, run in (("seal", seal_alone), ("calls", calls_alone), ("sealing", whole)):
                    output.unlink(missing_ok=True)
                    times[what].append(_timed(run, pool))
            size = output.stat().st_size / table.patients / len(table.columns)
    for what, label in (
        ("seal", "encode and encrypt in SEAL alone"),
        ("calls", "encryption calls alone"),
        ("sealing", "sealing"),
    ):
        report.add(Measurement(f"{label}, {name}", tuple(wall for wall, _ in times[what])))
    for what, label in (("calls", "the encryption calls"), ("seal", "SEAL alone")):
        for place, kind in ((0, "time"), (1, "processor time")):
            pairs = zip(times["sealing"], times[what], strict=True)
            ratios = tuple(100 * ours[place] / theirs[place] for ours, theirs in pairs)
            wanted = WANTED if what == "calls" else None
            report.add(Measurement(f"sealing / {label}, {kind}, {name}", ratios, "%", wanted))
    report.add(Measurement(f"bytes per patient and column, {name}", (size,), "B"))


def peak(patients: int, columns: int) -> str:
    """Seal so many patients and return the peak memory of this process and of its workers, in MB."""
    with tempfile.TemporaryDirectory(prefix="consilium-benchmark-") as directory:
        target = a_target(5)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with WorkerPool(available_cores(), begin_worker, worker_arguments(target)) as pool:
            _seal(made_up(patients, columns), target, Path(directory) / "made-up.consilium", pool)
    own, workers = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return f"{own / 1024:.0f} {workers / 1024:.0f} {before / 1024:.0f}"


def a_target(residues: int) -> Target:
    """Return whom the packages are for: a federation whose secrets the tests know."""
    people = Parties(STANDARD_1, 2, 2)
    site = MemberKey.from_root(SecretBytes(b"r" * 32))
    return Target(bytes(32), bytes(32), bytes(32), STANDARD_1, people.public_key, site.public, residues)


def calls_only(task: Task) -> None:
    """Encrypt as the sealing does, and throw the result away; runs in a worker."""
    parameters, encryptor, _ = encrypting._workers[0]
    encryptor.encrypt(_slots(task, parameters.slots))


def seal_only(task: Task) -> None:
    """Have SEAL encode and encrypt, and leave the result in SEAL; runs in a worker."""
    parameters, encryptor, _ = encrypting._workers[0]
    plain, ciphertext = sealapi.Plaintext(), sealapi.Ciphertext(encryptor._context.seal)
    encryptor._encoder.encode(_slots(task, parameters.slots)[encryptor._order].tolist(), plain)
    encryptor._encryptor.encrypt(plain, ciphertext)


def _slots(task: Task, count: int) -> NDArray[np.int64]:
    slots = np.zeros(count, np.int64)
    slots[: len(task.values)] = np.frombuffer(task.values, np.uint8)
    return slots


def _alone(function: Callable[[Task], None], table: ClearTable, pool: WorkerPool) -> None:
    for _ in map_unordered(pool, function, _tasks(table), in_flight=in_flight(pool.workers)):
        pass


def _tasks(table: ClearTable) -> Iterator[Task]:
    slots = STANDARD_1.slots
    for column in range(len(table.columns)):
        values = table.values(column)
        for block in range(-(-table.patients // slots)):
            yield Task(column, block, (values[block * slots : (block + 1) * slots].tobytes(),))


def _seal(table: ClearTable, target: Target, output: Path, pool: WorkerPool) -> None:
    preparer = PreparerKey(SecretBytes(b"p" * 32))
    flying = in_flight(pool.workers)
    seal_table(table, target, output, preparer=preparer, executor=pool, in_flight=flying, now=1)


def _timed(run: Callable[[], None], pool: WorkerPool) -> tuple[float, float]:
    """Return seconds on the clock, and seconds of processor time of this process and its workers."""
    began, used = time.perf_counter(), _processor_time(pool)
    run()
    return time.perf_counter() - began, _processor_time(pool) - used


def _processor_time(pool: WorkerPool) -> float:
    ticks = 0
    for process in (os.getpid(), *pool.pids()):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
