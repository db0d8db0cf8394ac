"""One CSV through a mapping of version 1: every value is understood, or its row refused with its place."""

from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem, UserError
from app.core.jobs.job import Cancelled, Job
from app.core.preparation import value_statements
from app.core.preparation.reading import read_table
from app.core.preparation.table import ClearTable, RowsRefused
from tests.packages import CATALOGUE, MAPPING, mapping, rows, write_csv

GOOD = "id,smoker,sex,age\np1,1,f,50\np2,no,m,\np3,,2,59.99\np4,TRUE,,-1e2\n"


def read(tmp_path: Path, content: str | bytes, about: str = "", *, skip: bool = False) -> ClearTable:
    path = tmp_path / "input.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    text = MAPPING.replace(b"[variables", f"[file]\n{about}\n[variables".encode(), 1)
    return read_table(path, mapping(text), CATALOGUE, skip_bad_rows=skip)


def bits(table: ClearTable) -> dict[str, list[int]]:
    return {f"{c.variable} {c.part}": table.values(i).tolist() for i, c in enumerate(table.columns)}


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
    assert [table.count(column) for column in range(3)] == [4, 2, 2]
    assert len(table.problems) == 0


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
    ("row", "code", "expected"),
    [
        ("p9,2,f,50", "csv.not_a_flag", {"column": "smoker", "found": "2"}),
        ("p9,1,x,50", "csv.unknown_level", {"column": "sex", "variable": "sex", "found": "x"}),
        ("p9,1,f,old", "csv.not_a_number", {"column": "age", "found": "old"}),
        ('p9,1,f,"50,5"', "value.decimal_sign", {"found": "50,5", "more": "."}),
        ('p9,1,f,"1,050.5"', "value.thousands", {"found": "1,050.5"}),
        ("p9,1,f,>50", "value.only_a_bound", {}),
        ("p9,1,f,nan", "csv.not_a_number", {}),
        ("p9,1,f,1_0", "csv.not_a_number", {}),
        ("p9,1,f,٣", "csv.not_a_number", {}),
        ("p1,1,f,50", "csv.duplicate_patient", {"more": "2", "column": "id"}),
        (" p1 ,1,f,50", "csv.duplicate_patient", {"more": "2"}),
        (" ,1,f,50", "csv.no_patient", {"column": "id"}),
        ("p9,1,f," + "x" * 100, "csv.not_a_number", {"found": "x" * 40}),
    ],
)
def test_a_row_that_cannot_be_used(tmp_path: Path, row: str, code: str, expected: dict[str, object]) -> None:
    content = f"{GOOD}{row}\np10,0,m,1\n"
    with pytest.raises(RowsRefused) as refusal:
        read(tmp_path, content)
    assert refusal.value.params == {"file": "input.csv", "rows": 1, "total": 6}
    (problem,) = refusal.value.problems
    assert (problem.code, problem.file, problem.row) == (code, "input.csv", 6)
    assert {name: getattr(problem, name) for name in expected} == expected
    table = read(tmp_path, content, skip=True)
    assert (table.rows, table.patients, table.refused_rows) == (6, 5, 1)
    assert table.count(0) == 5


def test_a_ragged_row_is_refused_by_the_reader(tmp_path: Path) -> None:
    table = read(tmp_path, f"{GOOD}p9,1,f\n", skip=True)
    assert (table.rows, table.patients, table.refused_rows) == (5, 4, 1)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"file\.not_found"):
        read_table(tmp_path / "none.csv", mapping(), CATALOGUE)


def test_nothing_left_is_nothing_to_seal(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"csv\.no_rows"):
        read(tmp_path, "id,sex\np1,x\n", skip=True)
    with pytest.raises(UserError, match=r"csv\.no_rows"):
        read(tmp_path, "id,smoker,sex\n")


def test_what_is_not_used_is_listed(tmp_path: Path) -> None:
    table = read(tmp_path, "id,sex,shoe size\np1,f,38\n")
    assert (table.left_out, table.unused_columns) == (("smoker", "age"), ("shoe size",))


def test_a_row_with_two_problems_is_one_row(tmp_path: Path) -> None:
    with pytest.raises(RowsRefused) as refusal:
        read(tmp_path, "id,sex,smoker\n" + "".join(f"p{n},x,x\n" for n in range(1500)))
    assert refusal.value.params["rows"] == 1500
    assert len(refusal.value.problems) == 3000
    assert len(list(refusal.value.problems)) == 2000


def test_reading_can_be_cancelled(tmp_path: Path) -> None:
    job = Job()
    job.cancel.cancel()
    path = write_csv(tmp_path / "x.csv", rows(600))  # type: ignore[arg-type]
    with pytest.raises(Cancelled):
        read_table(path, mapping(), CATALOGUE, job=job)


def test_very_many_odd_texts_are_looked_at_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value_statements, "_AT_ONCE", 100)
    odd = "".join(f"q{place},1,f,odd {5000 - place}\n" for place in range(1_200))
    table = read(tmp_path, GOOD + odd, skip=True)
    assert (table.patients, table.refused_rows, len(table.problems)) == (4, 1_200, 1_200)
    assert [problem.row for problem in table.problems] == list(range(6, 1_006))
