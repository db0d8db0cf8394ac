from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.query.model import Cohort, Query
from app.core.query.sentence import sentence
from app.core.query.text import parse, parse_query
from app.texts import LANGUAGES, entries, text
from tests.cohorts import CATALOGUE, CLINICAL, cohorts

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


TIMES = {
    "diagnosed >= 2019-01": "Diagnosis: from 2019-01 on",
    "not diagnosed >= 2019-01": "Diagnosis: before 2019-01 (or value not known)",
    "born in [1951, 1953)": "Birth: from 1951 on and before 1953",
    "not seen in [2024-02-28, 2024-03-01)": "Seen: before 2024-02-28 or from 2024-03-01 on (or value not known)",
    "os known": "Overall survival: followed",
    "not os known": "Overall survival: not followed",
    "first occurs": "An odd one: happened, at least 0 and less than 3 weeks after the index date",
    "not first at least 3 times": (
        "An odd one: happened fewer than 3 times or never, at least 0 and less than 3 weeks after the index date"
    ),
    'first "first" < 1 week': "An odd one (first time): less than 1 week after the index date",
    'not last "first" in [1, 2) weeks': (
        "An odd one (last time): less than 1 or at least 2 weeks after the index date (or it never happened)"
    ),
    'first "first" before last "first"': (
        "An odd one (first time) before An odd one (last time), in an earlier period of 7 days"
    ),
    'not first "first" before last "first" by at least 1 week and at most 2 weeks': (
        "not [An odd one (first time) before An odd one (last time) by at least 1 week and by at most 2 weeks, "
        "counted in periods of 7 days] (or one of the two never happened)"
    ),
    'first "first" within 1 week of last "first"': (
        "An odd one (first time) and An odd one (last time) at most 1 week apart, counted in periods of 7 days"
    ),
}


@pytest.mark.parametrize(("written", "said"), TIMES.items())
def test_times_in_words(written: str, said: str) -> None:
    assert sentence(Query(parse(written, CLINICAL)), CLINICAL, "en", text) == (
        f"How many patients match the following: {said}?"
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "first relapse < 1 month",
            "How many patients match the following: Relapse (first time): less than 1 month after the index date? "
            "A month counts as 30.4375 days.",
        ),
        (
            "breakdown stage where smoker",
            "How many have each value of Stage, among the patients who match the following: Smoker: yes?",
        ),
        (
            "table age at 50, 70 x sex",
            "How many are in each group of Age (cut at 50, 70 years) and each group of Sex, among all patients?",
        ),
        (
            "regress bmi on height, smoker",
            "How does BMI depend linearly on Height and Smoker (least squares), over those who have a value of each, "
            "among all patients?",
        ),
        (
            "survival os by stage over 4 months",
            "What is the survival for Overall survival in each group of Stage over 4 months, in intervals of 1 month "
            "(Kaplan–Meier), among all patients? A month counts as 30.4375 days.",
        ),
        (
            "attrition where smoker and (sex = male or not dx:C50)",
            "How many patients are left after each of these criteria, one after the other: (1) Smoker: yes; "
            "(2) Sex: “male”, or Breast cancer: no (or not recorded)?",
        ),
    ],
)
def test_analyses_in_words(written: str, said: str) -> None:
    query = parse_query(written, CLINICAL)
    assert sentence(query, CLINICAL, "en", text) == said
    told = sentence(replace(query, per_site=True), CLINICAL, "en", text)
    assert "The number of each site is told by itself." in told


def test_dates_as_they_are_written_in_french_and_german() -> None:
    query = Query(parse("diagnosed >= 2019-01 and seen < 2024-03-01", CLINICAL))
    assert "01/2019" in sentence(query, CLINICAL, "fr", text)
    assert "vor 01.03.2024" in sentence(query, CLINICAL, "de", text)


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
