from pathlib import Path

import pytest

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.preparation.report import make_report, merge_bins, read_report
from app.core.preparation.table import read_table
from tests.packages import CATALOGUE, mapping, write_csv


def test_small_bins_are_merged() -> None:
    assert merge_bins([("a", 20), ("b", 10)]) == [(("a",), 20), (("b",), 10)]
    assert merge_bins([("a", 3), ("b", 4), ("c", 20), ("d", 1)]) == [(("a", "b", "c", "d"), 28)]
    assert merge_bins([("a", 12), ("b", 0), ("c", 30)]) == [(("a",), 12), (("b", "c"), 30)]
    assert merge_bins([("a", 1)]) == [(("a",), 1)]


def test_a_report_says_what_happened_and_names_nobody(tmp_path: Path) -> None:
    people = [(f"secret{n}", str(n % 2), "f" if n < 25 else "m", str(40 + n)) for n in range(40)]
    people += [("secret1", "1", "f", "50"), ("other", "1", "hidden", "50")]
    table = read_table(write_csv(tmp_path / "x.csv", people), mapping(), CATALOGUE, skip_bad_rows=True)  # type: ignore[arg-type]
    data = make_report(table, b"d" * 16, 5)
    assert b"secret" not in data
    assert b"hidden" not in data
    report = read_report(data)
    assert (report.rows, report.patients, report.refused_rows) == (42, 40, 2)
    assert report.refused == ((42, "id", "csv.duplicate_patient"), (43, "sex", "csv.unknown_level"))
    smoker, sex, age = report.variables
    assert (smoker.known, smoker.bins) == (20, ((("has",), 20),))
    assert sex.bins == ((("level:f",), 25), (("level:m",), 15))
    assert age.bins == ((("",), 10), (("ge:50",), 10), (("ge:60",), 20))
    few = read_table(write_csv(tmp_path / "x.csv", people[:4]), mapping(), CATALOGUE)  # type: ignore[arg-type]
    assert [(each.known, each.bins) for each in read_report(make_report(few, b"d" * 16, 5)).variables] == [(-1, ())] * 3


@pytest.mark.parametrize("data", [b"\xa0", codec.encode([]), codec.encode({"format": "x", "version": 1})])
def test_what_is_no_report(data: bytes) -> None:
    with pytest.raises(ProtocolViolation, match=r"report\.malformed"):
        read_report(data)
