"""Read a CSV file row by row, strictly, saying for every row on which line of an editor it begins.

Nothing is guessed but the delimiter (from the first line) and a byte order mark. Problems with the file as a whole
are raised; a row that cannot be used is yielded as the problem it has, so that the caller can go on and list more.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from app.core.errors import UserError
from app.core.files import disk_problems
from app.core.preparation.mapping import DELIMITERS, Mapping

MAX_FIELD = 10_000
MAX_COLUMNS = 10_000
_MAX_HEADER = 4 << 20


@dataclass(frozen=True)
class Row:
    """One row: the line (from 1) on which it begins, and its fields, as many as the file has columns."""

    line: int
    fields: list[str]


class CsvFile:
    """A CSV file whose first line was read. Iterate it once, and close it (or use it as a context manager)."""

    def __init__(self, path: Path, mapping: Mapping) -> None:
        """Open ``path`` and read the names of its columns.

        Raises UserError ``csv.empty_file``, ``csv.wrong_encoding``, ``csv.no_delimiter``, ``csv.duplicate_column``,
        ``csv.too_many_columns``; EnvironmentProblem ``file.*``.
        """
        self._path = path
        self.name = path.name
        self._encoding = "utf-8-sig" if mapping.encoding == "utf-8" else mapping.encoding
        with disk_problems(path):
            self._file: TextIO = open(path, encoding=self._encoding, newline="")  # noqa: SIM115 - closed by close()
        try:
            delimiter = mapping.delimiter or self._find_delimiter()
            self._rows = csv.reader(self._file, delimiter=delimiter, strict=True)
            self.columns = self._read_columns()
        except BaseException:
            self._file.close()
            raise

    def __iter__(self) -> Iterator[Row | UserError]:
        """Yield every row, or the UserError that says why it cannot be used: ragged, a null byte, a huge field, …

        Raises UserError ``csv.wrong_encoding``, and ``csv.open_quote`` where it cannot be known how the file goes on.
        """
        while True:
            line = self._rows.line_num + 1
            fields = self._next(line)
            if fields is None:
                return
            if isinstance(fields, UserError):
                yield fields
            elif fields:  # a line with nothing at all on it holds no patient
                yield self._problem(line, fields) or Row(line, fields)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._file.buffer.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _problem(self, line: int, fields: list[str]) -> UserError | None:
        if len(fields) != len(self.columns):
            expected = len(self.columns)
            return UserError("csv.ragged_row", file=self.name, row=line, found=len(fields), expected=expected)
        for column, value in zip(self.columns, fields, strict=True):
            if len(value) > MAX_FIELD:
                return UserError("csv.huge_field", file=self.name, row=line, column=column, limit=MAX_FIELD)
            if "\0" in value:
                return UserError("csv.null_byte", file=self.name, row=line, column=column)
        return None

    def _next(self, line: int) -> list[str] | UserError | None:
        try:
            with disk_problems(self._path):
                return next(self._rows, None)
        except csv.Error as error:
            if "field larger than" in str(error) or "unexpected end" in str(error):
                raise UserError("csv.open_quote", file=self.name, row=line) from error
            return UserError("csv.not_csv", file=self.name, row=line, reason=str(error))
        except UnicodeError as error:
            raise self._wrong_encoding(line) from error

    def _find_delimiter(self) -> str:
        try:
            with disk_problems(self._path):
                first = self._file.readline(_MAX_HEADER)
                self._file.seek(0)
        except UnicodeError as error:
            raise self._wrong_encoding(1) from error
        if not first:
            raise UserError("csv.empty_file", file=self.name)
        counts = {delimiter: first.count(delimiter) for delimiter in DELIMITERS}
        best = max(counts, key=lambda delimiter: counts[delimiter])
        if counts[best] == 0:
            raise UserError("csv.no_delimiter", file=self.name)
        return best

    def _read_columns(self) -> tuple[str, ...]:
        columns = self._next(1)
        if isinstance(columns, UserError):
            raise columns
        if not columns or not any(columns):
            raise UserError("csv.empty_file", file=self.name)
        names = tuple(name.strip() for name in columns)
        if len(names) > MAX_COLUMNS:
            raise UserError("csv.too_many_columns", file=self.name, found=len(names), limit=MAX_COLUMNS)
        if any("\0" in name for name in names):
            raise UserError("csv.null_byte", file=self.name, row=1, column="1")
        for name, count in Counter(names).items():
            if name and count > 1:
                raise UserError("csv.duplicate_column", file=self.name, column=name)
        return names

    def _wrong_encoding(self, line: int) -> UserError:
        """Find the line with the byte that does not fit (Python reads ahead, so ``line`` may be before it)."""
        if self._encoding != "utf-16":
            with disk_problems(self._path), open(self._path, "rb") as file:
                for number, raw in enumerate(file, 1):
                    try:
                        raw.decode(self._encoding)
                    except UnicodeError:
                        line = number
                        break
        return UserError("csv.wrong_encoding", file=self.name, row=line, encoding=self._encoding.removesuffix("-sig"))
