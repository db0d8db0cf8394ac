from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from app.core.catalogue.file import load_catalogue, parse_catalogue
from app.core.catalogue.model import Catalogue, Kind
from app.core.errors import EnvironmentProblem, UserError
from app.core.paths import resource
from app.texts import LANGUAGES, explain

HEAD = 'format = "consilium-catalogue"\nname = "T"\nversion = 3\n'
FLAG = '[[variable]]\ncode = "a"\nkind = "flag"\nlabel.en = "A"\n'
NUMBER = '[[variable]]\ncode = "n"\nkind = "number"\nlabel.en = "N"\n'


def test_a_catalogue_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(HEAD + FLAG + NUMBER + 'cut_points = [-1, 0.30, "7.5", 1e1]\nunit = "mg/L"\n', encoding="utf-8")
    catalogue = load_catalogue(path)
    assert (catalogue.name, catalogue.version) == ("T", 3)
    assert [variable.kind for variable in catalogue] == [Kind.FLAG, Kind.NUMBER]
    assert catalogue.variable("n").cut_points == tuple(map(Decimal, ("-1", "0.3", "7.5", "10")))
    assert Catalogue.from_cbor(catalogue.to_cbor()) == catalogue


@pytest.mark.parametrize(
    ("text", "problem", "variable", "field"),
    [
        ("", "missing_field", "–", "format"),
        (HEAD, "missing_field", "–", "variable"),
        (HEAD.replace("catalogue", "mapping") + FLAG, "wrong_format", "–", "format"),
        ("format_version = 3\n" + HEAD + FLAG, "newer_format", "–", "format_version"),
        (HEAD.replace("3", '"3"') + FLAG, "wrong_type", "–", "version"),
        ("colour = 1\n" + HEAD + FLAG, "unknown_field", "–", "colour"),
        (HEAD + "[[variable]]\nkind = 'flag'\n", "missing_field", "#1", "code"),
        (HEAD + FLAG + "[[variable]]\ncode = 5\n", "wrong_type", "#2", "code"),
        (HEAD + FLAG + FLAG, "duplicate", "a", "code"),
        (HEAD + FLAG.replace('"a"', '"a b"'), "bad_code", "a b", "code"),
        (HEAD + FLAG.replace("flag", "song"), "unknown_kind", "a", "kind"),
        (HEAD + FLAG.replace("label.en", "label.fr"), "missing_field", "a", "label.en"),
        (HEAD + FLAG + "label.it = 'A'\n", "unknown_field", "a", "label.it"),
        (HEAD + FLAG + "levels = [{ code = 'x', label = { en = 'X' } }]\n", "not_for_kind", "a", "levels"),
        (HEAD + NUMBER + "cutpoints = [1]\n", "unknown_field", "n", "cutpoints"),
        (HEAD + NUMBER + "cut_points = [2, 1]\n", "not_ascending", "n", "cut_points"),
        (HEAD + NUMBER + "cut_points = [nan]\n", "not_a_number", "n", "cut_points"),
        (HEAD + NUMBER + "cut_points = [true]\n", "not_a_number", "n", "cut_points"),
        (HEAD + NUMBER + "cut_points = ['x']\n", "not_a_number", "n", "cut_points"),
        (HEAD + NUMBER + "cut_points = [1e999999999999999999999]\n", "not_a_number", "n", "cut_points"),
        (
            HEAD + FLAG.replace("flag", "category") + "levels = [{ code = 'x' }]\n",
            "missing_field",
            "a",
            "levels[1].label",
        ),
        (HEAD + FLAG.replace("flag", "category") + "levels = ['x']\n", "wrong_type", "a", "levels[1]"),
    ],
)
def test_a_mistake_names_file_variable_and_field(text: str, problem: str, variable: str, field: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_catalogue(text.encode(), "c.toml")
    error = caught.value
    assert (error.code, error.params["variable"], error.params["field"]) == (f"catalogue.{problem}", variable, field)
    for language in LANGUAGES:
        assert all(part in explain(error, language).what for part in ("c.toml", variable, field))


def test_what_is_not_toml(tmp_path: Path) -> None:
    for data, problem in ((b"format = ", "not_toml"), (b"\xff", "not_utf8"), (b"a=" + b"[" * 100_000, "not_toml")):
        with pytest.raises(UserError, match=f"catalogue.{problem}"):
            parse_catalogue(data, "c.toml")
    with pytest.raises(EnvironmentProblem, match="file.not_found"):
        load_catalogue(tmp_path / "none.toml")


def test_the_catalogue_of_the_demo_has_labels_in_every_language() -> None:
    catalogue = load_catalogue(resource("demo") / "lung.catalogue.toml")
    labels = [label for each in catalogue for label in (each.label, each.description, each.unit_label) if label]
    labels += [level.label for each in catalogue for level in each.levels]
    assert all(label.parts().keys() == set(LANGUAGES) for label in labels)
    assert {variable.kind for variable in catalogue} == {Kind.FLAG, Kind.CATEGORY, Kind.NUMBER, Kind.SURVIVAL}
