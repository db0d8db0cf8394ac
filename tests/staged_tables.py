"""Tables as readers stage them, made from rows of texts: for what works on staged tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from app.core.preparation.engine import Engine
from app.core.preparation.sources.source import Column, Format, Long, Settings, Staged, Table
from app.core.preparation.sql import quoted

Rows = Sequence[Sequence[str | None]]


def stage_rows(
    engine: Engine,
    source: str,
    tables: Mapping[str, tuple[Sequence[str], Rows]],
    *,
    patient: str | None = None,
    long: Mapping[str, Long] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> Staged:
    """Stage ``tables``: for each name its columns and rows. ``labels`` are those of coded values, by column."""
    engine.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(source)}")
    made = []
    for name, (columns, rows) in tables.items():
        place = quoted(source, name)
        typed = ", ".join(f"{quoted(column)} VARCHAR" for column in columns)
        engine.execute(f"CREATE TABLE {place} (_row BIGINT, {typed})")
        marks = ", ".join("?" * (len(columns) + 1))
        engine.connection.executemany(
            f"INSERT INTO {place} VALUES ({marks})",  # noqa: S608 - quoted
            [[number, *row] for number, row in enumerate(rows, 2)],
        )
        described = tuple(
            _column(column, [row[place] for row in rows], (labels or {}).get(column, {}))
            for place, column in enumerate(columns)
        )
        made.append(Table(source, name, f"{name}.csv", len(rows), described, patient, (long or {}).get(name)))
    return Staged(source, Settings(Format.CSV, ()), (), tuple(made))


def _column(name: str, values: Sequence[str | None], labels: Mapping[str, str]) -> Column:
    filled = [value for value in values if value]
    return Column(name, _type(filled), len(filled), len(set(filled)), tuple(dict.fromkeys(filled))[:5], values=labels)


def _type(values: Sequence[str]) -> str:
    for type_, pattern in (
        ("flag", "[01]"),
        ("number", r"-?\d+([.,]\d+)?"),
        ("date", r"\d{4}-\d\d-\d\d|\d\d\.\d\d\.\d{4}"),
        ("code", r"[A-Z0-9][A-Z0-9.:-]*"),
    ):
        if values and all(re.fullmatch(pattern, value) for value in values):
            return type_
    return "text"
