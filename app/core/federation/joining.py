"""How a federation comes together: what creator and invited site keep and say until all have signed the roster.

Each side is a state machine in the profile's store. A message is verified, noted in the inbox, takes effect and is
answered into the outbox in one transaction; the same message again changes nothing, so a process may be killed at any
point. What goes to the relay directly (registering an invitation, giving places) is asked for again until it is done.

Creator, one session an invitation: ``registering`` → ``invited`` → ``joined`` (or ``withdrawn``), then both sides
confirm the six words. One session a proposed roster: ``proposed`` → ``signed`` (by all) → ``installed``, or
``withdrawn``. Invited site: ``asking`` → ``joined`` → ``answered`` → ``seen`` (the catalogue is here); a proposed
roster is ``signed`` → ``installed``, ``refused`` or ``superseded``. The relay gives the sites the places of their
roster positions when all have signed, before anyone hears of it: until then messages go by the places of joining.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from app.core import codec
from app.core.catalogue.model import Catalogue
from app.core.clock import Clock
from app.core.crypto.identity import MemberKey, MemberPublicKey
from app.core.crypto.vault import StorageCipher
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.federation import envelope as envelopes
from app.core.federation.envelope import Envelope
from app.core.federation.joining_messages import READERS, Message
from app.core.federation.roster import Roster
from app.core.secret import SecretBytes
from app.core.store.profile import Profile
from app.core.store.sessions import Session

PREFIX = "joining."
CATALOGUE = "joining catalogue"
"""Setting: the catalogue's canonical bytes; the creator's own, or what an invited site was shown."""
CREATOR = 1
"""The creator's place at the relay and in every roster."""
BODY_LIMIT = 1 << 20
DATA_LIMIT = 1 << 20

REGISTERING, INVITED, JOINED, WITHDRAWN = "registering", "invited", "joined", "withdrawn"
ASKING, ANSWERED, SEEN = "asking", "answered", "seen"
PROPOSED, SIGNED, INSTALLED = "proposed", "signed", "installed"
REFUSED, SUPERSEDED = "refused", "superseded"
INVITED_SITE, JOINING, PROPOSED_ROSTER = "invited site", "joining", "proposed roster"

_CIPHER = "catalogue"

M = TypeVar("M", bound=Message)


class JoiningProfile(Protocol):
    """What joining needs of an open profile."""

    @property
    def store(self) -> Profile: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def root(self) -> SecretBytes: ...

    @property
    def member_key(self) -> MemberKey: ...

    @property
    def site_name(self) -> str: ...

    @property
    def site_contact(self) -> str: ...

    @property
    def roster(self) -> Roster | None: ...

    def install_roster(self, roster: Roster, signatures: Mapping[int, bytes], catalogue: Catalogue) -> None: ...


def is_joining(data: bytes) -> bool:
    """Return whether ``data`` claims to be a message of this module; anything may claim so."""
    try:
        return envelopes.claimed(data).type.startswith(PREFIX)
    except ProtocolViolation:
        return False


