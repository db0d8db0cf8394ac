"""From what hospitals have to released counts: every format is suggested a mapping, checked, sealed, imported, asked.

The same counts are computed by DuckDB directly on the source, with nothing of the program in between.
"""

# ruff: noqa: S608 - the statements are put together from what is written here

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas
import pyreadstat
import pytest
from lifelines import datasets as lifelines

from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import Calendar, Granularity, Periods
from app.core.crypto.parameters import STANDARD_1
from app.core.preparation.mapping_reading import load_mapping, read_variable
from app.core.preparation.mapping_writing import format_mapping
from app.core.preparation.sources.source import Format
from app.core.services.preparing import check
from tests.clinical_extracts import people, write_bulk, write_cbioportal, write_i2b2, write_omop
from tests.prepared_sites import PreparedSites
from tests.source_files import workbook

SEX = Variable(
    "sex", Kind.CATEGORY, Label("Sex"), levels=(Level("female", Label("female")), Level("male", Label("male")))
)
PERIODS = Periods(Decimal(100), 10)
LUNG = Catalogue(
    "Lung",
    1,
    (
        SEX,
        Variable("age", Kind.NUMBER, Label("Age"), cut_points=tuple(map(Decimal, (50, 60, 70))), unit="a"),
        Variable("wt_loss", Kind.NUMBER, Label("Weight loss"), cut_points=(Decimal(0), Decimal(10))),
        Variable("os", Kind.SURVIVAL, Label("Overall survival"), periods=PERIODS),
    ),
)
COHORT = tuple(people(120, seed=7))


def lung() -> pandas.DataFrame:
    """The study, with an id for each patient, and columns as a hospital would call them."""
    table = lifelines.load_lung().rename(columns={"wt.loss": "wt_loss", "ph.ecog": "ecog", "time": "days"})
    table.insert(0, "patient_id", range(1, len(table) + 1))
    return table[["patient_id", "inst", "sex", "age", "wt_loss", "days", "status"]]


@pytest.fixture(scope="module")
def lung_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreparedSites]:
    sites = PreparedSites(tmp_path_factory.mktemp("lung"), LUNG)
    yield sites
    sites.close()


def write_csv(path: Path, table: pandas.DataFrame) -> Path:
    table.to_csv(path.with_suffix(".csv"), index=False, sep=";", decimal=",")
    return path.with_suffix(".csv")


def write_excel(path: Path, table: pandas.DataFrame) -> Path:
    rows = [
        list(table.columns),
        *([None if pandas.isna(value) else value for value in row] for row in table.to_numpy()),
    ]
    return workbook(path.with_suffix(".xlsx"), dict(enumerate(rows, 1)))


def write_parquet(path: Path, study: pandas.DataFrame) -> Path:
    duckdb.sql("SELECT * FROM study").write_parquet(str(path.with_suffix(".parquet")))
    return path.with_suffix(".parquet")


def write_sas(path: Path, table: pandas.DataFrame) -> Path:
    pyreadstat.write_xport(table, str(path.with_suffix(".xpt")), table_name="LUNG", file_format_version=8)
    return path.with_suffix(".xpt")


def write_spss(path: Path, table: pandas.DataFrame) -> Path:
    labels = {"sex": {1: "male", 2: "female"}}
    pyreadstat.write_sav(table, str(path.with_suffix(".sav")), variable_value_labels=labels)
    return path.with_suffix(".sav")


def write_stata(path: Path, table: pandas.DataFrame) -> Path:
    pyreadstat.write_dta(table, str(path.with_suffix(".dta")))
    return path.with_suffix(".dta")


def write_redcap(path: Path, table: pandas.DataFrame) -> Path:
    names = '"Variable / Field Name","Form Name","Section Header","Field Type","Field Label",'
    names += '"Choices, Calculations, OR Slider Labels","Field Note",'
    names += '"Text Validation Type OR Show Slider Number","Identifier?"'
    fields = [("patient_id", "text", "Record", "", ""), ("sex", "radio", "Sex", "1, Male | 2, Female", "")]
    fields += [(name, "text", name, "", "number") for name in table.columns if name not in ("patient_id", "sex")]
    rows = [f'{name},lung,,{kind},{label},"{choices}",,{valid},' for name, kind, label, choices, valid in fields]
    path.with_name("data_dictionary.csv").write_text("\n".join([names, *rows]) + "\n", "utf-8")
    table.to_csv(path.with_suffix(".csv"), index=False)
    return path.with_suffix(".csv")


