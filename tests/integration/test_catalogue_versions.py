"""Sites publish, take in and accept versions of their catalogue: kept, resumed after a stop, refused if hostile."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core import codec
from app.core.catalogue.model import Catalogue
from app.core.crypto.vault import StorageCipher
from app.core.errors import PeerProblem, ProtocolViolation, UserError
from app.core.federation import catalogue_publishing, news
from app.core.federation.catalogue_links import Link
from app.core.federation.catalogue_publishing import PUBLISHED, Publication, session_of
from app.core.federation.joining_messages import THIS_PROGRAM
from app.core.secret import SecretBytes
from tests.catalogue_sites import Publishing, version
from tests.federation_sites import CATALOGUE, Federation


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Publishing]:
    with Publishing(tmp_path) as found:
        yield found


def refused(sites: Publishing, position: int) -> list[tuple[str, int | None]]:
    return sites.federation[position].refusals


def test_a_version_is_in_force_where_it_was_published_and_waits_elsewhere(sites: Publishing) -> None:
    sites.desks[1].publish(version(2), "One more variable.\nPlease look.")
    assert sites.in_force() == [2, 1, 1]
    sites.settle()
    assert [sites.waiting(position) for position in (1, 2, 3)] == [[], [2], [2]]
    sites.desks[3].accept(2)
    assert (sites.in_force(), sites.waiting(3)) == ([2, 1, 2], [])
    site = sites.federation[3].site
    assert (site.catalogue, site.catalogues.hash) == (version(2), version(2).hash)
    [row] = site.profile.catalogues.links()
    assert (row.author, row.note, row.previous) == (1, "One more variable.\nPlease look.", CATALOGUE.hash)
    assert site.profile.catalogues.all()[0].accepted
    assert list(site.profile.blobs.names()) == [], "what it came in is not kept"
    sites.desks[3].publish(version(3))
    sites.settle()
    assert [sites.waiting(position) for position in (1, 2, 3)] == [[3], [2, 3], []]
    sites.desks[2].accept(3)
    assert (sites.in_force(), sites.waiting(2)) == ([2, 3, 3], [])
    assert [refused(sites, position) for position in (1, 2, 3)] == [[], [], []]


def test_what_cannot_follow_is_not_published(sites: Publishing) -> None:
    def problem(catalogue: Any, note: str = "") -> tuple[str, dict[str, Any]]:
        with pytest.raises(UserError) as error:
            sites.desks[2].publish(catalogue, note)
        return error.value.code, dict(error.value.params)

    assert problem(replace(version(2), name="else"))[0] == "catalogue.other_name"
    assert problem(version(1)) == ("catalogue.not_newer", {"version": 1, "current": 1})
    assert problem(version(2), "x" * 501)[0] == problem(version(2), "\x1b[2J")[0] == "catalogue.bad_note"
    sites.desks[1].publish(version(2))
    sites.settle()
    assert problem(version(3)) == ("catalogue.accept_first", {"version": 2, "site": "Site 1"})
    with pytest.raises(UserError, match=r"catalogue\.not_waiting"):
        sites.desks[2].accept(1)
    with pytest.raises(UserError, match=r"catalogue\.not_waiting"):
        sites.desks[1].accept(2)
    assert sites.federation[2].profile.catalogues.in_force() is None


def test_publishing_is_all_or_nothing(sites: Publishing, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(sites.mailrooms[1], "post", full)
        with pytest.raises(OSError, match="full"):
            sites.desks[1].publish(version(2))
    profile = sites.federation[1].profile
    assert (sites.in_force()[0], profile.catalogues.links(), profile.catalogues.all()) == (1, (), ())
    assert profile.outbox.unsent() == ()
    sites.desks[1].publish(version(2))
    sites.settle()
    assert len(list(profile.blobs.names())) == 1, "the same catalogue makes the same blob again"
    assert sites.waiting(3) == [2]


def test_a_stop_at_any_point_loses_nothing(sites: Publishing) -> None:
    sites.desks[1].publish(version(2))
    sites.restart(1)  # before it is sent
    assert sites.in_force()[0] == 2
    sites.work(1)
    sites.federation.post.carry()
    sites.restart(2)  # heard, and not looked at
    sites.desks[2].take_in()
    assert sites.waiting(2) == []
    sites.restart(2)  # noted, and not fetched
    fetch = sites.federation.post.fetch
    sites.federation.post.fetch = away  # type: ignore[method-assign]
    sites.work(2)
    assert sites.waiting(2) == []
    sites.federation.post.fetch = fetch  # type: ignore[method-assign]
    sites.work(2)
    assert sites.waiting(2) == [], "what could not be had is not asked for again at once"
    sites.federation.clock.time += 2_000
    sites.work(2)
    sites.restart(2)
    assert sites.waiting(2) == [2]
    sites.desks[2].accept(2)
    sites.restart(2)
    assert sites.in_force() == [2, 2, 1]
    sites.settle()
    assert len(sites.federation.post.messages(PUBLISHED)) == 1, "it was said once"


def away(name: bytes, limit: int) -> list[bytes]:
    raise PeerProblem("post.blob_missing", name=name.hex())


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_of_two_published_at_the_same_time_the_same_one_goes_on_everywhere(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    mine, theirs = version(2, "a"), version(2, "b")
    with Publishing(tmp_path) as sites:
        sites.desks[1].publish(mine)
        sites.desks[2].publish(theirs)
        for position in order * 4:
            sites.work(position)
            sites.federation.post.carry()
        sites.settle()
        winner, loser = (1, 2) if mine.hash < theirs.hash else (2, 1)
        won = sites.federation[winner].site.catalogue
        assert [sites.waiting(position) for position in (winner, loser, 3)] == [[], [2], [2]]
        with pytest.raises(UserError, match=r"catalogue\.accept_first"):
            sites.desks[loser].publish(version(3))
        for position in (loser, 3):
            sites.desks[position].accept(2)
        assert {sites.federation[position].site.catalogue.hash for position in (1, 2, 3)} == {won.hash}
        sites.desks[loser].publish(version(3))
        sites.settle()
        assert [sites.waiting(position) for position in (winner, 3)] == [[3], [3]]


def test_who_missed_a_version_follows_the_next(sites: Publishing) -> None:
    sites.federation.post.alter = lambda position, data: [] if position == 3 else [(position, data)]
    sites.desks[1].publish(version(2))
    sites.settle()
    sites.federation.post.alter = None
    sites.desks[2].accept(2)
    sites.desks[2].publish(version(3))
    sites.settle()
    assert (sites.waiting(3), sites.waiting(1)) == ([3], [3])
    sites.desks[3].accept(3)
    assert [link.version for link in sites.federation[3].site.catalogues.chain()] == [2, 3]
    assert refused(sites, 3) == []


def test_it_is_told_to_a_program_that_reads_it_as_soon_as_there_is_one(tmp_path: Path) -> None:
    with Publishing(tmp_path, knowing=False) as sites:
        formats = {name: each for name, each in THIS_PROGRAM.formats.items() if name != "catalogue versions"}
        older = {"number": 1, "program": replace(THIS_PROGRAM, formats=formats).to_plain(), "backed_up": 0}
        with sites.federation[3].profile.database.atomic():
            sites.mailrooms[3].post(news.NEWS, news.session_of(sites.federation.roster), older)
        news.announce(sites.federation[2].site, sites.mailrooms[2])
        sites.settle()
        sites.desks[1].publish(version(2))
        sites.settle()
        assert [each.recipients for each in sites.federation.post.messages(PUBLISHED)] == [(2,)]
        news.announce(sites.federation[3].site, sites.mailrooms[3])  # it has been updated
        sites.settle()
        assert [each.recipients for each in sites.federation.post.messages(PUBLISHED)] == [(2,), (3,)]
        assert sites.waiting(3) == [2]


# --- hostile sites ----------------------------------------------------------------------------------------------------


def forged(federation: Federation, author: int, catalogue: bytes, number: int, content: bytes) -> Publication:
    """A publication whose bytes are what somebody wants them to be."""
    site = federation[author].site
    key = SecretBytes(bytes(32))
    sealed = StorageCipher(key, bytes).encrypt("published catalogue", content, federation.roster.federation_id)
    blob = site.profile.blobs.put(sealed, limit=1 << 20)
    link = Link(author, CATALOGUE.hash, catalogue, number, 1).signed(federation.roster.federation_id, site.key)
    return Publication((link,), "", blob, len(sealed), key)


def say(sites: Publishing, sender: int, body: object, session: bytes | None = None) -> None:
    with sites.federation[sender].profile.database.atomic():
        sites.mailrooms[sender].post(PUBLISHED, session or session_of(sites.federation.roster), body)


OTHER = replace(version(2), name="else")
BROKEN = codec.encode({**CATALOGUE.to_plain(), "variable": [], "version": 2})


@pytest.mark.parametrize(
    ("catalogue", "number", "content"),
    [
        (version(2).hash, 2, version(3).to_cbor()),
        (version(2).hash, 3, version(2).to_cbor()),
        (OTHER.hash, 2, OTHER.to_cbor()),
        (hashlib.sha256(BROKEN).digest(), 2, BROKEN),
        (hashlib.sha256(b"nothing").digest(), 2, b"nothing"),
    ],
    ids=["other bytes", "other number", "other name", "no catalogue", "nothing"],
)
def test_what_is_not_what_was_signed_is_refused_once(
    sites: Publishing, catalogue: bytes, number: int, content: bytes
) -> None:
    sites.dishonest.add(2)
    say(sites, 2, forged(sites.federation, 2, catalogue, number, content).to_plain())
    sites.settle()
    sites.settle()
    for position in (1, 3):
        assert refused(sites, position) == [("catalogue.published_differs", 2)]
        assert sites.waiting(position) == []
        assert sites.federation[position].profile.catalogues.all() == ()
        assert list(sites.federation[position].profile.blobs.names()) == []
    sites.desks[1].publish(version(2))  # and it can be published by who has it
    sites.settle()
    assert sites.waiting(3) == [2]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the catalogues that were read from blobs since."""
    found: list[int] = []

    class Counting(Catalogue):
        @classmethod
        def from_cbor(cls, data: bytes) -> Catalogue:
            found.append(len(data))
            return Catalogue.from_cbor(data)

    monkeypatch.setattr(catalogue_publishing, "Catalogue", Counting)
    return found


