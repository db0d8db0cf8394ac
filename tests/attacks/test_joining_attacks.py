"""A hostile relay, a hostile invited site and a hostile creator: what each tries while a federation comes together."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from app.core.crypto.identity import MemberKey
from app.core.errors import ConsiliumError, ProtocolViolation
from app.core.federation import envelope as envelopes
from app.core.federation import joining_messages as messages
from app.core.federation.invitation import Invitation, read_invitation
from app.core.federation.joining_creator import CreatorDesk, proposal_of
from app.core.federation.joining_invited import InvitedDesk
from app.core.federation.joining_messages import Confirmed, Program, Proposal, Signature, SignedBy
from app.core.federation.roster import Roster
from app.core.secret import SecretBytes
from app.core.services import site as service
from app.core.services.federation_status import State, status
from app.core.services.membership import desk_of
from app.core.services.talking import at_once
from tests.joining_sites import Gathering, Member

MALLORY = MemberKey.from_root(SecretBytes(bytes([66]) * 32))


def refused(code: str) -> pytest.RaisesExc[ConsiliumError]:
    return pytest.RaisesExc(ConsiliumError, check=lambda error: error.code == code)


def creator(g: Gathering) -> CreatorDesk:
    desk = desk_of(g["A"])
    assert isinstance(desk, CreatorDesk)
    return desk


def invited(g: Gathering, name: str) -> InvitedDesk:
    desk = desk_of(g[name])
    assert isinstance(desk, InvitedDesk)
    return desk


def intrude(g: Gathering, directory: str, name: str, invitation: Invitation, **pretended: Any) -> None:
    """Use an invitation without asking whether it is meant for us."""
    profile = g.open(name, directory)
    desk = InvitedDesk(profile, invitation.federation_id)
    line = g.relay.connect(profile.member_key)
    asking = desk.ask(invitation)
    line.join(invitation.secret)
    members = tuple(
        dataclasses.replace(each, **pretended) if each.key == profile.member_public else each for each in line.members()
    )
    desk.introduce(asking, members)
    for message in profile.store.outbox.unsent():
        line.send(message.envelope, message.recipients)


# --- the relay ------------------------------------------------------------------------------------------------------


def test_a_relay_that_shows_another_creator_is_caught(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        text = g.invite("B")
        g.relay.swap = lambda key: MALLORY.public if key == g["A"].member_public else key
        with refused("joining.creator_differs"):
            g.join("B", text)
        assert g.refusals("B") == ["joining.creator_differs"]
        assert not g["B"].store.outbox.unsent()
        assert service.membership(g["B"]) is None


def test_a_relay_cannot_join_by_an_invitation_it_has_registered(tmp_path: Path) -> None:
    """It knows the admission secret once the site has shown it, never the invitation's own."""
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        invitation = read_invitation(g.invite("B"))
        g.relay.members.append(Member(MALLORY.public, False, b"", 9))
        wrong = dataclasses.replace(invitation, secret=SecretBytes(bytes(32)))
        real = messages.session_of(invitation.federation_id, invitation.id)
        introduction = messages.Introduction(
            "B", "B", MALLORY.public, messages.THIS_PROGRAM, bytes(32), 1, invitation.id
        ).sealed_with(wrong.secret, invitation.federation_id, invitation.creator_fingerprint)
        data = forged(g, messages.INTRODUCTION, real, introduction.to_plain(), MALLORY, 9)
        with refused("joining.not_invited"):
            service.receive(g["A"], data)
        assert status(g["A"]).sites[1].state == State.INVITED


def forged(g: Gathering, type_: str, session: bytes, body: object, key: MemberKey, sender: int) -> bytes:
    """A message to the creator that anyone could make."""
    known = service.membership(g["A"])
    assert known is not None
    context = envelopes.body_context(
        federation=known.federation_id, type=type_, sender=sender, recipients=(1,), session=session, id=bytes(16)
    )
    sealed = envelopes.seal_body(messages.codec.encode(body), {1: g["A"].member_public}, context)
    message = envelopes.Envelope(known.federation_id, type_, sender, (1,), session, bytes(16), 1, sealed)
    return envelopes.sign(message, key)


