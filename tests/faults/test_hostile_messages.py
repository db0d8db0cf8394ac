"""What whoever sends or carries messages can do wrong: refused and recorded once, and nothing else stops.

Site 3 is the hostile one, unless a test says otherwise: it has valid keys and may say whatever it likes.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core import codec
from app.core.crypto.identity import MemberKey
from app.core.errors import ProtocolViolation
from app.core.federation import envelope as envelopes
from app.core.federation import query_messages as messages
from app.core.secret import SecretBytes
from tests.federation_sites import MESSAGE_TYPES, Federation
from tests.hostile_site import SESSION, check_others_go_on, federation, forged, good_bodies, lasting, refused

__all__ = ["federation", "lasting"]

# --- envelopes ----------------------------------------------------------------------------------------------------


def test_a_good_envelope_is_good(federation: Federation) -> None:
    data = forged(federation)
    assert federation[1].mailroom.receive(data)
    assert not federation[1].mailroom.receive(data)  # a replay is nothing new, and nothing wrong
    assert federation[1].refusals == []


def test_every_altered_byte_and_every_cut_is_refused(lasting: Federation) -> None:
    data = forged(lasting)
    step = max(1, len(data) // 150)
    for index in range(0, len(data), step):
        altered = bytearray(data)
        altered[index] ^= 0x01
        for broken in (bytes(altered), data[:index], data[:index] + data[index + 1 :]):
            with pytest.raises(ProtocolViolation):
                lasting[1].mailroom.receive(broken)
    for broken in (data + b"\0", b"", bytes(100), data * 2):
        with pytest.raises(ProtocolViolation):
            lasting[1].mailroom.receive(broken)
    assert lasting[1].profile.inbox.of_session(SESSION) == ()
    check_others_go_on(lasting)


def test_what_is_not_for_us_is_refused(lasting: Federation) -> None:
    stranger = MemberKey.from_root(SecretBytes(b"a stranger's root, 32 bytes long"))
    other = forged(lasting, federation=bytes(32))
    refused(lasting, other, "envelope.foreign_federation")
    refused(lasting, forged(lasting, key=stranger), "envelope.bad_signature")
    refused(lasting, forged(lasting, sender=2), "envelope.bad_signature")
    refused(lasting, forged(lasting, sender=4), "envelope.stranger")
    refused(lasting, forged(lasting, recipients=(2,)), "envelope.not_for_us")
    refused(lasting, forged(lasting, type="query.give_me_everything"), "envelope.unknown_type")
    refused(lasting, forged(lasting, body=bytes(envelopes.DEFAULT_LIMIT)), "envelope.too_large")
    refused(lasting, forged(lasting, body=b"not sealed"), "envelope.body_malformed")
    assert lasting[1].refusals[-1] == ("envelope.body_malformed", 3)


def test_a_body_from_another_envelope_or_for_others_is_refused(lasting: Federation) -> None:
    context = envelopes.body_context(
        federation=lasting.roster.federation_id,
        type=messages.FAIL,
        sender=3,
        recipients=(),
        session=SESSION,
        id=bytes(16),
    )
    plain = codec.encode({"code": "x"})
    whole = envelopes.seal_body(plain, lasting.roster.keys, context)
    refused(lasting, forged(lasting, body=whole), "envelope.body_damaged")
    others = envelopes.seal_body(plain, {2: lasting.roster.keys[2]}, context)
    refused(lasting, forged(lasting, id=bytes(16), body=others), "envelope.body_not_for_us")
    wrong = envelopes.seal_body(plain, {1: lasting.roster.keys[2]}, context)
    refused(lasting, forged(lasting, id=bytes(16), body=wrong), "envelope.body_damaged")
    refused(
        lasting,
        forged(lasting, body=envelopes.seal_body(b"\xff", {1: lasting.roster.keys[1]}, context)),
        "envelope.body_damaged",
    )


def test_a_sealed_body_that_is_not_canonical_is_refused(lasting: Federation) -> None:
    for plain, code in ((b"\xff\xff", "codec.malformed"), (b"\x18\x01", "codec.not_canonical")):
        id_ = lasting[3].site.random(16)
        context = envelopes.body_context(
            federation=lasting.roster.federation_id,
            type=messages.FAIL,
            sender=3,
            recipients=(),
            session=SESSION,
            id=id_,
        )
        body = envelopes.seal_body(plain, lasting.roster.keys, context)
        refused(lasting, forged(lasting, id=id_, body=body), code)


def test_an_id_used_twice_is_refused_and_the_first_stays(federation: Federation) -> None:
    first = forged(federation, {"code": "first"}, id=bytes(16))
    assert federation[1].mailroom.receive(first)
    again = forged(federation, {"code": "second"}, id=bytes(16))
    with pytest.raises(ProtocolViolation, match=r"mail\.id_used_twice"):
        federation[1].mailroom.receive(again)
    assert federation[1].refusals == [("mail.id_used_twice", 3)]
    [(sender, said)] = federation[1].mailroom.heard(SESSION, messages.FAIL)
    assert (sender, said) == (3, "first")


# --- bodies -------------------------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5) | st.binary(max_size=70),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=8,
)


def test_every_good_body_is_read(federation: Federation) -> None:
    assert good_bodies(federation).keys() == MESSAGE_TYPES.keys()
    for number, (type_, body) in enumerate(good_bodies(federation).items()):
        assert federation[1].mailroom.receive(forged(federation, body, type=type_, session=bytes([number]) * 32))
    federation.settle()
    check_others_go_on(federation)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(data=st.data())
def test_malformed_bodies_are_refused(lasting: Federation, data: st.DataObject) -> None:
    bodies = good_bodies(lasting)
    type_ = data.draw(st.sampled_from(sorted(bodies)))
    good = bodies[type_]
    changes = [ANYTHING, st.just(good | {"more": 1})]
    if good:
        changes.append(st.sampled_from(sorted(good)).map(lambda name: {k: v for k, v in good.items() if k != name}))
        changes.append(st.tuples(st.sampled_from(sorted(good)), ANYTHING).map(lambda pair: good | {pair[0]: pair[1]}))
    body = data.draw(st.one_of(changes))
    sent = forged(lasting, body, type=type_, session=b"hypothesis" + bytes(22))
    before = len(lasting[1].refusals)
    try:
        lasting[1].mailroom.receive(sent)
    except ProtocolViolation:
        assert len(lasting[1].refusals) == before + 1
        assert lasting[1].refusals[-1][1] == 3
    else:  # it happens to be well-formed: another code, another number
        assert set(body) == set(good)
        assert lasting[1].refusals[before:] == []
    lasting[1].work()


def test_after_all_that_queries_still_work(lasting: Federation) -> None:
    check_others_go_on(lasting)


@pytest.mark.parametrize(
    ("type_", "change", "field"),
    [
        (messages.REQUEST, {"quorum": [1]}, "quorum"),
        (messages.REQUEST, {"quorum": [1, 2, 3]}, "quorum"),
        (messages.REQUEST, {"quorum": [2, 1]}, "quorum"),
        (messages.REQUEST, {"quorum": [1, 4]}, "quorum"),
        (messages.REQUEST, {"contributors": []}, "contributors"),
        (messages.REQUEST, {"contributors": [1, 1]}, "contributors"),
        (messages.REQUEST, {"minimum": 0}, "minimum"),
        (messages.REQUEST, {"minimum": 4}, "minimum"),
        (messages.REQUEST, {"noise": [1]}, "noise"),
        (messages.REQUEST, {"noise": [1, 0]}, "noise"),
        (messages.REQUEST, {"noise": [True, 1]}, "noise"),
        (messages.REQUEST, {"meanings": {}}, "meanings"),
        (messages.REQUEST, {"meanings": {"smoker": bytes(32), "died": bytes(32)}}, "meanings"),
        (messages.COMMIT, {"attempt": 4}, "attempt"),
        (messages.COMMIT, {"attempt": True}, "attempt"),
        (messages.COMMIT, {"noise_bits": 1000}, "noise_bits"),
        (messages.RETRY, {"attempt": 4}, "attempt"),
        (messages.RETRY, {"attempt": 1}, "attempt"),
        (messages.RETRY, {"quorum": [1, 2, 3]}, "quorum"),
        (messages.CLOSE, {"hashes": [bytes(32)]}, "hashes"),
        (messages.CLOSE, {"hashes": [bytes(31), bytes(32)]}, "hashes"),
        (messages.CONTRIBUTION, {"size": 1 << 21}, "size"),
        (messages.SHARE, {"sealed": b""}, "sealed"),
    ],
)
def test_numbers_that_cannot_be_are_refused(
    lasting: Federation, type_: str, change: dict[str, Any], field: str
) -> None:
    refused(lasting, forged(lasting, good_bodies(lasting)[type_] | change, type=type_), "query.malformed_message")
    assert lasting[1].profile.refusals.all()[-1].details == {"field": field}
