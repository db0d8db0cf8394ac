"""Requests of other sites as owners tell of them, for the tests and pictures of the Requests screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.catalogue.file import load_catalogue
from app.core.paths import resource
from app.core.query.model import Query
from app.core.query.text import parse
from tests.ui import examples_governing as governing
from tests.ui.examples import DAY, MINUTE, NOW

CATALOGUE = load_catalogue(resource("demo", "lung.catalogue.toml"))
ALL = ["Lausanne", "Geneva", "Bern"]
GENEVA, BERN, EARLIER, NOISED, DECLINED = (f"{number:032x}" for number in (0xA1, 0xB2, 0xC3, 0xD4, 0xE5))


def request(id: str, asker: str, cohort: str, **changes: Any) -> dict[str, Any]:
    """One request, that waits unless ``changes`` say otherwise."""
    return {
        "id": id,
        "asker": asker,
        "contact": f"Research office {asker}, +41 00 000 00 00",
        "text": cohort,
        "purpose": "Second cancers after lung cancer: is there enough for a study?",
        "state": "waiting",
        "code": "",
        "answered": False,
        "decided": "",
        "exact": False,
        "epsilon": "1/2",
        "minimum": 3,
        "sites": ALL,
        "received": NOW - 20 * MINUTE,
        "deadline": NOW + 2 * DAY,
        "reminders": 0,
        "notes": [],
        **changes,
    }


TYPICAL = [
    request(GENEVA, "Geneva", "sex = female and age >= 60 and weight_loss >= 10"),
    request(BERN, "Bern", "ecog in {2, 3}", exact=True, epsilon="", deadline=0, received=NOW - 80 * MINUTE),
    request(EARLIER, "Geneva", "age >= 60", state="done", answered=True, received=NOW - 3 * 60 * MINUTE, deadline=0),
    request(
        NOISED,
        "Bern",
        "died and weight_loss >= 10",
        state="open",
        answered=True,
        decided="answer",
        received=NOW - DAY,
    ),
    request(
        DECLINED,
        "Geneva",
        "sex = male",
        state="declined",
        code="policy.no_exact",
        exact=True,
        epsilon="",
        received=NOW - 4 * DAY,
    ),
]


def shown(requests: list[dict[str, Any]]) -> Any:
    """Return what answers ``request.show`` for these."""

    def show(values: Mapping[str, Any]) -> dict[str, Any]:
        found = next(each for each in requests if each["id"] == values["id"])
        query = Query(parse(found["text"], CATALOGUE)) if "query" not in found else None
        return {
            "catalogue": CATALOGUE.to_cbor(),
            **({} if query is None else {"query": query.to_cbor()}),
            **found,
        }

    return show


def answers(requests: list[dict[str, Any]], preview: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what an owner answers who has these requests, and whose policy says so of each."""
    return {
        "request.list": lambda _values: {"requests": requests},
        "request.show": shown(requests),
        "policy.preview": preview or governing.preview(),
        "people.list": governing.PEOPLE,
        "project.list": governing.PROJECTS,
    }
