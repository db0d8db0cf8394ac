"""What a site can do wrong in a query: refused and recorded once, and other queries go on.

Site 3 is the hostile one, unless a test says otherwise: it has valid keys and may say whatever it likes.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from app.core.crypto.identity import SealingKey
from app.core.crypto.release import Contribution
from app.core.disclosure.policy import Policy
from app.core.federation import decisions
from app.core.federation import query_messages as messages
from app.core.federation.query_session import DONE, FAILED, OPEN, Made
from tests.federation_sites import PARAMETERS, Federation, KnownNumber, encrypted
from tests.hostile_site import check_others_go_on, check_refused_query, federation, good_bodies

__all__ = ["federation"]


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
    for node in federation.nodes.values():  # two sites answer, and then all three
        decisions.set_policy(node.site, Policy(per_site=True))
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
