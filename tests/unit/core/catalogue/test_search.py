"""Search as you type in the catalogue."""

from __future__ import annotations

import pytest

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.catalogue.search import Search, folded
from tests.catalogues import EVERY_KIND

VARIABLES = (
    ("ICD10:C43", Label("Melanoma of skin", "Mélanome de la peau", "Melanom der Haut")),
    ("ICD10:C44", Label("Other cancer of skin", "Autre cancer de la peau", "Anderer Hautkrebs")),
    ("age", Label("Age", "Âge", "Alter")),
    ("stage", Label("Stage", "Stade", "Stadium")),
    ("lab:ldh", Label("Lactate dehydrogenase (age-adjusted)", None, "Laktatdehydrogenase")),
    ("street_size", Label("Size of street", None, "Größe der Straße")),
)


@pytest.fixture(scope="module")
def search() -> Search:
    return Search(Catalogue("Test", 1, tuple(Variable(code, Kind.FLAG, label) for code, label in VARIABLES)))


@pytest.mark.parametrize(
    ("typed", "language", "expected"),
    [
        ("c43", "en", ["ICD10:C43"]),
        ("ICD10:C4", "en", ["ICD10:C43", "ICD10:C44"]),
        ("skin", "en", ["ICD10:C43", "ICD10:C44"]),
        ("SKIN mel", "en", ["ICD10:C43"]),
        ("melanome", "fr", ["ICD10:C43"]),
        ("Mélanome peau", "en", ["ICD10:C43"]),
        ("âge", "fr", ["age", "lab:ldh"]),
        ("age", "en", ["age", "lab:ldh"]),
        ("strasse", "de", ["street_size"]),
        ("grosse", "de", ["street_size"]),
        ("l", "de", ["lab:ldh", "ICD10:C43", "ICD10:C44"]),
        ("kin", "en", []),
        ("", "en", []),
        ('" OR *', "en", []),
        ("(age", "en", ["age", "lab:ldh"]),
    ],
)
def test_what_is_found_and_in_which_order(search: Search, typed: str, language: str, expected: list[str]) -> None:
    assert [search.catalogue.variables[place].code for place in search.find(typed, language)] == expected


def test_it_returns_no_more_than_asked_for_and_only_what_is_accepted(search: Search) -> None:
    assert len(search.find("a", limit=2)) == 2
    assert search.find("skin", among=frozenset([1, 2])) == [1]


def test_accents_capitals_and_spaces_do_not_count() -> None:
    assert folded("  Größe  der\tSTRASSE ") == folded("große der Straße")


def test_synonyms_codes_of_vocabularies_and_groups_are_found() -> None:
    search = Search(EVERY_KIND)

    def codes(typed: str, language: str = "en") -> list[str]:
        return [EVERY_KIND.variables[place].code for place in search.find(typed, language)]

    assert codes("tumeur maligne") == ["ICD10:C00-C97"]
    assert codes("c00") == ["ICD10:C00-C97"]
    assert codes("icd10:c4") == ["ICD10:C43"]
    assert codes("diagnosen") == ["ICD10:C00-C97", "ICD10:C50", "ICD10:C43"], "what hangs under it, from the top"
    assert codes("this study") == ["ICD10:C50"]
    assert search.find("diagnosen", among=frozenset([1])) == [1]
    assert len(search.find("diagnosen", limit=2)) == 2