WRITERS: dict[Format, Callable[[Path, pandas.DataFrame], Path]] = {
    Format.CSV: write_csv,
    Format.EXCEL: write_excel,
    Format.PARQUET: write_parquet,
    Format.SAS: write_sas,
    Format.SPSS: write_spss,
    Format.STATA: write_stata,
    Format.REDCAP: write_redcap,
}
QUESTIONS = {  # in the language of queries: in SQL on the study's own columns
    "sex = female": "sex = 2",
    "sex = female and age >= 60": "sex = 2 AND age >= 60",
    "sex = male and not wt_loss >= 10": "sex = 1 AND NOT coalesce(wt_loss >= 10, false)",
    "age >= 50 and age < 70": "age >= 50 AND age < 70",
}


def counted(study: pandas.DataFrame, condition: str) -> int:
    """Count with DuckDB on the source."""
    return int(duckdb.sql(f"SELECT count(*) FROM study WHERE {condition}").fetchall()[0][0])


def period_counts(study: pandas.DataFrame) -> dict[str, int]:
    """Return how many patients had the event, or were censored, in each period, by DuckDB."""
    found = duckdb.sql(
        "SELECT CASE WHEN status = 1 AND days < 1000 THEN 'event:' ELSE 'censored:' END || least(days // 100, 9)::INT, "
        "count(*) FROM study GROUP BY 1"
    ).fetchall()
    return {str(part): int(count) for part, count in found}


@pytest.mark.parametrize("format_", WRITERS, ids=lambda each: each.value)
def test_every_table_format_gives_the_counts_of_its_source(
    lung_sites: PreparedSites, tmp_path: Path, format_: Format
) -> None:
    table = lung()
    file = WRITERS[format_](tmp_path / "lung", table)
    mapping = lung_sites.suggested({f"lung_{format_.value}": (file,)})
    assert {each.format for each in load_mapping(mapping).sources.values()} == {format_}
    found = check(mapping, LUNG)
    assert found.table.left_out == ()
    assert (found.table.patients, found.table.refused_rows, found.groups) == (len(table), 0, ())
    done, dataset = lung_sites.prepared(mapping)
    assert done.checked.table.patients == len(table)
    for question, condition in QUESTIONS.items():
        assert lung_sites.released([dataset], question) == counted(table, condition), question
    sums = lung_sites.sums(dataset, "os")
    assert {part: count for part, count in sums.items() if count} == period_counts(table)


def test_two_sites_divide_the_study_by_institution(lung_sites: PreparedSites, tmp_path: Path) -> None:
    table = lung()
    datasets = []
    for site, part in (("A", table[table["inst"] <= 10]), ("B", table[table["inst"] > 10])):
        file = write_csv(tmp_path / f"divided_{site}", part)
        datasets.append(lung_sites.prepared(lung_sites.suggested({f"divided_{site}": (file,)}, site), site)[1])
    whole = table[table["inst"].notna()]
    for question, condition in QUESTIONS.items():
        assert lung_sites.released(datasets, question) == counted(whole, condition), question


def test_another_study_with_words_for_levels(tmp_path: Path) -> None:
    """The German Breast Cancer Study Group's trial: yes and no, grades, hormone therapy, relapse-free survival."""
    levels = tuple(Level(each, Label(each)) for each in ("I", "II", "III"))
    catalogue = Catalogue(
        "Breast",
        1,
        (
            Variable("hormones", Kind.FLAG, Label("Hormonal therapy"), synonyms=("horTh",)),
            Variable("grade", Kind.CATEGORY, Label("Tumour grade"), levels=levels, synonyms=("tgrade",)),
            Variable("nodes", Kind.NUMBER, Label("Positive nodes"), cut_points=(Decimal(4),), synonyms=("pnodes",)),
            Variable("rfs", Kind.SURVIVAL, Label("Time to relapse"), periods=Periods(Decimal(365), 8)),
        ),
    )
    study = lifelines.load_gbsg2().rename(columns={"cens": "relapse"})
    study.insert(0, "id", range(1, len(study) + 1))
    study.to_csv(tmp_path / "gbsg2.tsv", sep="\t", index=False)
    sites = PreparedSites(tmp_path, catalogue)
    try:
        done, dataset = sites.prepared(sites.suggested({"study": (tmp_path / "gbsg2.tsv",)}))
        assert (done.checked.table.patients, done.checked.table.left_out, done.checked.groups) == (len(study), (), ())
        questions = {
            "hormones and grade = III": "horTh = 'yes' AND tgrade = 'III'",
            "not hormones and nodes >= 4": "horTh = 'no' AND pnodes >= 4",
        }
        for question, condition in questions.items():
            assert sites.released([dataset], question) == counted(study, condition), question
        relapses = counted(study, "relapse = 1 AND time >= 365 AND time < 730")
        assert sites.sums(dataset, "rfs")["event:1"] == relapses
    finally:
        sites.close()


