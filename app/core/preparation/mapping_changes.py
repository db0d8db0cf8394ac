"""What is different since a mapping was last used: files, columns, values, codes, the catalogue.

A mapping says what is used; what else was there the last time is in the file beside it (``<mapping>.seen.json``): names
of tables and columns, how many rows, the levels of the columns that are used, the codes that rows bore. It is as
confidential as the hospital's own statistics, and stays where the mapping is.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.catalogue.model import Catalogue
from app.core.errors import EnvironmentProblem, SafeParam
from app.core.files import read_limited, write_atomic
from app.core.preparation.identifiers import TableColumn
from app.core.preparation.mapping import Mapping as MappingFile
from app.core.preparation.sources.source import Staged, table_reference

if TYPE_CHECKING:
    from app.core.preparation.column_contents import Contents

MAX_BYTES = 64 << 20
_FORMAT = "consilium-seen"
_VERSION = 1
_SHOWN = 5


@dataclass(frozen=True)
class SeenTable:
    """A table as it was: its columns, the values of some of them, and how many rows have each."""

    rows: int
    columns: tuple[str, ...]
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What a preparation met: the files of each source, and the tables as mappings name them."""

    files: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, SeenTable]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: ``code`` is the key of its text, ``params`` what it says."""

    code: str
    params: Mapping[str, SafeParam] = field(default_factory=dict)


def seen_path(mapping: Path) -> Path:
    """Return where what was met lies beside a mapping."""
    return mapping.with_name(f"{mapping.name}.seen.json")


def write_seen(path: Path, seen: Seen) -> None:
    """Write it whole or not at all, for this user only."""
    tables = {
        name: {"rows": table.rows, "columns": list(table.columns), "values": table.values}
        for name, table in seen.tables.items()
    }
    plain = {"format": _FORMAT, "version": _VERSION, "files": seen.files, "tables": tables}
    write_atomic(path, json.dumps(plain, ensure_ascii=False, indent=1).encode())


def read_seen(path: Path) -> Seen | None:
    """Return what was met the last time; None if there is no such file, or another program wrote it."""
    if not path.exists():
        return None
    try:
        return _seen(json.loads(read_limited(path, MAX_BYTES)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, EnvironmentProblem):
        return None  # it only says what is new: nothing depends on it


def _seen(plain: Any) -> Seen | None:
    if plain["format"] != _FORMAT or plain["version"] != _VERSION:
        return None
    files = {str(name): tuple(map(str, each)) for name, each in plain["files"].items()}
    return Seen(files, {str(name): _seen_table(each) for name, each in plain["tables"].items()})


def _seen_table(plain: Any) -> SeenTable:
    values = {
        str(column): {str(value): int(count) for value, count in counted.items()}
        for column, counted in plain["values"].items()
    }
    return SeenTable(int(plain["rows"]), tuple(map(str, plain["columns"])), values)


def met(
    sources: Sequence[Staged], used: Collection[TableColumn], coded: Collection[TableColumn], contents: Contents
) -> Seen:
    """Return what is there now: with the levels of the columns that are ``used``, and the codes of those ``coded``."""
    tables = {}
    for source in sources:
        for table in source.tables:
            name = table_reference(source, table)
            values: dict[str, dict[str, int]] = {}
            for column in table.columns:
                if (name, column.name) not in used or column.type in ("date", "number"):
                    continue
                counted = contents.values(table, column.name)
                if counted is None and (name, column.name) in coded:
                    counted = {text: n for (_, text), n in contents.codes(table, column.name, None).items()}
                if counted is not None:
                    values[column.name] = dict(counted)
            tables[name] = SeenTable(table.rows, tuple(column.name for column in table.columns), values)
    return Seen({source.name: tuple(path.name for path in source.settings.files) for source in sources}, tables)


def changes(mapping: MappingFile, catalogue: Catalogue, before: Seen | None, now: Seen) -> tuple[Change, ...]:
    """Return what is different: of the catalogue, the files, tables, columns and values; what is gone comes always."""
    found = [*_of_catalogue(mapping, catalogue)]
    if before is not None:
        found += [*_of_files(before, now), *_of_tables(before, now)]
    return (*found, *_gone(mapping, now))


def _of_catalogue(mapping: MappingFile, catalogue: Catalogue) -> Iterator[Change]:
    if mapping.catalogue is not None and mapping.catalogue != catalogue.name:
        yield Change("preparing.change.other_catalogue", {"before": mapping.catalogue, "now": catalogue.name})
    version = mapping.catalogue_version
    if version is not None and version != catalogue.version:
        yield Change("preparing.change.catalogue_version", {"before": version, "now": catalogue.version})
        for variable in catalogue:
            if variable.code not in (*mapping.variables, *mapping.leave_out):
                yield Change("preparing.change.variable_without", {"variable": variable.code})
    for code in mapping.variables:
        if catalogue.find(code) is None:
            yield Change("preparing.change.variable_gone", {"variable": code})


def _of_files(before: Seen, now: Seen) -> Iterator[Change]:
    for source, files in now.files.items():
        old = before.files.get(source)
        if old is not None and old != files:
            told = {"source": source, "before": ", ".join(old), "now": ", ".join(files)}
            yield Change("preparing.change.files", told)


def _of_tables(before: Seen, now: Seen) -> Iterator[Change]:
    for name, table in now.tables.items():
        old = before.tables.get(name)
        if old is None:
            yield Change("preparing.change.table_new", {"table": name})
            continue
        if old.rows != table.rows:
            yield Change("preparing.change.rows", {"table": name, "before": old.rows, "now": table.rows})
        for column in table.columns:
            if column not in old.columns:
                yield Change("preparing.change.column_new", {"table": name, "column": column})
        for column in old.columns:
            if column not in table.columns:
                yield Change("preparing.change.column_gone", {"table": name, "column": column})
        for column, values in table.values.items():
            if column in old.values:
                yield from _of_values(name, column, old.values[column], values)
    for name in before.tables.keys() - now.tables.keys():
        yield Change("preparing.change.table_gone", {"table": name})


def _of_values(table: str, column: str, before: Mapping[str, int], now: Mapping[str, int]) -> Iterator[Change]:
    for code, fresh in (
        ("preparing.change.values_new", {each: now[each] for each in now if each not in before}),
        ("preparing.change.values_gone", {each: before[each] for each in before if each not in now}),
    ):
        if fresh:
            shown = sorted(fresh, key=lambda each: (-fresh[each], each))[:_SHOWN]
            named = ", ".join(f"{each} ({fresh[each]})" for each in shown) + (" …" if len(fresh) > _SHOWN else "")
            rows = sum(fresh.values())
            told: dict[str, SafeParam] = {"table": table, "column": column, "values": named}
            told |= {"different": len(fresh), "rows": rows}
            yield Change(code, told)


def _gone(mapping: MappingFile, now: Seen) -> Iterator[Change]:
    """Yield the columns that the mapping needs and that are not there."""
    for code, variable in mapping.variables.items():
        table = variable.table or mapping.patients
        if table is None or table not in now.tables:
            continue
        there = now.tables[table].columns
        columns = (variable.column, variable.code_column, variable.value_column, variable.time_column)
        for column in filter(None, columns):
            if column not in there:
                told = {"table": table, "column": column, "variable": code}
                yield Change("preparing.change.column_missing", told)
