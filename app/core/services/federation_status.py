"""Where a federation stands, as this site knows it: who has come how far, the quorum, the ceremony, programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from app.core import codec
from app.core.crypto import parameters as registry
from app.core.crypto.parameters import EXTRACTION_PRIMES, ParameterSet
from app.core.errors import PeerProblem
from app.core.federation import ceremony as ceremonies
from app.core.federation import ceremony_messages, news, rounds
from app.core.federation.ceremony import Ceremony, CeremonyStatus
from app.core.federation.ceremony_work import share_shapes
from app.core.federation.joining import INSTALLED, PROPOSED, SIGNED
from app.core.federation.joining_creator import (
    CreatorDesk,
    InvitedSite,
    programs_of,
    proposal_of,
    refusals_of,
    signatures_of,
)
from app.core.federation.joining_invited import InvitedDesk, Joining
from app.core.federation.joining_messages import THIS_PROGRAM, Program
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import LocalPost, Mailroom, Reader
from app.core.federation.roster import Roster, default_quorum
from app.core.federation.six_words import six_words
from app.core.services.membership import desk_of, membership
from app.core.services.profile import OpenProfile
from app.core.store.history import Refusal
from app.core.store.sessions import Session

SIGNING_TIME = 24 * 3600 * 1000
"""Milliseconds after which a site that has not signed is late; nothing happens by itself."""
_MOST_REFUSALS = 20
_COEFFICIENT = 6  # bytes of one coefficient at one prime, see crypto/format.py
_KEY_ROUNDS = (rounds.PUBLIC_KEY, rounds.RELINEARIZATION_1, rounds.RELINEARIZATION_2, rounds.ROTATION)


class State(StrEnum):
    """How far a site has come, as far as this site knows."""

    US = "us"
    INVITED = "invited"
    EXPIRED = "expired"
    JOINED = "joined"
    CONFIRMED_BY_US = "confirmed by us"
    CONFIRMED_BY_THEM = "confirmed by them"
    CONFIRMED = "confirmed"
    ASKED = "asked to sign"
    LATE = "late to sign"
    REFUSED = "does not sign"
    SIGNED = "signed"
    CEREMONY = "in the ceremony"
    AWAITED = "awaited"
    READY = "ready"
    READY_NOT_BACKED_UP = "ready, not backed up"
    LEFT_OUT = "left out"


class Stage(StrEnum):
    """How far the federation has come."""

    NONE = "none"
    JOINING = "joining"
    SIGNING = "signing"
    CEREMONY = "ceremony"
    FAILED = "failed"
    READY = "ready"


_THEIRS = (State.INVITED, State.JOINED, State.CONFIRMED_BY_US, State.ASKED, State.LATE, State.AWAITED)
_OURS = (State.JOINED, State.CONFIRMED_BY_THEM)
"""States of a site in which it, and in which we have the next word."""


@dataclass(frozen=True)
class SiteStatus:
    """One site. ``words`` are there until both sides have compared them; ``since`` is UTC ms, 0 for unknown."""

    name: str
    state: State
    contact: str = ""
    program: str = ""
    words: tuple[str, ...] = ()
    since: int = 0
    reason: str = ""


@dataclass(frozen=True)
class FederationStatus:
    """The whole. ``traffic`` is how many bytes each site exchanges with the relay in the ceremony."""

    site: str
    stage: Stage
    creator: bool = False
    name: str = ""
    federation: bytes = b""
    relay: str = ""
    sites: tuple[SiteStatus, ...] = ()
    quorum: int = 0
    of: int = 0
    traffic: int = 0
    formats: Mapping[str, int] = field(default_factory=dict)
    round: str = ""
    code: str = ""
    blamed: str = ""
    refusals: tuple[Refusal, ...] = ()

    @property
    def awaited(self) -> tuple[str, ...]:
        """The sites that have to do something next, as far as this site knows; ourselves among them."""
        names = {each.name for each in self.sites if each.state in _THEIRS}
        if any(each.state in _OURS for each in self.sites):
            names.add(self.site)
        return tuple(each.name for each in self.sites if each.name in names)


def traffic(parameters: ParameterSet, sites: int, extraction: int = EXTRACTION_PRIMES) -> int:
    """Return how many bytes each of ``sites`` sites sends and receives in the ceremony: its shares, and the others'.

    ``extraction`` is the level of the keys that extract columns, 0 for a ceremony that makes none.
    """
    polynomial = parameters.ring_degree * _COEFFICIENT
    shapes = [shape for round_ in _KEY_ROUNDS for shape in share_shapes(parameters, round_, extraction)]
    return sites * sum(len(primes) * count * polynomial for primes, count in shapes)


def status(profile: OpenProfile, ceremony: CeremonyStatus | None = None) -> FederationStatus:
    """Return where the federation stands; ``ceremony`` spares whoever knows it from reading it again."""
    known = membership(profile)
    if known is None:
        return FederationStatus(profile.site_name, Stage.NONE)
    desk, roster = desk_of(profile), profile.roster
    latest = desk.latest_proposal(PROPOSED, SIGNED)
    base = {"site": profile.site_name, "creator": known.creator, "federation": known.federation_id}
    if latest is not None and (roster is None or latest.created > _installed(desk)):
        found = _signing(profile, desk, latest)
    elif roster is not None:
        found = _under_way(profile, desk, roster, ceremony or read_ceremony(profile))
    else:
        found = _gathering(profile, desk)
    return FederationStatus(**{**found, **base, "relay": known.address.url, "refusals": _refusals(profile)})


def _refusals(profile: OpenProfile) -> tuple[Refusal, ...]:
    """The latest messages that were refused: altered or foreign ones, and what the relay would not take."""
    return profile.store.refusals.all()[-_MOST_REFUSALS:]


def _installed(desk: CreatorDesk | InvitedDesk) -> int:
    session = desk.latest_proposal(INSTALLED)
    return 0 if session is None else session.created


# --- before the roster ----------------------------------------------------------------------------------------------


def _gathering(profile: OpenProfile, desk: CreatorDesk | InvitedDesk) -> dict[str, Any]:
    us = SiteStatus(profile.site_name, State.US, profile.site_contact, THIS_PROGRAM.version)
    if isinstance(desk, CreatorDesk):
        sites = (us, *(_invited(desk, each) for each in desk.sites()))
        name, decided, parameters = desk.founded.name, desk.founded.quorum, desk.founded.parameters
    else:
        here = desk.here()
        us = replace(us, state=State.LEFT_OUT, since=here.left_out) if here.left_out else us
        sites, name = (_creator(desk, here), us), here.federation
        decided, parameters = (0, "") if here.facts is None else (here.facts.quorum, here.facts.parameters)
        others = [] if here.facts is None else here.facts.sites
        sites += tuple(SiteStatus(other, State.JOINED) for other in others if other not in {s.name for s in sites})
    count = sum(each.state != State.EXPIRED for each in sites)
    size = traffic(registry.get(parameters), count) if parameters else 0
    return {
        "stage": Stage.JOINING,
        "name": name,
        "sites": sites,
        # an invited site does not know how many it will be, on which the rule depends
        "quorum": decided or (default_quorum(count) if isinstance(desk, CreatorDesk) else 0),
        "of": count,
        "traffic": size,
    }


def _invited(desk: CreatorDesk, site: InvitedSite) -> SiteStatus:
    if site.introduction is None:
        state = State.INVITED if desk.now() <= site.expires else State.EXPIRED
        return SiteStatus(site.site, state, since=site.session.created)
    return SiteStatus(
        name=site.site,
        state=_confirmed(site.ours, site.theirs),
        contact=site.introduction.contact,
        program=site.introduction.program.version,
        words=() if site.confirmed else six_words(desk.binding_of(site)),
        since=site.session.updated,
    )


def _creator(desk: InvitedDesk, here: Joining) -> SiteStatus:
    return SiteStatus(
        name=here.creator,
        state=_confirmed(here.ours, here.theirs),
        contact=here.contact,
        program="" if here.facts is None else here.facts.program.version,
        words=() if here.ours and here.theirs else six_words(desk.binding),
        since=here.session.updated,
    )


def _confirmed(ours: int, theirs: int) -> State:
    if ours and theirs:
        return State.CONFIRMED
    if ours:
        return State.CONFIRMED_BY_US
    return State.CONFIRMED_BY_THEM if theirs else State.JOINED


# --- signing --------------------------------------------------------------------------------------------------------


def _signing(profile: OpenProfile, desk: CreatorDesk | InvitedDesk, session: Session) -> dict[str, Any]:
    signed, refused = signatures_of(session), refusals_of(session)
    late = desk.now() - session.created > SIGNING_TIME

    def state(position: int, name: str) -> State:
        if name == profile.site_name or position in signed:
            return State.SIGNED
        if position in refused:
            return State.REFUSED
        if isinstance(desk, InvitedDesk):  # only the creator hears who has signed
            return State.CONFIRMED
        return State.LATE if late else State.ASKED

    roster = proposal_of(session).roster
    states = {site.position: state(site.position, site.name) for site in roster.sites}
    return {
        "stage": Stage.SIGNING,
        **_of_roster(roster, programs_of(session), states, refused),
        "formats": proposal_of(session).formats,
    }


def _of_roster(
    roster: Roster, programs: Mapping[str, Program], states: Mapping[int, State], reasons: Mapping[int, str]
) -> dict[str, Any]:
    return {
        "name": roster.name,
        "sites": tuple(
            SiteStatus(
                name=site.name,
                state=states[site.position],
                contact=site.contact,
                program=programs[site.name].version if site.name in programs else "",
                reason=reasons.get(site.position, ""),
            )
            for site in roster.sites
        ),
        "quorum": roster.quorum,
        "of": len(roster.sites),
        "traffic": traffic(roster.parameters, len(roster.sites), roster.extraction),
    }


# --- the ceremony and after ------------------------------------------------------------------------------------------


def _under_way(
    profile: OpenProfile, desk: CreatorDesk | InvitedDesk, roster: Roster, ceremony: CeremonyStatus
) -> dict[str, Any]:
    session = desk.latest_proposal(INSTALLED)
    programs = {} if session is None else programs_of(session)
    states = {
        site.position: State.AWAITED if site.name in ceremony.waiting_for else State.CEREMONY for site in roster.sites
    }
    if ceremony.state == ceremonies.READY:
        with _reading(profile, news.MESSAGE_TYPES) as (site, mailroom):
            heard = news.heard(site, mailroom)
        programs |= {each.name: heard[each.position].program for each in roster.sites if each.position in heard}
        backed_up = {position for position, told in heard.items() if told.backed_up}
        for each in roster.sites:
            safe = bool(profile.backups()) if each.key == profile.member_public else each.position in backed_up
            states[each.position] = State.READY if safe else State.READY_NOT_BACKED_UP
    stage = {ceremonies.READY: Stage.READY, ceremonies.FAILED: Stage.FAILED}.get(ceremony.state, Stage.CEREMONY)
    blamed = {site.position: ceremony.code for site in roster.sites if site.name == ceremony.site}
    return {
        "stage": stage,
        **_of_roster(roster, programs, states, blamed),
        "formats": {} if session is None else proposal_of(session).formats,
        "round": ceremony.round,
        "code": ceremony.code,
        "blamed": ceremony.site,
    }


def read_ceremony(profile: OpenProfile) -> CeremonyStatus:
    """Return where the ceremony of the present roster stands, reading only."""
    roster = profile.roster
    session = None if roster is None else profile.store.sessions.get(roster.ceremony)
    if session is None:
        return CeremonyStatus(ceremonies.RUNNING, rounds.ROUNDS[0])
    if session.state != ceremonies.RUNNING:
        data = codec.decode(session.data, 1 << 12)
        return CeremonyStatus(session.state, code=data.get("code", ""), site=data.get("site", ""))
    with _reading(profile, ceremony_messages.MESSAGE_TYPES) as (site, mailroom):
        heard = Ceremony(site, mailroom, _NoPost()).heard()
    match rounds.next_step(heard):
        case rounds.Await(round_, missing, _):
            return CeremonyStatus(ceremonies.RUNNING, round_, tuple(map(site.site_name, missing)))
        case rounds.Prepare(round_, _) | rounds.Open(round_) | rounds.Abort(round_, _, _):
            return CeremonyStatus(ceremonies.RUNNING, round_, (profile.site_name,))
        case _:
            return CeremonyStatus(ceremonies.RUNNING, rounds.ROUNDS[-1], (profile.site_name,))


def ceremony_times(profile: OpenProfile) -> dict[str, Any]:
    """Return when the ceremony of the present roster began and ended here, and when each site's latest part came."""
    roster = profile.roster
    session = None if roster is None else profile.store.sessions.get(roster.ceremony)
    if roster is None or session is None:
        return {"began": 0, "ended": 0, "parts": {}}
    names = {site.position: site.name for site in roster.sites}
    came = profile.store.inbox.times(roster.ceremony)
    parts = {names[sender]: at for sender, type_, at in came if type_ == ceremony_messages.REVEAL and sender in names}
    ended = 0 if session.state == ceremonies.RUNNING else session.updated
    return {"began": session.created, "ended": ended, "parts": parts}


@contextmanager
def _reading(profile: OpenProfile, types: Mapping[str, Reader]) -> Iterator[tuple[LocalSite, Mailroom]]:
    """Give this site and its mail, to read only: nothing is computed."""
    with ThreadPoolExecutor(1) as unused:
        site = profile.local_site(unused)
        yield site, Mailroom(site, types)


class _NoPost(LocalPost):
    """Carries nothing: whoever only reads has nothing to send."""

    def fetch(self, name: bytes, limit: int) -> list[bytes]:
        """Refuse."""
        raise PeerProblem("post.blob_missing", name=name.hex())