def clinical(system: str, code: str) -> Catalogue:
    """A catalogue whose flag is a code of some vocabulary."""
    return Catalogue(
        "Clinical",
        1,
        (
            SEX,
            Variable("flag", Kind.FLAG, Label("The thing looked for"), system=system, system_code=code),
            Variable(
                "hb",
                Kind.NUMBER,
                Label("Hemoglobin"),
                cut_points=(Decimal("13.5"),),
                unit="g/dL",
                system="LOINC",
                system_code="718-7",
            ),
            Variable("met", Kind.EVENT, Label("Metastasis"), periods=Periods(Decimal(365), 8)),
            Variable(
                "since",
                Kind.DATE,
                Label("Since"),
                calendar=Calendar(Granularity.YEAR, date(2015, 1, 1), date(2022, 1, 1)),
            ),
        ),
    )


def _omop(folder: Path) -> dict[str, str]:
    write_omop(folder, COHORT)
    person, condition, measurement = (
        f"read_csv('{folder}/{name}.csv')" for name in ("PERSON", "CONDITION_OCCURRENCE", "MEASUREMENT")
    )
    ill = f"SELECT person_id FROM {condition} WHERE condition_concept_id = 141232"
    last = (
        f"SELECT person_id FROM {measurement} WHERE measurement_concept_id = 3000963 GROUP BY 1 "
        "HAVING arg_max(value_as_number, (measurement_date, measurement_id)) >= 13.5"
    )
    female = f"SELECT count(*) FROM {person} WHERE gender_concept_id = 8532"
    return {
        "sex = female": female,
        "sex = female and flag": f"{female} AND person_id IN ({ill})",
        "hb >= 13.5": f"SELECT count(*) FROM ({last})",
    }


def _i2b2(folder: Path) -> dict[str, str]:
    write_i2b2(folder, COHORT)
    patients, facts = (
        f"read_csv('{folder}/{name}.csv', nullstr='\\N')" for name in ("patient_dimension", "observation_fact")
    )
    ill = f"SELECT patient_num FROM {facts} WHERE concept_cd = 'ICD10:C43'"
    last = (
        f"SELECT patient_num FROM (SELECT *, row_number() OVER () AS place FROM {facts}) "
        "WHERE concept_cd = 'LOINC:718-7' GROUP BY 1 HAVING arg_max(nval_num, (start_date, place)) >= 13.5"
    )
    female = f"SELECT count(*) FROM {patients} WHERE sex_cd = 'F'"
    return {
        "sex = female": female,
        "sex = female and flag": f"{female} AND patient_num IN ({ill})",
        "hb >= 13.5": f"SELECT count(*) FROM ({last})",
    }


def _fhir(folder: Path) -> dict[str, str]:
    write_bulk(folder, COHORT)
    patients, conditions, observations = (
        f"read_json('{folder}/{name}.ndjson')" for name in ("Patient", "Condition", "Observation")
    )
    ill = f"SELECT replace(subject.reference, 'Patient/', '') FROM {conditions} WHERE code.coding[1].code = 'C43'"
    last = (
        f"SELECT subject.reference FROM (SELECT *, row_number() OVER () AS place FROM {observations}) "
        "WHERE code.coding[1].code = '718-7' GROUP BY 1 "
        "HAVING arg_max(valueQuantity.value, (effectiveDateTime, place)) >= 13.5"
    )
    female = f"SELECT count(*) FROM {patients} WHERE gender = 'female'"
    return {
        "sex = female": female,
        "sex = female and flag": f"{female} AND id IN ({ill})",
        "hb >= 13.5": f"SELECT count(*) FROM ({last})",
    }


def _cbioportal(folder: Path) -> dict[str, str]:
    write_cbioportal(folder, COHORT)
    patients, samples, mutations = (
        f"read_csv('{folder}/data_{name}.txt', delim='\\t', comment='#')"
        for name in ("clinical_patient", "clinical_sample", "mutations")
    )
    mutated = (
        f"SELECT s.PATIENT_ID FROM {samples} s JOIN {mutations} m ON m.Tumor_Sample_Barcode = s.SAMPLE_ID "
        "WHERE Hugo_Symbol = 'BRAF'"
    )
    female = f"SELECT count(*) FROM {patients} WHERE SEX = 'Female'"
    return {"sex = female": female, "sex = female and flag": f"{female} AND PATIENT_ID IN ({mutated})"}


