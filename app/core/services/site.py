"""A site and how it comes into a federation: make it, create or join a federation, confirm, start, see where it stands.

Every use case is a function of an open profile; where the relay is asked at once, it is a talk
(:mod:`app.core.services.talking`) and has a connection to it. What other sites say comes in through :func:`receive`,
and :func:`advance` does all that can be done about it (:mod:`app.core.services.joining_mail`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass

from app.core import settings
from app.core.catalogue.model import Catalogue
from app.core.crypto.identity import MemberPublicKey
from app.core.crypto.parameters import STANDARD_1, ParameterSet
from app.core.crypto.vault import StorageCipher
from app.core.errors import ConsiliumError, UserError
from app.core.federation.invitation import LIFETIME, MOST_NAME, Invitation, read_invitation
from app.core.federation.joining import (
    CATALOGUE,
    JOINED,
    SIGNED,
    lock_catalogue,
)
from app.core.federation.joining_creator import CreatorDesk, Founded, InvitedSite
from app.core.federation.joining_invited import InvitedDesk
from app.core.federation.joining_messages import BLOB_LIMIT, same_name
from app.core.federation.relay_protocol import SECRET_BYTES, RelayMember
from app.core.federation.roster import LEAST_SITES, MOST_SITES
from app.core.federation.six_words import check_words, six_words
from app.core.federation.trust import RelayAddress
from app.core.secret import SecretBytes
from app.core.services.joining_mail import (
    Connect,
    Relay,
    advance,
    catch_up,
    ceremony_failed,
    deliver,
    open_to_joining,
    publish,
    receive,
    shut_out,
    unsaid,
)
from app.core.services.membership import (
    Membership,
    creator_desk,
    decided,
    der_of,
    desk_of,
    keep_decided,
    keep_membership,
    member_of,
    membership,
)
from app.core.services.profile import OpenProfile
from app.core.services.talking import Talk
from app.core.store import sessions as stored

__all__ = [
    "Connect",
    "Introduced",
    "Membership",
    "Relay",
    "advance",
    "catch_up",
    "ceremony_failed",
    "confirm",
    "create_federation",
    "introduced",
    "invite",
    "join",
    "membership",
    "open_to_joining",
    "receive",
    "shut_out",
    "start",
    "told",
    "unsaid",
]

_RESERVED = "joining federation"


@dataclass(frozen=True)
class Introduced:
    """An invitation has been used: whom to telephone, and the words to compare."""

    federation: str
    creator: str
    contact: str
    words: tuple[str, ...]


# --- creating -------------------------------------------------------------------------------------------------------


def create_federation(
    profile: OpenProfile,
    connect: Connect,
    *,
    address: RelayAddress,
    code: str,
    name: str,
    catalogue: Catalogue,
    quorum: int | None = None,
    parameters: ParameterSet = STANDARD_1,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Talk[Membership]:
    """Create a federation at a relay, with a code from its administrator; this site is its first.

    ``quorum`` None is all sites up to three, all but one from four. The same again goes on where it was cut off.
    Raises UserError ``joining.has_federation``, ``joining.bad_name``, ``roster.bad_quorum``, ``relay.code_refused``;
    what the relay raises.
    """
    if not 1 <= len(name) <= MOST_NAME or not name.isprintable():
        raise UserError("joining.bad_name", most=MOST_NAME)
    if quorum is not None and not LEAST_SITES <= quorum <= MOST_SITES:
        raise UserError("roster.bad_quorum", quorum=quorum, sites=MOST_SITES)
    known = membership(profile)
    if known is not None:
        if known.creator and known.address == address and decided(profile, known).name == name:
            return known
        raise UserError("joining.has_federation")
    known = Membership(True, address, profile.store.settings.get(_RESERVED) or random(32))
    key = SecretBytes(random(32))
    sealed = lock_catalogue(catalogue, StorageCipher(key, random), known.federation_id)
    blob = profile.store.blobs.put(sealed, limit=BLOB_LIMIT)
    with profile.store.database.atomic():
        profile.store.settings.put(_RESERVED, known.federation_id)
        profile.store.settings.put(CATALOGUE, catalogue.to_cbor())
        founded = Founded(name, parameters.name, quorum or 0, catalogue.hash, blob, len(sealed), key)
        keep_decided(profile, known, founded)
    relay = connect(address, known.federation_id)
    yield lambda: relay.found(code)
    with profile.store.database.atomic():
        keep_membership(profile, known)
    return known


def invite(
    profile: OpenProfile, relay: Relay, site: str, *, again: bool = False, lifetime: int = LIFETIME
) -> Talk[Invitation]:
    """Return the invitation for the site called ``site``, registered with the relay.

    An invitation that is still open is returned again, unless ``again`` asks for a new one, which makes the old one and
    whoever joined by it worthless. Raises UserError ``joining.not_creator``, ``joining.started``, ``joining.bad_name``,
    ``joining.site_joined``, ``roster.bad_number_of_sites``.
    """
    desk = creator_desk(profile)
    if not 1 <= len(site) <= MOST_NAME or not site.isprintable() or same_name(site, profile.site_name):
        raise UserError("joining.bad_name", most=MOST_NAME)
    if profile.roster is not None or desk.latest_proposal(SIGNED) is not None:
        raise UserError("joining.started")
    found = desk.find(site)
    if found is not None and found.session.state == JOINED and not again:
        raise UserError("joining.site_joined", site=site)
    if found is not None and (again or found.expires < desk.now()):
        if (old := desk.secret_of(found.session)) is not None:
            yield lambda: relay.revoke(old)
        if (found := desk.find(site)) is not None:  # as it is by now
            desk.withdraw(found)
            found = None
    if found is None:
        if len(desk.sites()) + 2 > MOST_SITES:
            raise UserError("roster.bad_number_of_sites", sites=MOST_SITES + 1, least=LEAST_SITES, most=MOST_SITES)
        found = InvitedSite.of(desk.reserve(_new_invitation(profile, desk, site, lifetime)))
    invitation = _invitation(profile, desk, found)
    yield lambda: relay.invite(invitation.secret, invitation.expires)
    yield from publish(profile, desk, relay)
    if (found := desk.find(site)) is not None:
        desk.registered(found.session)
    return invitation


def _new_invitation(profile: OpenProfile, desk: CreatorDesk, site: str, lifetime: int) -> Invitation:
    return _describe(profile, desk, site, SecretBytes(desk.random(SECRET_BYTES)), desk.now() + lifetime)


def _invitation(profile: OpenProfile, desk: CreatorDesk, site: InvitedSite) -> Invitation:
    secret = desk.secret_of(site.session)
    if secret is None:
        raise UserError("joining.site_joined", site=site.site)
    return _describe(profile, desk, site.site, secret, site.expires)


def _describe(profile: OpenProfile, desk: CreatorDesk, site: str, secret: SecretBytes, expires: int) -> Invitation:
    known = member_of(profile)
    return Invitation(
        relay=known.address.url,
        authority=der_of(known.address),
        federation_id=known.federation_id,
        federation=desk.founded.name,
        creator=profile.site_name,
        contact=profile.site_contact,
        creator_fingerprint=profile.member_public.fingerprint,
        site=site,
        secret=secret,
        expires=expires,
    )


# --- joining --------------------------------------------------------------------------------------------------------


def join(profile: OpenProfile, connect: Connect, text: str) -> Talk[Introduced]:
    """Use an invitation; return the words to compare, and with whom. The same again goes on where it was cut off.

    Raises UserError ``invitation.*``, ``joining.other_site`` (it is meant for a site of another name),
    ``joining.has_federation``, ``relay.invitation_refused``; ProtocolViolation ``joining.creator_differs``; what the
    relay raises.
    """
    invitation = read_invitation(text)
    known = membership(profile)
    desk = InvitedDesk(profile, invitation.federation_id)
    if (known is not None and known.creator) or profile.roster is not None or desk.latest_proposal(SIGNED) is not None:
        raise UserError("joining.has_federation")
    if not same_name(invitation.site, profile.site_name):
        raise UserError("joining.other_site", meant=invitation.site, site=profile.site_name)
    address = RelayAddress.with_authority(invitation.relay, invitation.authority)
    fixed = settings.current()
    fixed.require("join", address.url)
    fixed.require_relay(address.url)
    asking = desk.begun(invitation)
    if asking is None:
        invitation.check_time(profile.clock.now())
        asking = desk.ask(invitation)
    relay = connect(address, invitation.federation_id)
    members = yield lambda: _let_in(profile.member_public, relay, invitation)
    joined = Membership(False, address, invitation.federation_id)
    desk.introduce(asking, members, also=lambda: keep_membership(profile, joined))
    yield from deliver(profile, relay)
    return introduced(desk)


def _let_in(own: MemberPublicKey, relay: Relay, invitation: Invitation) -> tuple[RelayMember, ...]:
    """Show the relay the invitation; a member already, by an earlier invitation, need not be let in."""
    try:
        relay.join(invitation.secret)
    except UserError as refused:
        if refused.code != "relay.invitation_refused":
            raise
        try:
            members = relay.members()
        except ConsiliumError:
            raise refused from None
        if all(each.key != own for each in members):
            raise
        return members
    return relay.members()


def introduced(desk: InvitedDesk) -> Introduced:
    """Return whom to telephone, and the words to compare."""
    here = desk.here()
    return Introduced(here.federation, here.creator, here.contact, six_words(desk.binding))


# --- both sides -----------------------------------------------------------------------------------------------------


def confirm(profile: OpenProfile, site: str, words: str) -> None:
    """Note that a person has compared the six ``words`` with ``site``; confirming again changes nothing.

    Raises UserError ``joining.unknown_site``, ``joining.not_joined``, ``joining.words_differ`` (recorded: somebody may
    stand in between), ``joining.word_count``, ``joining.unknown_word``.
    """
    desk = desk_of(profile)
    if isinstance(desk, CreatorDesk):
        found = desk.site(site)
        bound = desk.binding_of(found)
    else:
        here = desk.here()
        if not same_name(here.creator, site):
            raise UserError("joining.unknown_site", site=site, known=here.creator)
        bound = desk.binding
    try:
        check_words(words, bound, site)
    except UserError as error:
        if error.code == "joining.words_differ":
            profile.store.refusals.add(error.code, sender=None, details=error.params, now=desk.now())
        raise
    if isinstance(desk, CreatorDesk):
        desk.confirm(found)
    else:
        desk.confirm()


def told(profile: OpenProfile) -> bool:
    """Return whether what this site has confirmed is on its way to the others: an invited one needs the catalogue."""
    desk = desk_of(profile)
    return isinstance(desk, CreatorDesk) or bool(desk.here().told)


def start(profile: OpenProfile, *, without: Collection[str] = ()) -> stored.Session:
    """Propose the roster to all sites that both sides have confirmed, but those ``without``; return its session.

    Raises UserError ``joining.not_creator``, ``joining.started``, ``joining.nobody_confirmed``,
    ``joining.no_common_format``, ``joining.unknown_site``, ``roster.*``.
    """
    desk = creator_desk(profile)
    excluded = {desk.site(name).site for name in without}
    if profile.roster is not None and not ceremony_failed(profile):
        raise UserError("joining.started")
    return desk.propose(excluded)
