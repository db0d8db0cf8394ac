"""The names of columns and tables that files give, made usable or refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from app.core.errors import UserError

MAX_COLUMNS = 10_000
_MAX_NAME = 1_000


def named(names: Iterable[str], file: str) -> tuple[str, ...]:
    """Return the names of columns that a file gives; one that is empty is called ``column 3``.

    Raises UserError ``sources.duplicate_column``, ``sources.too_many_columns``, ``sources.column_name``.
    """
    columns = tuple(name.strip() or f"column {number}" for number, name in enumerate(names, 1))
    if len(columns) > MAX_COLUMNS:
        raise UserError("sources.too_many_columns", file=file, found=len(columns), limit=MAX_COLUMNS)
    seen = {"_row", "_file", "_n", "rowid"}  # what staged tables have besides
    for number, column in enumerate(columns, 1):
        if "\0" in column or len(column) > _MAX_NAME or not _is_unicode(column):
            raise UserError("sources.column_name", file=file, column=number)
        if column.casefold() in seen:
            raise UserError("sources.duplicate_column", file=file, column=column)
        seen.add(column.casefold())
    return columns


def table_names(files: tuple[Path, ...], source: str) -> list[str]:
    """Return what the tables of a source are called: as their files, or as the source if there is one only.

    Raises UserError ``sources.same_name``.
    """
    if len(files) == 1:
        return [source]
    names = [path.stem for path in files]
    for name, count in Counter(map(str.casefold, names)).items():
        if count > 1:
            raise UserError("sources.same_name", file=name)
    return names


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
