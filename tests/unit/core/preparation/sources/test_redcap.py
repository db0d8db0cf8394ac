"""REDCap: fields as the dictionary calls them, identifiers left out, what repeats in tables of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import UserError
from app.core.preparation.sources.detecting import detect
from app.core.preparation.sources.source import Column, Format, Table
from tests.source_files import Read, read

DICTIONARY = """\
Variable / Field Name,Form Name,Section Header,Field Type,Field Label,"Choices, Calculations, OR Slider Labels",\
Field Note,Text Validation Type OR Show Slider Number,Text Validation Min,Text Validation Max,Identifier?
record_id,demographics,,text,Record ID,,,,,,y
last_name,demographics,,text,Last name,,,,,,y
sex,demographics,,radio,<b>Sex</b> at birth,"1, Male | 2, Female | 3, Other, or none",,,,,
symptoms,demographics,,checkbox,Symptoms,"1, Fever | -2, Cough",,,,,
smoker,demographics,,yesno,Smoker?,,,,,,
lab_date,lab_results,,text,Date,,,date_ymd,,,
creatinine,lab_results,,text,Creatinine,,,number,,,
"""
EXPORT = """\
record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,last_name,sex,symptoms___1,symptoms____2,\
smoker,demographics_complete,lab_date,creatinine,lab_results_complete
1,baseline_arm_1,,,Muster,1,1,0,1,2,,,
1,baseline_arm_1,lab_results,1,,,,,,,2020-01-01,70,2
1,baseline_arm_1,lab_results,2,,,,,,,2020-02-01,72.5,2
1,year_1_arm_1,,,,,,,0,2,,,
2,baseline_arm_1,,,Meier,2,0,1,0,2,,,
"""
LABELS = """\
Record ID,Event Name,Repeat Instrument,Repeat Instance,Last name,Sex at birth,Symptoms (choice=Fever),\
Symptoms (choice=Cough),Smoker?,Complete?,Date,Creatinine,Complete?
1,Baseline,,,Muster,Male,Checked,Unchecked,Yes,Complete,,,
1,Baseline,Lab results,1,,,,,,,2020-01-01,70,Complete
"""


def redcap(tmp_path: Path, export: str = EXPORT, words: str = DICTIONARY, **settings: object) -> Read:
    (tmp_path / "export.csv").write_text(export)
    (tmp_path / "dictionary.csv").write_text(words)
    return read(tmp_path, tmp_path / "export.csv", format=Format.REDCAP, **settings)


def table(found: Read, name: str) -> tuple[Table, dict[str, Column]]:
    one = next(each for each in found.staged.tables if each.name == name)
    return one, {column.name: column for column in one.columns}


def test_an_export_becomes_a_table_for_every_event_and_repeating_instrument(tmp_path: Path) -> None:
    found = redcap(tmp_path)
    assert found.rows == {
        "baseline_arm_1": [(2, "1", "1", "1", "0", "1", "2"), (6, "2", "2", "0", "1", "0", "2")],
        "year_1_arm_1": [(5, "1", "0", "2")],
        "lab_results": [
            (3, "1", "baseline_arm_1", "1", "2020-01-01", "70", "2"),
            (4, "1", "baseline_arm_1", "2", "2020-02-01", "72.5", "2"),
        ],
    }
    assert all(each.patient == "record_id" for each in found.staged.tables)
    assert found.staged.settings.dictionary == tmp_path / "dictionary.csv"
    assert "dictionary" in found.staged.found_out


def test_fields_bring_their_labels_and_the_meaning_of_their_codes(tmp_path: Path) -> None:
    _, columns = table(redcap(tmp_path), "baseline_arm_1")
    assert columns["sex"].label == "Sex at birth"
    assert columns["sex"].values == {"1": "Male", "2": "Female", "3": "Other, or none"}
    assert columns["symptoms____2"].label == "Symptoms: Cough"
    assert columns["symptoms____2"].values == {"1": "Checked", "0": "Unchecked"}
    assert columns["smoker"].values == {"1": "Yes", "0": "No"}


def test_identifiers_are_left_out_unless_they_are_asked_for(tmp_path: Path) -> None:
    one, columns = table(redcap(tmp_path), "baseline_arm_1")
    assert one.left_out == ("last_name",)
    assert "last_name" not in columns
    found = redcap(tmp_path, identifiers=frozenset({"last_name"}))
    one, columns = table(found, "baseline_arm_1")
    assert one.left_out == ()
    assert columns["last_name"].identifier == "identifier"
    assert found.rows["baseline_arm_1"][0][2] == "Muster"


@pytest.mark.parametrize("mark", ["y", "Y", "yes", "1"])
def test_an_identifier_is_marked_in_one_of_several_ways(tmp_path: Path, mark: str) -> None:
    words = DICTIONARY.replace("Last name,,,,,,y", f"Last name,,,,,,{mark}")
    one, _ = table(redcap(tmp_path, words=words), "baseline_arm_1")
    assert one.left_out == ("last_name",)


def test_an_export_of_labels_has_the_same_columns(tmp_path: Path) -> None:
    found = redcap(tmp_path, LABELS)
    _, columns = table(found, "records")
    assert {"record_id", "sex", "symptoms___1", "symptoms____2", "smoker"} <= columns.keys()
    assert columns["sex"].values == {"Male": "Male", "Female": "Female", "Other, or none": "Other, or none"}
    assert found.rows["Lab results"] == [(3, "1", "Baseline", "1", "2020-01-01", "70")]


def test_a_project_without_events_and_repeats_is_one_table(tmp_path: Path) -> None:
    found = redcap(tmp_path, "record_id,sex\n1,1\n2,2\n")
    assert found.rows == {"source": [(2, "1", "1"), (3, "2", "2")]}


@pytest.mark.parametrize(
    ("export", "dictionary", "code"),
    [
        ("other,sex\n1,1\n", DICTIONARY, "other_dictionary"),
        (EXPORT, "a,b\n1,2\n", "not_dictionary"),
        (EXPORT, "", "not_dictionary"),
        (EXPORT, '"Variable / Field Name\n', "not_dictionary"),
        (EXPORT, DICTIONARY.splitlines()[0] + "\n", "not_dictionary"),
    ],
)
def test_a_dictionary_that_does_not_fit_is_named(tmp_path: Path, export: str, dictionary: str, code: str) -> None:
    with pytest.raises(UserError, match=rf"sources\.{code}.*dictionary\.csv"):
        redcap(tmp_path, export, dictionary, dictionary=tmp_path / "dictionary.csv")


def test_a_missing_dictionary_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sources\.no_dictionary"):
        redcap(tmp_path, EXPORT, "a,b\n1,2\n")


def test_an_export_is_known_by_the_dictionary_beside_it(tmp_path: Path) -> None:
    redcap(tmp_path)
    found = detect(tmp_path / "export.csv")
    assert (found.format, found.dictionary) == (Format.REDCAP, tmp_path / "dictionary.csv")
    assert detect(tmp_path / "dictionary.csv").format is Format.CSV


@pytest.mark.parametrize("instrument", ["records", "Baseline_Arm_1", "source as exported"])
def test_an_instrument_may_be_called_as_anything_else(tmp_path: Path, instrument: str) -> None:
    found = redcap(tmp_path, EXPORT.replace(",lab_results,", f",{instrument},"))
    assert sorted(len(rows) for rows in found.rows.values()) == [1, 2, 2]
    one_event = EXPORT.replace("year_1_arm_1", "baseline_arm_1").replace(",lab_results,", ",records,")
    assert {name: len(rows) for name, rows in redcap(tmp_path, one_event).rows.items()} == {
        "records": 3,
        "records 2": 2,
    }
