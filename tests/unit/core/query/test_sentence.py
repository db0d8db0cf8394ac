from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.query.model import Cohort, Query
from app.core.query.sentence import sentence
from app.core.query.text import parse
from app.texts import LANGUAGES, entries, text
from tests.cohorts import CATALOGUE, cohorts

PHRASES = {
    "everyone": "every patient",
    "nobody": "no patient",
    "smoker": "Smoker: yes",
    "not smoker": "Smoker: no (or not recorded)",
    "age known": "Age: value known",
    "not age known": "Age: value not known",
    "age >= 50": "Age: at least 50 years",
    "age < 50": "Age: less than 50 years",
    "age in [50, 70)": "Age: at least 50 and less than 70 years",
    "not age >= 50": "Age: less than 50 years (or value not known)",
    "not age < 50": "Age: at least 50 years (or value not known)",
    "not age in [50, 70)": "Age: less than 50 or at least 70 years (or value not known)",
    "lab:crp < -0.5": "CRP: less than −0.5 mg/L",
    "stage in {II, I}": "Stage: “I” or “II”",
    "not stage in {II, I}": "Stage: other than “I” or “II” (or value not known)",
    "stage in {}": "no patient",
    "not stage in {}": "every patient",
    "smoker or sex = female and age known": "Smoker: yes, or (Sex: “female”, and Age: value known)",
    "not (smoker or dx:C50)": "not [Smoker: yes, or Breast cancer: yes]",
    "not not smoker": "not [Smoker: no (or not recorded)]",
    "all(smoker)": "Smoker: yes",
}


@pytest.mark.parametrize(("written", "said"), PHRASES.items())
def test_cohorts_in_words(written: str, said: str) -> None:
    assert sentence(Query(parse(written, CATALOGUE)), CATALOGUE, "en", text) == (
        f"How many patients match the following: {said}?"
    )


def test_in_french_and_german() -> None:
    query = Query(parse("sex = female and not lab:crp >= 2.25 and age < 50", CATALOGUE))
    assert sentence(query, CATALOGUE, "fr", text) == (
        "Combien de patients répondent à ceci\u00a0: Sexe\u00a0: «\u00a0female\u00a0», et "
        "CRP\u00a0: moins de 2,25 mg/L (ou valeur inconnue), et Âge\u00a0: moins de 50 ans\u00a0?"
    )
    assert sentence(query, CATALOGUE, "de", text) == (
        "Wie viele Patientinnen und Patienten erfüllen Folgendes: Geschlecht: „female“, und "
        "CRP: weniger als 2,25 mg/L (oder Wert nicht bekannt), und Alter: weniger als 50 Jahre?"
    )


@given(cohorts(), st.sampled_from(LANGUAGES))
@settings(deadline=None)
def test_every_cohort_can_be_said(cohort: Cohort, language: str) -> None:
    said = sentence(Query(cohort), CATALOGUE, language, text)
    assert "query.sentence" not in said
    assert "{" not in said


def test_every_language_has_the_same_entries() -> None:
    def keys(language: str) -> dict[str, set[str]]:
        areas = ("catalogue.", "query.", "disclosure.")
        return {key: set(parts) for key, parts in entries(language).items() if key.startswith(areas)}

    assert keys("en") == keys("fr") == keys("de")
