"""What is suggested for tables as hospitals have them, in three languages, wide and long; and nothing for nonsense."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import Periods
from app.core.jobs.job import Job
from app.core.preparation.column_contents import StagedContents
from app.core.preparation.engine import Engine
from app.core.preparation.mapping import Mapping, Source
from app.core.preparation.mapping_reading import read_variable
from app.core.preparation.sources.source import Format, Long, Staged
from app.core.preparation.suggesting import Suggested, suggest
from tests.staged_tables import stage_rows

SEX = Variable(
    "sex",
    Kind.CATEGORY,
    Label("Sex", "Sexe", "Geschlecht"),
    levels=(Level("female", Label("Female", "Femme", "Weiblich")), Level("male", Label("Male", "Homme", "Männlich"))),
)
AGE = Variable("age", Kind.NUMBER, Label("Age at diagnosis", None, "Alter"), cut_points=(Decimal(50),), unit="a")
CREATININE = Variable(
    "lab:creatinine",
    Kind.NUMBER,
    Label("Creatinine", None, "Kreatinin"),
    cut_points=(Decimal(90),),
    unit="umol/L",
    system="LOINC",
    system_code="2160-0",
)
WEIGHT = Variable("weight", Kind.NUMBER, Label("Weight", "Poids", "Gewicht"), cut_points=(Decimal(70),), unit="kg")
SMOKER = Variable("smoker", Kind.FLAG, Label("Smoker", "Fumeur", "Raucher"))
C43 = Variable("ICD10:C43", Kind.FLAG, Label("Melanoma"), rollup=True, system="ICD-10", system_code="C43")
OS = Variable("os", Kind.SURVIVAL, Label("Overall survival"), periods=Periods(Decimal(30), 24))
MET = Variable(
    "metastasis", Kind.EVENT, Label("Metastasis"), periods=Periods(Decimal(30), 24), system="ICD-10", system_code="C79"
)
CATALOGUE = Catalogue("Test", 1, (SEX, AGE, CREATININE, WEIGHT, SMOKER, C43, OS, MET))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(place=tmp_path) as engine:
        yield engine


def suggested(engine: Engine, *sources: Staged) -> tuple[Suggested, dict[str, dict[str, Any]]]:
    found = suggest(CATALOGUE, sources, StagedContents(engine, Job()))
    how = {each.variable: dict(each.best.how) for each in found.variables if each.best is not None}
    for code, each in how.items():
        read_variable(each, "m.toml", code)  # a mapping can say it
    return found, how


def test_a_german_table(engine: Engine) -> None:
    columns = ("PatientenNr", "Geschlecht", "Alter", "Gewicht (g)", "Raucher", "Kreatinin", "Diagnosedatum")
    rows = [
        (f"{n}", "wm"[n % 2], str(40 + n), str(70000 + n), ["ja", "nein", "unbekannt"][n % 3], "80", "2020-01-02")
        for n in range(30)
    ]
    found, how = suggested(engine, stage_rows(engine, "klinik", {"t": (columns, rows)}))
    assert found.patients == "klinik"
    assert found.keys == {"klinik": "PatientenNr"}
    assert how == {
        "sex": {"table": "klinik", "column": "Geschlecht", "values": {"m": "male", "w": "female"}},
        "age": {"table": "klinik", "column": "Alter"},
        "lab:creatinine": {"table": "klinik", "column": "Kreatinin"},
        "weight": {"table": "klinik", "column": "Gewicht (g)", "unit": "g"},
        "smoker": {
            "table": "klinik",
            "column": "Raucher",
            "values": {"ja": "yes", "nein": "no"},
            "missing": ["unbekannt"],
        },
    }
    assert found.index == {"table": "klinik", "column": "Diagnosedatum"}


def test_a_table_of_patients_stays_one_though_a_number_is_doubled_and_one_is_empty(engine: Engine) -> None:
    rows = [(f"{n}", "fm"[n % 2], str(40 + n)) for n in range(30)]
    rows[7] = ("3", "f", "50")
    rows.append(("", "", ""))
    found, how = suggested(engine, stage_rows(engine, "t", {"t": (("patient_id", "sex", "age"), rows)}))
    assert found.patients == "t"
    assert {"sex", "age"} <= how.keys()


def test_rows_of_observations_are_not_taken_for_patients(engine: Engine) -> None:
    rows = [(f"{n // 2}", "80", "2020-01-02") for n in range(30)]
    found, _ = suggested(engine, stage_rows(engine, "t", {"t": (("patient_id", "value", "taken"), rows)}))
    assert found.patients is None


def test_a_mapping_before_says_which_table_and_which_column_name_the_patients(engine: Engine) -> None:
    rows = [(f"{n // 2}", "fm"[n % 2], str(40 + n)) for n in range(30)]
    staged = stage_rows(engine, "t", {"t": (("who", "sex", "age"), rows)})
    before = Mapping("m.toml", "A", {"t": Source(Format.CSV, patient="who")}, {}, patients="t")
    assert suggested(engine, staged)[0].patients is None
    found = suggest(CATALOGUE, [staged], StagedContents(engine, Job()), before)
    assert (found.patients, found.keys) == ("t", {"t": "who"})
    assert {each.variable for each in found.variables if each.best is not None} == {"sex", "age"}


def test_numbered_levels_take_the_labels_of_their_format_and_else_the_standard(engine: Engine) -> None:
    rows = [(str(n), "12"[n % 2]) for n in range(20)]
    labels = {"gender": {"1": "Frau", "2": "Mann"}}
    _, how = suggested(engine, stage_rows(engine, "a", {"t": (("id", "gender"), rows)}, labels=labels))
    assert how["sex"]["values"] == {"1": "female", "2": "male"}
    found, how = suggested(engine, stage_rows(engine, "b", {"t": (("id", "gender"), rows)}))
    assert how["sex"]["values"] == {"1": "male", "2": "female"}
    best = found.variables[0].best
    assert best is not None
    assert (best.because.code, best.confidence < 0.8) == ("preparing.because.guessed", True)


def test_rows_with_codes(engine: Engine) -> None:
    patients = [(str(n), "f") for n in range(9)]
    diagnoses = [(str(n % 9), ["C43.1", "C43.9", "I10", "C79.3"][n % 4], f"2020-01-{n + 1:02}") for n in range(20)]
    labs = [(str(n % 9), "2160-0", str(70 + n), "umol/L", "2020-01-01") for n in range(18)]
    source = [
        stage_rows(engine, "patients", {"t": (("patient_id", "sex"), patients)}),
        stage_rows(engine, "diagnoses", {"t": (("patient_id", "icd", "day"), diagnoses)}),
        stage_rows(engine, "labs", {"t": (("patient_id", "loinc", "result", "unit", "taken"), labs)}),
    ]
    found, how = suggested(engine, *source)
    assert found.patients == "patients"
    assert how["ICD10:C43"] == {
        **{"table": "diagnoses", "rule": "ever", "codes": ["C43*"]},
        **{"code_column": "icd", "time_column": "day"},
    }
    assert how["lab:creatinine"] == {
        **{"table": "labs", "rule": "last", "codes": ["2160-0"], "code_column": "loinc"},
        **{"time_column": "taken", "value_column": "result", "unit_column": "unit"},
    }


def test_a_format_that_says_itself_which_columns_hold_codes(engine: Engine) -> None:
    facts = [(str(n % 5), ["ICD10:C439", "ICD10:C43", "LOINC:2160-0"][n % 3], "2020-01-01", "81") for n in range(30)]
    long = {"observation_fact": Long("concept_cd", time="start_date", value="nval_num")}
    tables = {
        "observation_fact": (("patient_num", "concept_cd", "start_date", "nval_num"), facts),
        "patient_dimension": (("patient_num", "sex_cd"), [(str(n), "FM"[n % 2]) for n in range(5)]),
    }
    found, how = suggested(engine, stage_rows(engine, "i2b2", tables, patient="patient_num", long=long))
    assert found.patients == "i2b2.patient_dimension"
    assert how["ICD10:C43"] == {"table": "i2b2.observation_fact", "rule": "ever", "codes": ["ICD10:C43*"]}
    assert how["lab:creatinine"] == {"table": "i2b2.observation_fact", "rule": "last", "codes": ["LOINC:2160-0"]}
    assert how["sex"]["values"] == {"F": "female", "M": "male"}


def test_survival(engine: Engine) -> None:
    columns = ("PATIENT_ID", "OS_MONTHS", "OS_STATUS", "PFS_MONTHS", "PFS_STATUS")
    rows = [(str(n), f"{n}.5", ["0:LIVING", "1:DECEASED"][n % 2], "3.0", "1:PROGRESSED") for n in range(20)]
    _, how = suggested(engine, stage_rows(engine, "study", {"t": (columns, rows)}))
    assert how["os"] == {
        **{"table": "study", "column": "OS_MONTHS", "unit": "mo"},
        **{"event_column": "OS_STATUS", "event_values": ["1:DECEASED"]},
    }


def test_nothing_is_suggested_for_nonsense(engine: Engine) -> None:
    columns = ("id", "ward", "sexual_health_note", "age_group", "weight_class", "smoker_text")
    rows = [(str(n), f"W{n}", "no remarks", "old", "heavy", f"says {n}") for n in range(200)]
    found, how = suggested(engine, stage_rows(engine, "x", {"t": (columns, rows)}))
    assert how == {}
    assert [each.variable for each in found.variables] == [each.code for each in CATALOGUE]


def test_one_column_is_not_given_to_two_variables_that_hardly_fit(engine: Engine) -> None:
    rows = [(str(n), str(60 + n), str(20 + n)) for n in range(20)]
    found, how = suggested(
        engine, stage_rows(engine, "x", {"t": (("id", "Alter bei Einschluss", "Alter bei Diagnose"), rows)})
    )
    assert how["age"]["column"] == "Alter bei Diagnose"
    age = next(each for each in found.variables if each.variable == "age")
    assert [each.how["column"] for each in age.alternatives] == ["Alter bei Einschluss"]
