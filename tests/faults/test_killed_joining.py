"""A site that dies anywhere while a federation comes together goes on from its disk, and repeats safely."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.core.federation import envelope as envelopes
from app.core.services import site as service
from app.core.store.database import SiteDatabase
from tests.joining_sites import Connection, Gathering

AT_THE_RELAY = ("found", "invite", "join", "give_places", "members", "send", "publish", "fetch")


class Killed(BaseException):
    """The process is gone."""


class Killer:
    """Kills at the ``at``-th point: before or after a commit, before or after the relay did something."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0

    def point(self) -> None:
        self.count += 1
        if self.count == self.at:
            raise Killed


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Killer]:
    """Counts, and kills once ``at`` is set."""
    made = Killer(0)
    atomic = SiteDatabase.atomic

    @contextmanager
    def mortal(database: SiteDatabase) -> Iterator[None]:
        outermost = not database._database.conn.in_transaction
        with atomic(database):
            yield
            if outermost:
                made.point()
        if outermost:
            made.point()

    def around(name: str) -> Callable[..., Any]:
        real = getattr(Connection, name)

        def call(self: Connection, *arguments: Any) -> Any:
            made.point()
            done = real(self, *arguments)
            made.point()
            return done

        return call

    monkeypatch.setattr(SiteDatabase, "atomic", mortal)
    for name in AT_THE_RELAY:
        monkeypatch.setattr(Connection, name, around(name))
    return made


def live(g: Gathering) -> None:
    """Bring A and B into a federation; whoever is killed is begun again and does the same again."""
    texts: list[str] = []
    again(g, "A", g.create)
    again(g, "A", lambda: texts.append(g.invite("B")))
    again(g, "B", lambda: g.join("B", texts[-1]))
    settle(g)
    words = g.words("B")
    again(g, "B", lambda: service.confirm(g["B"], "A", words))
    settle(g)
    again(g, "A", lambda: service.confirm(g["A"], "B", words))
    settle(g)
    again(g, "A", lambda: service.start(g["A"]))
    settle(g)


def settle(g: Gathering) -> None:
    for _ in range(6):
        for name in "AB":
            again(g, name, lambda name=name: g.work(name))  # type: ignore[misc]


def again(g: Gathering, name: str, action: Callable[[], object]) -> None:
    try:
        action()
    except Killed:
        g.reopen(name)
        action()


def check(g: Gathering) -> None:
    """Both have the same roster, every message was said once, nothing was refused, no secret is left."""
    one, other = g["A"].roster, g["B"].roster
    assert one is not None
    assert other is not None
    assert one.hash == other.hash
    types = [envelopes.claimed(data).type for data in g.relay.log]
    assert sorted(types) == sorted(
        [
            "joining.introduction",
            "joining.facts",
            "joining.confirmed",
            "joining.confirmed",
            "joining.proposal",
            "joining.signature",
            "joining.roster",
        ]
    )
    for name in "AB":
        assert g.refusals(name) == []
        assert not g[name].store.outbox.unsent()
        assert not g[name].store.sealed_secrets.names("invitation/")
        assert len(g[name].store.sessions.all(kind="proposed roster")) == 1


def test_a_kill_at_any_point_changes_nothing(tmp_path: Path, killer: Killer) -> None:
    with Gathering(tmp_path / "whole", ["B"]) as g:
        live(g)
        check(g)
    points, killer.count = killer.count, 0
    assert points > 60
    for point in range(1, points + 1):
        with Gathering(tmp_path / str(point), ["B"]) as g:
            killer.at, killer.count = point, 0
            try:
                live(g)
            finally:
                killer.at = 0
            check(g)