def test_what_is_not_what_was_signed_is_not_even_read(sites: Publishing, reads: list[int]) -> None:
    sites.dishonest.add(2)
    say(sites, 2, forged(sites.federation, 2, version(2).hash, 2, version(3).to_cbor()).to_plain())
    sites.settle()
    assert refused(sites, 1) == refused(sites, 3) == [("catalogue.published_differs", 2)]
    assert reads == []


def test_a_lie_is_read_once_whatever_it_is_said_to_follow(sites: Publishing, reads: list[int]) -> None:
    sites.dishonest.add(2)
    lie = forged(sites.federation, 2, hashlib.sha256(BROKEN).digest(), 9, BROKEN)
    for number in range(2, 7):
        between = forged(sites.federation, 2, version(number).hash, number, b"").link
        link = replace(lie.link, previous=between.catalogue)
        link = link.signed(sites.federation.roster.federation_id, sites.federation[2].site.key)
        say(sites, 2, replace(lie, chain=(between, link)).to_plain())
    sites.settle()
    assert reads == [len(BROKEN)] * 2, "once at each of the others"
    assert refused(sites, 3) == [("catalogue.published_differs", 2)]


def test_a_site_that_publishes_without_end_fills_nobodys_disk(sites: Publishing, reads: list[int]) -> None:
    sites.dishonest.add(2)
    most = catalogue_publishing._MOST_UNACCEPTED
    for number in range(2, most + 6):
        said = forged(sites.federation, 2, version(number).hash, number, version(number).to_cbor())
        say(sites, 2, said.to_plain())
    sites.settle()
    assert len(sites.federation[3].profile.catalogues.all()) == most
    assert list(sites.federation[3].profile.blobs.names()) == []
    assert len(reads) == 2 * most
    sites.settle()
    assert len(reads) == 2 * most, "and not again"
    sites.desks[1].accept(sites.waiting(1)[0])
    sites.settle()
    assert len(sites.federation[1].profile.catalogues.all()) == most + 1, "one was accepted: room for another"


