"""SAS, SPSS and Stata: round trips through the library that writes them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pandas
import pyreadstat
import pytest

from app.core.errors import UserError
from app.core.preparation.problems import State
from app.core.preparation.sources.readstat import _writer
from app.core.preparation.sources.source import Format
from tests.source_files import Read, read

FORMATS = {"sav": Format.SPSS, "zsav": Format.SPSS, "por": Format.SPSS, "dta": Format.STATA, "xpt": Format.SAS}
TABLE = pandas.DataFrame(
    {
        "id": ["A", "B", "Ü"],
        "sex": [1.0, 2.0, 9.0],
        "day": [date(2020, 1, 1), None, date(1899, 5, 3)],
        "moment": [datetime(2020, 1, 1, 12, 30), None, datetime(2021, 1, 1)],
        "x": [1.5, None, 1e-9],
        "n": [1, 2, 3],
    }
)
ROWS = [
    (1, "A", "1", "2020-01-01", "2020-01-01T12:30:00", "1.5", "1"),
    (2, "B", "2", None, None, None, "2"),
    (3, "Ü", "9", "1899-05-03", "2021-01-01", "0.000000001", "3"),
]


def write(tmp_path: Path, suffix: str, table: pandas.DataFrame = TABLE, **more: object) -> Path:
    path = tmp_path / f"patients.{suffix}"
    writer = {"sav": pyreadstat.write_sav, "zsav": pyreadstat.write_sav, "por": pyreadstat.write_por}.get(suffix)
    writer = writer or {"dta": pyreadstat.write_dta, "xpt": pyreadstat.write_xport}[suffix]
    writer(table, path, **({"compress": True} if suffix == "zsav" else {}), **more)
    return path


def statistics(tmp_path: Path, path: Path, **settings: object) -> Read:
    return read(tmp_path, path, format=FORMATS[path.suffix[1:]], **settings)


@pytest.mark.parametrize("suffix", FORMATS)
def test_values_are_plain_texts(tmp_path: Path, suffix: str) -> None:
    table = TABLE.assign(id=["A", "B", "C"]) if suffix in ("por", "xpt") else TABLE
    found = statistics(tmp_path, write(tmp_path, suffix, table))
    expected = [tuple("C" if value == "Ü" else value for value in row) for row in ROWS] if table is not TABLE else ROWS
    rounded = [row[:5] + (row[5] and row[5][:5],) + row[6:] for row in found.only]
    assert rounded == [row[:5] + (row[5] and row[5][:5],) + row[6:] for row in expected]
    assert found.staged.settings.dates == "YMD"
    assert found.problems == []


def test_labels_of_variables_and_values_come_along_and_missing_values_are_none(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "sav",
        variable_value_labels={"sex": {1: "Male", 2: "Female", 9: "Unknown"}},
        missing_ranges={"sex": [9]},
        column_labels=["Patient", "Sex", "", "", "", ""],
    )
    found = statistics(tmp_path, path)
    columns = {column.name: column for column in found.staged.tables[0].columns}
    assert columns["sex"].values == {"1": "Male", "2": "Female", "9": "Unknown"}
    assert (columns["sex"].label, columns["sex"].type, columns["sex"].filled) == ("Sex", "code", 2)
    assert [row[2] for row in found.only] == ["1", "2", None]


def test_stata_labels(tmp_path: Path) -> None:
    table = TABLE.assign(sex=[1, 2, 9])
    found = statistics(tmp_path, write(tmp_path, "dta", table, variable_value_labels={"sex": {1: "Male"}}))
    assert found.staged.tables[0].columns[1].values == {"1": "Male"}


def test_many_rows_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.core.preparation.sources import statistics_files

    monkeypatch.setattr(statistics_files, "_CELLS", 7)
    table = pandas.DataFrame({"id": [f"p{number}" for number in range(20)], "x": range(20)})
    found = statistics(tmp_path, write(tmp_path, "dta", table))
    assert found.only == [(number + 1, f"p{number}", str(number)) for number in range(20)]


@pytest.mark.parametrize(
    ("source", "shape", "value", "written"),
    [
        ("SAS", "MMDDYY10.", 0.0, "1960-01-01"),
        ("SAS", "E8601DT19", 86_400.0, "1960-01-02"),
        ("SAS", "TIME8", 3_661.0, "01:01:01"),
        ("SAS", "BEST12", 1.25, "1.25"),
        ("SPSS", "EDATE10", 13_797_216_000.0, "2020-01-01"),
        ("SPSS", "TIME8", 90_000.0, "25:00:00"),
        ("SPSS", "F8.2", 3.0, "3"),
        ("Stata", "%TDNN/DD/CCYY", 1.0, "1960-01-02"),
        ("Stata", "%D", 1.0, "1960-01-02"),
        ("Stata", "%TC", 1000.0, "1960-01-01T00:00:01"),
        ("Stata", "%TM", 13.0, "1961-02-01"),
        ("Stata", "%TQ", -1.0, "1959-10-01"),
        ("Stata", "%TW", 52.0, "1961-01-01"),
        ("Stata", "%10.0G", 2.5, "2.5"),
        ("Stata", "%TY", 2020.0, "2020"),
    ],
)
def test_dates_are_known_by_how_they_are_displayed(source: str, shape: str, value: float, written: str) -> None:
    assert _writer(source, shape)(value) == written


def test_an_impossible_date_is_a_problem_of_its_value(tmp_path: Path) -> None:
    path = write(tmp_path, "dta", pandas.DataFrame({"id": ["A", "B"], "day": [date(2020, 1, 1), date(2020, 1, 2)]}))
    data = path.read_bytes()
    day = (21915.0).hex()
    import struct

    assert struct.pack("<d", float.fromhex(day)) in data
    path.write_bytes(data.replace(struct.pack("<d", 21915.0), struct.pack("<d", 1e12)))
    found = statistics(tmp_path, path)
    assert [row[2] for row in found.only] == [None, "2020-01-02"]
    assert [(each.code, each.state, each.row, each.column) for each in found.problems] == [
        ("sources.impossible_date", State.EMPTY, 1, "day")
    ]


@pytest.mark.parametrize("suffix", [*FORMATS, "sas7bdat"])
@pytest.mark.parametrize("content", [b"", b"nothing of that sort", b"\xff" * 5_000])
def test_what_is_none_of_these_files_is_damaged(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"patients.{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"sources\.(damaged|empty_file|unreadable).*patients\.{suffix}"):
        read(tmp_path, path, format=FORMATS.get(suffix, Format.SAS))
