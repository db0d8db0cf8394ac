"""Records: kept with what they tell of or not at all, cheap, never changed, and what an older profile begins with."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.federation.audit import BEGAN, BODY_LIMIT, CREATED, Entry, begin_new, record_as
from app.core.federation.audit_check import check_chain
from app.core.store.profile import Profile
from tests.audit_chains import KEY, made, opened, verified
from tests.federation_sites import Ticks


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Profile]:
    with Profile.create(tmp_path / "profile", program="tests", now=1_700_000_000_000) as created:
        yield created


def record(profile: Profile, kind: str = "decision", entry: Entry | None = None) -> None:
    record_as(profile, KEY, Ticks(), kind, entry or Entry())


def test_a_chain_begins_by_saying_whose_it_is(profile: Profile) -> None:
    begin_new(profile, KEY, Ticks(), name="Lausanne")
    record(profile)
    first, second = profile.audit.all()
    assert (first.number, first.kind, second.number) == (1, CREATED, 2)
    what = Entry.decode(first.body).what or {}
    assert (what["site"], what["fingerprint"]) == ("Lausanne", KEY.public.fingerprint.hex())


def test_the_chain_of_an_older_profile_says_that_it_is_one(profile: Profile) -> None:
    profile.refusals.add("envelope.malformed", sender=None, details={}, now=1)
    record(profile)
    first, _ = profile.audit.all()
    what = Entry.decode(first.body).what or {}
    assert first.kind == BEGAN
    assert (what["profile_created"], what["refusals"], what["questions"]) == (1_700_000_000_000, 1, 0)
    assert check_chain(profile.audit.all(), KEY.public).ok


def test_a_record_is_kept_with_what_it_tells_of_or_not_at_all(profile: Profile) -> None:
    record(profile)
    before = profile.audit.head()
    with suppress(KeyError), profile.database.atomic():
        record(profile, "released")
        raise KeyError
    assert profile.audit.head() == before
    record(profile)
    assert check_chain(profile.audit.all(), KEY.public).ok


def test_records_are_not_changed_or_removed(profile: Profile) -> None:
    record(profile)
    for statement in (
        "UPDATE audit SET at = 0",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit",
    ):
        with pytest.raises(sqlite3.IntegrityError), profile.database.atomic():
            profile.database.write(statement)


def test_a_record_costs_little(profile: Profile) -> None:
    record(profile)
    with profile.database.atomic():
        began = time.process_time()
        for number in range(200):
            record(profile, "request.received", Entry("Bern", {"question": "smoker" * 50, "n": number}))
        spent = time.process_time() - began
    assert spent / 200 < 0.002


def test_equal_records_have_different_digests(profile: Profile) -> None:
    """Others get the digests; what a record says cannot be found out by trying."""
    entry = Entry("", {"decision": "answer"})
    bodies = {entry.encode() for _ in range(5)}
    assert len(bodies) == 5
    assert all(Entry.decode(body) == entry for body in bodies)


@pytest.mark.parametrize(
    "what",
    [
        {"question": "x" * 200_000},
        {f"name {number}": "y" * 1_000 for number in range(500)},
        {f"name {number}": ["z"] * 1_000 for number in range(500)},
    ],
    ids=["text", "values", "lists"],
)
def test_what_is_too_long_is_cut(what: dict[str, object], profile: Profile) -> None:
    record(profile, "request.received", Entry("Bern", what))
    (row,) = profile.audit.of_kind("request.received", 5)
    assert len(row.body) <= BODY_LIMIT
    assert Entry.decode(row.body).who == "Bern"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"salt": b""},
        {"who": 1},
        {"why": None},
        {"what": None},
        {"what": {1: 2}},
        {"budget": []},
        {"more": 1},
    ],
)
def test_a_malformed_body_is_refused(change: dict[str, object]) -> None:
    body = codec.decode(Entry().encode(), 1 << 12)
    with pytest.raises(ProtocolViolation, match=r"audit\.malformed_record"):
        Entry.decode(codec.encode(body | change))


def test_every_kind_of_damage_has_its_name(tmp_path: Path) -> None:
    path = made(tmp_path / "profile", 6)
    assert verified(path).ok
    spoilt = {
        "audit.gap": "DELETE FROM audit WHERE number = 3",
        "audit.altered": "UPDATE audit SET kind = 'released' WHERE number = 4",
        "audit.bad_signature": "UPDATE audit SET signature = zeroblob(64) WHERE number = 4",
        "audit.broken_link": "UPDATE audit SET previous = zeroblob(32) WHERE number = 4",
        "audit.foreign_beginning": "UPDATE audit SET previous = zeroblob(32) WHERE number = 1",
        "audit.unreadable": "UPDATE audit SET body = x'00' WHERE number = 4",
        "audit.no_beginning": "UPDATE audit SET kind = 'released' WHERE number = 1",
        "audit.empty": "DELETE FROM audit",
        "audit.out_of_order": "UPDATE audit SET number = 0 WHERE number = 4",
    }
    whole = path.read_bytes()
    for code, statement in spoilt.items():
        path.write_bytes(whole)
        with opened(path) as database:
            database.execute(statement)
        assert code in {each.code for each in verified(path).problems}, code