def test_links_of_one_site_are_not_kept_without_end(sites: Publishing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_publishing, "_MOST_LINKS_OF_ONE", 3)
    sites.dishonest.add(2)
    for number in (2, 3, 4, 5, 6):
        said = forged(sites.federation, 2, version(number).hash, number, version(number).to_cbor())
        say(sites, 2, said.to_plain())
    sites.settle()
    assert refused(sites, 3) == [("catalogue.too_many_versions", 2)] * 2
    assert [row.version for row in sites.federation[3].profile.catalogues.links()] == [2, 3, 4]
    sites.desks[3].accept(sites.waiting(3)[-1])
    sites.desks[3].publish(version(9))  # others still can
    sites.settle()
    assert 9 in sites.waiting(1)


def test_naming_a_blob_of_somebody_else_does_not_remove_it(sites: Publishing) -> None:
    blobs = sites.federation[3].profile.blobs
    needed = blobs.put(b"a contribution that others wait for", limit=100)
    sites.desks[3].publish(version(2))
    sites.settle()
    [offered] = set(blobs.names()) - {needed}
    sites.dishonest.add(2)
    for number, blob in ((5, needed), (6, offered)):
        said = forged(sites.federation, 2, version(number).hash, number, version(number).to_cbor())
        say(sites, 2, replace(said, blob=blob).to_plain())
    sites.settle()
    assert {needed, offered} <= set(blobs.names())
    assert refused(sites, 3) == [("catalogue.published_differs", 2)] * 2


