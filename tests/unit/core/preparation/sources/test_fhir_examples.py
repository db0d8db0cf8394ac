"""HL7's own examples: every coding is a row, counted here from the JSON without the reader's help."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.preparation.problems import State
from app.core.preparation.sources.source import Format
from tests.clinical_staging import staging

EXAMPLES = Path(__file__).parents[4] / "vectors" / "clinical" / "fhir"


def resources() -> Iterator[dict[str, Any]]:
    """Every resource that stands for itself, in the order in which it is read."""
    for path in sorted(EXAMPLES.glob("*.json")):
        plain = json.loads(path.read_text("utf-8"))
        if plain["resourceType"] == "Bundle":
            for entry in plain["entry"]:
                if "resource" in entry:
                    yield {"id": entry.get("fullUrl", "").removeprefix("urn:uuid:"), **entry["resource"]}
        else:
            yield plain


def newest(kind: str) -> list[dict[str, Any]]:
    """The resources of a kind, of those with the same id the newest, else the last."""
    found: dict[str, dict[str, Any]] = {}
    for number, resource in enumerate(resources()):
        if resource["resourceType"] == kind:
            key = resource.get("id", f"without {number}")
            before = found.get(key, {}).get("meta", {}).get("lastUpdated", "")
            if resource.get("meta", {}).get("lastUpdated", "") >= before:
                found[key] = resource
    return list(found.values())


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLES, tmp_path / "examples"))


def test_every_patient_is_there_once_and_nobody_is_named(examples: Path) -> None:
    with staging(Format.FHIR, examples) as look:
        staged = look.rows("SELECT patient, sex, birth_year FROM src.patients ORDER BY ALL")
        everything = str(look.rows("FROM src.patients")) + str(look.rows("FROM src.observations"))
    expected = [(each["id"], each.get("gender"), each.get("birthDate", "")[:4] or None) for each in newest("Patient")]
    assert sorted(staged, key=str) == sorted(expected, key=str)
    assert "Chalmers" not in everything
    assert "(03) 5555 6473" not in everything


def test_every_coding_of_an_observation_is_a_row(examples: Path) -> None:
    patients = {each["id"] for each in newest("Patient")}
    expected = []
    for each in newest("Observation"):
        reference = each.get("subject", {}).get("reference", "").removeprefix("urn:uuid:")
        subject = reference.partition("/_history/")[0].rpartition("/")[2]
        if each["status"] == "cancelled" or subject not in patients:
            continue
        for observed in (each, *each.get("component", [])):
            codes = [coding["code"] for coding in observed["code"].get("coding", [])] or [observed["code"]["text"]]
            quantity = observed.get("valueQuantity", {})
            value = str(quantity["value"]) if "value" in quantity and "comparator" not in quantity else None
            expected += [(subject, code, each["id"], value) for code in codes]
    with staging(Format.FHIR, examples) as look:
        staged = look.rows(
            """SELECT patient, code, resource, CASE WHEN number IS NOT NULL THEN value END FROM src.observations
            WHERE domain = 'Observation'"""
        )
    assert len(expected) > 30
    assert sorted(staged, key=str) == sorted(expected, key=str)


def test_what_did_not_happen_and_what_is_not_exact_is_told(examples: Path) -> None:
    with staging(Format.FHIR, examples) as look:
        problems = {(problem.code, problem.file): problem for problem in look.engine.problems}
        assert problems["clinical.did_not_happen", "Immunization-notGiven.json"].state is State.REFUSED
        assert problems["clinical.did_not_happen", "Observation-blood-pressure-cancel.json"].state is State.REFUSED
        inexact = problems["clinical.inexact_date", "AllergyIntolerance-example.json"]
        assert (inexact.column, inexact.found) == ("AllergyIntolerance.onsetDateTime", "2004")
        assert look.rows(
            "SELECT DISTINCT time, time_written FROM src.observations WHERE _file = 'AllergyIntolerance-example.json'"
        ) == [(None, "2004")]
        assert look.one("SELECT count(*) FROM src.observations WHERE _file = 'Immunization-notGiven.json'") == 0
        medication = look.rows(
            "SELECT DISTINCT code FROM src.observations WHERE _file = 'MedicationRequest-medrx0301.json' ORDER BY 1"
        )
        assert medication  # the Medication is inside of the request
