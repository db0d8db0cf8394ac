"""Datasets as owners tell of them, for the tests and pictures of the Data screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject

from app.core.errors import ConsiliumError
from tests.ui.examples import DAY, MINUTE, NOW
from tests.ui.examples_requests import CATALOGUE

FIRST, SECOND, CUT_OFF = (f"{number:064x}" for number in (0xA1, 0xB2, 0xC3))
WORDS = "village basket orient lemon castle travel harbor window maple silver garden bridge"
OTHER_WORDS = "candle river meadow stone ladder pepper violin cotton anchor saddle planet ribbon"
DIGITS, OTHER_DIGITS = "0f3a 9b22 71c4 5e08", "77d1 03aa 4c9e 812b"
PATH = "/media/stick/lausanne-2026-11.consilium"


def dataset(id: str, version: int, **changes: Any) -> dict[str, Any]:
    """One version."""
    return {
        "dataset": id,
        "federation": "07" * 32,
        "parameters": "standard-1",
        "residues": 5,
        "blocks": 2,
        "columns": 90,
        "variables": 10,
        "codes": [],
        "patients": None,
        "bytes": 412_000_000,
        "created": NOW - 3 * DAY,
        "version": version,
        "active": False,
        "imported": NOW - 2 * DAY,
        "preparer": DIGITS,
        "preparer_words": WORDS,
        **changes,
    }


VERSIONS = [dataset(FIRST, 1, imported=NOW - 60 * DAY, created=NOW - 61 * DAY), dataset(SECOND, 2, active=True)]
UNFINISHED = {
    "dataset": CUT_OFF,
    "package": PATH,
    "columns": 90,
    "columns_done": 38,
    "started": NOW - 30 * MINUTE,
    "running": False,
}


def listed(datasets: list[dict[str, Any]], *imports: dict[str, Any]) -> dict[str, Any]:
    """What ``data.list`` tells."""
    return {"datasets": datasets, "imports": list(imports)}


def _report(values: Mapping[str, Any]) -> dict[str, Any]:
    known: list[int | None] = [20_140, 19_902, 12_411, None, 20_140, 17_020, 904, 20_140, 6_700, 18_000]
    return {
        "dataset": values["dataset"],
        "created": NOW - 3 * DAY,
        "rows": 20_152,
        "patients": 20_140,
        "refused_rows": 12,
        "refused": [{"row": 17, "column": "Age", "code": "csv.not_a_number"}],
        "left_out": ["karnofsky_patient"],
        "unused_columns": [],
        "variables": [
            {"code": each.code, "kind": each.kind.value, "known": count, "missing": None, "bins": []}
            for each, count in zip(CATALOGUE.variables, known, strict=False)
        ],
    }


def catalogue(_values: Mapping[str, Any]) -> dict[str, Any]:
    """What ``catalogue.show`` tells."""
    held = {each.code: 3 - place % 2 for place, each in enumerate(CATALOGUE.variables)}
    return {
        "catalogue": CATALOGUE.to_cbor(),
        "hash": CATALOGUE.hash,
        "held": held,
        "own": [],
        "sites": 3,
        "by_site": [],
    }


def answers(found: dict[str, Any]) -> dict[str, Any]:
    """What an owner answers who has these datasets."""
    return {"data.list": found, "data.report": _report, "catalogue.show": catalogue}


def package(**changes: Any) -> dict[str, Any]:
    """What ``data inspect`` tells of a package."""
    return {
        "package": PATH,
        "bytes": 409_000_000,
        "created": NOW - DAY,
        "preparer": DIGITS,
        "preparer_words": WORDS,
        "variables": [{"code": each.code, "columns": 3} for each in CATALOGUE.variables],
        **changes,
    }


def inspecting(outcome: dict[str, Any] | ConsiliumError) -> Callable[..., object]:
    """Return what a view runs instead of ``data inspect``: it knows its outcome already."""

    def run(
        arguments: list[str],
        *,
        of: QObject,
        done: Callable[[Mapping[str, Any]], object],
        failed: Callable[[ConsiliumError], object],
    ) -> None:
        assert arguments[:2] == ["data", "inspect"]
        if isinstance(outcome, ConsiliumError):
            failed(outcome)
        else:
            done({**outcome, "package": arguments[2]})

    return run