@dataclass
class Desk:
    """What both sides share: reading, keeping and writing messages of one federation."""

    profile: JoiningProfile
    federation_id: bytes
    random: Callable[[int], bytes] = secrets.token_bytes

    @property
    def store(self) -> Profile:
        """The profile's store."""
        return self.profile.store

    @property
    def key(self) -> MemberKey:
        """Our member key."""
        return self.profile.member_key

    def now(self) -> int:
        """The time, UTC milliseconds."""
        return self.profile.clock.now()

    @property
    def cipher(self) -> StorageCipher:
        """What secrets are kept under."""
        return StorageCipher(self.profile.root)

    # --- secrets ------------------------------------------------------------------------------------------------

    def keep_secret(self, name: str, secret: SecretBytes) -> None:
        """Keep ``secret``, encrypted, replacing one of the same name."""
        self.store.sealed_secrets.replace(name, self.cipher.encrypt(name, secret.reveal(), self.federation_id))

    def secret(self, name: str) -> SecretBytes | None:
        """Return the secret kept under ``name``, or None."""
        sealed = self.store.sealed_secrets.get(name)
        return None if sealed is None else SecretBytes(self.cipher.decrypt(name, sealed, self.federation_id))

    # --- sessions -----------------------------------------------------------------------------------------------

    def add(self, id_: bytes, kind: str, state: str, data: Mapping[str, Any]) -> None:
        """Begin a session."""
        self.store.sessions.add(id_, kind=kind, state=state, data=codec.encode(dict(data)), now=self.now())

    def move(self, session: Session, state: str, data: Mapping[str, Any]) -> None:
        """Bring a session from the state it has into another."""
        changed = codec.encode(dict(data))
        self.store.sessions.move(session.id, expected=session.state, state=state, data=changed, now=self.now())

    def session(self, id_: bytes, kind: str) -> Session:
        """Return a session; raises ProtocolViolation ``joining.stranger`` if there is none of this id and kind."""
        found = self.store.sessions.get(id_)
        if found is None or found.kind != kind:
            raise ProtocolViolation("joining.stranger")
        return found

    # --- messages -----------------------------------------------------------------------------------------------

    def say(
        self,
        type_: str,
        session: bytes,
        message: Message,
        recipients: Mapping[int, MemberPublicKey],
        *,
        sender: int = CREATOR,
    ) -> None:
        """Sign, seal to ``recipients`` (by place) and queue a message; call inside ``database.atomic()``."""
        id_, places = self.random(16), tuple(sorted(recipients))
        context = envelopes.body_context(
            federation=self.federation_id, type=type_, sender=sender, recipients=places, session=session, id=id_
        )
        body = envelopes.seal_body(codec.encode(message.to_plain()), recipients, context, random=self.random)
        now = self.now()
        data = envelopes.sign(Envelope(self.federation_id, type_, sender, places, session, id_, now, body), self.key)
        self.store.outbox.queue(id_, session=session, envelope=data, recipients=places, now=now)

    def verified(self, data: bytes, sender: MemberPublicKey, place: int) -> None:
        """Check that ``data`` is of our federation, signed by ``sender`` and for ``place``; raises ``envelope.*``."""
        who = envelopes.claimed(data).sender
        envelopes.open_envelope(
            data, federation=self.federation_id, roster={who: sender}, me=place, types=frozenset(READERS)
        )

    def opened(self, envelope: Envelope, place: int, kind: type[M]) -> M:
        """Return the body of a message, read; raises ProtocolViolation ``envelope.*``, ``joining.malformed``."""
        plain = envelopes.open_body(envelope.body, place, self.key, envelope.context, BODY_LIMIT)
        try:
            message = READERS[envelope.type](codec.decode(plain, BODY_LIMIT))
        except EnvironmentProblem as error:  # parameters that this program must not use
            raise ProtocolViolation("joining.malformed", field="parameters") from error
        if not isinstance(message, kind):
            raise ProtocolViolation("joining.malformed", field="type")
        return message

    def receive(self, data: bytes) -> bool:
        """Take in bytes that claim to be a message for us. Return whether they are new.

        Raises ProtocolViolation ``envelope.*``, ``joining.*``, ``roster.*``; the refusal is recorded.
        """
        sender: int | None = None
        try:
            envelope = envelopes.claimed(data)
            sender = envelope.sender
            known = self.store.inbox.get(*envelope.key)
            if known is not None and known.envelope == data:
                return False
            if envelope.type not in READERS:
                raise ProtocolViolation("envelope.unknown_type", type=envelope.type)
            with self.store.database.atomic():
                self.handle(envelope, data)
                self._note(envelope, data)
        except ProtocolViolation as error:
            self.refuse(error, sender)
            raise
        return True

    def handle(self, envelope: Envelope, data: bytes) -> None:
        """Verify a message and let it have its effect; inside a transaction."""
        raise NotImplementedError

    def _note(self, envelope: Envelope, data: bytes) -> None:
        now = self.now()
        kept = self.store.inbox.receive(
            envelope.sender, envelope.id, session=envelope.session, type=envelope.type, envelope=data, now=now
        )
        if not kept:
            raise ProtocolViolation("mail.id_used_twice", sender=envelope.sender)
        self.store.inbox.mark_handled(envelope.sender, envelope.id, now=now)

    def refuse(self, error: ProtocolViolation, sender: int | None) -> None:
        """Record a refusal."""
        self.store.refusals.add(error.code, sender=sender, details=error.params, now=self.now())

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record a refusal that the block raises."""
        try:
            yield
        except ProtocolViolation as error:
            self.refuse(error, None)
            raise

    @property
    def catalogue(self) -> Catalogue | None:
        """The federation's catalogue, or None before we have seen it."""
        stored = self.store.settings.get(CATALOGUE)
        return None if stored is None else Catalogue.from_cbor(stored)

    # --- proposed rosters -----------------------------------------------------------------------------------------

    def proposals(self) -> tuple[Session, ...]:
        """Return the rosters that were proposed, oldest first."""
        return self.store.sessions.all(kind=PROPOSED_ROSTER)

    def latest_proposal(self, *states: str) -> Session | None:
        """Return the latest proposed roster in one of ``states``, or None."""
        return next((each for each in reversed(self.proposals()) if each.state in states), None)


def data_of(session: Session) -> dict[str, Any]:
    """Return what a session keeps; we wrote it ourselves."""
    data: dict[str, Any] = codec.decode(session.data, DATA_LIMIT)
    return data


def invitation_secret(session: bytes) -> str:
    """Return the name under which the secret of an invitation is kept."""
    return f"invitation/{session.hex()}"


def lock_catalogue(catalogue: Catalogue, cipher: StorageCipher, federation_id: bytes) -> bytes:
    """Return the blob in which the creator offers the catalogue."""
    return cipher.encrypt(_CIPHER, catalogue.to_cbor(), federation_id)


def open_catalogue(sealed: bytes, cipher: StorageCipher, federation_id: bytes) -> Catalogue:
    """Return the catalogue in a blob; raises ProtocolViolation ``joining.catalogue_differs`` if it does not open."""
    try:
        return Catalogue.from_cbor(cipher.decrypt(_CIPHER, sealed, federation_id))
    except (EnvironmentProblem, UserError) as error:
        raise ProtocolViolation("joining.catalogue_differs") from error
