"""The i2b2 star schema as CSV becomes ``patients``, ``observations``, ``modified`` and ``concepts``.

``observations`` has each fact once, and the visits (``domain`` visit_dimension). ``concept_cd`` is the code as i2b2 has
it; where its prefix is a vocabulary (``ICD10:C43``) ``code`` is what follows (C43) and ``system`` the vocabulary, else
``code`` is the same. ``path`` is the concept's path, so that a rule finds all that is below a folder with ::

    code_column = "path"
    codes = ['\\i2b2\\Diagnoses\\Neoplasms\\*']

A concept with several paths has the first; ``concepts`` has them all. A fact with a modifier is in ``modified``, where
``modifier`` says which and ``value`` is the modifier's; in ``observations`` it is only if the fact has no row without
modifier, and then without a value. ``value`` is nval_num if valtype_cd is N, else tval_char if it is T; a bound
(``operator`` from tval_char: L, LE, G, GE, NE) is in ``number`` only. Dates of which vital_status_cd says that only the
month or the year is known stay empty. Postal codes and addresses are never staged.
"""

from __future__ import annotations

from pathlib import Path

from app.core.errors import UserError
from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.problems import Problem, State
from app.core.preparation.sources.clinical import SYSTEMS, described, remove, tell
from app.core.preparation.sources.clinical_csv import Raw, folder, plain, raw
from app.core.preparation.sources.source import Settings, Staged
from app.core.preparation.sql import literal, quoted

_TABLES = frozenset(
    {"observation_fact", "patient_dimension", "visit_dimension", "concept_dimension", "modifier_dimension"}
)
_PLACES = ("zip_cd", "statecityzip_path", "patient_blob")
_HOUSEKEEPING = frozenset({"update_date", "download_date", "import_date", "sourcesystem_cd", "upload_id"})
_READ = frozenset({"patient_num", "vital_status_cd", "birth_date", "death_date", "sex_cd", *_PLACES, *_HOUSEKEEPING})
_OPERATORS = {"L": "<", "LE": "<=", "G": ">", "GE": ">=", "NE": "<>"}
_FACT = ("patient_num", "concept_cd")


def stage(engine: Engine, name: str, settings: Settings, job: Job | None = None) -> Staged:
    """Stage the folder of ``settings``; its files have the names of the tables, in any case, .csv, .tsv or .txt.

    Raises UserError ``clinical.no_tables``, ``clinical.same_table``, ``clinical.missing_column``, ``sources.*``;
    Cancelled; EnvironmentProblem.
    """
    job = job or Job()
    files = folder(settings, _TABLES, engine)
    if "observation_fact" not in files and "patient_dimension" not in files:
        raise UserError("clinical.no_tables", file=settings.files[0].name)
    if "patient_dimension" in files:
        with raw(engine, name, files["patient_dimension"], settings, required=("patient_num",), job=job) as rows:
            _make_patients(rows, name, job)
    _make_names(engine, name, files, settings, job)
    _make_facts(engine, name, files, settings, job)
    tables = _checked(engine, name, "patient_dimension" in files)
    shown, identifiers = settings.files[0].name, {"birth_date": "birth_date"}
    return Staged(
        name,
        plain(settings),
        (),
        tuple(described(engine, name, table, shown, identifiers=identifiers, job=job) for table in tables),
    )


def _make_patients(rows: Raw, name: str, job: Job) -> None:
    schema, file = quoted(name), literal(rows.file)
    others = "".join(f", {text} AS {quoted(column)}" for column, text in rows.columns.items() if column not in _READ)
    born, died, status = rows.moment("birth_date"), rows.moment("death_date"), rows.text("vital_status_cd")
    rows.engine.execute(
        f"""CREATE TABLE {schema}.patients AS SELECT _row, {file} AS _file, {rows.id("patient_num")} AS patient,
        CASE upper(regexp_extract({rows.text("sex_cd")}, '[^:|]*$')) WHEN 'M' THEN 'male' WHEN 'F' THEN 'female'
        WHEN 'MALE' THEN 'male' WHEN 'FEMALE' THEN 'female' ELSE {rows.text("sex_cd")} END AS sex,
        left({born}, 4) AS birth_year,
        CASE WHEN NOT coalesce(substr({status}, 2, 1) IN ('F', 'L'), false) THEN left({born}, 7) END AS birth_month,
        CASE WHEN NOT coalesce(substr({status}, 2, 1) IN ('B', 'F', 'L'), false) THEN {born} END AS birth_date,
        {status} AS vital_status, left({died}, 4) AS death_year,
        CASE WHEN NOT coalesce(left({status}, 1) IN ('M', 'X'), false) THEN {died} END AS death_date
        {others} FROM {rows.place}""",
        job=job,
        step="clinical.step.reshaping",
    )
    for column in ("birth_date", "death_date"):
        rows.tell_unread("clinical.wrong_date", column, rows.moment(column))
        years = {"birth_date": "birth_year", "death_date": "death_year"}[column]
        inexact = f"SELECT _file, _row, {years} FROM {schema}.patients WHERE {column} IS NULL AND {years} IS NOT NULL"
        tell(rows.engine, "clinical.inexact_date", State.EMPTY, inexact, column)
    for column in _PLACES:
        if column in rows.columns:
            count, row = rows.engine.one(f"SELECT count({rows.text(column)}), min(_row) FROM {rows.place}")
            if count:
                problem = Problem("clinical.identifier_left_out", State.EMPTY, rows.file, row, column)
                rows.engine.problems.add(problem, count)


