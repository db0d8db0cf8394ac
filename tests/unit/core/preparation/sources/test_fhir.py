# ruff: noqa: S608 - the queries are those of this test
"""FHIR: Bundles, NDJSON, references, what is left out, and JSON that means harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import UserError
from app.core.jobs.job import Cancelled, CancelToken, Job
from app.core.preparation.engine import Engine
from app.core.preparation.sources import fhir_reading
from app.core.preparation.sources.source import Format, Settings
from app.core.preparation.sources.staging import stage
from tests.clinical_extracts import DIAGNOSES, DRUGS, people, write_bulk, write_bundle
from tests.clinical_staging import Look, staging

PATIENT = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1950-02"}
CODE = {"coding": [{"system": "http://loinc.org", "code": "2160-0", "display": "Creatinine"}]}


def observation(**more: Any) -> dict[str, Any]:
    about = {"subject": {"reference": "Patient/p"}, "status": "final", "code": CODE}
    return {"resourceType": "Observation", "id": "o", **about, **more}


def bundle(tmp_path: Path, *resources: dict[str, Any], name: str = "bundle.json") -> Path:
    path = tmp_path / name
    entries = [{"resource": resource} for resource in resources]
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), "utf-8")
    return path


def written(tmp_path: Path, text: str | bytes, name: str = "bundle.json") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught, staging(Format.FHIR, path):
        pass
    assert caught.value.params["file"] == path.name
    return caught.value.code.removeprefix("clinical.")


def ever(look: Look, code: str) -> int:
    return int(look.one(f"SELECT count(DISTINCT patient) FROM src.observations WHERE code = '{code}'"))


@pytest.mark.parametrize("form", ["bundle", "urns", "bulk"])
def test_counts_are_those_of_the_cohort(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_reading, "PIECE", 1_000)  # entries do not end where pieces do
    path = tmp_path / ("bulk" if form == "bulk" else "bundle.json")
    if form == "bulk":
        write_bulk(path, people(60))
    else:
        write_bundle(path, people(60), urns=form == "urns")
    cohort = list(people(60))
    with staging(Format.FHIR, path) as look:
        assert look.tables["patients"].rows == 60
        for icd, (_, snomed, _) in DIAGNOSES.items():
            having = sum(any(code == icd for code, _ in person.diagnoses) for person in cohort)
            assert ever(look, icd) == ever(look, snomed) == having
        for atc in DRUGS:
            assert ever(look, atc) == sum(any(code == atc for code, _ in person.drugs) for person in cohort)
        values = [f"{float(value)}" for person in cohort for _, _, value in person.labs]
        staged = look.rows("SELECT value FROM src.observations WHERE value IS NOT NULL ORDER BY _file, _row")
        assert [row[0] for row in staged] == values
        people_staged = look.rows("SELECT patient, sex, birth_date, death_date FROM src.patients")
        assert people_staged == [
            (f"p{each.number}", each.sex, each.born.isoformat(), each.died.isoformat() if each.died else None)
            for each in cohort
        ]
        assert look.problems() == {"identifier_left_out": 120}
        assert not any("Muster" in str(row) or "756." in str(row) for row in look.rows("FROM src.patients"))


def test_dates_are_as_exact_as_they_are(tmp_path: Path) -> None:
    times = ("2019", "2019-03", "2019-03-04", "2019-03-04T23:30:00.5-05:00", "2019-02-30", "04.03.2019")
    resources = [observation(id=f"o{number}", effectiveDateTime=each) for number, each in enumerate(times)]
    span = {"start": "2019-03-01", "end": "2019-03-09T10:00:00Z"}
    resources.append(observation(id="span", effectivePeriod=span))
    with staging(Format.FHIR, bundle(tmp_path, PATIENT, *resources)) as look:
        assert look.rows('SELECT time, "end", time_written FROM src.observations ORDER BY _row') == [
            (None, None, "2019"),
            (None, None, "2019-03"),
            ("2019-03-04", None, "2019-03-04"),
            ("2019-03-04T23:30:00.5", None, "2019-03-04T23:30:00.5-05:00"),
            (None, None, None),
            (None, None, None),
            ("2019-03-01", "2019-03-09T10:00:00", "2019-03-01"),
        ]
        assert look.rows("SELECT birth_year, birth_month, birth_date FROM src.patients") == [("1950", "1950-02", None)]
        assert look.problems() == {"inexact_date": 2, "wrong_value": 2}


def test_values_of_every_kind(tmp_path: Path) -> None:
    coded = {"coding": [{"system": "http://snomed.info/sct", "code": "10828004", "display": "Positive"}], "text": "pos"}
    values: list[dict[str, Any]] = [
        {"valueQuantity": {"value": 1.50, "unit": "mg per dl", "system": "http://unitsofmeasure.org", "code": "mg/dL"}},
        {"valueQuantity": {"value": 5, "comparator": "<", "unit": "mg"}},
        {"valueCodeableConcept": coded},
        {"valueString": "clear"},
        {"valueBoolean": False},
        {"valueInteger": 7},
        {"valueDateTime": "2019-03"},
        {"valueRange": {"low": {"value": 1}, "high": {"value": 2}}},
        {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}},
        {"valueQuantity": {"value": "a lot"}},
        {"valueSampledData": {}},
        {"dataAbsentReason": {"coding": [{"code": "unknown"}]}},
    ]
    resources = [observation(id=f"o{number}", **each) for number, each in enumerate(values)]
    with staging(Format.FHIR, bundle(tmp_path, PATIENT, *resources)) as look:
        assert look.rows("SELECT value, value_text, unit, operator, absent FROM src.observations ORDER BY _row") == [
            ("1.5", "1.5", "mg/dL", None, None),
            (None, "<5", "mg", "<", None),
            ("10828004", "pos", None, None, None),
            ("clear", "clear", None, None, None),
            ("false", "false", None, None, None),
            ("7", "7", None, None, None),
            (None, "2019-03", None, None, None),
            (None, "1 - 2", None, None, None),
            (None, "1:128", None, None, None),
            (None, None, None, None, None),
            (None, None, None, None, None),
            (None, None, None, None, "unknown"),
        ]
        assert look.problems() == {"bound": 1, "inexact_date": 1, "wrong_value": 1, "value_not_read": 1}


def test_components_are_rows_of_their_own(tmp_path: Path) -> None:
    systolic = {"code": {"text": "systolic"}, "valueQuantity": {"value": 120}, "interpretation": [{"text": "N"}]}
    with staging(Format.FHIR, bundle(tmp_path, PATIENT, observation(component=[systolic]))) as look:
        assert look.rows("SELECT code, system, value, panel, interpretation FROM src.observations ORDER BY panel") == [
            ("systolic", None, "120", "2160-0", "N"),
            ("2160-0", "LOINC", None, None, None),
        ]


def test_what_did_not_happen_is_left_out_and_counted(tmp_path: Path) -> None:
    resources: list[dict[str, Any]] = [
        observation(id="1", status="entered-in-error"),
        observation(id="2", status="cancelled"),
        observation(id="3", modifierExtension=[{"url": "urn:not"}]),
        {
            **observation(id="4", resourceType="Condition"),
            "verificationStatus": {"coding": [{"code": "refuted"}]},
        },
        observation(id="5", subject={"reference": "Group/g"}),
        observation(id="6", subject={"reference": "Patient/nobody"}),
        observation(id="7", subject={"display": "somebody"}),
        observation(id="8", code={}),
        observation(id="9", code="2160-0"),
        observation(id="10", valueString="x" * 20_000),
        {"resourceType": "Organization", "id": "x"},
        {"id": "none"},
    ]
    with staging(Format.FHIR, bundle(tmp_path, PATIENT, *resources)) as look:
        assert look.rows("SELECT resource FROM src.observations") == [("10",)]
        assert look.problems() == {
            "entered_in_error": 1,
            "did_not_happen": 2,
            "modified_meaning": 1,
            "no_patient": 2,
            "unknown_patient": 1,
            "no_code": 1,
            "wrong_shape": 1,
            "wrong_value": 1,
            "resource_not_read": 1,
            "no_resource": 1,
        }


def test_without_patients_their_references_must_name_them(tmp_path: Path) -> None:
    nobody = observation(id="x", subject={"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"})
    with staging(Format.FHIR, bundle(tmp_path, observation(), nobody)) as look:
        assert look.rows("SELECT patient FROM src.observations") == [("p",)]
        assert set(look.tables) == {"observations"}
        assert look.problems() == {"unknown_patient": 1}


def test_medications_are_followed_wherever_they_are(tmp_path: Path) -> None:
    about = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "subject": {"reference": "http://x.example/fhir/Patient/p"},
    }
    inside = {"resourceType": "Medication", "id": "m", "code": {"coding": [{"code": "inside"}]}}
    beside = {"resourceType": "Medication", "id": "m", "code": {"coding": [{"code": "a"}, {"code": "b"}]}}
    path = bundle(
        tmp_path,
        {**about, "id": "1", "contained": [inside], "medicationReference": {"reference": "#m"}},
        {**about, "id": "2", "medicationReference": {"reference": "Medication/m"}},
        {**about, "id": "3", "medicationReference": {"reference": "Medication/unknown"}},
        beside,
        PATIENT,
    )
    with staging(Format.FHIR, path) as look:
        assert look.rows("SELECT patient, resource, code FROM src.observations ORDER BY resource, code") == [
            ("p", "1", "inside"),
            ("p", "2", "a"),
            ("p", "2", "b"),
        ]
        assert look.problems() == {"no_code": 1}


def test_the_newest_version_of_a_resource_counts(tmp_path: Path) -> None:
    old = observation(meta={"lastUpdated": "2020-01-01T00:00:00Z"}, valueInteger=1)
    new = observation(meta={"lastUpdated": "2021-01-01T00:00:00Z"}, valueInteger=2)
    with staging(Format.FHIR, bundle(tmp_path, PATIENT, new, old, PATIENT)) as look:
        assert look.rows("SELECT value FROM src.observations") == [("2",)]
        assert look.tables["patients"].rows == 1
        assert look.problems() == {"resource_again": 2}


def test_a_broken_line_of_ndjson_does_not_stop_the_others(tmp_path: Path) -> None:
    lines = [
        "\ufeff" + json.dumps(PATIENT),
        '{"resourceType": "Patient", "id": NaN}',
        '{"resourceType": "Patient", "id": "a", "id": "b"}',
        "",
        "[1]",
        "[" * 100_000,
        '{"resourceType": "Patient", "n": ' + "9" * 5_000 + ', "id": "long"}',
        '{"resourceType": "Pat',
        json.dumps({"resourceType": "Bundle", "entry": [{"resource": observation()}]}),
    ]
    with staging(Format.FHIR, written(tmp_path, "\n".join(lines), "a.ndjson")) as look:
        assert look.rows("SELECT _row, patient FROM src.patients") == [(1, "p"), (7, "long")]
        assert look.rows("SELECT _row, patient FROM src.observations") == [(9, "p")]
        assert {problem.row for problem in look.engine.problems} == {2, 3, 5, 6, 8}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "nothing_found"),
        (b"{}", "nothing_found"),
        (b"[]", "not_json"),
        (b"no json", "not_json"),
        (b'{"resourceType": "Patient", "id": "a"', "not_json"),
        (b'{"resourceType": "Patient", "id": "a"} }', "not_json"),
        (b'{"resourceType": "Patient", "id": "a", "id": "b"}', "not_json"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {"a": NaN}}]}', "not_json"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {}},]}', "not_json"),
        (b'{"resourceType": "Bundle", "entry": [' + b"[" * 100_000, "not_json"),
        (b'{"a":' * 100_000, "not_json"),
        (b'{"resourceType": "Patient", "id": "\xff"}', "not_utf8"),
        ('{"resourceType": "Patient", "id": "a"}'.encode("utf-16"), "not_utf8"),
        (b'{"resourceType": "Patient", "id": "a\\u0000"}', "nothing_found"),
        (b'{"resourceType": "Patient", "id": "\\ud800"}', "nothing_found"),
        (b'{"resourceType": "Patient\\ud800", "id": "a"}', "nothing_found"),
        (
            b'{"resourceType": "Bundle", "entry": [{"fullUrl": "\\ud800", '
            b'"resource": {"resourceType": "Patient", "id": "a"}}]}',
            "nothing_found",
        ),
    ],
)
def test_what_is_no_fhir_is_refused(tmp_path: Path, text: bytes, code: str) -> None:
    assert refused(written(tmp_path, text)) == code


def test_a_resource_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_reading, "MAX_RECORD", 10_000)
    monkeypatch.setattr(fhir_reading, "PIECE", 1_000)
    attachment = {"resourceType": "Binary", "data": "x" * 20_000}
    assert refused(bundle(tmp_path, PATIENT, attachment)) == "record_too_large"
    assert refused(written(tmp_path, json.dumps(attachment), "a.ndjson")) == "record_too_large"
    assert refused(written(tmp_path, " " * 20_000 + "{", "spaces.json")) == "not_json"


def test_bundles_within_bundles_end(tmp_path: Path) -> None:
    nested: dict[str, Any] = PATIENT
    for _ in range(20):
        nested = {"resourceType": "Bundle", "entry": [{"resource": nested}]}
    assert refused(written(tmp_path, json.dumps(nested) + "\n", "a.ndjson")) == "nothing_found"


def test_several_resources_in_a_file_and_entry_before_type(tmp_path: Path) -> None:
    entry = json.dumps([{"resource": observation()}])
    text = json.dumps(PATIENT) + "\n" + f'{{"entry": {entry}, "resourceType": "Bundle"}}'
    with staging(Format.FHIR, written(tmp_path, text)) as look:
        assert {name: table.rows for name, table in look.tables.items()} == {"patients": 1, "observations": 1}


def test_other_files_in_the_folder_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    bundle(folder, PATIENT)
    (folder / "readme.pdf").write_bytes(b"%PDF")
    with staging(Format.FHIR, folder) as look:
        assert look.problems() == {"file_not_read": 1}


def test_it_can_be_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    write_bundle(path, people(5))
    token = CancelToken()
    token.cancel()
    with Engine([path], place=tmp_path / "private") as engine, pytest.raises(Cancelled):
        stage(engine, "src", Settings(Format.FHIR, (path,)), Job(cancel=token))
