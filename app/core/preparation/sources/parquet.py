"""Parquet by DuckDB. ``_row`` is the number of the record; numbers are plain decimals, dates and moments ISO texts.

The texts are made apart (:mod:`native`), as with every reader that is not Python; what comes back is our own file.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import duckdb

from app.core.errors import EnvironmentProblem, UserError
from app.core.files import disk_problems
from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.sources.columns import columns_of
from app.core.preparation.sources.csv_files import PATTERN, schema, scratch_file
from app.core.preparation.sources.guessing import completed
from app.core.preparation.sources.names import named, table_names
from app.core.preparation.sources.native import Apart
from app.core.preparation.sources.source import Settings, Staged, Table
from app.core.preparation.sql import quoted

_MAGIC = b"PAR1"
_MEMORY = 1 << 30
_NESTED = ("STRUCT", "MAP", "UNION", "VARIANT", "BLOB", "BIT", "GEOMETRY")


def stage(engine: Engine, name: str, settings: Settings, job: Job | None = None) -> Staged:
    """Stage every file as a table. Raises UserError ``sources.damaged``, ``sources.nested_column``, …"""
    schema(engine, name)
    tables = []
    for path, table in zip(settings.files, table_names(settings.files, name), strict=True):
        tables.append(_stage_file(engine, name, table, path, job or Job()))
    return completed(engine, name, settings, replace(settings, decimal=settings.decimal or "."), tuple(tables))


def _stage_file(engine: Engine, source: str, table: str, path: Path, job: Job) -> Table:
    job.meter("sources.step.reading", 1)
    rows = f"main.{quoted(f'{source}.{table}')}"
    with scratch_file(engine) as texts:
        with Apart(path, job) as apart:
            columns = apart.call(convert, path, texts)
        load = f"CREATE TABLE {rows} AS SELECT * FROM read_parquet(?)"
        engine.execute(load, [str(texts)], job, "sources.step.loading")
    engine.execute(f"CREATE VIEW {quoted(source, table)} AS SELECT rowid + 1 AS _row, * FROM {rows}")
    count = int(engine.one(f"SELECT count(*) FROM {rows}")[0])
    return Table(source, table, path.name, count, columns_of(engine, source, table, columns, job=job))


def convert(path: Path, target: Path) -> tuple[str, ...]:
    """Write the file with all columns as texts to ``target``, in an engine of its own; return their names.

    Runs apart. Raises UserError ``sources.damaged``, ``sources.nested_column`` and those of names; EnvironmentProblem.
    """
    with disk_problems(path), open(path, "rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise UserError("sources.damaged", file=path.name, format="Parquet")
    read = "read_parquet(?, binary_as_string = true)"
    with Engine([path, target.parent], place=target.parent, memory=_MEMORY, threads=2) as engine:
        readable = str(path)
        if not PATTERN.isdisjoint(readable):
            with disk_problems(path):
                readable = str(shutil.copyfile(path, engine.directory / "file.parquet"))
        try:
            found = engine.execute(f"DESCRIBE SELECT * FROM {read}", [readable]).fetchall()
            columns = named((each[0] for each in found), path.name)
            texts = [_text(path.name, *each[:2]) for each in found]
            selected = ", ".join(f"{text} AS {quoted(column)}" for text, column in zip(texts, columns, strict=True))
            engine.execute(f"COPY (SELECT {selected} FROM {read}) TO ? (FORMAT parquet)", [readable, str(target)])
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise UserError("sources.damaged", file=path.name, format="Parquet") from error
        except EnvironmentProblem as error:
            if error.code != "engine.failed":
                raise
            raise UserError("sources.damaged", file=path.name, format="Parquet") from error
    return columns


def _text(file: str, name: str, kind: str) -> str:
    """Return the expression that writes a column as text."""
    column = quoted(name)
    if kind.endswith("]") or kind.startswith(_NESTED):
        raise UserError("sources.nested_column", file=file, column=name)
    if kind in ("DOUBLE", "FLOAT"):
        whole = f"CAST(CAST({column} AS BIGINT) AS VARCHAR)"
        plain = f"rtrim(CAST(TRY_CAST(CAST({column} AS VARCHAR) AS DECIMAL(38, 18)) AS VARCHAR), '0')"
        return (
            f"CASE WHEN isnan({column}) THEN NULL "
            f"WHEN {column} = trunc({column}) AND abs({column}) < 1e15 THEN {whole} "
            f"WHEN contains(CAST({column} AS VARCHAR), 'e') AND abs({column}) < 1e18 THEN {plain} "
            f"ELSE CAST({column} AS VARCHAR) END"
        )
    if kind.startswith("TIMESTAMP"):
        moment = f"CAST({column} AS TIMESTAMP)"
        day = f"strftime({moment}, '%Y-%m-%d')"
        time = f"strftime({moment}, '%Y-%m-%dT%H:%M:%S')"
        return f"CASE WHEN {moment} = date_trunc('day', {moment}) THEN {day} ELSE {time} END"
    return f"CAST({column} AS VARCHAR)"