def _make_names(engine: Engine, name: str, files: dict[str, Path], settings: Settings, job: Job) -> None:
    """Make the tables ``concepts``, of every path, and ``_modifiers``."""
    schema = quoted(name)
    for table, prefix, made in (
        ("concept_dimension", "concept", "concepts"),
        ("modifier_dimension", "modifier", "_modifiers"),
    ):
        code, path = f"{prefix}_cd", f"{prefix}_path"
        if table not in files:
            engine.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            engine.execute(
                f"CREATE TABLE {schema}.{made} (_row BIGINT, _file VARCHAR, "
                "concept_cd VARCHAR, path VARCHAR, name VARCHAR)"
            )
            continue
        with raw(engine, name, files[table], settings, required=(code, path), job=job) as rows:
            engine.execute(
                f"""CREATE TABLE {schema}.{made} AS SELECT _row, {literal(rows.file)} AS _file,
                {rows.text(code)} AS concept_cd, {rows.text(path)} AS path, {rows.text("name_char")} AS name
                FROM {rows.place}""",
                job=job,
                step="clinical.step.reshaping",
            )
    several = f"""SELECT _file, _row, path FROM {schema}.concepts WHERE concept_cd IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY concept_cd ORDER BY path) > 1"""
    tell(engine, "clinical.several_paths", State.EMPTY, several, "concept_path")


def _make_facts(engine: Engine, name: str, files: dict[str, Path], settings: Settings, job: Job) -> None:
    """Make ``observations`` and ``modified`` of the facts and the visits."""
    schema = quoted(name)
    texts = ", ".join(f"{quoted(column)} VARCHAR" for column in _COLUMNS)
    for table in ("observations", "modified"):
        engine.execute(f"CREATE TABLE {schema}.{table} (_row BIGINT, _file VARCHAR, {texts})")
    if "observation_fact" in files:
        with raw(engine, name, files["observation_fact"], settings, required=_FACT, job=job) as rows:
            _add_facts(rows, name, job)
    if "visit_dimension" in files:
        with raw(engine, name, files["visit_dimension"], settings, required=("patient_num",), job=job) as rows:
            _add_visits(rows, name, job)
    engine.execute(f"DROP TABLE {schema}._modifiers")


_COLUMNS = (
    *("patient", "code", "system", "name", "time", "end", "value", "value_text", "unit", "domain", "type", "number"),
    *("operator", "modifier", "modifier_name", "flag", "concept_cd", "path", "visit", "instance", "location"),
)


def _add_facts(rows: Raw, name: str, job: Job) -> None:
    schema = quoted(name)
    concept, kind, written = rows.text("concept_cd"), rows.text("valtype_cd"), rows.text("tval_char")
    number = rows.number("nval_num")
    signs = " ".join(f"WHEN '{own}' THEN '{sign}'" for own, sign in _OPERATORS.items())
    sign = f"CASE {kind} WHEN 'N' THEN CASE upper({written}) {signs} END END"
    text = f"CASE {kind} WHEN 'T' THEN {written} END"
    amount = f"CASE WHEN {kind} = 'T' THEN NULL ELSE {number} END"
    columns = {
        "patient": rows.id("patient_num"),
        "code": "c.code",
        "system": "c.system",
        "name": "c.name",
        "time": rows.moment("start_date"),
        "end": rows.moment("end_date"),
        "value": f"CASE WHEN {sign} IS NULL THEN coalesce({text}, {amount}) END",
        "value_text": f"coalesce({text}, coalesce({sign}, '') || {amount})",
        "unit": f"nullif({rows.text('units_cd')}, '@')",
        "domain": "'observation_fact'",
        "type": f"nullif({kind}, '@')",
        "number": amount,
        "operator": sign,
        "modifier": f"nullif({rows.text('modifier_cd')}, '@')",
        "modifier_name": "m.name",
        "flag": f"nullif({rows.text('valueflag_cd')}, '@')",
        "concept_cd": concept,
        "path": "c.path",
        "visit": rows.id("encounter_num"),
        "instance": rows.text("instance_num"),
        "location": f"nullif({rows.text('location_cd')}, '@')",
    }
    chosen = ", ".join(columns[each] for each in _COLUMNS)
    _make_codes(rows, name, concept)
    modifier = f"nullif({rows.text('modifier_cd')}, '@')"
    for table, which in (("observations", "NULL"), ("modified", "NOT NULL")):
        rows.engine.execute(
            f"""INSERT INTO {schema}.{table} SELECT raw._row, {literal(rows.file)}, {chosen} FROM {rows.place}
            LEFT JOIN {schema}._codes c ON c.concept_cd = {concept}
            LEFT JOIN {_named(f"{schema}._modifiers")} m ON m.concept_cd = {rows.text("modifier_cd")}
            WHERE {modifier} IS {which}""",
            job=job,
            step="clinical.step.reshaping",
        )
    both = f"(SELECT * FROM {schema}.observations UNION ALL SELECT * FROM {schema}.modified)"
    for column, made in (("start_date", "time"), ("end_date", "end")):
        kept = f"SELECT count({quoted(made)}) FROM {both}"
        rows.tell_unread("clinical.wrong_date", column, rows.moment(column), kept)
    rows.tell_unread("clinical.wrong_number", "nval_num", number, f"SELECT count(number) FROM {both}")
    bounds = f"SELECT _file, _row, value_text FROM {both} WHERE operator IS NOT NULL"
    tell(rows.engine, "clinical.bound", State.EMPTY, bounds, "nval_num")
    documents = f"SELECT _file, _row, type FROM {both} WHERE type NOT IN ('N', 'T')"
    tell(rows.engine, "clinical.value_not_read", State.EMPTY, documents, "valtype_cd")
    rows.engine.execute(f"DROP TABLE {schema}._codes")
    _add_lonely(rows.engine, name, job)


