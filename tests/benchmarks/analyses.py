"""Analyses with many numbers, a relation in time, large counts, and plans that could have been others.

``python -m tests.benchmarks.analyses [--quick]`` measures these alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from app.core.catalogue.model import PRESENT, PRESENT_MEANING, Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import Periods
from app.core.crypto.parameters import STANDARD_1
from app.core.jobs.pool import WorkerPool
from app.core.query import worker
from app.core.query.analyses import Analysis, Breakdown, Count, Grouping, Survival, Table
from app.core.query.evaluator import evaluate
from app.core.query.model import EVERYONE, All, Before, Cohort, Flag, Moment, Query
from app.core.query.plan import DatasetShape, Plan
from app.core.query.planner import Openers, make_plan, ways
from app.core.store.documents import SealedColumn
from tests.benchmarks.probes import peak_megabytes
from tests.benchmarks.timing import Measurement, Report
from tests.crypto_parties import Parties
from tests.sealed_datasets import seal_columns, write_keys

PERIODS = Periods(Decimal(30), 60)


def _category(code: str, levels: int) -> Variable:
    return Variable(
        code, Kind.CATEGORY, Label(code), levels=tuple(Level(f"l{i}", Label(f"l{i}")) for i in range(levels))
    )


CATALOGUE = Catalogue(
    "Benchmark",
    1,
    (
        *(Variable(f"f{i}", Kind.FLAG, Label(f"f{i}")) for i in range(16)),
        _category("sex", 2),
        _category("row", 10),
        _category("column", 10),
        Variable("os", Kind.SURVIVAL, Label("os"), periods=PERIODS),
        Variable("relapse", Kind.EVENT, Label("relapse"), periods=PERIODS),
        Variable("drug", Kind.EVENT, Label("drug"), periods=PERIODS),
    ),
)
FLAGS = tuple(Flag(f"f{i}") for i in range(16))
FOLLOW_UP = Survival("os", Grouping("sex"))
TABLE = Table(Grouping("row"), Grouping("column"))
RELATION = Before(Moment("first", "relapse"), Moment("last", "drug"))


class Site:
    """A site whose datasets are sealed as questions need them: columns of bits that exclude one another."""

    def __init__(self, people: Parties, keys: Path, directory: Path) -> None:
        self.people = people
        self.keys = keys
        self._directory = directory
        self._random = np.random.default_rng(1)

    def seal(self, codes: Iterable[str], blocks: int, residues: int) -> tuple[Path, DatasetShape, Catalogue]:
        """Seal the variables with these codes."""
        catalogue = replace(CATALOGUE, variables=tuple(map(CATALOGUE.variable, codes)))
        size = blocks * self.people.parameters.slots
        columns = [(SealedColumn(PRESENT.variable, PRESENT_MEANING, PRESENT.part), np.ones(size, np.int64))]
        for variable in catalogue:
            answers = self._random.integers(0, max(2, len(variable.columns)), size)
            for place, column in enumerate(variable.columns):
                sealed = SealedColumn(column.variable, variable.meaning, column.part)
                columns.append((sealed, (answers == place).astype(np.int64)))
        path = self._directory / f"{'-'.join(codes)[:40]}-{blocks}-{residues}.db"
        path.unlink(missing_ok=True)  # one of the same name for another question
        return path, seal_columns(path, self.people, columns, residues), catalogue

    def openers(self) -> Openers:
        """The whole federation."""
        return Openers(self.people.sites, self.people.quorum)


def measure(report: Report, people: Parties, keys: Path, directory: Path, *, quick: bool) -> None:
    """Measure the analyses, the large counts and the choices."""
    site = Site(people, keys, directory)
    path, shape, catalogue = site.seal(("f0", "f1", "sex", "os"), 1, 6)
    for name, cohort in (("everyone", EVERYONE), ("cohort of 2 terms", All(FLAGS[:2]))):
        plan = make_plan(Query(cohort, FOLLOW_UP), catalogue, shape, site.openers())
        _evaluated(report, site, f"Kaplan-Meier, 240 results, 16,384 patients, {name}", plan, path, wanted=2.0)
    path, shape, catalogue = site.seal(("f0", "row", "column"), 1, 6)
    plan = make_plan(Query(FLAGS[0], TABLE), catalogue, shape, site.openers())
    _evaluated(report, site, "table of 10 by 10, 16,384 patients", plan, path, wanted=2.0)
    path, shape, catalogue = site.seal(("relapse", "drug"), 1, 5)
    plan = make_plan(Query(RELATION), catalogue, shape, site.openers())
    _evaluated(report, site, "temporal relation over 60 periods, 16,384 patients", plan, path, wanted=1.0)
    if not quick:
        path, shape, catalogue = site.seal([flag.code for flag in FLAGS], 7, 7)
        for terms in (2, 4, 8, 16):
            plan = make_plan(Query(All(FLAGS[:terms])), catalogue, shape, site.openers())
            _evaluated(report, site, f"count of {terms} terms, 7 blocks (100,000 patients)", plan, path, wanted=1.0)
    _choices(report, site)


def _evaluated(
    report: Report, site: Site, name: str, plan: Plan, path: Path, *, wanted: float | None = None, runs: int = 3
) -> None:
    """Time a plan on two workers, and take the peak of their memory."""
    with WorkerPool(2, worker.start, (plan.parameters.name, site.keys, [3])) as pool:
        ready = [pool.submit(time.sleep, 0.5) for _ in range(2)]
        for future in ready:
            future.result()

        def run() -> bytes:
            return evaluate(plan, path, site.keys, pool)

        report.time(f"{name} (forecast {plan.seconds:.2f} core seconds)", run, wanted=wanted, runs=runs)
        peak = max(pool.submit(peak_megabytes).result() for _ in range(8))
    report.add(Measurement(f"peak memory of a worker, {name}", (peak,), "MB", 250))


def _choices(report: Report, site: Site) -> None:
    """The cheapest plan that makes a stage of the mask, and the cheapest that does not: blocks decide between them."""
    cases: Sequence[tuple[str, Cohort, Analysis, tuple[str, ...], int]] = (
        ("3 results of a cohort of 2 terms, 1 block", All(FLAGS[:2]), Breakdown("sex"), ("f0", "f1", "sex"), 1),
        ("3 results of a cohort of 2 terms, 8 blocks", All(FLAGS[:2]), Breakdown("sex"), ("f0", "f1", "sex"), 8),
        ("count of 4 terms, 8 blocks", All(FLAGS[:4]), Count(), ("f0", "f1", "f2", "f3"), 8),
    )
    for name, cohort, analysis, codes, blocks in cases:
        path, shape, catalogue = site.seal(codes, blocks, 7)
        plans = [plan for plan in ways(Query(cohort, analysis), catalogue, shape, site.openers()) if plan.residues <= 7]
        chosen = min(plans, key=lambda plan: plan.seconds)
        for title, staged in (("with stages", True), ("without", False)):
            best = min((p for p in plans if bool(p.stages) == staged), key=lambda p: p.seconds, default=None)
            if best is not None:
                mark = ", chosen" if best is chosen else ""
                work = worker.Work(best, path, site.keys)
                _one_core(report, f"{name}: {title}{mark} (forecast {best.seconds:.2f})", work)


def _one_core(report: Report, name: str, work: worker.Work) -> None:
    run: Callable[[], bytes] = lambda: worker.run_all(work, ())  # noqa: E731
    report.time(name, run, runs=3)


def main() -> None:
    """Measure with keys made for the purpose."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.analyses")
    parser.add_argument("--quick", action="store_true", help="no large counts")
    options = parser.parse_args()
    people = Parties(STANDARD_1, 3, 2)
    with tempfile.TemporaryDirectory(prefix="consilium-benchmarks-") as directory:
        place = Path(directory)
        keys = write_keys(people, place / "keys")
        measure(Report(runs=3), people, keys, place, quick=options.quick)


if __name__ == "__main__":  # workers import this module again
    main()
