"""The envelope every message travels in, and the sealing of its body.

Envelope, version 1, canonical CBOR::

    {"version": 1, "federation": 32 bytes, "type": text, "sender": roster position from 1,
     "recipients": [positions, ascending; empty = every site], "session": 16 to 32 bytes,
     "id": 16 bytes chosen by the sender, "time": UTC milliseconds, "body": bytes, "signature": 64 bytes}

The signature is the sender's, for the purpose ``envelope v1``, over the canonical encoding of the map without
``signature``. A retry sends the stored bytes, so ``(sender, id)`` (:attr:`Envelope.key`) finds replays.

Sealed body, version 1, canonical CBOR::

    {"version": 1, "keys": [[position, 1168 bytes], …], "commitment": 32 bytes, "data": bytes}

A fresh 32-byte content key is sealed to each recipient (HPKE, purpose ``body key v1``, info with the context below and
the commitment). ``data`` is AES-256-GCM under ``derive("body data v1")`` of it, nonce zero (the key is used once); its
additional data is the SHA-256 of the canonical encoding of [context, commitment, keys]. The commitment,
``derive("body commitment v1")`` of the content key, makes every recipient open the same plaintext, which AES-GCM alone
does not. The context (:func:`body_context`) names federation, type, sender, recipients, session and id: in another
envelope the body does not open.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.codec import decode, digest, encode
from app.core.crypto.identity import SEALED_OVERHEAD, MemberKey, MemberPublicKey, Opens, SealsTo
from app.core.errors import ProtocolViolation
from app.core.secret import SecretBytes

VERSION = 1
DEFAULT_LIMIT = 2**20
"""Bytes of one envelope; larger things are blobs that a message names by their hash."""
MOST_SITES = 1024

_PURPOSE = "envelope v1"
_BODY_KEY = "body key v1"
_SEALED_KEY_BYTES = 32 + SEALED_OVERHEAD
_TYPE = re.compile(r"[a-z][a-z0-9._/-]{0,63}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message. Making one checks every field; raises ProtocolViolation ``envelope.malformed`` with its name."""

    federation: bytes
    type: str
    sender: int
    recipients: tuple[int, ...]
    session: bytes
    id: bytes
    time: int
    body: bytes
    version: int = VERSION

    def __post_init__(self) -> None:
        for name, check in _FIELDS.items():
            if not check(getattr(self, name)):
                raise ProtocolViolation("envelope.malformed", field=name)

    @property
    def key(self) -> tuple[int, bytes]:
        """What is the same in every copy of this message and in no other: sender and id."""
        return self.sender, self.id

    @property
    def context(self) -> bytes:
        """The :func:`body_context` of this envelope."""
        return body_context(
            federation=self.federation,
            type=self.type,
            sender=self.sender,
            recipients=self.recipients,
            session=self.session,
            id=self.id,
        )

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        return content | {"recipients": list(self.recipients)}


def sign(envelope: Envelope, key: MemberKey) -> bytes:
    """Return the bytes to store and send: ``envelope`` with the sender's signature."""
    content = envelope._content()
    return encode(content | {"signature": key.sign(_PURPOSE, encode(content))})


def open_envelope(
    data: bytes,
    *,
    federation: bytes,
    roster: Mapping[int, MemberPublicKey],
    me: int | None,
    types: Container[str],
    limit: int = DEFAULT_LIMIT,
) -> Envelope:
    """Return the message in ``data`` if it is whole, of this federation, signed by a site of ``roster`` and for ``me``.

    ``me`` is our roster position; None reads messages to anyone (audit). ``types`` are the known message types.
    Checks in this order, each with its own ProtocolViolation: ``envelope.too_large``, ``.malformed``,
    ``.unknown_version``, ``.malformed`` (a field), ``.unknown_type``, ``.foreign_federation``, ``.stranger``,
    ``.bad_signature``, ``.not_for_us``. Whether it was handled before is the inbox's question (:attr:`Envelope.key`).
    """
    envelope, signature = _parse(data, limit)
    if envelope.type not in types:
        raise ProtocolViolation("envelope.unknown_type", type=envelope.type)
    if envelope.federation != federation:
        raise ProtocolViolation("envelope.foreign_federation")
    if envelope.sender not in roster:
        raise ProtocolViolation("envelope.stranger", sender=envelope.sender)
    try:
        roster[envelope.sender].check(_PURPOSE, encode(envelope._content()), signature)
    except ProtocolViolation as error:
        raise ProtocolViolation("envelope.bad_signature", sender=envelope.sender) from error
    if me is not None and envelope.recipients and me not in envelope.recipients:
        raise ProtocolViolation("envelope.not_for_us", sender=envelope.sender)
    return envelope


def claimed(data: bytes, limit: int = DEFAULT_LIMIT) -> Envelope:
    """Return what ``data`` says of itself, nothing verified: only to find the keys that :func:`open_envelope` needs.

    Raises ProtocolViolation ``envelope.too_large``, ``.malformed`` or ``.unknown_version``.
    """
    return _parse(data, limit)[0]


