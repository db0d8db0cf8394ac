"""The creator's side of :mod:`app.core.federation.joining`: invitations, who has joined, the roster that all sign."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.crypto import parameters as registry
from app.core.crypto.identity import MemberPublicKey
from app.core.crypto.parameters import EXTRACTION_PRIMES
from app.core.errors import Bug, ProtocolViolation, UserError
from app.core.federation import joining_messages as messages
from app.core.federation.envelope import Envelope
from app.core.federation.invitation import Invitation
from app.core.federation.joining import (
    CREATOR,
    INSTALLED,
    INVITED,
    INVITED_SITE,
    JOINED,
    PROPOSED,
    PROPOSED_ROSTER,
    REGISTERING,
    SIGNED,
    WITHDRAWN,
    Desk,
    data_of,
    invitation_secret,
)
from app.core.federation.joining_messages import (
    LEFT_OUT_FORMAT,
    THIS_PROGRAM,
    Confirmed,
    Facts,
    Introduction,
    LeftOut,
    Program,
    Proposal,
    Refusal,
    Signature,
    SignedBy,
    agreed_formats,
    makes_extraction_keys,
    same_name,
    session_of,
)
from app.core.federation.roster import Roster, Site, default_quorum
from app.core.federation.six_words import binding
from app.core.secret import SecretBytes
from app.core.store.sessions import Session


@dataclass(frozen=True)
class Founded:
    """What the creator has decided. ``quorum`` 0 is the rule: all up to three, all but one from four.

    ``catalogue`` is its hash; ``blob``, ``size`` and ``blob_key`` are how others get it.
    """

    name: str
    parameters: str
    quorum: int
    catalogue: bytes
    blob: bytes
    size: int
    blob_key: SecretBytes


@dataclass(frozen=True)
class InvitedSite:
    """An invitation and, once it was used, who has joined by it. Times are UTC ms, 0 for not yet."""

    session: Session
    site: str
    expires: int
    place: int
    introduction: Introduction | None
    ours: int
    theirs: int

    @classmethod
    def of(cls, session: Session) -> InvitedSite:
        """Read what a session of this kind keeps."""
        data = data_of(session)
        found = data["introduction"]
        introduction = None if found is None else Introduction.from_plain(found)
        return cls(session, data["site"], data["expires"], data["place"], introduction, data["ours"], data["theirs"])

    @property
    def joined(self) -> Introduction:
        """Who has joined; raises UserError ``joining.not_joined`` before that."""
        if self.introduction is None or self.session.state != JOINED:
            raise UserError("joining.not_joined", site=self.site)
        return self.introduction

    @property
    def confirmed(self) -> bool:
        """Whether both sides have compared the words."""
        return bool(self.ours and self.theirs)


@dataclass
class CreatorDesk(Desk):
    """The creator at work. Its functions that end in the relay's hands say so."""

    decided: Founded | None = None

    @property
    def founded(self) -> Founded:
        """What was decided; raises Bug before that."""
        if self.decided is None:
            raise Bug("joining.not_founded")
        return self.decided

    # --- invitations ----------------------------------------------------------------------------------------------

    def sites(self, *, withdrawn: bool = False) -> tuple[InvitedSite, ...]:
        """Return the invited sites in the order in which they were invited."""
        found = map(InvitedSite.of, self.store.sessions.all(kind=INVITED_SITE))
        return tuple(each for each in found if withdrawn or each.session.state != WITHDRAWN)

    def find(self, name: str) -> InvitedSite | None:
        """Return the invited site called ``name``, or None."""
        return next((each for each in self.sites() if same_name(each.site, name)), None)

    def site(self, name: str) -> InvitedSite:
        """Return the invited site called ``name``; raises UserError ``joining.unknown_site``."""
        if (found := self.find(name)) is not None:
            return found
        raise UserError("joining.unknown_site", site=name, known=", ".join(each.site for each in self.sites()))

    def reserve(self, invitation: Invitation) -> Session:
        """Keep a new invitation, before the relay hears of it."""
        id_ = session_of(self.federation_id, invitation.id)
        data = {"site": invitation.site, "invitation": invitation.id, "expires": invitation.expires}
        with self.store.database.atomic():
            self.keep_secret(invitation_secret(id_), invitation.secret)
            self.add(id_, INVITED_SITE, REGISTERING, {**data, "place": 0, "introduction": None, "ours": 0, "theirs": 0})
        return self.session(id_, INVITED_SITE)

    def secret_of(self, session: Session) -> SecretBytes | None:
        """Return the secret of an invitation, or None once it was used or withdrawn."""
        return self.secret(invitation_secret(session.id))

    def registered(self, session: Session) -> None:
        """Note that the relay knows the invitation."""
        if session.state == REGISTERING:
            self.move(session, INVITED, data_of(session))

    def withdraw(self, site: InvitedSite) -> None:
        """Forget an invitation and whoever has joined by it."""
        with self.store.database.atomic():
            self.move(site.session, WITHDRAWN, data_of(site.session))
            self.store.sealed_secrets.remove(invitation_secret(site.session.id))

    # --- confirming -------------------------------------------------------------------------------------------------

    def binding_of(self, site: InvitedSite) -> bytes:
        """Return what the six words of a site that has joined stand for."""
        joined = site.joined
        return binding(self.federation_id, self.key.public.fingerprint, joined.key.fingerprint, joined.nonce)

    def confirm(self, site: InvitedSite) -> None:
        """Note, and tell the site, that our person has compared the words; a repetition changes nothing."""
        if site.ours:
            return
        with self.store.database.atomic():
            self.move(site.session, JOINED, {**data_of(site.session), "ours": self.now()})
            told = {site.place: site.joined.key}
            self.say(messages.CONFIRMED, site.session.id, Confirmed(self.binding_of(site)), told)

    # --- the roster -------------------------------------------------------------------------------------------------

    def propose(self, without: Collection[str] = ()) -> Session:
        """Propose the roster of all confirmed sites but those ``without``; return its session.

        A proposal of the same sites that is still open stays; another one is withdrawn. Raises UserError
        ``joining.nobody_confirmed``, ``joining.not_all_confirmed``, ``joining.no_common_format``,
        ``joining.already_signed``, ``roster.*``.
        """
        if (signed := self.latest_proposal(SIGNED)) is not None:
            return signed
        chosen = [each for each in self.sites() if each.confirmed and each.site not in without]
        if not chosen:
            raise UserError("joining.nobody_confirmed")
        # nobody who has joined is left out without being named: a hospital that comes later needs a new federation
        if pending := [
            s.site for s in self.sites() if s.session.state == JOINED and s not in chosen and s.site not in without
        ]:
            raise UserError("joining.not_all_confirmed", sites=", ".join(pending))
        current, profile = self.profile.roster, self.profile
        sites = [Site(CREATOR, profile.site_name, profile.site_contact, self.key.public)]
        sites += [Site(at, s.site, s.joined.contact, s.joined.key) for at, s in enumerate(chosen, CREATOR + 1)]
        programs = (THIS_PROGRAM, *(each.joined.program for each in chosen))
        agreed = agreed_formats(dict(zip([site.name for site in sites], programs, strict=True)))
        roster = Roster(
            federation_id=self.federation_id,
            name=self.founded.name,
            parameters=registry.get(self.founded.parameters),
            quorum=self.founded.quorum or default_quorum(len(sites)),
            catalogue_hash=self.founded.catalogue,
            nonce=self.random(32),
            sites=tuple(sites),
            previous=b"" if current is None else current.hash,
            extraction=EXTRACTION_PRIMES if makes_extraction_keys(agreed) else 0,
        )
        proposal = Proposal(roster, programs)
        for open_ in (each for each in self.proposals() if each.state == PROPOSED):
            if _same_sites(proposal_of(open_).roster, roster):
                return open_
        data = {
            "proposal": proposal.to_plain(),
            "places": {each.joined.key.fingerprint: each.place for each in chosen},
            "signatures": {CREATOR: roster.sign(self.key)},
            "refusals": {},
        }
        with self.store.database.atomic():
            for open_ in (each for each in self.proposals() if each.state == PROPOSED):
                self.move(open_, WITHDRAWN, data_of(open_))
            self.add(roster.hash, PROPOSED_ROSTER, PROPOSED, data)
            self._tell_left_out(chosen)
            told = {each.place: each.joined.key for each in chosen}
            self.say(messages.PROPOSAL, roster.hash, proposal, told)
        return self.session(roster.hash, PROPOSED_ROSTER)

    def _tell_left_out(self, chosen: Collection[InvitedSite]) -> None:
        """Tell those who have joined and are not in the roster; once it is in force the relay lets them in no more."""
        for each in self.sites():
            if each.session.state == JOINED and each not in chosen and LEFT_OUT_FORMAT in each.joined.program.formats:
                self.say(messages.LEFT_OUT, each.session.id, LeftOut(), {each.place: each.joined.key})

    def places(self) -> tuple[bytes, ...] | None:
        """Return whom the relay shall give the places 1 … n: the roster that all have signed, None before that.

        What lies in the outbox must have left before, since it goes by the old places.
        """
        session = self.latest_proposal(SIGNED)
        return None if session is None else tuple(site.key.fingerprint for site in proposal_of(session).roster.sites)

    def finish(self) -> bool:
        """Having had the places given, install the roster that all have signed and tell everyone; False before that."""
        session = self.latest_proposal(SIGNED)
        if session is None:
            return False
        roster, data = proposal_of(session).roster, data_of(session)
        catalogue = self.catalogue
        if catalogue is None:
            raise Bug("joining.no_catalogue")
        signatures: dict[int, bytes] = data["signatures"]
        with self.store.database.atomic():
            self.profile.install_roster(roster, signatures, catalogue)
            self.move(session, INSTALLED, data)
            self._number(roster)
            signed = SignedBy(tuple(signatures[position] for position in roster.positions))
            told = {site.position: site.key for site in roster.sites if site.position != CREATOR}
            self.say(messages.ROSTER, roster.hash, signed, told)
        return True

    def _number(self, roster: Roster) -> None:
        """Note the places that sites have from now on; who is not in the roster has none, and no way in."""
        positions = {site.key.fingerprint: site.position for site in roster.sites}
        for each in self.sites():
            place = positions.get(each.introduction.key.fingerprint) if each.introduction is not None else None
            if place is None:
                self.withdraw(each)
            else:
                self.move(each.session, JOINED, {**data_of(each.session), "place": place})

    # --- what comes in ----------------------------------------------------------------------------------------------

    def handle(self, envelope: Envelope, data: bytes) -> None:
        """Verify a message and let it have its effect; inside a transaction."""
        if envelope.type == messages.INTRODUCTION:
            self._introduced(envelope, data)
        elif envelope.type == messages.CONFIRMED:
            self._confirmed(envelope, data)
        elif envelope.type in {messages.SIGNATURE, messages.REFUSAL}:
            self._answered(envelope, data)
        else:
            raise ProtocolViolation("joining.wrong_side", type=envelope.type)

    def _introduced(self, envelope: Envelope, data: bytes) -> None:
        site = InvitedSite.of(self.session(envelope.session, INVITED_SITE))
        introduction = self.opened(envelope, CREATOR, Introduction)
        self.verified(data, introduction.key, CREATOR)
        if site.session.state == WITHDRAWN:
            raise ProtocolViolation("joining.invitation_withdrawn", site=site.site)
        if site.session.state == JOINED:
            raise ProtocolViolation("joining.invitation_used", site=site.site)
        name = invitation_secret(site.session.id)
        secret = self.secret(name)
        if secret is None or session_of(self.federation_id, introduction.invitation) != site.session.id:
            raise ProtocolViolation("joining.stranger")
        introduction.check(secret, self.federation_id, self.key.public.fingerprint)
        if introduction.time > site.expires:
            raise ProtocolViolation("joining.too_late", site=site.site)
        if not same_name(introduction.name, site.site):
            raise ProtocolViolation("joining.wrong_name", site=site.site, name=introduction.name)
        self._check_new(introduction.key, envelope.sender)
        self.move(
            site.session,
            JOINED,
            {**data_of(site.session), "place": envelope.sender, "introduction": introduction.to_plain()},
        )
        self.store.sealed_secrets.remove(name)
        self.say(messages.FACTS, site.session.id, self._facts(), {envelope.sender: introduction.key})

    def _check_new(self, key: MemberPublicKey, place: int) -> None:
        others = [each for each in self.sites() if each.introduction is not None]
        keys = {self.key.public.verify, *(each.joined.key.verify for each in others)}
        if key.verify in keys:
            raise ProtocolViolation("joining.key_used")
        if place in {CREATOR, *(each.place for each in others)}:
            raise ProtocolViolation("joining.place_used", place=place)

    def _facts(self) -> Facts:
        founded = self.founded
        joined = [each.site for each in self.sites() if each.session.state == JOINED]
        return Facts(
            name=founded.name,
            parameters=founded.parameters,
            quorum=founded.quorum,
            catalogue=founded.catalogue,
            blob=founded.blob,
            size=founded.size,
            blob_key=founded.blob_key,
            program=THIS_PROGRAM,
            sites=(self.profile.site_name, *joined),
        )

    def _confirmed(self, envelope: Envelope, data: bytes) -> None:
        site = InvitedSite.of(self.session(envelope.session, INVITED_SITE))
        if site.session.state != JOINED:
            raise ProtocolViolation("joining.stranger")
        self.verified(data, site.joined.key, CREATOR)
        if self.opened(envelope, CREATOR, Confirmed).binding != self.binding_of(site):
            raise ProtocolViolation("joining.other_words", site=site.site)
        if not site.theirs:
            self.move(site.session, JOINED, {**data_of(site.session), "theirs": self.now()})

    def _answered(self, envelope: Envelope, data: bytes) -> None:
        session = self.session(envelope.session, PROPOSED_ROSTER)
        roster, kept = proposal_of(session).roster, data_of(session)
        places: Mapping[bytes, int] = kept["places"]
        site = next((s for s in roster.sites if places.get(s.key.fingerprint) == envelope.sender), None)
        if site is None:
            raise ProtocolViolation("joining.stranger")
        self.verified(data, site.key, CREATOR)
        if session.state != PROPOSED:
            return  # it was withdrawn, or everybody had signed: too late to matter
        if envelope.type == messages.REFUSAL:
            kept["refusals"][site.position] = self.opened(envelope, CREATOR, Refusal).code
        else:
            signature = self.opened(envelope, CREATOR, Signature).signature
            roster.check_site(site, signature)
            kept["signatures"][site.position] = signature
        self.move(session, SIGNED if len(kept["signatures"]) == len(roster.sites) else PROPOSED, kept)


def proposal_of(session: Session) -> Proposal:
    """Return the proposal that a session of a proposed roster keeps."""
    return Proposal.from_plain(data_of(session)["proposal"])


def programs_of(session: Session) -> dict[str, Program]:
    """Return the programs of a proposed roster by the sites' names."""
    proposal = proposal_of(session)
    return {site.name: each for site, each in zip(proposal.roster.sites, proposal.programs, strict=True)}


def refusals_of(session: Session) -> dict[int, str]:
    """Return who does not sign a proposed roster, and why, by position."""
    found: dict[int, str] = data_of(session).get("refusals", {})
    return found


def signatures_of(session: Session) -> dict[int, bytes]:
    """Return the signatures under a proposed roster by position, as far as we know them."""
    found: dict[int, bytes] = data_of(session).get("signatures", {})
    return found


def _same_sites(one: Roster, other: Roster) -> bool:
    plain: list[dict[str, Any]] = [{**each.to_plain(), "nonce": b""} for each in (one, other)]
    return plain[0] == plain[1]
