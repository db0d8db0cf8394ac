"""A query from the question to the number, between sites with real profiles."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest

from app.core import codec
from app.core.crypto.release import Contribution, Opening, aggregate_contributions
from app.core.disclosure.policy import Policy
from app.core.errors import Bug, EnvironmentProblem, ProtocolViolation, UserError
from app.core.federation import decisions
from app.core.federation import query_messages as messages
from app.core.federation.opening import decryption_share
from app.core.federation.query_session import DONE, FAILED, OPEN, Released
from app.core.query.canonical import query_hash
from app.core.query.model import All, Flag, Query
from tests.federation_sites import (
    CATALOGUE,
    PARAMETERS,
    SMOKERS,
    Federation,
    KnownNumber,
    encrypted,
    ready_federation,
)

HALF = Fraction(1, 2)


def released(federation: Federation, session: bytes, asker: int = 1) -> Released:
    result = federation[asker].desk.result(session)
    assert result is not None
    return result


def check_forgotten(federation: Federation, session: bytes) -> None:
    """Nothing that could open the result again is kept."""
    for node in federation.nodes.values():
        assert node.profile.sealed_secrets.names(f"query/{session.hex()}") == ()
        assert list(node.profile.blobs.names()) == []


@pytest.mark.parametrize("asker", [1, 2, 3])
@pytest.mark.parametrize("quorum", list(combinations((1, 2, 3), 2)))
def test_an_exact_count_is_the_sum(tmp_path: Path, asker: int, quorum: tuple[int, ...]) -> None:
    """Whoever asks, and whether the asker is in the quorum or not."""
    with ready_federation(tmp_path) as federation:
        session = federation.ask(asker, quorum=quorum, minimum=3)
        federation.settle()
        result = released(federation, session, asker)
        assert result.numbers == (600,)
        assert result.request.epsilon is None
        assert result.contributors == ("Site 1", "Site 2", "Site 3")
        assert result.declined == {}
        check_forgotten(federation, session)
        for position, node in federation.nodes.items():
            assert node.desk.status(session).state == DONE
            assert node.refusals == []
            entries = node.profile.shares.of_session(session)
            assert [entry.attempt for entry in entries] == ([1] if position in quorum else [])
            if position != asker:  # the number is the asker's alone
                assert node.profile.releases.get(session) is None
                assert node.desk.result(session) is None
        [known] = federation[asker].profile.releases.of_query(query_hash(SMOKERS, CATALOGUE))
        assert codec.decode(known.data, 100) == [600]


def test_who_reads_what(tmp_path: Path) -> None:
    """A contribution goes to the quorum and the asker, a share to the asker alone and sealed to its one-time key."""
    with ready_federation(tmp_path) as federation:
        session = federation.ask(2, quorum=(1, 3))
        federation.settle()
        post = federation.post
        assert {each.recipients for each in post.messages(messages.CONTRIBUTION)} == {(1, 2, 3)}
        assert {each.recipients for each in post.messages(messages.SHARE)} == {(2,)}
        assert {each.sender for each in post.messages(messages.SHARE)} == {1, 3}
        session = federation.ask(1, quorum=(1, 3))
        federation.settle()
        readers = {each.recipients for each in post.messages(messages.CONTRIBUTION) if each.session == session}
        assert readers == {(1, 3)}


def test_each_site_adds_its_own_noise(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        for position, noise in ((1, -5), (2, 40), (3, -300)):
            federation.contributors[position].noise = noise
        exact, noised = federation.ask(1), federation.ask(1, epsilon=HALF)
        federation.settle()
        assert released(federation, exact).numbers == (600,)
        result = released(federation, noised)
        assert (result.numbers, result.request.epsilon) == ((600 - 265,), HALF)


@pytest.mark.parametrize("number", [0, 1, PARAMETERS.plain_modulus // 2 - 400])
def test_small_large_and_negative_totals(tmp_path: Path, number: int) -> None:
    with ready_federation(tmp_path) as federation:
        federation.contributors[1] = federation[1].contributor
        federation[1].contributor.number = number
        federation[2].contributor.number = 0
        federation[3].contributor.number = 0
        federation[3].contributor.noise = -7
        exact, noised = federation.ask(1), federation.ask(1, epsilon=HALF)
        federation.settle()
        assert released(federation, exact).numbers == (number,)
        assert released(federation, noised).numbers == (number - 7,)


def test_a_site_that_declines_is_left_out_and_its_reason_told(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        federation[2].contributor.reason = "data.no_dataset"
        session = federation.ask(1, minimum=2, quorum=(1, 2))  # declining, yet in the quorum
        federation.settle()
        result = released(federation, session)
        assert result.numbers == (400,)
        assert result.contributors == ("Site 1", "Site 3")
        assert result.declined == {"Site 2": "data.no_dataset"}
        assert len(federation[2].profile.shares.of_session(session)) == 1
        check_forgotten(federation, session)


@pytest.mark.parametrize("declining", [(2,), (1, 2, 3)])
def test_too_few_sites_fail_it_for_all(tmp_path: Path, declining: tuple[int, ...]) -> None:
    with ready_federation(tmp_path) as federation:
        for position in declining:
            federation[position].contributor.reason = "data.no_dataset"
        session = federation.ask(1, minimum=3)
        federation.settle()
        for node in federation.nodes.values():
            status = node.desk.status(session)
            assert (status.state, status.code) == (FAILED, "query.too_few_sites")
            assert node.profile.shares.of_session(session) == ()
            assert node.desk.result(session) is None
        assert federation.post.messages(messages.CLOSE) == []
        assert federation.post.messages(messages.CONTRIBUTION) == []
        check_forgotten(federation, session)


def test_only_those_asked_contribute(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        session = federation.ask(1, contributors=(2, 3), quorum=(1, 2))
        federation.settle()
        result = released(federation, session)
        assert (result.numbers, result.contributors) == ((500,), ("Site 2", "Site 3"))
        assert federation[1].contributor.made == []


def test_a_site_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        federation.stop(3)
        session = federation.ask(1)
        federation.settle()
        status = federation[1].desk.status(session)
        assert (status.state, status.waiting, status.waiting_for) == (OPEN, "commit", ("Site 3",))
        status = federation[2].desk.status(session)
        assert (status.state, status.waiting, status.waiting_for) == (OPEN, "commit", ("Site 3",))
        federation.start(3)
        federation.settle()
        assert released(federation, session).numbers == (600,)


def test_other_quorums_open_the_same_number_from_other_ciphertexts(tmp_path: Path) -> None:
    """Two attempts fail because a site of the quorum is away; the third, without it, opens."""
    with ready_federation(tmp_path, 4, 2) as federation:
        federation.stop(3)
        federation.stop(4)
        session = federation.ask(1, contributors=(1, 2), quorum=(2, 3))
        federation.settle()
        assert federation[1].desk.status(session).waiting_for == ("Site 3",)
        federation[1].desk.retry(session, (2, 4))
        federation.settle()
        assert federation[1].desk.status(session).waiting_for == ("Site 4",)
        federation[1].desk.retry(session, (1, 2))
        kept = [federation[2].desk._work.kept(session, attempt) for attempt in (1, 2)]
        federation.settle()
        assert released(federation, session).numbers == (300,)

        entries = federation[2].profile.shares.of_session(session)
        assert [entry.attempt for entry in entries] == [1, 2, 3]
        assert len({entry.ciphertext for entry in entries}) == 3
        assert len({entry.share for entry in entries}) == 3
        parsed = [Contribution.from_bytes(PARAMETERS, each.contribution, 3, 1) for each in kept]
        assert parsed[0].mask_hash() != parsed[1].mask_hash()
        assert (parsed[0].values != parsed[1].values).all()

        with pytest.raises(UserError, match=r"query\.not_closed"):  # over
            federation[1].desk.retry(session, (1, 2))
        for position in (3, 4):
            federation.start(position)
        federation.settle()
        for position in (3, 4):  # too late: the query is over, nothing is opened once more
            assert federation[position].desk.status(session).state == DONE
            assert federation[position].profile.shares.of_session(session) == ()
        check_forgotten(federation, session)


def test_there_are_three_attempts(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        federation.stop(3)
        session = federation.ask(1, contributors=(1, 2), quorum=(1, 3))
        with pytest.raises(UserError, match=r"query\.not_closed"):
            federation[1].desk.retry(session, (1, 3))
        federation.settle()
        with pytest.raises(UserError, match=r"query\.no_more_attempts"):
            federation[2].desk.retry(session, (1, 2))  # not the asker
        for _ in range(2):
            federation[1].desk.retry(session, (2, 3))
            federation.settle()
        with pytest.raises(UserError, match=r"query\.no_more_attempts"):
            federation[1].desk.retry(session, (1, 2))
        federation.start(3)
        federation.settle()
        assert released(federation, session).numbers == (300,)


def test_a_retry_that_cannot_be_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        federation.stop(3)
        session = federation.ask(1, contributors=(1, 2), quorum=(1, 3))
        federation.settle()
        for quorum in ((1,), (1, 2, 3), (2, 1), (1, 4), (2, 2)):
            with pytest.raises(ProtocolViolation):
                federation[1].desk.retry(session, quorum)
        assert federation[1].desk.heard(session).retries == {}


def test_a_question_that_cannot_be_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        for wrong in ({"quorum": (1,)}, {"minimum": 4}, {"contributors": (1, 9)}, {"epsilon": Fraction(0)}):
            with pytest.raises(ProtocolViolation):
                federation.ask(1, **wrong)  # type: ignore[arg-type]
        with pytest.raises(UserError):
            federation[1].desk.ask(
                Query(Flag("unheard_of")),
                text="",
                epsilon=None,
                contributors=(1,),
                quorum=(1, 2),
                minimum=1,
                purpose="x",
            )
        assert federation[1].profile.sessions.all(kind="query") == ()
        assert federation[1].profile.sealed_secrets.names("query") == ()


def test_many_queries_at_once(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        for node in federation.nodes.values():  # several sets of sites may answer about one cohort
            decisions.set_policy(node.site, Policy(per_site=True))
        sessions = {asker: federation.ask(asker, quorum=(2, 3)) for asker in (1, 2, 3)}
        sessions |= {10 + asker: federation.ask(asker, contributors=(asker, 3)) for asker in (1, 2)}
        federation.settle()
        numbers = {key: released(federation, session, key % 10).numbers[0] for key, session in sessions.items()}
        assert numbers == {1: 600, 2: 600, 3: 600, 11: 400, 12: 500}


def test_one_ciphertext_is_opened_once(tmp_path: Path) -> None:
    """The share ledger: the same opening gives the stored bytes, every other one of that ciphertext nothing."""
    with ready_federation(tmp_path) as federation:
        site = federation[1].site
        total = aggregate_contributions(
            [Contribution.from_bytes(PARAMETERS, encrypted(site.key_directory, 5), 3, 1) for _ in range(2)]
        )
        opening = Opening(bytes(32), 1, (1, 2), total)
        share = decryption_share(site, opening, 100)
        assert decryption_share(site, opening, 100) == share
        other_values = Contribution(PARAMETERS, total.mask, (total.values + 1) % PARAMETERS.data_primes[0])
        for again in (
            Opening(bytes(32), 1, (1, 3), total),
            Opening(bytes(32), 2, (1, 2), total),
            Opening(bytes([1]) * 32, 1, (1, 2), total),
            Opening(bytes(32), 1, (1, 2), other_values),
        ):
            with pytest.raises(ProtocolViolation, match=r"ledger\.already_used"):
                decryption_share(site, again, 100)
        fresh = Contribution.from_bytes(PARAMETERS, encrypted(site.key_directory, 5), 3, 1)
        with pytest.raises(ProtocolViolation, match=r"ledger\.already_used"):  # another ciphertext in the same attempt
            decryption_share(site, Opening(bytes(32), 1, (1, 2), fresh), 100)
        assert [entry.share for entry in federation[1].profile.shares.of_session(bytes(32))] == [share]


def test_without_its_dealt_share_a_site_cannot_open(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        session = federation.ask(1, quorum=(1, 2))
        sealed = federation[2].profile.sealed_secrets.get("dealt share")
        assert sealed is not None
        federation[2].profile.sealed_secrets.remove("dealt share")
        with pytest.raises(EnvironmentProblem, match=r"federation\.no_dealt_share"):
            federation.settle()
        federation[2].profile.sealed_secrets.replace("dealt share", sealed)  # as a restored backup does
        federation.settle()
        assert released(federation, session).numbers == (600,)


class Failing(KnownNumber):
    """Fails with an error of its own once, then answers."""

    def __init__(self, error: Exception) -> None:
        super().__init__(number=200)
        self.errors = [error]

    def contribute(self, session: bytes, asker: int, request: messages.Request):  # type: ignore[no-untyped-def]
        if self.errors:
            raise self.errors.pop()
        return super().contribute(session, asker, request)


def with_failing(federation: Federation, error: Exception) -> None:
    failing = Failing(error)
    failing.keys = federation[2].site.key_directory
    federation[2].desk._contributor = failing


@pytest.mark.parametrize("code", ["worker.killed", "disk.full"])
def test_what_passes_declines_nothing(tmp_path: Path, code: str) -> None:
    """The problem is raised when the other queries have been looked at; the next time the site answers."""
    with ready_federation(tmp_path) as federation:
        with_failing(federation, EnvironmentProblem(code))
        first, second = federation.ask(1), federation.ask(1)
        with pytest.raises(EnvironmentProblem, match=code):
            federation.settle()
        committed = {each.session for each in federation.post.messages(messages.COMMIT, sender=2)}
        committed |= {message.session for message in federation[2].profile.outbox.unsent()}
        assert committed == {second}
        federation.settle()
        assert released(federation, first).numbers == (600,)
        assert released(federation, second).numbers == (600,)


def test_what_lasts_declines(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        with_failing(federation, EnvironmentProblem("dataset.damaged"))
        session = federation.ask(1)
        federation.settle()
        assert released(federation, session).declined == {"Site 2": "dataset.damaged"}


def test_a_bug_is_not_taken_for_a_decision(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        with_failing(federation, Bug("tests.bug"))
        session = federation.ask(1)
        with pytest.raises(Bug, match=r"tests\.bug"):
            federation.settle()
        federation.settle()
        assert released(federation, session).numbers == (600,)


def test_an_unknown_query_is_said_to_be_unknown(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        for session in (bytes(32), federation[1].ceremony.session):
            with pytest.raises(UserError, match=r"query\.unknown"):
                federation[1].desk.status(session)
            assert federation[1].desk.result(session) is None


def test_a_query_names_every_variable_it_uses(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        query = Query(All((Flag("smoker"), Flag("died"))))
        session = federation[1].desk.ask(
            query, text="smoker and died", epsilon=None, contributors=(1, 2), quorum=(1, 2), minimum=1, purpose="x"
        )
        federation.settle()
        request = federation[2].desk.heard(session).request
        assert request.query == query
        assert dict(request.meanings) == {code: CATALOGUE.variable(code).meaning for code in ("smoker", "died")}
