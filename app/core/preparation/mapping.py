"""The mapping file, version 2: how the tables that a hospital has become the catalogue's variables. TOML 1.0, UTF-8.

::

    format = "consilium-mapping"
    version = 2
    site = "Lausanne"                       # this site's name in the federation
    catalogue = "Melanoma registry"         # for people; with catalogue_version = 3
    patients = "patients"                   # the table with one row a patient; else the patients of all tables
    bad_values = "empty"                    # or "refuse": a value that cannot be understood refuses its row
    confirmed = ["patients.note"]           # columns that look like identifiers and are none

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
    codes = ["2160-0"]                      # of these rows; a trailing * means a prefix
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
variable that is not mentioned takes the column of the patients' table that bears its code, if there is one.

This module and :mod:`.mapping_1`, which reads version 1, need nothing but the standard library: a window that edits a
mapping does not bring a database with it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, fields
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from app.core.errors import SafeParam, UserError
from app.core.files import read_limited
from app.core.preparation.sources.source import Format

FORMAT = "consilium-mapping"
VERSION = 2
MAX_BYTES = 8 << 20
ENCODINGS = ("utf-8", "windows-1252", "iso-8859-1", "iso-8859-15", "utf-16")
DELIMITERS = (",", ";", "\t", "|")
DATES = ("YMD", "DMY", "MDY")
MAX_DAYS = 100_000

T = TypeVar("T")
_SHOWN = {str: '"…"', int: "1", bool: "true", list: '["…"]', dict: "{…}"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_RESERVED = frozenset({"main", "temp", "system", "memory", "information_schema", "pg_catalog", "consilium"})
_FACTOR = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


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


_OF_INDEX = frozenset(
    {"table", "column", "missing", "rule", "codes", "below", "system", "code_column", "time_column", "only"}
)
_OF_ROWS = ("below", "code_column", "value_column", "time_column", "window", "only")
_OF_FIELDS = ("column", "end_column", "event_table", "event_column", "event_values", "event_date_column")


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file. Raises UserError ``mapping.*`` that names ``file`` and ``field``; EnvironmentProblem."""
    return parse_mapping(read_limited(path, MAX_BYTES), path.name)


def parse_mapping(data: bytes, name: str) -> Mapping:
    """Read the bytes of a mapping file of any version; ``name`` is what errors call it. Raises UserError
    ``mapping.*``."""
    from app.core.preparation import mapping_1  # noqa: PLC0415 - it reads into the values that are defined here

    try:
        plain = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError("mapping.not_utf8", file=name) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError("mapping.not_toml", file=name, reason=str(error)) from error
    top = Fields(plain, name, "")
    if top.take("format", str) != FORMAT:
        refuse("wrong_format", name, field="format", expected=FORMAT)
    version = top.take("version", int)
    if not 1 <= version <= VERSION:
        refuse("newer", name, field="version", found=version, known=VERSION)
    return mapping_1.read(top, name) if version == 1 else _read(top, name)


def _read(top: Fields, name: str) -> Mapping:
    index, sources, variables = (top.take(key, dict, {}) for key in ("index", "sources", "variables"))
    mapping = Mapping(
        file=name,
        site=top.take("site", str),
        sources={code: _read_source(each, name, code) for code, each in sources.items()},
        variables={code: read_variable(each, name, code) for code, each in variables.items()},
        patients=top.optional("patients", str),
        index=_read_index(index, name) if index else None,
        catalogue=top.optional("catalogue", str),
        catalogue_version=top.optional("catalogue_version", int),
        bad_values=BadValues(top.choice("bad_values", BadValues.EMPTY, tuple(BadValues))),
        confirmed=top.texts("confirmed"),
    )
    top.done()
    _check_tables(mapping)
    return mapping


def _read_source(plain: object, file: str, name: str) -> Source:
    place = f"sources.{name}"
    if not _NAME.fullmatch(name) or name.lower() in _RESERVED:
        refuse("bad_source_name", file, field=place, found=name[:40])
    table = Fields(plain, file, place)
    source = Source(
        format=Format(table.choice("format", None, tuple(Format))),
        files=table.texts("files"),
        patient=table.optional("patient", str),
        encoding=table.choice("encoding", None, ENCODINGS, optional=True),
        delimiter=table.choice("delimiter", None, DELIMITERS, optional=True),
        decimal=table.choice("decimal", None, (".", ","), optional=True),
        dates=table.choice("dates", None, DATES, optional=True),
        missing=table.texts("missing", ("",)),
        sheet=table.optional("sheet", str),
        dictionary=table.optional("dictionary", str),
    )
    table.done()
    return source


