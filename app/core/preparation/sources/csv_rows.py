"""Read delimited text strictly, record by record: slower than DuckDB, and exact about everything that is wrong.

A record is a row as a spreadsheet counts: a quoted line break is inside of one, an empty line is one of its own.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from app.core.errors import UserError
from app.core.files import disk_problems
from app.core.jobs.job import Job
from app.core.preparation.problems import SHOWN, Problem, Problems, State

MAX_FIELD = 100_000
"""Characters in a field; a row with a longer one is refused."""
MAX_ROW = 1 << 20
"""Characters in a row."""


def write_clean(
    path: Path, name: str, delimiter: str, columns: Sequence[str], target: Path, problems: Problems, job: Job
) -> int:
    """Write the usable records after the first to ``target``, each with its number in front; return how many.

    ``path`` is UTF-8 and ``name`` what the file is called in problems, which are added for every record that is left
    out. Raises UserError ``sources.open_quote``; Cancelled; EnvironmentProblem ``disk.*``, ``file.*``.
    """
    written = 0
    with (
        disk_problems(target),
        open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as source,
        open(target, "w", encoding="utf-8", newline="") as out,
    ):
        meter = job.meter("sources.step.reading", path.stat().st_size)
        position = 0
        write = clean_writer(out)
        for row, fields in records(source, name, delimiter):
            if row == 1:
                continue
            if isinstance(fields, Problem):
                problems.add(fields)
                continue
            if len(fields) > len(columns) and not any(fields[len(columns) :]):
                del fields[len(columns) :]  # empty fields behind the last column say nothing: DuckDB drops them as well
            if (problem := _problem(name, row, fields, columns)) is not None:
                problems.add(problem)
            elif fields:  # an empty line is no row
                write([row, *fields])
                written += 1
            if row % 10_000 == 0:
                now = os.lseek(source.fileno(), 0, os.SEEK_CUR)
                meter.advance(now - position)
                position = now
    return written


def clean_writer(out: TextIO) -> Callable[[Iterable[object]], object]:
    """Return what writes a row of a clean CSV: all in quotation marks, one sort of line end, so that nobody guesses."""
    return csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow


def records(source: TextIO, name: str, delimiter: str) -> Iterator[tuple[int, list[str] | Problem]]:
    """Yield every record with its number, or the problem why it is none. Raises UserError ``sources.open_quote``."""
    lines = _Lines(source)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    row = 0
    while True:
        row += 1
        lines.cut = False
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if "unexpected end" in str(error) or ("field larger" in str(error) and not lines.cut):
                raise UserError("sources.open_quote", file=name, row=row) from error
            code = "sources.huge_row" if lines.cut else "sources.bad_quotes"
            yield row, Problem(code, State.REFUSED, name, row)
            continue
        if fields is None:
            return
        yield row, Problem("sources.huge_row", State.REFUSED, name, row) if lines.cut else fields


class _Lines(Iterator[str]):
    """The lines of a file, each cut at :data:`MAX_ROW`; ``cut`` is set when one was."""

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self.cut = False

    def __next__(self) -> str:
        line = self._source.readline(MAX_ROW)
        if not line:
            raise StopIteration
        rest = line
        while len(rest) == MAX_ROW and rest[-1] not in "\r\n":
            self.cut = True
            rest = self._source.readline(MAX_ROW)
        return line


def _problem(name: str, row: int, fields: list[str], columns: Sequence[str]) -> Problem | None:
    """Return why a record cannot be used, None if it can."""
    if not fields:
        return None
    if len(fields) != len(columns):
        return Problem("sources.ragged_row", State.REFUSED, name, row, found=str(len(fields)), more=str(len(columns)))
    text = "".join(fields)
    if len(text) <= MAX_FIELD and "\0" not in text and _is_unicode(text):
        return None
    for column, value in zip(columns, fields, strict=True):
        more = None
        if len(value) > MAX_FIELD:
            code, more = "sources.huge_field", str(MAX_FIELD)
        elif "\0" in value:
            code = "sources.null_byte"
        elif not _is_unicode(value):
            code = "sources.invalid_bytes"
        else:
            continue
        return Problem(code, State.REFUSED, name, row, column, found=_shown(value), more=more)
    return Problem("sources.huge_row", State.REFUSED, name, row) if len(text) > MAX_ROW else None


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: str) -> str:
    return value[:SHOWN].encode("utf-8", "replace").decode().replace("\0", "␀")
