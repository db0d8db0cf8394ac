"""New versions of a catalogue make no new question, and so no new noise, of one that still means the same."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from app.core.catalogue.model import Catalogue, Group, Kind, Label, Variable
from app.core.query.canonical import query_hash
from app.core.query.text import parse_query
from tests.cohorts import CATALOGUE

QUESTIONS = [
    "smoker and age >= 60 and not stage in {I, II}",
    'sex = female or "HGVS:c.4375C>T" and age known',
    "histogram age where smoker",
    "table sex x stage",
]


def asked(text: str, catalogue: Catalogue) -> bytes:
    return query_hash(parse_query(text, catalogue, lambda _name: None), catalogue)


def shown_otherwise(variable: Variable) -> Variable:
    """The variable with everything changed that is only shown, or says where it hangs."""
    return replace(
        variable,
        label=Label("Other words", "D’autres mots", "Andere Wörter"),
        description=Label("Another description"),
        levels=tuple(replace(level, label=Label(f"Level {level.code}")) for level in variable.levels),
        unit_label=None if variable.unit is None else Label("others"),
        parents=("elsewhere",),
        synonyms=("something",),
        system="ICD-10",
        system_code="X",
        minimum=Decimal(-1000) if variable.kind is Kind.NUMBER else None,
    )


@pytest.mark.parametrize("text", QUESTIONS)
def test_what_is_only_shown_changes_no_question(text: str) -> None:
    later = Catalogue(
        CATALOGUE.name,
        CATALOGUE.version + 1,
        tuple(map(shown_otherwise, reversed(CATALOGUE.variables))),
        (Group("elsewhere", Label("Elsewhere")),),
    )
    assert later.hash != CATALOGUE.hash
    assert asked(text, later) == asked(text, CATALOGUE)


def test_another_meaning_is_another_question_and_only_for_that_variable() -> None:
    age = replace(CATALOGUE.variable("age"), cut_points=tuple(map(Decimal, (40, 50, 60, 65, 70))))
    variables = tuple(age if each.code == "age" else each for each in CATALOGUE)
    later = replace(CATALOGUE, version=2, variables=variables)
    assert asked("age >= 60", later) != asked("age >= 60", CATALOGUE)
    assert asked("smoker and sex = female", later) == asked("smoker and sex = female", CATALOGUE)
