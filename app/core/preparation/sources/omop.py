"""OMOP CDM v5.4: a folder of CSV files becomes ``patients`` and ``observations``.

``observations`` has the rows of the clinical tables; ``domain`` is the table (``condition_occurrence``). With
``concept.csv`` (Athena's is separated by tabs) ``code`` and ``system`` are the standard concept's code and vocabulary
(44054006, SNOMED CT); without it, or for a concept it has not, the concept id in the system ``OMOP``. What the hospital
itself wrote is ``source_code`` (and ``source_system`` where the source concept is known), so that a rule with
``code_column = "source_code"`` finds ICD-10 codes. A row whose concept is 0 is kept without a code. ``value`` is the
number, else the code of the answer, else its text; a bound (``operator`` < or >) is in ``number`` only. ``type`` is how
it came to be known (from a claim, from a patient), ``visit`` the visit's id. ``person_source_value`` is never staged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.problems import Problem, State
from app.core.preparation.sources.clinical import SYSTEMS, described, remove, tell
from app.core.preparation.sources.clinical_csv import Raw, folder, plain, raw
from app.core.preparation.sources.source import Settings, Staged
from app.core.preparation.sql import literal, quoted


@dataclass(frozen=True, slots=True)
class Domain:
    """A clinical table: the beginnings of its columns' names, and those of its own."""

    prefix: str
    start: str
    end: str | None = None
    number: str | None = None
    modifier: str | None = None


DOMAINS = {
    "visit_occurrence": Domain("visit", "visit_start", "visit_end"),
    "condition_occurrence": Domain("condition", "condition_start", "condition_end", None, "condition_status"),
    "drug_exposure": Domain("drug", "drug_exposure_start", "drug_exposure_end", "quantity", "route"),
    "procedure_occurrence": Domain("procedure", "procedure", "procedure_end", "quantity", "modifier"),
    "device_exposure": Domain("device", "device_exposure_start", "device_exposure_end", "quantity"),
    "measurement": Domain("measurement", "measurement", None, "value_as_number"),
    "observation": Domain("observation", "observation", None, "value_as_number", "qualifier"),
}
_TABLES = frozenset({*DOMAINS, "person", "observation_period", "death", "concept"})
_SEX = {"8507": "male", "8532": "female"}
_OPERATORS = {"4171754": "<=", "4171755": ">=", "4171756": "<", "4172704": ">"}
_PERIODS = {
    "first_day": ("min", ("observation_period_start_date",)),
    "last_day": ("max", ("observation_period_end_date",)),
}
_DEATHS = {"death_date": ("min", ("death_datetime", "death_date"))}
_CONCEPT = ("concept_id", "concept_name", "vocabulary_id", "concept_code")
_RAW = (
    *("patient", "concept", "source_concept", "source_text", "time", "end_time", "number", "operator", "answer"),
    *("words", "unit", "unit_text", "type", "modifier", "visit", "domain"),
)
_IDS = {"concept": "c", "source_concept": "s", "answer": "a", "unit": "u", "type": "t", "modifier": "m"}
"""The columns of :data:`_RAW` that hold concepts (0 is none), and what they are called where they are joined."""


def stage(engine: Engine, name: str, settings: Settings, job: Job | None = None) -> Staged:
    """Stage the folder of ``settings``; its files have the names of the tables, in any case, .csv, .tsv or .txt.

    Raises UserError ``clinical.no_tables``, ``clinical.same_table``, ``clinical.missing_column``, ``sources.*``;
    Cancelled; EnvironmentProblem.
    """
    job = job or Job()
    files = folder(settings, _TABLES, engine)
    schema = quoted(name)
    with_patients = "person" in files
    if with_patients:
        _stage_people(engine, name, files, settings, job)
    else:
        for path in (files[table] for table in ("death", "observation_period") if table in files):
            engine.problems.add(Problem("clinical.file_not_read", State.REFUSED, path.name))
    _create_observations(engine, name)
    for table, domain in DOMAINS.items():
        if table in files:
            with raw(engine, name, files[table], settings, required=("person_id",), job=job) as rows:
                _add(rows, name, table, domain, job)
    _name_concepts(engine, name, files.get("concept"), settings, job)
    remove(engine, name, "observations", "patient IS NULL", "clinical.no_patient", "patient")
    if with_patients:
        unknown = f"patient NOT IN (SELECT patient FROM {schema}.patients)"
        remove(engine, name, "observations", unknown, "clinical.unknown_patient", "patient")
    without = f"SELECT _file, _row, source_code FROM {schema}.observations WHERE code IS NULL"
    tell(engine, "clinical.unmapped_concept", State.EMPTY, without, "code")
    shown = settings.files[0].name
    identifiers = {"birth_date": "birth_date"}
    tables = ("patients", "observations") if with_patients else ("observations",)
    return Staged(
        name,
        plain(settings),
        (),
        tuple(described(engine, name, table, shown, identifiers=identifiers, job=job) for table in tables),
    )