def _read_index(plain: object, file: str) -> VariableMapping:
    index = _read_fields(Fields(plain, file, "index"), file, "index")
    for each in fields(index):
        if each.name not in _OF_INDEX and getattr(index, each.name) not in (None, (), {}):
            refuse("not_for_index", file, field=f"index.{each.name}")
    return index


def read_variable(plain: object, file: str, code: str) -> VariableMapping:
    """Read one variable's table, as a plain ``dict``. Raises UserError ``mapping.*``."""
    place = f"variables.{code}"
    return _read_fields(Fields(plain, file, place), file, place)


def _read_fields(table: Fields, file: str, place: str) -> VariableMapping:
    rule = table.choice("rule", None, tuple(Rule), optional=True)
    variable = VariableMapping(
        rule=None if rule is None else Rule(rule),
        values=table.named_texts("values"),
        codes=table.texts("codes"),
        missing=table.texts("missing"),
        below=table.take("below", bool, False),
        window=_read_window(table.optional("window", dict), file, f"{place}.window"),
        only=_read_only(table.take("only", dict, {}), file, f"{place}.only"),
        factor=_read_factor(table.optional("factor", str), file, f"{place}.factor"),
        event_values=table.texts("event_values"),
        **{each: table.optional(each, str) for each in _TEXTS},
    )
    table.done()
    _check_together(variable, file, place)
    return variable


_TEXTS = (
    *("table", "column", "system", "code_column", "value_column", "time_column", "unit_column", "unit"),
    *("end_column", "event_table", "event_column", "event_date_column"),
)


def _read_window(plain: dict[str, Any] | None, file: str, place: str) -> Window | None:
    if plain is None:
        return None
    table = Fields(plain, file, place)
    window = Window(table.optional("from", int), table.optional("to", int))
    table.done()
    for day in (window.first, window.last):
        if day is not None and abs(day) > MAX_DAYS:
            refuse("too_many_days", file, field=place, found=day, limit=MAX_DAYS)
    if window.first is not None and window.last is not None and window.first > window.last:
        refuse("empty_window", file, field=place, first=window.first, last=window.last)
    return window


def _read_only(plain: dict[str, Any], file: str, place: str) -> dict[str, tuple[str, ...]]:
    table = Fields(plain, file, place)
    return {column: table.texts(column) for column in plain}


def _read_factor(text: str | None, file: str, place: str) -> Decimal | None:
    if text is None:
        return None
    if not _FACTOR.fullmatch(text) or not Decimal(text):
        refuse("bad_factor", file, field=place, found=text[:40])
    return Decimal(text)


def _check_together(variable: VariableMapping, file: str, place: str) -> None:
    """Refuse fields that say two things at once, or nothing."""
    mixed = _OF_FIELDS if variable.of_rows else _OF_ROWS
    for name in mixed:
        if getattr(variable, name) not in (None, (), {}, False):
            problem = "not_of_rows" if variable.of_rows else "only_of_rows"
            refuse(problem, file, field=f"{place}.{name}", name=name)
    for one, other in (("factor", "unit"), ("column", "end_column"), ("event_column", "event_date_column")):
        if getattr(variable, one) is not None and getattr(variable, other) is not None:
            refuse("not_together", file, field=f"{place}.{one}", other=other)
    if variable.event_values and variable.event_column is None:
        refuse("missing_field", file, field=f"{place}.event_column")


def _check_tables(mapping: Mapping) -> None:
    """Refuse a table of a source that there is not; what tables a source has is known when it is read."""
    if not mapping.sources:
        refuse("missing_field", mapping.file, field="sources")
    lower: dict[str, str] = {}
    for name in mapping.sources:
        if (other := lower.setdefault(name.lower(), name)) != name:
            refuse("same_name", mapping.file, field=f"sources.{name}", other=other)
    for place, table in _tables(mapping):
        source = table.partition(".")[0]
        if source not in mapping.sources:
            known = ", ".join(mapping.sources)
            refuse("unknown_source", mapping.file, field=place, found=source[:40], known=known)


def _tables(mapping: Mapping) -> Iterator[tuple[str, str]]:
    if mapping.patients is not None:
        yield "patients", mapping.patients
    if mapping.index is not None and mapping.index.table is not None:
        yield "index.table", mapping.index.table
    for code, variable in mapping.variables.items():
        for name in ("table", "event_table"):
            if (table := getattr(variable, name)) is not None:
                yield f"variables.{code}.{name}", table


