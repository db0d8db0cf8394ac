"""A site that dies anywhere in a query goes on from its disk: one answer, nothing computed or said twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from app.core.federation import query_messages as messages
from app.core.federation.query_session import DONE, FAILED
from tests.crash import Killer, leftovers
from tests.federation_sites import Federation, parse, ready_federation
from tests.mortal_process import SIGKILL


def ask(killer: Killer, **choices: object) -> bytes:
    """Ask once, however often the asker dies over it."""
    while not (runs := killer.federation[1].profile.runs.all()):
        with killer._reviving():
            killer.federation.ask(1, **choices)  # type: ignore[arg-type]
    [run] = runs
    return run.id


def retry(killer: Killer, session: bytes, quorum: tuple[int, ...]) -> None:
    while not killer.federation[1].desk.heard(session).retries:
        with killer._reviving():
            killer.federation[1].desk.retry(session, quorum)


def check_end(federation: Federation, session: bytes, attempts: int = 1) -> None:
    for position, node in federation.nodes.items():
        assert node.desk.status(session).state == DONE
        assert node.refusals == []
        assert node.profile.sealed_secrets.names() == ("dealt share",)
        assert node.profile.outbox.unsent() == ()
        assert leftovers(federation.directory(position)) == []
        entries = node.profile.shares.of_session(session)
        assert len({entry.attempt for entry in entries}) == len(entries)
        assert all(entry.share is not None for entry in entries)
    said = Counter()
    for message in map(parse, federation.post.sent.values()):
        if message.session == session:
            said[message.type, message.sender] += 1
    assert all(count <= attempts for count in said.values())
    for type_ in (messages.REQUEST, messages.CLOSE, messages.RELEASED):
        assert said[type_, 1] == 1
        assert sum(count for (said_, _), count in said.items() if said_ == type_) == 1


@pytest.mark.parametrize("victim", [1, 2, 3])
def test_a_site_killed_between_any_two_steps_goes_on(tmp_path: Path, victim: int) -> None:
    """Site 1 asks and opens, site 2 contributes, site 3 contributes and opens."""
    with ready_federation(tmp_path) as federation:
        killer = Killer(federation, victim)
        for position in federation.positions:
            federation.contributors[position].noise = position
        with killer.watching():
            session = ask(killer, quorum=(1, 3), epsilon=Fraction(1, 2))
            killer.run()
        result = federation[1].desk.result(session)
        assert result is not None
        assert result.numbers == (606,)
        check_end(federation, session)
        expected = {"after a commit", "before a commit", "before sending", "after sending", "before unlink"}
        assert expected | ({"after decryption_share"} if victim != 2 else set()) <= set(killer.kills)


@pytest.mark.parametrize("victim", [1, 2])
def test_a_site_killed_during_another_attempt_goes_on(tmp_path: Path, victim: int) -> None:
    """The quorum's site 3 never answers; the second attempt is opened by sites 1 and 2."""
    with ready_federation(tmp_path) as federation:
        federation.stop(3)
        killer = Killer(federation, victim)
        with killer.watching():
            session = ask(killer, contributors=(1, 2), quorum=(1, 3))
            killer.run()
            assert federation[1].desk.status(session).waiting_for == ("Site 3",)
            retry(killer, session, (1, 2))
            killer.run()
        result = federation[1].desk.result(session)
        assert result is not None
        assert result.numbers == (300,)
        federation.start(3)
        federation.settle()
        check_end(federation, session, attempts=2)
        assert "after rerandomise" in killer.kills
        assert federation[3].profile.shares.of_session(session) == ()  # too late: nothing to open any more


@pytest.mark.parametrize("victim", [1, 2])
def test_a_site_killed_while_a_query_fails_goes_on(tmp_path: Path, victim: int) -> None:
    with ready_federation(tmp_path) as federation:
        federation.contributors[3].reason = "data.no_dataset"
        killer = Killer(federation, victim)
        with killer.watching():
            session = ask(killer, minimum=3)
            killer.run()
        for position, node in federation.nodes.items():
            status = node.desk.status(session)
            assert (status.state, status.code) == (FAILED, "query.too_few_sites")
            assert node.profile.sealed_secrets.names() == ("dealt share",)
            assert leftovers(federation.directory(position)) == []
            assert node.profile.shares.of_session(session) == ()


def test_a_share_stored_but_not_sent_is_sent_as_it_is_stored(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        killer = Killer(federation, 3, stride=10_000)
        original = killer.point

        def point(kind: str) -> None:
            if kind == "after a commit" and len(stored()) == 1 and not killer.kills:
                killer.stride = 1
            original(kind)

        def stored() -> list[bytes]:
            session = federation[1].profile.runs.all()[0].id
            entries = federation[3].profile.shares.of_session(session)
            return [entry.share for entry in entries if entry.share is not None]

        killer.point = point  # type: ignore[method-assign]
        with killer.watching():
            session = federation.ask(1, quorum=(1, 3))
            original_revive = killer.revive

            def revive() -> None:
                shares.extend(stored())
                original_revive()
                shares.extend(stored())
                killer.stride = 10_000

            shares: list[bytes] = []
            killer.revive = revive  # type: ignore[method-assign]
            killer.run()
        assert len(killer.kills) == 1
        assert len(shares) == 2
        assert len({*shares, *stored()}) == 1
        result = federation[1].desk.result(session)
        assert result is not None
        assert result.numbers == (600,)


def test_all_sites_killed_by_the_system_go_on(tmp_path: Path) -> None:
    ready_federation(tmp_path).__exit__()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for point in (12, 40, 25, 30, 0):
        command = [sys.executable, "-m", "tests.mortal_process", str(tmp_path), "3", "2", str(point), "1"]
        done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)
        expected = 0 if point == 0 else -SIGKILL if os.name == "posix" else SIGKILL
        assert done.returncode == expected, done.stderr.decode()
    assert json.loads(done.stdout) == [[600]]
    with Federation(tmp_path, 3, 2) as federation:
        [run] = federation[1].profile.runs.all()
        for position, node in federation.nodes.items():
            assert node.desk.status(run.id).state == DONE
            assert node.refusals == []
            assert node.profile.sealed_secrets.names() == ("dealt share",)
            assert leftovers(federation.directory(position)) == []
