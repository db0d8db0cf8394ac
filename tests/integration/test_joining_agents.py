"""Agents bring a federation together over a real relay: nobody calls a command once both sides have confirmed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.core.paths import resource
from app.core.secret import SecretBytes
from app.core.services.agent import Agent, advance_joining, relay_line
from app.core.services.agent_program import run_agent
from app.core.services.connect import connect
from app.core.services.owner import Owner
from app.core.services.profile import create_profile
from tests.agent_sites import opened, passphrase
from tests.relay_server import RelayServer, relay

__all__ = ["relay"]
NAMES = ("A", "B", "C")


@pytest.fixture
def sites(tmp_path: Path, relay: RelayServer) -> dict[str, Path]:
    """A has founded a federation; B and C have joined, as far as it goes with nobody else's program running."""
    directories = {name: tmp_path / name for name in NAMES}
    for name, directory in directories.items():
        create_profile(directory, name=name, contact="+41", passphrase=passphrase).close()
    founding = {
        "relay": relay.address.url,
        "trust": relay.address.trust,
        "code": SecretBytes(relay.code().encode()),
        "name": "Lung",
        "quorum": None,
        "catalogue": str(resource("demo", "lung.catalogue.toml")),
    }
    call(directories["A"], "federation.create", founding)
    for name in NAMES[1:]:
        invitation = call(directories["A"], "federation.invite", {"site": name, "again": False})["text"]
        call(directories[name], "federation.join", {"invitation": invitation})
    return directories


def call(directory: Path, name: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
    with connect(directory, open_profile=opened) as site:
        return site.call(name, values)


@contextmanager
def running(directory: Path) -> Iterator[None]:
    """An agent in a thread, until the block ends."""
    started, failures = threading.Event(), list[BaseException]()
    made: list[Agent] = []

    def live() -> None:
        try:
            with ExitStack() as stack:
                owner = stack.enter_context(Owner(opened(directory), program="tests"))
                # the ceremony, at production parameters here, is tested elsewhere
                agent = Agent(owner, relay_line(owner.profile), duties=(advance_joining,))
                made.append(stack.enter_context(agent))
                started.set()
                agent.run()
        except BaseException as error:  # the test shall fail with it
            failures.append(error)
            started.set()

    thread = threading.Thread(target=live)
    thread.start()
    assert started.wait(60)
    try:
        yield
    finally:
        for agent in made:
            agent.stop()
        thread.join(60)
        assert failures == []


def until(directory: Path, wanted: Any) -> dict[str, Any]:
    """Wait until ``wanted`` holds of where the federation stands, as an agent sees it."""
    with connect(directory, become=False) as site:
        while True:
            number = site.call("site.watch", {"after": 0, "wait": 0})["number"]
            found = site.call("federation.show")
            if wanted(found):
                return found
            site.call("site.watch", {"after": number, "wait": 60})


def test_agents_bring_it_together(sites: dict[str, Path]) -> None:
    with ExitStack() as stack:
        for directory in sites.values():
            stack.enter_context(running(directory))
        for name in NAMES[1:]:
            words = " ".join(call(sites[name], "federation.show")["sites"][0]["words"])
            until(sites["A"], lambda found, name=name: state(found, name) == "joined")
            call(sites["A"], "federation.confirm", {"site": name, "words": words})
            call(sites[name], "federation.confirm", {"site": "A", "words": words})
            until(sites["A"], lambda found, name=name: state(found, name) == "confirmed")
        call(sites["A"], "federation.start", {"without": ["C"]})
        for name in ("A", "B"):
            found = until(sites[name], lambda found: found["stage"] == "ceremony")
            assert [each["name"] for each in found["sites"]] == ["A", "B"]
        until(sites["C"], lambda found: state(found, "C") == "left out")


def state(found: dict[str, Any], name: str) -> str:
    return next((str(each["state"]) for each in found["sites"] if each["name"] == name), "")


def test_an_agent_is_idle_when_joining_has_nothing_more_to_say(sites: dict[str, Path]) -> None:
    assert run_agent(sites["A"], until_idle=True, open_profile=opened).idle
    found = call(sites["A"], "federation.show")
    assert [state(found, name) for name in NAMES] == ["us", "joined", "joined"]
    assert run_agent(sites["B"], until_idle=True, open_profile=opened).idle
    words = " ".join(found["sites"][1]["words"])
    assert call(sites["B"], "federation.confirm", {"site": "A", "words": words})["told"], "it has the catalogue"
