"""What a site, or whoever carries messages, can do wrong: refused and recorded once, and nothing else stops.

Site 3 is the hostile one, unless a test says otherwise: it has valid keys and may say whatever it likes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core import codec
from app.core.crypto import format as crypto_format
from app.core.crypto.identity import MemberKey, SealingKey
from app.core.crypto.release import Contribution
from app.core.errors import ProtocolViolation
from app.core.federation import ceremony as ceremonies
from app.core.federation import ceremony_work as work
from app.core.federation import envelope as envelopes
from app.core.federation import query_messages as messages
from app.core.federation import rounds
from app.core.federation.ceremony_messages import COMMIT, REVEAL, STOP
from app.core.federation.query_session import DONE, FAILED, OPEN, Made
from app.core.secret import SecretBytes
from tests.federation_sites import (
    MESSAGE_TYPES,
    PARAMETERS,
    SMOKERS,
    Federation,
    KnownNumber,
    encrypted,
    parse,
    ready_federation,
)

SESSION = bytes(range(32))
GOOD = {"code": "query.too_few_sites"}


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    with ready_federation(tmp_path) as ready:
        yield ready


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """One federation for tests that leave nothing behind."""
    with ready_federation(tmp_path_factory.mktemp("lasting")) as ready:
        yield ready


def forged(sites: Federation, said: object = GOOD, *, key: MemberKey | None = None, **changed: Any) -> bytes:
    """An envelope of site 3 to all, saying ``said`` sealed to all, with any field changed before it is signed."""
    fields = {
        "federation": sites.roster.federation_id,
        "type": messages.FAIL,
        "sender": 3,
        "recipients": (),
        "session": SESSION,
        "id": sites[3].site.random(16),
        "time": 1,
    } | {name: value for name, value in changed.items() if name != "body"}
    bound = {name: value for name, value in fields.items() if name != "time"}
    context = envelopes.body_context(**bound)
    sealed = changed.get("body", envelopes.seal_body(codec.encode(said), sites.roster.keys, context))
    return envelopes.sign(envelopes.Envelope(**fields, body=sealed), key or sites[3].site.key)


def refused(federation: Federation, data: bytes, code: str) -> None:
    """Site 1 refuses ``data`` with this one recorded code, and its inbox stays as it is."""
    node = federation[1]
    before, kept = len(node.refusals), node.profile.inbox.unhandled()
    with pytest.raises(ProtocolViolation) as raised:
        node.mailroom.receive(data)
    assert raised.value.code == code
    assert [each[0] for each in node.refusals[before:]] == [code]
    assert node.profile.inbox.unhandled() == kept
    assert node.profile.refusals.all()[-1].details == raised.value.params


def check_others_go_on(federation: Federation) -> None:
    """A further query between all sites is answered."""
    session = federation.ask(2, quorum=(1, 3))
    federation.settle()
    result = federation[2].desk.result(session)
    assert result is not None
    assert result.numbers[0] == sum(node.contributor.number for node in federation.nodes.values())


def shares_of(federation: Federation, session: bytes) -> set[int]:
    """Who let a decryption share of this query go."""
    return {each.sender for each in federation.post.messages(messages.SHARE) if each.session == session}


def check_refused_query(federation: Federation, session: bytes, code: str, site: int | None) -> None:
    """The query failed for this reason, recorded once where it was found; no honest share left; others go on."""
    recorded: list[tuple[str, int | None]] = []
    for position in (1, 2):
        status = federation[position].desk.status(session)
        assert status.state == FAILED
        assert status.code == code
        assert federation[position].refusals in ([], [(code, site)])  # none if the asker was told first and said so
        recorded += federation[position].refusals
        assert federation[position].profile.shares.of_session(session) == ()
    assert recorded
    assert shares_of(federation, session) <= {3}
    check_others_go_on(federation)


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


def good_bodies(federation: Federation) -> dict[str, dict[str, Any]]:
    """A well-formed body of every type."""
    request = messages.Request(
        SMOKERS,
        Fraction(1, 2),
        (1, 2, 3),
        (1, 2),
        1,
        SealingKey(SecretBytes(bytes(range(96)))).public,
        {"smoker": federation.catalogue.variable("smoker").meaning},
        "A test",
    )
    return {
        messages.REQUEST: request.to_body(),
        messages.COMMIT: {"attempt": 1, "request": bytes(32), "hash": bytes(32), "noise_bits": 40},
        messages.DECLINE: {"code": "data.no_dataset"},
        messages.REFUSE: {"code": "query.close_differs"},
        messages.CLOSE: {"contributors": [1, 2], "hashes": [bytes(32), bytes(32)]},
        messages.RETRY: {"attempt": 2, "quorum": [1, 3]},
        messages.CONTRIBUTION: {"attempt": 1, "blob": bytes(32), "size": 100},
        messages.SHARE: {"attempt": 1, "sealed": bytes(100)},
        messages.RELEASED: {},
        messages.FINISH: {},
        messages.STATE: {"state": messages.WAITING},
        messages.NOTE: {"text": "What exactly do you mean?"},
        messages.FAIL: {"code": "query.too_few_sites"},
        COMMIT: {"round": rounds.CHECK, "transcript": bytes(32), "commitment": bytes(32)},
        REVEAL: {"round": rounds.CHECK, "salt": bytes(32), "payload": b"payload"},
        STOP: {"code": "ceremony.check_failed"},
    }


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


# --- ceremonies ---------------------------------------------------------------------------------------------------


def ceremony_of(base: Path, sites: int, quorum: int, spoil: Callable[[Federation], None]) -> ExitStack:
    stack = ExitStack()
    federation = stack.enter_context(Federation(base, sites, quorum))
    spoil(federation)
    federation.settle()
    stack.federation = federation  # type: ignore[attr-defined]
    return stack


def saying(round_: str, change: Callable[[Federation, dict[str, Any]], Any]) -> Callable[[Federation], None]:
    """Site 3 reveals something else in a round."""

    def spoil(federation: Federation) -> None:
        payloads = federation[3].ceremony._parts.payloads
        original = payloads[round_]
        payloads[round_] = lambda *given: change(federation, original(*given))

    return spoil


def wrong_share(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
    """A well-formed share of a key that is off by one in one place."""
    blobs = federation[3].profile.blobs
    data = bytearray(blobs.get(payload["blob"], limit=1 << 27))
    data[crypto_format.HEADER_SIZE] ^= 1
    return {"blob": blobs.put(bytes(data), limit=1 << 27), "size": len(data)}


def dealing(change: Callable[[bytes], bytes]) -> Callable[[Federation, dict[str, Any]], dict[str, Any]]:
    """Site 3 deals site 1 something else."""

    def deal(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        node = federation[3]
        context = node.ceremony._parts.dealt_context(3, 1)
        name, size = payload["blobs"][0]
        plain = federation[1].site.key.open("dealt share v1", node.profile.blobs.get(name, limit=size), context)
        sealed = federation.roster.keys[1].seal_to("dealt share v1", change(plain), context)
        return {"blobs": [[node.profile.blobs.put(sealed, limit=1 << 27), len(sealed)], *payload["blobs"][1:]]}

    return deal


def flip_value(plain: bytes) -> bytes:
    return (
        plain[: crypto_format.HEADER_SIZE]
        + bytes([plain[crypto_format.HEADER_SIZE] ^ 1])
        + plain[crypto_format.HEADER_SIZE + 1 :]
    )


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(saying(rounds.PUBLIC_KEY, wrong_share), id="public key"),
        pytest.param(saying(rounds.RELINEARIZATION_1, wrong_share), id="relinearization 1"),
        pytest.param(saying(rounds.RELINEARIZATION_2, wrong_share), id="relinearization 2"),
        pytest.param(saying(rounds.ROTATION, wrong_share), id="rotation"),
        pytest.param(saying(rounds.DEALING, dealing(flip_value)), id="dealt value"),
        pytest.param(saying(rounds.DEALING, dealing(lambda plain: plain[:-1] + b"x")), id="pad key"),
    ],
)
def test_a_wrong_share_fails_the_closing_check_everywhere_and_names_nobody(
    tmp_path: Path, spoil: Callable[[Federation], None]
) -> None:
    with ceremony_of(tmp_path, 3, 2, spoil) as stack:
        federation = stack.federation  # type: ignore[attr-defined]
        for node in federation.nodes.values():
            status = node.ceremony.advance()
            assert (status.state, status.code, status.site) == (ceremonies.FAILED, "ceremony.check_failed", "")
            assert node.refusals == [("ceremony.check_failed", None)]
            assert not node.site.key_directory.exists()
            assert not (node.profile.directory / "federation.public").exists()
            assert "salt" not in node.ceremony._stored()


def test_a_wrong_component_of_any_key_is_found(tmp_path: Path) -> None:
    """The last coefficient of the last component counts as much as the first."""

    def last(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        blobs = federation[3].profile.blobs
        data = bytearray(blobs.get(payload["blob"], limit=1 << 27))
        data[-6] ^= 1
        return {"blob": blobs.put(bytes(data), limit=1 << 27), "size": len(data)}

    for round_ in (rounds.RELINEARIZATION_1, rounds.RELINEARIZATION_2, rounds.ROTATION):
        with ceremony_of(tmp_path / round_, 3, 3, saying(round_, last)) as stack:
            for node in stack.federation.nodes.values():  # type: ignore[attr-defined]
                assert node.ceremony.advance().code == "ceremony.check_failed"


@pytest.mark.parametrize("round_", rounds.ROUNDS)
def test_a_malformed_payload_names_its_site(tmp_path: Path, round_: str) -> None:
    good = {
        rounds.RANDOMNESS: "random",
        rounds.DEALING: "blobs",
        rounds.CHECK: "shares",
        rounds.CONFIRM: "signature",
    }.get(round_, "blob")

    def missing(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in payload.items() if name != good}

    with ceremony_of(tmp_path, 3, 2, saying(round_, missing)) as stack:
        for position in (1, 2):
            node = stack.federation[position]  # type: ignore[attr-defined]
            status = node.ceremony.advance()
            assert (status.state, status.code, status.site) == (ceremonies.FAILED, "ceremony.malformed", "Site 3")
            assert node.refusals == [("ceremony.malformed", 3)]


JUNK = [None, 7, "text", b"bytes", [1], [[1, 2, 3]], {"blob": 7}, [b"x", 1], True]
SPOILED: dict[str, tuple[str, Callable[[dict[str, Any], Any], dict[str, Any]]]] = {
    "all dealt": (rounds.DEALING, lambda good, junk: good | {"blobs": junk}),
    "dealt to itself": (rounds.DEALING, lambda good, junk: good | {"blobs": [*good["blobs"][:2], junk]}),
    "dealt to site 1": (rounds.DEALING, lambda good, junk: good | {"blobs": [junk, *good["blobs"][1:]]}),
    "all shares": (rounds.CHECK, lambda good, junk: good | {"shares": junk}),
    "one share": (rounds.CHECK, lambda good, junk: good | {"shares": [junk]}),
    "a share's bytes": (rounds.CHECK, lambda good, junk: good | {"shares": [[1, junk]]}),
    "all tags": (rounds.CHECK, lambda good, junk: good | {"pads": junk}),
    "one tag": (rounds.CHECK, lambda good, junk: good | {"pads": [junk, *good["pads"][1:]]}),
    "a tag for itself": (rounds.CHECK, lambda good, junk: good | {"pads": [*good["pads"][:2], junk]}),
}


@pytest.mark.parametrize(("place", "junk"), list(zip(SPOILED, JUNK, strict=True)))
def test_junk_in_dealing_and_check_names_its_site(tmp_path: Path, place: str, junk: object) -> None:
    round_, change = SPOILED[place]
    with ceremony_of(tmp_path, 3, 2, saying(round_, lambda _, good: change(good, junk))) as stack:
        for position in (1, 2):
            status = stack.federation[position].ceremony.advance()  # type: ignore[attr-defined]
            assert (status.state, status.site) == (ceremonies.FAILED, "Site 3")
            assert status.code in {"ceremony.malformed", "release.wrong_share"}


@pytest.mark.parametrize(
    ("round_", "kind"),
    [
        (rounds.PUBLIC_KEY, "cut"),
        (rounds.RELINEARIZATION_1, "too large a residue"),
        (rounds.RELINEARIZATION_2, "another round's"),
        (rounds.ROTATION, "too large a residue"),
        (rounds.ROTATION, "cut"),
    ],
)
def test_a_share_that_is_not_one_names_its_site(tmp_path: Path, round_: str, kind: str) -> None:
    def change(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        blobs = federation[3].profile.blobs
        data = blobs.get(payload["blob"], limit=1 << 27)
        if kind == "cut":
            data = data[:-6]
        elif kind == "too large a residue":
            data = data[:-6] + b"\xff" * 6
        else:
            zero = np.zeros((3, 2, PARAMETERS.ring_degree), np.int64)
            data = crypto_format.pack_polynomials(PARAMETERS, PARAMETERS.data_primes[:2], zero)
        return {"blob": blobs.put(data, limit=1 << 27), "size": len(data)}

    with ceremony_of(tmp_path, 3, 2, saying(round_, change)) as stack:
        for position in (1, 2):
            status = stack.federation[position].ceremony.advance()  # type: ignore[attr-defined]
            assert (status.state, status.site) == (ceremonies.FAILED, "Site 3")
            assert status.code.startswith("format.")


def test_a_wrong_size_or_a_reused_dealing_names_its_site(tmp_path: Path) -> None:
    changes: list[Callable[[Federation, dict[str, Any]], dict[str, Any]]] = [
        lambda _, payload: {"blobs": [[payload["blobs"][0][0], 10], *payload["blobs"][1:]]},
        lambda _, payload: {"blobs": [payload["blobs"][1], payload["blobs"][0], payload["blobs"][2]]},
        lambda _, payload: {"blobs": payload["blobs"][:2]},
        dealing(lambda plain: plain[:-40]),
        dealing(lambda plain: b""),
        dealing(lambda plain: plain + plain),
    ]
    for number, change in enumerate(changes):
        with ceremony_of(tmp_path / str(number), 3, 2, saying(rounds.DEALING, change)) as stack:
            status = stack.federation[1].ceremony.advance()  # type: ignore[attr-defined]
            assert (status.state, status.site) == (ceremonies.FAILED, "Site 3"), number


def test_a_dealing_copied_from_another_site_names_its_copier(tmp_path: Path) -> None:
    """Site 3 hands on what site 2 dealt: it is bound to its dealer and does not open."""

    def copy(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        size = payload["blobs"][0][1]
        dealt = [federation[2].profile.blobs.get(name, limit=1 << 27) for name in federation[2].profile.blobs.names()]
        names = [federation[3].profile.blobs.put(data, limit=size) for data in dealt if len(data) == size]
        assert len(names) == 3
        return {"blobs": [[name, size] for name in names]}

    with ceremony_of(tmp_path, 3, 2, saying(rounds.DEALING, copy)) as stack:
        status = stack.federation[1].ceremony.advance()  # type: ignore[attr-defined]
        assert (status.state, status.code, status.site) == (ceremonies.FAILED, "identity.cannot_open", "Site 3")


@pytest.mark.parametrize("type_", [COMMIT, REVEAL])
def test_two_different_words_in_one_round_name_their_site(tmp_path: Path, type_: str) -> None:
    with Federation(tmp_path, 3, 2) as federation:
        node, session = federation[3], federation[3].ceremony.session
        other = {
            COMMIT: {
                "round": rounds.RANDOMNESS,
                "transcript": rounds.first_transcript(session),
                "commitment": bytes(32),
            },
            REVEAL: {"round": rounds.RANDOMNESS, "salt": bytes(32), "payload": b"another"},
        }[type_]
        second = node.mailroom.draft(type_, session, other).envelope

        def alter(position: int, data: bytes) -> list[tuple[int, bytes]]:
            message = parse(data)
            both = (message.sender, message.type) == (3, type_)
            return [(position, data), (position, second)] if both else [(position, data)]

        federation.post.alter = alter
        federation.settle()
        for position in (1, 2):
            status = federation[position].ceremony.advance()
            assert (status.state, status.code, status.site) == (ceremonies.FAILED, "ceremony.said_twice", "Site 3")
            assert federation[position].refusals == [("ceremony.said_twice", 3)]


def test_a_reveal_other_than_the_commitment_names_its_site(tmp_path: Path) -> None:
    with Federation(tmp_path, 3, 2) as federation:
        node = federation[3]
        original = node.ceremony._open

        def lying(round_: str) -> None:
            body = {"round": round_, "salt": bytes(32), "payload": codec.encode({"random": bytes(32)})}
            if round_ == rounds.RANDOMNESS:
                node.say(REVEAL, node.ceremony.session, body)
            else:
                original(round_)

        node.ceremony._open = lying  # type: ignore[method-assign]
        federation.settle()
        for position in (1, 2):
            status = federation[position].ceremony.advance()
            assert (status.state, status.code, status.site) == (
                ceremonies.FAILED,
                "ceremony.commitment_broken",
                "Site 3",
            )
            assert federation[position].refusals == [("ceremony.commitment_broken", 3)]


def test_a_signature_of_another_outcome_names_its_site(tmp_path: Path) -> None:
    spoil = saying(rounds.CONFIRM, lambda _, payload: {"signature": bytes(64)})
    with ceremony_of(tmp_path, 3, 2, spoil) as stack:
        federation = stack.federation  # type: ignore[attr-defined]
        for position in (1, 2):
            status = federation[position].ceremony.advance()
            assert (status.state, status.code, status.site) == (ceremonies.FAILED, "federation.bad_signature", "Site 3")
            assert not (federation.directory(position) / "federation.public").exists()


def test_a_failed_ceremony_stays_failed(tmp_path: Path) -> None:
    with ceremony_of(tmp_path, 3, 2, saying(rounds.ROTATION, wrong_share)) as stack:
        federation = stack.federation  # type: ignore[attr-defined]
        for position in federation.positions:
            federation.stop(position)
            node = federation.start(position)
            assert node.ceremony.advance().code == "ceremony.check_failed"
            assert list(node.profile.blobs.names()) == []


def test_a_failure_that_nobody_caused_names_nobody(tmp_path: Path) -> None:
    """Summing fails although every site's share is well-formed: the ceremony fails, and no site is blamed."""

    def failing(*given: Any) -> None:
        raise ProtocolViolation("format.wrong_size", size=1, expected=2)

    with Federation(tmp_path, 2, 2) as federation, pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "build_keys", failing)
        federation.settle()
        for node in federation.nodes.values():
            status = node.ceremony.advance()
            assert (status.state, status.code, status.site) == (ceremonies.FAILED, "format.wrong_size", "")


