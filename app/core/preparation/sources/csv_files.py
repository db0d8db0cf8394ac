"""CSV and TSV: found out from the whole file, loaded by DuckDB where every line is a row, read strictly where not.

``_row`` is the number of the record as a spreadsheet counts: the names of the columns are row 1, a quoted line break
stays in its row, empty lines and refused rows have a number too. An empty field is NULL. A column without a name is
called ``column 3``. Formulas are texts like any other.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from app.core.errors import UserError
from app.core.files import disk_problems
from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.problems import Problem
from app.core.preparation.sources.columns import columns_of
from app.core.preparation.sources.csv_rows import records, write_clean
from app.core.preparation.sources.csv_scan import Scan, narrow_encoding, scan, transcode, wide_encoding
from app.core.preparation.sources.guessing import completed
from app.core.preparation.sources.names import named, table_names
from app.core.preparation.sources.source import DELIMITERS, ENCODINGS, Settings, Staged, Table
from app.core.preparation.sql import quoted

PATTERN = frozenset("*?[")
"""Characters of a path with which DuckDB reads other files as well, whose names are like it."""
_HEAD = 4 << 20
_TRIED = 200  # records that a delimiter is judged by
_MAX_LINE = 16 << 20  # bytes: a row of csv_rows.MAX_ROW characters, its quotation marks doubled
_BUFFER = 32 << 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file that was loaded: its columns, its rows that can be used, and how it is written."""

    columns: tuple[str, ...]
    rows: int
    encoding: str
    delimiter: str


def stage(engine: Engine, name: str, settings: Settings, job: Job | None = None) -> Staged:
    """Stage every file as a table that is called as the file, or as the source if it is the only one.

    Raises UserError ``sources.*``; Cancelled; EnvironmentProblem ``engine.*``, ``disk.*``, ``file.*``.
    """
    schema(engine, name)
    loaded = []
    for path, table in zip(settings.files, table_names(settings.files, name), strict=True):
        loaded.append((table, path, load(engine, name, table, path, settings, job=job)))
    first = loaded[0][2]
    complete = replace(settings, encoding=first.encoding, delimiter=first.delimiter)
    tables = tuple(
        Table(name, table, path.name, each.rows, columns_of(engine, name, table, each.columns, job=job))
        for table, path, each in loaded
    )
    return completed(engine, name, settings, complete, tables)


def load(
    engine: Engine,
    source: str,
    table: str,
    path: Path,
    settings: Settings,
    *,
    null: Iterable[str] = (),
    rename: Callable[[list[str]], list[str]] | None = None,
    job: Job | None = None,
) -> Loaded:
    """Load one file as the table ``source.table``, whose schema exists.

    ``null`` are texts beside "" that mean NULL; ``rename`` makes the columns' names of what the file calls them. Rows
    that cannot be used become problems of the engine. Raises as :func:`stage`.
    """
    working = job or Job()
    with scratch_file(engine) as scratch, scratch_file(engine) as clean:
        readable, encoding, found = _as_utf8(path, settings.encoding, scratch, working)
        delimiter, names = _header(readable, path.name, settings.delimiter)
        columns = named(rename(names) if rename else names, path.name)
        nulls = ["", *null]
        rows = None
        if found.plain and len(columns) > 1 and PATTERN.isdisjoint(str(readable)):
            rows = _load_plain(engine, (source, table), readable, (delimiter, columns, nulls), found, working)
        if rows is None:
            write_clean(readable, path.name, delimiter, columns, clean, engine.problems, working)
            rows = load_clean(engine, (source, table), clean, columns, nulls, job=working)
    return Loaded(columns, rows, encoding, delimiter)


@contextmanager
def scratch_file(engine: Engine) -> Iterator[Path]:
    """Give the path of a file that does not exist yet in the engine's private directory; it is removed afterwards."""
    path = engine.directory / f"{secrets.token_hex(8)}.csv"
    try:
        yield path
    finally:
        with disk_problems(path):
            path.unlink(missing_ok=True)


def schema(engine: Engine, name: str) -> None:
    """Make the schema of a source."""
    engine.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name)}")


def _as_utf8(path: Path, encoding: str | None, scratch: Path, job: Job) -> tuple[Path, str, Scan]:
    """Return where the file can be read as UTF-8, its encoding, and what its bytes look like there."""
    if encoding is not None and encoding.casefold() not in ENCODINGS:
        raise UserError("sources.unknown_encoding", file=path.name, encoding=encoding)
    wide = wide_encoding(path)
    if encoding is None and wide is not None:
        encoding = wide
    if encoding is not None and encoding not in ("utf-8", "utf-8-sig"):
        transcode(path, encoding, scratch, job)
        return scratch, "utf-16" if encoding.startswith("utf-16") else encoding, scan(scratch, job)
    found = scan(path, job)
    narrow = encoding or narrow_encoding(found)
    if narrow == "utf-8":
        return path, narrow, found
    transcode(path, narrow, scratch, job)
    return scratch, narrow, scan(scratch, job)


