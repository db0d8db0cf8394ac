"""What a file or folder is, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas
import pyreadstat
import pytest

from app.core.errors import EnvironmentProblem, UserError
from app.core.preparation.sources.detecting import detect
from app.core.preparation.sources.source import Format
from tests.source_files import workbook

RESOURCE = '{"resourceType": "Patient", "id": "1"}'


def make(tmp_path: Path, kind: str) -> Path:
    """Write a file of a kind under a name that says nothing."""
    path = tmp_path / "export"
    table = pandas.DataFrame({"id": ["A"], "x": [1]})
    if kind == "parquet":
        duckdb.execute(f"COPY (SELECT 1 AS id) TO '{path}' (FORMAT parquet)")  # noqa: S608 - a test's own words
    elif kind == "xlsx":
        workbook(path, {1: ["id"], 2: ["A"]})
    elif kind == "xls":
        path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600))
    else:
        getattr(pyreadstat, f"write_{kind}")(table, path)
    return path


@pytest.mark.parametrize(
    ("kind", "format"),
    [
        ("parquet", Format.PARQUET),
        ("xlsx", Format.EXCEL),
        ("xls", Format.EXCEL),
        ("sav", Format.SPSS),
        ("por", Format.SPSS),
        ("dta", Format.STATA),
        ("xport", Format.SAS),
    ],
)
def test_binary_formats_are_known_by_what_is_in_them(tmp_path: Path, kind: str, format: Format) -> None:
    path = make(tmp_path, kind)
    assert (detect(path).format, detect(path).files) == (format, (path,))


@pytest.mark.parametrize("text", ["id,a\n1,2\n", "id;a\n1;ü\n", "[id],a\n1,2\n", "id\n1\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252", "utf-16", "utf-16-le"])
def test_other_text_is_csv(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "export.xlsx"
    path.write_bytes(text.encode(encoding))
    assert detect(path).format is Format.CSV


@pytest.mark.parametrize(
    ("files", "format"),
    [
        ({"PERSON.csv": "person_id\n", "drug_exposure.csv": ""}, Format.OMOP),
        ({"observation_fact.csv": "", "patient_dimension.csv": ""}, Format.I2B2),
        ({"meta_study.txt": "", "data_clinical_patient.txt": ""}, Format.CBIOPORTAL),
        ({"a.json": RESOURCE}, Format.FHIR),
        ({"notes.json": "{}", "b.ndjson": RESOURCE}, Format.FHIR),
    ],
)
def test_folders_are_known_by_the_names_that_formats_prescribe(
    tmp_path: Path, files: dict[str, str], format: Format
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert (detect(tmp_path).format, detect(tmp_path).files) == (format, (tmp_path,))


def test_a_file_of_fhir_or_of_a_study_is_known(tmp_path: Path) -> None:
    (tmp_path / "data_clinical_patient.txt").write_text("#x\n")
    (tmp_path / "patients").write_text("\ufeff\n " + RESOURCE)
    assert detect(tmp_path / "patients").format is Format.FHIR
    assert detect(tmp_path / "data_clinical_patient.txt").files == (tmp_path,)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\x1f\x8b\x08" + bytes(20), "packed"),
        (b"PK\x03\x04" + bytes(20), "packed"),
        (bytes(range(32)) * 40, "unknown_format"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "unknown_format"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"sources\.{code}.*export\.csv"):
        detect(path)


def test_a_folder_of_something_else_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sources\.unknown_folder"):
        detect(tmp_path)
    with pytest.raises(EnvironmentProblem, match=r"file\.not_found"):
        detect(tmp_path / "nowhere")
