"""A query that takes days: people who decide, deadlines, reminders, questions back, cancelling."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import pytest

from app.core.disclosure.policy import Mode, Policy
from app.core.errors import ProtocolViolation, UserError
from app.core.federation import decisions
from app.core.federation.decisions import Decision
from app.core.federation.query_messages import Request
from app.core.federation.query_session import DONE, FAILED, OPEN, PERSON, Made
from app.core.services import asking
from app.core.services.member import Member
from tests.federation_sites import CATALOGUE, SMOKERS, Federation, KnownNumber, ready_federation

HOUR = 3_600_000


class Governed(KnownNumber):
    """A site whose policy, or a person, decides before it answers."""

    def bind(self, federation: Federation, position: int) -> None:
        self.site = federation[position].site

    def contribute(self, session: bytes, asker: int, request: Request) -> Made | None:
        if not decisions.allows(self.site, session, asker, request):
            return None
        return super().contribute(session, asker, request)


def governed(federation: Federation, position: int, policy: Policy) -> Governed:
    contributor = Governed(100 * position)
    federation.contributors[position] = contributor
    federation.stop(position)
    federation.start(position)
    contributor.bind(federation, position)
    decisions.set_policy(contributor.site, policy)
    return contributor


def ask(federation: Federation, *, minimum: int, deadline: int = 0, epsilon: Fraction | None = None) -> bytes:
    return federation[1].desk.ask(
        SMOKERS,
        text="smoker",
        epsilon=epsilon,
        contributors=(1, 2, 3),
        quorum=(1, 2),
        minimum=minimum,
        purpose="A test",
        deadline=deadline,
    )


def numbers(federation: Federation, session: bytes) -> tuple[int, ...] | None:
    released = federation[1].desk.result(session)
    return None if released is None else released.numbers


def test_the_deadline_closes_with_those_who_answered(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        federation.stop(3)
        session = ask(federation, minimum=2, deadline=federation.clock.time + HOUR)
        federation.settle()
        assert federation[1].desk.status(session).waiting_for == ("Site 3",)
        federation.clock.time += HOUR
        federation.settle()
        assert numbers(federation, session) == (300,)
        federation.start(3)
        federation.settle()
        assert federation[3].desk.status(session).state == DONE
        assert federation[3].contributor.made == []  # too late: nothing is computed for a closed set


@pytest.mark.parametrize(
    ("minimum", "deadline", "code"),
    [(4, 0, "query.bad_minimum"), (0, 0, "query.bad_minimum"), (3, 1, "query.deadline_past")],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    tmp_path: Path, minimum: int, deadline: int, code: str
) -> None:
    with ready_federation(tmp_path) as federation:
        asker = cast(Member, federation[1])  # it has the site and the desk, which is all that asking looks at
        with pytest.raises(UserError) as raised:
            asking.ask(asker, "smoker", purpose="A test", minimum=minimum, deadline=deadline)
        assert raised.value.code == code
        assert asking.list_queries(asker) == []


def test_too_few_at_the_deadline_and_nothing_is_opened(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        federation.stop(3)
        session = ask(federation, minimum=3, deadline=federation.clock.time + HOUR)
        federation.settle()
        federation.clock.time += HOUR
        federation.settle()
        status = federation[1].desk.status(session)
        assert (status.state, status.code) == (FAILED, "query.expired")
        assert federation[2].desk.status(session).code == "query.expired"
        assert federation[2].profile.shares.of_session(session) == ()


def test_finish_waits_for_the_least_number(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        federation.stop(2)
        federation.stop(3)
        session = ask(federation, minimum=2)
        federation[1].desk.finish(session)
        federation.settle()
        assert federation[1].desk.status(session).state == OPEN
        federation.start(2)
        federation.settle()
        assert numbers(federation, session) == (300,)


def test_cancelling_ends_it_everywhere_and_opens_nothing(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        federation.stop(3)
        session = ask(federation, minimum=3)
        federation.settle()
        federation[1].desk.cancel(session)
        federation.start(3)
        federation.settle()
        for node in federation.nodes.values():
            assert node.desk.status(session).code == "query.cancelled"
            assert node.profile.shares.of_session(session) == ()
            assert node.profile.sealed_secrets.names(f"query/{session.hex()}") == ()
        with pytest.raises(UserError, match=r"query\.over"):
            federation[1].desk.cancel(session)


def test_a_person_answers_after_being_asked_and_reminded(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        site = governed(federation, 3, Policy(mode=Mode.ASK)).site
        session = ask(federation, minimum=3)
        federation.settle()
        assert federation[3].desk.status(session).waiting == PERSON
        assert federation[1].desk.heard(session).states == {3: "waiting"}
        federation[3].desk.note(session, "Which ward is this for?")
        assert federation[1].desk.remind(session) == ("Site 3",)
        federation.settle()
        assert federation[1].desk.notes(session) == (("Site 1", ""), ("Site 3", "Which ward is this for?"))
        assert federation[3].desk.notes(session) == federation[1].desk.notes(session)
        decisions.decide(site, session, Decision.ANSWER)
        federation.settle()
        assert numbers(federation, session) == (600,)
        assert len(federation.post.messages("query.state")) == 1


def test_a_person_declines_and_the_others_go_on(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        site = governed(federation, 3, Policy(mode=Mode.ASK)).site
        session = ask(federation, minimum=2)
        federation.settle()
        decisions.decide(site, session, Decision.DECLINE)
        decisions.decide(site, session, Decision.DECLINE)  # saying it twice is saying it once
        with pytest.raises(UserError, match=r"request\.decided"):
            decisions.decide(site, session, Decision.ANSWER)
        federation.settle()
        assert numbers(federation, session) == (300,)
        assert federation[1].desk.heard(session).declined == {3: "query.declined"}


@pytest.mark.parametrize(
    ("policy", "epsilon", "minimum", "code"),
    [
        (Policy(mode=Mode.NEVER), None, 2, "policy.never"),
        (Policy(exact=False), None, 2, "policy.no_exact"),
        (Policy(noised=False), Fraction(1, 2), 2, "policy.no_noised"),
        (Policy(others=2), None, 2, "policy.too_few_sites"),
    ],
)
def test_the_policy_declines_with_its_rule(
    tmp_path: Path, policy: Policy, epsilon: Fraction | None, minimum: int, code: str
) -> None:
    with ready_federation(tmp_path) as federation:
        governed(federation, 3, policy)
        session = ask(federation, minimum=minimum, epsilon=epsilon)
        federation.settle()
        assert federation[1].desk.heard(session).declined == {3: code}
        assert federation[3].contributor.made == []


def test_only_the_asker_finishes_reminds_and_cancels(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        federation.stop(3)
        session = ask(federation, minimum=3)
        federation.settle()
        for forbidden in (federation[2].desk.cancel, federation[2].desk.finish, federation[2].desk.remind):
            with pytest.raises(UserError, match=r"query\.not_yours"):
                forbidden(session)
        federation[2].say("query.finish", session, {})
        federation[2].say("query.fail", session, {"code": "query.cancelled"})
        federation.settle()
        assert federation[1].desk.status(session).state == OPEN
        assert ("query.not_the_asker", 2) in federation[1].refusals


@pytest.mark.parametrize("text", ["a\x00b", "x" * 2001])
def test_a_note_is_readable_text(tmp_path: Path, text: str) -> None:
    with ready_federation(tmp_path) as federation:
        session = ask(federation, minimum=3)
        with pytest.raises(ProtocolViolation, match=r"query\.malformed_message"):
            federation[1].desk.note(session, text)


def test_a_policy_keeps_its_values_and_refuses_nonsense(tmp_path: Path) -> None:
    policy = Policy(Mode.ASK, exact=False, noised=True, others=3)
    assert Policy.from_cbor(policy.to_cbor()) == policy
    for data in (b"\xa0", policy.to_cbor()[:-1], Policy().to_cbor() + b"\x00"):
        with pytest.raises(ProtocolViolation):
            Policy.from_cbor(data)
    for others in (0, 64):
        with pytest.raises(UserError, match=r"policy\.bad_others"):
            Policy(others=others)
    assert [Policy.default(sites).others for sites in (2, 3, 16)] == [1, 2, 2]
    with ready_federation(tmp_path) as federation:
        with pytest.raises(UserError, match=r"policy\.bad_others"):
            decisions.set_policy(federation[1].site, Policy(others=3))
        assert decisions.policy_of(federation[1].site) == Policy.default(3)
        assert federation.catalogue is CATALOGUE


def test_a_query_that_is_over_is_read_once_and_again_when_somebody_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ready_federation(tmp_path) as federation:
        asker = cast(Member, federation[1])
        session = ask(federation, minimum=3)
        before = asking.show(asker, session)
        federation.settle()
        released = asking.show(asker, session)
        assert (before.state, released.state) == ("sent", "released")
        assert released.answer is not None
        federation[3].desk.note(session, "Glad to help.")
        federation.settle()
        noted = asking.show(asker, session)
        assert noted.notes == (("Site 3", "Glad to help."),)
        monkeypatch.setattr(type(asker.desk), "heard", None)  # it could not be read any more
        assert asking.show(asker, session) is noted
        assert asking.list_queries(asker) == [noted]
        assert asking.list_queries(asker, 0) == []
