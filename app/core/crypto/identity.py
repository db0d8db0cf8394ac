"""Member keys: who signed a message, and who alone can open it.

A member key is derived from the site root and nothing else, so the recovery sheet restores it:

- signing: Ed25519 (RFC 8032) from ``root.derive("member signing key v1")``, 32 bytes;
- sealing: HPKE (RFC 9180, base mode) with the KEM MLKEM768_X25519, HKDF-SHA256 and AES-256-GCM, from
  ``root.derive("member sealing key v1", length=96)``: the 64-byte ML-KEM-768 seed, then the X25519 scalar.

Wire forms, all of fixed length:

- public key: 32 bytes Ed25519; 1216 bytes sealing key (ML-KEM-768 encapsulation key 1184 ‖ X25519 32);
- signature: 64 bytes over ``"consilium/" ‖ purpose ‖ 0 ‖ message``;
- sealed: encapsulation (1088 + 32) ‖ AES-256-GCM ciphertext ‖ tag (16); ``info = purpose ‖ 0 ‖ context``.

A signature or sealed text made for one purpose therefore means nothing for another. HPKE's base mode does not say who
sealed: the envelope's signature does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from app.core.errors import Bug, ProtocolViolation
from app.core.secret import SecretBytes

VERIFY_BYTES = 32
SEAL_BYTES = 1216
SIGNATURE_BYTES = 64
SEALING_PRIVATE_BYTES = 96
SEALED_OVERHEAD = 1088 + 32 + 16
"""Bytes that sealing adds to a plaintext."""

_ML_KEM_PUBLIC_BYTES = 1184
_ML_KEM_SEED_BYTES = 64
_KEY_VERSION = 1
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class SealsTo(Protocol):
    """The public half of anything that can open: a member or an asker's one-time key."""

    def seal_to(self, purpose: str, plaintext: bytes, context: bytes) -> bytes: ...


