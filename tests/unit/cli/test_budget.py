"""``consilium budget show`` in words, and what a question costs."""

from __future__ import annotations

from typing import Any

import pytest

from app.cli.budget import price_lines
from app.cli.main import main
from app.core.services import connect as connecting

EMPTY: dict[str, Any] = {
    "cap": "",
    "spent": "0",
    "left": "",
    "refill": {"amount": "", "days": 0, "next": 0, "lifetime": False},
    "exact": {"quota": -1, "spent": 0, "left": -1, "next": 0},
    "by": [],
    "entries": [],
}
USED: dict[str, Any] = {
    "cap": "3",
    "spent": "5/2",
    "left": "1/2",
    "refill": {"amount": "1/4", "days": 30, "next": 1_800_000_000_000, "lifetime": False},
    "exact": {"quota": 5, "spent": 2, "left": 3, "next": 0},
    "by": [
        {"kind": "researcher", "name": "Dr Roe (Bern)", "share": "1", "spent": "1/2", "left": "1/2", "exact": 1},
        {"kind": "project", "name": "", "share": "", "spent": "2", "left": "", "exact": 1},
    ],
    "entries": [
        {
            "at": 1_800_000_000_000,
            "query": "ab" * 32,
            "asker": "Bern",
            "person": "Dr Roe",
            "project": "",
            "epsilon": "1/2",
            "exact": 0,
            "dataset_version": 2,
        },
        {
            "at": 1_800_000_000_000,
            "query": "cd" * 32,
            "asker": "Bern",
            "person": "",
            "project": "",
            "epsilon": "",
            "exact": 1,
            "dataset_version": 2,
        },
    ],
}


class Owner:
    """Answers ``budget.show`` only."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found

    def __enter__(self) -> Owner:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def call(self, name: str) -> dict[str, Any]:
        assert name == "budget.show"
        return self._found


def told(found: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(connecting, "connect", lambda _profile: Owner(found))
    assert main(["budget", "show"]) == 0
    return capsys.readouterr().out


def test_a_site_without_a_cap(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(EMPTY, monkeypatch, capsys)
    assert "sets no cap" in said
    assert "never refilled" not in said


def test_a_cap_for_life(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    refill = {"amount": "", "days": 0, "next": 0, "lifetime": True}
    assert "never refilled" in told({**USED, "refill": refill}, monkeypatch, capsys)


def test_a_refill_is_shown_as_giving_up_the_bound_for_life(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(USED, monkeypatch, capsys)
    for part in (
        "1/4 every 30 days",
        "gives up the bound for life",
        "2027-01",
        "3 left of 5",
        "abababababab",
        "Dr Roe",
    ):
        assert part in said
    assert "Project (none)" in said


@pytest.mark.parametrize(
    ("price", "parts"),
    [
        ({"epsilon": "1/2", "exact": 0, "free": False, "left": "3/2", "exact_left": -1}, ["ε = 1/2", "ε = 3/2"]),
        ({"epsilon": "0", "exact": 0, "free": True, "left": "", "exact_left": -1}, ["nothing"]),
        ({"epsilon": "0", "exact": 1, "free": False, "left": "", "exact_left": 4}, ["one exact", "site: 4"]),
    ],
)
def test_a_price(price: dict[str, Any], parts: list[str]) -> None:
    said = " ".join(price_lines(price))
    assert all(part in said for part in parts)
