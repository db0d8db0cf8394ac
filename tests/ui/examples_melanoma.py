"""What owners answer to Explore about a catalogue with every kind of variable: a study of melanoma at three sites."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from app.core.analysis.results import AttritionResult, Estimate, Step
from app.core.analysis.results import to_plain as result_to_plain
from app.core.catalogue.holding import pack
from app.core.catalogue.kinds import Kind, Label, Level
from app.core.catalogue.model import Catalogue
from app.core.catalogue.numbers import decimal_text
from app.core.catalogue.scales import Calendar, Granularity, Periods
from app.core.catalogue.variable import Group, Variable
from app.core.query.text import parse_query
from tests.ui import examples, examples_explore
from tests.ui.fakes import Answer

_MONTH = Decimal("30.4375")


def _event(code: str, en: str, fr: str, de: str, periods: Periods) -> Variable:
    return Variable(code, Kind.EVENT, Label(en, fr, de), periods=periods, parents=("events",))


CATALOGUE = Catalogue(
    "Swiss Melanoma Study",
    4,
    (
        _event("dx:C43", "Melanoma of skin", "Mélanome de la peau", "Melanom der Haut", Periods(Decimal(30), 60, -12)),
        _event(
            "rx:L01",
            "Antineoplastic agents",
            "Antinéoplasiques",
            "Antineoplastische Mittel",
            Periods(Decimal(30), 60, -12),
        ),
        _event("rx:L04", "Immunosuppressants", "Immunosuppresseurs", "Immunsuppressiva", Periods(Decimal(30), 60, -12)),
        _event("relapse", "Relapse", "Récidive", "Rückfall", Periods(_MONTH, 48)),
        Variable("BRAF", Kind.FLAG, Label("BRAF mutated", "BRAF muté", "BRAF mutiert"), parents=("genes",)),
        Variable("NRAS", Kind.FLAG, Label("NRAS mutated", "NRAS muté", "NRAS mutiert"), parents=("genes",)),
        Variable(
            "sex",
            Kind.CATEGORY,
            Label("Sex", "Sexe", "Geschlecht"),
            levels=(
                Level("female", Label("female", "femme", "weiblich")),
                Level("male", Label("male", "homme", "männlich")),
            ),
        ),
        Variable(
            "stage",
            Kind.CATEGORY,
            Label("Stage", "Stade", "Stadium"),
            levels=tuple(Level(each, Label(each)) for each in ("I", "II", "III", "IV")),
        ),
        Variable(
            "age",
            Kind.NUMBER,
            Label("Age", "Âge", "Alter"),
            cut_points=tuple(map(Decimal, range(20, 95, 5))),
            unit="a",
            unit_label=Label("years", "ans", "Jahre"),
            minimum=Decimal(0),
            maximum=Decimal(120),
            step=Decimal(1),
        ),
        Variable(
            "lab:ldh",
            Kind.NUMBER,
            Label("LDH"),
            cut_points=(Decimal(150), Decimal(250), Decimal(500)),
            unit="U/L",
        ),
        Variable(
            "bmi",
            Kind.NUMBER,
            Label("Body mass index", "Indice de masse corporelle", "Body-Mass-Index"),
            cut_points=(Decimal("18.5"), Decimal(25), Decimal(30)),
            unit="kg/m2",
            minimum=Decimal(10),
            maximum=Decimal(80),
            step=Decimal("0.1"),
        ),
        Variable(
            "diagnosed",
            Kind.DATE,
            Label("Date of diagnosis", "Date du diagnostic", "Datum der Diagnose"),
            calendar=Calendar(Granularity.MONTH, date(2012, 1, 1), date(2030, 12, 1)),
        ),
        Variable(
            "os",
            Kind.SURVIVAL,
            Label("Overall survival", "Survie globale", "Gesamtüberleben"),
            periods=Periods(_MONTH, 60),
        ),
    ),
    (
        Group("events", Label("Events", "Événements", "Ereignisse")),
        Group("genes", Label("Genes", "Gènes", "Gene")),
    ),
)
HASH = CATALOGUE.hash
CODES = [each.code for each in CATALOGUE]


def catalogue_show(values: Mapping[str, Any]) -> dict[str, Any]:
    """The catalogue; every site holds everything."""
    sites = [
        {"site": name, "own": name == "Lausanne", "known": True, "held": pack(CATALOGUE, CODES), "codes": len(CODES)}
        for name in examples_explore.SITES
    ]
    return {
        "catalogue": b"" if values.get("have") == HASH else CATALOGUE.to_cbor(),
        "hash": HASH,
        "held": dict.fromkeys(CODES, 3),
        "own": sorted(CODES),
        "sites": 3,
        "by_site": sites,
    }


def explain(values: Mapping[str, Any]) -> dict[str, Any]:
    """A question that fits at every site."""
    query = parse_query(values["text"], CATALOGUE)
    sites = [
        {"site": name, "own": name == "Lausanne", "known": True, "dataset": True, "lacks": []}
        for name in examples_explore.SITES
    ]
    return {
        "fits": True,
        "problem": None,
        "supposed": False,
        "explained": {"plan": {"seconds": 0.4}},
        "query": query.to_cbor(),
        "catalogue": CATALOGUE.to_cbor(),
        "half_width": 13 if values.get("epsilon") else 0,
        "by_site": sites,
    }


def _hill(borders: list[str | None]) -> list[dict[str, Any]]:
    middle = len(borders) / 2
    spread = (len(borders) / 4) ** 2
    return [
        {"from": low, "to": high, "count": round(5 + 40 / (1 + (place - middle) ** 2 / spread))}
        for place, (low, high) in enumerate(zip(borders, borders[1:], strict=False))
    ]


def report() -> dict[str, Any]:
    """The own site's report: a hill over numbers, dates and events, levels that become fewer."""
    variables = []
    for variable in CATALOGUE:
        bins: list[dict[str, Any]] = []
        if variable.cut_points:
            bins = _hill([None, *map(decimal_text, variable.cut_points), None])
        elif variable.calendar is not None:
            starts = [variable.calendar.text(each) for each in variable.calendar.starts() if each.month in (1, 7)]
            bins = _hill([None, *starts, None])
        elif variable.kind is Kind.EVENT and variable.periods is not None:
            bins = _hill([str(p) for p in (*variable.periods.numbers, variable.periods.numbers.stop)][::4])
        else:
            bins = [{"levels": [each.code], "count": 140 // (n + 1)} for n, each in enumerate(variable.levels)]
        variables.append(
            {"code": variable.code, "kind": variable.kind.value, "known": 214, "missing": 14, "bins": bins}
        )
    return {"dataset": "aa", "variables": variables}


def funnel(text: str, *left: int) -> dict[str, Any]:
    """A released funnel of these criteria, with how many were left: everyone first."""
    steps = tuple(Step(n, Estimate(count, count, count), count / left[0], count) for n, count in enumerate(left))
    answer = {
        "exact": True,
        "epsilon": "",
        "contributors": list(examples_explore.SITES),
        "noise_scale": 0.0,
        "half_width": 0,
        "results": [{"site": "", "result": result_to_plain(AttritionResult(steps))}],
    }
    query = parse_query(f"attrition where {text}", CATALOGUE)
    return examples.query(text, id="ff" * 16, query=query.to_cbor(), analysis="attrition", answer=answer)


def answers(text: str = "", *runs: Mapping[str, Any], **changes: Answer) -> dict[str, Answer]:
    """Everything that Explore asks, with a draft that says ``text`` and these questions of before."""

    def show(values: Mapping[str, Any]) -> Mapping[str, Any]:
        return next(each for each in runs if each["id"] == values["id"])

    return {
        **examples_explore.answers(text),
        "catalogue.show": catalogue_show,
        "data.report": report(),
        "query.explain": explain,
        "query.list": {"queries": list(runs)},
        "query.show": show,
        "cohort.list": {"cohorts": []},
        **changes,
    }
