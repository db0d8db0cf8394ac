"""Mapping files, read: of both versions, and checked by themselves. See :mod:`.mapping` for what stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.core.errors import UserError
from app.core.files import read_limited
from app.core.preparation import mapping_1
from app.core.preparation.mapping import (
    FORMAT,
    MAX_DAYS,
    VERSION,
    BadValues,
    Mapping,
    Rule,
    Source,
    VariableMapping,
    Window,
)
from app.core.preparation.mapping_fields import Fields, refuse
from app.core.preparation.sources.source import DELIMITERS, ENCODINGS, Format
from app.core.toml_reader import parse_toml

MAX_BYTES = 8 << 20
DATES = ("YMD", "DMY", "MDY")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_RESERVED = frozenset({"main", "temp", "system", "memory", "staged", "information_schema", "pg_catalog", "consilium"})
"""What the database of a preparation calls something else."""
_FACTOR = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


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
    try:
        plain = parse_toml(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError("mapping.not_utf8", file=name) from error
    except ValueError as error:
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
        leave_out=top.texts("leave_out"),
    )
    top.done()
    for code in mapping.leave_out:
        if code in mapping.variables:
            refuse("left_out_and_read", name, field=f"variables.{code}"[:100], variable=code[:100])
    _check_tables(mapping)
    return mapping


def _read_source(plain: object, file: str, name: str) -> Source:
    place = f"sources.{name}"
    if not is_source_name(name):
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


def is_source_name(name: str) -> bool:
    """Return whether a source can be called so."""
    return _NAME.fullmatch(name) is not None and name.lower() not in _RESERVED


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