def body_context(
    *, federation: bytes, type: str, sender: int, recipients: tuple[int, ...], session: bytes, id: bytes
) -> bytes:
    """Return what a sealed body is bound to, as canonical CBOR; all of it is known before the body is."""
    return encode(["consilium body", VERSION, federation, type, sender, list(recipients), session, id])


def seal_body(
    plaintext: bytes,
    recipients: Mapping[int, SealsTo],
    context: bytes,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Return ``plaintext`` sealed to ``recipients`` (by roster position) in the envelope that ``context`` names."""
    content_key = SecretBytes(random(32))
    commitment = content_key.derive("body commitment v1").reveal()
    keys = [
        [position, recipients[position].seal_to(_BODY_KEY, content_key.reveal(), commitment + context)]
        for position in sorted(recipients)
    ]
    data = _body_cipher(content_key).encrypt(bytes(12), plaintext, digest([context, commitment, keys]))
    return encode({"version": VERSION, "keys": keys, "commitment": commitment, "data": data})


def open_body(sealed: bytes, position: int, key: Opens, context: bytes, limit: int = DEFAULT_LIMIT) -> bytes:
    """Return the plaintext of a body sealed to the site at ``position``, whose private ``key`` this is.

    Raises ProtocolViolation ``envelope.body_malformed``, ``envelope.body_not_for_us`` or ``envelope.body_damaged``
    (altered, or taken from another envelope).
    """
    try:
        value = decode(sealed, limit)
    except ProtocolViolation as error:
        raise ProtocolViolation("envelope.body_malformed") from error
    if not _is_body(value):
        raise ProtocolViolation("envelope.body_malformed")
    sealed_key = dict(value["keys"]).get(position)
    if sealed_key is None:
        raise ProtocolViolation("envelope.body_not_for_us")
    try:
        content_key = SecretBytes(key.open(_BODY_KEY, sealed_key, value["commitment"] + context))
        if content_key.derive("body commitment v1") != SecretBytes(value["commitment"]):
            raise ProtocolViolation("envelope.body_damaged")
        bound = digest([context, value["commitment"], value["keys"]])
        return _body_cipher(content_key).decrypt(bytes(12), value["data"], bound)
    except (InvalidTag, ProtocolViolation) as error:
        raise ProtocolViolation("envelope.body_damaged") from error


def _parse(data: bytes, limit: int) -> tuple[Envelope, bytes]:
    if len(data) > limit:
        raise ProtocolViolation("envelope.too_large", size=len(data), limit=limit)
    try:
        value = decode(data, limit)
    except ProtocolViolation as error:
        raise ProtocolViolation("envelope.malformed", field="message") from error
    if not isinstance(value, dict) or type(value.get("version")) is not int:
        raise ProtocolViolation("envelope.malformed", field="version")
    if value["version"] != VERSION:
        raise ProtocolViolation("envelope.unknown_version", version=value["version"])
    signature = value.pop("signature", None)
    if not _is_bytes(signature, 64) or set(value) != set(_FIELDS) or not isinstance(value["recipients"], list):
        raise ProtocolViolation("envelope.malformed", field="message")
    return Envelope(**value | {"recipients": tuple(value["recipients"])}), signature


def _is_bytes(value: object, least: int, most: int | None = None) -> bool:
    return type(value) is bytes and least <= len(value) <= (most or least)


def _is_position(value: object) -> bool:
    return type(value) is int and 1 <= value <= MOST_SITES


def _is_recipients(value: Any) -> bool:
    return type(value) is tuple and all(map(_is_position, value)) and list(value) == sorted(set(value))


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "version": lambda value: type(value) is int and value == VERSION,
    "federation": lambda value: _is_bytes(value, 32),
    "type": lambda value: type(value) is str and _TYPE.fullmatch(value) is not None,
    "sender": _is_position,
    "recipients": _is_recipients,
    "session": lambda value: _is_bytes(value, 16, 32),
    "id": lambda value: _is_bytes(value, 16),
    "time": lambda value: type(value) is int and 0 <= value < 2**53,
    "body": lambda value: type(value) is bytes,
}


def _is_body(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"version", "keys", "commitment", "data"}
        and type(value["version"]) is int
        and value["version"] == VERSION
        and _is_bytes(value["commitment"], 32)
        and type(value["data"]) is bytes
        and isinstance(value["keys"], list)
        and all(isinstance(item, list) and len(item) == 2 for item in value["keys"])
        and _is_recipients(tuple(item[0] for item in value["keys"]))
        and all(_is_bytes(item[1], _SEALED_KEY_BYTES) for item in value["keys"])
    )


def _body_cipher(content_key: SecretBytes) -> AESGCM:
    return AESGCM(content_key.derive("body data v1").reveal())
