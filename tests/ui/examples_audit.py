"""The audit trail as owners tell of it, for the tests and pictures of its screen."""

from __future__ import annotations

from typing import Any

from tests.ui.examples import DAY, MINUTE, NOW

QUESTION = "smoker and age >= 50"
ASKED = {
    "session": "5b" * 32,
    "request": "9c" * 32,
    "question": QUESTION,
    "per_site": False,
    "epsilon": "1/2",
    "contributors": ["Bern", "Lausanne", "Basel"],
    "minimum": 3,
    "purpose": "Planning a study on lung cancer",
}


def record(number: int, kind: str, ago: int, **changes: Any) -> dict[str, Any]:
    """One record, ``ago`` milliseconds before now."""
    return {
        "number": number,
        "at": NOW - ago,
        "kind": kind,
        "who": "",
        "what": {},
        "why": "",
        "budget": None,
        "hash": f"{number * 7919:064x}",
        **changes,
    }


SPENT = {"before": {"spent": "3/2", "left": "17/2"}, "after": {"spent": "2", "left": "8"}}
RECORDS = [
    record(214, "released", 2 * MINUTE, who="Lausanne", what={**ASKED, "from_sites": ["Bern", "Lausanne", "Basel"]}),
    record(213, "budget.charged", 6 * MINUTE, who="Bern", what={"epsilon": "1/2", "exact": 0}, budget=SPENT),
    record(212, "contribution", 6 * MINUTE, who="Bern", what={**ASKED, "attempt": 1, "dataset": 2}),
    record(211, "decision", 7 * MINUTE, what={"session": "5b" * 32, "decision": "answer"}),
    record(210, "request.received", 40 * MINUTE, who="Bern", what=ASKED),
    record(209, "request.declined", DAY, who="Genève", what=ASKED, why="query.declined"),
    record(208, "refusal", DAY, who="Basel", what={"details": {"sender": 3}}, why="query.said_twice"),
    record(207, "data.imported", 3 * DAY, what={"dataset": "b2" * 16, "version": 2, "preparer": "0f3a 9b22 71c4 5e08"}),
    record(206, "key.sheet", 4 * DAY),
    record(1, "profile.created", 90 * DAY, what={"site": "Lausanne", "fingerprint": "ab" * 32}),
]
HEADS = [
    {
        "site": "Bern",
        "number": 88,
        "hash": "1a" * 32,
        "at": NOW - 50 * MINUTE,
        "ours": {"number": 209, "hash": "", "at": NOW - DAY},
    },
    {"site": "Basel", "number": 41, "hash": "2b" * 32, "at": NOW - DAY, "ours": None},
]


def listed(*records: dict[str, Any], more: bool = False) -> dict[str, Any]:
    """What ``audit.show`` tells."""
    return {"records": list(records), "more": more, "number": 214, "hash": "77" * 32, "heads": HEADS}


def verified(**changes: Any) -> dict[str, Any]:
    """What ``audit.verify`` tells."""
    held = {"site": "Bern", "number": 209, "hash": "1a" * 32, "at": NOW, "agrees": True}
    found = {"ok": True, "records": 214, "number": 214, "hash": "77" * 32, "first": 1, "last": NOW, "held": [held]}
    return {**found, "problems": [], "findings": [], **changes}


def asked(*unheard: str) -> dict[str, Any]:
    """What ``audit.ask`` tells."""
    return {"answered": [each for each in ("Bern", "Basel") if each not in unheard], "unheard": list(unheard)}


BROKEN = [
    {"number": 180, "code": "audit.altered", "params": {}},
    {"number": 209, "code": "audit.held_otherwise", "params": {"site": "Bern", "number": 209, "last": 214}},
]
FINDINGS = [
    {"number": 205, "at": NOW, "code": "audit.rewritten", "params": {"site": "Basel", "known": 40, "number": 41}},
]
