# ruff: noqa: S608 - the queries are those of this test
"""i2b2: facts once each, modifiers beside them, folders by path."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from app.core.errors import UserError
from app.core.preparation.sources.source import Format
from tests.clinical_extracts import DIAGNOSES, people, write_i2b2
from tests.clinical_staging import staging

PATIENTS = 200


def test_counts_are_those_of_the_files(tmp_path: Path) -> None:
    write_i2b2(tmp_path / "star", people(PATIENTS))
    with open(tmp_path / "star" / "observation_fact.csv", encoding="utf-8", newline="") as file:
        facts = list(csv.DictReader(file))
    with staging(Format.I2B2, tmp_path / "star") as look:
        assert look.tables["patients"].rows == PATIENTS
        for code in DIAGNOSES:
            having = {fact["patient_num"] for fact in facts if fact["concept_cd"] == f"ICD10:{code}"}
            found = look.rows(
                f"SELECT DISTINCT patient FROM src.observations WHERE code = '{code}' AND system = 'ICD-10'"
            )
            assert {row[0] for row in found} == having
        assert look.one("SELECT count(*) FROM src.observations WHERE domain = 'observation_fact'") == sum(
            fact["modifier_cd"] == "@" for fact in facts
        )
        assert look.tables["modified"].rows == sum(fact["modifier_cd"] == "DOSE" for fact in facts)
        values = sorted(fact["nval_num"] for fact in facts if fact["concept_cd"].startswith("LOINC:"))
        assert (
            sorted(row[0] for row in look.rows("SELECT value FROM src.observations WHERE value IS NOT NULL")) == values
        )
        below = look.one(r"SELECT count(*) FROM src.observations WHERE path LIKE '\i2b2\Diagnoses\Neoplasms\%'")
        assert below == sum(fact["concept_cd"] in ("ICD10:C43", "ICD10:C50") for fact in facts)
        paths = r"SELECT count(*) FROM src.concepts WHERE concept_cd = 'ICD10:C43'"
        assert look.one(paths) == 2
        assert look.problems() == {"several_paths": 1}


def test_people_are_as_they_were_written(tmp_path: Path) -> None:
    write_i2b2(tmp_path / "star", people(50))
    with staging(Format.I2B2, tmp_path / "star") as look:
        staged = look.rows("SELECT patient, sex, birth_date, death_date FROM src.patients ORDER BY patient::INT")
    for person, row in zip(people(50), staged, strict=True):
        died = person.died.isoformat() if person.died else None
        assert row == (str(person.number), person.sex, person.born.isoformat(), died)


def write(folder: Path, **tables: str) -> Path:
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


def test_values_operators_modifiers_and_vague_dates(tmp_path: Path) -> None:
    star = write(
        tmp_path / "star",
        OBSERVATION_FACT="ENCOUNTER_NUM,PATIENT_NUM,CONCEPT_CD,START_DATE,MODIFIER_CD,INSTANCE_NUM,VALTYPE_CD,TVAL_CHAR,"
        "NVAL_NUM,UNITS_CD\n"
        '1,1,LOINC:1-1,2020-01-02 03:04:05.0,@,1,N,E,"5.00000",mg\n'
        "1,1,LOINC:1-1,2020-01-03,@,1,N,LE,2,mg\n"
        "1,1,LOCAL:X,2020-01-04,@,1,T,positive,,@\n"
        "1,1,ICD10:C43,2020-01-05,PRIMARY,1,@,\\N,,\n"
        "1,1,ICD10:C43,2020-01-05,LEFT,1,T,left,,\n"
        "1,1,NOTE:1,2020-01-06,@,1,B,,,\n",
        patient_dimension="patient_num,vital_status_cd,birth_date,death_date,sex_cd,zip_cd,religion_cd\n"
        "1,MB,1950-06-01,2021-05-01,DEM|SEX:f,8000,x\n2,N,1960-01-02,\\N,U,,\n",
    )
    with staging(Format.I2B2, star) as look:
        assert look.rows(
            "SELECT code, system, time, value, number, operator, unit, modifier FROM src.observations ORDER BY _row"
        ) == [
            ("1-1", "LOINC", "2020-01-02T03:04:05", "5.00000", "5.00000", None, "mg", None),
            ("1-1", "LOINC", "2020-01-03", None, "2", "<=", "mg", None),
            ("LOCAL:X", None, "2020-01-04", "positive", None, None, None, None),
            ("C43", "ICD-10", "2020-01-05", None, None, None, None, "PRIMARY"),
            ("NOTE:1", None, "2020-01-06", None, None, None, None, None),
        ]
        assert look.rows("SELECT modifier, value FROM src.modified ORDER BY _row") == [
            ("PRIMARY", None),
            ("LEFT", "left"),
        ]
        assert look.rows(
            "SELECT sex, birth_year, birth_month, birth_date, death_year, death_date, religion_cd FROM src.patients"
        ) == [
            ("female", "1950", "1950-06", None, "2021", None, "x"),
            ("U", "1960", "1960-01", "1960-01-02", None, None, None),
        ]
        assert look.problems() == {"bound": 1, "value_not_read": 1, "inexact_date": 2, "identifier_left_out": 1}


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    star = write(
        tmp_path / "star",
        patient_dimension="patient_num,sex\n1,a\n1,b\n",
        observation_fact="patient_num,concept_cd,start_date\n1,A,2020-13-01\n7,A,2020-01-01\n,A,2020-01-01\n1,,2020-01-01\n",
    )
    with staging(Format.I2B2, star) as look:
        assert look.tables["observations"].rows == 2
        assert look.problems() == {
            "patient_again": 1,
            "wrong_date": 1,
            "unknown_patient": 1,
            "no_patient": 1,
            "unmapped_concept": 1,
        }


@pytest.mark.parametrize(
    ("tables", "code"),
    [
        ({"concept_dimension": "concept_cd,concept_path\n1,2\n"}, "clinical.no_tables"),
        ({"observation_fact": "patient_num,x\n1,2\n"}, "clinical.missing_column"),
    ],
)
def test_a_folder_that_is_none_is_refused(tmp_path: Path, tables: dict[str, str], code: str) -> None:
    star = write(tmp_path / "star", **tables)
    with pytest.raises(UserError) as caught, staging(Format.I2B2, star):
        pass
    assert caught.value.code == code
