"""What a custodian signs for all sites to see: one form for keys, endorsements, revocations, projects and verdicts.

Canonical CBOR, version 1::

    {"format": "consilium people", "version": 1, "kind": "delegation", "federation": 32 bytes, "site": position,
     "at": UTC milliseconds, "content": {…}, "issuer": the 32-byte Ed25519 key that signed, "signature": 64 bytes}

The signature is over all but itself, for the purpose ``people <kind> v1``. A record speaks for itself wherever it lies;
whether its issuer may speak for its site is :mod:`app.core.federation.custodian`'s question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Protocol

from app.core import codec
from app.core.crypto.identity import SIGNATURE_BYTES, VERIFY_BYTES, VerifyingKey
from app.core.errors import ProtocolViolation
from app.core.federation.roster import MOST_SITES
from app.core.fields import Fields

CUSTODIAN, DELEGATION, REVOCATION, PROJECT, VERDICT = "custodian", "delegation", "revocation", "project", "verdict"
LIMITS: Mapping[str, int] = {
    CUSTODIAN: 1 << 12,
    DELEGATION: 1 << 12,
    REVOCATION: 1 << 14,
    PROJECT: 1 << 18,
    VERDICT: 1 << 12,
}
"""The kinds of records, and how large each may be."""
ID_BYTES = 16
MOST_TIME = 1 << 53
MALFORMED = "people.malformed_record"
_FORMAT, _VERSION = "consilium people", 1


class Signs(Protocol):
    """Whoever signs records for a site: ``key`` (32 bytes) is what the others verify with."""

    @property
    def key(self) -> bytes: ...

    @property
    def sign(self) -> Callable[[str, bytes], bytes]: ...


@dataclass(frozen=True)
class Record:
    """One signed record; see the module. ``content`` is read by whoever knows its ``kind``."""

    kind: str
    federation: bytes
    site: int
    at: int
    content: Mapping[str, Any]
    issuer: bytes = b""
    signature: bytes = field(default=b"", repr=False)

    @property
    def id(self) -> bytes:
        """What the record is known by: the first 16 bytes of the SHA-256 of what is signed."""
        return hashlib.sha256(self._signed()).digest()[:ID_BYTES]

    def signed(self, by: Signs) -> Record:
        """Return the record as ``by`` signs it."""
        issued = replace(self, issuer=by.key)
        return replace(issued, signature=by.sign(_purpose(self.kind), issued._signed()))

    def to_cbor(self) -> bytes:
        """Return the record's canonical bytes."""
        return codec.encode({**self._plain(), "signature": self.signature})

    @classmethod
    def from_cbor(cls, data: bytes) -> Record:
        """Read a record and verify its signature.

        Raises ProtocolViolation ``people.malformed_record``, ``people.newer_record``, ``people.altered_record``.
        """
        return _read(bytes(data))

    def _plain(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "kind": self.kind,
            "federation": self.federation,
            "site": self.site,
            "at": self.at,
            "content": dict(self.content),
            "issuer": self.issuer,
        }

    def _signed(self) -> bytes:
        return codec.encode(self._plain())


@lru_cache(maxsize=1024)
def _read(data: bytes) -> Record:
    fields = Fields.decode(data, max(LIMITS.values()), MALFORMED)
    fields.exactly({"format": _FORMAT})
    if fields.number("version", 1, 1 << 16) > _VERSION:
        raise ProtocolViolation("people.newer_record")
    kind = fields.text("kind", 16)
    if kind not in LIMITS or len(data) > LIMITS[kind]:
        fields.refuse("kind")
    record = Record(
        kind=kind,
        federation=fields.bytes("federation", 32),
        site=fields.number("site", 1, MOST_SITES),
        at=fields.number("at", 0, MOST_TIME),
        content=fields.any("content"),
        issuer=fields.bytes("issuer", VERIFY_BYTES),
        signature=fields.bytes("signature", SIGNATURE_BYTES),
    )
    fields.done()
    if not isinstance(record.content, dict):
        fields.refuse("content")
    try:
        VerifyingKey(record.issuer).check(_purpose(kind), record._signed(), record.signature)
    except ProtocolViolation as error:
        raise ProtocolViolation("people.altered_record", kind=kind) from error
    return record


def _purpose(kind: str) -> str:
    return f"people {kind} v1"


def plain_text(fields: Fields, name: str, most: int, *, empty: bool = True) -> str:
    """Take text of at most ``most`` characters that may have several lines."""
    value = fields.any(name)
    if type(value) is not str or len(value) > most or not is_text(value) or not (empty or value.strip()):
        fields.refuse(name)
    return str(value)


def is_text(value: str) -> bool:
    """Return whether ``value`` is text of one or more lines, without control characters."""
    return value.replace("\n", " ").isprintable()
