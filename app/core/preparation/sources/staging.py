"""Stage a source, whatever its format: every reader is loaded when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from app.core.errors import UserError
from app.core.jobs.job import Job
from app.core.preparation.sources.source import Format, Settings, Staged

if TYPE_CHECKING:
    from app.core.preparation.engine import Engine

_READERS = {
    Format.CSV: "csv_files",
    Format.EXCEL: "excel",
    Format.PARQUET: "parquet",
    Format.SAS: "statistics_files",
    Format.SPSS: "statistics_files",
    Format.STATA: "statistics_files",
    Format.REDCAP: "redcap",
    Format.OMOP: "omop",
    Format.I2B2: "i2b2",
    Format.FHIR: "fhir",
    Format.CBIOPORTAL: "cbioportal",
}


def stage(engine: Engine, name: str, settings: Settings, job: Job | None = None) -> Staged:
    """Read the files of a source into tables of the engine.

    Raises UserError ``sources.*``, ``clinical.*``; Cancelled; EnvironmentProblem ``engine.*``, ``disk.*``, ``file.*``.
    """
    if not settings.files:
        raise UserError("sources.no_files", source=name)
    reader = import_module(f"app.core.preparation.sources.{_READERS[settings.format]}")
    read: Callable[[Engine, str, Settings, Job | None], Staged] = reader.stage
    return read(engine, name, settings, job)
