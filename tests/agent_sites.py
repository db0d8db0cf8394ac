"""Sites with agents, each in a thread of its own with a real profile on disk, connected by a relay in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from app.core.federation import ceremony as ceremonies
from app.core.federation.roster import Roster, Site
from app.core.secret import SecretBytes
from app.core.services.agent import Agent
from app.core.services.carrying import Backoff, Line
from app.core.services.commands import Context, Result, Steps, Values, command
from app.core.services.connect import connect
from app.core.services.owner import Owner
from app.core.services.profile import OpenProfile, create_profile, open_profile
from tests.fake_relay import FakeLine, FakeRelay
from tests.federation_sites import CATALOGUE, PARAMETERS, Inline


def passphrase() -> SecretBytes:
    """What all these profiles are protected by."""
    return SecretBytes(b"correct horse battery")


@command("test.ready")
def ready(context: Context, values: Values) -> Steps:
    """Wait until the ceremony is over."""
    while (status := context.owner.member.ceremony.advance()).state == ceremonies.RUNNING:
        yield 3600.0
    return {"state": status.state, "code": status.code}


@command("test.begin", online=True)
def begin(context: Context, values: Values) -> Result:
    """Begin the ceremony, and send what there is to send."""
    return {"state": context.owner.member.advance().state}


@command("test.told")
def told(context: Context, values: Values) -> Steps:
    """Wait until all sites have told what they hold, and all is sent."""
    member = context.owner.member
    while not all(each.known for each in member.coverage.sites()) or context.profile.store.outbox.unsent():
        yield 3600.0
    return {}


@command("test.present")
def present(context: Context, values: Values) -> Steps:
    """Wait until it is known who is there."""
    assert context.owner.carrier is not None
    while not context.owner.carrier.presence():
        yield 3600.0
    return {}


def opened(directory: Path) -> OpenProfile:
    """Open one of these profiles."""
    return open_profile(directory, passphrase=passphrase, program="tests")


def federate(profiles: list[OpenProfile], federation: bytes = bytes([7]) * 32, quorum: int = 0) -> Roster:
    """Install a roster that all have signed; the quorum is all sites unless another is given."""
    sites = tuple(
        Site(position, profile.site_name, profile.site_contact, profile.member_public)
        for position, profile in enumerate(profiles, start=1)
    )
    roster = Roster(federation, "Tests", PARAMETERS, quorum or len(sites), CATALOGUE.hash, bytes(32), sites)
    signatures = {position: roster.sign(profile.member_key) for position, profile in enumerate(profiles, start=1)}
    for profile in profiles:
        profile.install_roster(roster, signatures, CATALOGUE)
    return roster


class Sites:
    """``count`` sites of one federation below ``base``."""

    federation = bytes([7]) * 32
    quorum = 0
    """How many sites open a result; 0 for all."""

    def __init__(self, base: Path, relay: FakeRelay, count: int = 3) -> None:
        self.relay = relay
        self.directories = [base / f"site-{position}" for position in range(1, count + 1)]
        profiles = [
            create_profile(directory, name=f"Site {number}", contact="+41", passphrase=passphrase)
            for number, directory in enumerate(self.directories, start=1)
        ]
        self.roster = federate(profiles, self.federation, self.quorum)
        for profile in profiles:
            profile.close()
        self.failures: list[BaseException] = []

    def line(self, position: int) -> FakeLine:
        """A line for a site."""
        return FakeLine(self.relay, position)

    def owner(self, position: int) -> Owner:
        """Open a site in this thread."""
        return Owner(opened(self.directories[position - 1]), program="tests", executor=Inline())

    def agent(self, owner: Owner, position: int, line: Line | None = None, **options: Any) -> Agent:
        """An agent that does not rest long."""
        rests = {"backoff": partial(Backoff, 0.001, 0.01), **options}
        return Agent(owner, self.line(position) if line is None else line, **rests)

    def until_idle(self, position: int, **options: Any) -> bool:
        """Let one site's agent run until there is nothing left for it to do."""
        with self.owner(position) as owner, self.agent(owner, position, **options) as agent:
            return agent.run(until_idle=True)

    @contextmanager
    def running(self, *positions: int) -> Iterator[list[Agent]]:
        """Agents in threads, until the block ends."""
        agents: list[Agent] = []
        started = threading.Semaphore(0)

        def live(position: int) -> None:
            try:
                with self.owner(position) as owner, self.agent(owner, position) as agent:
                    agents.append(agent)
                    started.release()
                    agent.run()
            except BaseException as error:  # the test shall fail with it
                self.failures.append(error)
                started.release()

        threads = [threading.Thread(target=live, args=(position,)) for position in positions]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert started.acquire(timeout=60)
        try:
            yield agents
        finally:
            for agent in agents:
                agent.stop()
            for thread in threads:
                thread.join(60)
            assert self.failures == []

    def call(self, position: int, name: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask whoever owns a site for a command."""
        with connect(self.directories[position - 1], open_profile=opened, line=lambda _: self.line(position)) as site:
            return site.call(name, values)