def _stage_people(engine: Engine, name: str, files: dict[str, Path], settings: Settings, job: Job) -> None:
    """Make ``patients`` of person, with what observation_period and death say about them."""
    schema = quoted(name)
    with raw(engine, name, files["person"], settings, required=("person_id",), job=job) as rows:
        year = f"coalesce({rows.id('year_of_birth')}, left({rows.moment('birth_datetime')}, 4))"
        month, day = (f"lpad({rows.id(each)}, 2, '0')" for each in ("month_of_birth", "day_of_birth"))
        sex = " ".join(f"WHEN '{concept}' THEN '{text}'" for concept, text in _SEX.items())
        engine.execute(
            f"""CREATE TABLE {schema}._person AS SELECT _row, {literal(rows.file)} AS _file,
            {rows.id("person_id")} AS patient,
            CASE {rows.id("gender_concept_id")} {sex} WHEN '0' THEN NULL
            ELSE {rows.id("gender_concept_id")} END AS sex,
            {year} AS birth_year, {year} || '-' || {month} AS birth_month,
            coalesce({year} || '-' || {month} || '-' || {day}, left({rows.moment("birth_datetime")}, 10)) AS birth_date,
            {rows.id("race_concept_id")} AS race, {rows.id("ethnicity_concept_id")} AS ethnicity FROM {rows.place}""",
            job=job,
            step="clinical.step.reshaping",
        )
        if "person_source_value" in rows.columns:
            held = f"SELECT count({rows.text('person_source_value')}), min(_row) FROM {rows.place}"
            count, row = engine.one(held)
            problem = Problem("clinical.identifier_left_out", State.EMPTY, rows.file, row, "person_source_value")
            engine.problems.add(problem, count) if count else None
    _add_days(engine, name, "observation_period", files, _PERIODS, settings, job)
    _add_days(engine, name, "death", files, _DEATHS, settings, job)
    engine.execute(
        f"""CREATE TABLE {schema}.patients AS SELECT p.*, d.* EXCLUDE (_row, _file, patient),
        o.* EXCLUDE (_row, _file, patient) FROM {schema}._person p LEFT JOIN {schema}._death d USING (patient)
        LEFT JOIN {schema}._observation_period o USING (patient)"""
    )
    for table in ("death", "observation_period"):
        unknown = f"""SELECT _file, _row, patient FROM {schema}._{table} t
            WHERE NOT EXISTS (SELECT 1 FROM {schema}._person p WHERE p.patient = t.patient)"""
        tell(engine, "clinical.unknown_patient", State.REFUSED, unknown, "person_id")
    for table in ("person", "observation_period", "death"):
        engine.execute(f"DROP TABLE {schema}._{table}")
    again = f"_row NOT IN (SELECT min(_row) FROM {schema}.patients GROUP BY patient)"
    remove(engine, name, "patients", f"patient IS NULL OR {again}", "clinical.patient_again", "patient")


def _add_days(
    engine: Engine,
    name: str,
    table: str,
    files: dict[str, Path],
    days: Mapping[str, tuple[str, tuple[str, ...]]],
    settings: Settings,
    job: Job,
) -> None:
    """Make a table with a row a patient: the first (min) or last (max) of the days in the columns."""
    place = f"{quoted(name)}._{table}"
    if table not in files:
        texts = ", ".join(f"{column} VARCHAR" for column in ("_file", "patient", *days))
        engine.execute(f"CREATE TABLE {place} (_row BIGINT, {texts})")
        return
    with raw(engine, name, files[table], settings, required=("person_id",), job=job) as rows:
        found = ", ".join(f"{which}({rows.moment(*columns)}) AS {day}" for day, (which, columns) in days.items())
        engine.execute(
            f"CREATE TABLE {place} AS SELECT min(_row) AS _row, {literal(rows.file)} AS _file, "
            f"{rows.id('person_id')} AS patient, {found} FROM {rows.place} GROUP BY ALL"
        )
        for _, columns in days.values():
            for column in columns:
                rows.tell_unread("clinical.wrong_date", column, rows.moment(column))


def _create_observations(engine: Engine, name: str) -> None:
    texts = ", ".join(f"{column} VARCHAR" for column in _RAW)
    engine.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name)}")
    engine.execute(f"CREATE TABLE {quoted(name)}._rows (_row BIGINT, _file VARCHAR, {texts})")