def _make_codes(rows: Raw, name: str, concept: str) -> None:
    """Make a table of the codes that occur: each taken apart once, with its first path."""
    systems = " ".join(f"WHEN {literal(own.upper())} THEN {literal(ours)}" for own, ours in SYSTEMS.items())
    rows.engine.execute(
        f"""CREATE TABLE {quoted(name)}._codes AS SELECT concept_cd, path, name, system,
        CASE WHEN system IS NULL THEN concept_cd ELSE substr(concept_cd, strpos(concept_cd, ':') + 1) END AS code
        FROM (SELECT concept_cd, CASE upper(split_part(concept_cd, ':', 1)) {systems} END AS system
            FROM (SELECT DISTINCT {concept} AS concept_cd FROM {rows.place}))
        LEFT JOIN {_named(f"{quoted(name)}.concepts")} USING (concept_cd)"""
    )


def _named(table: str) -> str:
    """Return a query for each code's first path and the name there."""
    return f"(SELECT concept_cd, min(path) AS path, arg_min(name, path) AS name FROM {table} GROUP BY 1)"


def _add_lonely(engine: Engine, name: str, job: Job) -> None:
    """Add to ``observations`` the facts that have rows with modifiers only, once each and without a value."""
    schema = quoted(name)
    key = ("concept_cd", "patient", "time", "visit", "instance")
    same = " AND ".join(f"o.{each} IS NOT DISTINCT FROM f.{each}" for each in key)
    nothing = ", ".join(f"NULL::VARCHAR AS {each}" for each in ("value", "value_text", "number", "operator", "unit"))
    engine.execute(
        f"""INSERT INTO {schema}.observations SELECT * REPLACE ({nothing}) FROM {schema}.modified f
        WHERE NOT EXISTS (SELECT 1 FROM {schema}.observations o WHERE {same})
        QUALIFY row_number() OVER (PARTITION BY {", ".join(key)} ORDER BY _row) = 1""",
        job=job,
        step="clinical.step.reshaping",
    )


def _add_visits(rows: Raw, name: str, job: Job) -> None:
    columns = {
        "patient": rows.id("patient_num"),
        "code": rows.text("inout_cd"),
        "system": "'i2b2 visit'",
        "time": rows.moment("start_date"),
        "end": rows.moment("end_date"),
        "domain": "'visit_dimension'",
        "concept_cd": rows.text("inout_cd"),
        "visit": rows.id("encounter_num"),
        "location": rows.text("location_cd"),
    }
    chosen = ", ".join(columns.get(each, "NULL") for each in _COLUMNS)
    rows.engine.execute(
        f"INSERT INTO {quoted(name)}.observations SELECT _row, {literal(rows.file)}, {chosen} FROM {rows.place}",
        job=job,
        step="clinical.step.reshaping",
    )
    for column in ("start_date", "end_date"):
        rows.tell_unread("clinical.wrong_date", column, rows.moment(column))


def _checked(engine: Engine, name: str, with_patients: bool) -> list[str]:
    """Take rows out that cannot be used, and return the tables that are left."""
    schema = quoted(name)
    if with_patients:
        again = f"_row NOT IN (SELECT min(_row) FROM {schema}.patients GROUP BY patient)"
        remove(engine, name, "patients", f"patient IS NULL OR {again}", "clinical.patient_again", "patient")
    for table in ("observations", "modified"):
        remove(engine, name, table, "patient IS NULL", "clinical.no_patient", "patient")
        if with_patients:
            unknown = f"patient NOT IN (SELECT patient FROM {schema}.patients)"
            remove(engine, name, table, unknown, "clinical.unknown_patient", "patient")
    without = f"SELECT _file, _row, domain FROM {schema}.observations WHERE code IS NULL"
    tell(engine, "clinical.unmapped_concept", State.EMPTY, without, "concept_cd")
    tables = ["patients"] if with_patients else []
    kept = [
        each
        for each in ("observations", "modified", "concepts")
        if engine.one(f"SELECT count(*) FROM {schema}.{each}")[0]
    ]
    return tables + kept
