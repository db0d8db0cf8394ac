"""The invitation: what a site needs to join a federation, as text that survives an e-mail, and as a QR code.

``consilium-invitation:`` base32 without padding, in any case, of payload ‖ checksum, and a full stop. The payload is
canonical CBOR, version 1::

    {"version": 1, "relay": URL, "authority": DER of the relay's own certificate authority (empty: the operating
     system's roots), "federation": 32 bytes, "name", "creator", "contact", "key": fingerprint of the creator's member
     key, "site": the name of the site that is meant, "secret": 32 bytes, "expires": UTC milliseconds}

and the checksum the first 4 bytes of SHA-256(``"consilium/invitation"`` ‖ 0 ‖ payload). The full stop tells a text
that was cut off from one that was altered. The secret is good for one site, once; nobody but creator and invited site
ever has it: the relay sees a derivation (``relay_protocol.admission_of``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import segno

from app.core import codec
from app.core.errors import ProtocolViolation, UserError
from app.core.federation.relay_protocol import SECRET_BYTES, admission_of, secret_hash
from app.core.fields import Fields
from app.core.secret import SecretBytes

PREFIX = "consilium-invitation:"
LIFETIME = 14 * 24 * 3600 * 1000
"""Milliseconds for which an invitation is good unless said otherwise."""
MOST_NAME, MOST_CONTACT, MOST_URL, MOST_AUTHORITY = 100, 300, 300, 4096

_VERSION = 1
_CHECKSUM = 4
_LIMIT = 8192
_MOST_TEXT = 1 << 16
_MALFORMED = "invitation.malformed"


@dataclass(frozen=True)
class Invitation:
    """An invitation, read; see the module. Whether it is still good only the relay and the creator know."""

    relay: str
    authority: bytes
    federation_id: bytes
    federation: str
    creator: str
    contact: str
    creator_fingerprint: bytes
    site: str
    secret: SecretBytes
    expires: int

    @property
    def id(self) -> bytes:
        """What the relay knows this invitation by (32 bytes)."""
        return secret_hash(admission_of(self.secret).reveal())

    def check_time(self, now: int) -> None:
        """Raise UserError ``invitation.expired`` if it is past its time."""
        if now > self.expires:
            raise UserError("invitation.expired", federation=self.federation, creator=self.creator)

    def to_text(self) -> str:
        """Return the invitation as one line."""
        payload = codec.encode(
            {
                "version": _VERSION,
                "relay": self.relay,
                "authority": self.authority,
                "federation": self.federation_id,
                "name": self.federation,
                "creator": self.creator,
                "contact": self.contact,
                "key": self.creator_fingerprint,
                "site": self.site,
                "secret": self.secret.reveal(),
                "expires": self.expires,
            }
        )
        return f"{PREFIX}{_letters(payload + _checksum(payload))}."


def read_invitation(text: str) -> Invitation:
    """Read an invitation out of ``text``, whatever line breaks, spaces or quotation marks a mail program put into it.

    Raises UserError ``invitation.missing`` (no invitation in it), ``invitation.incomplete`` (its end is missing),
    ``invitation.mangled`` (a character is wrong or missing), ``invitation.newer``, ``invitation.malformed``.
    """
    squeezed = re.sub(r"[\s>|\u00ad\u200b\u200c\u200d\u2060\ufeff]+", "", text[:_MOST_TEXT]).casefold()
    _, found, rest = squeezed.partition(PREFIX)
    if not found:
        raise UserError("invitation.missing")
    letters, end, _ = rest.partition(".")
    if not end:
        raise UserError("invitation.incomplete")
    try:
        data = base64.b32decode(letters.upper() + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError) as error:
        raise UserError("invitation.mangled") from error
    payload, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if len(data) <= _CHECKSUM or checksum != _checksum(payload) or _letters(data) != letters:
        raise UserError("invitation.mangled")
    return _read_payload(payload)


def svg(text: str) -> str:
    """Return the invitation ``text`` as a QR code: an SVG image."""
    return str(_code(text).svg_inline(scale=4))


def terminal(text: str) -> str:
    """Return the invitation ``text`` as a QR code drawn with characters."""
    drawn = io.StringIO()
    _code(text).terminal(drawn, compact=True)
    return drawn.getvalue()


def _code(text: str) -> segno.QRCode:
    return segno.make(text.upper(), error="l", micro=False)  # capitals take five and a half bits each


def _read_payload(payload: bytes) -> Invitation:
    try:
        value = codec.decode(payload, _LIMIT)
        if isinstance(value, dict) and type(value.get("version")) is int and value["version"] > _VERSION:
            raise UserError("invitation.newer")
        fields = Fields(value, _MALFORMED)
        fields.exactly({"version": _VERSION})
        invitation = Invitation(
            relay=fields.text("relay", MOST_URL),
            authority=fields.bytes("authority", 0, MOST_AUTHORITY),
            federation_id=fields.bytes("federation", 32),
            federation=fields.text("name", MOST_NAME),
            creator=fields.text("creator", MOST_NAME),
            contact=fields.text("contact", MOST_CONTACT),
            creator_fingerprint=fields.bytes("key", 32),
            site=fields.text("site", MOST_NAME),
            secret=SecretBytes(fields.bytes("secret", SECRET_BYTES)),
            expires=fields.number("expires", 0, 1 << 53),
        )
        fields.done()
        if not is_relay_url(invitation.relay):
            fields.refuse("relay")
    except ProtocolViolation as error:
        raise UserError(_MALFORMED) from error
    return invitation


def is_relay_url(url: str) -> bool:
    """Return whether ``url`` is the address of a relay: https, a host, nothing personal in it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and parts.username is None and len(url) <= MOST_URL


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _checksum(payload: bytes) -> bytes:
    return hashlib.sha256(b"consilium/invitation\0" + payload).digest()[:_CHECKSUM]
