"""What a source is: the files of one export, and the tables that its reader makes of them.

A reader stages every table of a source in the engine (:mod:`app.core.preparation.engine`) as the DuckDB table
``"<source>"."<table>"``: ``_row`` BIGINT (the row as a spreadsheet counts: the names are row 1; the line or the number
of the record where a format has no rows) and every column as VARCHAR as it was written, NULL where the format itself
says that there is no value. Dates that a format knows as dates are ISO texts, its numbers plain decimal texts. Rows
that cannot be used never vanish: each is a :class:`.Problem`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

ENCODINGS = (
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252", "iso-8859-1", "iso-8859-15"),
    *("windows-1250", "iso-8859-2", "cp850", "mac-roman"),
)
"""The encodings that can be said."""
DELIMITERS = (",", ";", "\t", "|")


class Format(StrEnum):
    """The formats that are read."""

    CSV = "csv"  # and TSV
    EXCEL = "excel"
    PARQUET = "parquet"
    SAS = "sas"
    SPSS = "spss"
    STATA = "stata"
    REDCAP = "redcap"
    OMOP = "omop"
    I2B2 = "i2b2"
    FHIR = "fhir"
    CBIOPORTAL = "cbioportal"


@dataclass(frozen=True, slots=True)
class Settings:
    """How the files of a source are read; None where it is found out from the files.

    ``files`` are absolute; a folder for formats of many files. ``dates`` is ``YMD``, ``DMY`` or ``MDY``; ``missing``
    are texts that stand for "no value" in every column; ``sheet`` is Excel's; ``dictionary`` is REDCap's.
    """

    format: Format
    files: tuple[Path, ...]
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    dates: str | None = None
    missing: frozenset[str] = frozenset({""})
    sheet: str | None = None
    dictionary: Path | None = None
    identifiers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. ``type`` is what its values look like: text, number, date, flag, code.

    ``identifier`` is the kind of direct identifier that the *format* says it holds (REDCap's "Identifier?", a FHIR
    name), None if it says nothing. ``values`` are the labels of coded values ({"1": "male"}), ``distinct`` is None
    where there are too many to count.
    """

    name: str
    type: str
    filled: int
    distinct: int | None
    examples: tuple[str, ...] = ()
    label: str | None = None
    unit: str | None = None
    identifier: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Long:
    """The columns of a table with one row an observation, as far as the format has them."""

    code: str
    system: str | None = None
    time: str | None = None
    end: str | None = None
    value: str | None = None
    unit: str | None = None
    modifier: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A staged table. ``patient`` is the column that names the patient, where the format itself says which.

    ``left_out`` are columns that were not read, because the format says that they tell who a patient is.
    """

    source: str
    name: str
    file: str
    rows: int
    columns: tuple[Column, ...]
    patient: str | None = None
    long: Long | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Staged:
    """A source that was read: its settings, now complete, which of them were found out, and its tables."""

    name: str
    settings: Settings
    found_out: tuple[str, ...]
    tables: tuple[Table, ...]


def table_reference(staged: Staged, table: Table) -> str:
    """Return what a mapping calls a table: the source, with the table where it has several."""
    return staged.name if len(staged.tables) == 1 else f"{staged.name}.{table.name}"