class Opens(Protocol):
    """The private half: a member key or an asker's one-time key."""

    def open(self, purpose: str, sealed: bytes, context: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class SealingPublicKey:
    """A sealing key as others see it: 1216 bytes, checked when it is made.

    Raises ProtocolViolation ``identity.bad_public_key``: wrong length, an ML-KEM key with a coefficient that is not
    reduced, or an X25519 point of low order.
    """

    value: bytes

    def __post_init__(self) -> None:
        _sealing_public(self.value)

    def seal_to(self, purpose: str, plaintext: bytes, context: bytes) -> bytes:
        """Return ``plaintext`` sealed for ``purpose`` and ``context``: fresh every time, 1136 bytes longer."""
        return _SUITE.encrypt(plaintext, _sealing_public(self.value), info=_separated(purpose, context))


@dataclass(frozen=True, slots=True)
class MemberPublicKey:
    """A site's public identity: ``verify`` (Ed25519, 32 bytes) and ``seal`` (1216 bytes), checked when it is made.

    Raises ProtocolViolation ``identity.bad_public_key``. Ed25519 points of low order are refused too: a signature by
    such a key is valid for every message, so it would name no author.
    """

    verify: bytes
    seal: bytes

    def __post_init__(self) -> None:
        _check_verify(self.verify)
        _sealing_public(self.seal)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 (32 bytes) of both halves: what two people compare on the telephone."""
        return hashlib.sha256(b"consilium/member key v1\0" + self.verify + self.seal).digest()

    def check(self, purpose: str, message: bytes, signature: bytes) -> None:
        """Verify a signature made by :meth:`MemberKey.sign`; raises ProtocolViolation ``identity.bad_signature``."""
        _check(self.verify, purpose, message, signature)

    def seal_to(self, purpose: str, plaintext: bytes, context: bytes) -> bytes:
        """Return ``plaintext`` sealed to this site for ``purpose`` and ``context``."""
        return SealingPublicKey(self.seal).seal_to(purpose, plaintext, context)

    def to_dict(self) -> dict[str, object]:
        """Return the form that goes into canonical CBOR: version, verify, seal."""
        return {"version": _KEY_VERSION, "verify": self.verify, "seal": self.seal}

    @classmethod
    def from_dict(cls, value: object) -> MemberPublicKey:
        """Read what :meth:`to_dict` wrote; raises ProtocolViolation ``identity.bad_public_key``."""
        if not isinstance(value, Mapping) or set(value) != {"version", "verify", "seal"}:
            raise ProtocolViolation("identity.bad_public_key")
        if type(value["version"]) is not int or value["version"] != _KEY_VERSION:
            raise ProtocolViolation("identity.bad_public_key")
        return cls(value["verify"], value["seal"])


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The public half of a key that only signs (a custodian's, a researcher's): 32 bytes, checked when it is made.

    Raises ProtocolViolation ``identity.bad_public_key``, as :class:`MemberPublicKey` does.
    """

    value: bytes

    def __post_init__(self) -> None:
        _check_verify(self.value)

    def check(self, purpose: str, message: bytes, signature: bytes) -> None:
        """Verify a signature made by :meth:`SigningKey.sign`; raises ProtocolViolation ``identity.bad_signature``."""
        _check(self.value, purpose, message, signature)


class SigningKey:
    """A private key that only signs; ``public`` (32 bytes) is what others know it by. Ed25519, from 32 bytes."""

    __slots__ = ("_signing", "public")

    def __init__(self, private: SecretBytes) -> None:
        self._signing = Ed25519PrivateKey.from_private_bytes(private.reveal())
        self.public = self._signing.public_key().public_bytes_raw()

    def sign(self, purpose: str, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message`` for ``purpose``, as :meth:`MemberKey.sign`."""
        return self._signing.sign(_signed(purpose, message))

    def __repr__(self) -> str:
        return f"SigningKey({self.public.hex()[:16]}…)"


class SealingKey:
    """A private sealing key: the sealing half of a member key, or an asker's one-time key."""

    __slots__ = ("_key", "private", "public")

    def __init__(self, private: SecretBytes) -> None:
        """Load ``private`` (96 bytes, see the module); raises Bug ``identity.bad_private_key`` for another length."""
        if len(private) != SEALING_PRIVATE_BYTES:
            raise Bug("identity.bad_private_key", length=len(private))
        value = private.reveal()
        ml_kem = MLKEM768PrivateKey.from_seed_bytes(value[:_ML_KEM_SEED_BYTES])
        x25519 = X25519PrivateKey.from_private_bytes(value[_ML_KEM_SEED_BYTES:])
        self._key = hpke.MLKEM768X25519PrivateKey(ml_kem, x25519)
        self.private = private
        self.public = SealingPublicKey(ml_kem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, random: Callable[[int], bytes] = os.urandom) -> SealingKey:
        """Make a one-time key. Store ``private`` encrypted before the public half is sent; delete it at release."""
        return cls(SecretBytes(random(SEALING_PRIVATE_BYTES)))

    def open(self, purpose: str, sealed: bytes, context: bytes) -> bytes:
        """Open what was sealed for this key, ``purpose`` and ``context``.

        Raises ProtocolViolation ``identity.cannot_open`` for everything else: altered, cut, for another key,
        purpose or context. Which of them it was cannot be known.
        """
        try:
            return _SUITE.decrypt(sealed, self._key, info=_separated(purpose, context))
        except InvalidTag as error:
            raise ProtocolViolation("identity.cannot_open") from error

    def __repr__(self) -> str:
        return "SealingKey(private)"


class MemberKey:
    """A site's private identity. It exists in memory only; what is kept is the site root."""

    __slots__ = ("_sealing", "_signing", "public")

    def __init__(self, signing: SecretBytes, sealing: SealingKey) -> None:
        self._signing = Ed25519PrivateKey.from_private_bytes(signing.reveal())
        self._sealing = sealing
        self.public = MemberPublicKey(self._signing.public_key().public_bytes_raw(), sealing.public.value)

    @classmethod
    def from_root(cls, root: SecretBytes) -> MemberKey:
        """Derive the member key of the site whose 32-byte root this is."""
        sealing = root.derive("member sealing key v1", length=SEALING_PRIVATE_BYTES)
        return cls(root.derive("member signing key v1"), SealingKey(sealing))

    def sign(self, purpose: str, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of ``message`` for ``purpose``; the same every time."""
        return self._signing.sign(_signed(purpose, message))

    def open(self, purpose: str, sealed: bytes, context: bytes) -> bytes:
        """Open what was sealed to this site; raises ProtocolViolation ``identity.cannot_open``."""
        return self._sealing.open(purpose, sealed, context)

    def __repr__(self) -> str:
        return f"MemberKey({self.public.fingerprint.hex()[:16]}…)"


def _separated(purpose: str, rest: bytes) -> bytes:
    if not purpose or not purpose.isascii() or not purpose.isprintable():
        raise Bug("identity.bad_purpose", purpose=purpose)
    return purpose.encode() + b"\0" + rest


def _signed(purpose: str, message: bytes) -> bytes:
    return b"consilium/" + _separated(purpose, message)


def _check(verify: bytes, purpose: str, message: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(verify).verify(signature, _signed(purpose, message))
    except InvalidSignature as error:
        raise ProtocolViolation("identity.bad_signature") from error


def _sealing_public(value: object) -> hpke.MLKEM768X25519PublicKey:
    if type(value) is not bytes or len(value) != SEAL_BYTES:
        raise ProtocolViolation("identity.bad_public_key")
    x25519 = value[_ML_KEM_PUBLIC_BYTES:]
    _check_order(x25519)
    try:  # FIPS 203 §7.2: an encapsulation key whose coefficients are not reduced is refused here
        ml_kem = MLKEM768PublicKey.from_public_bytes(value[:_ML_KEM_PUBLIC_BYTES])
    except ValueError as error:
        raise ProtocolViolation("identity.bad_public_key") from error
    return hpke.MLKEM768X25519PublicKey(ml_kem, X25519PublicKey.from_public_bytes(x25519))


# Curve25519: p, and d of the twisted Edwards form -x² + y² = 1 + d·x²·y² (RFC 8032 §5.1).
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_ANY_SCALAR = X25519PrivateKey.from_private_bytes(bytes([0x40] * 32))


def _check_order(u: bytes) -> None:
    """Refuse a ``u`` that is not reduced, or of low order: any clamped scalar times it is zero (RFC 7748 §6.1)."""
    if int.from_bytes(u, "little") >= _P:
        raise ProtocolViolation("identity.bad_public_key")
    try:
        _ANY_SCALAR.exchange(X25519PublicKey.from_public_bytes(u))
    except ValueError as error:
        raise ProtocolViolation("identity.bad_public_key") from error


def _check_verify(value: object) -> None:
    """Refuse an Ed25519 key that is not canonical, not on the curve, or of low order."""
    if type(value) is not bytes or len(value) != VERIFY_BYTES:
        raise ProtocolViolation("identity.bad_public_key")
    y = int.from_bytes(value, "little") & (2**255 - 1)
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    on_curve = pow(x_squared, (_P - 1) // 2, _P) == 1
    if y >= _P or not on_curve:  # the two points with x = 0 have low order and fail here as well
        raise ProtocolViolation("identity.bad_public_key")
    _check_order(((1 + y) * pow(1 - y, -1, _P) % _P).to_bytes(32, "little"))
