"""The invited site's side of :mod:`app.core.federation.joining`: introducing itself, confirming, signing the roster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.core.catalogue.model import Catalogue
from app.core.crypto.identity import MemberPublicKey
from app.core.crypto.vault import StorageCipher
from app.core.errors import Bug, ProtocolViolation, UserError
from app.core.federation import joining_messages as messages
from app.core.federation.envelope import Envelope
from app.core.federation.invitation import Invitation
from app.core.federation.joining import (
    ANSWERED,
    ASKING,
    CATALOGUE,
    CREATOR,
    INSTALLED,
    JOINED,
    JOINING,
    PROPOSED_ROSTER,
    REFUSED,
    SEEN,
    SIGNED,
    SUPERSEDED,
    Desk,
    data_of,
    invitation_secret,
    open_catalogue,
)
from app.core.federation.joining_messages import (
    BLOB_LIMIT,
    THIS_PROGRAM,
    Confirmed,
    Facts,
    Introduction,
    LeftOut,
    Proposal,
    Refusal,
    Signature,
    SignedBy,
    same_name,
    session_of,
)
from app.core.federation.relay_protocol import RelayMember
from app.core.federation.roster import Roster, default_quorum
from app.core.federation.six_words import binding
from app.core.store.sessions import Session


@dataclass(frozen=True)
class Joining:
    """How far an invited site has come. Times are UTC ms, 0 for not yet; ``place`` 0 and no key before it is in."""

    session: Session
    federation: str
    creator: str
    contact: str
    fingerprint: bytes
    creator_key: MemberPublicKey | None
    place: int
    nonce: bytes
    ours: int
    theirs: int
    told: int
    facts: Facts | None
    left_out: int
    """Since when we know that a roster without us was proposed or is in force."""

    @classmethod
    def of(cls, session: Session) -> Joining:
        """Read what the session keeps."""
        data = {"left_out": 0, **data_of(session)}
        key, facts = data.pop("creator_key"), data.pop("facts")
        for name in ("site", "invitation", "expires"):
            del data[name]
        return cls(
            session=session,
            creator_key=None if key is None else MemberPublicKey.from_dict(key),
            facts=None if facts is None else Facts.from_plain(facts),
            **data,
        )

    @property
    def host(self) -> MemberPublicKey:
        """The creator's key, once it has been fetched and checked against the invitation."""
        if self.creator_key is None:
            raise ProtocolViolation("joining.stranger")
        return self.creator_key


