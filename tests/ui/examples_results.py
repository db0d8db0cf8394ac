"""Runs as owners tell of them, for the tests and pictures of the Results screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.catalogue.file import load_catalogue
from app.core.errors import UserError
from app.core.paths import resource
from app.core.query.model import Query
from app.core.query.text import parse
from tests.ui.examples import DAY, MINUTE, NOW

CATALOGUE = load_catalogue(resource("demo", "lung.catalogue.toml"))
SITES = ("Lausanne", "Geneva", "Bern")
NOISED, EXACT, COMPUTING, PERSON, DECLINED, EXPIRED, OPENING, CANCELLED = (f"{n:02x}" * 16 for n in range(0xA1, 0xA9))


def site(name: str, state: str = "answered", **changes: Any) -> dict[str, Any]:
    """One site of a run."""
    contact = f"Research office {name}, +41 00 000 00 00"
    base = {"site": name, "state": state, "code": "", "since": NOW - 9 * MINUTE, "percent": None, "contact": contact}
    return {**base, **changes}


def answer(count: int, *, half_width: int = 0, scale: float = 0.0, sites: tuple[str, ...] = SITES) -> dict[str, Any]:
    """A released number."""
    return {
        "count": count,
        "exact": not scale,
        "noise_scale": scale,
        "half_width": half_width,
        "contributors": list(sites),
    }


def run(id: str, text: str, **changes: Any) -> dict[str, Any]:
    """One run, answered exactly by all unless ``changes`` say otherwise."""
    epsilon = changes.pop("epsilon", "")
    minimum = changes.pop("minimum", 3)
    return {
        "id": id,
        "text": text,
        "state": "released",
        "code": "",
        "purpose": "Is there enough for a study of second cancers?",
        "asked": NOW - 12 * MINUTE,
        "closed": NOW - 10 * MINUTE,
        "ended": NOW - 9 * MINUTE,
        "deadline": 0,
        "query": Query(parse(text, CATALOGUE)).to_cbor(),
        "awaited": {"what": "", "sites": []},
        "protection": {
            "quorum": 2,
            "of": 3,
            "openers": ["Lausanne", "Geneva"],
            "minimum": minimum,
            "epsilon": epsilon,
            "noise_scale": 2.0 if epsilon else 0.0,
        },
        "sites": [site(name) for name in SITES],
        "notes": [],
        "answer": answer(90),
        **changes,
    }


NOTES = [
    {"site": "Bern", "text": "Which years does this study look at?"},
    {"site": "Lausanne", "text": "Patients diagnosed since 2015. The protocol is with your ethics committee."},
]
TYPICAL = [
    run(NOISED, "sex = female and age >= 60", answer=answer(1284, half_width=14, scale=2.0), epsilon="1/2"),
    run(
        COMPUTING,
        "died and weight_loss >= 10",
        state="sent",
        answer=None,
        closed=0,
        ended=0,
        epsilon="1/2",
        awaited={"what": "commit", "sites": ["Geneva", "Bern"]},
        sites=[
            site("Lausanne", "committed"),
            site("Geneva", "computing", percent=40),
            site("Bern", "computing", percent=64),
        ],
    ),
    run(
        PERSON,
        "ecog in {2, 3} and age >= 70",
        state="sent",
        answer=None,
        closed=0,
        ended=0,
        minimum=2,
        deadline=NOW + 2 * DAY,
        asked=NOW - 65 * MINUTE,
        awaited={"what": "commit", "sites": ["Bern"]},
        sites=[site("Lausanne", "committed"), site("Geneva", "committed"), site("Bern", "waiting")],
        notes=NOTES,
    ),
    run(EXACT, "sex = male and age >= 60", asked=NOW - DAY, answer=answer(301)),
    run(
        DECLINED,
        "sex = female and age < 50",
        asked=NOW - 2 * DAY,
        minimum=2,
        answer=answer(41, sites=("Lausanne", "Bern")),
        sites=[site("Lausanne"), site("Geneva", "declined", code="policy.no_exact"), site("Bern")],
    ),
    run(
        OPENING,
        "smoker" if "smoker" in {each.code for each in CATALOGUE} else "died",
        state="closed",
        answer=None,
        ended=0,
        asked=NOW - 2 * DAY,
        awaited={"what": "open", "sites": ["Geneva"]},
        sites=[site("Lausanne", "answered"), site("Geneva", "committed"), site("Bern", "late")],
    ),
    run(
        EXPIRED,
        "died and age < 40",
        state="expired",
        code="query.expired",
        answer=None,
        asked=NOW - 8 * DAY,
        ended=NOW - 7 * DAY,
        closed=0,
        sites=[
            site("Lausanne", "committed"),
            site("Geneva", "no dataset", code="data.no_dataset"),
            site("Bern", "late"),
        ],
    ),
    run(
        CANCELLED,
        "age >= 80",
        state="cancelled",
        code="query.cancelled",
        answer=None,
        asked=NOW - 9 * DAY,
        ended=NOW - 9 * DAY + MINUTE,
        closed=0,
        sites=[site("Lausanne", "committed"), site("Geneva", "not needed"), site("Bern", "not needed")],
    ),
]


def answers(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what an owner answers who has these runs; ``runs`` may be changed afterwards."""

    def show(values: Mapping[str, Any]) -> dict[str, Any]:
        found = next((each for each in runs if each["id"] == values["id"]), None)
        if found is None:
            raise UserError("query.unknown", id=str(values["id"]))
        return {"catalogue": CATALOGUE.to_cbor(), **found}

    return {"query.list": lambda _values: {"queries": runs}, "query.show": show}
