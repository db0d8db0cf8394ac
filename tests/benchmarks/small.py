"""Small cohorts at production parameters: sealing with many columns a ciphertext, and questions about them.

``python -m tests.benchmarks.small`` prints what is reached beside what is wanted; it takes about a minute.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np

from app.core.catalogue.model import PRESENT, PRESENT_MEANING, Catalogue, Kind, Label, Variable
from app.core.catalogue.scales import Periods
from app.core.crypto.identity import MemberKey
from app.core.crypto.parameters import MOST_COLUMNS, STANDARD_1
from app.core.jobs.pool import WorkerPool, available_cores
from app.core.preparation.encrypting import begin_worker
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.problems import Problems
from app.core.preparation.sealing import Target, in_flight, seal_table, worker_arguments
from app.core.preparation.table import ClearTable
from app.core.query import worker
from app.core.query.analyses import Analysis, Count, Grouping, Survival
from app.core.query.evaluator import evaluate
from app.core.query.model import All, Cohort, Flag, Query
from app.core.query.plan import Plan
from app.core.query.planner import Openers, make_plan
from app.core.secret import SecretBytes
from app.core.store.documents import Header, SealedColumn
from tests.benchmarks.timing import Measurement, Report
from tests.crypto_parties import Parties
from tests.sealed_datasets import shape_of, write_extraction_keys, write_keys

PERIODS, COLUMNS = 60, 500
CATALOGUE = Catalogue(
    "Small",
    1,
    (
        Variable("os", Kind.SURVIVAL, Label("Survival"), periods=Periods(Decimal(30), PERIODS)),
        *(Variable(f"f{place}", Kind.FLAG, Label(f"f{place}")) for place in range(COLUMNS - 1 - 2 * PERIODS)),
    ),
)
EVERYBODY_BY_F0 = Survival("os", Grouping("f0"))
QUESTIONS: tuple[tuple[str, Cohort, Analysis, float | None], ...] = (
    ("count(f0)", Flag("f0"), Count(), None),
    *(
        (f"count: and of {terms}", All(tuple(Flag(f"f{place}") for place in range(terms))), Count(), None)
        for terms in (2, 4, 8)
    ),
    (f"Kaplan–Meier {PERIODS} × 2", All(()), EVERYBODY_BY_F0, 0.2),
    (f"Kaplan–Meier {PERIODS} × 2 in a cohort", Flag("f1"), EVERYBODY_BY_F0, None),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    report = Report(options.turns)
    people = Parties(STANDARD_1, 3, 2)
    with tempfile.TemporaryDirectory(prefix="consilium-benchmark-") as name:
        directory = Path(name)
        keys = write_keys(people, directory / "keys", range(3, 9))
        write_extraction_keys(people, keys)
        sealed(report, people, 228, directory, options.turns, wanted=True)
        path, header = sealed(report, people, 256, directory, 1, wanted=False)
        shape = shape_of(header, people)
        with WorkerPool(available_cores()) as pool:
            for label, cohort, analysis, wanted in QUESTIONS:
                plan = make_plan(Query(cohort, analysis), CATALOGUE, shape, Openers(3, 2), blocks=(1,))
                cells = f"{label}, 256 patients, {len(plan.leaves)} results"
                one, all_ = alone(plan, path, keys), together(plan, path, keys, pool)
                for what, run in (("one worker", one), (f"{pool.workers} workers", all_)):
                    run()  # keys are loaded
                    times = tuple(timed(run) for _ in range(options.turns))
                    report.add(Measurement(f"{cells}, {what}", times, wanted=wanted))
                report.add(Measurement(f"{label}, forecast", (plan.seconds,)))


def sealed(
    report: Report, people: Parties, patients: int, directory: Path, turns: int, *, wanted: bool
) -> tuple[Path, Header]:
    """Seal a table of made-up bits and measure it."""
    site = MemberKey.from_root(SecretBytes(b"r" * 32))
    target = Target(
        bytes(32), bytes(32), bytes(32), STANDARD_1, people.public_key, site.public, 8, sharing=MOST_COLUMNS
    )
    table, path, preparer = made_up(patients), directory / f"{patients}.consilium", PreparerKey(SecretBytes(b"p" * 32))
    times = []
    count = available_cores()
    with WorkerPool(count, begin_worker, worker_arguments(target)) as pool:
        for turn in range(turns + 1):  # the workers begin in the first
            path.unlink(missing_ok=True)
            began = time.perf_counter()
            header = seal_table(
                table, target, path, preparer=preparer, executor=pool, in_flight=in_flight(count), now=1
            )
            if turn:
                times.append(time.perf_counter() - began)
    name = f"sealing {patients} patients × {COLUMNS} columns, 8 residues"
    report.add(Measurement(name, tuple(times), wanted=1.0 if wanted else None))
    report.add(Measurement(f"{name}: size", (path.stat().st_size / 1e6,), "MB", 15.0 if wanted else None))
    return path, header


def made_up(patients: int) -> ClearTable:
    """Return a table of random bits; everybody has at most one period of survival."""
    random = np.random.default_rng(1)
    names = [PRESENT, *(column for variable in CATALOGUE for column in variable.columns)]
    bits = random.integers(0, 2, (len(names), patients), np.uint8)
    bits[0] = 1
    ends = random.integers(0, 2 * PERIODS, patients)
    bits[1 : 1 + 2 * PERIODS] = np.arange(2 * PERIODS)[:, None] == ends
    meanings = {PRESENT.variable: PRESENT_MEANING, **{each.code: CATALOGUE.meaning(each.code) for each in CATALOGUE}}
    return ClearTable(
        columns=tuple(SealedColumn(each.variable, meanings[each.variable], each.part) for each in names),
        planes=np.packbits(bits, axis=1),
        patients=patients,
        rows=patients,
        refused_rows=0,
        problems=Problems(),
        variables=tuple(each.code for each in CATALOGUE),
        left_out=(),
        unused_columns=(),
    )


def alone(plan: Plan, path: Path, keys: Path) -> Callable[[], object]:
    return lambda: worker.run_all(worker.Work(plan, path, keys), ())


def together(plan: Plan, path: Path, keys: Path, pool: WorkerPool) -> Callable[[], object]:
    return lambda: evaluate(plan, path, keys, pool)


def timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
