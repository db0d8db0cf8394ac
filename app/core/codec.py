"""Canonical CBOR: the one encoding of everything that is hashed, signed, stored as a message or sent.

RFC 8949 §4.2.1 (core deterministic encoding). :func:`decode` accepts only bytes that :func:`encode` would
produce, so two different byte strings never mean the same value.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

import cbor2

from app.core.errors import ProtocolViolation

MAX_DEPTH = 16


def encode(value: object) -> bytes:
    """Return the canonical CBOR of ``value`` (None, bool, int, float, str, bytes, list, tuple, dict)."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, limit: int) -> Any:
    """Parse canonical CBOR of at most ``limit`` bytes.

    Raises ProtocolViolation: too large, not CBOR, trailing bytes, tags, deep nesting or not canonical.
    """
    if len(data) > limit:
        raise ProtocolViolation("codec.too_large", size=len(data), limit=limit)
    try:
        stream = BytesIO(data)
        value = cbor2.CBORDecoder(stream, max_depth=MAX_DEPTH, allow_indefinite=False).decode()
        _check_plain(value)
        if stream.tell() != len(data) or encode(value) != data:
            raise ProtocolViolation("codec.not_canonical")
    except ProtocolViolation:
        raise
    except Exception as error:  # cbor2 raises many kinds on hostile bytes; all mean the same to us
        raise ProtocolViolation("codec.malformed") from error
    return value


def _check_plain(value: object) -> None:
    """Refuse what CBOR tags could smuggle in: dates, big integers, sets, shared references."""
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) not in (str, int, bytes):
                raise ProtocolViolation("codec.malformed")
            _check_plain(item)
    elif isinstance(value, list):
        for item in value:
            _check_plain(item)
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ProtocolViolation("codec.malformed")
    elif value is not None and type(value) not in (str, bytes, float):
        raise ProtocolViolation("codec.malformed")


def digest(value: object) -> bytes:
    """Return the SHA-256 (32 bytes) of the canonical encoding of ``value``."""
    return hashlib.sha256(encode(value)).digest()
