"""Commands beside a running agent: how the site stands, what can be asked, what a question would be, ending it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.core.errors import UserError
from app.core.federation.evaluations import Made
from app.core.federation.local_site import LocalSite
from app.core.federation.query_messages import Request
from app.core.federation.relay_protocol import Presence
from app.core.services import member as members
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay
from tests.federation_sites import KnownNumber

Run = Callable[..., tuple[int, str]]


class Moody(KnownNumber):
    """Answers 100 times the site's position, unless it is in another mood."""

    def __init__(self, site: LocalSite, moods: dict[int, str]) -> None:
        super().__init__(100 * site.position, keys=site.key_directory)
        self._position = site.position
        self._moods = moods

    def contribute(self, session: bytes, asker: int, request: Request) -> Made:
        match self._moods.get(self._position):
            case "undecided":
                return None  # type: ignore[return-value]  # a person has to decide
            case "declining":
                raise UserError("query.declined")
            case _:
                return super().contribute(session, asker, request)


@pytest.fixture
def moods() -> dict[int, str]:
    return {}


@pytest.fixture
def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moods: dict[int, str]) -> Iterator[Sites]:
    """Three sites with agents, their ceremony done."""
    monkeypatch.setenv("CONSILIUM_LANGUAGE", "en")
    monkeypatch.setattr(members, "DatasetContributor", lambda site, _mailroom: Moody(site, moods))
    relay = FakeRelay()
    relay.present = {2: Presence(1_700_000_040_000, True), 3: Presence(1_700_000_040_000, False)}
    found = Sites(tmp_path, relay)
    with found.running(1, 2, 3):
        for position in (1, 2, 3):
            found.call(position, "test.ready")
        yield found


@pytest.fixture
def run(sites: Sites, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: str, text: bool = False) -> tuple[int, str]:
        code = main([*arguments, "--profile", str(sites.directories[0]), *([] if text else ["--json"])])
        said = capsys.readouterr()
        return code, said.out + said.err

    return command


def told(outcome: tuple[int, str]) -> dict[str, Any]:
    assert outcome[0] == 0, outcome[1]
    found: dict[str, Any] = json.loads(outcome[1])
    return found


def test_how_the_site_stands(run: Run, sites: Sites) -> None:
    sites.call(1, "test.present")
    found = told(run("site", "status"))
    assert (found["site"], found["stage"], found["relay"]["state"]) == ("Site 1", "ready", "connected")
    said = run("site", "status", text=True)[1]
    assert "Site 1, in the federation Tests" in said
    assert "Site 2: reachable" in said
    assert "Site 3: not reachable, last seen 2023-11-1" in said
    assert "No dataset yet." in said
    assert "The keys are not backed up yet" in said


def test_what_can_be_asked(run: Run, sites: Sites) -> None:
    sites.call(1, "test.told")
    found = told(run("federation", "catalogue"))
    assert [(each["code"], each["sites"], each["own"]) for each in found["variables"]] == [
        ("smoker", 0, False), ("died", 0, False)
    ]  # fmt: skip
    assert found["sites"] == 3
    assert "at 0 of 3 sites" in run("federation", "catalogue", text=True)[1]


def test_what_a_question_would_be(run: Run, sites: Sites) -> None:
    sites.call(1, "test.told")
    found = told(run("query", "explain", "smoker and not died"))
    assert (found["text"], found["supposed"], found["plan"]["products"]) == ("smoker and not died", True, 1)
    assert [each["dataset"] for each in found["by_site"]] == [False] * 3
    said = run("query", "explain", "smoker", text=True)[1]
    assert "Site 2 has no dataset." in said
    code, said = run("query", "explain", "smoker and")
    assert code == 1
    assert json.loads(said)["error"]["code"] == "query.incomplete"


def test_queries_as_json_and_as_text(run: Run) -> None:
    asked = told(run("query", "run", "smoker", "--wait", "60"))
    assert (asked["state"], asked["answer"]["count"], asked["text"]) == ("released", 600, "smoker")
    assert asked["asked"] <= asked["closed"] <= asked["ended"]
    assert asked["awaited"] == {"what": "", "sites": []}
    protection = asked["protection"]
    assert (protection["quorum"], protection["of"], protection["minimum"], protection["noise_scale"]) == (3, 3, 3, 0.0)
    assert [(each["state"], each["contact"]) for each in asked["sites"]] == [("answered", "+41")] * 3
    assert all(asked["asked"] <= each["since"] <= asked["ended"] for each in asked["sites"])
    assert told(run("query", "show", asked["id"])) == asked
    without_results = {**asked, "answer": {**asked["answer"], "results": []}}  # which a list leaves out
    assert told(run("query", "list")) == {"queries": [without_results]}


def test_an_agent_is_ended_by_another_command(run: Run, sites: Sites) -> None:
    assert told(run("agent", "--stop")) == {"stopped": True}
    assert sites.call(1, "owner.stop") == {"stopped": False}, "the agent has let go, and this command was the owner"
    assert told(run("agent", "--stop")) == {"stopped": False}
    assert "No agent runs" in run("agent", "--stop", text=True)[1]


def test_who_is_waited_for_since_when_and_whom_to_telephone(run: Run, moods: dict[int, str]) -> None:
    moods[3] = "undecided"
    assert run("query", "run", "smoker", "--wait", "0", text=True)[0] == 3
    id_ = told(run("query", "list"))["queries"][0]["id"]
    while told(found := run("query", "show", id_))["sites"][2]["state"] != "waiting":
        assert found[0] == 0
        assert run("query", "wait", id_, "--wait", "1")[0] == 3
    said = run("query", "show", id_, text=True)[1]
    assert "Site 3: waiting for a person" in said
    assert "to telephone: +41" in said
    assert told(run("query", "cancel", id_))["state"] == "cancelled"
    code, said = run("query", "show", id_, text=True)
    assert code == 0
    assert "Site 3: not needed any more" in said
    assert "telephone" not in said


def test_a_failed_query_is_shown_well_and_ends_badly_for_who_waits(run: Run, moods: dict[int, str]) -> None:
    moods[3] = "declining"
    code, said = run("query", "run", "smoker", "--wait", "60")
    failed = json.loads(said)
    assert (code, failed["state"], failed["code"]) == (1, "failed", "query.too_few_sites")
    for verb, expected in (("show", 0), ("wait", 1)):  # showing has succeeded, whatever it shows
        code, said = run("query", verb, failed["id"])
        assert (code, json.loads(said)["state"]) == (expected, "failed")
    assert told(run("query", "list"))["queries"][0]["state"] == "failed"
