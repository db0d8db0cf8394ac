"""Results to draw: real analyses of the lung study, of a large noised cohort, of nobody; labels that are long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache

import numpy as np

from app.core.analysis.analyse import Numbers, analyse
from app.core.catalogue.file import load_catalogue
from app.core.catalogue.model import Catalogue, Kind, Label, Level, Variable
from app.core.catalogue.scales import Calendar, Granularity
from app.core.paths import resource
from app.core.query.analyses import (
    Analysis,
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Count,
    Grouping,
    Histogram,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.core.query.cells import cells_of
from app.core.query.model import All, Cohort, Flag, Levels, Not, Query, Range
from app.core.query.oracle import cell_numbers
from app.core.query.text import format_query
from app.core.services.demo_data import generated_cohort, lung_study
from app.core.services.exporting import Answered
from app.core.services.runs import Run, RunAnswer, SiteResult
from app.plots.options import Shown
from app.plots.words import Words
from tests.analysed import noised
from tests.ui import examples_results as runs

LANGUAGES = ("en", "fr", "de")
SITES = ("Lausanne", "Geneva", "Universitätsspital Zürich, Zentrum für Hämatologie und Onkologie")
_STAGES = (
    "Bösartige Neubildung der Lunge, auf den Lungenflügel beschränkt",
    "Bösartige Neubildung mit Befall der regionären Lymphknoten",
    "Fernmetastasen in Leber, Knochen oder Nebennieren",
    "Lymphangiosis carcinomatosa der Pleura",
    "Nicht näher bezeichnete Ausdehnung",
    "Rezidiv nach kurativ beabsichtigter Behandlung",
    "Zweitkarzinom",
    "Sonstige Angabe der überweisenden Einrichtung",
)
EVERYONE = All(())
NOBODY = All((Range("age", Decimal(80), None), Levels("ecog", frozenset(["4"]))))
FUNNEL = All(
    (
        Flag("ICD10:C34"),
        Range("age", Decimal(50), Decimal(75)),
        Not(Flag("karnofsky:patient_lower")),
        Levels("ecog", frozenset(["0", "1"])),
        Range("weight_loss", Decimal(5), None),
    )
)
KINDS: Mapping[str, Analysis] = {
    "count": Count(),
    "breakdown": Breakdown("ecog"),
    "breakdown_long": Breakdown("stage"),
    "breakdown_flag": Breakdown("died"),
    "histogram": Histogram("age"),
    "histogram_uneven": Histogram("weight_loss"),
    "histogram_dates": Histogram("entry"),
    "table": Table(Grouping("ecog"), Grouping("sex")),
    "table_large": Table(Grouping("stage"), Grouping("age")),
    "table_small": Table(Grouping("sex"), Grouping("died")),
    "summary": Summary(("age", "weight_loss", "meal_calories")),
    "summary_bins": Summary(("karnofsky:patient",)),
    "compare": Compare("weight_loss", Grouping("sex")),
    "correlate": Correlate(("age", "weight_loss", "meal_calories", "died")),
    "regress": Regress("weight_loss", ("age", "meal_calories", "died", "karnofsky:patient_lower")),
    "survival": Survival("os"),
    "survival_sex": Survival("os", Grouping("sex")),
    "survival_long": Survival("os", Grouping("stage")),
    "attrition": Attrition(),
}


@cache
def catalogue() -> Catalogue:
    """The demo's catalogue with a variable of long labels and one of dates."""
    demo = load_catalogue(resource("demo", "lung.catalogue.toml"))
    levels = tuple(Level(f"s{place}", Label(said, said, said)) for place, said in enumerate(_STAGES))
    stage = Variable("stage", Kind.CATEGORY, Label("Extent", "Étendue", "Ausdehnung der Erkrankung"), levels=levels)
    months = Calendar(Granularity.MONTH, date(2019, 1, 1), date(2023, 12, 1))
    entry = Variable("entry", Kind.DATE, Label("Entry", "Entrée", "Eintritt"), calendar=months)
    return replace(demo, variables=(*demo.variables, stage, entry))


@cache
def rows(kind: str) -> tuple[dict[str, object], ...]:
    """The patients: ``lung`` are 228, ``large`` 3,000, and there can be ``none``."""
    found = {"lung": lambda: lung_study(3), "large": lambda: generated_cohort(3000, 3)}
    patients = [] if kind == "none" else found[kind]().rows()
    return tuple(
        {
            **row,
            "stage": f"s{place % 8 if place % 3 else 0}",
            "entry": date(2018 + place * 7 % 72 // 12, 1 + place * 7 % 12, 3),
        }
        for place, row in enumerate(patients)
    )


@cache
def result_of(kind: str, patients: str, epsilon: Fraction | None, cohort: Cohort, part: int | None) -> Shown:
    query = Query(FUNNEL if kind == "attrition" else cohort, KINDS[kind])
    cells = cells_of(query, catalogue())
    who = rows(patients) if part is None else rows(patients)[part::3]
    numbers = Numbers(cells, cell_numbers(cells, who, catalogue()))
    if epsilon is not None:
        numbers = noised(numbers, epsilon, 3 if part is None else 1, np.random.default_rng(7))
    found = analyse(query, catalogue(), numbers)
    scale = float(numbers.scales[0]) if numbers.scales else 0.0
    return Shown("", found, Words(catalogue(), "en", query), scale, numbers.sites)


def shown(
    kind: str,
    *,
    patients: str = "lung",
    epsilon: Fraction | None = None,
    language: str = "en",
    cohort: Cohort = EVERYONE,
    part: int | None = None,
    name: str = "",
) -> Shown:
    """Return an analysis ready to be drawn."""
    made = result_of(kind, patients, epsilon, cohort, part)
    return replace(made, name=name, words=replace(made.words, language=language))


def by_site(kind: str, *, language: str = "en", epsilon: Fraction | None = None) -> list[Shown]:
    """Return an analysis of each of three sites."""
    return [shown(kind, language=language, epsilon=epsilon, part=part, name=name) for part, name in enumerate(SITES)]


def answered(kind: str, *, epsilon: Fraction | None = None, per_site: bool = False, patients: str = "lung") -> Answered:
    """Return a run with this analysis, as it is exported."""
    panels = [shown(kind, patients=patients, epsilon=epsilon)] + (by_site(kind, epsilon=epsilon) if per_site else [])
    query = panels[0].words.query
    assert query is not None
    asked = runs.run("ab" * 16, "died", epsilon="" if epsilon is None else str(epsilon))
    run = Run.from_plain({**asked, "text": format_query(query), "answer": None})
    answer = RunAnswer(
        released=0,
        exact=epsilon is None,
        half_width=0 if epsilon is None else 10,
        noise_scale=panels[0].noise_scale,
        contributors=runs.SITES,
        results=tuple(SiteResult(each.name, each.result) for each in panels),
    )
    return Answered(
        run=replace(run, answer=answer),
        federation="Swiss Lung Study",
        site="Lausanne",
        pretend=False,
        query=replace(query, per_site=per_site).to_cbor(),
        catalogue=catalogue(),
        catalogue_version="NCCTG 2",
    )
