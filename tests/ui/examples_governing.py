"""What owners answer about the policy, people, projects and the budget, for the tests and pictures of those screens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.disclosure.policy import Policy
from tests.ui.examples import DAY, MINUTE, NOW

STUDY, HEART = "0a" * 16, "0b" * 16
ANNA, BEAT, CLAIRE, OLD = (f"{number:032x}" for number in (1, 2, 3, 4))
OWN = Policy.default(3).to_plain()
STRICT = {
    **OWN,
    "mode": "ask",
    "per_site": False,
    "rules": [
        {"mode": "automatic", "site": 2, "person": "Anna Keller", "project": STUDY, "analysis": "count"},
        {"mode": "never", "site": 0, "person": "", "project": "", "analysis": "regress"},
    ],
    "min_patients": 200,
    "never": [["weight_loss", ""]],
    "projects": "listed",
    "listed": [STUDY],
    "people": "endorsed",
    "epsilon": "1/2",
    "smallest": 11,
    "enforced": True,
    "budget": {"cap": "8", "refill": "2", "days": 90, "researcher": "4", "project": "", "exact": 20},
}


def policy(fields: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """What ``policy.show`` tells."""
    return {
        "policy": dict(OWN if fields is None else fields),
        "version": 3,
        "signed_by": "custodian",
        "signed_at": NOW - 20 * DAY,
        "custodian": True,
        "sentences": [],
        "managed": {},
        "managed_source": "",
        "draft": None,
        "history": [
            {"version": 3, "at": NOW - 20 * DAY, "signed_by": "custodian"},
            {"version": 2, "at": NOW - 45 * DAY, "signed_by": "custodian"},
            {"version": 1, "at": NOW - 90 * DAY, "signed_by": "site"},
        ],
        **changes,
    }


def person(id: str, name: str, site: str, role: str, **changes: Any) -> dict[str, Any]:
    """One endorsement of ``people.list``."""
    return {
        "id": id,
        "person": name,
        "site": site,
        "role": role,
        "since": NOW - 100 * DAY,
        "until": NOW + 260 * DAY,
        "state": "valid",
        "own": False,
        "fingerprint": "1f2e 3d4c 5b6a 7988",
        "signed_by": "custodian",
        "revoked": None,
        **changes,
    }


PEOPLE: dict[str, Any] = {
    "own": {"custodian": True, "person": "Claire Rochat", "people": ["Claire Rochat"]},
    "people": [
        person(ANNA, "Anna Keller", "Geneva", "total-noised"),
        person(BEAT, "Beat Frei", "Bern", "total-exact", state="expired", until=NOW - 3 * DAY),
        person(CLAIRE, "Claire Rochat", "Lausanne", "sites-noised", own=True),
        person(
            OLD,
            "Daniel Favre",
            "Lausanne",
            "total-exact",
            state="revoked",
            revoked={"at": NOW - 5 * DAY, "reason": "Has left the hospital."},
        ),
    ],
    "custodians": [
        {
            "site": "Lausanne",
            "own": True,
            "custodian": True,
            "fingerprint": "9c1d 77aa 0b3e 52f4",
            "since": NOW - 90 * DAY,
            "waiting": "",
        },
        {"site": "Geneva", "own": False, "custodian": True, "fingerprint": "41aa", "since": NOW, "waiting": ""},
        {
            "site": "Bern",
            "own": False,
            "custodian": True,
            "fingerprint": "88ce",
            "since": NOW,
            "waiting": "5e10 9f2b c3d4 7a68",
        },
    ],
}
NOBODY: dict[str, Any] = {
    "own": {"custodian": False, "person": None, "people": []},
    "people": [],
    "custodians": [
        {"site": site, "own": site == "Lausanne", "custodian": False, "fingerprint": "", "since": 0, "waiting": ""}
        for site in ("Lausanne", "Geneva", "Bern")
    ],
}


def project(id: str, title: str, state: str, **changes: Any) -> dict[str, Any]:
    """One of ``project.list``."""
    return {
        "id": id,
        "title": title,
        "purpose": "How often a second cancer follows lung cancer, and after how long.",
        "legal_basis": "Ethics committee of Vaud, 2026-00417",
        "assessment": "Totals with noise only; kept by the data-protection officer.",
        "proposed_by": "Geneva",
        "proposed": NOW - 30 * DAY,
        "own": False,
        "members": [
            {"site": "Geneva", "person": "Anna Keller"},
            {"site": "Lausanne", "person": "Claire Rochat"},
        ],
        "until": NOW + 200 * DAY,
        "state": state,
        "approvals": [
            {"site": "Lausanne", "state": state},
            {"site": "Geneva", "state": "approved"},
            {"site": "Bern", "state": "proposed"},
        ],
        **changes,
    }


PROJECTS: dict[str, Any] = {
    "projects": [
        project(STUDY, "Second cancers after lung cancer", "approved"),
        project(HEART, "Weight loss before diagnosis", "proposed"),
        project("0c" * 16, "Pilot study 2025", "closed", own=True, proposed_by="Lausanne", until=NOW - 60 * DAY),
    ]
}
HANDOVER: dict[str, Any] = {
    "leaver": "Claire Rochat",
    "begun": NOW - 2 * DAY,
    "steps": [
        {"step": "backup", "state": "done", "at": NOW - DAY, "count": 0},
        {"step": "restore", "state": "open", "at": 0, "count": 0},
        {"step": "custodian", "state": "open", "at": 0, "count": 0},
        {"step": "revoke", "state": "open", "at": 0, "count": 1},
    ],
    "done": False,
}
NO_HANDOVER: dict[str, Any] = {"leaver": "", "begun": 0, "steps": [], "done": False}


def entry(minutes: int, asker: str, **changes: Any) -> dict[str, Any]:
    """One charge of ``budget.show``."""
    return {
        "at": NOW - minutes * MINUTE,
        "query": "ab" * 16,
        "asker": asker,
        "person": "",
        "project": "",
        "epsilon": "1/2",
        "exact": 0,
        "dataset_version": 2,
        **changes,
    }


BUDGET: dict[str, Any] = {
    "cap": "8",
    "spent": "29/10",
    "left": "51/10",
    "refill": {"amount": "2", "days": 90, "next": NOW + 31 * DAY, "lifetime": False},
    "exact": {"quota": 20, "spent": 3, "left": 17, "next": 0},
    "by": [
        {
            "kind": "researcher",
            "name": "Anna Keller (Geneva)",
            "share": "4",
            "spent": "12/5",
            "left": "8/5",
            "exact": 0,
        },
        {"kind": "researcher", "name": "Bern", "share": "4", "spent": "1/2", "left": "7/2", "exact": 3},
        {"kind": "project", "name": "Second cancers after lung cancer", "share": "", "spent": "12/5", "left": ""},
        {"kind": "project", "name": "", "share": "", "spent": "1/2", "left": "", "exact": 3},
    ],
    "entries": [
        entry(30, "Geneva", person="Anna Keller", project="Second cancers after lung cancer"),
        entry(200, "Bern", epsilon="", exact=1),
        entry(3000, "Geneva", person="Anna Keller", project="Second cancers after lung cancer", epsilon="1/4"),
        entry(9000, "Bern", dataset_version=1),
    ],
}
USED_UP = {**BUDGET, "spent": "8", "left": "0", "exact": {"quota": 20, "spent": 20, "left": 0, "next": 0}}
UNLIMITED: dict[str, Any] = {
    "cap": "",
    "spent": "0",
    "left": "",
    "refill": {"amount": "", "days": 0, "next": 0, "lifetime": False},
    "exact": {"quota": -1, "spent": 0, "left": -1, "next": 0},
    "by": [],
    "entries": [],
}


def finding(rule: str, holds: bool = True, **params: Any) -> dict[str, Any]:
    """One finding of ``policy.preview``; ``source`` and ``code`` may be among ``params``."""
    source, code = params.pop("source", "site"), params.pop("code", "")
    return {"rule": rule, "holds": holds, "code": code, "source": source, "version": 3, "params": params}


def price(epsilon: str = "1/2", exact: int = 0, **changes: Any) -> dict[str, Any]:
    """What a question costs."""
    told = {"epsilon": epsilon, "exact": exact, "free": False, "own": True, "left": "51/10", "exact_left": 17}
    return {**told, **changes}


def preview(verdict: str = "ask", *findings: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What ``policy.preview`` tells."""
    usual = (
        finding("others", others=2, least=2),
        finding("noised"),
        finding("per_site", asked=False),
        finding("epsilon", epsilon="1/2", most="1/2", source="managed"),
        finding("mode", mode="ask", exception=False),
    )
    return {"verdict": verdict, "findings": list(findings or usual), "price": price(), **changes}


def answers(**changes: Any) -> dict[str, Any]:
    """What an owner answers whose site has a custodian, people, projects and a budget."""
    known = {
        "policy.show": policy(STRICT),
        "policy.preview": lambda _values: preview(),
        "people.list": PEOPLE,
        "people.handover": NO_HANDOVER,
        "project.list": PROJECTS,
        "budget.show": BUDGET,
    }
    return {**known, **changes}
