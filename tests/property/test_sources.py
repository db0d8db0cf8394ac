"""Whatever a file holds, reading it ends in a staged source or in an error that names the file; nothing is left."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import duckdb
import pandas
import pyreadstat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.errors import ConsiliumError, UserError
from app.core.jobs.job import Job
from app.core.preparation.problems import Problem
from app.core.preparation.sources import csv_files, native
from app.core.preparation.sources.archive import Archive
from app.core.preparation.sources.csv_rows import records
from app.core.preparation.sources.detecting import detect
from app.core.preparation.sources.native import Apart
from app.core.preparation.sources.readstat import describe, write_chunk
from app.core.preparation.sources.source import Format
from app.core.preparation.sources.workbook import convert
from tests.source_files import Raw, Read, read, workbook

PIECES = [
    "a",
    "1",
    "1,5",
    '"',
    '""',
    ",",
    ";",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\0",
    "ü",
    "=1+1",
    " ",
    "-",
    "x" * 50,
    "'",
    "\\",
]
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True, scope="module")
def _soon() -> Iterator[None]:
    """A file that holds its reader up is to be found here, not waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "PATIENCE", 60.0)
        yield


@contextmanager
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def outcome(directory: Path, path: Path, format: Format = Format.CSV, **how: object) -> Read | ConsiliumError:
    """Read the file, and see that an error names it and that nothing is left of it."""
    try:
        return read(directory, path, format=format, **how)
    except ConsiliumError as error:
        names(error, path)
        assert list((directory / "engine").iterdir()) == []
        return error


def names(error: ConsiliumError, *paths: Path) -> None:
    assert any(path.name in str(error) for path in paths), str(error)


@FEW
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.sampled_from([",", ";", "\t", None]))
def test_csv_is_read_as_the_strict_reader_reads_it(body: str, delimiter: str | None) -> None:
    text = f"id{delimiter or ','}b\n{body}"
    with place() as directory:
        path = directory / "patients.csv"
        path.write_bytes(text.encode())
        found = outcome(directory, path, delimiter=delimiter)
    if isinstance(found, ConsiliumError):
        assert found.code in ("sources.open_quote", "sources.bad_header", "sources.no_delimiter")
        return
    used = found.staged.settings.delimiter
    assert used is not None
    expected = []
    refused = 0
    for row, fields in records(io.StringIO(text, newline=""), path.name, used):
        if not isinstance(fields, Problem) and not any(fields[2:]):
            del fields[2:]
        if isinstance(fields, Problem) or (fields and (len(fields) != 2 or "\0" in "".join(fields))):
            refused += 1
        elif row > 1 and fields:
            expected.append((row, *(field or None for field in fields)))
    assert found.only == expected
    assert len(found.problems) == refused


@FEW
@given(st.binary(max_size=300), st.sampled_from([None, "utf-8", "windows-1252", "iso-8859-15", "utf-16", "mac-roman"]))
def test_bytes_of_any_sort_are_read_or_refused_as_csv(data: bytes, encoding: str | None) -> None:
    with place() as directory:
        path = directory / "patients.csv"
        path.write_bytes(data)
        outcome(directory, path, encoding=encoding)


@FEW
@given(
    st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), max_size=8),
    st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
)
def test_csv_that_is_written_properly_comes_back(rows: list[list[str]], encoding: str) -> None:
    import csv

    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["id", "b"], *rows])
    with place() as directory:
        path = directory / "patients.csv"
        path.write_bytes(text.getvalue().encode(encoding, "surrogatepass"))
        found = outcome(directory, path)
    whole = all("\0" not in field for row in rows for field in row)
    if isinstance(found, Read) and whole:
        assert [row[1:] for row in found.only] == [tuple(field or None for field in row) for row in rows]


@cache
def seeds() -> dict[str, bytes]:
    """A small file of every binary format."""
    made: dict[str, bytes] = {}
    table = pandas.DataFrame({"id": ["A", "B"] * 10, "x": [1.0, 2.5] * 10})
    with place() as directory:
        workbook(
            directory / "a.xlsx",
            {row: ["id", row, Raw('t="e"', "<v>#N/A</v>")] for row in range(1, 20)},
            after='<mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>',
        )
        pyreadstat.write_sav(table, directory / "a.sav", variable_value_labels={"x": {1: "one"}})
        pyreadstat.write_sav(table, directory / "a.zsav", compress=True)
        pyreadstat.write_dta(table, directory / "a.dta")
        pyreadstat.write_xport(table, directory / "a.xpt")
        pyreadstat.write_por(table, directory / "a.por")
        duckdb.execute(f"COPY (SELECT i, 'x' || i AS s FROM range(50) r(i)) TO '{directory}/a.parquet'")  # noqa: S608
        for path in directory.iterdir():
            made[path.suffix[1:]] = path.read_bytes()
    return made


