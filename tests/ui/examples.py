"""What owners answer, in the states that views have to show; the shapes are those of the services' commands."""

from __future__ import annotations

from typing import Any

NOW = 1_795_440_000_000  # 2026-11-23 13:20 UTC
MINUTE = 60_000
DAY = 1440 * MINUTE


def site(name: str, *, own: bool = False, reachable: bool | None = True, last_seen: int = NOW - 2 * MINUTE) -> Any:
    """One site of an overview."""
    contact = f"Research office {name}, +41 00 000 00 00"
    return {
        "name": name,
        "own": own,
        "reachable": None if own else reachable,
        "last_seen": 0 if own else last_seen,
        "program": "0.1.0",
        "contact": contact,
    }


def overview(
    *,
    relay: str = "https://relay.example.org",
    connection: str = "connected",
    trouble: str = "",
    backed_up: int = 0,
    **changes: Any,
) -> dict[str, Any]:
    """A site in a federation of three that is ready."""
    return {
        "site": "Lausanne",
        "federation": "Swiss Lung Study",
        "stage": "ready",
        "relay": {"url": relay, "state": connection, "code": trouble},
        "sites": [
            site("Lausanne", own=True),
            site("Geneva"),
            site("Bern", reachable=False, last_seen=NOW - 95 * MINUTE),
        ],
        "quorum": 3,
        "waiting_requests": 2,
        "open_queries": 1,
        "backup": backed_up,
        "dataset": {"version": 2},
        "pretend": False,
        **changes,
    }


def nowhere(**changes: Any) -> dict[str, Any]:
    """A site that is in no federation yet."""
    empty: dict[str, Any] = {"federation": "", "stage": "none", "sites": [], "quorum": 0}
    return overview(relay="", connection="none", **empty, waiting_requests=0, open_queries=0, dataset=None, **changes)


def query(text: str, **changes: Any) -> dict[str, Any]:
    """One of the site's own queries, answered by all."""
    return {
        "id": "8f14e45fceea167a5a36dedd4bea2543",
        "text": text,
        "state": "released",
        "code": "",
        "purpose": "count",
        "asked": NOW - 12 * MINUTE,
        "deadline": 0,
        "sites": [{"site": name, "state": "answered", "code": ""} for name in ("Lausanne", "Geneva", "Bern")],
        "notes": [],
        "answer": {
            "count": 90,
            "exact": True,
            "noise_scale": 0.0,
            "half_width": 0,
            "contributors": ["Lausanne", "Geneva", "Bern"],
        },
        **changes,
    }


QUERIES = {
    "queries": [
        query("sex = female and age >= 60"),
        query("died and weight_loss >= 10", id="45c48cce2e2d7fbdea1afc51c7c6ad26", state="sent", answer=None),
        query("ecog in {2}", id="d3d9446802a44259755d38e6d163e820", state="failed", code="query.expired", answer=None),
    ]
}
