"""Who was last when at the relay: told to the minute, to the same federation, and by a new relay only."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import ProtocolViolation
from app.core.federation import relay_protocol as protocol
from app.core.federation.relay_protocol import HERE, Presence, decode_presence, encode_presence
from app.relay.refusals import Refusal
from app.relay.service import Service
from tests.relay_server import RelayServer, TestClock, found_federation, relay, running_relay

__all__ = ["relay"]
MINUTE = 60_000


def test_a_member_was_there_when_it_asked_for_messages(tmp_path: Path) -> None:
    clock = TestClock()
    with running_relay(tmp_path / "relay", clock=clock) as server:
        people = found_federation(server, 3)
        assert people[1].presence() == {}, "joining is not being there"
        people[2].receive(0)
        (seen,) = people[1].presence().values()
        assert seen.here
        assert seen.seen % MINUTE == 0
        assert 0 <= clock.now() - seen.seen < 2 * MINUTE
        clock.ahead += HERE + MINUTE
        people[3].receive(0)
        found = people[1].presence()
        assert {place: each.here for place, each in found.items()} == {2: False, 3: True}
        assert found[2] == Presence(seen.seen, False)


def test_another_federation_sees_nothing(relay: RelayServer) -> None:
    ours, theirs = found_federation(relay, 2), found_federation(relay, 2)
    ours[2].receive(0)
    assert set(ours[1].presence()) == {2}
    assert theirs[1].presence() == {}


def test_a_restart_forgets(relay: RelayServer) -> None:
    people = found_federation(relay, 2)
    people[2].receive(0)
    relay.stop()
    relay.start()
    assert people[1].presence() == {}


def test_an_older_relay_says_nothing(relay: RelayServer, monkeypatch: pytest.MonkeyPatch) -> None:
    people = found_federation(relay, 2)
    people[2].receive(0)

    def unknown(_service: Service, _member: object) -> bytes:
        raise Refusal("relay.not_found")  # what a path without a route is answered

    monkeypatch.setattr(Service, "presence", unknown)
    assert people[1].presence() == {}


def test_times_are_cut_to_minutes_and_what_is_malformed_is_refused() -> None:
    told = encode_presence(10 * MINUTE + 59_999, {3: 10 * MINUTE + 1, 1: 7 * MINUTE + 59_999, 2: 8 * MINUTE})
    assert decode_presence(told) == {
        1: Presence(7 * MINUTE, False), 2: Presence(8 * MINUTE, True), 3: Presence(10 * MINUTE, True)
    }  # fmt: skip
    for seen in ([[0, 1]], [[1]], [1], [[1, -1]], [[1, 2, 3]], [["1", 2]], 5):
        body = protocol.codec.encode({"version": 1, "time": 1, "seen": seen})
        with pytest.raises(ProtocolViolation, match=r"relay\.malformed"):
            decode_presence(body)
