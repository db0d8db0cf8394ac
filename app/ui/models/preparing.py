"""What was found in the files that a dataset is prepared from, as ``consilium data map --json`` tells it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Plain = Mapping[str, Any]

CERTAIN = 0.9
"""A suggestion of this confidence is taken over without asking; the person can still change it."""


@dataclass(frozen=True)
class FoundColumn:
    """A column of a table: how many rows have a value, some of the values, and whether it identifies people."""

    name: str
    type: str
    filled: int
    distinct: int | None
    examples: tuple[str, ...]
    label: str
    unit: str
    identifier: str
    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_plain(cls, plain: Plain) -> FoundColumn:
        """Read what the command tells of one."""
        distinct = plain.get("distinct")
        return cls(
            name=str(plain["name"]),
            type=str(plain["type"]),
            filled=int(plain["filled"]),
            distinct=None if distinct is None else int(distinct),
            examples=tuple(map(str, plain.get("examples") or ())),
            label=str(plain.get("label") or ""),
            unit=str(plain.get("unit") or ""),
            identifier=str(plain.get("identifier") or ""),
            values=dict(plain.get("values") or {}),
        )


@dataclass(frozen=True)
class FoundTable:
    """A table of a source. ``key`` is what the mapping calls it; ``long`` names the columns of one with a row an
    observation, as far as the format says them."""

    source: str
    name: str
    key: str
    file: str
    rows: int
    patient: str
    long: Plain | None
    columns: tuple[FoundColumn, ...]

    @classmethod
    def from_plain(cls, source: str, plain: Plain, *, only: bool) -> FoundTable:
        """Read what the command tells of one; the ``only`` table of a source has the source's name."""
        name = str(plain["name"])
        return cls(
            source=source,
            name=name,
            key=source if only else f"{source}.{name}",
            file=str(plain["file"]),
            rows=int(plain["rows"]),
            patient=str(plain.get("patient") or ""),
            long=plain.get("long"),
            columns=tuple(map(FoundColumn.from_plain, plain["columns"])),
        )

    def column(self, name: str) -> FoundColumn | None:
        """Return the column of this name."""
        return next((each for each in self.columns if each.name == name), None)


@dataclass(frozen=True)
class FoundSource:
    """A source that was read: its format, its files, its settings, and which of them were found out."""

    name: str
    format: str
    files: tuple[str, ...]
    settings: Plain
    found_out: frozenset[str]
    tables: tuple[FoundTable, ...]

    @classmethod
    def from_plain(cls, plain: Plain) -> FoundSource:
        """Read what the command tells of one."""
        name, tables = str(plain["name"]), plain["tables"]
        return cls(
            name=name,
            format=str(plain["format"]),
            files=tuple(map(str, plain["files"])),
            settings=dict(plain.get("settings") or {}),
            found_out=frozenset(plain.get("found_out") or ()),
            tables=tuple(FoundTable.from_plain(name, each, only=len(tables) == 1) for each in tables),
        )

    @property
    def rows(self) -> int:
        """The rows of all its tables."""
        return sum(table.rows for table in self.tables)


@dataclass(frozen=True)
class Suggestion:
    """A way in which a variable could be filled: a table of the mapping, how sure it is (0 to 1), and why."""

    how: Plain
    confidence: float
    reason: str

    @classmethod
    def from_plain(cls, plain: Plain) -> Suggestion:
        """Read what the command tells of one."""
        return cls(dict(plain["how"]), float(plain["confidence"]), str(plain["reason"]))


@dataclass(frozen=True)
class FoundVariable:
    """A variable of the catalogue, and the ways in which it could be filled, the best first."""

    code: str
    label: str
    kind: str
    unit: str
    suggestions: tuple[Suggestion, ...]

    @classmethod
    def from_plain(cls, plain: Plain) -> FoundVariable:
        """Read what the command tells of one."""
        first = [Suggestion.from_plain(plain)] if plain.get("how") else []
        others = map(Suggestion.from_plain, plain.get("alternatives") or ())
        return cls(
            code=str(plain["code"]),
            label=str(plain["label"]),
            kind=str(plain["kind"]),
            unit=str(plain.get("unit") or ""),
            suggestions=(*first, *others),
        )


@dataclass(frozen=True)
class Found:
    """All that was found. ``mapping`` is the mapping file that the command proposes; ``changes`` are (code, words)."""

    sources: tuple[FoundSource, ...] = ()
    variables: tuple[FoundVariable, ...] = ()
    mapping: Plain = field(default_factory=dict)
    changes: tuple[tuple[str, str], ...] = ()
    unused_columns: tuple[str, ...] = ()

    @classmethod
    def from_plain(cls, plain: Plain) -> Found:
        """Read what the command tells."""
        return cls(
            sources=tuple(map(FoundSource.from_plain, plain["sources"])),
            variables=tuple(map(FoundVariable.from_plain, plain["variables"])),
            mapping=tomllib.loads(plain["mapping"]),
            changes=tuple((str(each.get("code") or ""), str(each["what"])) for each in plain.get("changes") or ()),
            unused_columns=tuple(map(str, plain.get("unused_columns") or ())),
        )

    @property
    def tables(self) -> tuple[FoundTable, ...]:
        """The tables of all sources."""
        return tuple(table for source in self.sources for table in source.tables)

    def table(self, key: str) -> FoundTable | None:
        """Return the table that the mapping calls so."""
        return next((each for each in self.tables if each.key == key), None)

    def variable(self, code: str) -> FoundVariable | None:
        """Return the variable of this code."""
        return next((each for each in self.variables if each.code == code), None)

    def used_files(self) -> tuple[str, ...]:
        """Return the files and folders of all sources."""
        return tuple(file for source in self.sources for file in source.files)
