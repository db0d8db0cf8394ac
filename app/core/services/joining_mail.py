"""What is said about joining: taken in, done what can be done about it, sent; and the relay that it goes through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

from app.core.errors import ConsiliumError, PeerProblem, ProtocolViolation
from app.core.federation.joining import JOINED, is_joining
from app.core.federation.joining_creator import CreatorDesk
from app.core.federation.joining_invited import InvitedDesk
from app.core.federation.relay_protocol import RelayMember
from app.core.federation.trust import RelayAddress
from app.core.secret import SecretBytes
from app.core.services import undeliverable
from app.core.services.membership import desk_of, membership
from app.core.services.profile import OpenProfile
from app.core.services.talking import Talk

_PUBLISHED = "joining catalogue published"
_PUBLISH_AGAIN = 30 * 24 * 3600 * 1000


class Relay(Protocol):
    """What joining asks of the relay; :class:`app.core.federation.relay_client.RelayPost` does it."""

    def found(self, code: str) -> None: ...
    def join(self, invitation_secret: SecretBytes) -> None: ...
    def invite(self, invitation_secret: SecretBytes, expires: int) -> None: ...
    def revoke(self, invitation_secret: SecretBytes) -> None: ...
    def give_places(self, fingerprints: tuple[bytes, ...]) -> None: ...
    def members(self) -> tuple[RelayMember, ...]: ...
    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None: ...
    def receive(self, after: int, wait: int = 0) -> list[tuple[int, bytes]]: ...
    def publish(self, name: bytes, path: Path) -> None: ...
    def withdraw(self, name: bytes) -> None: ...
    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]: ...


Connect = Callable[[RelayAddress, bytes], Relay]
"""Makes a connection for a relay's address and a federation's id; the profile's member key is what it speaks with."""


def receive(profile: OpenProfile, data: bytes) -> bool:
    """Take in a message for which ``joining.is_joining`` is true; return whether it is new.

    Raises ProtocolViolation ``envelope.*``, ``joining.*``, ``roster.*``, ``mail.*``; the refusal is recorded.
    """
    return desk_of(profile).receive(data)


def advance(profile: OpenProfile, relay: Relay) -> Talk[bool]:
    """Do all that can be done now about joining, and send it; return whether a roster was installed.

    An invited site fetches the catalogue; the creator has places given once all have signed. To be called again and
    again: without anything to do it costs a few reads. Raises what the relay raises, ProtocolViolation
    ``joining.catalogue_differs``; nothing is lost, and the next call goes on.
    """
    if membership(profile) is None:
        return False
    yield from deliver(profile, relay)
    desk, installed = desk_of(profile), False
    if isinstance(desk, CreatorDesk):
        if any(each.session.state == JOINED and not each.theirs for each in desk.sites()):
            yield from publish(profile, desk, relay)
        if (places := desk.places()) is not None:
            yield lambda: relay.give_places(places)
            installed = desk.finish()
    elif desk.joining() is not None:
        yield from _fetch_catalogue(desk, relay)
    yield from deliver(profile, relay)
    return installed


def _fetch_catalogue(desk: InvitedDesk, relay: Relay) -> Talk[None]:
    """Fetch the catalogue that the creator has described, if it is not here."""
    wanted = desk.wanted_catalogue()
    if wanted is None:
        return
    if wanted.blob not in desk.store.blobs:
        try:
            yield lambda: desk.store.blobs.put(
                relay.fetch(wanted.blob, wanted.size), limit=wanted.size, expected=wanted.blob
            )
        except ProtocolViolation as error:  # the carrier's fault: another try may succeed
            raise PeerProblem("post.blob_altered", name=wanted.blob.hex()) from error
    desk.take_catalogue()


def catch_up(profile: OpenProfile, relay: Relay) -> Talk[None]:
    """Take in what waits at the relay about joining, then :func:`advance`: before a person decides upon it.

    Nothing is acknowledged: whoever receives for good gets it again, and finds it known.
    """
    if not open_to_joining(profile):  # the roster is in force: what is left to say still leaves
        yield from deliver(profile, relay)
        return
    for _, data in (yield lambda: relay.receive(0)):
        if is_joining(data):
            with suppress(ProtocolViolation):  # recorded
                receive(profile, data)
    yield from advance(profile, relay)


def open_to_joining(profile: OpenProfile) -> bool:
    """Return whether there is a federation on its way: no roster in force yet, or one whose ceremony has failed."""
    return membership(profile) is not None and (profile.roster is None or ceremony_failed(profile))


def unsaid(profile: OpenProfile) -> bool:
    """Return whether something about joining has not left yet."""
    return any(is_joining(message.envelope) for message in profile.store.outbox.unsent())


def deliver(profile: OpenProfile, relay: Relay) -> Talk[None]:
    """Send what joining has to say, in order; other messages have blobs that must go first, and another carrier."""
    for message in profile.store.outbox.unsent():
        if is_joining(message.envelope):
            try:
                yield partial(relay.send, message.envelope, message.recipients)
            except ConsiliumError as trouble:
                if not undeliverable.is_final(trouble):
                    raise
                undeliverable.give_up(profile, message, trouble)
            else:
                profile.store.outbox.mark_sent(message.id, now=profile.clock.now())


def publish(profile: OpenProfile, desk: CreatorDesk, relay: Relay) -> Talk[None]:
    """Offer the catalogue at the relay; anew before the relay's retention ends."""
    last, now = int.from_bytes(profile.store.settings.get(_PUBLISHED) or b"", "big"), profile.clock.now()
    if now - last < _PUBLISH_AGAIN:
        return
    blob = desk.founded.blob
    if last:
        yield lambda: relay.withdraw(blob)
    yield lambda: relay.publish(blob, profile.store.blobs.path(blob))
    profile.store.settings.put(_PUBLISHED, now.to_bytes(8, "big"))


def shut_out(profile: OpenProfile, trouble: ConsiliumError) -> None:
    """Note what it means for an invited site that the relay does not let it in any more: a roster without it."""
    known = membership(profile)
    if trouble.code != "relay.not_a_member" or known is None or known.creator or profile.roster is not None:
        return
    desk = InvitedDesk(profile, known.federation_id)
    if (here := desk.joining()) is not None and not here.left_out:
        with profile.store.database.atomic():
            desk.leave_out()


def ceremony_failed(profile: OpenProfile) -> bool:
    """Return whether the ceremony of the present roster has failed, so that another may begin."""
    roster = profile.roster
    session = None if roster is None else profile.store.sessions.get(roster.ceremony)
    return session is not None and session.state == "failed"
