"""Read what a hospital has through its mapping: from files to the table that is sealed.

Sources are staged as tables of texts, patients numbered, every variable read for all of them at once. The values of one
variable are in memory at a time; what stays is a bit for each patient and plane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as TableOf
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.catalogue.model import PRESENT, PRESENT_MEANING, Catalogue, Kind, Variable
from app.core.errors import UserError
from app.core.jobs.job import Job
from app.core.preparation import mapping_1
from app.core.preparation.engine import Engine
from app.core.preparation.mapping import Mapping, Rule
from app.core.preparation.patients import PATIENTS, choose_rows, number_patients, rows_of
from app.core.preparation.plan import Place, Plan, Use
from app.core.preparation.planes import Read, Values, columns, width
from app.core.preparation.problem_rows import Refusals
from app.core.preparation.problems import State
from app.core.preparation.resolving import resolve
from app.core.preparation.rules import Pass, aggregate, match_rows, passes
from app.core.preparation.sources.source import Settings, Staged
from app.core.preparation.sources.staging import stage
from app.core.preparation.staged_tables import ID, identify_rows, staged
from app.core.preparation.table import ClearTable, RowsRefused
from app.core.preparation.value_statements import (
    explain,
    know_units,
    prepare,
    texts,
    understood,
)
from app.core.store.documents import SealedColumn

Overrides = TableOf[str, tuple[Path, ...]]
_AHEAD = timedelta(days=366)  # dates may lie so far in the future: appointments


def settings_of(mapping: Mapping, base: Path, overrides: Overrides) -> dict[str, Settings]:
    """Return how each source is read; ``overrides`` name other files for some. Raises UserError ``mapping.*``."""
    for name in overrides:
        if name not in mapping.sources:
            known = ", ".join(mapping.sources)
            raise UserError("mapping.no_such_source", file=mapping.file, found=name[:40], known=known)
    found = {}
    for name, source in mapping.sources.items():
        files = overrides.get(name) or tuple(base / file for file in source.files)
        if not files:
            raise UserError("mapping.no_files", file=mapping.file, source=name)
        found[name] = Settings(
            format=source.format,
            files=tuple(path.absolute() for path in files),
            encoding=source.encoding,
            delimiter=source.delimiter,
            decimal=source.decimal,
            dates=source.dates,
            missing=frozenset(source.missing),
            sheet=source.sheet,
            dictionary=None if source.dictionary is None else (base / source.dictionary).absolute(),
        )
    return found


def files_of(settings: Iterable[Settings]) -> list[Path]:
    """Return what an engine must be allowed to read."""
    each = list(settings)
    dictionaries = [one.dictionary for one in each if one.dictionary is not None]
    return [*(path for one in each for path in one.files), *dictionaries]


def read(
    mapping: Mapping,
    catalogue: Catalogue,
    base: Path,
    *,
    overrides: Overrides | None = None,
    skip_bad_rows: bool = False,
    today: date | None = None,
    engine: Engine | None = None,
    job: Job | None = None,
) -> ClearTable:
    """Read the sources of ``mapping``, whose files are relative to ``base`` unless ``overrides`` names others.

    Raises UserError ``mapping.*`` for what does not fit together, and as the readers for files as a whole; RowsRefused
    for rows that cannot be used, unless ``skip_bad_rows`` leaves them out; UserError ``csv.no_rows`` if nobody is left;
    Cancelled; EnvironmentProblem ``engine.*``, ``disk.*``.
    """
    job = job or Job()
    settings = settings_of(mapping, base, overrides or {})
    with ExitStack() as stack:
        engine = engine or stack.enter_context(Engine(files_of(settings.values())))
        sources = {name: stage(engine, name, each, job) for name, each in settings.items()}
        return read_staged(engine, mapping, catalogue, sources, skip_bad_rows=skip_bad_rows, today=today, job=job)


def read_table(
    path: Path, mapping: Mapping, catalogue: Catalogue, *, skip_bad_rows: bool = False, job: Job | None = None
) -> ClearTable:
    """Read one CSV through a mapping of version 1, which does not name it. Raises as :func:`read`."""
    files = {mapping_1.SOURCE: (path,)}
    return read(mapping, catalogue, path.parent, overrides=files, skip_bad_rows=skip_bad_rows, job=job)


def read_staged(
    engine: Engine,
    mapping: Mapping,
    catalogue: Catalogue,
    sources: TableOf[str, Staged],
    *,
    skip_bad_rows: bool = False,
    today: date | None = None,
    job: Job | None = None,
) -> ClearTable:
    """As :func:`read`, of sources that are staged already."""
    job = job or Job()
    plan = resolve(mapping, catalogue, sources)
    reading = _Reading(engine, plan, (today or datetime.now(UTC).date()) + _AHEAD, job)
    rows = sum(place.table.rows for place in plan.places) + reading.unreadable
    files = ", ".join(sorted({place.table.file for place in plan.places}))[:200]
    reading.examine()
    if reading.refused and not skip_bad_rows:
        refusal = RowsRefused("csv.rows_refused", file=files, rows=reading.refused, total=rows)
        refusal.problems = engine.problems
        raise refusal
    if reading.patients == 0:
        raise UserError("csv.no_rows", file=files)
    return ClearTable(
        columns=reading.columns,
        planes=reading.planes(),
        patients=reading.patients,
        rows=rows,
        refused_rows=reading.refused,
        problems=engine.problems,
        variables=plan.variables,
        left_out=plan.left_out,
        unused_columns=plan.unused_columns,
        unused_codes=reading.unused_codes,
    )


class _Reading:
    """The state of reading: first everything is examined, then the patients are known and their values are read."""

    def __init__(self, engine: Engine, plan: Plan, last: date, job: Job) -> None:
        self._engine, self._plan, self._last, self._job = engine, plan, last, job
        self.unreadable = engine.problems.count(State.REFUSED)
        self._refusals = Refusals(engine)
        self._direct = [use for use in plan.uses if use.column is not None]
        self._passes: list[Pass] = []
        self._kept: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._variables = [plan.catalogue.variable(code) for code in plan.variables]
        self.refused = self.patients = 0
        self.unused_codes: dict[tuple[str, str], tuple[tuple[str, int], ...]] = {}

    @property
    def columns(self) -> tuple[SealedColumn, ...]:
        """The sealed columns."""
        meaning = self._plan.catalogue.meaning
        of_variables = (SealedColumn(c.variable, meaning(v.code), c.part) for v in self._variables for c in v.columns)
        return (SealedColumn(PRESENT.variable, PRESENT_MEANING, PRESENT.part), *of_variables)

    def examine(self) -> None:
        """Number the patients, understand every text, and note what is wrong."""
        plan, engine, job = self._plan, self._engine, self._job
        identify_rows(engine, plan.places)
        number_patients(engine, plan, job)
        index = [] if plan.index is None else [plan.index]
        prepare(engine, [*index, *plan.uses])
        places = {use.place.key: use.place for use in (*index, *self._direct) if use.column is not None}
        if plan.patients is not None:
            places |= {plan.patients.key: plan.patients}
        for place in places.values():
            choose_rows(engine, plan, place, self._refusals, job)
        if plan.index is not None:
            self._find_index(plan.index)
        meter = job.meter("reading.step.columns", len(self._direct))
        for use in self._direct:
            know_units(engine, [use], use.place, use.mapping.unit_column, job)
            explain(engine, [use], self._direct_rows(use), self._refusals, self._last, job)
            meter.advance()
        self._passes = passes(plan.uses)
        for number, one in enumerate(self._passes):
            unused = match_rows(engine, number, one, self._refusals, self._last, plan.mapping.file, job)
            if unused:
                self.unused_codes[self._reference(one.place), one.code_column or ""] = unused
        self._count()

    def planes(self) -> NDArray[np.uint8]:
        """Read the values of every variable, one after the other."""
        of_variables = [column for variable in self._variables for column in variable.columns]
        starts: dict[str, int] = {}
        count = 1
        for column in of_variables:
            starts.setdefault(column.variable, count)
            count += width(column)
        planes = np.zeros((count, -(-self.patients // 8)), np.uint8)
        planes[0] = np.packbits(np.ones(self.patients, np.uint8))
        meter = self._job.meter("reading.step.values", len(self._plan.uses))
        for variable, found in self._values():
            place = starts[variable.code]
            for column, values in zip(variable.columns, columns(variable, found), strict=True):
                for bit in range(width(column)):
                    planes[place] = np.packbits((values[self._kept] >> bit) & 1)
                    place += 1
            meter.advance()
        for variable in self._variables:
            if variable.rollup:
                below = [starts[code] for code in self._plan.catalogue.rolled_up(variable.code) if code in starts]
                planes[starts[variable.code]] |= np.bitwise_or.reduce(planes[below], axis=0) if below else 0
        return planes

    def _values(self) -> Iterator[tuple[Variable, Read]]:
        parts: dict[str, dict[str, Values]] = {}
        for use in self._direct:
            values = self._dense(*self._direct_values(use))
            variable = use.variable
            if variable is None:
                continue
            if variable.kind is Kind.SURVIVAL:
                parts.setdefault(variable.code, {})[use.part] = values
            elif variable.kind is Kind.EVENT:
                yield variable, Read(values, values, _times(variable, values))
            else:
                yield variable, Read(values)
        for code, found in parts.items():
            yield self._plan.catalogue.variable(code), _follow_up(found)
        for number, one in enumerate(self._passes):
            for use, patients, found in aggregate(self._engine, number, one, self._refusals, self._job):
                dense = {name: self._dense(patients, values) for name, values in found.items()}
                if use.variable is not None:
                    counts = use.mapping.rule is Rule.COUNT  # nothing counted is zero
                    values = np.nan_to_num(dense["x"]) if counts else dense["x"]
                    yield use.variable, Read(values, dense.get("last"), dense.get("times"))

    def _dense(self, patients: NDArray[np.int32], values: Values) -> Values:
        dense = np.full(len(self._kept), np.nan)
        dense[patients] = values
        return dense

    def _find_index(self, index: Use) -> None:
        engine = self._engine
        if index.column is not None:
            know_units(engine, [index], index.place, None, self._job)
            rows = self._direct_rows(index)
            explain(engine, [index], rows, self._refusals, self._last, self._job)
            days = f"SELECT number, x FROM ({rows}) WHERE trouble = 0"
            engine.execute(f"UPDATE {PATIENTS} SET day = d.x FROM ({days}) d WHERE d.number = {PATIENTS}.number")
            return
        (one,) = passes([index])
        place = len(self._plan.uses) + 1
        match_rows(engine, place, one, self._refusals, self._last, self._plan.mapping.file, self._job)
        for _, patients, found in aggregate(engine, place, one, self._refusals, self._job):
            lists = [patients.tolist(), found["x"].tolist()]
            engine.execute(
                f"UPDATE {PATIENTS} SET day = d.x FROM (SELECT unnest($1::INTEGER[]) AS number, "
                f"unnest($2::DOUBLE[]) AS x) d WHERE d.number = {PATIENTS}.number",
                lists,
            )

    def _direct_rows(self, use: Use) -> str:
        """Return the query of what a use reads from its column."""
        time = use.column if use.reads.value == "day" else None
        return understood(
            f"SELECT {use.number} AS use, p.number, p.patient, p.day AS zero, r.id, "
            f"{texts(use.place, use.column, time, use.mapping.unit_column, self._last)} "
            f"FROM {rows_of(use.place)} r JOIN {staged(use.place)} t ON t.{ID} = r.id "
            f"JOIN {PATIENTS} p ON p.number = r.number",
            use.place.settings.decimal,
        )

    def _direct_values(self, use: Use) -> tuple[NDArray[np.int32], Values]:
        refused = self._refusals.of(use.place)
        found = self._engine.execute(
            f"SELECT number, x FROM ({self._direct_rows(use)}) WHERE trouble = 0 AND id NOT IN ({refused})",
            job=self._job,
        ).fetchnumpy()
        return np.asarray(found["number"], np.int32), np.asarray(found["x"], np.float64)

    def _count(self) -> None:
        """Leave out the patients whose row in the table of patients is refused."""
        every = int(self._engine.one(f"SELECT count(*) FROM {PATIENTS}")[0])
        self._kept = np.ones(every, np.bool_)
        if (place := self._plan.patients) is not None:
            out = self._engine.execute(
                f"SELECT number FROM {rows_of(place)} WHERE id IN ({self._refusals.of(place)})"
            ).fetchnumpy()
            self._kept[np.asarray(out["number"], np.int64)] = False
        self.patients = int(self._kept.sum())
        self.refused = self._refusals.count() + self.unreadable

    def _reference(self, place: Place) -> str:
        return (
            f"{place.table.source}.{place.table.name}" if place.table.source != place.table.name else place.table.name
        )


def _times(variable: Variable, days: Values) -> Values:
    """Return how often an event happened that is known once: once, if it lies within the horizon."""
    if variable.periods is None:
        return np.zeros(len(days))
    low, high = (
        float(each * variable.periods.days) for each in (variable.periods.first, variable.periods.numbers.stop)
    )
    return ((days >= low) & (days < high)).astype(np.float64)


def _follow_up(parts: TableOf[str, Values]) -> Read:
    """Return the survival that its parts say: the event's date comes before that of the last contact."""
    days = parts["days"] if "days" in parts else parts["end"]
    if "event" in parts:
        ended = parts["event"]
        return Read(np.where(np.isnan(ended), np.nan, days), ended=ended)
    died = parts["event_date"]
    return Read(np.where(np.isnan(died), days, died), ended=(~np.isnan(died)).astype(np.float64))
