"""The command catalogue: what it prints, as text and JSON, in three languages, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.core import paths
from app.core.catalogue.file import load_catalogue
from app.core.catalogue.writing import format_catalogue
from app.core.federation.public_file import save_public_file
from app.texts import LANGUAGES, entries, use_language
from tests.catalogues import EVERY_KIND
from tests.federations import two_sites

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path_factory.getbasetemp() / "vocabularies"
    monkeypatch.setattr(paths, "vocabularies", lambda: directory)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(["catalogue", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def said(run: Run, *arguments: str, code: int = 0) -> dict[str, Any]:
    found, out, _ = run(*arguments, "--json")
    assert found == code
    value: dict[str, Any] = json.loads(out)
    return value


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_example_validates_without_a_warning(run: Run, language: str) -> None:
    use_language(language)
    try:
        assert run("new", "ours.toml", "--name", 'Notre "étude"')[0] == 0
        found = said(run, "validate", "ours.toml")
    finally:
        use_language(None)
    assert (found["valid"], found["errors"], found["warnings"]) == (True, [], [])
    assert found["catalogue"]["name"] == 'Notre "étude"'
    assert {each.kind.value for each in load_catalogue(Path("ours.toml"))} == {
        *("flag", "category", "number", "date", "event", "survival")
    }


def test_nothing_is_overwritten_unless_asked(run: Run) -> None:
    assert run("new", "ours.toml")[0] == 0
    code, _, error = run("new", "ours.toml")
    assert (code, "is there already" in error) == (1, True)
    assert run("new", "ours.toml", "--overwrite")[0] == 0


def test_a_table_goes_out_and_comes_back(run: Run) -> None:
    assert said(run, "new", "table.csv", "--csv") == {"path": "table.csv", "variables": None}
    found = said(run, "import", "table.csv", "--output", "table.toml")
    assert (found["valid"], found["redcap"], found["left_out"], found["catalogue"]["variables"]) == (True, False, [], 6)
    found = said(run, "import", "table.csv", "--output", "next.toml", "--base", "table.toml")
    assert (found["catalogue"]["name"], found["catalogue"]["version"]) == ("table", 2)


def test_a_bad_table_writes_nothing(run: Run, place: Path) -> None:
    (place / "bad.csv").write_text("code,kind,label\na,song,A\nb,flag,\n")
    found = said(run, "import", "bad.csv", "--output", "bad.toml", code=1)
    assert [(each["line"], each["code"]) for each in found["errors"]] == [
        (2, "catalogue.unknown_kind"),
        (3, "catalogue.missing_field"),
    ]
    assert not (place / "bad.toml").exists()
    code, out, _ = run("import", "bad.csv", "--output", "bad.toml")
    assert (code, "Line 2: bad.csv, variable a, field kind" in out) == (1, True)


def test_a_dictionary_of_redcap(run: Run, place: Path) -> None:
    head = "field_name,form_name,field_type,field_label,select_choices_or_calculations,identifier\n"
    rows = 'name,one,text,Name,,y\nsex,one,radio,Sex,"1, Male | 2, Female",\nnotes,one,notes,Notes,,\n'
    (place / "d.csv").write_text(head + rows)
    code, out, _ = run("import", "d.csv", "--output", "d.toml", "--name", "Registry")
    assert code == 0
    assert "name (Name): marked as an identifier" in out
    found = said(run, "import", "d.csv", "--output", "d.toml", "--overwrite")
    assert [(each["field"], each["reason"]) for each in found["left_out"]] == [
        ("name", "identifier"),
        ("notes", "free_text"),
    ]


def test_flags_from_a_tree_are_found_and_valid(run: Run) -> None:
    assert (
        said(run, "new", "c.toml", "--from-tree", "ICD-10", "--codes", "C43-C44, C50", "--depth", "1")["variables"]
        == 13
    )
    assert said(run, "validate", "c.toml")["warnings"] == []
    _, found = said(run, "search", "malig", "melan", "--catalogue", "c.toml")["found"]
    assert (found["code"], found["path"]) == ("ICD10:C43", ["ICD10:C43-C44", "ICD10:C43"])
    assert "ICD10:C43-C44" in run("search", "c43", "--catalogue", "c.toml")[1]
    found = said(run, "search", "C43.1", "--vocabulary", "icd10")["found"][0]
    assert (found["code"], found["path"][0]) == ("C43.1", "II")
    assert "Nothing is called" in run("search", "nothing", "--catalogue", "c.toml")[1]
    assert said(run, "new", "x.toml", "--from-tree", "ICD-10", "--codes", "Q99.99", code=1)["error"]["code"].endswith(
        "code"
    )


def test_a_vocabulary_of_ones_own(run: Run, place: Path) -> None:
    (place / "ops.csv").write_text("code,label,parent\n5,Operations,\n5-1,On the eye,5\n")
    assert said(run, "import", "ops.csv", "--vocabulary", "OPS") == {"system": "OPS", "codes": 2}
    assert said(run, "search", "eye", "--vocabulary", "ops")["found"][0]["path"] == ["5", "5-1"]
    code, _, error = run("search", "eye", "--vocabulary", "nope")
    assert (code, "icd10" in error) == (1, True)


def test_mistakes_are_listed_with_their_lines(run: Run, place: Path) -> None:
    text = (
        format_catalogue(EVERY_KIND).replace('kind = "survival"', 'kind = "song"').replace("[120.5, 250", "[250, 250")
    )
    (place / "c.toml").write_text(text, encoding="utf-8")
    found = said(run, "validate", "c.toml", code=1)
    lines = text.splitlines()
    assert [lines[each["line"] - 1] for each in found["errors"]] == ["cut_points = [250, 250, 500]", 'kind = "song"']
    assert (found["valid"], found["catalogue"]) == (False, None)
    code, out, _ = run("validate", "c.toml")
    assert (code, out.count("Line ")) == (1, 2)


def test_differences_say_what_must_be_prepared_again(run: Run, place: Path) -> None:
    (place / "old.toml").write_text(format_catalogue(EVERY_KIND), encoding="utf-8")
    text = format_catalogue(EVERY_KIND).replace("cut_points = [40, 65]", "cut_points = [40, 70]")
    (place / "new.toml").write_text(
        text.replace('"Relapse"', '"Relapses"').replace("version = 3", "version = 4"), encoding="utf-8"
    )
    found = said(run, "diff", "old.toml", "new.toml")
    assert found["unusable"] == ["age"]
    assert [(each["code"], each["change"]) for each in found["changes"]] == [("age", "meaning"), ("relapse", "shown")]
    assert found["changes"][0]["details"] == [
        {"field": "cut_points", "before": ["65"], "after": ["70"], "means": True},
    ]
    assert (found["old"]["version"], found["new"]["version"]) == (3, 4)
    assert "cut_points: 65 → 70" in run("diff", "old.toml", "new.toml")[1]
    assert run("diff", "old.toml", "old.toml")[1] == "There is no difference.\n"


def test_usage(run: Run, place: Path) -> None:
    for arguments in (("search", "x"), ("import", "x.csv"), ("search", "x", "--catalogue", "c", "--vocabulary", "v")):
        assert run(*arguments)[0] == 2
    assert run("validate", "none.toml")[0] == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_and_change_has_words(language: str) -> None:
    known = entries(language)
    for reason in ("identifier", "free_text", "no_data", "no_range", "no_choices"):
        assert f"cli.catalogue.left_out.{reason}" in known
    for change in ("added", "removed", "meaning", "shown"):
        assert f"cli.catalogue.became.{change}" in known


def test_the_catalogue_of_a_federation_is_compared_and_searched(run: Run, tmp_path: Path) -> None:
    federation, profiles = two_sites(tmp_path)
    for profile in profiles:
        profile.close()
    save_public_file(federation, tmp_path / "test.federation")
    (tmp_path / "same.toml").write_text(format_catalogue(federation.catalogue), encoding="utf-8")
    assert said(run, "diff", "test.federation", "same.toml")["changes"] == []
    code = federation.catalogue.variables[0].code
    assert said(run, "search", code, "--catalogue", "test.federation")["found"][0]["code"] == code
