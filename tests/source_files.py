"""Files of the formats that hospitals have, made by hand or by the libraries that write them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.problems import Problem
from app.core.preparation.sources.source import Format, Settings, Staged
from app.core.preparation.sources.staging import stage
from app.core.preparation.sql import quoted

SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
DATE, MOMENT, DURATION = 1, 2, 3
"""Styles of cells in the workbooks that are made here."""


@dataclass(frozen=True)
class Read:
    """What a source was staged as: the description, the rows of its tables (with ``_row`` first), the problems."""

    staged: Staged
    rows: Mapping[str, list[tuple[object, ...]]]
    problems: list[Problem]

    @property
    def only(self) -> list[tuple[object, ...]]:
        """The rows of the only table."""
        (rows,) = self.rows.values()
        return rows


def read(place: Path, *files: Path, format: Format = Format.CSV, job: Job | None = None, **settings: object) -> Read:
    """Stage files in an engine of their own, and return everything that it holds."""
    with Engine(files, place=place / "engine", threads=2) as engine:
        staged = stage(engine, "source", Settings(format, tuple(files), **settings), job)  # type: ignore[arg-type]
        rows = {
            table.name: engine.execute(
                f"SELECT * FROM {quoted(table.source, table.name)} ORDER BY _row"  # noqa: S608 - quoted
            ).fetchall()
            for table in staged.tables
        }
        problems = list(engine.problems)
    assert list((place / "engine").iterdir()) == []
    return Read(staged, rows, problems)


@dataclass(frozen=True)
class Raw:
    """A cell as XML: the attributes of ``c`` and what stands in it."""

    attributes: str
    content: str


def workbook(
    path: Path,
    rows: Mapping[int, Sequence[object]] | str,
    *,
    after: str = "",
    more: Mapping[str, bytes] | None = None,
    sheets: Sequence[tuple[str, str]] = (("Data", ""),),
) -> Path:
    """Write a minimal xlsx; the first of ``sheets`` (name, attributes) holds ``rows`` (by number), others are empty."""
    overrides = "".join(
        f'<Override PartName="/xl/{part}.xml" ContentType='
        f'"application/vnd.openxmlformats-officedocument.spreadsheetml.{kind}+xml"/>'
        for part, kind in [
            ("workbook", "sheet.main"),
            ("styles", "styles"),
            *((f"worksheets/sheet{number}", "worksheet") for number in range(1, len(sheets) + 1)),
        ]
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
        f'"application/vnd.openxmlformats-package.relationships+xml"/>{overrides}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r0" '
        f'Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SPREADSHEET}" xmlns:r="{_RELATIONS}"><sheets>'
        + "".join(
            f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="r{number}" {attributes}/>'
            for number, (name, attributes) in enumerate(sheets, 1)
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="r{number}" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet{number}.xml"/>'
            for number in range(1, len(sheets) + 1)
        )
        + f'<Relationship Id="s" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{SPREADSHEET}"><cellXfs count="4"><xf numFmtId="0"/><xf numFmtId="14"/>'
        '<xf numFmtId="22"/><xf numFmtId="46"/></cellXfs></styleSheet>',
    }
    for number in range(1, len(sheets) + 1):
        data = rows if isinstance(rows, str) else "".join(_row(row, values) for row, values in rows.items())
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{SPREADSHEET}"><sheetData>{data if number == 1 else ""}</sheetData>'
            f"{after if number == 1 else ''}</worksheet>"
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
        for name, data in (more or {}).items():
            archive.writestr(name, data)
    return path


def _row(number: int, values: Sequence[object]) -> str:
    return f'<row r="{number}">{"".join(_cell(number, column, value) for column, value in enumerate(values))}</row>'


def _cell(row: int, column: int, value: object) -> str:
    if value is None:
        return ""
    place = f'r="{chr(ord("A") + column)}{row}"'
    if isinstance(value, Raw):
        return f"<c {place} {value.attributes}>{value.content}</c>"
    if isinstance(value, str):
        return f'<c {place} t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f"<c {place}><v>{value}</v></c>"
