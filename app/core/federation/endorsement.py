"""The endorsement request: how the public key of a person comes to the custodian, as text that survives an e-mail.

``consilium-endorsement:`` base32 without padding, in any case, of payload ‖ checksum, and a full stop. The payload is
canonical CBOR, version 1::

    {"version": 1, "federation": 32 bytes, "site": position, "person": name, "key": 32 bytes, "proof": 64 bytes}

and the checksum the first 4 bytes of SHA-256(``"consilium/endorsement"`` ‖ 0 ‖ payload). ``proof`` is the person's own
signature over the rest, so that nobody has somebody else's key endorsed. Nothing in it is secret; that it comes from
whom it names is for the custodian to see: the fingerprint is compared.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from app.core import codec
from app.core.crypto.identity import SIGNATURE_BYTES, VERIFY_BYTES, SigningKey, VerifyingKey
from app.core.errors import ProtocolViolation, UserError
from app.core.federation.people import MOST_NAME
from app.core.federation.roster import MOST_SITES
from app.core.fields import Fields

PREFIX = "consilium-endorsement:"
_VERSION = 1
_CHECKSUM = 4
_LIMIT = 2048
_MOST_TEXT = 1 << 14
_MALFORMED = "endorsement.malformed"
_PROOF = "endorsement v1"


@dataclass(frozen=True)
class EndorsementRequest:
    """A person of the site at ``site`` and the key that shall be endorsed."""

    federation: bytes
    site: int
    person: str
    key: bytes

    def to_text(self, key: SigningKey) -> str:
        """Return the request as one line, signed with the private half of its ``key``."""
        proof = key.sign(_PROOF, codec.encode(self._plain()))
        payload = codec.encode({**self._plain(), "proof": proof})
        return f"{PREFIX}{_letters(payload + _checksum(payload))}."

    def _plain(self) -> dict[str, object]:
        return {
            "version": _VERSION,
            "federation": self.federation,
            "site": self.site,
            "person": self.person,
            "key": self.key,
        }


def read_request(text: str) -> EndorsementRequest:
    """Read a request out of ``text``, whatever line breaks, spaces or quotation marks a mail program put into it.

    Raises UserError ``endorsement.missing`` (there is none in it), ``endorsement.mangled`` (a character is wrong or
    missing), ``endorsement.newer``, ``endorsement.malformed``.
    """
    squeezed = re.sub(r"[\s>|\u00ad\u200b\u200c\u200d\u2060\ufeff]+", "", text[:_MOST_TEXT]).casefold()
    _, found, rest = squeezed.partition(PREFIX)
    if not found:
        raise UserError("endorsement.missing")
    letters, end, _ = rest.partition(".")
    try:
        data = base64.b32decode(letters.upper() + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError) as error:
        raise UserError("endorsement.mangled") from error
    payload, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if not end or len(data) <= _CHECKSUM or checksum != _checksum(payload) or _letters(data) != letters:
        raise UserError("endorsement.mangled")
    try:
        return _read(payload)
    except ProtocolViolation as error:
        raise UserError(_MALFORMED) from error


def _read(payload: bytes) -> EndorsementRequest:
    fields = Fields.decode(payload, _LIMIT, _MALFORMED)
    if fields.number("version", 1, 1 << 16) > _VERSION:
        raise UserError("endorsement.newer")
    request = EndorsementRequest(
        federation=fields.bytes("federation", 32),
        site=fields.number("site", 1, MOST_SITES),
        person=fields.text("person", MOST_NAME),
        key=fields.bytes("key", VERIFY_BYTES),
    )
    proof = fields.bytes("proof", SIGNATURE_BYTES)
    fields.done()
    VerifyingKey(request.key).check(_PROOF, codec.encode(request._plain()), proof)
    return request


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _checksum(payload: bytes) -> bytes:
    return hashlib.sha256(b"consilium/endorsement\0" + payload).digest()[:_CHECKSUM]
