"""A REDCap export (CSV, raw or labels) with its data dictionary.

The rows of a record become ``records``, or one table for every event where a project has several, called as it; what
repeats becomes one table for every repeating instrument, called as the instrument. If that is one table in all, it is
called as the source. Columns are called as the fields, whatever the export calls them; a checkbox has a column for each
choice (``symptoms___2``). ``_row`` is as for CSV.

Fields that the dictionary marks "Identifier?" are not staged but named in :attr:`.Table.left_out`;
:attr:`.Settings.identifiers` asks for them. The record's own number is what rows are joined by, and always staged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.core.errors import UserError
from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.sources.columns import columns_of
from app.core.preparation.sources.csv_files import load, schema
from app.core.preparation.sources.guessing import completed
from app.core.preparation.sources.redcap_dictionary import Field, describes, dictionary_beside, read_dictionary
from app.core.preparation.sources.source import Settings, Staged, Table
from app.core.preparation.sql import quoted

_EVENT = "redcap_event_name"
_INSTRUMENT = "redcap_repeat_instrument"
_INSTANCE = "redcap_repeat_instance"
_SPECIAL = {
    "event name": _EVENT,
    "repeat instrument": _INSTRUMENT,
    "repeat instance": _INSTANCE,
    "data access group": "redcap_data_access_group",
    "survey identifier": "redcap_survey_identifier",
}
_TOLD_BY_REDCAP = "redcap_survey_identifier"  # the address that a survey was sent to
_CHOICE = re.compile(r"(?P<label>.*) \(choice=(?P<choice>.*)\)", re.DOTALL)
_NOT_IN_NAMES = re.compile(r"[^0-9a-z]+")


@dataclass(frozen=True, slots=True)
class _Project:
    """What the dictionary says about the columns of an export."""

    record: str
    fields: Mapping[str, Field]
    """By the columns that hold them."""

    def labels(self, names: Sequence[str]) -> dict[str, str]:
        return {name: _label(name, field) for name, field in self.fields.items() if name in names}


def stage(engine: Engine, name: str, settings: Settings, job: Job | None = None) -> Staged:
    """Stage an export. Raises UserError ``sources.*``; Cancelled; EnvironmentProblem ``file.*``, ``disk.*``, …"""
    path = settings.files[0]
    dictionary = settings.dictionary or dictionary_beside(path)
    if dictionary is None:
        raise UserError("sources.no_dictionary", file=path.name)
    fields = read_dictionary(dictionary)

    def renamed(names: list[str]) -> list[str]:
        if not describes(fields, names):
            raise UserError(
                "sources.other_dictionary", file=path.name, dictionary=dictionary.name, column=fields[0].name
            )
        return _field_names(names, fields)

    schema(engine, name)
    raw = f"{name} as exported"
    loaded = load(engine, "main", raw, path, settings, rename=renamed, job=job)
    project = _Project(loaded.columns[0], _of_columns(loaded.columns, fields))
    left_out = tuple(
        column
        for column in loaded.columns[1:]
        if column not in settings.identifiers and (column == _TOLD_BY_REDCAP or _is_identifier(project, column))
    )
    kept = [column for column in loaded.columns if column not in left_out]
    parts = _parts(engine, raw, kept, project)
    tables: list[Table] = []
    for (table, condition, value), columns in parts.items():
        target = name if len(parts) == 1 else _free(table, [each.name for each in tables])
        tables.append(_stage_part(engine, (name, target), raw, (condition, value), columns, project, path.name, job))
    _drop(engine, raw)
    complete = replace(settings, encoding=loaded.encoding, delimiter=loaded.delimiter, dictionary=dictionary)
    done = completed(engine, name, settings, complete, tuple(replace(table, left_out=left_out) for table in tables))
    return done if settings.dictionary else replace(done, found_out=(*done.found_out, "dictionary"))


def _parts(
    engine: Engine, raw: str, kept: list[str], project: _Project
) -> dict[tuple[str, str, str | None], list[str]]:
    """Return the tables that an export becomes: (name, condition, its value) and the columns of each."""
    place = f"main.{quoted(raw)}"
    instruments = _different(engine, place, _INSTRUMENT) if _INSTRUMENT in kept else []
    events = _different(engine, place, _EVENT) if _EVENT in kept else []
    repeating = {_plain(instrument) for instrument in instruments}
    once = f"{quoted(_INSTRUMENT)} IS NULL" if instruments else "true"
    own = [name for name in kept if name != _INSTRUMENT or not instruments]
    always = [name for name in own if not _is_of(project, name, repeating)]
    often = [name for name in own if name not in always]
    filled = _filled(engine, place, once, often)
    columns = [name for name in own if name in always or name in filled]
    parts: dict[tuple[str, str, str | None], list[str]] = {}
    if len(events) > 1:
        for event in events:
            condition = f"{once} AND {quoted(_EVENT)} = ?"
            if found := _filled(engine, place, condition, columns, event):
                parts[event, condition, event] = [name for name in columns if name in found and name != _EVENT]
    else:
        parts["records", once, None] = columns
    for instrument in instruments:
        form = {_plain(instrument)}
        of_form = [name for name in kept if name in (project.record, _EVENT, _INSTANCE) or _is_of(project, name, form)]
        condition = f"{quoted(_INSTRUMENT)} = ?"
        parts[instrument, condition, instrument] = of_form
    return parts


def _free(name: str, taken: Sequence[str]) -> str:
    """Return what a table is called: an event and an instrument may be called the same, or differ by their capitals."""
    free, number = name, 1
    while free.casefold() in map(str.casefold, taken):
        number += 1
        free = f"{name} {number}"
    return free


def _stage_part(
    engine: Engine,
    target: tuple[str, str],
    raw: str,
    where: tuple[str, str | None],
    columns: list[str],
    project: _Project,
    file: str,
    job: Job | None,
) -> Table:
    condition, value = where
    place = f"{quoted(target[0])}.{quoted(target[1])}"
    selected = ", ".join(map(quoted, columns))
    engine.execute(
        f"CREATE TABLE {place} AS SELECT _row, {selected} FROM main.{quoted(raw)} WHERE {condition} ORDER BY _row",
        [] if value is None else [value],
        job,
    )
    rows = int(engine.one(f"SELECT count(*) FROM {place}")[0])
    described = columns_of(
        engine,
        *target,
        columns,
        labels=project.labels(columns),
        values=_values(engine, place, columns, project),
        identifiers={name: "identifier" for name in columns[1:] if _is_identifier(project, name)},
        job=job,
    )
    return Table(*target, file, rows, described, project.record)


def _field_names(names: list[str], fields: tuple[Field, ...]) -> list[str]:
    """Return what the columns of an export are called by their fields; of equal labels the first is meant first."""
    known = {field.name for field in fields}
    by_label: dict[str, list[Field]] = {}
    for field in fields:
        by_label.setdefault(field.label, []).append(field)
    found: list[str] = []
    for number, written in enumerate(names, 1):
        name = " ".join(written.split())
        if name in known or name.split("___")[0] in known:
            found.append(name)
        elif (choice := _CHOICE.fullmatch(name)) and choice["label"] in by_label:
            found.append(_checkbox(by_label[choice["label"]], choice["choice"], found) or name)
        elif fitting := [field.name for field in by_label.get(name, []) if field.name not in found]:
            found.append(fitting[0])
        elif name == "Complete?":
            found.append(f"complete {number}")
        else:
            found.append(_SPECIAL.get(name.casefold(), name))
    return found


def _checkbox(fields: list[Field], choice: str, found: list[str]) -> str | None:
    names = (
        f"{field.name}___{_code(code)}" for field in fields for code, label in field.choices.items() if label == choice
    )
    return next((name for name in names if name not in found), None)


def _of_columns(columns: Sequence[str], fields: tuple[Field, ...]) -> dict[str, Field]:
    by_name = {field.name: field for field in fields}
    of = {column: by_name.get(column.split("___")[0]) for column in columns}
    return {column: field for column, field in of.items() if field is not None}


def _label(name: str, field: Field) -> str:
    choice = next((label for code, label in field.choices.items() if name == f"{field.name}___{_code(code)}"), None)
    return f"{field.label}: {choice}" if choice is not None else field.label


def _values(engine: Engine, place: str, columns: Sequence[str], project: _Project) -> dict[str, Mapping[str, str]]:
    """Return what the codes of the columns mean; where labels were exported they mean themselves."""
    meanings: dict[str, Mapping[str, str]] = {}
    for name in columns:
        field = project.fields.get(name)
        if field is None or not field.choices:
            continue
        choices = {"1": "Checked", "0": "Unchecked"} if name != field.name else field.choices
        found = set(_different(engine, place, name, len(choices) + 1))
        labels = set(choices.values())
        exported_labels = found <= labels and not found <= choices.keys()
        meanings[name] = {label: label for label in choices.values()} if exported_labels else choices
    return meanings


def _is_identifier(project: _Project, name: str) -> bool:
    field = project.fields.get(name)
    return field is not None and field.identifier and name != project.record


def _is_of(project: _Project, name: str, forms: set[str]) -> bool:
    field = project.fields.get(name)
    if field is None:
        return name.removesuffix("_complete").removesuffix("_timestamp") in forms
    return _plain(field.form) in forms and name != project.record


def _different(engine: Engine, place: str, column: str, most: int = 1_000) -> list[str]:
    """Return the different values of a column, in the order in which they come first."""
    name = quoted(column)
    rows = engine.execute(
        f"SELECT {name} FROM {place} WHERE {name} IS NOT NULL GROUP BY {name} ORDER BY min(_row) LIMIT {most}"
    ).fetchall()
    return [str(value) for (value,) in rows]


def _filled(engine: Engine, place: str, condition: str, names: list[str], value: str | None = None) -> set[str]:
    """Return which of the columns have a value in the rows of a condition."""
    if not names:
        return set()
    counts = ", ".join(f"count({quoted(name)})" for name in names)
    row = engine.one(f"SELECT {counts} FROM {place} WHERE {condition}", [] if value is None else [value])
    return {name for name, count in zip(names, row, strict=True) if count}


def _drop(engine: Engine, raw: str) -> None:
    (kind,) = engine.one(
        "SELECT table_type FROM information_schema.tables WHERE table_schema = 'main' AND table_name = ?", [raw]
    )
    if kind == "VIEW":  # as csv_files stages plain files, with the rows in a table of their own
        engine.execute(f"DROP VIEW main.{quoted(raw)}")
        raw = f"main.{raw}"
    engine.execute(f"DROP TABLE main.{quoted(raw)}")


def _plain(name: str) -> str:
    """Return the name of a form, whether it was exported as its name or as its label."""
    return _NOT_IN_NAMES.sub("_", name.casefold()).strip("_")


def _code(code: str) -> str:
    """Return a choice's code as it stands in the name of its column."""
    return re.sub(r"[^0-9a-z_]", "_", code.casefold())
