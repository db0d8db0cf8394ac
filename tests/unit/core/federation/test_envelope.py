"""Envelopes: each refusal has its own code, in a fixed order, and a sealed body belongs to one envelope."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.core import codec
from app.core.crypto.identity import MemberKey, SealingKey
from app.core.errors import ProtocolViolation
from app.core.federation import envelope
from app.core.federation.envelope import Envelope, body_context, open_body, open_envelope, seal_body, sign
from app.core.secret import SecretBytes

SITES = {position: MemberKey.from_root(SecretBytes(bytes([position]) * 32)) for position in (1, 2, 3)}
ROSTER = {position: key.public for position, key in SITES.items()}
STRANGER = MemberKey.from_root(SecretBytes(b"\xff" * 32))
HERE = b"\xaa" * 32
MESSAGE = Envelope(
    federation=HERE,
    type="query.request",
    sender=1,
    recipients=(2, 3),
    session=bytes(16),
    id=b"\1" * 16,
    time=1_700_000_000_000,
    body=b"body",
)


def opened(data: bytes, me: int | None = 2, limit: int = 4096) -> Envelope:
    return open_envelope(
        data, federation=HERE, roster=ROSTER, me=me, types={"query.request", "query.answer"}, limit=limit
    )


def refusal(data: bytes, **given: Any) -> ProtocolViolation:
    with pytest.raises(ProtocolViolation) as refused:
        opened(data, **given)
    return refused.value


def content(**changes: object) -> dict[str, Any]:
    value: dict[str, Any] = codec.decode(sign(MESSAGE, SITES[1]), 4096)
    return value | changes


def test_a_message_arrives_as_it_was_sent() -> None:
    assert opened(sign(MESSAGE, SITES[1])) == MESSAGE
    assert opened(sign(MESSAGE, SITES[1]), me=3) == MESSAGE
    assert opened(sign(MESSAGE, SITES[1]), me=None) == MESSAGE
    everybody = replace(MESSAGE, recipients=())
    assert opened(sign(everybody, SITES[1]), me=1) == everybody
    assert sign(MESSAGE, SITES[1]) == sign(MESSAGE, SITES[1])
    assert MESSAGE.key == (1, b"\1" * 16)


def test_each_refusal_has_its_code() -> None:
    whole = sign(MESSAGE, SITES[1])
    assert refusal(whole, limit=len(whole) - 1).code == "envelope.too_large"
    assert refusal(whole[:-1]).code == "envelope.malformed"
    assert refusal(whole + b"\0").code == "envelope.malformed"
    assert refusal(b"").code == "envelope.malformed"
    assert refusal(codec.encode([])).code == "envelope.malformed"
    assert refusal(codec.encode(content(version=2))).params == {"version": 2}
    assert refusal(codec.encode({"version": 2, "nothing": "we know"})).code == "envelope.unknown_version"
    assert refusal(sign(replace(MESSAGE, type="query.other"), SITES[1])).params == {"type": "query.other"}
    assert refusal(sign(replace(MESSAGE, federation=bytes(32)), SITES[1])).code == "envelope.foreign_federation"
    assert refusal(sign(replace(MESSAGE, sender=4), STRANGER)).code == "envelope.stranger"
    assert refusal(sign(MESSAGE, SITES[2])).code == "envelope.bad_signature"
    assert refusal(sign(replace(MESSAGE, sender=2), SITES[1])).code == "envelope.bad_signature"
    assert refusal(sign(MESSAGE, STRANGER)).code == "envelope.bad_signature"
    assert refusal(whole, me=1).code == "envelope.not_for_us"


def test_the_checks_come_in_a_fixed_order() -> None:
    wrong = replace(MESSAGE, type="query.other", federation=bytes(32), sender=9, recipients=(3,))
    codes = []
    for right in ({}, {"type": "query.request"}, {"federation": HERE}, {"sender": 1}):
        wrong = replace(wrong, **right)
        codes.append(refusal(sign(wrong, STRANGER)).code)
    assert codes == [
        "envelope.unknown_type",
        "envelope.foreign_federation",
        "envelope.stranger",
        "envelope.bad_signature",
    ]
    assert refusal(sign(wrong, SITES[1])).code == "envelope.not_for_us"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("federation", bytes(31)),
        ("federation", "x" * 32),
        ("type", ""),
        ("type", "Query"),
        ("type", "a" * 65),
        ("type", "query\n"),
        ("type", b"query"),
        ("sender", 0),
        ("sender", True),
        ("sender", "1"),
        ("sender", 2000),
        ("recipients", [3, 2]),
        ("recipients", [2, 2]),
        ("recipients", [0]),
        ("recipients", [True]),
        ("recipients", [[2]]),
        ("session", bytes(15)),
        ("session", bytes(33)),
        ("id", bytes(17)),
        ("time", -1),
        ("time", 2**53),
        ("time", 1.5),
        ("body", "text"),
    ],
)
def test_every_field_has_one_form(field: str, value: object) -> None:
    refused = refusal(codec.encode(content(**{field: value})))
    assert (refused.code, refused.params) == ("envelope.malformed", {"field": field})


@pytest.mark.parametrize(
    "value",
    [
        content(signature=bytes(63)),
        content(signature="x"),
        content(more=1),
        content(recipients=7),
        content(version="1"),
        content(version=True),
        {name: item for name, item in content().items() if name != "id"},
        {name: item for name, item in content().items() if name != "signature"},
        {**content(), 7: 7},
    ],
)
def test_other_shapes_are_refused(value: object) -> None:
    assert refusal(codec.encode(value)).code == "envelope.malformed"


def test_an_envelope_that_would_be_refused_cannot_be_made() -> None:
    with pytest.raises(ProtocolViolation, match="session"):
        replace(MESSAGE, session=b"")
    with pytest.raises(ProtocolViolation, match="recipients"):
        replace(MESSAGE, recipients=[2])  # type: ignore[arg-type]  # that is the point


def body_refusal(sealed: bytes, position: int = 2, context: bytes = MESSAGE.context) -> str:
    with pytest.raises(ProtocolViolation) as refused:
        open_body(sealed, position, SITES[position], context)
    return refused.value.code


def test_a_body_opens_for_each_recipient() -> None:
    sealed = seal_body(b"plain", {2: ROSTER[2], 3: ROSTER[3]}, MESSAGE.context)
    for position in (2, 3):
        assert open_body(sealed, position, SITES[position], MESSAGE.context) == b"plain"
    assert body_refusal(sealed, 1) == "envelope.body_not_for_us"
    assert sealed != seal_body(b"plain", {2: ROSTER[2], 3: ROSTER[3]}, MESSAGE.context)
    assert b"plain" not in sealed


def test_a_body_can_be_sealed_to_an_askers_one_time_key() -> None:
    key = SealingKey.generate()
    sealed = seal_body(b"share", {1: key.public}, MESSAGE.context)
    assert open_body(sealed, 1, key, MESSAGE.context) == b"share"
    assert body_refusal(sealed, 1) == "envelope.body_damaged"  # the member key is another key


@pytest.mark.parametrize(
    "change",
    [
        {"federation": bytes(32)},
        {"type": "query.answer"},
        {"sender": 3},
        {"recipients": (2,)},
        {"session": bytes(17)},
        {"id": bytes(16)},
    ],
)
def test_a_body_does_not_open_in_another_envelope(change: dict[str, Any]) -> None:
    sealed = seal_body(b"plain", {2: ROSTER[2]}, MESSAGE.context)
    assert body_refusal(sealed, context=replace(MESSAGE, **change).context) == "envelope.body_damaged"
    assert open_body(sealed, 2, SITES[2], replace(MESSAGE, time=1, body=b"").context) == b"plain"


def test_the_context_is_known_before_the_envelope_is() -> None:
    assert MESSAGE.context == body_context(
        federation=HERE, type="query.request", sender=1, recipients=(2, 3), session=bytes(16), id=b"\1" * 16
    )


def test_a_sender_cannot_tell_two_recipients_different_things(monkeypatch: pytest.MonkeyPatch) -> None:
    """AES-GCM ciphertexts that open under two keys can be made; the commitment admits one of the keys."""

    class Another:
        def seal_to(self, purpose: str, plaintext: bytes, context: bytes) -> bytes:
            return ROSTER[3].seal_to(purpose, bytes(32), context)

    class OpensUnderAnyKey:
        def decrypt(self, *_: bytes) -> bytes:
            return b"no"

    sealed = seal_body(b"yes", {2: ROSTER[2], 3: Another()}, MESSAGE.context)
    assert open_body(sealed, 2, SITES[2], MESSAGE.context) == b"yes"
    monkeypatch.setattr(envelope, "_body_cipher", lambda _: OpensUnderAnyKey())
    assert body_refusal(sealed, 3) == "envelope.body_damaged"


def body(**changes: object) -> dict[str, Any]:
    value: dict[str, Any] = codec.decode(seal_body(b"plain", {2: ROSTER[2]}, MESSAGE.context), 4096)
    return value | changes


@pytest.mark.parametrize(
    "value",
    [
        [],
        body(version=2),
        body(version=True),
        body(more=1),
        body(commitment=bytes(31)),
        body(data="x"),
        body(keys={}),
        body(keys=[[2]]),
        body(keys=[[2, bytes(1167)]]),
        body(keys=[["2", bytes(1168)]]),
        body(keys=[[2, bytes(1168)], [2, bytes(1168)]]),
        body(keys=[[3, bytes(1168)], [2, bytes(1168)]]),
    ],
)
def test_other_shapes_of_a_body_are_refused(value: object) -> None:
    assert body_refusal(codec.encode(value)) == "envelope.body_malformed"


def test_altered_bodies_are_refused() -> None:
    assert body_refusal(codec.encode(body(commitment=bytes(32)))) == "envelope.body_damaged"
    assert body_refusal(codec.encode(body(data=bytes(21)))) == "envelope.body_damaged"
    assert body_refusal(codec.encode(body(data=b""))) == "envelope.body_damaged"
    assert body_refusal(codec.encode(body(keys=[[2, bytes(1168)]]))) == "envelope.body_damaged"
    assert body_refusal(b"") == "envelope.body_malformed"
    assert body_refusal(bytes(2**20 + 1)) == "envelope.body_malformed"
