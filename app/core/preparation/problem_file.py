"""A list of problems as a file that a spreadsheet opens: CSV with a byte order mark, and nothing in it is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.core.files import write_atomic

_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str | int | None]]) -> None:
    """Write rows below a header, whole or not at all, for this user only. Raises EnvironmentProblem ``disk.*``."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerows([harmless(cell) for cell in row] for row in (header, *rows))
    write_atomic(path, written.getvalue().encode("utf-8-sig"))


def harmless(value: str | int | None) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe stands before what could begin one."""
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_BEGIN_FORMULAS) else text
