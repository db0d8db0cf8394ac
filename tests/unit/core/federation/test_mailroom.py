"""Sending and receiving between two sites: stored before it is sent, kept once, refused and recorded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import PeerProblem, ProtocolViolation
from app.core.federation import mailroom as mailrooms
from app.core.federation import query_messages as messages
from app.core.federation.mailroom import LocalPost
from tests.federation_sites import Federation

SESSION = bytes(range(32))


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    with Federation(tmp_path, 3, 2) as made:
        yield made


def heard(federation: Federation, position: int) -> list[tuple[int, object]]:
    return list(federation[position].mailroom.heard(SESSION, messages.FAIL))


def test_a_message_reaches_its_readers_and_its_sender(federation: Federation) -> None:
    federation[1].say(messages.FAIL, SESSION, {"code": "for all"})
    federation[1].say(messages.FAIL, SESSION, {"code": "for 2"}, (2,))
    assert federation[1].mailroom.deliver(federation.post) == 2
    assert federation[1].mailroom.deliver(federation.post) == 0
    assert federation.post.carry() == 3
    assert heard(federation, 1) == heard(federation, 2) == [(1, "for all"), (1, "for 2")]
    assert heard(federation, 3) == [(1, "for all")]
    assert all(node.refusals == [] for node in federation.nodes.values())


def test_nothing_is_queued_if_the_change_it_tells_is_not_kept(federation: Federation) -> None:
    node = federation[1]

    def change() -> None:
        with node.profile.database.atomic():
            node.mailroom.post(messages.FAIL, SESSION, {"code": "x"})
            node.profile.sealed_secrets.add("taken", b"")

    node.profile.sealed_secrets.add("taken", b"")
    with pytest.raises(sqlite3.IntegrityError):
        change()
    assert node.mailroom.unsent() == ()
    assert heard(federation, 1) == []


def test_a_retry_sends_the_stored_bytes(federation: Federation) -> None:
    node = federation[1]
    node.say(messages.FAIL, SESSION, {"code": "x"})
    [before] = node.mailroom.unsent()

    class Broken(LocalPost):
        def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
            raise PeerProblem("post.blob_missing", name="")

    with pytest.raises(PeerProblem):
        node.mailroom.deliver(Broken())
    federation.stop(1)
    [after] = federation.start(1).mailroom.unsent()
    assert after == before
    federation[1].mailroom.deliver(federation.post)
    federation.post.carry()
    assert heard(federation, 2) == [(1, "x")]


def test_a_draft_is_heard_by_nobody_until_it_is_queued(federation: Federation) -> None:
    node = federation[1]
    draft = node.mailroom.draft(messages.FAIL, SESSION, {"code": "x"})
    assert heard(federation, 1) == []
    assert node.mailroom.unsent() == ()
    node.mailroom.queue(draft)
    assert heard(federation, 1) == [(1, "x")]
    assert [message.envelope for message in node.mailroom.unsent()] == [draft.envelope]


def test_a_message_to_ourselves_alone_is_not_sent(federation: Federation) -> None:
    federation[2].say(messages.FAIL, SESSION, {"code": "x"}, (2,))
    assert federation[2].mailroom.unsent() == ()
    assert heard(federation, 2) == [(2, "x")]


def test_our_own_message_coming_back_is_nothing_new(federation: Federation) -> None:
    node = federation[1]
    node.say(messages.FAIL, SESSION, {"code": "x"})
    [message] = node.mailroom.unsent()
    assert node.mailroom.receive(message.envelope) is False
    assert node.refusals == []


def test_what_is_heard_is_remembered_but_not_for_ever(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailrooms, "_REMEMBERED", 2)
    for number in range(5):
        federation[1].say(messages.FAIL, SESSION, {"code": f"number {number}"})
    for _ in range(2):
        assert [body for _, body in heard(federation, 1)] == [f"number {number}" for number in range(5)]
    assert len(federation[1].mailroom._remembered) <= 2


def test_a_site_that_is_away_gets_it_later(federation: Federation) -> None:
    federation.stop(2)
    federation[1].say(messages.FAIL, SESSION, {"code": "x"})
    federation[1].mailroom.deliver(federation.post)
    assert federation.post.carry() == 1
    federation.start(2)
    assert federation.post.carry() == 1
    assert heard(federation, 2) == [(1, "x")]


def test_a_blob_is_fetched_once_and_checked(federation: Federation) -> None:
    name = federation[1].profile.blobs.put(b"content", limit=10)
    post = federation.post
    federation[2].mailroom.blob(post, name, 10)
    assert federation[2].profile.blobs.get(name, limit=10) == b"content"
    federation[1].profile.blobs.remove(name)
    federation[2].mailroom.blob(post, name, 10)  # it is here
    with pytest.raises(PeerProblem, match=r"post\.blob_missing"):
        federation[3].mailroom.blob(LocalPost(), name, 10)
    assert federation[3].refusals == []


@pytest.mark.parametrize(
    ("pieces", "code"), [([b"other"], "blob.altered"), ([b"con", b"tent", b"!" * 10], "blob.too_large")]
)
def test_a_blob_that_is_not_what_was_asked_for_is_not_kept(
    federation: Federation, pieces: list[bytes], code: str
) -> None:
    name = federation[1].profile.blobs.put(b"content", limit=10)

    class Altering(LocalPost):
        def fetch(self, name: bytes, limit: int) -> list[bytes]:
            return pieces

    with pytest.raises(PeerProblem, match=r"post\.blob_altered"):
        federation[2].mailroom.blob(Altering(), name, 10)
    assert name not in federation[2].profile.blobs
    assert federation[2].refusals == [(code, None)]


def test_the_local_post_carries_to_those_connected(federation: Federation) -> None:
    post = LocalPost()
    for node in federation.nodes.values():
        post.connect(node.mailroom, node.profile)
    post.disconnect(3)
    federation[1].say(messages.FAIL, SESSION, {"code": "x"})
    federation[1].mailroom.deliver(post)
    post.send(b"nonsense", (2,))
    assert post.carry() == 1
    assert [code for code, _ in federation[2].refusals] == ["envelope.malformed"]
    post.connect(federation[3].mailroom, federation[3].profile)
    assert (post.carry(), post.carry()) == (1, 0)
    name = federation[3].profile.blobs.put(b"blob", limit=10)
    assert b"".join(post.fetch(name, 10)) == b"blob"
    with pytest.raises(ProtocolViolation):
        federation[2].mailroom.receive(b"")
