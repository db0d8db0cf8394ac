from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from app.core import codec
from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.catalogue.scales import Calendar, FollowUp, Granularity
from app.core.errors import ProtocolViolation
from app.core.preparation.problems import State
from app.core.preparation.report import Bin, ProblemGroup, make_report, merge_bins, read_report
from tests.clear_tables import KINDS, clear_table, people
from tests.packages import CATALOGUE

VECTORS = Path(__file__).parents[3] / "vectors"


def one(name: str, count: int) -> Bin:
    return (name,), count


def test_small_bins_are_merged() -> None:
    assert merge_bins([one("a", 20), one("b", 10)]) == [(("a",), 20), (("b",), 10)]
    assert merge_bins([one("a", 3), one("b", 4), one("c", 20), one("d", 1)]) == [(("a", "b", "c", "d"), 28)]
    assert merge_bins([one("a", 12), one("b", 0), one("c", 30)]) == [(("a",), 12), (("b", "c"), 30)]
    assert merge_bins([one("a", 1)]) == [(("a",), 1)]


def test_a_report_says_what_happened_and_names_nobody() -> None:
    patients = [
        {"smoker": n % 2 == 1, "sex": "f" if n < 25 else "m", "age": Decimal(40 + n), "secret": n} for n in range(40)
    ]
    data = make_report(clear_table(CATALOGUE, patients), b"d" * 16, 5)
    report = read_report(data)
    assert (report.rows, report.patients, report.refused_rows) == (52, 40, 12)
    assert report.refused == ((7, "Stage", "csv.unknown_level"),)
    assert report.problems == (ProblemGroup("csv.unknown_level", State.REFUSED, "Stage", "stage", 12),)
    assert b"a.csv" not in data
    smoker, sex, age = report.variables
    assert (smoker.known, smoker.bins) == (20, ((("has",), 20),))
    assert sex.bins == ((("level:f",), 25), (("level:m",), 15))
    assert age.bins == ((("",), 10), (("ge:50",), 10), (("ge:60",), 20))
    few = make_report(clear_table(CATALOGUE, patients[:4]), b"d" * 16, 5)
    assert [(each.known, each.bins) for each in read_report(few).variables] == [(-1, ())] * 3


def test_every_kind_is_told_in_bins_of_ten_patients() -> None:
    table = clear_table(KINDS, people(500))
    report = read_report(make_report(table, b"d" * 16, 5))
    assert [each.code for each in report.variables] == list(table.variables)
    parts = {name.partition(":")[0] for each in report.variables for names, _ in each.bins for name in names}
    assert parts == {"", "has", "level", "ge", "first", "event", "censored"}  # no digits, no later events
    for each in report.variables:
        assert sum(count for _, count in each.bins) == each.known
        assert min(count for _, count in each.bins) >= 10
    known = {each.code: each.known for each in report.variables}
    patients = people(500)
    assert known["os"] == sum(each["os"] is not None for each in patients)
    assert known["weight"] == sum(each["weight"] is not None for each in patients)


def test_days_are_told_by_month() -> None:
    calendar = Calendar(Granularity.DAY, date(2024, 1, 30), date(2024, 3, 2))
    catalogue = Catalogue("Days", 1, (Variable("day", Kind.DATE, Label("Day"), calendar=calendar),))
    days = [{"day": date(2024, 1, 29) + timedelta(days=n)} for n in range(40) for _ in range(20)]
    (day,) = read_report(make_report(clear_table(catalogue, days), b"d" * 16, 5)).variables
    assert [(names[0], len(names), count) for names, count in day.bins] == [
        ("", 1, 20),
        ("ge:2024-01-30", 2, 40),
        ("ge:2024-02-01", 29, 580),
        ("ge:2024-03-01", 2, 160),
    ]


def test_few_events_are_told_with_the_censored() -> None:
    def ended(events: int) -> list[dict[str, object]]:
        return [{"os": FollowUp(Decimal(90 * (n % 4)), n < events)} for n in range(80)]

    def bins(events: int) -> list[tuple[str, ...]]:
        variables = read_report(make_report(clear_table(KINDS, ended(events)), b"d" * 16, 5)).variables
        return [names for names, _ in variables[-1].bins]

    assert bins(9)[0] == ("event:0", "censored:0")
    assert bins(40)[0] == ("event:0",)
    assert bins(40)[-1] == ("censored:3",)


def test_both_versions_load() -> None:
    old, new = (read_report((VECTORS / f"report-v{version}.cbor").read_bytes()) for version in (1, 2))
    assert (old.counted, old.problems, old.refused) == (False, (), ((7, "Stage", "csv.unknown_level"),))
    assert (new.counted, new.problems[0].count) == (True, 12)
    assert old.patients == new.patients == 300
    assert [each.code for each in new.variables] == [variable.code for variable in KINDS]
    assert old.variables == new.variables[:3]
    table = clear_table(KINDS, people(300))
    assert make_report(table, b"d" * 16, 5) == (VECTORS / "report-v2.cbor").read_bytes()


@pytest.mark.parametrize("data", [b"\xa0", codec.encode([]), codec.encode({"format": "x", "version": 1})])
def test_what_is_no_report(data: bytes) -> None:
    with pytest.raises(ProtocolViolation, match=r"report\.malformed"):
        read_report(data)
