"""REDCap's data dictionary beside an export: the fields of a project, their names, and what their values mean.

A catalogue is made from one by :mod:`app.core.catalogue.redcap_dictionary`, which reads the same columns.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.core.catalogue.redcap_fields import NAMES, NEEDED, choices_of, is_identifier, plain_label
from app.core.catalogue.tabular import plain_name
from app.core.errors import EnvironmentProblem, UserError
from app.core.files import disk_problems, read_limited

MAX_BYTES = 32 << 20
_HEAD = 64 << 10
_MOST_FILES = 1_000
_CHOSEN = frozenset({"radio", "dropdown", "checkbox"})
_YES_NO = {"yesno": {"1": "Yes", "0": "No"}, "truefalse": {"1": "True", "0": "False"}}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a project. ``choices`` are the labels of its codes; ``identifier`` is what "Identifier?" says."""

    name: str
    form: str
    type: str
    label: str
    choices: Mapping[str, str]
    identifier: bool


def read_dictionary(path: Path) -> tuple[Field, ...]:
    """Read a data dictionary. Raises UserError ``sources.not_dictionary``; EnvironmentProblem ``file.*``."""
    data = read_limited(path, MAX_BYTES)
    try:
        rows = list(csv.reader(io.StringIO(_decoded(data), newline=""), delimiter=_delimiter(data), strict=True))
    except csv.Error as error:
        raise UserError("sources.not_dictionary", file=path.name) from error
    places = _places(rows[0] if rows else [])
    if not places.keys() >= NEEDED:
        raise UserError("sources.not_dictionary", file=path.name)
    fields = tuple(_field(row, places) for row in rows[1:] if len(row) > places["name"] and row[places["name"]].strip())
    if not fields:
        raise UserError("sources.not_dictionary", file=path.name)
    return fields


def dictionary_beside(export: Path) -> Path | None:
    """Return the dictionary that lies beside an export and describes it, if there is one."""
    names = _header(export)
    if _places(names).keys() >= NEEDED:
        return None  # it is a dictionary itself
    with disk_problems(export.parent):
        beside = sorted(path for path in export.parent.iterdir() if path.suffix.lower() == ".csv" and path != export)
    for path in beside[:_MOST_FILES]:
        try:
            if _places(_header(path)).keys() >= NEEDED and describes(read_dictionary(path), names):
                return path
        except (UserError, EnvironmentProblem):  # it is something else, which is not what was asked about
            continue
    return None


def describes(fields: tuple[Field, ...], names: list[str]) -> bool:
    """Return whether an export with the columns ``names`` can be of this project: its first column is the record's."""
    return bool(names) and names[0].strip() in (fields[0].name, fields[0].label)


def _field(row: list[str], places: Mapping[str, int]) -> Field:
    def cell(name: str) -> str:
        place = places.get(name, len(row))
        return row[place].strip() if place < len(row) else ""

    kind = cell("type").casefold()
    choices = _YES_NO.get(kind) or (dict(choices_of(cell("choices"))) if kind in _CHOSEN else {})
    label, identifier = plain_label(cell("label")), is_identifier(cell("identifier"))
    return Field(cell("name"), cell("form"), kind, label, choices, identifier)


def _places(names: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, name in enumerate(names):
        for key, known in NAMES.items():
            if plain_name(name) in known:
                found.setdefault(key, place)
    return found


def _header(path: Path) -> list[str]:
    with disk_problems(path), open(path, "rb") as file:
        head = file.read(_HEAD)
    try:
        return next(csv.reader(io.StringIO(_decoded(head), newline=""), delimiter=_delimiter(head)), [])
    except csv.Error:
        return []


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("windows-1252", "replace")


def _delimiter(data: bytes) -> str:
    first = data.split(b"\n", 1)[0]
    return max(",;\t", key=lambda delimiter: first.count(delimiter.encode()))
