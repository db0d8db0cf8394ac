"""FHIR R4: Bundles, single resources and bulk exports (NDJSON) become ``patients`` and ``observations``.

A patient's pseudonym is the id of the resource. Names, telecoms, addresses, photos, contacts and identifiers are never
staged; how many were left out is told. ``observations`` has a row for each coding of each Condition, Observation (and
each of its components), Procedure, Encounter, DiagnosticReport, Immunization, AllergyIntolerance and medication
resource; a concept that has no coding is called by its text, in no system. ``domain`` is the resource type; ``panel``
the code of the Observation that a component is part of. ``time`` is when it was so (onset, effective, performed), else
when it was written down. Left out, and counted, is what did not happen (refuted, not done, cancelled), what was entered
in error, and what carries a modifier extension, because that may turn its meaning round. Of resources with the same
type and id the newest is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import astuple
from pathlib import Path

from app.core.errors import UserError
from app.core.files import disk_problems
from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.problems import SHOWN, Problem, Problems, State
from app.core.preparation.sources.clinical import Batch, described, remove, tell
from app.core.preparation.sources.clinical_csv import plain
from app.core.preparation.sources.fhir_elements import Element, WrongShape, codings, moment, target
from app.core.preparation.sources.fhir_reading import SUFFIXES, Entry, read_resources
from app.core.preparation.sources.fhir_rows import KINDS, left_out, rows
from app.core.preparation.sources.source import Settings, Staged
from app.core.preparation.sql import quoted

_NEVER_STAGED = ("name", "telecom", "address", "identifier", "photo", "contact")
_PATIENTS = (
    *("patient", "sex", "birth_year", "birth_month", "birth_date", "deceased", "death_date", "active", "replaced_by"),
)
_OBSERVATIONS = (
    *("patient", "code", "system", "name", "time", "end", "value", "value_text", "unit", "domain", "category"),
    *("status", "interpretation", "number", "operator", "value_codes", "absent", "panel", "encounter", "resource"),
    *("time_written",),
)
_RAW: Mapping[str, tuple[str, ...]] = {
    "_resources": ("key", "version"),
    "_links": ("url", "target"),
    "_medications": ("key", "code", "system", "name"),
    "_patients": _PATIENTS,
    "_rows": (*_OBSERVATIONS, "medication"),
}
_REFUSES = frozenset({"clinical.no_patient", "clinical.no_code"})
"""What is collected while the files are read; references are followed when all of it is there."""


def stage(engine: Engine, name: str, settings: Settings, job: Job | None = None) -> Staged:
    """Read the files (and the files in the folders) of ``settings`` into the tables of the source ``name``.

    Raises UserError ``clinical.not_json``, ``clinical.not_utf8``, ``clinical.record_too_large``,
    ``clinical.nothing_found``; EnvironmentProblem; Cancelled.
    """
    job = job or Job()
    reading = _Reading(engine, name)
    files = list(_files(settings.files, engine.problems))
    with disk_problems(settings.files[0]):
        meter = job.meter("clinical.step.reading", sum(path.stat().st_size for path, _ in files))
    for path, shown in files:
        for entry in read_resources(path, shown, engine.problems, meter):
            reading.add(entry)
    reading.finish()
    shown = settings.files[0].name
    _follow(engine, name, job)
    identifiers = {"birth_date": "birth_date"}
    tables = [
        described(engine, name, table, shown, identifiers=identifiers, job=job)
        for table in ("patients", "observations")
    ]
    if not (used := tuple(table for table in tables if table.rows)):
        raise UserError("clinical.nothing_found", file=shown)
    return Staged(name, plain(settings), (), used)


def _files(given: tuple[Path, ...], problems: Problems) -> Iterator[tuple[Path, str]]:
    """Yield every file that is read, and what problems call it; others in a folder are problems."""
    for top in given:
        if not top.is_dir():
            yield top, top.name
            continue
        with disk_problems(top):
            inside = sorted(path for path in top.rglob("*") if path.is_file())
        for path in inside:
            shown = path.relative_to(top).as_posix()
            if path.suffix.lower() in SUFFIXES:
                yield path, shown
            else:
                problems.add(Problem("clinical.file_not_read", State.REFUSED, shown))


class _Reading:
    """Collects what resources say in the raw tables, and counts what they do not say."""

    def __init__(self, engine: Engine, source: str) -> None:
        self._engine, self._count = engine, 0
        self._batches = {table: Batch(engine, source, table, columns) for table, columns in _RAW.items()}
        self._told: Counter[tuple[str, State, str, str]] = Counter()
        self._first: dict[tuple[str, State, str, str], int] = {}

    def add(self, entry: Entry) -> None:
        """Take what a resource says; a problem if it has the wrong shape or is not of a kind that is read."""
        element = Element(entry.resource, str(entry.resource["resourceType"]))
        try:
            if element.path in KINDS or element.path in ("Patient", "Medication"):
                self._take(element, entry)
            else:
                self._tell(entry, "clinical.resource_not_read", State.REFUSED, element.path)
        except WrongShape as error:
            self._note(entry, "clinical.wrong_shape", State.REFUSED, error.path, error.found)

    def finish(self) -> None:
        """Write what is left, and the problems that were counted."""
        for batch in self._batches.values():
            batch.flush()
        for (code, state, file, path), count in self._told.items():
            record = self._first[code, state, file, path]
            self._engine.problems.add(Problem(code, state, file, record, path), count)

    def _take(self, element: Element, entry: Entry) -> None:
        if reason := left_out(element):
            self._note(entry, reason, State.REFUSED, element.path)
            return
        identity = element.text("id") or (entry.url or "").removeprefix("urn:uuid:") or None
        key = f"{element.path}/{identity}" if identity else None
        if entry.url and key and target(entry.url) != key:
            self._put("_links", entry, entry.url, key)
        made: list[tuple[str, tuple[str | None, ...]]] = []
        if element.path == "Medication":
            made = [("_medications", (key, *astuple(each))) for each in codings(element.at("code"))]
        elif element.path == "Patient" and identity is None:
            self._note(entry, "clinical.no_id", State.REFUSED, "Patient.id")
            return
        elif element.path == "Patient":
            made = [("_patients", (identity, *self._patient(element, entry)))]
        else:
            made = [("_rows", row) for row in self._rows(element, entry, identity)]
        self._count += 1
        version = element.at("meta").text("lastUpdated")
        self._put("_resources", entry, key, version)
        for table, row in made:
            self._put(table, entry, *row)

    def _patient(self, element: Element, entry: Entry) -> tuple[str | None, ...]:
        for name in _NEVER_STAGED:
            if name in element:
                self._tell(entry, "clinical.identifier_left_out", State.EMPTY, f"Patient.{name}")
        born = self._moment(element, "birthDate", entry) or ""
        died = self._moment(element, "deceasedDateTime", entry)
        replaced = [
            target(link.at("other").text("reference"))
            for link in element.all("link")
            if link.text("type") == "replaced-by"
        ]
        return (
            element.text("gender"),
            born[:4] or None,
            born[:7] if len(born) >= 7 else None,
            born[:10] if len(born) >= 10 else None,
            element.text("deceasedBoolean") or ("true" if died else None),
            died if died and len(died) >= 10 else None,
            element.text("active"),
            replaced[0] if replaced else None,
        )

    def _moment(self, element: Element, name: str, entry: Entry) -> str | None:
        try:
            return moment(element.text(name), f"{element.path}.{name}")
        except WrongShape as error:
            self._note(entry, "clinical.wrong_value", State.EMPTY, error.path, error.found)
            return None

    def _rows(
        self, element: Element, entry: Entry, identity: str | None, about: str | None = None
    ) -> Iterator[tuple[str | None, ...]]:
        def note(code: str, path: str, found: str | None) -> None:
            self._note(entry, code, State.REFUSED if code in _REFUSES else State.EMPTY, path, found)

        for row in rows(element, note, about):
            about = row.patient
            yield (
                row.patient,
                *(row.coding.code, row.coding.system, row.coding.name),
                *(row.time.time, row.time.end, row.value.value, row.value.value_text, row.value.unit),
                *(row.kind, row.category, row.status, row.interpretation, row.value.number, row.value.operator),
                *(row.value.value_codes, row.absent, row.panel, row.encounter, identity),
                *(row.time.time_written, row.medication),
            )
        for inside in element.all("contained"):
            kind = inside.text("resourceType") or ""
            if kind in KINDS:
                inner = Element(inside.data, kind)
                if reason := left_out(inner):
                    self._note(entry, reason, State.REFUSED, f"{element.path}.contained")
                else:
                    yield from self._rows(inner, entry, identity, about)
            elif kind != "Medication":
                path = f"{element.path}.contained {kind[:SHOWN]}"
                self._tell(entry, "clinical.resource_not_read", State.REFUSED, path)

    def _put(self, table: str, entry: Entry, *values: str | None) -> None:
        self._batches[table].add(entry.record, entry.file, self._count, values)

    def _note(self, entry: Entry, code: str, state: State, path: str, found: str | None = None) -> None:
        shown = found[:SHOWN] if found else None
        self._engine.problems.add(Problem(code, state, entry.file, entry.record, path, found=shown))

    def _tell(self, entry: Entry, code: str, state: State, path: str) -> None:
        """Count something that is the same for every resource of its kind."""
        key = code, state, entry.file, path
        self._told[key] += 1
        self._first.setdefault(key, entry.record)


def _follow(engine: Engine, source: str, job: Job) -> None:
    """Follow the references between the resources that were read, and make the tables of them."""
    schema = quoted(source)
    again = f"""SELECT _n FROM {schema}._resources WHERE key IN
        (SELECT key FROM {schema}._resources GROUP BY key HAVING count(*) > 1)
        QUALIFY row_number() OVER (PARTITION BY key ORDER BY version DESC NULLS LAST, _n DESC) > 1"""
    engine.execute(f"CREATE TABLE {schema}._again AS {again}", job=job, step="clinical.step.linking")
    links = f"(SELECT url, min(target) AS target FROM {schema}._links GROUP BY url)"
    medications = f"(SELECT * FROM {schema}._medications WHERE _n NOT IN (SELECT _n FROM {schema}._again))"
    patients = ", ".join(map(quoted, _PATIENTS))
    found = {"code": "coalesce(r.code, m.code)", "system": "coalesce(r.system, m.system)"}
    found |= {
        "name": "coalesce(r.name, m.name)",
        "patient": "substr(nullif(regexp_extract(coalesce(p.target, r.patient), '^Patient/.+'), ''), 9)",
    }
    found |= {"encounter": "regexp_replace(coalesce(e.target, r.encounter), '^Encounter/', '')"}
    columns = ", ".join(f"{found.get(each, 'r.' + quoted(each))} AS {quoted(each)}" for each in _OBSERVATIONS)
    for statement in (
        f"""CREATE TABLE {schema}.patients AS SELECT _row, _file, {patients} FROM {schema}._patients
            WHERE _n NOT IN (SELECT _n FROM {schema}._again) ORDER BY _n""",
        f"""CREATE TABLE {schema}.observations AS SELECT r._row, r._file, {columns} FROM {schema}._rows r
            LEFT JOIN {links} p ON p.url = r.patient LEFT JOIN {links} e ON e.url = r.encounter
            LEFT JOIN {links} l ON l.url = r.medication
            LEFT JOIN {medications} m ON m.key = coalesce(l.target, r.medication)
            WHERE r._n NOT IN (SELECT _n FROM {schema}._again)""",
    ):
        engine.execute(statement, job=job, step="clinical.step.linking")
    places = f"SELECT _file, _row, key FROM {schema}._resources WHERE _n IN (FROM {schema}._again)"
    tell(engine, "clinical.resource_again", State.REFUSED, places)
    remove(engine, source, "observations", "code IS NULL", "clinical.no_code", "domain")
    unknown = f"patient NOT IN (SELECT patient FROM {schema}.patients) AND EXISTS (FROM {schema}.patients)"
    remove(engine, source, "observations", f"patient IS NULL OR {unknown}", "clinical.unknown_patient", "patient")
    for table in (*_RAW, "_again"):
        engine.execute(f"DROP TABLE {schema}.{table}")
