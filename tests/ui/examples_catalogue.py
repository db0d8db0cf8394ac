"""A catalogue with every kind of variable, trees and gaps in its translations, and an earlier version of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from app.core.catalogue.model import Catalogue, Group, Kind, Label, Level, Variable
from app.core.catalogue.scales import Calendar, Granularity, Periods
from app.core.services import catalogues

MONTH = Decimal("30.4375")

CATALOGUE = Catalogue(
    "Melanoma registry",
    3,
    (
        Variable(
            "sex",
            Kind.CATEGORY,
            Label("Sex", "Sexe", "Geschlecht"),
            levels=(
                Level("female", Label("female", "femme", "weiblich")),
                Level("male", Label("male", "homme", "männlich")),
            ),
            parents=("person",),
        ),
        Variable(
            "age",
            Kind.NUMBER,
            Label("Age", "Âge", "Alter"),
            Label("At diagnosis, in whole years"),
            cut_points=tuple(map(Decimal, (18, 30, 40, 50, 60, 70, 80))),
            unit="a",
            unit_label=Label("years", "ans", "Jahre"),
            minimum=Decimal(0),
            maximum=Decimal(110),
            step=Decimal(1),
            parents=("person",),
        ),
        Variable(
            "diagnosed",
            Kind.DATE,
            Label("Date of diagnosis", "Date du diagnostic"),
            calendar=Calendar(Granularity.MONTH, date(2010, 1, 1), date(2026, 12, 1)),
            parents=("disease",),
        ),
        Variable(
            "ICD10:C43",
            Kind.FLAG,
            Label("Malignant melanoma of skin", "Mélanome malin de la peau", "Bösartiges Melanom der Haut"),
            rollup=True,
            parents=("disease",),
            system="ICD-10",
            system_code="C43",
            synonyms=("melanoma",),
        ),
        Variable(
            "ICD10:C43.5",
            Kind.FLAG,
            Label("Malignant melanoma of trunk"),
            parents=("ICD10:C43",),
            system="ICD-10",
            system_code="C43.5",
        ),
        Variable(
            "stage",
            Kind.CATEGORY,
            Label("Stage", "Stade", "Stadium"),
            levels=tuple(Level(each, Label(each, each, each)) for each in ("I", "II", "III", "IV")),
            parents=("disease",),
        ),
        Variable(
            "progression",
            Kind.EVENT,
            Label("Progression"),
            periods=Periods(MONTH, 60),
            parents=("outcome",),
        ),
        Variable(
            "os",
            Kind.SURVIVAL,
            Label("Overall survival", "Survie globale", "Gesamtüberleben"),
            periods=Periods(MONTH, 60),
            parents=("outcome",),
        ),
    ),
    (
        Group("person", Label("Person", "Personne", "Person")),
        Group("disease", Label("Disease", "Maladie", "Krankheit")),
        Group("outcome", Label("Outcome", "Évolution", "Verlauf")),
    ),
)


def _earlier() -> Catalogue:
    by_code = {each.code: each for each in CATALOGUE}
    smoker = Variable("smoker", Kind.FLAG, Label("Smoker"), parents=("person",))
    age = replace(by_code["age"], cut_points=tuple(map(Decimal, (40, 60, 80))))
    stage = replace(by_code["stage"], label=Label("Stage at diagnosis"))
    kept = [{"age": age, "stage": stage}.get(code, each) for code, each in by_code.items() if code != "progression"]
    groups = (*CATALOGUE.groups[:-1], Group("outcome", Label("Follow-up")))
    return Catalogue(CATALOGUE.name, 2, (*kept, smoker), groups)


EARLIER = _earlier()

VERSIONS = [
    {
        "version": 1,
        "hash": "11" * 32,
        "author": "Lausanne",
        "published": 0,
        "note": "",
        "accepted": 0,
        "sites": [],
        "state": "earlier",
    },
    {
        "version": 2,
        "hash": EARLIER.hash.hex(),
        "author": "Geneva",
        "published": 1_780_000_000_000,
        "note": "Stage as the registry has it.",
        "accepted": 1_780_000_100_000,
        "sites": ["Lausanne", "Geneva", "Bern"],
        "state": "in_force",
    },
    {
        "version": 3,
        "hash": CATALOGUE.hash.hex(),
        "author": "Bern",
        "published": 1_790_000_000_000,
        "note": "Progression is new; age in steps of ten years.",
        "accepted": 0,
        "sites": ["Bern"],
        "state": "waiting",
    },
]

CHANGES = {**catalogues.effects(EARLIER, CATALOGUE, ("age", "sex", "stage")), "author": "Bern"}
