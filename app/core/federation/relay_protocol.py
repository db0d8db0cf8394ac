"""What the relay and its clients say to each other, version 1: written and read in this one place.

The table of requests and answers is in ``app/relay/PROTOCOL.md``. Bodies are canonical CBOR maps with a version;
messages are signed envelopes as they are; refusals are problem details (RFC 9457) with one of the codes below.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core import codec
from app.core.crypto.identity import SIGNATURE_BYTES, MemberKey, MemberPublicKey
from app.core.errors import ProtocolViolation
from app.core.fields import Fields
from app.core.secret import SecretBytes

VERSION = 1
CBOR = "application/cbor"
PROBLEM = "application/problem+json"
OFFSET = "Upload-Offset"
"""Header: how many bytes of an unfinished blob the relay has."""
MARK = "Consilium-Relay"
"""Header of every answer: one without it comes from something in between."""
REASON = "Consilium-Problem"
"""Header of every refusal: its code, for answers without a body and for proxies that replace bodies."""

MOST_MEMBERS = 64
INTRODUCTION_LIMIT = 8192
SMALL = 1 << 15
"""Bytes of any request that is not a message or a blob."""
ANSWER_LIMIT = 1 << 23
LONGEST_WAIT = 55
"""Seconds of a long poll; proxies often cut a silent connection after 60."""
SECRET_BYTES = 32
HERE = 120_000
"""Milliseconds since a member's last poll within which it counts as there: two whole minutes, polls last one."""

_MINUTE = 60_000
_MALFORMED = "relay.malformed"
_ADMISSION = "relay admission v1"
_SESSION = "relay session v1"

STATUS = {
    "relay.malformed": 400,
    "relay.unauthenticated": 401,
    "relay.not_a_member": 403,
    "relay.founder_only": 403,
    "relay.not_yours": 403,
    "relay.code_refused": 403,
    "relay.invitation_refused": 403,
    "relay.not_found": 404,
    "relay.blob_missing": 404,
    "relay.method_not_allowed": 405,
    "relay.too_slow": 408,
    "relay.federation_exists": 409,
    "relay.federation_full": 409,
    "relay.id_used_twice": 409,
    "relay.wrong_offset": 409,
    "relay.upload_superseded": 409,
    "relay.length_required": 411,
    "relay.too_large": 413,
    "relay.range_not_satisfiable": 416,
    "relay.envelope_refused": 422,
    "relay.recipient_unknown": 422,
    "relay.message_expired": 422,
    "relay.message_from_future": 422,
    "relay.blob_altered": 422,
    "relay.too_many_requests": 429,
    "relay.failed": 500,
    "relay.mailbox_full": 507,
    "relay.storage_used_up": 507,
    "relay.disk_full": 507,
}
"""Every code with which the relay refuses, and its HTTP status. Codes never change their meaning."""


def admission_of(secret: SecretBytes) -> SecretBytes:
    """Return what a site shows the relay of its invitation's secret.

    The relay never sees the secret itself: what is sealed under another derivation of it stays closed to the relay.
    """
    return secret.derive(_ADMISSION)


def code_secret(code: str) -> SecretBytes:
    """Return the secret that a relay code stands for; spaces, dashes and case do not matter."""
    letters = "".join(letter for letter in code.upper() if letter.isascii() and letter.isalnum())
    return SecretBytes(letters.encode()[:64].ljust(16, b"\0"))


def secret_hash(shown: bytes) -> bytes:
    """Return what the relay keeps of a relay code or an admission secret."""
    return hashlib.sha256(b"consilium/relay secret v1\0" + shown).digest()


@dataclass(frozen=True)
class Admission:
    """A request to found a federation (with a relay code) or to join one (with an admission secret).

    ``introduction`` is for the other members: bytes that the relay keeps and hands out without reading them. The
    signature by ``key`` covers everything.
    """

    federation: bytes
    secret: bytes
    key: MemberPublicKey
    introduction: bytes
    signature: bytes

    @classmethod
    def sign(cls, federation: bytes, secret: SecretBytes, key: MemberKey, introduction: bytes) -> Admission:
        """Make the request of the site whose key this is."""
        shown = secret.reveal()
        message = _admission_message(federation, shown, key.public, introduction)
        return cls(federation, shown, key.public, introduction, key.sign(_ADMISSION, message))

    def to_bytes(self) -> bytes:
        """Return the request's body."""
        plain = {"version": VERSION, "federation": self.federation, "secret": self.secret, "key": self.key.to_dict()}
        return codec.encode({**plain, "introduction": self.introduction, "signature": self.signature})

    @classmethod
    def from_bytes(cls, data: bytes) -> Admission:
        """Read and verify; raises ProtocolViolation ``relay.malformed``."""
        fields = _fields(data, SMALL)
        try:
            key = MemberPublicKey.from_dict(fields.any("key"))
        except ProtocolViolation as error:
            raise ProtocolViolation(_MALFORMED, field="key") from error
        read = cls(
            federation=fields.bytes("federation", 32),
            secret=fields.bytes("secret", 16, 64),
            key=key,
            introduction=fields.bytes("introduction", 0, INTRODUCTION_LIMIT),
            signature=fields.bytes("signature", SIGNATURE_BYTES),
        )
        fields.done()
        message = _admission_message(read.federation, read.secret, key, read.introduction)
        _check(key, _ADMISSION, message, read.signature)
        return read