def test_who_stops_is_named_to_those_who_wait(tmp_path: Path) -> None:
    """Only site 1 sees what is wrong (its dealt value does not open): the others learn that it stopped."""

    def spoil(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        name, size = payload["blobs"][0]
        broken = bytearray(federation[3].profile.blobs.get(name, limit=size))
        broken[-1] ^= 1
        name = federation[3].profile.blobs.put(bytes(broken), limit=size)
        return {"blobs": [[name, size], *payload["blobs"][1:]]}

    with ceremony_of(tmp_path, 3, 2, saying(rounds.DEALING, spoil)) as stack:
        federation = stack.federation  # type: ignore[attr-defined]
        status = federation[1].ceremony.advance()
        assert (status.state, status.code, status.site) == (ceremonies.FAILED, "identity.cannot_open", "Site 3")
        status = federation[2].ceremony.advance()
        assert (status.state, status.code, status.site) == (ceremonies.FAILED, "ceremony.stopped", "Site 1")
        assert federation[2].refusals == [("ceremony.stopped", 1)]


# --- queries ------------------------------------------------------------------------------------------------------


def test_a_contribution_other_than_the_committed_one(federation: Federation) -> None:
    work = federation[3].desk._work
    original = work.kept

    def other(session: bytes, attempt: int) -> Made:
        return Made(encrypted(federation[3].site.key_directory, 999), original(session, attempt).noise_bits)

    work.kept = other  # type: ignore[method-assign]
    session = federation.ask(1, quorum=(1, 2))
    federation.settle()
    work.kept = original  # type: ignore[method-assign]
    check_refused_query(federation, session, "query.commitment_broken", 3)


@pytest.mark.parametrize("kind", ["junk", "another level", "out of range", "empty blob"])
def test_a_contribution_that_is_not_one(federation: Federation, kind: str) -> None:
    good = encrypted(federation[3].site.key_directory, 1)
    bad = {
        "junk": bytes(len(good)),
        "another level": good[:3] + b"\x02" + good[4:],
        "out of range": good[:-6] + b"\xff" * 6,
        "empty blob": b"",
    }[kind]

    def contribute(session: bytes, heard: Any, attempt: int) -> None:
        hash_ = hashlib.sha256(bad).digest()
        body = {"attempt": 1, "request": heard.request.hash, "hash": hash_, "noise_bits": 40}
        federation[3].profile.blobs.put(bad, limit=len(good))
        federation[3].say(messages.COMMIT, session, body)

    def reveal(session: bytes, heard: Any, attempt: int) -> None:
        body = {"attempt": 1, "blob": hashlib.sha256(bad).digest(), "size": 1}
        federation[3].say(messages.CONTRIBUTION, session, body)

    desk = federation[3].desk
    honest = desk._contribute, desk._work.reveal
    desk._contribute, desk._work.reveal = contribute, reveal  # type: ignore[method-assign]
    session = federation.ask(1, quorum=(1, 2))
    federation.settle()
    desk._contribute, desk._work.reveal = honest  # type: ignore[method-assign]
    check_refused_query(federation, session, "query.wrong_contribution", 3)


class Copying(KnownNumber):
    """Contributes what it is given, whatever is asked."""

    def __init__(self, contribution: bytes) -> None:
        super().__init__(number=300)
        self.contribution = contribution

    def contribute(self, session: bytes, asker: int, request: messages.Request) -> Made:
        return Made(self.contribution, 40)


def test_a_contribution_copied_from_another_site(federation: Federation) -> None:
    stolen = encrypted(federation[2].site.key_directory, 200)
    federation[2].desk._contributor = Copying(stolen)
    federation[3].desk._contributor = Copying(stolen)
    session = federation.ask(1, quorum=(1, 2))
    federation.settle()
    federation[2].desk._contributor, federation[3].desk._contributor = (
        federation[2].contributor,
        federation[3].contributor,
    )
    check_refused_query(federation, session, "query.contribution_repeated", 3)


@pytest.mark.parametrize("same_values", [True, False])
def test_a_mask_that_was_used_in_another_query(federation: Federation, same_values: bool) -> None:
    first = Contribution.from_bytes(PARAMETERS, encrypted(federation[3].site.key_directory, 300), 3, 1)
    moved = replace(first, values=(first.values + 1) % np.array(PARAMETERS.data_primes[:3])[:, None])
    federation[3].desk._contributor = Copying(first.to_bytes())
    before = federation.ask(1, quorum=(1, 2))
    federation.settle()
    assert federation[1].desk.status(before).state == DONE
    federation[3].desk._contributor = Copying((first if same_values else moved).to_bytes())
    session = federation.ask(1, quorum=(1, 2))
    federation.settle()
    federation[3].desk._contributor = federation[3].contributor
    check_refused_query(federation, session, "query.contribution_repeated", 3)


def paused(federation: Federation, **choices: Any) -> bytes:
    """A query of site 1 that waits for site 2, which is away."""
    federation.stop(2)
    session = federation.ask(1, **choices)
    federation.settle()
    return session


def resume(federation: Federation) -> None:
    federation.start(2)
    federation.settle()


def only(federation: Federation, position: int, code: str) -> None:
    assert federation[position].refusals == [(code, 3)]


@pytest.mark.parametrize(
    "type_", [messages.CLOSE, messages.RETRY, messages.FAIL, messages.RELEASED, messages.REQUEST, messages.FINISH]
)
def test_what_only_the_asker_may_say(federation: Federation, type_: str) -> None:
    session = paused(federation)
    federation[3].say(type_, session, good_bodies(federation)[type_])
    federation.settle()
    resume(federation)
    result = federation[1].desk.result(session)
    assert result is not None
    assert result.numbers == (600,)
    for position in (1, 2):
        only(federation, position, "query.not_the_asker")


def test_a_query_cannot_be_taken_over(federation: Federation) -> None:
    """Site 3 sends a request of its own under the id of site 1's query, with its own key: it gets nothing."""
    session = paused(federation, quorum=(1, 2))
    key = SealingKey.generate()
    request = federation[1].desk.heard(session).request
    federation[3].say(messages.REQUEST, session, replace(request, key=key.public, epsilon=None).to_body())
    federation.settle()
    resume(federation)
    assert federation[1].desk.result(session) is not None
    assert {each.recipients for each in federation.post.messages(messages.SHARE)} == {(1,)}
    assert all(node.desk.heard(session).asker == 1 for node in federation.nodes.values())


def test_the_id_of_a_ceremony_is_no_query(federation: Federation) -> None:
    ceremony = federation[1].ceremony.session
    federation[3].say(messages.REQUEST, ceremony, good_bodies(federation)[messages.REQUEST])
    federation.settle()
    only(federation, 1, "query.not_the_asker")
    check_others_go_on(federation)


def test_an_asker_who_asks_different_sites_different_things(federation: Federation) -> None:
    """Site 3 asks site 1 for an exact number and site 2 for a noised one: no site opens anything."""
    session = federation.ask(3, quorum=(1, 2), contributors=(1, 2))
    request = federation[3].desk.heard(session).request
    sent = federation[3].mailroom.unsent()
    other = replace(request, epsilon=Fraction(1, 2)).to_body()
    federation[3].profile.outbox.mark_sent(sent[0].id, now=1)
    federation.post.send(sent[0].envelope, (1,))
    federation.post.send(federation[3].mailroom.draft(messages.REQUEST, session, other).envelope, (2,))
    federation.settle()
    for position in (1, 2):
        status = federation[position].desk.status(session)
        assert (status.state, status.code) == (FAILED, "query.request_differs")
        assert federation[position].profile.shares.of_session(session) == ()
    assert federation[1].refusals == [("query.request_differs", 2)]
    assert federation.post.messages(messages.CONTRIBUTION) == []
    check_others_go_on(federation)


def test_a_second_close_with_another_set(federation: Federation) -> None:
    session = federation.ask(3, quorum=(1, 2))
    while federation[3].desk.heard(session).close is None:
        for node in federation.nodes.values():
            node.work()
        federation.post.carry()
    close = federation[3].desk.heard(session).close
    assert close is not None
    federation[3].say(messages.CLOSE, session, {"contributors": [1, 2], "hashes": list(close.hashes[:2])})
    federation.settle()
    result = federation[3].desk.result(session)
    assert result is not None
    assert result.numbers == (600,)
    for position in (1, 2):
        only(federation, position, "query.said_twice")


@pytest.mark.parametrize("kind", ["too few", "other hashes", "not asked", "not committed"])
def test_a_close_that_differs(federation: Federation, kind: str) -> None:
    """Site 3 asks and closes as it likes: no contribution and no share leaves an honest site."""
    contributors = (1, 2) if kind == "not asked" else (1, 2, 3)
    if kind == "not committed":
        federation[1].contributor.reason = "data.no_dataset"
        federation[2].contributor.reason = "data.no_dataset"
    session = federation.ask(3, quorum=(1, 2), contributors=contributors, minimum=1 if kind == "not committed" else 2)
    node = federation[3]
    original = node.desk._say

    def say(type_: str, session: bytes, body: Any, recipients: tuple[int, ...] = ()) -> None:
        original(type_, session, body, recipients)  # what it tells itself
        if type_ == messages.CLOSE:
            [own] = node.mailroom.unsent()
            node.profile.outbox.mark_sent(own.id, now=1)
            honest = dict(zip(body["contributors"], body["hashes"], strict=True))
            body = {
                "too few": {"contributors": [1], "hashes": [honest.get(1, bytes(32))]},
                "other hashes": {"contributors": [1, 2, 3], "hashes": [bytes(32)] * 3},
                "not asked": {"contributors": [1, 2, 3], "hashes": [*honest.values(), bytes(32)]},
                "not committed": {"contributors": [1, 2, 3], "hashes": [bytes(32), bytes(32), *honest.values()]},
            }[kind]
            federation.post.send(node.mailroom.draft(type_, session, body).envelope, (1, 2))

    node.desk._say = say  # type: ignore[method-assign]
    federation.settle()
    for position in (1, 2):
        status = federation[position].desk.status(session)
        assert (status.state, status.code) == (FAILED, "query.close_differs")
        assert federation[position].refusals == [("query.close_differs", 3)]
        assert federation[position].profile.shares.of_session(session) == ()
    assert {each.sender for each in federation.post.messages(messages.CONTRIBUTION)} <= {3}
    node.desk._say = original  # type: ignore[method-assign]
    for position in (1, 2):
        federation[position].contributor.reason = ""
    check_others_go_on(federation)


def test_a_second_commitment(federation: Federation) -> None:
    session = paused(federation)
    other = federation[3].desk.heard(session).committed[1, 3]
    body = {"attempt": 1, "request": other.request, "hash": bytes(32), "noise_bits": 40}
    federation[3].say(messages.COMMIT, session, body)
    federation[3].say(messages.COMMIT, session, {**body, "hash": other.hash})  # the same again is nothing wrong
    federation.settle()
    resume(federation)
    result = federation[1].desk.result(session)
    assert result is not None
    assert result.numbers == (600,)
    for position in (1, 2):
        only(federation, position, "query.said_twice")


@pytest.mark.parametrize("type_", [messages.COMMIT, messages.CONTRIBUTION, messages.SHARE, messages.DECLINE])
def test_who_was_not_asked_is_not_heard(federation: Federation, type_: str) -> None:
    session = paused(federation, contributors=(1, 2), quorum=(1, 2))
    federation[3].say(type_, session, good_bodies(federation)[type_])
    federation.settle()
    resume(federation)
    result = federation[1].desk.result(session)
    assert result is not None
    assert (result.numbers, result.declined) == ((300,), {})
    only(federation, 1, "query.not_asked")


def test_words_before_their_query_wait_for_it(federation: Federation) -> None:
    session = federation.ask(1)
    [request] = federation[1].mailroom.unsent()
    federation[1].profile.outbox.mark_sent(request.id, now=1)
    federation[3].say(messages.CLOSE, session, good_bodies(federation)[messages.CLOSE])
    federation.settle()
    assert federation[2].refusals == []
    federation.post.send(request.envelope, request.recipients)
    federation.settle()
    assert federation[1].desk.result(session) is not None
    only(federation, 2, "query.not_the_asker")


def test_a_share_of_another_query_attempt_or_quorum(federation: Federation) -> None:
    """Site 3 answers with a share it made for another opening: the asker's key does not open it here."""
    shares: dict[bytes, dict[str, Any]] = {}
    work, node = federation[3].desk._work, federation[3]
    original = work._say

    def say(type_: str, session: bytes, body: Any, recipients: tuple[int, ...] = ()) -> None:
        if type_ == messages.SHARE:
            shares[session] = body
            body = next(iter(shares.values()))
        original(type_, session, body, recipients)

    work._say = say  # type: ignore[method-assign]
    first = federation.ask(1, quorum=(1, 3))
    federation.settle()
    assert federation[1].desk.status(first).state == DONE
    session = federation.ask(1, quorum=(1, 3))
    federation.settle()
    for position in (1, 2):
        status = federation[position].desk.status(session)
        assert (status.state, status.code) == (FAILED, "query.wrong_share")
    only(federation, 1, "query.wrong_share")
    assert federation[1].desk.result(session) is None
    assert federation[1].profile.sealed_secrets.names("query") == ()
    work._say = original  # type: ignore[method-assign]
    assert node.refusals == []
    check_others_go_on(federation)


def test_a_share_of_another_quorum_opens_nothing(federation: Federation) -> None:
    """Site 3 seals a share for quorum (2, 3) as if it were for (1, 3): bound to its opening, it does not open."""
    node = federation[3]
    original = node.desk._work._opening

    def opening(session: bytes, heard: Any, attempt: int) -> Any:
        made, bits = original(session, heard, attempt)
        return replace(made, quorum=(2, 3)), bits

    node.desk._work._opening = opening  # type: ignore[method-assign]
    session = federation.ask(1, quorum=(1, 3))
    federation.settle()
    assert federation[1].desk.status(session).code == "query.wrong_share"
    only(federation, 1, "query.wrong_share")


@pytest.mark.parametrize("sealed", [b"x", bytes(2000)])
def test_a_share_that_is_not_one(federation: Federation, sealed: bytes) -> None:
    work = federation[3].desk._work
    original = work.answer

    def answer(session: bytes, heard: Any, attempt: int) -> None:
        federation[3].say(messages.SHARE, session, {"attempt": attempt, "sealed": sealed}, (1,))

    work.answer = answer  # type: ignore[method-assign]
    session = federation.ask(1, quorum=(1, 3))
    federation.settle()
    work.answer = original  # type: ignore[method-assign]
    assert federation[1].desk.status(session).code == "query.wrong_share"
    only(federation, 1, "query.wrong_share")
    check_others_go_on(federation)


def test_a_retry_before_anything_was_committed(federation: Federation) -> None:
    """A hostile asker asks for the second attempt first: nothing happens before the set is closed."""
    session = federation.ask(3, quorum=(1, 2), contributors=(1, 2))
    federation[3].say(messages.RETRY, session, {"attempt": 2, "quorum": [2, 3]})
    federation[3].say(messages.RETRY, session, {"attempt": 3, "quorum": [1, 3]})
    federation.settle()
    for position in (1, 2):
        assert federation[position].desk.status(session).state == DONE
        assert len(federation[position].profile.shares.of_session(session)) <= 1
    result = federation[3].desk.result(session)
    assert result is not None
    assert result.numbers == (300,)
    check_others_go_on(federation)


def test_a_bound_of_the_noise_that_cannot_be_flooded(federation: Federation) -> None:
    """Site 3 says that its noise fills the modulus: the result cannot be opened safely, so it is not."""
    desk = federation[3].desk
    original = desk._made
    desk._made = lambda *given: replace(original(*given), noise_bits=140)  # type: ignore[method-assign]
    session = federation.ask(1, quorum=(1, 2))
    federation.settle()
    desk._made = original  # type: ignore[method-assign]
    check_refused_query(federation, session, "release.does_not_fit", None)


def test_a_contribution_that_nobody_has_delays_only_its_query(federation: Federation) -> None:
    work = federation[3].desk._work
    original = work.reveal

    def reveal(session: bytes, heard: Any, attempt: int) -> None:
        body = {"attempt": attempt, "blob": heard.committed[attempt, 3].hash, "size": 100}
        federation[3].say(messages.CONTRIBUTION, session, body)

    work.reveal = reveal  # type: ignore[method-assign]
    session = federation.ask(1, quorum=(1, 2))
    federation.settle()
    work.reveal = original  # type: ignore[method-assign]
    status = federation[1].desk.status(session)
    assert (status.state, status.waiting, status.code) == (OPEN, "contribute", "post.blob_missing")
    assert federation[1].refusals == []
    check_others_go_on(federation)
    kept = work.kept(session, 1).contribution
    federation[3].profile.blobs.put(kept, limit=len(kept))  # found at last
    federation.settle()
    result = federation[1].desk.result(session)
    assert result is not None
    assert result.numbers == (600,)


def test_a_refusal_of_the_quorum_ends_the_query_for_the_asker(federation: Federation) -> None:
    """What site 2 refuses is told to the asker, who gives up instead of waiting for it for ever."""
    stolen = encrypted(federation[3].site.key_directory, 300)
    federation[2].profile.shares.note_contribution(
        Contribution.from_bytes(PARAMETERS, stolen, 3, 1).mask_hash(), session=bytes(32), attempt=1, sender=3
    )
    federation[3].desk._contributor = Copying(stolen)
    session = federation.ask(1, quorum=(2, 3))
    federation.settle()
    for position in (1, 2):
        status = federation[position].desk.status(session)
        assert (status.state, status.code) == (FAILED, "query.contribution_repeated")
    assert federation[1].refusals == []
    only(federation, 2, "query.contribution_repeated")


def test_what_comes_after_the_end_changes_nothing(federation: Federation) -> None:
    session = federation.ask(1)
    federation.settle()
    for type_, body in good_bodies(federation).items():
        if type_.startswith("query."):
            federation[3].say(type_, session, body)
    federation.settle()
    result = federation[1].desk.result(session)
    assert result is not None
    assert (result.numbers, result.declined) == ((600,), {})
    assert federation[1].desk.status(session).state == DONE