def _header(path: Path, name: str, delimiter: str | None) -> tuple[str, list[str]]:
    with disk_problems(path), open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        head = file.read(_HEAD)
    tried = {each: _first_records(head, name, each) for each in ([delimiter] if delimiter else DELIMITERS)}
    best = max(tried, key=lambda each: _regularity(tried[each]))
    names = tried[best][0] if tried[best] else []
    if isinstance(names, Problem):
        raise UserError("sources.bad_header", file=name)
    if not any(field.strip() for field in names):
        raise UserError("sources.empty_file", file=name)
    if len(names) == 1 and delimiter is None:
        raise UserError("sources.no_delimiter", file=name)
    if len(names) == 1 and delimiter is not None:
        _refuse_other(head, name, delimiter)
    return best, names


def _refuse_other(head: str, name: str, delimiter: str) -> None:
    """Refuse a file that plainly has another delimiter than is said: all of it would be one column."""
    for other in DELIMITERS:
        share, fields = _regularity(_first_records(head, name, other))
        if fields > 1 and share == 1:
            raise UserError("sources.other_delimiter", file=name, delimiter=_shown(delimiter), found=_shown(other))


def _shown(delimiter: str) -> str:
    return delimiter.replace("\t", "\\t")


def _first_records(head: str, name: str, delimiter: str) -> list[list[str] | Problem]:
    found: list[list[str] | Problem] = []
    try:
        for row, fields in records(io.StringIO(head, newline=""), name, delimiter):
            found.append(fields)
            if row == _TRIED:
                break
    except UserError:  # the head is cut inside of a quoted field, or the quotation mark is told when all is read
        pass
    return found


def _regularity(found: list[list[str] | Problem]) -> tuple[float, int]:
    """Return how well a delimiter fits: the share of records with as many fields as the first, and how many."""
    if not found or isinstance(found[0], Problem) or len(found[0]) < 2:
        return 0.0, 0
    wanted = len(found[0])
    fitting = sum(not isinstance(fields, Problem) and len(fields) == wanted for fields in found)
    return round(fitting / len(found), 1), wanted


def _load_plain(
    engine: Engine,
    target: tuple[str, str],
    path: Path,
    form: tuple[str, tuple[str, ...], list[str]],
    found: Scan,
    job: Job,
) -> int | None:
    """Load a file in which every line should be a row; None if one is not, so that nothing was loaded.

    DuckDB numbers the rows of a table from 0 in the order of the file, which saves a column.
    """
    delimiter, columns, nulls = form
    rows = f"main.{quoted('.'.join(target))}"
    try:
        engine.execute(
            f"CREATE TABLE {rows} AS SELECT * FROM read_csv(?, auto_detect = false, header = false, skip = 1, "
            f"delim = ?, quote = ?, escape = ?, nullstr = ?, columns = {_texts(columns)}, "
            f"strict_mode = true, max_line_size = {_MAX_LINE}, buffer_size = {_BUFFER})",
            [str(path), delimiter, '"', '"', nulls],
            job,
            "sources.step.loading",
        )
    except duckdb.Error:  # a row is not as it should be: it is named by whoever reads strictly
        return None
    loaded = int(engine.one(f"SELECT count(*) FROM {rows}")[0])
    lines = sum(found.lines.values())
    if not found.quotes and loaded not in (lines, lines - 1):  # with or without an end of the last line
        engine.execute(f"DROP TABLE {rows}")
        return None
    engine.execute(f"CREATE VIEW {_table(target)} AS SELECT rowid + 2 AS _row, * FROM {rows}")
    return loaded


def load_clean(
    engine: Engine,
    target: tuple[str, str],
    path: Path,
    columns: Sequence[str],
    nulls: Sequence[str] = ("",),
    *,
    job: Job | None = None,
) -> int:
    """Load what a reader has written: rows with their number in front, without names; return how many there are.

    A file that was never begun has none.
    """
    if not path.exists():
        path.touch()
    engine.execute(
        f"CREATE TABLE {_table(target)} AS SELECT * FROM read_csv(?, auto_detect = false, header = false, delim = ',', "
        f"quote = ?, escape = ?, new_line = '\\n', nullstr = ?, columns = {_texts(columns, numbered=True)}, "
        f"strict_mode = true, max_line_size = {_MAX_LINE}, buffer_size = {_BUFFER})",
        [str(path), '"', '"', list(nulls)],
        job,
        "sources.step.loading",
    )
    return int(engine.one(f"SELECT count(*) FROM {_table(target)}")[0])


def _table(target: tuple[str, str]) -> str:
    return f"{quoted(target[0])}.{quoted(target[1])}"


def _texts(columns: Sequence[str], *, numbered: bool = False) -> str:
    """Write the columns as a struct of SQL, whose keys are quoted identifiers."""
    first = ["_row: 'BIGINT'"] if numbered else []
    return "{" + ", ".join([*first, *(f"{quoted(column)}: 'VARCHAR'" for column in columns)]) + "}"
