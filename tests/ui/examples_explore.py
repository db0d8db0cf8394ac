"""What owners answer to Explore: the catalogue of the demo, three sites, a report of the own site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.catalogue.file import load_catalogue
from app.core.catalogue.holding import pack
from app.core.catalogue.numbers import decimal_text
from app.core.paths import resource
from app.core.query.model import Query
from app.core.query.text import parse, parse_query
from tests.ui import examples
from tests.ui.fakes import Answer

CATALOGUE = load_catalogue(resource("demo", "lung.catalogue.toml"))
HASH = CATALOGUE.hash
CODES = [each.code for each in CATALOGUE]
LACKS = {"Bern": {"karnofsky:patient", "weight_loss"}, "Geneva": {"meal_calories"}}
SITES = ("Lausanne", "Geneva", "Bern")
NOBODY_HAS = "karnofsky:patient_lower"


def holds(site: str) -> list[str]:
    """What a site holds."""
    return [code for code in CODES if code not in LACKS.get(site, set()) and code != NOBODY_HAS]


def catalogue_show(values: Mapping[str, Any]) -> dict[str, Any]:
    """The catalogue, and who holds what."""
    held = {code: sum(code in holds(name) for name in SITES) for code in CODES}
    return {
        "catalogue": b"" if values.get("have") == HASH else CATALOGUE.to_cbor(),
        "hash": HASH,
        "held": {code: count for code, count in held.items() if count},
        "own": sorted(holds("Lausanne")),
        "sites": 3,
        "by_site": [
            {
                "site": name,
                "own": name == "Lausanne",
                "known": True,
                "held": pack(CATALOGUE, holds(name)),
                "codes": len(holds(name)),
            }
            for name in SITES
        ],
    }


def explain(values: Mapping[str, Any]) -> dict[str, Any]:
    """A question that fits, in 0.4 seconds; sites lack what they lack."""
    query = parse_query(values["text"], CATALOGUE, DEFINITIONS.get)
    return {
        "fits": True,
        "problem": None,
        "supposed": False,
        "explained": {"plan": {"seconds": 0.4}},
        "query": query.to_cbor(),
        "catalogue": CATALOGUE.to_cbor(),
        "half_width": 13 if values.get("epsilon") else 0,
        "by_site": [
            {
                "site": name,
                "own": name == "Lausanne",
                "known": True,
                "dataset": True,
                "lacks": [code for code in query.codes if code not in holds(name)],
            }
            for name in SITES
        ],
    }


def report() -> dict[str, Any]:
    """The own site's report: a hill over every number, levels that become fewer."""
    variables = []
    for variable in CATALOGUE:
        if variable.cut_points:
            bounds = [None, *map(decimal_text, variable.cut_points), None]
            middle = len(variable.cut_points) / 2
            bins: list[dict[str, Any]] = [
                {"from": low, "to": high, "count": round(40 / (1 + (place - middle) ** 2 / 6))}
                for place, (low, high) in enumerate(zip(bounds, bounds[1:], strict=False))
            ]
        else:
            bins = [{"levels": [each.code], "count": 140 // (place + 1)} for place, each in enumerate(variable.levels)]
        variables.append(
            {"code": variable.code, "kind": variable.kind.value, "known": 214, "missing": 14, "bins": bins}
        )
    return {"dataset": "aa", "variables": variables}


SMOKERS = "sex = female and age >= 60"
DEFINITIONS = {"Older women": parse(SMOKERS, CATALOGUE)}
COHORTS = {
    "cohorts": [
        {
            "name": "Older women",
            "version": 2,
            "text": SMOKERS,
            "query": Query(DEFINITIONS["Older women"]).to_cbor(),
            "saved": examples.NOW,
        }
    ]
}


def draft(text: str, **settings: Any) -> dict[str, Any]:
    """A draft that was left."""
    row = {"version": 3, "text": text, "settings": settings, "begun": examples.NOW, "saved": examples.NOW}
    return {"drafts": [row] if text else []}


def saved_draft(values: Mapping[str, Any]) -> dict[str, Any]:
    """What keeping the draft returns."""
    row = {"version": 4, "begun": examples.NOW, "saved": examples.NOW}
    return {**row, "text": values.get("text", ""), "settings": values.get("settings", {})}


def answers(text: str = "", **changes: Answer) -> dict[str, Answer]:
    """Everything that Explore asks, with a draft that says ``text``."""
    return {
        "site.overview": examples.overview(),
        "query.list": examples.QUERIES,
        "catalogue.show": catalogue_show,
        "data.report": report(),
        "query.explain": explain,
        "cohort.list": COHORTS,
        "draft.load": draft(text),
        "draft.save": saved_draft,
        "draft.clear": saved_draft,
        "query.run": {"waiting": "cli.query.waiting", "id": "8f14e45fceea"},
        **changes,
    }
