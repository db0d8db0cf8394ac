"""Three sites with agents hold a ceremony and answer a query over lines on which anything goes wrong."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.core.services import member as members
from app.core.services.commands import Waiting
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay
from tests.federation_sites import KnownNumber


@pytest.fixture(autouse=True)
def known_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every site answers 100 times its position."""
    monkeypatch.setattr(
        members, "DatasetContributor", lambda site, _mailroom: KnownNumber(100 * site.position, keys=site.key_directory)
    )


ASKED = {"text": "smoker", "epsilon": "", "sites": [], "minimum": 0, "deadline": 0, "purpose": "A test", "wait": 120}


@pytest.mark.parametrize(("seed", "faults"), [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)])
def test_a_ceremony_and_a_query(tmp_path: Path, seed: int, faults: float) -> None:
    sites = Sites(tmp_path, FakeRelay(seed, faults))
    with sites.running(1, 2, 3):
        assert [sites.call(position, "test.ready")["state"] for position in (1, 2, 3)] == ["ready"] * 3
        for asker in (1, 3):
            assert asked(sites, asker)["answer"]["count"] == 600


def asked(sites: Sites, asker: int) -> dict[str, Any]:
    """Ask, and wait for the answer, also when the relay could not be reached at first."""
    try:
        return sites.call(asker, "query.run", ASKED)
    except Waiting:
        newest = sites.call(asker, "query.list")["queries"][0]["id"]
    while True:
        with suppress(Waiting):
            return sites.call(asker, "query.wait", {"id": newest[:12], "wait": 60})
