"""CSV and TSV: what is found out, what is loaded, and every row that cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem, UserError
from app.core.jobs.job import Cancelled, CancelToken, Job, Progress
from app.core.preparation.problems import State
from app.core.preparation.sources.csv_rows import MAX_FIELD
from tests.source_files import Read, read


def csv(tmp_path: Path, content: str | bytes, name: str = "patients.csv", **settings: object) -> Read:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(tmp_path, path, **settings)


def told(found: Read) -> list[tuple[str, int | None, str | None]]:
    return [(problem.code.removeprefix("sources."), problem.row, problem.column) for problem in found.problems]


def refused(tmp_path: Path, content: str | bytes, **settings: object) -> str:
    with pytest.raises(UserError) as caught:
        csv(tmp_path, content, **settings)
    assert "patients" in str(caught.value.params.get("file", caught.value.params.get("source")))
    return caught.value.code.removeprefix("sources.")


def test_a_plain_file_is_staged_as_it_was_written(tmp_path: Path) -> None:
    found = csv(tmp_path, "id,sex,note\nA, 1 ,\nB,,=1+1\n")
    assert found.only == [(2, "A", " 1 ", None), (3, "B", None, "=1+1")]
    assert [column.name for column in found.staged.tables[0].columns] == ["id", "sex", "note"]
    assert found.staged.tables[0].name == "source"
    assert found.problems == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_line_ends_are_found_out(tmp_path: Path, delimiter: str, end: str) -> None:
    text = end.join(delimiter.join(row) for row in [("id", "a"), ("A", "x y"), ("B", "z")])
    found = csv(tmp_path, text)
    assert found.only == [(2, "A", "x y"), (3, "B", "z")]
    assert found.staged.settings.delimiter == delimiter
    assert "delimiter" in found.staged.found_out


def test_the_delimiter_that_fits_all_rows_wins_over_the_one_that_is_common(tmp_path: Path) -> None:
    found = csv(tmp_path, "id;weight, height and, well, more\nA;1,5\nB;2,5\n")
    assert found.staged.settings.delimiter == ";"
    assert found.staged.settings.decimal == ","


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"])
def test_encodings_are_found_out(tmp_path: Path, encoding: str) -> None:
    text = "id,name\n" + "A,plain\n" * 5_000 + "B,Zürich “x” Genève\n"
    found = csv(tmp_path, text.encode(encoding))
    assert found.only[-1] == (5002, "B", "Zürich “x” Genève")
    expected = "utf-8" if encoding.startswith("utf-8") else encoding.removesuffix("-le").removesuffix("-be")
    assert found.staged.settings.encoding == expected


@pytest.mark.parametrize("encoding", ["iso-8859-1", "iso-8859-15", "windows-1252", "utf-8"])
def test_an_encoding_that_is_said_is_used(tmp_path: Path, encoding: str) -> None:
    found = csv(tmp_path, "id,name\nA,Müller à\n".encode(encoding), encoding=encoding)
    assert found.only == [(2, "A", "Müller à")]
    assert "encoding" not in found.staged.found_out


def test_a_few_broken_bytes_do_not_make_a_text_of_another_encoding(tmp_path: Path) -> None:
    good = "".join(f"{number},Zürich\n" for number in range(100)).encode()
    found = csv(tmp_path, b"id,town\n" + good + b"x,Z\xfcrich\n" + good)
    assert len(found.only) == 200
    assert told(found) == [("invalid_bytes", 102, "town")]
    assert found.problems[0].state is State.REFUSED


def test_every_row_that_cannot_be_used_is_told_with_its_number_and_the_others_keep_theirs(tmp_path: Path) -> None:
    rows = [
        "id,a,b",
        "1,x,y",
        "2,x",
        '3,"two\nlines",y',
        "",
        "5,x,y,z",
        '6,"x"y,z',
        "7,x\0,y",
        f"8,{'x' * (MAX_FIELD + 1)},y",
        "9,x,y",
    ]
    found = csv(tmp_path, "\n".join(rows) + "\n")
    assert [row[:2] for row in found.only] == [(2, "1"), (4, "3"), (10, "9")]
    assert told(found) == [
        ("ragged_row", 3, None),
        ("ragged_row", 6, None),
        ("bad_quotes", 7, None),
        ("null_byte", 8, "a"),
        ("huge_field", 9, "a"),
    ]
    assert found.only[1][2] == "two\nlines"


def test_mixed_line_ends_are_line_ends(tmp_path: Path) -> None:
    assert csv(tmp_path, "id,a\r\n1,x\n2,y\r3,z\r\n").only == [(2, "1", "x"), (3, "2", "y"), (4, "3", "z")]


def test_a_line_without_an_end_is_refused_without_filling_the_memory(tmp_path: Path) -> None:
    found = csv(tmp_path, b"id,a\n1,x\n2," + b"x" * (5 << 20) + b"\n3,y\n")
    assert found.only == [(2, "1", "x"), (4, "3", "y")]
    assert told(found) == [("huge_row", 3, None)]


def test_rows_are_numbered_in_the_order_of_a_file_that_is_read_in_parallel(tmp_path: Path) -> None:
    count = 400_000
    text = "id,a\n" + "".join(f"{number},{'x' * 100}\n" for number in range(count))
    rows = csv(tmp_path, text).only
    assert [(row, value) for row, value, _ in rows] == [(number + 2, str(number)) for number in range(count)]


def test_columns_without_a_name_are_called_by_their_number(tmp_path: Path) -> None:
    found = csv(tmp_path, "id,,b\n1,2,3\n")
    assert [column.name for column in found.staged.tables[0].columns] == ["id", "column 2", "b"]


@pytest.mark.parametrize("name", ['say "hi"', "a; DROP TABLE x", "naïve", "_", "select", "{}", "a'b", "%s", "?"])
def test_any_name_can_be_a_name(tmp_path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    found = csv(tmp_path, f"id,{quoted}\n1,2\n", f"patients{'[1]' if name == '_' else ''}.csv")
    assert [column.name for column in found.staged.tables[0].columns] == ["id", name]
    assert found.only == [(2, "1", "2")]


def test_several_files_are_several_tables(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"id,x\n{name},1\n")
    found = read(tmp_path, tmp_path / "a.csv", tmp_path / "b.csv")
    assert found.rows == {"a": [(2, "a", "1")], "b": [(2, "b", "1")]}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\n\n", "empty_file"),
        (b"id\n1\n", "no_delimiter"),
        (b"id,a,A\n1,2,3\n", "duplicate_column"),
        (b"id,a,_ROW\n1,2,3\n", "duplicate_column"),
        (b'id,"a"b\n1,2\n', "bad_header"),
        (b'id,a\n1,"x\n2,y\n', "open_quote"),
        (b"id,a\0\n1,2\n", "column_name"),
        (",".join(f"c{number}" for number in range(10_001)).encode() + b"\n", "too_many_columns"),
        (b"\xff\xfei\x00d\x00,\x00a\x00\n\x00\x00\xd8", "wrong_encoding"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, content: bytes, code: str) -> None:
    assert refused(tmp_path, content) == code


def test_another_delimiter_than_is_said_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path, b"id,a\n1,2\n", delimiter=";") == "other_delimiter"
    assert csv(tmp_path, b"id\n1\n2\n", delimiter=";").only == [(2, "1"), (3, "2")]
    assert csv(tmp_path, b"names, first and last\nA\nB, C, D\n", delimiter=";").only == [(2, "A"), (3, "B, C, D")]


def test_an_unknown_encoding_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path, b"id,a\n1,2\n", encoding="klingon") == "unknown_encoding"
    assert refused(tmp_path, b"id,a\n1,2\n", encoding="hex") == "unknown_encoding"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="file.not_found"):
        read(tmp_path, tmp_path / "nowhere.csv")


def test_one_column_is_enough_where_the_delimiter_is_said(tmp_path: Path) -> None:
    assert csv(tmp_path, "id\n1\n2\n", delimiter=",").only == [(2, "1"), (3, "2")]


@pytest.mark.parametrize(
    ("values", "decimal"),
    [
        (["1.5", "2", "-3.25"], "."),
        (["1,5", "2", "-3,25"], ","),
        (["1,234", "2,345"], None),
        (["1.5", "2,5"], None),
        (["1", "2"], "."),
    ],
)
def test_the_decimal_sign_is_found_out_where_values_tell_it(
    tmp_path: Path, values: list[str], decimal: str | None
) -> None:
    rows = "".join(f"p{number};{value}\n" for number, value in enumerate(values * 20))
    found = csv(tmp_path, "id;x\n" + rows)
    assert found.staged.settings.decimal == (decimal if len({"1.5", "2,5"} & set(values)) < 2 else ".")


@pytest.mark.parametrize(
    ("values", "dates"),
    [
        (["2020-01-31", "2020-12-01"], "YMD"),
        (["31.01.2020", "01.12.2020"], "DMY"),
        (["01.02.2020", "03.04.2020"], "DMY"),
        (["31/01/2020", "01/12/2020"], "DMY"),
        (["01/31/2020", "12/01/2020"], "MDY"),
        (["01/02/2020", "03/04/2020"], None),
        (["x", "y"], "YMD"),
    ],
)
def test_the_order_of_dates_is_found_out_where_values_tell_it(
    tmp_path: Path, values: list[str], dates: str | None
) -> None:
    rows = "".join(f"p{number},{value}\n" for number, value in enumerate(values * 20))
    found = csv(tmp_path, "id,x\n" + rows)
    assert found.staged.settings.dates == dates
    assert ("dates" in found.staged.found_out) == (dates is not None)
    assert csv(tmp_path, "id,x\n" + rows, dates="MDY").staged.settings.dates == "MDY"


def test_columns_are_described(tmp_path: Path) -> None:
    rows = [
        f"p{number:05},{number % 2},{number / 7:.3f},{2000 + number % 20}-01-01,C{number % 40}.1,some words {number},"
        f"{number % 3}"
        for number in range(3_000)
    ]
    found = csv(tmp_path, "id,smoker,weight,seen,icd,note,stage\n" + "\n".join(rows) + "\n")
    columns = {column.name: column for column in found.staged.tables[0].columns}
    assert {name: column.type for name, column in columns.items()} == {
        "id": "code",
        "smoker": "flag",
        "weight": "number",
        "seen": "date",
        "icd": "code",
        "note": "text",
        "stage": "code",
    }
    assert all(column.filled == 3_000 for column in columns.values())
    assert (columns["id"].distinct, columns["seen"].distinct, columns["stage"].distinct) == (None, 20, 3)
    assert columns["stage"].examples == ("0", "1", "2")
    assert all(1 <= len(column.examples) <= 5 for column in columns.values())


def test_reading_is_stopped_and_tells_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "patients.csv"
    path.write_text("id,a\n\n" + "".join(f"{number},x\n" for number in range(300_000)))
    steps: list[Progress] = []
    read(tmp_path, path, job=Job(report=steps.append))
    assert {"sources.step.looking", "sources.step.reading"} <= {progress.step for progress in steps}
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        read(tmp_path, path, job=Job(cancel=token))


@pytest.mark.skipif(sys.platform == "win32", reason="no such names on Windows")
@pytest.mark.parametrize("name", ["labs*.csv", "labs?.csv", "labs[12].csv"])
def test_a_name_that_looks_like_a_pattern_is_one_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "labs1.csv").write_text("id,v\n1,a\n2,a\n")
    (tmp_path / name).write_text("id,v\n1,b\n")
    found = read(tmp_path, tmp_path / name, tmp_path / "labs1.csv")
    assert found.rows == {Path(name).stem: [(2, "1", "b")], "labs1": [(2, "1", "a"), (3, "2", "a")]}


@pytest.mark.parametrize("name", ["_row", "_file", "_n", "RowID"])
def test_columns_are_not_called_as_what_is_added_to_rows(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, f"id,{name}\n1,Muster\n") == "duplicate_column"
