"""The sentences in which a federation's status is told."""

from __future__ import annotations

from typing import Any

import pytest

from app.cli.federation import _lines
from app.core.services.federation_status import Stage, State
from app.texts import LANGUAGES

SITE = {"name": "B", "state": "signed", "contact": "+41", "program": "1.0", "words": [], "since": 1, "reason": ""}


def told(**changes: Any) -> list[str]:
    plain: dict[str, Any] = {
        "site": "A", "stage": "joining", "name": "Lung", "sites": [SITE], "quorum": 3, "of": 4, "traffic_bytes": 10**6,
        "round": "", "code": "", "blamed": "", "refusals": [], "awaited": [],
    }  # fmt: skip
    return _lines({**plain, **changes})


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CONSILIUM_LANGUAGE", request.param)
    return str(request.param)


def test_every_state_and_stage_has_its_words(language: str) -> None:
    for state in State:
        assert "cli." not in "".join(told(sites=[{**SITE, "state": state.value}]))
    for stage in Stage:
        said = "".join(told(stage=stage.value, round="dealing", code="ceremony.said_twice", blamed="B"))
        assert "cli." not in said
        assert "said_twice" not in said


def test_the_quorum_is_a_sentence() -> None:
    assert "Any 3 of 4 hospitals can open a result together." in told()
    assert "All 4 hospitals must open a result together." in told(quorum=4)
    assert len(told(quorum=0, traffic_bytes=0)) == 2  # an invited site does not know it yet


def test_how_much_will_travel_is_said_where_it_is_much() -> None:
    said = told(of=16, traffic_bytes=796_000_000)
    assert "In the ceremony of 16 sites about 0.8 GB will travel between each site and the relay." in said
    assert len(told(of=16, traffic_bytes=796_000_000, stage="ready")) == len(said) - 1


def test_whom_to_telephone_and_what_was_refused() -> None:
    words = {**SITE, "state": "joined", "words": ["quiz", "tiny"]}
    assert any("quiz tiny. Telephone: +41" in line for line in told(sites=[words]))
    assert any("Telephone: +41" in line for line in told(sites=[{**SITE, "state": "awaited"}]))
    refused = {"time": 1_700_000_000_000, "code": "joining.key_used", "params": {}}
    assert any("member key of another one" in line for line in told(refusals=[refused]))
    reason = {**SITE, "state": "does not sign", "reason": "joining.proposal_quorum"}
    assert any("another quorum" in line for line in told(sites=[reason]))
    offline = {"code": "relay.timeout", "params": {"host": "relay.example"}}
    assert any("relay.example" in line for line in told(trouble=offline))
