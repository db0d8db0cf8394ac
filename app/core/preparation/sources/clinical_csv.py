"""Files of a clinical format with one CSV a table: loaded by the CSV reader, then reshaped by SQL, then dropped.

The names of files and columns are those of the format in any case. ``\\N`` and an empty field are no value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import UserError
from app.core.files import disk_problems
from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.problems import Problem, State
from app.core.preparation.sources.clinical import tell
from app.core.preparation.sources.csv_files import load, schema
from app.core.preparation.sources.source import Settings
from app.core.preparation.sql import literal, quoted

SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
_FORMATS: Mapping[str, tuple[str, ...]] = {
    "YMD": ("%Y/%m/%d", "%Y.%m.%d"),
    "DMY": ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M"),
    "MDY": ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M"),
}
_ALWAYS = ("%Y%m%d", "%d-%b-%Y")  # no order to be mistaken about


@dataclass(frozen=True)
class Raw:
    """A file that was loaded as it is. Its methods give SQL expressions on its columns, NULL for one it has not."""

    engine: Engine
    place: str
    """What to select from; the columns are then qualified."""
    file: str
    names: tuple[str, ...]
    columns: Mapping[str, str]
    settings: Settings

    def text(self, name: str) -> str:
        """The column as it was written."""
        return self.columns.get(name, "NULL::VARCHAR")

    def id(self, name: str) -> str:
        """A whole number that identifies something; spreadsheets and pandas like to add ``.0``."""
        text = self.text(name)
        return f"CASE WHEN ends_with({text}, '.0') THEN left({text}, -2) ELSE {text} END"

    def moment(self, *names: str) -> str:
        """The first of the columns that holds a moment, as an ISO text: a day, or day and clock time."""
        found = [self._moment(self.columns[name]) for name in names if name in self.columns]
        return f"coalesce({', '.join(found)})" if found else "NULL::VARCHAR"

    def number(self, name: str) -> str:
        """The column as plain decimal text, NULL where it holds no number."""
        if name not in self.columns:
            return self.text(name)
        text = self.columns[name]
        if self.settings.decimal == ",":
            text = f"replace({text}, ',', '.')"
        return (
            f"CASE WHEN regexp_full_match({text}, '-?\\d{{1,30}}(\\.\\d{{1,30}})?') THEN {text} "
            f"ELSE TRY_CAST(TRY_CAST({text} AS DOUBLE) AS DECIMAL(38, 12))::VARCHAR END"
        )

    def tell_unread(self, code: str, name: str, read: str, kept: str | None = None) -> None:
        """Make problems of the values of a column of which ``read`` makes nothing.

        ``kept`` is a query for how many values were made of it: where none is missing, none has to be looked for.
        """
        if name in self.columns:
            if kept and self.engine.one(f"SELECT count({self.text(name)}) = ({kept}) FROM {self.place}")[0]:
                return
            text = self.text(name)
            places = (
                f"SELECT {literal(self.file)}, _row, {text} FROM {self.place} WHERE {text} <> '' AND {read} IS NULL"
            )
            tell(self.engine, code, State.EMPTY, places, name)

    def _moment(self, text: str) -> str:
        formats = ", ".join(map(literal, (*_FORMATS[self.settings.dates or "YMD"], *_ALWAYS)))
        read = f"coalesce(TRY_CAST(left({text}, 19) AS TIMESTAMP), try_strptime({text}, [{formats}]))"
        return (
            f"CASE WHEN {read} NOT BETWEEN TIMESTAMP '1800-01-01' AND TIMESTAMP '2200-01-01' THEN NULL "
            f"WHEN {read} = date_trunc('day', {read}) THEN ({read})::DATE::VARCHAR "
            f"ELSE replace(left(({read})::VARCHAR, 19), ' ', 'T') END"
        )


@contextmanager
def raw(
    engine: Engine, source: str, path: Path, settings: Settings, *, required: tuple[str, ...] = (), job: Job
) -> Iterator[Raw]:
    """Load the file ``path`` for as long as the block runs.

    Raises UserError ``clinical.missing_column``, ``sources.*``; Cancelled; EnvironmentProblem.
    """
    schema(engine, source)
    table = "_raw"
    loaded = load(engine, source, table, path, settings, null=["\\N"], job=job)
    try:
        columns = {name.lower(): f"raw.{quoted(name)}" for name in loaded.columns}
        for name in required:
            if name not in columns:
                raise UserError("clinical.missing_column", file=path.name, column=name)
        yield Raw(engine, f"{quoted(source, table)} AS raw", path.name, loaded.columns, columns, settings)
    finally:
        drop(engine, source, table)


def drop(engine: Engine, source: str, table: str) -> None:
    """Drop what :func:`.csv_files.load` made: a table, or a view and the table behind it."""
    found = engine.one("SELECT count(*) FROM duckdb_views() WHERE schema_name = ? AND view_name = ?", [source, table])
    kind = "VIEW" if found[0] else "TABLE"
    engine.execute(f"DROP {kind} {quoted(source, table)}")
    engine.execute(f"DROP TABLE IF EXISTS main.{quoted(f'{source}.{table}')}")


def folder(settings: Settings, known: frozenset[str], engine: Engine) -> dict[str, Path]:
    """Return the files of the format in the folder (or among the files) of ``settings``, by lower-case stem.

    Others are problems. Raises UserError ``clinical.same_table``, ``clinical.no_tables``.
    """
    files: list[Path] = []
    for given in settings.files:
        with disk_problems(given):
            files += sorted(path for path in given.iterdir() if path.is_file()) if given.is_dir() else [given]
    found: dict[str, Path] = {}
    for path in files:
        stem = path.stem.lower().rpartition(".")[2]  # some exports put the schema before the table
        if stem not in known or path.suffix.lower() not in SUFFIXES:
            engine.problems.add(Problem("clinical.file_not_read", State.REFUSED, path.name))
        elif stem in found:
            raise UserError("clinical.same_table", file=path.name, other=found[stem].name)
        else:
            found[stem] = path
    if not found:
        raise UserError("clinical.no_tables", file=settings.files[0].name)
    return found


def plain(settings: Settings) -> Settings:
    """Return what describes the staged tables: their dates are ISO and their decimal sign is the point."""
    return replace(settings, decimal=".", dates="YMD")