def _admission_message(federation: bytes, secret: bytes, key: MemberPublicKey, introduction: bytes) -> bytes:
    return codec.encode([federation, secret_hash(secret), key.fingerprint, introduction])


@dataclass(frozen=True)
class Login:
    """A member's answer to a challenge."""

    federation: bytes
    fingerprint: bytes
    challenge: bytes
    signature: bytes

    @classmethod
    def sign(cls, federation: bytes, challenge: bytes, key: MemberKey) -> Login:
        """Answer ``challenge`` as the member whose key this is."""
        signature = key.sign(_SESSION, codec.encode([federation, challenge]))
        return cls(federation, key.public.fingerprint, challenge, signature)

    def check(self, key: MemberPublicKey) -> None:
        """Verify; raises ProtocolViolation ``relay.malformed``."""
        _check(key, _SESSION, codec.encode([self.federation, self.challenge]), self.signature)

    def to_bytes(self) -> bytes:
        """Return the request's body."""
        plain = {"version": VERSION, "federation": self.federation, "fingerprint": self.fingerprint}
        return codec.encode({**plain, "challenge": self.challenge, "signature": self.signature})

    @classmethod
    def from_bytes(cls, data: bytes) -> Login:
        """Read; raises ProtocolViolation ``relay.malformed``."""
        fields = _fields(data, SMALL)
        read = cls(
            federation=fields.bytes("federation", 32),
            fingerprint=fields.bytes("fingerprint", 32),
            challenge=fields.bytes("challenge", 16, 128),
            signature=fields.bytes("signature", SIGNATURE_BYTES),
        )
        fields.done()
        return read


@dataclass(frozen=True)
class Session:
    """An open session: the token to show, and for how many seconds it is good."""

    token: str
    seconds: int

    def to_bytes(self) -> bytes:
        """Return the answer's body."""
        return codec.encode({"version": VERSION, "token": self.token, "seconds": self.seconds})

    @classmethod
    def from_bytes(cls, data: bytes) -> Session:
        """Read; raises ProtocolViolation ``relay.malformed``."""
        fields = _fields(data, SMALL)
        read = cls(fields.text("token", 128), fields.number("seconds", 1, 1 << 24))
        fields.done()
        return read


@dataclass(frozen=True)
class RelayMember:
    """A member as the relay lists it. ``place`` is its roster position, ``invitation`` the hash of what it joined by.

    The relay is not trusted with any of this: what counts is the roster that all sites have signed.
    """

    place: int
    key: MemberPublicKey
    founder: bool
    introduction: bytes
    invitation: bytes
    joined: int

    def to_plain(self) -> dict[str, Any]:
        """Return the form that goes into CBOR."""
        plain = {"place": self.place, "key": self.key.to_dict(), "founder": int(self.founder)}
        return {**plain, "introduction": self.introduction, "invitation": self.invitation, "joined": self.joined}


def encode_members(members: tuple[RelayMember, ...]) -> bytes:
    """Return the answer that lists ``members``."""
    return codec.encode({"version": VERSION, "members": [member.to_plain() for member in members]})


def decode_members(data: bytes) -> tuple[RelayMember, ...]:
    """Read the list of members; raises ProtocolViolation ``relay.malformed`` or ``identity.bad_public_key``."""
    fields = _fields(data, ANSWER_LIMIT)
    members = []
    for item in fields.items("members", MOST_MEMBERS):
        each = Fields(item, _MALFORMED)
        member = RelayMember(
            place=each.number("place", 0, MOST_MEMBERS),
            key=MemberPublicKey.from_dict(each.any("key")),
            founder=bool(each.number("founder", 0, 1)),
            introduction=each.bytes("introduction", 0, INTRODUCTION_LIMIT),
            invitation=each.bytes("invitation", 0, 32),
            joined=each.number("joined", 0, 1 << 53),
        )
        each.done()
        members.append(member)
    fields.done()
    return tuple(members)


