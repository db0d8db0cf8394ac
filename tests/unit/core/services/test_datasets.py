"""What a site is told of its datasets: how the values of every kind of variable are spread."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from app.core.catalogue.model import Catalogue
from app.core.catalogue.scales import Calendar, Granularity
from app.core.crypto.identity import MemberKey
from app.core.services.datasets import kind_of, read_report
from app.core.store.datasets import DatasetRow
from app.core.store.package import open_package
from tests.clear_tables import KINDS, clear_table, people
from tests.packages import Maker


@dataclass
class Reader:
    """Who may open reports."""

    member_key: MemberKey


def test_every_kind(tmp_path: Path) -> None:
    maker = Maker(tmp_path, catalogue=KINDS)
    path, header = maker.package(clear_table(KINDS, people(500)))
    with open_package(path) as package:
        row = DatasetRow(header.dataset, 1, package.manifest_hash, package.header_bytes, package.report, b"", 1, True)
    report, distributions = read_report(Reader(maker.site), row)
    found = {each.code: each for each in distributions}
    assert [each.kind for each in distributions] == ["flag", "category", "number", "date", "event", "survival"]
    assert found["smoker"].bins == ()
    assert found["smoker"].missing is None
    assert found["relapse"].missing is None
    for each in distributions[1:]:
        assert sum(each.count for each in each.bins) == each.known
    assert found["weight"].known is not None
    assert found["weight"].missing == report.patients - found["weight"].known
    assert [(each.low, each.high) for each in found["weight"].bins] == [(None, "50"), ("50", "80"), ("80", None)]
    assert [each.low for each in found["diagnosed"].bins][:3] == [None, "2020-01", "2020-02"]
    assert next((each.low, each.high, each.event) for each in found["relapse"].bins) == ("-1", "0", None)
    ends = [(each.low, each.high, each.event) for each in found["os"].bins]
    assert ends[0] == ("0", "1", True)
    assert ends[-1] == ("3", "4", False)


def test_dates_are_known_by_their_cuts() -> None:
    diagnosed = KINDS.variable("diagnosed")
    for granularity in Granularity:
        calendar = Calendar(granularity, date(2020, 1, 1), date(2023, 1, 1))
        if granularity is Granularity.DAY:
            calendar = Calendar(granularity, date(2020, 1, 1), date(2020, 2, 1))
        variable = dataclasses.replace(diagnosed, calendar=calendar)
        assert kind_of([column.part for column in variable.columns]) == "date"


@pytest.mark.parametrize("cuts", [[], ["ge:2020"], ["ge:2020", "ge:2030"], ["ge:1", "ge:2"], ["ge:50", "ge:60.5"]])
def test_numbers_are_no_dates(cuts: list[str]) -> None:
    assert kind_of(["known", *cuts]) == "number"


def test_few_ends_are_told_together(tmp_path: Path) -> None:
    maker = Maker(tmp_path, catalogue=Catalogue("Survival", 1, (KINDS.variable("os"),)))
    patients = [each for each in people(200) if getattr(each["os"], "event", None) is False]
    path, header = maker.package(clear_table(maker.catalogue, patients))
    with open_package(path) as package:
        row = DatasetRow(header.dataset, 1, package.manifest_hash, package.header_bytes, package.report, b"", 1, True)
    _, (survival,) = read_report(Reader(maker.site), row)
    assert {each.event for each in survival.bins} == {None}
