"""What runs apart to read workbooks: xlsx, xlsm, xlsb, xls, ods.

calamine holds a whole sheet in memory, as wide and as high as its outermost cells, so an archive is looked through
before: how large it unpacks, how far its cells reach. Formulas are the values that were saved with them; a formula
without a result is found in xlsx and xlsm only, elsewhere such a cell is empty.
"""

from __future__ import annotations

import re
import zipfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from itertools import count as counting
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.errors import UserError
from app.core.files import disk_problems
from app.core.preparation.problems import SHOWN, Problem, Problems, State
from app.core.preparation.sources.archive import Archive
from app.core.preparation.sources.csv_rows import MAX_FIELD, clean_writer
from app.core.preparation.sources.names import named
from app.core.preparation.sources.plain_text import moment_text, number_text

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

MAX_CELLS = 20_000_000
"""Cells of the rectangle around all cells of a sheet."""
MAX_MERGED = 100_000
"""Merged areas of a sheet."""
_EXCEL = "Excel"
_DIGITS = 15  # what Excel computes with and shows
_WORKBOOKS = ("xl/workbook.xml", "xl/workbook.bin")
_SMALL = 4 << 20
_REACH = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,3})(\d{1,8})["']""")
_ERROR = re.compile(
    rb"""<(?:\w+:)?c\b(?=[^>]*\bt\s*=\s*["']e["'])[^>]*\br\s*=\s*["']([A-Z]{1,3})(\d{1,7})["'][^>]*>"""
    rb"""(?:(?!</(?:\w+:)?c>).){0,2000}?<(?:\w+:)?v>([^<]{1,40})<""",
    re.DOTALL,
)
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")
_SHEET = re.compile(rb"<(?:\w+:)?sheet\b[^>]*>")
_ATTRIBUTE = re.compile(rb"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_OVERLAP = 4096

Place = tuple[int, int]
"""Row and column, both from 0."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that was written as a clean CSV."""

    name: str
    columns: tuple[str, ...]
    problems: Problems


@dataclass
class _Cells:
    """What the XML of a sheet says: how far its cells reach, and which hold an error."""

    rows: int = 0
    columns: int = 0
    errors: dict[Place, str] = field(default_factory=dict)


def is_workbook(path: Path) -> bool:
    """Return whether a file is an archive that holds a workbook."""
    try:
        with disk_problems(path), zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if names & set(_WORKBOOKS):
                return True
            return "mimetype" in names and archive.getinfo("mimetype").file_size < 100 and "content.xml" in names
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeError, KeyError):
        return False


def convert(path: Path, wanted: str | None, target: Path) -> Sheet:
    """Write the sheet ``wanted`` (None: the first visible one that holds something) to ``target`` as a clean CSV.

    Raises UserError ``sources.damaged``, ``sources.too_large``, ``sources.too_many_cells``, ``sources.no_sheet``,
    ``sources.password``, ``sources.empty_file`` and those of names; EnvironmentProblem ``file.*``, ``disk.*``.
    """
    import python_calamine as calamine  # noqa: PLC0415 - loaded apart only

    parts = _looked_through(path) if zipfile.is_zipfile(path) else {}
    with disk_problems(path), open(path, "rb"):
        pass
    try:
        workbook = calamine.load_workbook(path)
        name, sheet = _chosen(path, workbook, wanted, parts)
        rows = sheet.iter_rows()
        merged = sheet.merged_cell_ranges or []
        return _write(path, name, rows, _Merged(merged[:MAX_MERGED]), parts.get(name, _Cells()), target)
    except calamine.PasswordError as error:
        raise UserError("sources.password", file=path.name) from error
    except (calamine.CalamineError, OSError, ValueError, OverflowError) as error:
        raise UserError("sources.damaged", file=path.name, format=_EXCEL) from error


def _chosen(
    path: Path, workbook: CalamineWorkbook, wanted: str | None, parts: Mapping[str, _Cells]
) -> tuple[str, CalamineSheet]:
    known = workbook.sheets_metadata
    if wanted is not None and wanted not in workbook.sheet_names:
        raise UserError("sources.no_sheet", file=path.name, sheet=wanted, known=", ".join(workbook.sheet_names)[:500])
    for about in known:
        if wanted not in (None, about.name) or (wanted is None and not str(about.visible).endswith(".Visible")):
            continue
        cells = parts.get(about.name, _Cells())
        if cells.rows * cells.columns > MAX_CELLS:
            raise UserError("sources.too_many_cells", file=path.name, limit=MAX_CELLS)
        sheet = workbook.get_sheet_by_name(about.name)
        if sheet.total_height * sheet.total_width > MAX_CELLS:
            raise UserError("sources.too_many_cells", file=path.name, limit=MAX_CELLS)
        if sheet.height and sheet.start is not None:
            return about.name, sheet
    raise UserError("sources.empty_file", file=path.name)


