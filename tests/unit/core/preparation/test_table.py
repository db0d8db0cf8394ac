"""Reading CSV files: every kind of problem has its own message with the row an editor shows."""

from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem, UserError
from app.core.jobs.job import Cancelled, Job
from app.core.preparation import table as module
from app.core.preparation.table import ClearTable, RowsRefused, read_table
from tests.packages import CATALOGUE, MAPPING, mapping, rows, write_csv

GOOD = "id,smoker,sex,age\np1,1,f,50\np2,no,m,\np3,,2,59.99\np4,TRUE,,-1e2\n"


def read(tmp_path: Path, content: str | bytes, about: str = "", *, skip: bool = False) -> ClearTable:
    path = tmp_path / "input.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    text = MAPPING.replace(b"[variables", f"[file]\n{about}\n[variables".encode(), 1)
    return read_table(path, mapping(text), CATALOGUE, skip_bad_rows=skip)


def bits(table: ClearTable) -> dict[str, list[int]]:
    return {f"{c.variable} {c.part}": table.column(i).tolist() for i, c in enumerate(table.columns)}


def test_a_good_file(tmp_path: Path) -> None:
    table = read(tmp_path, GOOD)
    assert bits(table) == {
        " present": [1, 1, 1, 1],
        "smoker has": [1, 0, 0, 1],
        "sex level:f": [1, 0, 1, 0],
        "sex level:m": [0, 1, 0, 0],
        "age known": [1, 0, 1, 1],
        "age ge:50": [1, 0, 1, 0],
        "age ge:60": [0, 0, 0, 0],
    }
    assert (table.rows, table.patients, table.refused_rows, table.variables) == (4, 4, 0, ("smoker", "sex", "age"))
    assert table.count(0) == 4


@pytest.mark.parametrize(
    ("content", "about"),
    [
        (GOOD.replace(",", ";"), ""),
        (GOOD.replace(",", "\t"), ""),
        (GOOD.replace("\n", "\r\n"), ""),
        (GOOD.encode("utf-8-sig"), ""),
        (GOOD.encode("utf-16"), "encoding = 'utf-16'"),
        (GOOD.replace(",", ";").replace(".", ","), "decimal = ','"),
        (GOOD.replace("p1,", '"p1",').replace("50", '" 50 "'), ""),
        (GOOD + "\n\n", ""),
        (GOOD.rstrip(), ""),
        (GOOD.replace("p2,no,m,", "p2,no,m,NA"), "missing = ['NA', '']"),
    ],
)
def test_the_same_file_in_other_clothes(tmp_path: Path, content: str | bytes, about: str) -> None:
    assert bits(read(tmp_path, content, about)) == bits(read(tmp_path, GOOD))


@pytest.mark.parametrize(
    ("row", "code", "params"),
    [
        ("p9,2,f,50", "csv.not_a_flag", {"column": "smoker", "value": "2"}),
        ("p9,1,x,50", "csv.unknown_level", {"column": "sex", "variable": "sex", "value": "x"}),
        ("p9,1,f,old", "csv.not_a_number", {"column": "age", "value": "old"}),
        ('p9,1,f,"50,5"', "csv.not_a_number", {"value": "50,5"}),
        ("p9,1,f,nan", "csv.not_a_number", {}),
        ("p9,1,f,1_0", "csv.not_a_number", {}),
        ("p9,1,f,٣", "csv.not_a_number", {}),
        ("p1,1,f,50", "csv.duplicate_patient", {"first": 2, "column": "id"}),
        (" p1 ,1,f,50", "csv.duplicate_patient", {"first": 2}),
        (" ,1,f,50", "csv.no_patient", {"column": "id"}),
        ("p9,1,f", "csv.ragged_row", {"found": 3, "expected": 4}),
        ("p9,1,f,50,", "csv.ragged_row", {"found": 5}),
        ("p9,1,f\0,50", "csv.null_byte", {"column": "sex"}),
        ("p9,1,f," + "1" * 10_001, "csv.huge_field", {"limit": 10_000}),
        ('p9,"1"x,f,50', "csv.not_csv", {}),
        ("p9,1,f," + "x" * 100, "csv.not_a_number", {"value": "x" * 40}),
    ],
)
def test_a_row_that_cannot_be_used(tmp_path: Path, row: str, code: str, params: dict[str, object]) -> None:
    content = f"{GOOD}{row}\np10,0,m,1\n"
    with pytest.raises(RowsRefused) as refusal:
        read(tmp_path, content)
    assert refusal.value.params == {"file": "input.csv", "rows": 1, "total": 6}
    (problem,) = refusal.value.problems
    assert problem.code == code
    assert problem.params.items() >= {"file": "input.csv", "row": 6, **params}.items()
    table = read(tmp_path, content, skip=True)
    assert (table.rows, table.patients, table.refused_rows, table.problems[0].code) == (6, 5, 1, code)
    assert table.count(0) == 5


def test_rows_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    with pytest.raises(RowsRefused) as refusal:
        read(tmp_path, 'id,smoker,sex,note\np1,1,f,"two\nlines"\n\np2,x,f,""\np3,y,f,z\n')
    assert [problem.params["row"] for problem in refusal.value.problems] == [5, 6]


@pytest.mark.parametrize(
    ("content", "code", "params"),
    [
        ("", "csv.empty_file", {}),
        ("\n\n", "csv.no_delimiter", {}),
        (",,\n", "csv.empty_file", {}),
        ("id,smoker,sex\n", "csv.no_rows", {}),
        ("id\np1\n", "csv.no_delimiter", {}),
        ("id,smoker,smoker\np1,1,1\n", "csv.duplicate_column", {"column": "smoker"}),
        ("patient,smoker\np1,1\n", "csv.missing_column", {"column": "id"}),
        ("id,smoker\np1,1\n", "csv.missing_column", {"column": "sex"}),
        ("id,sex\np1,f\np2,\xe9\n".encode("latin-1"), "csv.wrong_encoding", {"row": 3, "encoding": "utf-8"}),
        ("id,sex\xe9\np1,f\n".encode("latin-1"), "csv.wrong_encoding", {"row": 1}),
        (GOOD.encode("utf-16"), "csv.wrong_encoding", {"row": 1}),
        (GOOD + 'p9,"1,f,50\n' + "p8,1,f,50\n" * 20, "csv.open_quote", {"row": 6}),
        (GOOD + 'p9,"1,f,50\n' + "p8,1,f,50\n" * 20_000, "csv.open_quote", {"row": 6}),
        ("id,sex," + ",".join(f"c{n}" for n in range(10_000)) + "\n", "csv.too_many_columns", {}),
        ("id,s\0ex\n", "csv.null_byte", {}),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: str | bytes, code: str, params: dict[str, object]) -> None:
    with pytest.raises(UserError) as refusal:
        read(tmp_path, content)
    assert refusal.value.code == code
    assert refusal.value.params.items() >= {"file": "input.csv", **params}.items()


def test_a_missing_file_and_a_wrong_utf_16(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"file\.not_found"):
        read_table(tmp_path / "none.csv", mapping(), CATALOGUE)
    with pytest.raises(UserError, match=r"csv\.wrong_encoding"):
        read(tmp_path, GOOD, "encoding = 'utf-16'")
    with pytest.raises(UserError, match=r"csv\.wrong_encoding"):
        read(tmp_path, GOOD.encode("utf-16")[:-1], "encoding = 'utf-16'")


def test_nothing_left_is_nothing_to_seal(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"csv\.no_rows"):
        read(tmp_path, "id,sex\np1,x\n", skip=True)


def test_what_is_not_used_is_listed(tmp_path: Path) -> None:
    table = read(tmp_path, "id,sex,shoe size\np1,f,38\n")
    assert (table.left_out, table.unused_columns) == (("smoker", "age"), ("shoe size",))


def test_long_files_in_chunks_with_a_bounded_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 64)
    monkeypatch.setattr(module, "_CACHED_VALUES", 10)
    content = "id,sex,age\n" + "".join(f"p{n},{'fm'[n % 2]},{n / 10}\n" for n in range(1000))
    table = read(tmp_path, content)
    assert table.column(0).tolist() == [1] * 1000
    assert table.column(2).tolist() == [n % 2 for n in range(1000)]
    assert table.column(4).tolist() == [int(n >= 500) for n in range(1000)]


def test_the_problems_kept_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PROBLEMS", 5)
    with pytest.raises(RowsRefused) as refusal:
        read(tmp_path, "id,sex,smoker\n" + "".join(f"p{n},x,x\n" for n in range(50)))
    assert len(refusal.value.problems) == 5
    assert refusal.value.params["rows"] == 50


def test_reading_can_be_cancelled(tmp_path: Path) -> None:
    job = Job()
    job.cancel.cancel()
    path = write_csv(tmp_path / "x.csv", rows(600))  # type: ignore[arg-type]
    with pytest.raises(Cancelled):
        read_table(path, mapping(), CATALOGUE, job=job)
