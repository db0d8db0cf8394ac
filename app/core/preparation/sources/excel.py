"""Excel and OpenDocument workbooks by calamine, apart (:mod:`workbook`).

One sheet is read: the one that the settings name, or the first visible one that holds something. The first row that
holds something has the names of the columns; ``_row`` is the row of the sheet.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.sources.columns import columns_of
from app.core.preparation.sources.csv_files import load_clean, schema, scratch_file
from app.core.preparation.sources.guessing import completed
from app.core.preparation.sources.names import table_names
from app.core.preparation.sources.native import Apart, add_all
from app.core.preparation.sources.source import Settings, Staged, Table
from app.core.preparation.sources.workbook import Sheet, convert


def stage(engine: Engine, name: str, settings: Settings, job: Job | None = None) -> Staged:
    """Stage a sheet of every file as a table. Raises UserError ``sources.*``; Cancelled; EnvironmentProblem."""
    schema(engine, name)
    staged = [
        _stage_file(engine, name, table, path, settings.sheet, job or Job())
        for path, table in zip(settings.files, table_names(settings.files, name), strict=True)
    ]
    complete = replace(settings, sheet=staged[0][0].name, decimal=settings.decimal or ".")
    return completed(engine, name, settings, complete, tuple(table for _, table in staged))


def _stage_file(
    engine: Engine, source: str, table: str, path: Path, sheet: str | None, job: Job
) -> tuple[Sheet, Table]:
    job.meter("sources.step.reading", 1)
    with scratch_file(engine) as clean:
        with Apart(path, job) as apart:
            read = apart.call(convert, path, sheet, clean)
        add_all(engine.problems, read.problems)
        rows = load_clean(engine, (source, table), clean, read.columns, job=job)
    described = columns_of(engine, source, table, read.columns, job=job)
    return read, Table(source, table, path.name, rows, described)