def _write(path: Path, name: str, rows: Iterator[list[Any]], merged: _Merged, cells: _Cells, target: Path) -> Sheet:
    problems = Problems()
    columns: tuple[str, ...] | None = None
    with disk_problems(target), open(target, "w", encoding="utf-8", newline="") as out:
        write = clean_writer(out)
        for row, values in zip(counting(), rows):
            filled = merged.fill(row, values)
            texts = [_text(value) for value in values]
            if columns is None:
                if any(texts):
                    columns = named(texts, path.name)
                continue
            if not any(texts) and not any((row, column) in cells.errors for column in range(len(texts))):
                continue
            for column, text in enumerate(texts):
                place = (path.name, row + 1, columns[column])
                if (row, column) in cells.errors and not text:
                    problems.add(Problem("sources.error_cell", State.EMPTY, *place, found=cells.errors[row, column]))
                elif column in filled and text:
                    problems.add(Problem("sources.merged_cell", State.REPAIRED, *place, used=text[:SHOWN]))
                if len(text) > MAX_FIELD or "\0" in text:
                    code = "sources.null_field" if "\0" in text else "sources.long_field"
                    shown = text[:SHOWN].replace("\0", "␀")
                    problems.add(Problem(code, State.EMPTY, *place, found=shown))
                    texts[column] = ""
            write((row + 1, *texts))
    if columns is None:
        raise UserError("sources.empty_file", file=path.name)
    return Sheet(name, columns, problems)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value, _DIGITS)
    return moment_text(value) if isinstance(value, date | time | timedelta) else ""


class _Merged:
    """Merged areas. A cell that is hidden by one has the value of the area's first cell."""

    def __init__(self, areas: list[tuple[Place, Place]]) -> None:
        self._areas = sorted(areas)
        self._open: list[tuple[Place, Place, Any]] = []
        self._next = 0

    def fill(self, row: int, values: list[Any]) -> set[int]:
        """Fill the hidden cells of a row, rows being given in their order; return which columns were filled."""
        self._open = [area for area in self._open if area[1][0] >= row]
        last = bisect_right(self._areas, row, self._next, key=lambda area: area[0][0])
        for first, end in self._areas[self._next : last]:
            if first[1] < len(values):
                self._open.append((first, end, values[first[1]]))
        self._next = last
        filled = set()
        for first, end, value in self._open:
            for column in range(first[1], min(end[1] + 1, len(values))):
                if (row, column) != first and values[column] == "" and value != "":
                    values[column] = value
                    filled.add(column)
        return filled


def _looked_through(path: Path) -> dict[str, _Cells]:
    """Unpack every part of an archive once; return what the XML of its sheets says, by their names."""
    archive = Archive(path, _EXCEL)
    looks: dict[str, _Cells] = {}
    for name in archive.names:
        if name.startswith("xl/worksheets/") and name.endswith(".xml"):
            looks[name] = _look(archive.pieces(name))
        else:
            for _ in archive.pieces(name):
                pass
    if _WORKBOOKS[0] not in archive.names or "xl/_rels/workbook.xml.rels" not in archive.names:
        return {}
    targets = {
        relation.get("Id", ""): "xl/" + relation.get("Target", "").removeprefix("/xl/")
        for relation in _tags(_RELATION, archive.whole("xl/_rels/workbook.xml.rels", _SMALL))
    }
    sheets = _tags(_SHEET, archive.whole(_WORKBOOKS[0], _SMALL))
    named_targets = {sheet.get("name", ""): targets.get(sheet.get("id", ""), "") for sheet in sheets}
    return {name: looks[target] for name, target in named_targets.items() if target in looks}


def _tags(pattern: re.Pattern[bytes], data: bytes) -> Iterator[dict[str, str]]:
    for tag in pattern.finditer(data):
        attributes = _ATTRIBUTE.findall(tag[0])
        yield {name.split(b":")[-1].decode(): _unescaped(one or other) for name, one, other in attributes}


def _unescaped(value: bytes) -> str:
    import html  # noqa: PLC0415 - a table of 2,000 names that only few need

    return html.unescape(value.decode("utf-8", "replace"))


def _look(pieces: Iterator[bytes]) -> _Cells:
    cells = _Cells()
    before = b""
    for piece in pieces:
        data = before + piece
        reach = set(_REACH.findall(data))
        cells.rows = max(cells.rows, max((int(row) for _, row in reach), default=0))
        cells.columns = max(cells.columns, max((_number(column) for column, _ in reach), default=0))
        for column, row, shown in _ERROR.findall(data) if b"e" in data and len(cells.errors) < MAX_MERGED else ():
            cells.errors[int(row) - 1, _number(column) - 1] = shown.decode("utf-8", "replace")
        before = data[-_OVERLAP:]
    return cells


def _number(letters: bytes) -> int:
    """Return the number of a column, 1 for A; 0 for none."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