class Fields:
    """One table being read: each key is taken once with its type, and what is left over is a mistake."""

    def __init__(self, plain: object, file: str, place: str) -> None:
        self._file, self._place = file, place
        if not isinstance(plain, dict):
            refuse("wrong_type", file, field=place, expected=_SHOWN[dict])
        self._left: dict[str, Any] = dict(plain)
        self._known: list[str] = []

    def take(self, name: str, kind: type[T], default: T | None = None) -> T:
        """Take a value, which must be there unless there is a default."""
        value = self.optional(name, kind)
        if value is None and (value := default) is None:
            refuse("missing_field", self._file, field=self._path(name))
        return value

    def optional(self, name: str, kind: type[T]) -> T | None:
        """Take a value, or None if it is not there."""
        self._known.append(name)
        value = self._left.pop(name, None)
        if value is not None and type(value) is not kind:
            refuse("wrong_type", self._file, field=self._path(name), expected=_SHOWN[kind])
        return value

    def choice(self, name: str, default: str | None, allowed: tuple[str, ...], *, optional: bool = False) -> Any:
        """Take one of the texts of ``allowed``."""
        self._known.append(name)
        value = self._left.pop(name, default)
        if value is None:
            if not optional:
                refuse("missing_field", self._file, field=self._path(name))
        elif value not in allowed:
            shown = ", ".join(repr(str(each)) for each in allowed)
            refuse("not_allowed", self._file, field=self._path(name), found=str(value)[:40], allowed=shown)
        return value

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Take a list of texts."""
        values = self.take(name, list, list(default))
        if not all(isinstance(value, str) for value in values):
            refuse("wrong_type", self._file, field=self._path(name), expected=_SHOWN[list])
        return tuple(values)

    def named_texts(self, name: str) -> dict[str, str]:
        """Take a table of texts."""
        values = self.take(name, dict, {})
        for key, value in values.items():
            if not isinstance(value, str):
                refuse("wrong_type", self._file, field=f"{self._path(name)}.{key}"[:100], expected=_SHOWN[str])
        return values

    def done(self) -> None:
        """Refuse what was not taken, with the name that is most like it."""
        for name in self._left:
            place = self._path(name)[:100]
            if near := get_close_matches(name, self._known, 1):
                refuse("unknown_field_near", self._file, field=place, near=near[0])
            refuse("unknown_field", self._file, field=place)

    def _path(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name


def refuse(problem: str, file: str, **params: SafeParam) -> NoReturn:
    """Raise the UserError for a mistake in a mapping file."""
    raise UserError(f"mapping.{problem}", file=file, **params)


def plain_variable(variable: VariableMapping) -> dict[str, Any]:
    """Return a variable's table as :func:`read_variable` reads it; what it does not say is left out."""
    plain: dict[str, Any] = {}
    for each in fields(variable):
        value = getattr(variable, each.name)
        if value in (None, (), {}, False):
            continue
        match value:
            case Window():
                days = {"from": value.first, "to": value.last}
                plain[each.name] = {name: day for name, day in days.items() if day is not None}
            case Decimal():
                plain[each.name] = format(value, "f")
            case tuple():
                plain[each.name] = list(value)
            case dict():
                plain[each.name] = {key: list(of) if isinstance(of, tuple) else of for key, of in value.items()}
            case Rule():
                plain[each.name] = value.value
            case _:
                plain[each.name] = value
    return plain


def format_mapping(mapping: Mapping) -> str:
    """Return the readable file of a mapping, always of version 2; :func:`parse_mapping` reads the same again."""
    top: dict[str, Any] = {"format": FORMAT, "version": VERSION, "site": mapping.site}
    for name in ("catalogue", "catalogue_version", "patients"):
        if (value := getattr(mapping, name)) is not None:
            top[name] = value
    if mapping.bad_values is not BadValues.EMPTY:
        top["bad_values"] = mapping.bad_values.value
    if mapping.confirmed:
        top["confirmed"] = list(mapping.confirmed)
    parts = [_lines(top)]
    parts += [f"[sources.{_key(name)}]\n{_lines(_plain_source(each))}" for name, each in mapping.sources.items()]
    if mapping.index is not None:
        parts.append(f"[index]\n{_lines(plain_variable(mapping.index))}")
    for code, variable in mapping.variables.items():
        parts.append(f"[variables.{_key(code)}]\n{_lines(plain_variable(variable))}")
    return "\n".join(parts)


def _plain_source(source: Source) -> dict[str, Any]:
    plain: dict[str, Any] = {"format": source.format.value}
    for each in fields(source)[1:]:
        value = getattr(source, each.name)
        if value != each.default:
            plain[each.name] = list(value) if isinstance(value, tuple) else value
    return plain


def _lines(plain: dict[str, Any]) -> str:
    return "".join(f"{_key(name)} = {_toml(value)}\n" for name, value in plain.items())


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return f"{{ {', '.join(f'{_key(name)} = {_toml(of)}' for name, of in value.items())} }}"
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    """Return a basic string: quotation marks, backslashes and control characters are escaped."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
