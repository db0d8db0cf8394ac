"""Checking a catalogue file: every mistake with its line, in one go, and what is probably not meant."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import paths
from app.core.catalogue.checking import Checked, check_file
from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.catalogue.writing import format_catalogue
from app.core.errors import EnvironmentProblem
from app.texts import LANGUAGES, explain
from tests.catalogues import EVERY_KIND, catalogues

HEAD = 'format = "consilium-catalogue"\nname = "T"\nversion = 1\n'

MISTAKES = '''# [[variable]] in a note
format = "consilium-catalogue"
name = """several
[[variable]]
lines"""
version = 1
colour = 3                                        #! unknown_field colour

[[group]]
code = "g g"                                      #! bad_code code
label.en = "G"

[[ variable ]]   # spaces
code = "a"
kind = "song"                                     #! unknown_kind kind
label = { en = "A [[variable]]" }

[[variable]]
code = "b"
kind = "category"
label = { en = "B" }
levels = [
    { code = "x", label = { en = "X" } },
    # the next is wrong
    { code = "y", label = { fr = "Y" } },         #! missing_field levels[2].label.en
]
[[variable]]
code = "c"
kind = 'number'
"parents" = ["g g", "nowhere"]                    #! unknown_parent parents
cut_points = [
  1,
  2,
]
[variable.label]
en = "C"

[["variable"]]
code = "a"                                        #! duplicate code
kind = 'flag'
[variable.label]
en = """A
[[variable]] '"""
[[variable]]
code = "d"
kind = "category"
label.en = "D"
[[variable.levels]]
code = "p"
label.en = "P"
[[variable.levels]]                               #! bad_code levels[2].code
code = "q q"
label.en = "Q"
[[variable]]                                      #! missing_field code
kind = "flag"
[[variable]]
code = "e"
kind = "date"
label.en = "E"
granularity = "month"
first = 2020-01-02                                #! not_a_start first
last = "2021-01"
'''


def checked(tmp_path: Path, text: str | bytes) -> Checked:
    path = tmp_path / "c.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return check_file(path)


def told(found: Checked) -> list[tuple[int | None, str, str]]:
    return [
        (each.line, each.error.code.removeprefix("catalogue."), str(each.error.params["field"]))
        for each in found.errors
    ]


def test_every_mistake_is_found_with_its_line(tmp_path: Path) -> None:
    lines = enumerate(MISTAKES.splitlines(), start=1)
    expected = [(number, *line.split("#! ")[1].split()) for number, line in lines if "#! " in line]
    assert told(checked(tmp_path, MISTAKES)) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_do_not_matter(tmp_path: Path, end: str) -> None:
    found = checked(tmp_path, MISTAKES.replace("\n", end))
    assert [line for line, _, _ in told(found)] == [line for line, _, _ in told(checked(tmp_path, MISTAKES))]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"", None, "missing_field"),
        (b"a = 1\nb = \n", 2, "not_toml"),
        (b"a = 1\n\nb = '\xff'\n", 3, "not_utf8"),
        (HEAD + "variable = 3\n", 4, "wrong_type"),
        (HEAD + "variable = []\n", 4, "missing_field"),
        (
            HEAD + 'variable = [\n{code = "a", kind = "flag", label = {en = "A"}},\n{code = "b"},\n]\n',
            6,
            "missing_field",
        ),
        (HEAD + '[variable]\ncode = "a"\n', 4, "wrong_type"),
        (HEAD.replace("1", "0") + '[[variable]]\ncode = "a"\nkind = "flag"\nlabel.en = "A"\n', 3, "bad_version"),
    ],
)
def test_files_that_are_no_catalogue(tmp_path: Path, text: str | bytes, line: int | None, problem: str) -> None:
    (first, *_) = checked(tmp_path, text).errors
    assert (first.error.code, first.error.params["file"]) == (f"catalogue.{problem}", "c.toml")
    assert first.line == line or line is None


def test_circles_are_found_where_they_are(tmp_path: Path) -> None:
    flags = "".join(
        f'[[variable]]\ncode = "{code}"\nkind = "flag"\nlabel.en = "x"\nparents = ["{above}"]\n'
        for code, above in ("ab", "ba")
    )
    assert told(checked(tmp_path, HEAD + flags)) == [(8, "circle", "parents")]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="file.not_found"):
        check_file(tmp_path / "none.toml")


@given(catalogues(), st.data())
def test_a_broken_variable_is_found_wherever_it_is(catalogue: Catalogue, data: st.DataObject) -> None:
    from app.core.catalogue.assembling import assemble
    from app.core.catalogue.lines import Lines

    place = data.draw(st.integers(0, len(catalogue.variables) - 1))
    plain, text = catalogue.to_plain(), format_catalogue(catalogue)
    plain["variable"] = [dict(each) for each in plain["variable"]]
    plain["variable"][place]["kind"] = "song"
    (found,) = assemble(plain, "c.toml", Lines(text).locate).errors
    assert found.error.code == "catalogue.unknown_kind"
    assert found.line is not None
    lines = text.splitlines()
    assert lines[found.line - 1] == f'kind = "{catalogue.variables[place].kind.value}"'
    assert lines[: found.line].count("[[variable]]") == place + 1


# --- warnings ---------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path_factory.getbasetemp() / "vocabularies"
    monkeypatch.setattr(paths, "vocabularies", lambda: directory)


def warned(tmp_path: Path, catalogue: Catalogue) -> dict[str, list[str]]:
    found = checked(tmp_path, format_catalogue(catalogue))
    assert found.catalogue == catalogue
    warnings: dict[str, list[str]] = {}
    for each in found.warnings:
        assert all("{" not in explain(each.error, language).what for language in LANGUAGES)
        assert each.line is not None
        warnings.setdefault(each.error.code.removeprefix("catalogue."), []).append(str(each.error.params["variable"]))
    return warnings


def test_what_is_worth_a_look(tmp_path: Path) -> None:
    found = warned(tmp_path, EVERY_KIND)
    assert found.keys() == {"not_translated", "beside_the_trees"}
    assert "sex" in found["not_translated"]
    assert "ICD10:C43" not in found["not_translated"]
    assert found["beside_the_trees"] == ["sex"], "once for all of them"


def test_nothing_is_said_of_one_language_and_no_trees(tmp_path: Path) -> None:
    assert warned(tmp_path, Catalogue("T", 1, (Variable("a", Kind.FLAG, Label("A")),))) == {}


def test_numbers_codes_and_roll_ups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "vocabularies", lambda: tmp_path / "vocabularies")
    low, high = Decimal(0), Decimal(10)
    cuts = (low, Decimal(5), Decimal(11))
    catalogue = Catalogue(
        "T",
        1,
        (
            Variable("n", Kind.NUMBER, Label("N"), cut_points=cuts, minimum=low, maximum=high, unit="mmHg"),
            Variable("r", Kind.FLAG, Label("R"), rollup=True),
            Variable("above", Kind.FLAG, Label("A")),
            Variable("under", Kind.FLAG, Label("U"), parents=("above",)),
            Variable("x", Kind.FLAG, Label("X"), system="ICD-10", system_code="C43.99"),
            Variable("y", Kind.FLAG, Label("Y"), system="icd10", system_code="C439"),
            Variable("z", Kind.FLAG, Label("Z"), system="OPS", system_code="5-1"),
        ),
    )
    assert warned(tmp_path, catalogue) == {
        "cut_out_of_range": ["n", "n"],
        "unit_not_ucum": ["n"],
        "empty_rollup": ["r"],
        "not_rolled_up": ["above"],
        "code_not_in_system": ["x"],
        "codes_not_checked": ["z"],
    }
