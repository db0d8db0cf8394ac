"""The commands of the offline path on the example folder: JSON for the window, sentences for people, exit codes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli import boundary, preparing_words
from app.cli.main import commands
from app.core.catalogue.file import load_catalogue
from app.core.federation.public_file import save_public_file
from app.core.paths import resource
from app.core.preparation.mapping_reading import load_mapping, parse_mapping
from app.core.preparation.problems import Problem, State
from app.texts import LANGUAGES, entries, use_language
from tests.federations import PASSPHRASE, two_sites

Run = Callable[..., tuple[int, Any, str]]
SOURCES = ("--source", "patients.csv", "--source", "diagnoses.csv", "--source", "labs.csv")
CHECK = ("check", "--mapping", "mapping.toml", "--catalogue", "catalogue.toml")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hospital"
    shutil.copytree(resource("examples"), folder)
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    monkeypatch.setenv("CONSILIUM_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def federation(place: Path) -> Path:
    found, profiles = two_sites(place.parent, load_catalogue(place / "catalogue.toml"), names=("Riverside", "Lakeside"))
    for profile in profiles:
        profile.close()
    save_public_file(found, place / "federation.public")
    return place / "federation.public"


@pytest.fixture
def run(place: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object, as_json: bool = True) -> tuple[int, Any, str]:
        code = boundary.run(commands, ["data", *map(str, arguments), *(["--json"] if as_json else [])])
        out, err = capfd.readouterr()
        return code, json.loads(out) if as_json and out else out, err

    return call


def test_a_mapping_is_suggested_written_and_used_again(run: Run, place: Path) -> None:
    code, found, _ = run(
        *("map", *SOURCES, "--catalogue", "catalogue.toml", "--site", "Riverside", "--output", "draft.toml")
    )
    assert code == 0
    assert [(each["name"], each["format"]) for each in found["sources"]] == [
        ("patients", "csv"),
        ("diagnoses", "csv"),
        ("labs", "csv"),
    ]
    assert found["sources"][0]["settings"]["dates"] == "DMY"
    assert "dates" in found["sources"][0]["found_out"]
    (table,) = found["sources"][0]["tables"]
    columns = {each["name"]: each for each in table["columns"]}
    assert (columns["Name"]["identifier"], columns["Name"]["examples"]) == ("name", [])
    assert columns["Geschlecht"]["examples"]
    how = {each["code"]: each["how"] for each in found["variables"]}
    assert how["sex"] == {"table": "patients", "column": "Geschlecht", "values": {"m": "male", "w": "female"}}
    assert how["os"]["end_column"] == "letzter_Kontakt"
    assert found["left_out"] == ["metastasis"]
    assert (found["patients"], found["index"]["column"], found["changes"]) == ("patients", "Diagnosedatum", [])
    mapping = load_mapping(place / "draft.toml")
    assert parse_mapping(found["mapping"].encode(), "draft.toml") == mapping
    assert mapping.sources["labs"].files == ("labs.csv",)
    assert run("map", *SOURCES, "--catalogue", "catalogue.toml", "--output", "draft.toml")[0] == 1
    rows = (place / "patients.csv").read_text("utf-8").replace(";Raucher;", ";Tabak;").replace(";w;", ";f;", 5)
    (place / "patients.csv").write_text(rows, "utf-8")
    code, again, _ = run("map", "--base", "draft.toml", "--catalogue", "catalogue.toml")
    told = {each["code"]: each["what"] for each in again["changes"]}
    assert set(told) == {"column_new", "column_gone", "values_new", "column_missing"}
    assert "f (5)" in told["values_new"]
    kept = {each["code"]: each for each in again["variables"]}
    assert (kept["sex"]["how"]["values"], kept["sex"]["confidence"]) == ({"m": "male", "w": "female"}, 1.0)
    out = run("map", "--base", "draft.toml", "--catalogue", "catalogue.toml", as_json=False)[1]
    assert "What changed since:" in out
    assert 'format = "consilium-mapping"' in out


def test_a_dry_run_says_everything(run: Run, place: Path) -> None:
    code, found, _ = run(*CHECK, "--problems", "problems.csv")
    assert code == 0
    assert (found["patients"], found["refused_rows"], found["blocked"]) == (160, 0, False)
    assert found["states"]["refused"] == 0
    assert found["states"]["empty"] == sum(each["count"] for each in found["groups"] if each["state"] == "empty")
    assert found["problem_count"] == sum(found["states"].values())
    level = next(each for each in found["groups"] if each["code"] == "csv.unknown_level")
    assert (level["file"], level["column"], level["variable"], level["examples"]) == (
        *("patients.csv", "Geschlecht", "sex"),
        ["weiblich?"],
    )
    problem = next(each for each in found["problems"] if each["variable"] == "sex")
    assert (problem["row"], problem["found"], problem["happens"]) == (13, "weiblich?", "the value is left empty")
    sex = next(each for each in found["variables"] if each["code"] == "sex")
    assert (sex["kind"], sex["known"], sex["missing"]) == ("category", 159, 1)
    assert sum(each["count"] for each in sex["bins"]) == 159
    assert [(each["column"], each["kind"], each["used"]) for each in found["identifiers"]] == [("Name", "name", False)]
    assert found["unused_columns"] == ["patients.Name"]
    assert any(each["column"] == "LOINC" and each["codes"][0]["code"] == "2532-0" for each in found["unused_codes"])
    lines = (place / "problems.csv").read_text("utf-8-sig").splitlines()
    assert len(lines) == 1 + found["problem_count"]
    out = run(*CHECK, as_json=False)[1]
    assert "966 rows, 160 patients; rows left out: 0" in out
    assert "nothing was sealed" in out


def test_what_says_who_the_patients_are_is_blocked_until_it_is_confirmed(
    run: Run, place: Path, federation: Path
) -> None:
    text = (place / "mapping.toml").read_text("utf-8").replace('column = "Stadium"', 'column = "Name"')
    (place / "mapping.toml").write_text(text, "utf-8")
    code, found, _ = run(*CHECK)
    assert (code, found["blocked"]) == (0, True)
    assert [(each["column"], each["used"], each["confirmed"]) for each in found["identifiers"]] == [
        ("Name", True, False)
    ]
    assert "BLOCKED" in run(*CHECK, as_json=False)[1]
    sealing = ("prepare", "--mapping", "mapping.toml", "--federation", federation, "--output", "a.consilium")
    code, refused, _ = run(*sealing)
    assert (code, refused["error"]["code"]) == (1, "preparing.blocked")
    assert refused["error"]["identifiers"][0]["column"] == "Name"
    assert not (place / "a.consilium").exists()
    assert run(*CHECK, "--confirm", "patients.Name")[1]["blocked"] is False
    assert run(*CHECK, "--confirm", "patients.Nobody")[1]["error"]["code"] == "preparing.unknown_column"


def test_sealing_with_a_file_for_later_contact(run: Run, place: Path, federation: Path) -> None:
    (place / "phrase").write_text("another long passphrase\n")
    link = ("--recontact", "recontact", "--recontact-passphrase-file", "phrase")
    sealing = ("prepare", "--mapping", "mapping.toml", "--federation", federation)
    code, made, _ = run(*sealing, "--output", "a.consilium", *link)
    assert (code, made["patients"], made["recontact"]) == (0, 160, 160)
    assert made["bytes_per_patient_and_column"] == round(made["bytes"] / 160 / made["columns"], 2)
    code, opened, _ = run("recontact", "recontact", "--passphrase-file", "phrase", "--find", "R1007")
    assert (code, opened["patients"], opened["site"]) == (0, 160, "Riverside")
    ((pseudonym, patient),) = [(each["pseudonym"], each["patient"]) for each in opened["found"]]
    assert patient == "R1007"
    assert run("recontact", "recontact", "--passphrase-file", "../passphrase")[1]["error"]["code"] == "passphrase.wrong"
    code, _, _ = run(*sealing, "--output", "b.consilium", *link)
    again = run(
        "recontact", "recontact", "--passphrase-file", "phrase", "--find", pseudonym.lower(), "--output", "l.csv"
    )[1]
    assert again["found"] == [{"pseudonym": pseudonym, "patient": "R1007"}]
    assert len((place / "l.csv").read_text("utf-8-sig").splitlines()) == 161


def test_the_depth_is_a_choice_with_its_consequences(run: Run, place: Path, federation: Path) -> None:
    code, found, _ = run("choices", "--mapping", "mapping.toml", "--federation", federation)
    assert code == 0
    assert [each["residues"] for each in found["choices"]] == [3, 4, 5, 6, 7, 8]
    assert [each["residues"] for each in found["choices"] if each["recommended"]] == [8]  # they are few
    assert [each["bytes"] for each in found["choices"]] == sorted(each["bytes"] for each in found["choices"])
    lines = run("choices", "--mapping", "mapping.toml", "--federation", federation, as_json=False)[1].splitlines()
    assert lines[5].startswith("8 residues (recommended): up to 16 criteria")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("map", "--catalogue", "catalogue.toml"), "preparing.no_sources"),
        (("map", *SOURCES), "preparing.no_catalogue"),
        (("map", "--source", "nobody.csv", "--catalogue", "catalogue.toml"), "file.not_found"),
        ((*CHECK, "--source", "nobody=patients.csv"), "mapping.no_such_source"),
        (("check", "--mapping", "none.toml", "--catalogue", "catalogue.toml"), "file.not_found"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, arguments: tuple[str, ...], code: str) -> None:
    exit_code, found, _ = run(*arguments)
    assert (exit_code, found["error"]["code"]) == (1, code)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_of_a_value_is_said_in_words(language: str) -> None:
    codes = [code for code in entries(language) if code.startswith("value.")]
    assert len(codes) > 10
    for code in codes:
        problem = Problem(code, State.EMPTY, "p.csv", 2, "x", "age", "found", "used", "more")
        use_language(language)
        try:
            told = preparing_words.problem(problem)["what"]
        finally:
            use_language("en")
        assert code not in told, told


@pytest.mark.parametrize("name", ["patients.csv", "mapping.toml"])
def test_the_list_of_problems_is_not_written_over_what_is_read(run: Run, place: Path, name: str) -> None:
    before = (place / name).read_bytes()
    code, found, _ = run(*CHECK, "--problems", name)
    assert (code, found["error"]["code"]) == (1, "prepare.output_exists")
    assert (place / name).read_bytes() == before
