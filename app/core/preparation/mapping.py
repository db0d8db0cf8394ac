"""The mapping file, version 2: how the tables that a hospital has become the catalogue's variables. TOML 1.0, UTF-8.

::

    format = "consilium-mapping"
    version = 2
    site = "Lausanne"                       # this site's name in the federation
    catalogue = "Melanoma registry"         # for people; with catalogue_version = 3
    patients = "patients"                   # the table with one row a patient; else the patients of all tables
    bad_values = "empty"                    # or "refuse": a value that cannot be understood refuses its row
    confirmed = ["patients.note"]           # columns that look like identifiers and are none
    leave_out = ["weight"]                  # variables that are not sealed, though a column bears their code

    [sources.patients]                      # a name of one's own: a letter, then letters, digits, _
    format = "csv"                          # see source.Format
    files = ["patients.csv"]                # relative to this file; a folder where the format has many files
    patient = "patient_id"                  # the column that names the patient, where the format does not say it
    encoding = "utf-8"                      # this and the following: found out unless they are said
    delimiter = ";"
    decimal = ","
    dates = "DMY"                           # YMD, DMY, MDY
    missing = ["", "NA"]                    # what stands for "no value" in every column; [""] unless it is said
    sheet = "Patients"                      # Excel's
    dictionary = "dictionary.csv"           # REDCap's

    [index]                                 # day 0 of windows, events and survival
    table = "patients"                      # "<source>" where a source has one table, else "<source>.<table>"
    column = "diagnosis_date"               # or rule, codes, below, system, code_column, time_column, only

    [variables.sex]                         # a variable of the catalogue, by its code
    table = "patients"
    column = "gender"                       # the code itself unless it is said
    values = { "1" = "male", "2" = "female" }
    missing = ["9"]                         # more that stands for "no value" here

    [variables."lab:creatinine"]            # one row an observation
    table = "labs"
    rule = "last"                           # ever first last count min max mean; an event has none
    codes = ["2160-0"]                      # of these rows; a trailing * means a prefix, "*" every row
    below = false                           # true: and of all codes below them in the tree of ``system``
    system = "LOINC"
    code_column = "loinc"                   # this and the following three: left out where the format says them
    value_column = "result"
    time_column = "taken"
    unit_column = "unit"
    window = { from = -365, to = 0 }        # days after the index date, both included; either may be left out
    only = { status = ["final"] }           # further columns must have one of these values
    unit = "mg/dL"                          # of the values; converted to the catalogue's
    factor = "88.42"                        # instead of a conversion, where the dimensions differ

    [variables.os]                          # survival
    table = "patients"
    column = "days"                         # how long a patient was followed after the index date; in days, or
    unit = "mo"                             # in this unit of time; or instead of both
    end_column = "last_seen"                # the date of the last contact
    event_table = "patients"                # where the next stand; the table unless it is said
    event_column = "status"                 # says whether the event ended it
    event_values = ["2"]                    # … if it has one of these values; or instead of both
    event_date_column = "died"              # the date of the event, empty if there was none

An event's ``column`` is a date, or a number of days (or of ``unit``\\ s) after the index date if ``unit`` is said. A
variable that is not mentioned takes the column of the patients' table that bears its code, if there is one, unless
``leave_out`` names it.

This module, :mod:`.mapping_reading`, :mod:`.mapping_1` (which reads version 1) and :mod:`.mapping_writing` do without
DuckDB and numpy: a window that edits a mapping does not bring a database with it.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from app.core.preparation.sources.source import Format

FORMAT = "consilium-mapping"
VERSION = 2
MAX_DAYS = 100_000


class Rule(StrEnum):
    """How the rows that a patient has become one value. Ties of ``first`` and ``last`` (the same time) are decided by
    the order of the rows: the upper one comes first."""

    EVER = "ever"
    FIRST = "first"
    LAST = "last"
    COUNT = "count"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"


class BadValues(StrEnum):
    """What becomes of a value that cannot be understood."""

    EMPTY = "empty"
    """It is left empty, the rest of its row is used."""
    REFUSE = "refuse"
    """Its row is refused."""


@dataclass(frozen=True, slots=True)
class Source:
    """The files of one export; None for what is found out from them. See the module for each field."""

    format: Format
    files: tuple[str, ...] = ()
    patient: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    dates: str | None = None
    missing: tuple[str, ...] = ("",)
    sheet: str | None = None
    dictionary: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Days after the index date, both included; None is unbounded."""

    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class VariableMapping:
    """Where a variable's values stand and how they become one value a patient; see the module for each field.

    The names of the fields are those of the file. ``table`` None is the patients' table.
    """

    table: str | None = None
    column: str | None = None
    values: Table[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    rule: Rule | None = None
    codes: tuple[str, ...] = ()
    below: bool = False
    system: str | None = None
    code_column: str | None = None
    value_column: str | None = None
    time_column: str | None = None
    unit_column: str | None = None
    window: Window | None = None
    only: Table[str, tuple[str, ...]] = field(default_factory=dict)
    unit: str | None = None
    factor: Decimal | None = None
    end_column: str | None = None
    event_table: str | None = None
    event_column: str | None = None
    event_values: tuple[str, ...] = ()
    event_date_column: str | None = None

    @property
    def of_rows(self) -> bool:
        """Whether the value is made of the rows of a table with one row an observation."""
        return self.rule is not None or bool(self.codes)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping file, checked by itself; whether it fits a catalogue and the files is checked when they are read.

    ``file`` is what errors call it. ``index`` uses the fields of a variable that is a date. ``patients`` None: the
    patients are those of all tables.
    """

    file: str
    site: str
    sources: Table[str, Source]
    variables: Table[str, VariableMapping]
    patients: str | None = None
    index: VariableMapping | None = None
    catalogue: str | None = None
    catalogue_version: int | None = None
    bad_values: BadValues = BadValues.EMPTY
    confirmed: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
