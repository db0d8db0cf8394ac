"""Columns that say who somebody is are found by name, content and format; ordinary ones are left in peace."""

import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from app.core.jobs.job import Job
from app.core.preparation.engine import Engine
from app.core.preparation.identifiers import find_identifiers, judge
from app.core.preparation.national_ids import NATIONAL_IDS
from app.core.preparation.sources.source import Column
from tests.staged_tables import stage_rows

EXAMPLES = {
    "AHV": "756.9217.0769.85",
    "NIR": "2 55 08 14 168 025 38",
    "SSN": "123-45-6789",
    "KVNR": "A123456780",
    "IdNr": "86095742719",
    "NHS": "943 476 5919",
    "SVNR": "1237010180",
    "codice fiscale": "RSSMRA85T10A562S",
    "BSN": "111222333",
    "personnummer": "811218-9876",
    "DNI": "12345678Z",
    "NISS": "85.07.30-033 28",
}


@pytest.mark.parametrize("national", NATIONAL_IDS, ids=lambda each: each.name)
def test_a_national_number_has_the_right_check_digits(national: object) -> None:
    right = EXAMPLES[national.name]  # type: ignore[attr-defined]
    assert national.fits(right)  # type: ignore[attr-defined]
    assert national.name == "SSN" or not national.fits(_altered(right))  # type: ignore[attr-defined]


def _altered(text: str) -> str:
    place = max(place for place, sign in enumerate(text) if sign.isdigit())
    return text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]


def column(name: str, type_: str = "text", **more: str) -> Column:
    return Column(name, type_, 100, 100, **more)  # type: ignore[arg-type]


def counted(values: list[str]) -> dict[str, int]:
    return {value: values.count(value) for value in dict.fromkeys(values)}


DAYS = [(date(1930, 1, 1) + timedelta(days=701 * place)).isoformat() for place in range(40)]
SENTENCES = [f"Patient came on day {place} and told us of pain in the left arm." for place in range(30)]


@pytest.mark.parametrize(
    ("found", "values", "kind", "why"),
    [
        (column("x17", "code"), ["756.9217.0769.85", "unknown"], "national_id", "content"),
        (
            column("nummer", "number"),
            ["111222333", "123456782", "232262536", "010464554", "259594428"],
            "national_id",
            "content",
        ),
        (column("nummer", "number"), ["111222333", "123456781", "232262537", "010464555", "259594429"], None, ""),
        (column("contact"), ["see a.muster@example.org", "none"], "email", "content"),
        (column("contact", "code"), ["+41 79 123 45 67", "044 123 45 67"], "phone", "content"),
        (column("ort_des_wohnens"), ["Bahnhofstrasse 12", "Rue du Lac 3", "12 rue de Bourg"], "address", "content"),
        (column("x"), ["Anna Muster", "Peter Meier", "Jean Dupont", "Zoé Blanc"], "name", "content"),
        (column("Vorname"), ["Zoé", "Beat"], "name", "name"),
        (column("Name"), ["Huber", "Rossi"], "name", "name"),
        (column("birthDate", "date"), ["1950-01-02"], "birth_date", "name"),
        (column("date_1", "date"), DAYS, "birth_date", "content"),
        (column("befundtext"), SENTENCES, "free_text", "content"),
        (column("MRN", "number"), ["1", "2"], "patient_number", "name"),
        (column("key", "code"), [f"P{place:07}" for place in range(30)], "patient_number", "content"),
        (column("note", identifier="name"), ["x"], "name", "format"),
        (column("note", identifier="Identifier?"), ["x"], "identifier", "format"),
        (column("diagnosis"), ["Melanoma of skin", "Breast cancer"], None, ""),
        (column("sex"), ["male", "female"], None, ""),
        (column("year_of_birth", "number"), ["1950", "1960"], None, ""),
        (column("diagnosis_date", "date"), ["2019-02-03", "2020-02-03"], None, ""),
        (column("drug_name"), ["Aspirin", "Ibuprofen 400 mg"], None, ""),
        (column("creatinine", "number"), [f"{60 + place / 7:.5f}" for place in range(50)], None, ""),
        (column("count", "number"), [str(place) for place in range(100)], None, ""),
    ],
)
def test_what_a_column_tells(found: Column, values: list[str], kind: str | None, why: str) -> None:
    judged = judge(found, counted(values))
    assert (judged[:2] if judged else None) == ((kind, why) if kind else None)


def test_a_patients_own_number_is_no_finding_and_what_is_used_blocks_until_confirmed(tmp_path: Path) -> None:
    rows = [(f"{place:06}", "Huber", "a@b.ch", "1") for place in range(30)]
    with Engine(place=tmp_path) as engine:
        source = stage_rows(engine, "patients", {"p": (("patient_id", "name", "mail", "smoker"), rows)})
        known = {("patients", "patient_id")}
        used = {("patients", "mail")}
        found = find_identifiers(engine, [source], used=used, patients=known, confirmed=set(), job=Job())
        assert [(each.column, each.kind, each.values, each.used, each.blocks) for each in found] == [
            ("name", "name", 30, False, False),
            ("mail", "email", 30, True, True),
        ]
        sure = find_identifiers(engine, [source], used=used, patients=known, confirmed=used, job=Job())
        assert not any(each.blocks for each in sure)
    assert "Huber" not in repr(found)


@pytest.mark.parametrize("text", ["a" * 100_000, "weg" * 33_000])
def test_a_long_text_is_looked_through_in_no_time(tmp_path: Path, text: str) -> None:
    with Engine(place=tmp_path) as engine:
        source = stage_rows(engine, "notes", {"p": (("patient_id", "note"), [("1", text), ("2", "x@example.org")])})
        known = {("notes", "patient_id")}
        began = time.process_time()
        (found,) = find_identifiers(engine, [source], used=(), patients=known, confirmed=(), job=Job())
        assert time.process_time() - began < 5
    assert found.kind == "email"
