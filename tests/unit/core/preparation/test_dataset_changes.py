"""What changed between two versions: nothing that one patient more or less would show."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from app.core.catalogue.model import Catalogue
from app.core.preparation.dataset_changes import CountChange, change, compare
from app.core.preparation.report import Report, read_report
from app.core.store.documents import REPORT_PURPOSE, Header
from app.core.store.package import open_package
from tests.clear_tables import KINDS, clear_table, people
from tests.packages import Maker


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (100, 100, (100, 100)),
        (100, 109, (100, 100)),
        (100, 91, (100, 100)),
        (104, 116, (100, 120)),
        (0, 5, (None, None)),
        (-1, 12, (None, None)),
        (0, 19, (None, 20)),
        (19, -1, (20, None)),
        (1000, 0, (1000, None)),
    ],
)
def test_no_small_count_and_no_small_difference(before: int, after: int, told: tuple[int | None, int | None]) -> None:
    assert change(before, after) == CountChange(*told)


def test_neighbours_cannot_be_told_apart() -> None:
    """Whoever is in the newer version or not: what is told of a version is the same for nine patients at the least."""
    for before in (0, 37, 1000):
        told = [change(before, before + more) for more in range(-9, 10) if before + more >= 0]
        assert set(told) == {told[0]}


def version(maker: Maker, name: str, catalogue: Catalogue, patients: int, seed: int) -> tuple[Header, Report]:
    table = clear_table(catalogue, people(patients, seed))
    path, header = dataclasses.replace(maker, catalogue=catalogue).package(table, name)
    with open_package(path) as package:
        return header, read_report(maker.site.open(REPORT_PURPOSE, package.report, package.header.hash))


def test_what_changed(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    smoker, stage, weight, diagnosed, relapse, _ = KINDS.variables
    first = Catalogue("Kinds", 1, (smoker, stage, weight, diagnosed))
    old = version(maker, "1.consilium", first, 300, seed=1)
    same = compare(old, version(maker, "2.consilium", first, 304, seed=1))
    assert same.patients == CountChange(300, 300)
    assert (same.added, same.removed, same.redefined, same.variables, same.problems) == ((), (), (), (), ())
    more = compare(old, version(maker, "3.consilium", Catalogue("K", 3, (*first.variables[:3], relapse)), 600, seed=1))
    assert more.patients == CountChange(300, 600)
    assert (more.added, more.removed, more.redefined) == (("relapse",), ("diagnosed",), ())
    assert {each.code for each in more.variables} == {"smoker", "stage", "weight"}
    assert all((each.known.before or 0) % 10 == (each.known.after or 0) % 10 == 0 for each in more.variables)
    header, report = old
    others = (dataclasses.replace(each, meaning=bytes(32)) for each in header.columns if each.variable == "stage")
    rest = (each for each in header.columns if each.variable != "stage")
    redefined = dataclasses.replace(header, columns=(*rest, *others))
    assert compare(old, (redefined, report)).redefined == ("stage",)
    uncounted = dataclasses.replace(report, counted=False, problems=())
    assert compare(old, (header, uncounted)).problems is None
    many = dataclasses.replace(report, problems=(dataclasses.replace(report.problems[0], count=40),))
    (problem,) = compare(old, (header, many)).problems or ()
    assert (problem.code, problem.count) == ("csv.unknown_level", CountChange(10, 40))