def test_replays_and_reorderings_change_nothing(tmp_path: Path) -> None:
    with Gathering(tmp_path) as g:
        g.relay.on_the_way = lambda data: (data, data)
        g.gather("B", "C")
        service.start(g["A"])
        g.settle()
        before = {name: g[name].store.sessions.all(kind="proposed roster") for name in "ABC"}
        for name, data in itertools.product("ABC", reversed(g.relay.log)):
            with pytest.raises(ProtocolViolation) if not _known(g, name, data) else _nothing():
                assert not service.receive(g[name], data)
        assert {name: g[name].store.sessions.all(kind="proposed roster") for name in "ABC"} == before
        assert len({roster.hash for name in "ABC" if (roster := g[name].roster) is not None}) == 1


class _nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


def _known(g: Gathering, name: str, data: bytes) -> bool:
    return g[name].store.inbox.get(*envelopes.claimed(data).key) is not None


def test_a_message_altered_anywhere_is_refused(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        g.join("B")
        (data,) = g.relay.at(1).mailbox
        for place in range(0, len(data), 97):
            altered = bytearray(data)
            altered[place] ^= 1
            with pytest.raises(ProtocolViolation):
                service.receive(g["A"], bytes(altered))
        for size in range(0, len(data), 301):
            with pytest.raises(ProtocolViolation):
                service.receive(g["A"], data[:size])
        assert service.receive(g["A"], data)


def test_facts_of_another_creator_and_of_a_second_time_are_refused(tmp_path: Path) -> None:
    with Gathering(tmp_path) as g:
        g.gather("B")
        desk, here = creator(g), invited(g, "B").here()
        with g["A"].store.database.atomic():
            desk.say(messages.FACTS, here.session.id, desk._facts(), {here.place: g["B"].member_public})
        (sent,) = g["A"].store.outbox.unsent()
        with refused("joining.facts_twice"):
            service.receive(g["B"], sent.envelope)
        pretender = envelopes.sign(dataclasses.replace(envelopes.claimed(sent.envelope), id=bytes(16)), MALLORY)
        with refused("envelope.bad_signature"):
            service.receive(g["B"], pretender)


def test_a_catalogue_that_the_relay_replaces_is_not_used(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        g.join("B")
        for name in g.relay.blobs:
            g.relay.blobs[name] = b"another"
        for _ in range(3):
            g.work("A")
            g.work("B")
        assert invited(g, "B").catalogue is None
        with refused("post.blob_altered"):
            at_once(service.advance(g["B"], g.line("B")))


def test_a_dropped_introduction_confirms_nothing(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        g.relay.on_the_way = lambda data: ()
        g.join("B")
        g.settle()
        assert status(g["A"]).sites[1].state == State.INVITED


# --- whoever has an invitation that is not theirs ---------------------------------------------------------------------


def test_a_thief_of_the_invitation_is_shown_by_the_words(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        text = g.invite("B")
        intrude(g, "thief", "B", read_invitation(text))
        g.work("A")
        with refused("relay.invitation_refused"):
            g.join("B", text)
        shown = status(g["A"]).sites[1]
        assert shown.state == State.JOINED
        # the real B is let in by a relay that works with the thief: its words are others, and it is refused
        g.relay.members.append(Member(g["B"].member_public, False, b"", 7))
        words = g.join("B", text).words
        assert words != shown.words
        with refused("joining.words_differ"):
            service.confirm(g["A"], "B", " ".join(words))
        g.work("A")
        assert g.refusals("A") == ["joining.words_differ", "joining.invitation_used"]
        # a new invitation puts it right
        g.join("B", g.invite("B", again=True))
        g.settle()
        g.confirm("B")
        g.settle()
        service.start(g["A"])
        g.settle()
        roster = g["A"].roster
        assert roster is not None
        assert roster.sites[1].key == g["B"].member_public


def test_a_site_of_another_name_is_refused(tmp_path: Path) -> None:
    with Gathering(tmp_path, []) as g:
        g.create()
        intrude(g, "mallory", "Mallory", read_invitation(g.invite("B")))
        g.work("A")
        assert g.refusals("A") == ["joining.wrong_name"]
        assert status(g["A"]).sites[1].state == State.INVITED


def test_a_site_cannot_join_twice_with_one_key(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        g.join("B")
        g.settle()
        invitation = read_invitation(g.invite("C"))
        desk, line = InvitedDesk(g["B"], invitation.federation_id), g.line("B")
        g["B"].store.settings.put("site name", b"C")
        desk.introduce(desk.ask(invitation), line.members())
        g.settle()
        assert g.refusals("A") == ["joining.key_used"]


@pytest.mark.parametrize("place", [1, 2])
def test_a_site_cannot_take_a_place_that_is_taken(place: int, tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B", "C"]) as g:
        g.create()
        g.join("B")
        g.settle()
        invitation = read_invitation(g.invite("C"))
        real = messages.session_of(invitation.federation_id, invitation.id)
        introduction = messages.Introduction(
            "C", "C", MALLORY.public, messages.THIS_PROGRAM, bytes(32), 1, invitation.id
        ).sealed_with(invitation.secret, invitation.federation_id, invitation.creator_fingerprint)
        data = forged(g, messages.INTRODUCTION, real, introduction.to_plain(), MALLORY, place)
        with refused("joining.place_used"):
            service.receive(g["A"], data)


def test_an_introduction_after_the_end_is_refused(tmp_path: Path) -> None:
    with Gathering(tmp_path, []) as g:
        g.create()
        invitation = read_invitation(g.invite("B"))
        real = messages.session_of(invitation.federation_id, invitation.id)
        introduction = messages.Introduction(
            "B", "B", MALLORY.public, messages.THIS_PROGRAM, bytes(32), invitation.expires + 1, invitation.id
        ).sealed_with(invitation.secret, invitation.federation_id, invitation.creator_fingerprint)
        with refused("joining.too_late"):
            service.receive(g["A"], forged(g, messages.INTRODUCTION, real, introduction.to_plain(), MALLORY, 2))


def test_strangers_and_wrong_sides_are_refused(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.gather("B")
        session = creator(g).site("B").session.id
        body = Confirmed(bytes(32)).to_plain()
        with refused("joining.stranger"):
            service.receive(g["A"], forged(g, messages.CONFIRMED, bytes(32), body, MALLORY, 2))
        with refused("envelope.bad_signature"):
            service.receive(g["A"], forged(g, messages.CONFIRMED, session, body, MALLORY, 2))
        with refused("joining.other_words"):
            service.receive(g["A"], forged(g, messages.CONFIRMED, session, body, g["B"].member_key, 2))
        with refused("joining.wrong_side"):
            service.receive(g["A"], forged(g, messages.FACTS, session, body, g["B"].member_key, 2))
        with refused("joining.stranger"):
            service.receive(g["A"], forged(g, messages.SIGNATURE, session, body, g["B"].member_key, 2))
        with refused("envelope.unknown_type"):
            service.receive(g["A"], forged(g, "joining.other", session, body, g["B"].member_key, 2))


def test_a_signature_of_another_roster_is_refused_and_named(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.gather("B")
        session = service.start(g["A"])
        other = dataclasses.replace(proposal_of(session).roster, nonce=bytes(32))
        for signature in (other.sign(g["B"].member_key), proposal_of(session).roster.sign(MALLORY)):
            data = forged(g, messages.SIGNATURE, session.id, Signature(signature).to_plain(), g["B"].member_key, 2)
            with refused("roster.bad_signature"):
                service.receive(g["A"], data)
        g.settle()
        assert g["B"].roster is not None


# --- the creator ----------------------------------------------------------------------------------------------------


def _without_us(roster: Roster) -> Roster:
    return dataclasses.replace(
        roster, sites=(roster.sites[0], dataclasses.replace(roster.sites[1], key=MALLORY.public))
    )


def _with_contact(roster: Roster) -> Roster:
    return dataclasses.replace(roster, sites=(roster.sites[0], dataclasses.replace(roster.sites[1], contact="?")))


def _of_mallory(roster: Roster) -> Roster:
    return dataclasses.replace(
        roster, sites=(dataclasses.replace(roster.sites[0], key=MALLORY.public), roster.sites[1])
    )


def _with_third(roster: Roster) -> Roster:
    third = dataclasses.replace(roster.sites[1], name="Z", key=MALLORY.public, position=3)
    return dataclasses.replace(roster, sites=(*roster.sites, third))


def _change(**changes: Any) -> Callable[[Roster], Roster]:
    return lambda roster: dataclasses.replace(roster, **changes)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_without_us, "us"),
        (_with_contact, "us"),
        (_of_mallory, "creator"),
        (_with_third, "quorum"),
        (_change(catalogue_hash=bytes(32)), "catalogue"),
        (_change(name="Other"), "federation"),
        (_change(federation_id=bytes(32)), "federation"),
        (_change(previous=bytes(32)), "federation"),
    ],
)
def test_a_roster_that_is_not_what_was_confirmed_is_not_signed(
    change: Callable[[Roster], Roster], code: str, tmp_path: Path
) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.gather("B")
        roster = change(proposal_of(service.start(g["A"])).roster)
        _propose(g, Proposal(roster, tuple(messages.THIS_PROGRAM for _ in roster.sites)))
        assert g.refusals("B") == [f"joining.proposal_{code}"]
        (proposal,) = g["B"].store.sessions.all(kind="proposed roster")
        assert proposal.state == "refused"


def _propose(g: Gathering, proposal: Proposal) -> None:
    """Send B a proposal directly."""
    desk, store = creator(g), g["A"].store
    with store.database.atomic():
        for message in store.outbox.unsent():
            store.outbox.mark_sent(message.id, now=1)
        desk.say(messages.PROPOSAL, proposal.roster.hash, proposal, {2: g["B"].member_public})
    (sent,) = store.outbox.unsent()
    service.receive(g["B"], sent.envelope)
    store.outbox.mark_sent(sent.id, now=1)


def test_a_refusal_is_told_to_the_creator(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.gather("B")
        g["B"].store.settings.put("site contact", b"somebody else")
        service.start(g["A"])
        g.settle()
        shown = status(g["A"]).sites[1]
        assert (shown.state, shown.reason) == (State.REFUSED, "joining.proposal_us")
        assert g["A"].roster is None


def test_a_program_that_is_not_ours_is_not_signed_for(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.gather("B")
        roster = proposal_of(service.start(g["A"])).roster
        _propose(g, Proposal(roster, (messages.THIS_PROGRAM, Program("0.0", messages.THIS_PROGRAM.formats))))
        assert g.refusals("B") == ["joining.proposal_program"]


def test_nothing_is_signed_before_our_person_has_confirmed(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        g.join("B")
        g.settle()
        service.confirm(g["A"], "B", g.words("B"))
        desk = creator(g)
        site = desk.site("B")
        with g["A"].store.database.atomic():  # a creator that claims to have heard so
            desk.move(site.session, "joined", {**messages.codec.decode(site.session.data, 1 << 20), "theirs": 1})
        service.start(g["A"])
        g.settle()
        assert g.refusals("B") == ["joining.proposal_unready"]
        assert g["A"].roster is None


def test_a_site_whose_federation_is_ready_does_not_sign_another_roster(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.gather("B")
        service.start(g["A"])
        g.settle()
        roster = g["A"].roster
        assert roster is not None
        for name, state in (("A", "failed"), ("B", "ready")):
            with g[name].store.database.atomic():
                g[name].store.sessions.add(roster.ceremony, kind="ceremony", state=state, data=b"\xa0", now=1)
        service.start(g["A"])
        g.settle()
        assert g.refusals("B") == ["joining.proposal_ready"]
        assert g["B"].roster == roster


def test_an_older_proposal_after_a_newer_one_is_refused(tmp_path: Path) -> None:
    with Gathering(tmp_path) as g:
        g.gather("B", "C")
        held: list[bytes] = []

        def hold(data: bytes) -> Iterable[bytes]:
            held.append(data)
            return ()

        g.relay.on_the_way = hold
        service.start(g["A"])
        g.work("A")
        first = held[0]
        service.start(g["A"], without=["C"])
        g.work("A")
        g.relay.on_the_way = lambda data: (data,)
        service.receive(g["B"], held[-1])
        with refused("joining.proposal_old"):
            service.receive(g["B"], first)
        assert service.receive(g["C"], first)
        g.settle()
        roster = g["B"].roster
        assert roster is not None
        assert [site.name for site in roster.sites] == ["A", "B"]
        assert g["C"].roster is None


def test_a_roster_without_every_signature_is_not_installed(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.gather("B")
        session = service.start(g["A"])
        g.relay.on_the_way = lambda data: (data,)
        g.work("A")
        g.work("B")
        roster, desk = proposal_of(session).roster, creator(g)
        ours, theirs = roster.sign(g["A"].member_key), roster.sign(g["B"].member_key)
        for signatures in ((ours,), (ours, ours), (ours, theirs, theirs), ()):
            with g["A"].store.database.atomic():
                desk.say(messages.ROSTER, roster.hash, SignedBy(signatures), {2: g["B"].member_public})
            *_, sent = g["A"].store.outbox.unsent()
            with pytest.raises(ProtocolViolation):
                service.receive(g["B"], sent.envelope)
        assert g["B"].roster is None
