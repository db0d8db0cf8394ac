"""What the clinical formats share: the two tables that each becomes, and the names of vocabularies.

Every clinical format becomes ``patients`` (one row a patient) and ``observations`` (one row for each thing that was
observed, diagnosed, given, done), whose columns have the same names in all of them::

    patient, code, system, name, time, end, value, value_text, unit, domain, …

``value`` is what can be computed with or told apart (a plain decimal number, the code of an answer); ``value_text`` is
what a person would read. ``time`` and ``end`` are ISO days or moments; where a source knows a month or a year only they
are empty, because no day is known. A result that is only a bound (``<5``) has it in ``number`` and ``operator``, and an
empty ``value``: five was not measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.problems import KEPT, SHOWN, Problem, State
from app.core.preparation.sources.columns import columns_of
from app.core.preparation.sources.source import Long, Table
from app.core.preparation.sql import quoted

MAX_TEXT = 10_000
"""Characters of one value; more is a document, not a value."""
UCUM = "http://unitsofmeasure.org"
SYSTEMS: Mapping[str, str] = {
    "http://loinc.org": "LOINC",
    "http://snomed.info/sct": "SNOMED CT",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://www.cms.gov/Medicare/Coding/ICD10": "ICD-10-PCS",
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm": "ICD-10-GM",
    "http://fhir.de/CodeSystem/dimdi/icd-10-gm": "ICD-10-GM",
    "urn:oid:2.16.756.5.30.1.127.3.1": "ICD-10-GM",
    "http://fhir.de/CodeSystem/bfarm/ops": "OPS",
    "http://hl7.org/fhir/sid/icd-9-cm": "ICD-9-CM",
    "http://hl7.org/fhir/sid/icd-o-3": "ICD-O-3",
    "http://terminology.hl7.org/CodeSystem/icd-o-3": "ICD-O-3",
    "http://www.whocc.no/atc": "ATC",
    "http://fhir.de/CodeSystem/bfarm/atc": "ATC",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://www.genenames.org": "HGNC",
    "http://www.genenames.org/geneId": "HGNC",
    "http://varnomen.hgvs.org": "HGVS",
    UCUM: "UCUM",
    # as OMOP and i2b2 write them
    "SNOMED": "SNOMED CT",
    "ICD10": "ICD-10",
    "ICD10CM": "ICD-10-CM",
    "ICD10PCS": "ICD-10-PCS",
    "ICD10GM": "ICD-10-GM",
    "ICD9": "ICD-9-CM",
    "ICD9CM": "ICD-9-CM",
    "ICDO3": "ICD-O-3",
    "RXNORM": "RxNorm",
    **{name: name for name in ("ATC", "CVX", "HGNC", "HGVS", "LOINC", "OPS", "UCUM")},
}
"""What the catalogue calls a vocabulary, by what the formats call it; one that is not here keeps its name."""
LONG = Long("code", "system", "time", "end", "value", "unit")

_DECIMAL = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,2})?", re.ASCII)


def decimal_text(written: str | None) -> str | None:
    """Return a number as plain decimal text, None if it is none (or one that nobody measures: 1e999)."""
    if written is None or not _DECIMAL.fullmatch(written):
        return None
    return format(Decimal(written), "f") if "e" in written or "E" in written else written.removeprefix("+")


class Batch:
    """Rows on their way into the new table ``table`` of a source, which begins with ``_row``, ``_file`` and ``_n``."""

    ROWS = 20_000

    def __init__(self, engine: Engine, source: str, table: str, columns: Sequence[str]) -> None:
        self._engine = engine
        self._width = len(columns)
        self._name = quoted(source, table)
        texts = ", ".join(f"{quoted(column)} VARCHAR" for column in columns)
        engine.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(source)}")
        engine.execute(f"CREATE OR REPLACE TABLE {self._name} (_row BIGINT, _file VARCHAR, _n BIGINT, {texts})")
        self._rows: list[tuple[int | str | None, ...]] = []

    def add(self, row: int, file: str, number: int, values: Sequence[str | None]) -> None:
        """Take one row; ``number`` says what belongs together."""
        self._rows.append((row, file, number, *values))
        if len(self._rows) == self.ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what was taken."""
        if self._rows:
            kinds = ["BIGINT[]", "VARCHAR[]", "BIGINT[]", *["VARCHAR[]"] * self._width]
            lists = ", ".join(f"unnest(${index}::{kind})" for index, kind in enumerate(kinds, 1))
            self._engine.execute(
                f"INSERT INTO {self._name} SELECT {lists}", [list(each) for each in zip(*self._rows, strict=True)]
            )
            self._rows.clear()


def described(
    engine: Engine,
    source: str,
    table: str,
    file: str,
    *,
    labels: Mapping[str, str] | None = None,
    values: Mapping[str, Mapping[str, str]] | None = None,
    identifiers: Mapping[str, str] | None = None,
    job: Job | None = None,
) -> Table:
    """Describe a table that was made: ``patients``, or one with the columns of :data:`LONG`."""
    place = quoted(source, table)
    names = [str(each[0]) for each in engine.execute(f"SELECT * FROM {place} LIMIT 0").description or ()]
    names = [each for each in names if not each.startswith("_")]
    columns = columns_of(engine, source, table, names, labels=labels, values=values, identifiers=identifiers, job=job)
    rows = int(engine.one(f"SELECT count(*) FROM {place}")[0])
    long = LONG if {"code", "time", "value"} <= set(names) else None
    return Table(source, table, file, rows, columns, "patient" if "patient" in names else None, long)


def tell(engine: Engine, code: str, state: State, places: str, column: str | None = None) -> None:
    """Make problems of rows, one of each: ``places`` is a query for ``_file``, ``_row`` and what was found there."""
    found = engine.execute(
        f"SELECT _file, count(DISTINCT _row) FROM ({places}) AS places (_file, _row, found) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for file, count in found:
        shown = engine.execute(
            f"SELECT _row, any_value(found) FROM ({places}) AS places (_file, _row, found) WHERE _file = ? "
            f"GROUP BY _row ORDER BY _row LIMIT {KEPT}",
            [file],
        ).fetchall()
        for place, (row, value) in enumerate(shown):
            rest = count - len(shown) + 1 if place == len(shown) - 1 else 1
            text = None if value is None else str(value)[:SHOWN]
            engine.problems.add(Problem(code, state, file, row, column, found=text), rest)


def remove(engine: Engine, source: str, table: str, rows: str, code: str, column: str) -> None:
    """Take the ``rows`` (a condition) out of a table, each a refused row whose ``column`` is shown."""
    name = quoted(source, table)
    tell(engine, code, State.REFUSED, f"SELECT _file, _row, {quoted(column)} FROM {name} WHERE {rows}", column)
    engine.execute(f"DELETE FROM {name} WHERE {rows}")
