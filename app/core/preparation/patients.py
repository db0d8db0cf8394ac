"""Who the patients are: every one gets a number, and of every table with one row a patient the row that counts.

Pseudonyms stay in the engine: ``consilium.patients`` (number INTEGER, patient VARCHAR, day INTEGER: the index date in
days since 1970, NULL if there is none). A number is a patient's place in the table of patients, else in the order of
the pseudonyms.
"""

from __future__ import annotations

from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.plan import Place, Plan
from app.core.preparation.problem_rows import Finding, Refusals, note
from app.core.preparation.problems import KEPT, State
from app.core.preparation.sql import quoted
from app.core.preparation.staged_tables import (
    ID,
    SCHEMA,
    named,
    staged,
)

PATIENTS = f"{SCHEMA}.patients"


def number_patients(engine: Engine, plan: Plan, job: Job) -> None:
    """Make the table of patients, without index dates."""
    if plan.patients is not None:
        who = f"SELECT {named(plan.patients)} AS patient, min({ID}) AS place FROM {staged(plan.patients)} t GROUP BY 1"
    else:
        every = " UNION ".join(f"SELECT {named(place)} AS patient FROM {staged(place)} t" for place in plan.places)
        who = f"SELECT patient, patient AS place FROM ({every})"
    engine.execute(
        f"CREATE TABLE {PATIENTS} AS SELECT (row_number() OVER (ORDER BY place) - 1)::INTEGER AS number, patient, "
        f"NULL::INTEGER AS day FROM ({who}) WHERE patient IS NOT NULL ORDER BY place",
        job=job,
        step="reading.step.patients",
    )


def rows_of(place: Place) -> str:
    """Return the SQL name of the table that says which row (``id``: its :data:`ID`) counts for each ``number``."""
    return f"{SCHEMA}.{quoted(f'rows {place.table.source}.{place.table.name}')}"


def choose_rows(engine: Engine, plan: Plan, place: Place, refusals: Refusals, job: Job) -> None:
    """Find the row of each patient in a table with one row a patient; the others are refused."""
    rows, table = rows_of(place), staged(place)
    engine.execute(
        f"CREATE TABLE {rows} AS SELECT p.number, r.id, r.patient FROM "
        f"(SELECT {named(place)} AS patient, min({ID}) AS id FROM {table} t GROUP BY 1) r "
        f"JOIN {PATIENTS} p ON p.patient = r.patient ORDER BY p.number",
        job=job,
        step="reading.step.patients",
    )
    without = f"SELECT {ID} AS id FROM {table} t WHERE {named(place)} IS NULL"
    _refuse(engine, place, "csv.no_patient", without, refusals, job)
    twice = (
        f"SELECT t.{ID} AS id, r.id AS other FROM {table} t JOIN {rows} r "
        f"ON r.patient = {named(place)} WHERE t.{ID} <> r.id"
    )
    _refuse(engine, place, "csv.duplicate_patient", twice, refusals, job)
    if plan.patients is not None and place != plan.patients:
        unknown = (
            f"SELECT t.{ID} AS id FROM {table} t ANTI JOIN {PATIENTS} p ON p.patient = {named(place)} "
            f"WHERE {named(place)} IS NOT NULL"
        )
        _refuse(engine, place, "value.unknown_patient", unknown, refusals, job)


def _refuse(engine: Engine, place: Place, code: str, rows: str, refusals: Refusals, job: Job) -> None:
    """Refuse the rows that a query finds: ``id``, and perhaps ``other``, a row that the problem names."""
    refusals.add_rows(place, f"SELECT id FROM ({rows})", job)
    count = int(engine.one(f"SELECT count(*) FROM ({rows})")[0])
    if count:
        first = engine.execute(f"SELECT * FROM ({rows}) ORDER BY id LIMIT {KEPT}").fetchall()
        places = refusals.places(place, [each for row in first for each in row])
        found = [(row[0], Finding("", more=str(places[row[-1]][1]) if len(row) > 1 else None)) for row in first]
        note(refusals, place, code, State.REFUSED, place.patient, None, found, count)