def _add(rows: Raw, name: str, table: str, domain: Domain, job: Job) -> None:
    """Add the rows of a clinical table to those of the others, its concepts still as ids."""
    prefix, starts = domain.prefix, (f"{domain.start}_datetime", f"{domain.start}_date")
    ends = (f"{domain.end}_datetime", f"{domain.end}_date")
    number = rows.number(domain.number) if domain.number else "NULL"
    columns = {
        "patient": rows.id("person_id"),
        "concept": rows.id(f"{prefix}_concept_id"),
        "source_concept": rows.id(f"{prefix}_source_concept_id"),
        "source_text": rows.text(f"{prefix}_source_value"),
        "time": rows.moment(*starts),
        "end_time": rows.moment(*ends) if domain.end else "NULL",
        "number": number,
        "operator": rows.id("operator_concept_id"),
        "answer": rows.id("value_as_concept_id"),
        "words": f"coalesce({rows.text('value_as_string')}, {rows.text('value_source_value')})",
        "unit": rows.id("unit_concept_id"),
        "unit_text": rows.text("unit_source_value"),
        "type": rows.id(f"{prefix}_type_concept_id"),
        "modifier": rows.id(f"{domain.modifier}_concept_id") if domain.modifier else "NULL",
        "visit": rows.id("visit_occurrence_id"),
        "domain": literal(table),
    }
    chosen = ", ".join(f"nullif({columns[each]}, '0')" if each in _IDS else columns[each] for each in _RAW)
    rows.engine.execute(
        f"INSERT INTO {quoted(name)}._rows SELECT _row, {literal(rows.file)}, {chosen} FROM {rows.place}",
        job=job,
        step="clinical.step.reshaping",
    )
    for column in (*starts, *(ends if domain.end else ())):
        rows.tell_unread("clinical.wrong_date", column, rows.moment(column))
    if domain.number:
        rows.tell_unread("clinical.wrong_number", domain.number, number)


def _name_concepts(engine: Engine, name: str, concepts: Path | None, settings: Settings, job: Job) -> None:
    """Make ``observations`` of the rows, with the codes and names of the concepts that they use."""
    schema = quoted(name)
    engine.execute(f"CREATE TABLE {schema}._concepts (id VARCHAR, code VARCHAR, system VARCHAR, name VARCHAR)")
    if concepts is not None:
        used = " UNION ".join(f"SELECT {column} FROM {schema}._rows" for column in _IDS)
        systems = " ".join(f"WHEN {literal(own)} THEN {literal(ours)}" for own, ours in SYSTEMS.items())
        with raw(engine, name, concepts, replace(settings, delimiter=None), required=_CONCEPT, job=job) as rows:
            engine.execute(
                f"""INSERT INTO {schema}._concepts SELECT {rows.id("concept_id")},
                any_value({rows.text("concept_code")}),
                any_value(CASE {rows.text("vocabulary_id")} {systems} ELSE {rows.text("vocabulary_id")} END),
                any_value({rows.text("concept_name")}) FROM {rows.place}
                WHERE {rows.id("concept_id")} IN ({used}) GROUP BY 1""",
                job=job,
                step="clinical.step.reshaping",
            )
    operators = " ".join(f"WHEN '{concept}' THEN '{sign}'" for concept, sign in _OPERATORS.items())
    joins = " ".join(
        f"LEFT JOIN {schema}._concepts {short} ON {short}.id = r.{column}" for column, short in _IDS.items()
    )
    engine.execute(
        f"""CREATE TABLE {schema}.observations AS SELECT r._row, r._file, r.patient,
        coalesce(c.code, r.concept) AS code,
        coalesce(c.system, CASE WHEN r.concept IS NOT NULL THEN 'OMOP' END) AS system, c.name, r.time,
        r.end_time AS end,
        coalesce(CASE WHEN sign IS NULL THEN r.number END, a.code, r.answer,
            CASE WHEN r.number IS NULL THEN r.words END) AS value,
        coalesce(coalesce(sign, '') || r.number, a.name, r.words) AS value_text,
        coalesce(u.code, r.unit_text, r.unit) AS unit, r.domain, coalesce(t.name, r.type) AS type, r.number,
        sign AS operator, coalesce(m.name, r.modifier) AS modifier, coalesce(s.code, r.source_text) AS source_code,
        s.system AS source_system, r.source_text AS source_value, r.concept AS concept_id, r.visit
        FROM (SELECT *, CASE operator {operators} END AS sign FROM {schema}._rows) r {joins}""",
        job=job,
        step="clinical.step.reshaping",
    )
    engine.execute(f"DROP TABLE {schema}._rows")
    engine.execute(f"DROP TABLE {schema}._concepts")
    bounds = f"SELECT _file, _row, value_text FROM {schema}.observations WHERE operator IS NOT NULL"
    tell(engine, "clinical.bound", State.EMPTY, bounds, "value")
