# ruff: noqa: S608 - the queries are those of this test
"""OMOP: what was written is what is counted, whatever the spelling of files, columns and concepts."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from app.core.errors import UserError
from app.core.preparation.sources.source import Format
from tests.clinical_extracts import DIAGNOSES, LABS, people, write_omop
from tests.clinical_staging import Look, staging

PATIENTS = 200


def records(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ever(look: Look, code: str, column: str = "code") -> set[str]:
    return {row[0] for row in look.rows(f"SELECT DISTINCT patient FROM src.observations WHERE {column} = '{code}'")}


@pytest.mark.parametrize("concepts", [True, False])
def test_counts_are_those_of_the_files(tmp_path: Path, concepts: bool) -> None:
    write_omop(tmp_path / "cdm", people(PATIENTS), concepts=concepts)
    with staging(Format.OMOP, tmp_path / "cdm") as look:
        assert look.tables["patients"].rows == PATIENTS
        assert look.tables["observations"].patient == "patient"
        assert look.tables["observations"].long is not None
        for table, domain in (("CONDITION_OCCURRENCE", "condition_occurrence"), ("MEASUREMENT", "measurement")):
            written = records(tmp_path / "cdm" / f"{table}.csv")
            assert look.one(f"SELECT count(*) FROM src.observations WHERE domain = '{domain}'") == len(written)
        conditions = records(tmp_path / "cdm" / "CONDITION_OCCURRENCE.csv")
        for icd, (concept, snomed, _) in DIAGNOSES.items():
            having = {row["person_id"] for row in conditions if row["condition_concept_id"] == concept}
            assert ever(look, snomed if concepts else concept) == having
            assert ever(look, icd, "source_code") == having
        systems = {row[0] for row in look.rows("SELECT DISTINCT system FROM src.observations")}
        assert systems == ({"SNOMED CT", "RxNorm", "LOINC", "Visit"} if concepts else {"OMOP"})
        assert look.problems() == {"identifier_left_out": PATIENTS}


def test_every_value_has_its_patient_day_unit_and_row(tmp_path: Path) -> None:
    write_omop(tmp_path / "cdm", people(50))
    with staging(Format.OMOP, tmp_path / "cdm") as look:
        staged = look.rows(
            """SELECT _row, _file, patient, code, time, value, unit FROM src.observations
            WHERE domain = 'measurement' ORDER BY _row"""
        )
    expected = []
    for person in people(50):
        for code, day, value in person.labs:
            expected.append(("MEASUREMENT.csv", str(person.number), code, day.isoformat(), value, LABS[code][2]))
    assert [row[0] for row in staged] == list(range(2, len(expected) + 2))
    assert [row[1:] for row in staged] == expected


def test_people_are_as_they_were_written(tmp_path: Path) -> None:
    write_omop(tmp_path / "cdm", people(50))
    with staging(Format.OMOP, tmp_path / "cdm") as look:
        staged = look.rows(
            """SELECT patient, sex, birth_year, birth_date, death_date, first_day FROM src.patients
            ORDER BY patient::INT"""
        )
        assert "MRN" not in str(look.rows("SELECT * FROM src.patients"))
        identifiers = {column.name: column.identifier for column in look.tables["patients"].columns}
    assert identifiers["birth_date"] == "birth_date"
    for person, row in zip(people(50), staged, strict=True):
        days = sorted(each[1] for each in (*person.diagnoses, *person.drugs, *person.labs))
        assert row == (
            str(person.number),
            person.sex,
            str(person.born.year),
            person.born.isoformat(),
            person.died.isoformat() if person.died else None,
            days[0].isoformat() if days else None,
        )


def write(folder: Path, **tables: str) -> Path:
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    cdm = write(
        tmp_path / "cdm",
        Person="PERSON_ID,Gender_Concept_Id,year_of_birth\n1.0,8507.0,1950\n2,0,1960\n2,8507,1960\n,8507,1970\n",
        Measurement="person_id,measurement_concept_id,measurement_date,operator_concept_id,value_as_number\n"
        '1,10,2020-02-30,,5\n1,0,20200301,,"1,5"\n1,11,2020-03-01 07:30:00,4171756,3\n9,11,2020-03-01,,3\n,11,,,3\n',
        death="person_id,death_date\n1,2021-01-01\n8,2021-01-02\n",
        note="note_id\n1\n",
    )
    with staging(Format.OMOP, cdm) as look:
        assert look.rows("SELECT patient, sex FROM src.patients") == [("1", "male"), ("2", None)]
        assert look.rows("SELECT _row, code, time, value, value_text, number, operator FROM src.observations") == [
            (2, "10", None, "5", "5", "5", None),
            (3, None, "2020-03-01", None, None, None, None),
            (4, "11", "2020-03-01T07:30:00", None, "<3", "3", "<"),
        ]
        assert look.problems() == {
            "file_not_read": 1,
            "patient_again": 2,
            "wrong_date": 1,
            "wrong_number": 1,
            "unmapped_concept": 1,
            "bound": 1,
            "unknown_patient": 2,
            "no_patient": 1,
        }
        places = {problem.code: (problem.file, problem.row, problem.column) for problem in look.engine.problems}
        assert places["clinical.wrong_date"] == ("Measurement.csv", 2, "measurement_date")
        assert look.rows("SELECT death_date FROM src.patients") == [("2021-01-01",), (None,)]
        assert places["clinical.unknown_patient"] == ("Measurement.csv", 5, "patient")


def test_other_orders_of_dates_and_signs_are_read_if_they_are_said(tmp_path: Path) -> None:
    cdm = write(
        tmp_path / "cdm",
        person="person_id;birth_datetime\n1;31.12.1950\n",
        measurement="person_id;measurement_concept_id;measurement_date;value_as_number\n1;10;01.02.2020;1,5\n",
    )
    with staging(Format.OMOP, cdm, dates="DMY", decimal=",") as look:
        assert look.rows("SELECT birth_date FROM src.patients") == [("1950-12-31",)]
        assert look.rows("SELECT time, value FROM src.observations") == [("2020-02-01", "1.5")]
        assert (look.staged.settings.dates, look.staged.settings.decimal) == ("YMD", ".")


@pytest.mark.parametrize(
    ("tables", "code"),
    [
        ({"note": "a,b\n1,2\n"}, "clinical.no_tables"),
        ({"person": "gender_concept_id,x\n1,2\n"}, "clinical.missing_column"),
        ({"person": "person_id,x\n1,2\n", "death": "person,x\n1,2\n"}, "clinical.missing_column"),
        ({"person": ""}, "sources.empty_file"),
    ],
)
def test_a_folder_that_is_none_is_refused(tmp_path: Path, tables: dict[str, str], code: str) -> None:
    cdm = write(tmp_path / "cdm", **tables)
    with pytest.raises(UserError) as caught, staging(Format.OMOP, cdm):
        pass
    assert caught.value.code == code
    assert caught.value.params["file"]


def test_the_same_table_twice_is_refused(tmp_path: Path) -> None:
    cdm = write(tmp_path / "cdm", person="person_id,x\n1,2\n")
    (cdm / "PERSON.tsv").write_text("person_id\tx\n1\t2\n", "utf-8")
    with pytest.raises(UserError) as caught, staging(Format.OMOP, cdm):
        pass
    assert caught.value.code == "clinical.same_table"
