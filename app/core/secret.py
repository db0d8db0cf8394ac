"""A type for secret bytes, so that they cannot be printed by accident."""

from __future__ import annotations

import hmac
from typing import NoReturn

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand


class SecretBytes:
    """Bytes whose ``repr`` says nothing. ``reveal()`` is the only way to them, so every use can be found."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """Return the secret itself. The caller must not log, raise or store it in the clear."""
        return self._value

    def derive(self, label: str, context: bytes = b"", length: int = 32) -> SecretBytes:
        """Return HKDF-Expand(self, ``label`` ‖ 0 ‖ ``context``): independent secrets for independent purposes.

        The receiver must be uniformly random (32 bytes or more), as RFC 5869 §3.3 asks for skipping the
        extract step.
        """
        info = label.encode() + b"\0" + context
        return SecretBytes(HKDFExpand(SHA256(), length, info).derive(self._value))

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretBytes) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> NoReturn:
        raise TypeError("secrets are not hashable")

    def __repr__(self) -> str:
        return f"SecretBytes({len(self._value)} bytes)"
