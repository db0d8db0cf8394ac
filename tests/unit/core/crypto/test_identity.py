"""Member keys: derived, domain-separated, and refused when they are not what an honest site makes."""

from __future__ import annotations

import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.core import codec
from app.core.crypto.identity import SEALED_OVERHEAD, MemberKey, MemberPublicKey, SealingKey, SealingPublicKey
from app.core.errors import Bug, ProtocolViolation
from app.core.secret import SecretBytes

P = 2**255 - 19
KEY = MemberKey.from_root(SecretBytes(bytes(range(32))))
OTHER = MemberKey.from_root(SecretBytes(bytes(32)))

# The y of the points of order 1, 2, 4 and 8 of edwards25519.
ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303021032
LOW_ORDER_Y = [1, P - 1, 0, ORDER_8, P - ORDER_8]
# The u of the points of low order of curve25519 and its twist, and two that are not reduced.
LOW_ORDER_U = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    P - 1,
    P,
    P + 1,
]


def refused(verify: bytes, seal: bytes) -> None:
    with pytest.raises(ProtocolViolation, match=r"identity\.bad_public_key"):
        MemberPublicKey(verify, seal)


def test_the_root_alone_decides_the_key() -> None:
    again = MemberKey.from_root(SecretBytes(bytes(range(32))))
    assert again.public == KEY.public != OTHER.public
    assert again.sign("x", b"m") == KEY.sign("x", b"m")
    assert (len(KEY.public.verify), len(KEY.public.seal), len(KEY.public.fingerprint)) == (32, 1216, 32)
    assert KEY.public.fingerprint != OTHER.public.fingerprint


def test_a_signature_holds_for_its_key_purpose_and_message_only() -> None:
    signature = KEY.sign("roster v1", b"message")
    KEY.public.check("roster v1", b"message", signature)
    wrong = [
        (KEY.public, "roster v2", b"message", signature),
        (KEY.public, "roster v1", b"messagf", signature),
        (OTHER.public, "roster v1", b"message", signature),
        (KEY.public, "roster v1", b"message", signature[:-1]),
        (KEY.public, "roster v1", b"message", signature + b"\0"),
        (KEY.public, "roster v1", b"message", b""),
    ]
    for public, purpose, message, given in wrong:
        with pytest.raises(ProtocolViolation, match=r"identity\.bad_signature"):
            public.check(purpose, message, given)


def test_what_is_signed_names_program_and_purpose() -> None:
    signed = b"consilium/roster v1\0message"
    Ed25519PublicKey.from_public_bytes(KEY.public.verify).verify(KEY.sign("roster v1", b"message"), signed)


def test_sealed_text_opens_for_its_key_purpose_and_context_only() -> None:
    sealed = KEY.public.seal_to("share", b"plain", b"context")
    assert len(sealed) == len(b"plain") + SEALED_OVERHEAD
    assert sealed != KEY.public.seal_to("share", b"plain", b"context")
    assert KEY.open("share", sealed, b"context") == b"plain"
    wrong = [
        (OTHER, "share", sealed, b"context"),
        (KEY, "shard", sealed, b"context"),
        (KEY, "share", sealed, b"contexu"),
        (KEY, "share", sealed[:-1], b"context"),
        (KEY, "share", sealed + b"\0", b"context"),
        (KEY, "share", sealed[:100], b"context"),
        (KEY, "share", b"", b"context"),
    ]
    for key, purpose, given, context in wrong:
        with pytest.raises(ProtocolViolation, match=r"identity\.cannot_open"):
            key.open(purpose, given, context)


def test_every_region_of_sealed_text_is_protected() -> None:
    sealed = KEY.public.seal_to("share", b"plain", b"")
    for place in (0, 500, 1087, 1088, 1110, 1120, 1122, len(sealed) - 1):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(ProtocolViolation, match=r"identity\.cannot_open"):
            KEY.open("share", bytes(altered), b"")


def test_a_one_time_key_can_be_stored_and_loaded() -> None:
    key = SealingKey.generate()
    again = SealingKey(key.private)
    assert again.public == key.public != SealingKey.generate().public
    assert again.open("result", key.public.seal_to("result", b"42", b"c"), b"c") == b"42"
    with pytest.raises(Bug):
        SealingKey(SecretBytes(bytes(95)))


def test_the_public_key_survives_canonical_cbor_and_nothing_else_is_read() -> None:
    value = KEY.public.to_dict()
    assert MemberPublicKey.from_dict(codec.decode(codec.encode(value), 4096)) == KEY.public
    others: list[object] = [
        None,
        [],
        {},
        {**value, "version": 2},
        {**value, "version": True},
        {**value, "more": 1},
        {**value, "verify": "x" * 32},
        {**value, "seal": KEY.public.seal[:-1]},
        {"verify": KEY.public.verify, "seal": KEY.public.seal},
    ]
    for other in others:
        with pytest.raises(ProtocolViolation, match=r"identity\.bad_public_key"):
            MemberPublicKey.from_dict(other)


@pytest.mark.parametrize("sign", [0, 1 << 255])
@pytest.mark.parametrize("y", [*LOW_ORDER_Y, P, P + 1])
def test_an_ed25519_key_of_low_order_is_refused(y: int, sign: int) -> None:
    refused((y | sign).to_bytes(32, "little"), KEY.public.seal)


def test_without_that_check_such_a_key_would_vouch_for_anything() -> None:
    identity = (1).to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes(identity).verify(identity + bytes(32), b"anything")


def test_an_ed25519_key_that_is_no_point_is_refused() -> None:
    refused((2).to_bytes(32, "little"), KEY.public.seal)  # y = 2 has no x
    refused(KEY.public.verify[:-1], KEY.public.seal)


@pytest.mark.parametrize("u", LOW_ORDER_U)
def test_an_x25519_key_of_low_order_is_refused(u: int) -> None:
    refused(KEY.public.verify, KEY.public.seal[:1184] + u.to_bytes(32, "little"))
    with pytest.raises(ProtocolViolation, match=r"identity\.bad_public_key"):
        SealingPublicKey(KEY.public.seal[:1184] + u.to_bytes(32, "little"))


def test_an_ml_kem_key_that_is_not_reduced_is_refused() -> None:
    refused(KEY.public.verify, b"\xff" * 1184 + KEY.public.seal[1184:])
    refused(KEY.public.verify, b"\xff\xff" + KEY.public.seal[2:])
    refused(KEY.public.verify, KEY.public.seal + b"\0")


@pytest.mark.parametrize("purpose", ["", "a\0b", "é", "a\n"])
def test_a_purpose_is_plain_text(purpose: str) -> None:
    with pytest.raises(Bug):
        KEY.sign(purpose, b"")


def test_private_keys_are_neither_shown_nor_pickled() -> None:
    key = SealingKey.generate()
    for each in (KEY, key):
        shown = repr(each)
        assert key.private.reveal().hex() not in shown
        assert len(shown) < 40
        with pytest.raises(TypeError):
            pickle.dumps(each)
