"""SAS (sas7bdat, with a sas7bcat of the same name beside it; xpt), SPSS (sav, zsav, por) and Stata (dta) by ReadStat.

``_row`` is the number of the record. Numbers are plain decimals, dates ISO; Stata's months, quarters and half-years are
their first days. What the file calls missing, by system or by its user, is NULL. Labels of variables and of values come
with the columns. ReadStat is C and meets broken files, so it runs apart (:mod:`native`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.core.errors import UserError
from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.sources.columns import columns_of
from app.core.preparation.sources.csv_files import load_clean, schema, scratch_file
from app.core.preparation.sources.guessing import completed
from app.core.preparation.sources.names import named, table_names
from app.core.preparation.sources.native import Apart, add_all
from app.core.preparation.sources.readstat import Description, describe, write_chunk
from app.core.preparation.sources.source import Settings, Staged, Table

_CELLS = 2_000_000  # in a chunk
_MOST_ROWS = 200_000


def stage(engine: Engine, name: str, settings: Settings, job: Job | None = None) -> Staged:
    """Stage every file as a table. Raises UserError ``sources.*``; Cancelled; EnvironmentProblem ``disk.*``, …"""
    schema(engine, name)
    tables = []
    for path, table in zip(settings.files, table_names(settings.files, name), strict=True):
        tables.append(_stage_file(engine, name, table, path, settings.encoding, job or Job()))
    complete = replace(settings, decimal=settings.decimal or ".")
    return completed(engine, name, settings, complete, tuple(tables))


def _stage_file(engine: Engine, source: str, table: str, path: Path, encoding: str | None, job: Job) -> Table:
    with scratch_file(engine) as clean:
        with Apart(path, job) as apart:
            description = apart.call(describe, path, encoding)
            columns = named(description.columns, path.name)
            if not columns:
                raise UserError("sources.empty_file", file=path.name)
            _read(engine, apart, path, description, clean, job)
        rows = load_clean(engine, (source, table), clean, columns, job=job)
    known = dict(zip(description.columns, columns, strict=True))
    described = columns_of(
        engine,
        source,
        table,
        columns,
        labels={known[column]: label for column, label in description.labels.items()},
        values={known[column]: values for column, values in description.values.items()},
        job=job,
    )
    return Table(source, table, path.name, rows, described)


def _read(engine: Engine, apart: Apart, path: Path, description: Description, clean: Path, job: Job) -> None:
    """Have the rows written piece by piece: the file need not say how many there are, nor tell the truth."""
    at_once = max(1, min(_MOST_ROWS, _CELLS // len(description.columns)))
    meter = job.meter("sources.step.reading", description.rows or 0)
    first = 0
    while True:
        read, found = apart.call(write_chunk, path, description, first, at_once, clean)
        add_all(engine.problems, found)
        meter.advance(read)
        first += read
        if read < at_once:
            return