@st.composite
def broken(draw: st.DrawFn, kind: str) -> bytes:
    """A file of the kind, cut off or with some bytes changed, repeated or taken out."""
    data = bytearray(seeds()[kind])
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, max(len(data) - 1, 0)))
        end = start + draw(st.integers(0, 16))
        data[start:end] = draw(st.one_of(st.binary(max_size=16), st.just(bytes(data[end : end + 40]))))
    return bytes(data[: draw(st.one_of(st.none(), st.integers(0, len(data))))])


@pytest.mark.parametrize("kind", ["sav", "zsav", "dta", "xpt", "por"])
def test_broken_statistics_files_end_in_an_error(kind: str) -> None:
    with place() as directory:
        path = directory / f"patients.{kind}"
        path.write_bytes(seeds()[kind])
        with Apart(path, Job()) as apart:

            @MANY
            @given(broken(kind))
            def check(data: bytes) -> None:
                path.write_bytes(data)
                try:
                    description = apart.call(describe, path, None)
                    if len(description.columns) < 1_000:
                        apart.call(write_chunk, path, description, 0, 1_000, directory / "clean.csv")
                except UserError as error:
                    names(error, path)

            check()


def test_broken_workbooks_end_in_an_error() -> None:
    with place() as directory:
        path = directory / "patients.xlsx"
        path.write_bytes(seeds()["xlsx"])
        with Apart(path, Job()) as apart:

            @MANY
            @given(broken("xlsx"))
            def check(data: bytes) -> None:
                path.write_bytes(data)
                try:
                    apart.call(convert, path, None, directory / "clean.csv")
                except UserError as error:
                    names(error, path)

            check()


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(broken("parquet"))
def test_broken_parquet_ends_in_an_error(data: bytes) -> None:
    with place() as directory:
        path = directory / "patients.parquet"
        path.write_bytes(data)
        outcome(directory, path, Format.PARQUET)


@MANY
@given(broken("xlsx"))
def test_broken_archives_are_looked_through_or_refused(data: bytes) -> None:
    with place() as directory:
        path = directory / "patients.xlsx"
        path.write_bytes(data)
        try:
            archive = Archive(path, "Excel")
            for name in archive.names:
                assert all(len(piece) <= 1 << 20 for piece in archive.pieces(name))
        except UserError as error:
            names(error, path)


@MANY
@given(st.sampled_from(["xlsx", "sav", "dta", "xpt", "por", "parquet"]).flatmap(broken) | st.binary(max_size=200))
def test_any_file_is_something_or_refused(data: bytes) -> None:
    with place() as directory:
        path = directory / "patients"
        path.write_bytes(data)
        try:
            assert detect(path).files == (path,)
        except UserError as error:
            names(error, path)


DICTIONARY = (
    'Variable / Field Name,Form Name,Field Type,Field Label,"Choices, Calculations, OR Slider Labels",Identifier?\n'
)


@FEW
@given(
    st.lists(st.sampled_from([*PIECES, "radio", "checkbox", "y", "1, A | 2, B", "id"]), max_size=30).map("".join),
    st.lists(st.sampled_from([*PIECES, "redcap_event_name", "redcap_repeat_instrument", "b___1"]), max_size=30).map(
        "".join
    ),
)
def test_redcap_exports_and_dictionaries_of_any_sort(dictionary: str, export: str) -> None:
    with place() as directory:
        (directory / "dictionary.csv").write_bytes(f"{DICTIONARY}id,form,text,Id,,y\n{dictionary}".encode())
        path = directory / "patients.csv"
        path.write_bytes(f"id,{export}".encode())
        try:
            read(directory, path, format=Format.REDCAP, dictionary=directory / "dictionary.csv")
        except ConsiliumError as error:
            names(error, path, directory / "dictionary.csv")


def test_formulas_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "patients.csv"
    formulas = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://x")', "=cmd|' /C calc'!A0"]
    path.write_text(
        "id;b\n" + "".join(f'{number};"{text.replace(chr(34), 2 * chr(34))}"\n' for number, text in enumerate(formulas))
    )
    assert [row[2] for row in read(tmp_path, path).only] == formulas


def test_limits_are_those_that_duckdb_is_told() -> None:
    from app.core.preparation.sources.csv_rows import MAX_ROW

    assert 2 * 4 * MAX_ROW <= csv_files._MAX_LINE
