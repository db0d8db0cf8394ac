"""Parquet: typed values as plain texts."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pytest

from app.core.errors import UserError
from app.core.preparation.sources.source import Format
from tests.source_files import Read, read


def parquet(tmp_path: Path, query: str) -> Read:
    path = tmp_path / "patients.parquet"
    duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")  # noqa: S608 - a test's own words
    return read(tmp_path, path, format=Format.PARQUET)


def test_values_are_plain_texts(tmp_path: Path) -> None:
    expressions = {
        "'A'": "A",
        "42::INTEGER": "42",
        "70.0::DOUBLE": "70",
        "0.1::FLOAT": "0.1",
        "1e-7::DOUBLE": "0.0000001",
        "-12345.678::DOUBLE": "-12345.678",
        "'nan'::DOUBLE": None,
        "12.50::DECIMAL(9,2)": "12.50",
        "true": "true",
        "DATE '2021-03-04'": "2021-03-04",
        "TIMESTAMP '2021-03-04 00:00:00'": "2021-03-04",
        "TIMESTAMP '2021-03-04 05:06:07.5'": "2021-03-04T05:06:07",
        "NULL::VARCHAR": None,
        "12345678901234567890::HUGEINT": "12345678901234567890",
    }
    query = "SELECT " + ", ".join(f"{expression} AS c{number}" for number, expression in enumerate(expressions))
    found = parquet(tmp_path, query)
    assert found.only[0][0] == 1
    assert list(found.only[0][1:-1]) == list(expressions.values())[:-1]
    assert found.staged.tables[0].rows == 1


@pytest.mark.parametrize("expression", ["[1, 2]", "{'a': 1}", "MAP {'a': 1}"])
def test_nested_columns_are_refused_by_name(tmp_path: Path, expression: str) -> None:
    with pytest.raises(UserError, match=r"nested_column.*'odd one'"):
        parquet(tmp_path, f'SELECT 1 AS id, {expression} AS "odd one"')


def test_rows_are_numbered_as_they_lie(tmp_path: Path) -> None:
    found = parquet(tmp_path, "SELECT i AS id, i * 2 AS x FROM range(300000) r(i)")
    assert [row[:2] for row in found.only] == [(i + 1, str(i)) for i in range(300_000)]


def test_what_is_no_parquet_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "patients.parquet"
    for content in (b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"id,a\n"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"sources.damaged.*patients.parquet"):
            read(tmp_path, path, format=Format.PARQUET)


@pytest.mark.skipif(sys.platform == "win32", reason="no such names on Windows")
@pytest.mark.parametrize("name", ["a*.parquet", "a?.parquet", "a[1].parquet"])
def test_a_name_that_looks_like_a_pattern_is_one_file(tmp_path: Path, name: str) -> None:
    for path, value in ((tmp_path / "a1.parquet", "x"), (tmp_path / "b.parquet", "y")):
        duckdb.sql(f"COPY (SELECT '{value}' AS v) TO '{path}' (FORMAT parquet)")  # noqa: S608 - our own
    (tmp_path / "b.parquet").rename(tmp_path / name)
    found = read(tmp_path, tmp_path / name, tmp_path / "a1.parquet", format=Format.PARQUET)
    assert found.rows == {Path(name).stem: [(1, "y")], "a1": [(1, "x")]}
