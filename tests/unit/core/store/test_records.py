"""The small typed tables: settings, secrets, sessions, messages, ledger, history."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import Bug, ProtocolViolation, UserError
from app.core.store.profile import Profile

S, M, C = b"session-".ljust(16), b"message-".ljust(16), b"c" * 32


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Profile]:
    with Profile.create(tmp_path / "profile", program="test", now=1) as opened:
        yield opened


def test_settings_and_secrets(profile: Profile) -> None:
    assert profile.settings.get("x") is None
    profile.settings.put("x", b"1")
    profile.settings.put("x", b"2")
    assert profile.settings.get("x") == b"2"
    secrets = profile.sealed_secrets
    secrets.add("share/1", b"a")
    with pytest.raises(sqlite3.IntegrityError):
        secrets.add("share/1", b"b")
    secrets.replace("share/2", b"c")
    secrets.replace("share/2", b"d")
    assert secrets.names("share/") == ("share/1", "share/2")
    assert secrets.get("share/2") == b"d"
    secrets.remove("share/2")
    assert secrets.get("share/2") is None


def test_a_session_moves_only_from_where_it_is(profile: Profile) -> None:
    profile.sessions.add(S, kind="query", state="open", data=b"", now=5)
    profile.sessions.move(S, expected="open", state="closed", data=b"x", now=6)
    found = profile.sessions.get(S)
    assert found is not None
    assert (found.state, found.data, found.created, found.updated) == ("closed", b"x", 5, 6)
    with pytest.raises(Bug):
        profile.sessions.move(S, expected="open", state="closed", data=b"x", now=7)
    assert [each.id for each in profile.sessions.all(kind="query")] == [S]
    assert profile.sessions.all(kind="ceremony") == ()
    assert profile.sessions.get(M) is None


def test_a_state_and_its_messages_are_kept_together(profile: Profile) -> None:
    profile.sessions.add(S, kind="query", state="open", data=b"", now=5)
    with pytest.raises(RuntimeError), profile.database.atomic():  # noqa: PT012 - what atomic undoes
        profile.sessions.move(S, expected="open", state="closed", data=b"x", now=6)
        profile.outbox.queue(M, session=S, envelope=b"e", recipients=(1, 3), now=6)
        raise RuntimeError
    assert profile.outbox.unsent() == ()
    session = profile.sessions.get(S)
    assert session is not None
    assert session.state == "open"


def test_outbox_sends_the_stored_bytes(profile: Profile) -> None:
    profile.outbox.queue(M, session=S, envelope=b"e", recipients=(1, 3), now=6)
    profile.outbox.queue(b"n", session=S, envelope=b"f", recipients=(), now=6)
    with pytest.raises(sqlite3.IntegrityError):
        profile.outbox.queue(M, session=S, envelope=b"other", recipients=(), now=7)
    assert [(each.envelope, each.recipients) for each in profile.outbox.unsent()] == [(b"e", (1, 3)), (b"f", ())]
    profile.outbox.mark_sent(M, now=8)
    profile.outbox.mark_sent(M, now=9)
    assert [each.envelope for each in profile.outbox.unsent()] == [b"f"]
    assert [each.sent for each in profile.outbox.of_session(S)] == [8, None]


def test_inbox_takes_each_message_once(profile: Profile) -> None:
    inbox = profile.inbox
    assert inbox.receive(2, M, session=S, type="a", envelope=b"e", now=1)
    assert not inbox.receive(2, M, session=S, type="a", envelope=b"replayed", now=2)
    assert inbox.receive(1, M, session=S, type="b", envelope=b"f", now=3)
    stored = inbox.get(2, M)
    assert stored is not None
    assert stored.envelope == b"e"
    assert inbox.get(3, M) is None
    assert [each.sender for each in inbox.unhandled()] == [2, 1]
    inbox.mark_handled(2, M, now=4)
    assert [each.sender for each in inbox.unhandled()] == [1]
    assert [each.sender for each in inbox.of_session(S)] == [1, 2]
    assert [each.sender for each in inbox.of_session(S, "a")] == [2]


def reserve(profile: Profile, ciphertext: bytes = C, attempt: int = 1, quorum: bytes = b"q") -> bytes:
    entry = profile.shares.reserve(
        ciphertext, session=S, attempt=attempt, quorum=quorum, sealed_randomness=f"r{attempt}".encode(), now=1
    )
    return entry.sealed_randomness


def test_a_share_is_reserved_and_stored_once(profile: Profile) -> None:
    assert reserve(profile) == b"r1"
    again = profile.shares.reserve(C, session=S, attempt=1, quorum=b"q", sealed_randomness=b"fresh", now=2)
    assert again.sealed_randomness == b"r1"  # after a crash the share comes out as the same bytes
    assert again.share is None
    profile.shares.store(C, b"share", now=3)
    profile.shares.store(C, b"share", now=4)
    with pytest.raises(ProtocolViolation, match=r"ledger\.already_used"):
        profile.shares.store(C, b"another", now=5)
    entry = profile.shares.get(C)
    assert entry is not None
    assert (entry.share, entry.stored) == (b"share", 3)
    assert [each.attempt for each in profile.shares.of_session(S)] == [1]


@pytest.mark.parametrize("change", [{"quorum": b"other"}, {"attempt": 2}, {"ciphertext": b"d" * 32}])
def test_nothing_else_gets_a_share(profile: Profile, change: dict[str, object]) -> None:
    reserve(profile)
    with pytest.raises(ProtocolViolation, match=r"ledger\.already_used"):
        reserve(profile, **change)  # type: ignore[arg-type]


def test_storing_without_reserving_is_refused(profile: Profile) -> None:
    with pytest.raises(ProtocolViolation, match=r"ledger\.already_used"):
        profile.shares.store(C, b"share", now=3)


def test_releases_runs_refusals_backups(profile: Profile) -> None:
    profile.releases.add(S, query_hash=b"q", data=b"1", now=1)
    profile.releases.add(M, query_hash=b"q", data=b"2", now=2)
    assert [each.data for each in profile.releases.of_query(b"q")] == [b"2", b"1"]
    assert profile.releases.get(b"none") is None
    profile.runs.add(S, text="age >= 50", state="asked", data=b"x", now=1)
    profile.runs.update(S, state="done", now=2)
    run = profile.runs.get(S)
    assert run is not None
    assert (run.state, run.data, profile.runs.all()) == ("done", b"x", (run,))
    with pytest.raises(Bug):
        profile.runs.update(M, state="done", now=2)
    profile.refusals.add("envelope.replayed", sender=None, details={"id": "x", "n": 1}, now=3)
    assert [(each.code, each.sender, each.details) for each in profile.refusals.all()] == [
        ("envelope.replayed", None, {"id": "x", "n": 1})
    ]
    assert profile.backups.last() is None
    profile.backups.add("sheet", now=4)
    profile.backups.add("file", now=5)
    assert profile.backups.last() == (5, "file")
    assert profile.backups.all() == ((4, "sheet"), (5, "file"))


def test_one_dataset_is_active(profile: Profile) -> None:
    def add(id: bytes) -> int:
        with profile.database.atomic():
            profile.preparers.pin(b"k", name="", now=1)
            return profile.datasets.add(id, manifest_hash=b"m", header=b"h", report=b"r", preparer=b"k", now=1).version

    profile.imports.begin(b"2", manifest_hash=b"m", now=1)
    assert (add(b"1"), add(b"2")) == (1, 2)
    assert profile.imports.all() == ()
    active = profile.datasets.active()
    assert active is not None
    assert active.id == b"2"
    with pytest.raises(UserError, match=r"dataset\.active"):
        profile.datasets.remove(b"2")
    profile.datasets.activate(b"1")
    with pytest.raises(UserError, match=r"dataset\.not_found"):
        profile.datasets.activate(b"3")
    assert [each.active for each in profile.datasets.all()] == [True, False]
    profile.datasets.remove(b"2")
    with pytest.raises(UserError, match=r"dataset\.not_found"):
        profile.datasets.remove(b"2")
