"""Heads of audit chains between real sites: what one rewrites, the others and the site itself see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.federation import audit, audit_heads, news
from app.core.federation.audit import FINDING, Entry
from app.core.federation.audit_check import Verified, check_chain
from app.core.federation.audit_heads import DAY, HOUR
from app.core.federation.joining_messages import AUDIT_FORMAT, THIS_PROGRAM, Program
from app.core.federation.mailroom import LocalPost, Mailroom
from app.core.store.audit import AuditRow
from tests.federation_sites import Federation

TYPES = {**news.MESSAGE_TYPES, **audit_heads.MESSAGE_TYPES}


class Sites:
    """Three sites that tell each other news and heads."""

    def __init__(self, federation: Federation) -> None:
        self.federation = federation
        self.post = LocalPost()
        self.rooms: dict[int, Mailroom] = {}
        for position in federation.positions:
            self.rooms[position] = Mailroom(federation[position].site, TYPES)
            self.post.connect(self.rooms[position], federation[position].profile)
            news.announce(federation[position].site, self.rooms[position])
        self.carry()

    def carry(self) -> None:
        """Deliver and take in until nobody has anything to say."""
        while True:
            for position, room in self.rooms.items():
                audit_heads.take_in(self.federation[position].site, room)
            sent = sum(room.deliver(self.post) for room in self.rooms.values())
            if not sent + self.post.carry():
                return

    def announce(self) -> None:
        for position, room in self.rooms.items():
            audit_heads.announce(self.federation[position].site, room)
        self.carry()

    def note(self, position: int, records: int = 1) -> None:
        for number in range(records):
            audit.record(self.federation[position].site, "policy.changed", what={"version": number})

    def later(self, milliseconds: int = HOUR) -> None:
        self.federation.clock.time += milliseconds

    def head_of(self, position: int, at: int) -> tuple[int, bytes] | None:
        """What the site ``at`` holds of the one at ``position``."""
        held = self.federation[at].profile.audit_heads.last(self.federation.roster.keys[position].verify)
        return None if held is None else (held.number, held.hash)

    def said(self) -> list[int]:
        """How many messages about heads each site has heard."""
        session = audit_heads.session_of(self.federation.roster)
        return [len(node.profile.inbox.of_session(session)) for node in self.federation.nodes.values()]

    def findings(self, position: int) -> list[tuple[str, str]]:
        """(code, site) of what a site has found, oldest first."""
        rows = self.federation[position].profile.audit.of_kind(FINDING, 100)
        entries = [Entry.decode(row.body) for row in reversed(rows)]
        return [(entry.why, str((entry.what or {})["site"])) for entry in entries]

    def check(self, position: int) -> Verified:
        profile, roster = self.federation[position].profile, self.federation.roster
        held = profile.audit_heads.witnesses()
        return check_chain(profile.audit.all(), roster.keys[position], witnesses=held, roster=roster)

    def rewrite(self, position: int, number: int, *, to: int = 0) -> None:
        """The site itself says something else from ``number`` on, with its own key: it ends with record ``to``."""
        profile, key = self.federation[position].profile, self.federation[position].site.key
        rows = list(profile.audit.all())
        with profile.database.atomic():
            profile.database.write("DROP TRIGGER audit_remains")
            profile.database.write("DELETE FROM audit WHERE number >= ?", (number,))
            for row in rows[number - 1 : to or len(rows)]:
                body = Entry(what={"never": "happened"}).encode()
                profile.audit.add(key, at=row.at, kind=row.kind, body=body)


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    with Federation(tmp_path, 3, 3) as federation:
        yield Sites(federation)


def codes(found: Verified) -> set[str]:
    return {each.code for each in found.problems}


def test_heads_are_told_once_an_hour_and_only_if_there_is_something_new(sites: Sites) -> None:
    sites.note(1, 3)
    sites.announce()
    head = sites.federation[1].profile.audit.head()
    assert sites.head_of(1, at=2) == sites.head_of(1, at=3) == head
    sites.note(1)
    sites.announce()
    assert sites.head_of(1, at=2) == head, "an hour has not passed"
    sites.later()
    sites.announce()
    assert sites.head_of(1, at=2) == sites.federation[1].profile.audit.head()
    sites.later()
    before = [
        len(sites.federation[each].profile.inbox.of_session(audit_heads.session_of(sites.federation.roster)))
        for each in (1, 2, 3)
    ]
    sites.announce()
    after = [
        len(sites.federation[each].profile.inbox.of_session(audit_heads.session_of(sites.federation.roster)))
        for each in (1, 2, 3)
    ]
    assert before == after, "quiet sites stay quiet"
    assert [sites.findings(each) for each in (1, 2, 3)] == [[], [], []]


def test_every_site_sees_what_is_held_of_it(sites: Sites) -> None:
    sites.note(1)
    sites.announce()
    sites.note(2)
    sites.later()
    sites.announce()
    found = sites.check(1)
    assert found.ok
    assert [(each.site, each.agrees) for each in found.held] == [(sites.federation.roster.sites[1].name, True)]


def test_a_restored_profile_asks_at_once_what_the_others_hold(sites: Sites) -> None:
    """It may have begun again what they know longer; a new one has nothing to ask."""
    for position in (1, 2):
        sites.note(position)
    audit.record(sites.federation[1].site, audit_heads.RESTORED)
    sites.announce()
    names = [site.name for site in sites.federation.roster.sites[1:]]
    assert sorted((each.site, each.agrees) for each in sites.check(1).held) == [(name, True) for name in sorted(names)]
    assert not sites.check(2).held


def test_what_once_agreed_is_no_proof_less_when_it_agrees_no_more(sites: Sites) -> None:
    """The head that others hold from before the rewriting is kept, though it had agreed and a later one agrees."""
    sites.note(1, 6)
    sites.announce()
    audit_heads.ask(sites.federation[1].site, sites.rooms[1])
    sites.carry()
    assert sites.check(1).held, "the first head came back"
    sites.rewrite(1, 3)
    sites.note(1)
    for _ in range(3):
        sites.later()
        audit_heads.ask(sites.federation[1].site, sites.rooms[1])
        sites.carry()
    assert codes(sites.check(1)) == {"audit.held_otherwise"}


@pytest.mark.parametrize("number", [2, 5])
def test_a_site_that_rewrites_its_past_with_its_own_key_is_found_out(number: int, sites: Sites) -> None:
    sites.note(1, 6)
    sites.announce()
    sites.rewrite(1, number)
    assert check_chain(sites.federation[1].profile.audit.all(), sites.federation.roster.keys[1]).ok
    sites.note(1)
    sites.later()
    sites.announce()
    name = sites.federation.roster.sites[0].name
    assert sites.findings(2) == sites.findings(3) == [("audit.rewritten", name)]
    audit_heads.ask(sites.federation[1].site, sites.rooms[1])
    sites.carry()
    assert codes(sites.check(1)) == {"audit.held_otherwise"}, "its own verification says so too"
    assert sites.findings(1)[0] == ("audit.own_rewritten", name)
    site = sites.federation[1].site
    assert audit_heads.lost(site, since=0), "both others say so: its ledger may be from an older copy"
    assert not audit_heads.lost(site, since=site.profile.audit.head()[0]), "a person has looked at it since"
    assert not audit_heads.lost(sites.federation[2].site, since=0), "what it has found of another is not about itself"


def test_a_chain_that_got_shorter_is_found_out(sites: Sites) -> None:
    sites.note(1, 6)
    sites.announce()
    sites.rewrite(1, 4, to=3)
    audit_heads.ask(sites.federation[1].site, sites.rooms[1])
    sites.carry()
    name = sites.federation.roster.sites[0].name
    assert sites.findings(2) == [("audit.shortened", name)]
    assert codes(sites.check(1)) == {"audit.held_longer"}


def test_it_stays_known_however_long_the_new_history_grows(sites: Sites) -> None:
    sites.note(1, 4)
    sites.announce()
    sites.rewrite(1, 2)
    for _ in range(3):
        sites.note(1, 3)
        sites.later()
        sites.announce()
    assert len(sites.findings(2)) == 1, "one rewriting is one finding"
    sites.note(2)
    sites.later()
    sites.announce()
    assert "audit.held_otherwise" in codes(sites.check(1))


def test_two_histories_told_to_two_sites_come_out(sites: Sites) -> None:
    sites.note(1, 3)
    key, roster = sites.federation[1].site.key, sites.federation.roster
    before = list(sites.federation[1].profile.audit.all())[-1]
    for reader, word in ((2, "yes"), (3, "no")):
        body = Entry(what={"said": word}).encode()
        row = AuditRow.signed(key, number=5, at=before.at, kind="policy.changed", body=body, previous=before.hash)
        tell(sites, 1, (reader,), number=5, hash=row.hash, first=5, steps=b"")
    sites.carry()
    sites.note(3)
    sites.announce()
    assert ("audit.two", roster.sites[0].name) in sites.findings(2)


def tell(sites: Sites, sender: int, recipients: tuple[int, ...], **body: Any) -> None:
    room, site = sites.rooms[sender], sites.federation[sender].site
    with site.profile.database.atomic():
        session = audit_heads.session_of(site.roster)
        room.post(audit_heads.HEAD, session, {"held": [], "ask": False, **body}, recipients)


def test_a_lost_message_is_made_good(sites: Sites) -> None:
    sites.note(1, 2)
    sites.announce()
    sites.note(1, 2)
    sites.later()
    kept, sites.post = sites.post, LocalPost()
    sites.announce()
    assert sites.head_of(1, at=2) != sites.federation[1].profile.audit.head()
    sites.post = kept
    for _ in range(3):
        sites.note(1)
        sites.later()
        sites.announce()
    assert sites.head_of(1, at=2) == sites.federation[1].profile.audit.head()
    assert sites.findings(2) == []


def test_what_never_connects_is_a_finding_after_a_day(sites: Sites) -> None:
    sites.note(1, 2)
    sites.announce()
    head = sites.head_of(1, at=2)
    for _ in range(2):
        sites.later(DAY)
        tell(sites, 1, (2,), number=90, hash=bytes(32), first=90, steps=b"")
        sites.carry()
    assert sites.head_of(1, at=2) == head, "what is held stays"
    assert sites.findings(2) == [("audit.unproven", sites.federation.roster.sites[0].name)]


def test_a_program_that_does_not_know_heads_is_told_none(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    older = {name: versions for name, versions in THIS_PROGRAM.formats.items() if name != AUDIT_FORMAT}
    monkeypatch.setattr(news, "THIS_PROGRAM", Program("0.1", older))
    news.announce(sites.federation[3].site, sites.rooms[3])
    sites.carry()
    sites.note(1)
    sites.announce()
    assert sites.head_of(1, at=2) is not None
    assert sites.head_of(1, at=3) is None
    assert sites.federation[3].refusals == []


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"hash": bytes(31)},
        {"first": 3},
        {"steps": bytes(33)},
        {"steps": bytes(64)},
        {"ask": 1},
        {"held": [[1, 2, bytes(32)]]},
        {"held": [[9, 2, bytes(32), bytes(64)]]},
        {"more": 1},
    ],
)
def test_a_malformed_head_is_refused(change: dict[str, Any], sites: Sites) -> None:
    body = {"number": 2, "hash": bytes(32), "first": 2, "steps": b"", "held": [], "ask": False, **change}
    with pytest.raises(Exception, match="audit.malformed_message"):
        audit_heads.MESSAGE_TYPES[audit_heads.HEAD](body, sites.federation.roster)


def test_a_held_head_that_its_holder_did_not_sign_is_refused(sites: Sites) -> None:
    sites.note(1)
    tell(sites, 2, (1,), number=1, hash=bytes(32), first=1, steps=b"", held=[[1, 1, bytes(32), bytes(64)]])
    sites.carry()
    assert sites.federation[1].refusals == [("identity.bad_signature", 2)]
    assert sites.check(1).ok
