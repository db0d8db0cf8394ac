"""Sending and receiving: signed envelopes go out through the outbox and come in through the inbox, each once.

A message is signed and stored in the same transaction as the change of state that it tells; a retry sends the stored
bytes. Every site also hears itself: its own messages lie in its inbox too, so a session's state is a function of the
inbox alone. A message is read whole before it is kept, its body included: what lies in the inbox can be read. What is
refused is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from app.core import codec
from app.core.errors import ConsiliumError, EnvironmentProblem, PeerProblem, ProtocolViolation
from app.core.federation import audit
from app.core.federation import envelope as envelopes
from app.core.federation.envelope import Envelope
from app.core.federation.local_site import LocalSite
from app.core.federation.roster import Roster
from app.core.store.messages import InMessage, OutMessage
from app.core.store.profile import Profile

BODY_LIMIT = 1 << 20
_REMEMBERED = 4096

Reader: TypeAlias = Callable[[Any, Roster], Any]
"""Reads the decoded body of one type of message strictly; raises ProtocolViolation."""


class Post(Protocol):
    """What carries bytes between sites: inside one program, or the relay."""

    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
        """Hand over a signed envelope for ``recipients`` (never empty)."""
        ...

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        """Return the pieces of a blob that another site offers; raises PeerProblem ``post.blob_missing``."""
        ...


@dataclass(frozen=True)
class Draft:
    """A signed message that is not queued yet (a reveal waits for every site's commitment)."""

    id: bytes
    session: bytes
    recipients: tuple[int, ...]
    envelope: bytes


class Mailroom:
    """The messages of one site in one federation."""

    def __init__(self, site: LocalSite, types: Mapping[str, Reader]) -> None:
        self._profile = site.profile
        self._key = site.key
        self._roster = site.roster
        self.position = site.position
        self._types = dict(types)
        self._clock = site.clock
        self._random = site.random
        self._remembered: dict[tuple[int, bytes], Any] = {}

    def draft(self, type: str, session: bytes, body: object, recipients: tuple[int, ...] = ()) -> Draft:
        """Sign a message whose body is sealed to ``recipients`` (() = every site) and to ourselves."""
        readers = sorted({*(recipients or self._roster.positions), self.position})
        id_ = self._random(16)
        recipients = tuple(sorted(recipients))
        context = envelopes.body_context(
            federation=self._roster.federation_id,
            type=type,
            sender=self.position,
            recipients=recipients,
            session=session,
            id=id_,
        )
        keys = {position: self._roster.keys[position] for position in readers}
        message = Envelope(
            federation=self._roster.federation_id,
            type=type,
            sender=self.position,
            recipients=recipients,
            session=session,
            id=id_,
            time=self._clock.now(),
            body=envelopes.seal_body(codec.encode(body), keys, context, random=self._random),
        )
        return Draft(id_, session, recipients, envelopes.sign(message, self._key))

    def queue(self, draft: Draft) -> None:
        """Put a drafted message into the outbox and our own inbox; call inside ``database.atomic()``."""
        now = self._clock.now()
        others = tuple(p for p in draft.recipients or self._roster.positions if p != self.position)
        if others:
            self._profile.outbox.queue(
                draft.id, session=draft.session, envelope=draft.envelope, recipients=others, now=now
            )
        message = self._opened(draft.envelope, check_recipient=False)
        self._keep(message, draft.envelope)

    def post(self, type: str, session: bytes, body: object, recipients: tuple[int, ...] = ()) -> None:
        """Draft and queue in one."""
        self.queue(self.draft(type, session, body, recipients))

    def receive(self, data: bytes) -> bool:
        """Take in bytes that claim to be a message for us. Return whether they are new.

        Raises ProtocolViolation ``envelope.*``, ``mail.id_used_twice``, or what the type's reader says of the body; the
        refusal is recorded.
        """
        known: int | None = None
        try:
            message = self._opened(data)
            known = message.sender
            self._body(message)
            with self._profile.database.atomic():
                if self._keep(message, data):
                    return True
            stored = self._profile.inbox.get(*message.key)
            if stored is None or stored.envelope != data:
                raise ProtocolViolation("mail.id_used_twice", sender=message.sender)
            return False
        except ProtocolViolation as error:
            claimed = error.params.get("sender")
            self.refuse(error, claimed if isinstance(claimed, int) else known)
            raise

    def signed(self, data: bytes) -> bool:
        """Whether ``data`` is a message as a site of the federation has signed it, whatever it says."""
        try:
            claimed = envelopes.claimed(data)
            envelopes.open_envelope(
                data,
                federation=self._roster.federation_id,
                roster=self._roster.keys,
                me=None,
                types={claimed.type},
            )
        except ProtocolViolation as error:
            return error.code == "envelope.unknown_version"
        return True

    def refuse(self, error: ConsiliumError, sender: int | None) -> None:
        """Record a refusal, and whose message it was about, as far as that is known."""
        with self._profile.database.atomic():
            now = self._clock.now()
            if not self._profile.refusals.add(error.code, sender=sender, details=error.params, now=now):
                return
            who = "".join(site.name for site in self._roster.sites if site.position == sender)
            entry = audit.Entry(who, {"details": dict(error.params)}, error.code)
            audit.record_as(self._profile, self._key, self._clock, "refusal", entry)

    def _opened(self, data: bytes, check_recipient: bool = True) -> Envelope:
        return envelopes.open_envelope(
            data,
            federation=self._roster.federation_id,
            roster=self._roster.keys,
            me=self.position if check_recipient else None,
            types=self._types,
        )

    def _keep(self, message: Envelope, data: bytes) -> bool:
        return self._profile.inbox.receive(
            message.sender,
            message.id,
            session=message.session,
            type=message.type,
            envelope=data,
            now=self._clock.now(),
        )

    def heard(self, session: bytes, type: str) -> Iterator[tuple[int, Any]]:
        """Yield (sender, body as read) of every message of a session and type, by sender, in the order of arrival."""
        for stored in self._profile.inbox.of_session(session, type):
            yield stored.sender, self.read(stored)

    def read(self, stored: InMessage) -> Any:
        """Return the body of a message in the inbox, as its type's reader returns it; a recent one from memory."""
        key = (stored.sender, stored.id)
        if key not in self._remembered:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = self._body(self._opened(stored.envelope, check_recipient=False))
        return self._remembered[key]

    def _body(self, message: Envelope) -> Any:
        plain = envelopes.open_body(message.body, self.position, self._key, message.context, BODY_LIMIT)
        return self._types[message.type](codec.decode(plain, BODY_LIMIT), self._roster)

    def unsent(self) -> tuple[OutMessage, ...]:
        """Return what still has to leave."""
        return self._profile.outbox.unsent()

    def deliver(self, post: Post) -> int:
        """Send what is waiting in the outbox, in order; return how many messages left."""
        count = 0
        for message in self.unsent():
            post.send(message.envelope, message.recipients)
            self._profile.outbox.mark_sent(message.id, now=self._clock.now())
            count += 1
        return count

    def blob(self, post: Post, name: bytes, limit: int) -> None:
        """Make sure that the blob ``name`` is here, fetching it if it is not; checked against its name.

        Raises PeerProblem ``post.blob_missing``, or ``post.blob_altered`` for bytes that are not this blob, which is
        recorded: the carrier's fault, so another try may succeed.
        """
        if name in self._profile.blobs:
            return
        try:
            self._profile.blobs.put(post.fetch(name, limit), limit=limit, expected=name)
        except ProtocolViolation as error:
            self.refuse(error, None)
            raise PeerProblem("post.blob_altered", name=name.hex()) from error


class LocalPost:
    """Carries messages between sites that live in one program, as bytes; the relay takes its place."""

    def __init__(self) -> None:
        self._mailrooms: dict[int, Mailroom] = {}
        self._profiles: dict[int, Profile] = {}
        self._waiting: list[tuple[int, bytes]] = []

    def connect(self, mailroom: Mailroom, profile: Profile) -> None:
        """Make a site reachable; a later call for the same position replaces it (after a restart)."""
        self._mailrooms[mailroom.position] = mailroom
        self._profiles[mailroom.position] = profile

    def disconnect(self, position: int) -> None:
        """Make a site unreachable; what is sent to it waits."""
        self._mailrooms.pop(position, None)
        self._profiles.pop(position, None)

    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
        """Keep the envelope for each recipient until it is delivered."""
        self._waiting.extend((position, envelope) for position in recipients)

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        """Return a blob from whichever connected site has it."""
        for profile in self._profiles.values():
            if name in profile.blobs:
                return [profile.blobs.get(name, limit=limit)]
        raise PeerProblem("post.blob_missing", name=name.hex())

    def carry(self) -> int:
        """Deliver what is waiting for connected sites; return how many messages were new to their readers."""
        waiting, self._waiting = self._waiting, []
        new = 0
        for position, data in waiting:
            mailroom = self._mailrooms.get(position)
            if mailroom is None:
                self._waiting.append((position, data))
                continue
            try:
                new += mailroom.receive(data)
            except (ProtocolViolation, EnvironmentProblem):
                continue  # recorded by the receiver; an altered message never stops the others
        return new
