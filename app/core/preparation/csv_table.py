"""A table as a file that a spreadsheet opens: CSV with a byte order mark, and nothing in it is a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.core.files import write_atomic

_FORMULA = re.compile(r"(^|[;|\t])(?=[=+\-@＝＋－＠])|^(?=[\t\r\n])")  # noqa: RUF001 - the wide ones begin formulas, too
"""A spreadsheet that takes another delimiter than the comma begins cells in the middle of ours."""


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str | int | None]]) -> None:
    """Write rows below a header, whole or not at all, for this user only. Raises EnvironmentProblem ``disk.*``."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerows([harmless(cell) for cell in row] for row in (header, *rows))
    write_atomic(path, written.getvalue().encode("utf-8-sig"))


def harmless(value: str | int | None) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe stands before what could begin one."""
    if isinstance(value, str):
        return _FORMULA.sub(r"\g<0>'", value)
    return "" if value is None else str(value)
