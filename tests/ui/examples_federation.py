"""What owners answer about the federation, in the states that the view has to show."""

from __future__ import annotations

from typing import Any

from app.core.secret import SecretBytes
from tests.ui import examples
from tests.ui.examples import DAY, MINUTE, NOW
from tests.ui.fake_hospitals import EXPIRES, invitation

WORDS = ("harbour", "velvet", "nine", "lantern", "oak", "river")


def site(name: str, state: str, **changes: Any) -> dict[str, Any]:
    """One site of ``federation.show``."""
    return {
        "name": name,
        "state": state,
        "contact": f"Research office {name}, +41 00 000 00 00",
        "program": "0.1.0",
        "words": [],
        "since": 0,
        "reason": "",
        **changes,
    }


def federation(stage: str, sites: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The result of ``federation.show`` at Lausanne."""
    return {
        "site": "Lausanne",
        "stage": stage,
        "creator": True,
        "name": "Swiss Melanoma Study" if stage != "none" else "",
        "federation": "00" * 32,
        "relay": "https://relay.example.org" if stage != "none" else "",
        "sites": sites,
        "quorum": 3 if len(sites) > 1 else 0,
        "of": len(sites),
        "traffic_bytes": 0,
        "formats": {},
        "round": "",
        "code": "",
        "blamed": "",
        "refusals": [],
        "ceremony": {"began": 0, "ended": 0, "parts": {}},
        **changes,
    }


NOTHING = federation("none", [])
GATHERING = federation(
    "joining",
    [
        site("Lausanne", "us"),
        site("Geneva", "joined", words=list(WORDS), since=NOW - 4 * MINUTE),
        site("Bern", "confirmed", since=NOW - 20 * MINUTE),
        site("Zürich", "invited", contact="", program="", since=NOW - 30 * MINUTE),
    ],
)
EXPIRED = federation(
    "joining",
    [
        site("Lausanne", "us"),
        site("Bern", "confirmed", since=NOW - 3 * DAY),
        site("Zürich", "expired", contact="", program="", since=NOW - 15 * DAY),
    ],
    refusals=[{"time": NOW - 9 * MINUTE, "code": "joining.not_invited", "params": {"site": "Zürich"}}],
)
INVITED = federation(
    "joining",
    [site("Geneva", "confirmed by us", words=list(WORDS)), site("Lausanne", "us"), site("Bern", "joined")],
    creator=False,
)
SIGNING = federation(
    "signing",
    [
        site("Lausanne", "signed"),
        site("Geneva", "signed"),
        site("Bern", "late to sign"),
        site("Zürich", "does not sign", reason="joining.proposal_program"),
    ],
)
CEREMONY = federation(
    "ceremony",
    [
        site("Lausanne", "in the ceremony"),
        site("Geneva", "in the ceremony"),
        site("Bern", "awaited"),
        site("Zürich", "awaited"),
    ],
    round="rotation",
    traffic_bytes=810_000_000,
    ceremony={
        "began": NOW - 12 * MINUTE,
        "ended": 0,
        "parts": {"Lausanne": NOW - 6 * MINUTE, "Geneva": NOW - 3 * MINUTE, "Bern": NOW - 9 * MINUTE},
    },
)
FAILED = federation(
    "failed",
    [site(name, "in the ceremony") for name in ("Lausanne", "Geneva", "Bern")],
    code="ceremony.commitment_broken",
    blamed="Bern",
    ceremony={"began": NOW - 12 * MINUTE, "ended": NOW - 2 * MINUTE, "parts": {}},
)
READY = federation(
    "ready",
    [
        site("Lausanne", "ready, not backed up"),
        site("Geneva", "ready"),
        site("Bern", "ready", program="0.0.9"),
        site("Zürich", "ready, not backed up"),
    ],
    formats={"package": 1, "query": 1},
    ceremony={"began": NOW - 40 * MINUTE, "ended": NOW - 31 * MINUTE, "parts": {}},
)
FOUR = [
    examples.site("Lausanne", own=True),
    examples.site("Geneva"),
    examples.site("Bern"),
    examples.site("Zürich", reachable=False, last_seen=NOW - 95 * MINUTE),
]
KEYS = {
    "profile": "p",
    "site": "Lausanne",
    "federation": "Swiss Melanoma Study",
    "fingerprint": "3f9a 01c4 77de 2b90 5a1e c8d3 9042 b6f7",
    "keyring": "windows",
    "description": "",
    "backups": [],
}
BACKED_UP = {**KEYS, "backups": [{"kind": "sheet", "time": NOW - 5 * MINUTE}]}
RELAY_FINE = {
    "usable": True,
    "findings": [
        {"step": step, "in_order": True, "notice": False, "params": params, "problem": None}
        for step, params in (
            ("proxy", {"proxy": "http://proxy.hospital.example:8080"}),
            ("reach", {"url": "https://relay.example.org"}),
            ("certificate", {"issuer": "Example CA", "until": "2027-03-01"}),
            ("inspection", {}),
            ("version", {"version": "0.1.0"}),
            ("clock", {"seconds": 1}),
        )
    ],
}
RELAY_WRONG = {
    "usable": False,
    "findings": [
        RELAY_FINE["findings"][0],
        {
            "step": "reach",
            "in_order": False,
            "notice": False,
            "params": {},
            "problem": {"code": "relay.tls_inspected", "params": {"host": "relay.example.org", "issuer": "Proxy CA"}},
        },
    ],
}
THIRTY = " ".join([*WORDS, *WORDS, *WORDS, *WORDS, *WORDS])
SHEET = {
    "words": SecretBytes(THIRTY.encode()),
    "code": SecretBytes(" ".join(word[:4].upper() for word in THIRTY.split()).encode()),
    "fingerprint": KEYS["fingerprint"],
    "federation": "Swiss Melanoma Study",
    "site": "Lausanne",
}


def invite(values: Any) -> dict[str, Any]:
    """Answer ``federation.invite``."""
    text = SecretBytes(invitation(str(values["site"])).encode())
    return {"site": values["site"], "federation": "Swiss Melanoma Study", "expires": EXPIRES, "text": text}


def answers(found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What an owner answers that stands so; ``changes`` are those of the overview."""
    overview = examples.overview(
        **{
            "federation": found["name"],
            "stage": found["stage"],
            "sites": FOUR[: max(found["of"], 1)] if found["of"] != 3 else FOUR[:3],
            "quorum": found["quorum"],
            "waiting_requests": 0,
            "relay": found["relay"],
            **changes,
        }
    )
    return {
        "site.overview": overview,
        "federation.show": found,
        "federation.invite": invite,
        "federation.confirm": {"confirmed": True},
        "keys.status": KEYS,
        "keys.sheet": SHEET,
        "keys.sheet_checked": {},
        "relay.check": RELAY_FINE,
        "query.list": {"queries": []},
    }