def test_only_the_author_publishes_and_only_newer_ones(sites: Publishing) -> None:
    sites.desks[1].publish(version(2))
    sites.settle()
    say(sites, 2, sites.said(1))
    say(sites, 2, forged(sites.federation, 2, version(1, "x").hash, 1, version(1, "x").to_cbor()).to_plain())
    say(sites, 2, forged(sites.federation, 2, version(9).hash, 9, version(9).to_cbor()).to_plain(), session=bytes(32))
    sites.settle()
    assert refused(sites, 3) == [
        ("catalogue.not_the_author", 2), ("catalogue.broken_chain", 2), ("catalogue.not_the_author", 2)
    ]  # fmt: skip
    assert sites.waiting(3) == [2]


@pytest.mark.parametrize(
    "changes",
    [
        {"chain": []},
        {"chain": [{}]},
        {"chain": [None] * 2001},
        {"note": None},
        {"note": "x" * 501},
        {"note": "\x00"},
        {"blob": bytes(31)},
        {"size": 0},
        {"size": 1 << 30},
        {"size": True},
        {"key": bytes(16)},
        {"more": 1},
    ],
)
def test_what_is_malformed_is_refused(sites: Publishing, changes: dict[str, object]) -> None:
    sites.desks[1].publish(version(2))
    body = sites.said(1, **changes)
    with pytest.raises(ProtocolViolation, match=r"catalogue\.malformed_(message|link)"):
        catalogue_publishing.MESSAGE_TYPES[PUBLISHED](body, sites.federation.roster)


def test_a_forged_signature_is_refused_on_arrival(sites: Publishing) -> None:
    sites.desks[1].publish(version(2))
    chain = sites.said(1)["chain"]
    assert isinstance(chain, list)
    say_anyway = {**sites.said(1), "chain": [{**chain[0], "version": 7}]}
    mailroom = sites.mailrooms[1]
    draft = mailroom.draft(PUBLISHED, session_of(sites.federation.roster), say_anyway)
    with pytest.raises(ProtocolViolation, match=r"catalogue\.bad_signature"):
        sites.mailrooms[2].receive(draft.envelope)
    assert refused(sites, 2) == [("catalogue.bad_signature", 1)]