@dataclass(frozen=True)
class Presence:
    """When a member was last at the relay, to the minute and by the relay's clock (UTC ms), and whether it is there.

    As the relay says it, which is not trusted with it.
    """

    seen: int
    here: bool


def encode_presence(now: int, seen: Mapping[int, int]) -> bytes:
    """Return the answer that says when each place was last seen; times are cut to minutes."""
    minutes = sorted((place, time - time % _MINUTE) for place, time in seen.items())
    return codec.encode({"version": VERSION, "time": now - now % _MINUTE, "seen": [list(each) for each in minutes]})


def decode_presence(data: bytes) -> dict[int, Presence]:
    """Read it; raises ProtocolViolation ``relay.malformed``."""
    fields = _fields(data, SMALL)
    now, found = fields.number("time", 0, 1 << 53), {}
    for item in fields.items("seen", MOST_MEMBERS):
        if not isinstance(item, list) or len(item) != 2:
            fields.refuse("seen")
        each = Fields({"place": item[0], "seen": item[1]}, _MALFORMED)
        place, seen = each.number("place", 1, MOST_MEMBERS), each.number("seen", 0, 1 << 53)
        found[place] = Presence(seen, now - seen <= HERE)
    fields.done()
    return found


def encode_messages(messages: list[tuple[int, bytes]]) -> bytes:
    """Return the answer to a poll: (cursor, envelope) in order."""
    return codec.encode({"version": VERSION, "messages": [[cursor, data] for cursor, data in messages]})


def decode_messages(data: bytes) -> list[tuple[int, bytes]]:
    """Read a poll's answer; raises ProtocolViolation ``relay.malformed`` unless cursors ascend."""
    fields = _fields(data, ANSWER_LIMIT)
    messages, last = [], -1
    for item in fields.items("messages", 1 << 16):
        if not isinstance(item, list) or len(item) != 2:
            fields.refuse("messages")
        each = Fields({"cursor": item[0], "message": item[1]}, _MALFORMED)
        cursor = each.number("cursor", last + 1, 1 << 53)
        messages.append((cursor, each.bytes("message", 0, ANSWER_LIMIT)))
        last = cursor
    fields.done()
    return messages


def encode_challenge(challenge: bytes, time: int) -> bytes:
    """Return the answer that carries a challenge."""
    return codec.encode({"version": VERSION, "challenge": challenge, "time": time})


def decode_challenge(data: bytes) -> tuple[bytes, int]:
    """Read a challenge and the relay's time; raises ProtocolViolation ``relay.malformed``."""
    fields = _fields(data, SMALL)
    read = fields.bytes("challenge", 16, 128), fields.number("time", 0, 1 << 53)
    fields.done()
    return read


def encode_invitation(expires: int) -> bytes:
    """Return the body with which the founder registers an invitation: when it ends (UTC ms)."""
    return codec.encode({"version": VERSION, "expires": expires})


def decode_invitation(data: bytes) -> int:
    """Read it; raises ProtocolViolation ``relay.malformed``."""
    fields = _fields(data, SMALL)
    expires = fields.number("expires", 0, 1 << 53)
    fields.done()
    return expires


def encode_places(fingerprints: tuple[bytes, ...]) -> bytes:
    """Return the body with which the founder gives members their places, 1 … n."""
    return codec.encode({"version": VERSION, "members": list(fingerprints)})


def decode_places(data: bytes) -> tuple[bytes, ...]:
    """Read it; raises ProtocolViolation ``relay.malformed``."""
    fields = _fields(data, SMALL)
    found = fields.items("members", MOST_MEMBERS)
    fields.done()
    if not found or any(type(each) is not bytes or len(each) != 32 for each in found) or len(set(found)) != len(found):
        raise ProtocolViolation(_MALFORMED, field="members")
    return tuple(found)


def _fields(data: bytes, limit: int) -> Fields:
    fields = Fields.decode(data, limit, _MALFORMED)
    fields.exactly({"version": VERSION})
    return fields


def _check(key: MemberPublicKey, purpose: str, message: bytes, signature: bytes) -> None:
    try:
        key.check(purpose, message, signature)
    except ProtocolViolation as error:
        raise ProtocolViolation(_MALFORMED, field="signature") from error