@dataclass
class InvitedDesk(Desk):
    """The invited site at work."""

    # --- getting in -------------------------------------------------------------------------------------------------

    def joining(self) -> Joining | None:
        """Return how far we have come, or None before any invitation was used."""
        found = self.store.sessions.get(self.store.settings.get(JOINING) or b"")
        return None if found is None else Joining.of(found)

    def here(self) -> Joining:
        """Return how far we have come; it is known that we have begun."""
        found = self.joining()
        if found is None:
            raise Bug("joining.not_begun")
        return found

    def begun(self, invitation: Invitation) -> Joining | None:
        """Return how far we have come with an invitation, or None if it is new."""
        found = self.store.sessions.get(session_of(self.federation_id, invitation.id))
        return None if found is None else Joining.of(found)

    def ask(self, invitation: Invitation) -> Joining:
        """Keep a new invitation, before the relay hears of it."""
        id_ = session_of(self.federation_id, invitation.id)
        with self.store.database.atomic():
            self.keep_secret(invitation_secret(id_), invitation.secret)
            self.add(id_, JOINING, ASKING, self._begin(invitation))
        return Joining.of(self.session(id_, JOINING))

    def _begin(self, invitation: Invitation) -> dict[str, Any]:
        return {
            "federation": invitation.federation,
            "creator": invitation.creator,
            "contact": invitation.contact,
            "fingerprint": invitation.creator_fingerprint,
            "creator_key": None,
            "site": invitation.site,
            "invitation": invitation.id,
            "expires": invitation.expires,
            "place": 0,
            "nonce": self.random(32),
            "ours": 0,
            "theirs": 0,
            "told": 0,
            "facts": None,
        }

    def introduce(
        self, asking: Joining, members: tuple[RelayMember, ...], also: Callable[[], None] = lambda: None
    ) -> None:
        """Having been let in by the relay, introduce ourselves to the creator: from now on this is our joining.

        ``also`` is done in the same transaction.
        Raises ProtocolViolation ``joining.creator_differs`` if no member has the key that the invitation names, or
        ``joining.not_let_in`` if we are not among the members.
        """
        if asking.session.state != ASKING:
            return
        with self.recorded():
            host = next((m.key for m in members if m.key.fingerprint == asking.fingerprint), None)
            if host is None:
                raise ProtocolViolation("joining.creator_differs", site=asking.creator)
            place = next((m.place for m in members if m.key == self.key.public and m.place > CREATOR), None)
            if place is None:
                raise ProtocolViolation("joining.not_let_in", federation=asking.federation)
        data, name = data_of(asking.session), invitation_secret(asking.session.id)
        secret = self.secret(name)
        if secret is None:
            raise Bug("joining.secret_lost")
        introduction = Introduction(
            name=self.profile.site_name,
            contact=self.profile.site_contact,
            key=self.key.public,
            program=THIS_PROGRAM,
            nonce=asking.nonce,
            time=min(self.now(), data["expires"]),
            invitation=data["invitation"],
        ).sealed_with(secret, self.federation_id, asking.fingerprint)
        with self.store.database.atomic():
            self.move(asking.session, JOINED, {**data, "creator_key": host.to_dict(), "place": place})
            self.say(messages.INTRODUCTION, asking.session.id, introduction, {CREATOR: host}, sender=place)
            self.store.sealed_secrets.remove(name)
            self.store.settings.put(JOINING, asking.session.id)
            also()

    # --- confirming -------------------------------------------------------------------------------------------------

    @property
    def binding(self) -> bytes:
        """What our six words stand for; raises ProtocolViolation ``joining.stranger`` before we are in."""
        here = self.here()
        return binding(self.federation_id, here.host.fingerprint, self.key.public.fingerprint, here.nonce)

    def confirm(self) -> None:
        """Note that our person has compared the words; the creator hears of it once we have the catalogue."""
        here = self.here()
        with self.store.database.atomic():
            if not here.ours:
                self.move(here.session, here.session.state, {**data_of(here.session), "ours": self.now()})
            self._tell()

    def _tell(self) -> None:
        here = self.here()
        if here.ours and not here.told and here.session.state == SEEN:
            self.move(here.session, SEEN, {**data_of(here.session), "told": self.now()})
            host = {CREATOR: here.host}
            self.say(messages.CONFIRMED, here.session.id, Confirmed(self.binding), host, sender=here.place)

    def wanted_catalogue(self) -> Facts | None:
        """Return how the creator has described the catalogue, while it was not taken."""
        here = self.here()
        return here.facts if here.session.state == ANSWERED else None

    def take_catalogue(self) -> None:
        """Take the catalogue out of the blob that was fetched.

        Raises ProtocolViolation ``joining.catalogue_differs``, which is recorded.
        """
        here, facts = self.here(), self.wanted_catalogue()
        if facts is None:
            return
        with self.recorded():
            catalogue = self._catalogue(facts)
        with self.store.database.atomic():
            self.store.settings.put(CATALOGUE, catalogue.to_cbor())
            self.move(here.session, SEEN, data_of(here.session))
            self._tell()
        self.store.blobs.remove(facts.blob)

    def _catalogue(self, facts: Facts) -> Catalogue:
        sealed = self.store.blobs.get(facts.blob, limit=BLOB_LIMIT)
        catalogue = open_catalogue(sealed, StorageCipher(facts.blob_key), self.federation_id)
        if catalogue.hash != facts.catalogue:
            raise ProtocolViolation("joining.catalogue_differs")
        return catalogue

    # --- what comes in ----------------------------------------------------------------------------------------------

    def handle(self, envelope: Envelope, data: bytes) -> None:
        """Verify a message and let it have its effect; inside a transaction."""
        here = self.here()
        if envelope.sender != CREATOR:
            raise ProtocolViolation("joining.stranger")
        if envelope.type == messages.ROSTER:
            self._installed(here, envelope, data)
            return
        self.verified(data, here.host, here.place)
        if envelope.type == messages.PROPOSAL:
            self._proposed(here, envelope)
        elif envelope.session != here.session.id:
            raise ProtocolViolation("joining.stranger")
        elif envelope.type == messages.FACTS:
            facts = self.opened(envelope, here.place, Facts)
            if here.session.state != JOINED:
                raise ProtocolViolation("joining.facts_twice", site=here.creator)
            if facts.name != here.federation:
                raise ProtocolViolation("joining.other_federation", name=facts.name, federation=here.federation)
            self.move(here.session, ANSWERED, {**data_of(here.session), "facts": facts.to_plain()})
        elif envelope.type == messages.LEFT_OUT:
            self.opened(envelope, here.place, LeftOut)
            self.leave_out()
        elif envelope.type == messages.CONFIRMED:
            if self.opened(envelope, here.place, Confirmed).binding != self.binding:
                raise ProtocolViolation("joining.other_words", site=here.creator)
            if not here.theirs:
                self.move(here.session, here.session.state, {**data_of(here.session), "theirs": self.now()})
        else:
            raise ProtocolViolation("joining.wrong_side", type=envelope.type)

    def leave_out(self) -> None:
        """Note that the federation goes on without us; a later proposal with us takes it back."""
        here = self.here()
        for signed in self.proposals():
            if signed.state == SIGNED:
                self.move(signed, SUPERSEDED, data_of(signed))
        if not here.left_out:
            self.move(here.session, here.session.state, {**data_of(here.session), "left_out": self.now()})

    def _proposed(self, here: Joining, envelope: Envelope) -> None:
        proposal = self.opened(envelope, here.place, Proposal)
        roster = proposal.roster
        if roster.hash != envelope.session or self.store.sessions.get(roster.hash) is not None:
            raise ProtocolViolation("joining.malformed", field="session")
        if any(data_of(each)["time"] >= envelope.time for each in self.proposals()):
            raise ProtocolViolation("joining.proposal_old")
        host, data = {CREATOR: here.host}, {"proposal": proposal.to_plain(), "time": envelope.time}
        for earlier in self.proposals():
            if earlier.state == SIGNED:
                self.move(earlier, SUPERSEDED, data_of(earlier))
        code = self._objection(here, proposal)
        if code:
            self.add(roster.hash, PROPOSED_ROSTER, REFUSED, {**data, "code": code})
            self.say(messages.REFUSAL, roster.hash, Refusal(code), host, sender=here.place)
            self.refuse(ProtocolViolation(code, site=here.creator), CREATOR)
        else:
            self.add(roster.hash, PROPOSED_ROSTER, SIGNED, data)
            self.move(here.session, here.session.state, {**data_of(here.session), "left_out": 0})
            signature = Signature(roster.sign(self.key))
            self.say(messages.SIGNATURE, roster.hash, signature, host, sender=here.place)

    def _objection(self, here: Joining, proposal: Proposal) -> str:
        """Return the code of why we do not sign, or nothing."""
        roster, facts, current = proposal.roster, here.facts, self.profile.roster
        if not (here.ours and here.session.state == SEEN and facts is not None):
            return "joining.proposal_unready"
        if current is not None and self._is_ready(current):
            return "joining.proposal_ready"
        ours = next((site for site in roster.sites if site.key == self.key.public), None)
        known = self.profile.site_name, self.profile.site_contact
        objections = {
            "joining.proposal_federation": (roster.federation_id, roster.name, roster.parameters.name, roster.previous)
            != (self.federation_id, facts.name, facts.parameters, b"" if current is None else current.hash),
            "joining.proposal_creator": (roster.sites[0].key, roster.sites[0].name) != (here.host, here.creator),
            "joining.proposal_us": ours is None or not same_name(ours.name, known[0]) or ours.contact != known[1],
            "joining.proposal_catalogue": roster.catalogue_hash != facts.catalogue,
            "joining.proposal_quorum": roster.quorum != (facts.quorum or default_quorum(len(roster.sites))),
            "joining.proposal_program": ours is not None and proposal.programs[ours.position - 1] != THIS_PROGRAM,
        }
        return next((name for name, holds in objections.items() if holds), "")

    def _is_ready(self, roster: Roster) -> bool:
        session = self.store.sessions.get(roster.ceremony)
        return session is not None and session.state == "ready"

    def _installed(self, here: Joining, envelope: Envelope, data: bytes) -> None:
        session = self.session(envelope.session, PROPOSED_ROSTER)
        roster = Proposal.from_plain(data_of(session)["proposal"]).roster
        position = next((site.position for site in roster.sites if site.key == self.key.public), 0)
        self.verified(data, here.host, position)
        signed, catalogue = self.opened(envelope, position, SignedBy), self.catalogue
        if session.state != SIGNED or catalogue is None:
            raise ProtocolViolation("joining.roster_not_ours")
        self._install(roster, signed, catalogue)
        self.move(session, INSTALLED, data_of(session))
        self.move(here.session, here.session.state, {**data_of(here.session), "place": position})

    def _install(self, roster: Roster, signed: SignedBy, catalogue: Catalogue) -> None:
        if len(signed.signatures) != len(roster.sites):
            raise ProtocolViolation("joining.malformed", field="signatures")
        signatures = dict(zip(roster.positions, signed.signatures, strict=True))
        try:
            self.profile.install_roster(roster, signatures, catalogue)
        except UserError as error:
            raise ProtocolViolation("joining.roster_not_ours") from error