@pytest.mark.parametrize(
    ("write", "system", "code"),
    [
        (_omop, "SNOMED CT", "372244006"),
        (_i2b2, "ICD-10", "C43"),
        (_fhir, "ICD-10", "C43"),
        (_cbioportal, "HGNC", "BRAF"),
    ],
    ids=["omop", "i2b2", "fhir", "cbioportal"],
)
def test_every_clinical_format_gives_the_counts_of_its_source(
    tmp_path: Path, write: Callable[[Path], dict[str, str]], system: str, code: str
) -> None:
    questions = write(tmp_path / "extract")
    sites = PreparedSites(tmp_path, clinical(system, code))
    try:
        mapping = sites.suggested({"extract": (tmp_path / "extract",)})
        found = check(mapping, sites.catalogue)
        assert found.table.patients == len(COHORT)
        assert found.table.refused_rows == 0
        _, dataset = sites.prepared(mapping)
        for question, statement in questions.items():
            wanted = duckdb.sql(statement).fetchall()[0][0]
            assert wanted > 0, question
            assert sites.released([dataset], question) == wanted, question
    finally:
        sites.close()


def test_dates_and_events_are_sealed_as_duckdb_counts_them(tmp_path: Path) -> None:
    """Questions cannot use these kinds yet: their columns are decrypted with the collective key, and added up."""
    _fhir(tmp_path / "extract")
    sites = PreparedSites(tmp_path, clinical("ICD-10", "C43"))
    try:
        suggested = sites.suggested({"extract": (tmp_path / "extract",)})
        mapping = load_mapping(suggested)
        rows = {"table": "extract.observations", "system": "ICD-10"}
        index = read_variable({"table": "extract.observations", "rule": "first"}, "", "index")
        more = {
            "since": read_variable({**rows, "rule": "first", "codes": ["I10"]}, "", "since"),
            "met": read_variable({**rows, "codes": ["E11", "C50"]}, "", "met"),
        }
        path = tmp_path / "dated.toml"
        path.write_text(format_mapping(replace(mapping, index=index, variables={**mapping.variables, **more})), "utf-8")
        _, dataset = sites.prepared(path)
        conditions = (
            f"(SELECT subject.reference AS patient, code.coding[1].code AS code, onsetDateTime::DATE AS day "
            f"FROM read_json('{tmp_path}/extract/Condition.ndjson'))"
        )
        since = f"SELECT min(day) AS day FROM {conditions} WHERE code = 'I10' GROUP BY patient"
        by_year = duckdb.sql(f"SELECT year(day), count(*) FROM ({since}) GROUP BY 1").fetchall()
        sums = sites.sums(dataset, "since")
        assert sums["known"] == sum(count for _, count in by_year)
        for year in range(2015, 2023):
            assert sums[f"ge:{year}"] == sum(count for found, count in by_year if found >= year)
        zero = _first_days(tmp_path / "extract")
        times = (
            f"SELECT c.patient, date_diff('day', z.day, c.day) // 365 AS period FROM {conditions} c JOIN ({zero}) z "
            "ON z.patient = c.patient WHERE code IN ('E11', 'C50')"
        )
        first = duckdb.sql(
            f"SELECT first, count(*) FROM (SELECT min(period) AS first FROM ({times}) WHERE period BETWEEN 0 AND 7 "
            "GROUP BY patient) GROUP BY 1"
        ).fetchall()
        sums = sites.sums(dataset, "met")
        assert {part: count for part, count in sums.items() if part.startswith("first:") and count} == {
            f"first:{period}": count for period, count in first
        }
        assert sums["times:1"] == sum(count for _, count in first)
    finally:
        sites.close()


def _first_days(folder: Path) -> str:
    """Return SQL for the first day on which anything was found, given or measured, by patient."""
    parts = {"Condition": "onsetDateTime", "MedicationRequest": "authoredOn", "Observation": "effectiveDateTime"}
    every = " UNION ALL ".join(
        f"SELECT subject.reference AS patient, left({day}::VARCHAR, 10)::DATE AS day "
        f"FROM read_json('{folder}/{name}.ndjson')"
        for name, day in parts.items()
    )
    return f"SELECT patient, min(day) AS day FROM ({every}) GROUP BY 1"


@pytest.mark.production
def test_one_format_at_the_parameters_of_production(tmp_path: Path) -> None:
    sites = PreparedSites(tmp_path, LUNG, STANDARD_1)
    try:
        table = lung()
        file = write_csv(tmp_path / "lung", table)
        _, dataset = sites.prepared(sites.suggested({"lung": (file,)}))
        for question, condition in list(QUESTIONS.items())[1:3]:
            assert sites.released([dataset], question) == counted(table, condition), question
    finally:
        sites.close()
