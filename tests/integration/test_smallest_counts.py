"""Small counts withheld by cryptography, between whole sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from app.core.disclosure.policy import Policy
from app.core.federation import decisions, smallest_work
from app.core.federation import query_messages as messages
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom
from app.core.federation.query_messages import SmallestCount
from app.core.federation.query_session import DONE, FAILED
from app.core.federation.query_smallest import Hidden
from app.core.services import member as members
from tests.agent_sites import Sites
from tests.crash import Killer, leftovers
from tests.fake_relay import FakeRelay
from tests.federation_sites import PARAMETERS, Federation, KnownNumber, parse, ready_federation

ELEVEN = SmallestCount(11, zeros=False)
QUESTION = {"text": "smoker", "epsilon": "", "sites": [], "minimum": 0, "deadline": 0, "purpose": "A test", "wait": 120}
T = PARAMETERS.plain_modulus


def answered(federation: Federation, session: bytes, asker: int = 1) -> list[int | None]:
    federation.settle()
    status = federation[asker].desk.status(session)
    assert status.state == DONE, (status, [node.refusals for node in federation.nodes.values()])
    released = federation[asker].desk.result(session)
    assert released is not None
    return list(released.numbers)


def ask(
    federation: Federation,
    numbers: list[int],
    asker: int = 1,
    rule: SmallestCount = ELEVEN,
    contributors: tuple[int, ...] = (),
) -> bytes:
    """Ask with these counts at the sites; the quorum is without the asker where that can be."""
    for position, number in enumerate(numbers, start=1):
        federation.contributors[position].number = number
    return federation.ask(asker, quorum=quorum_of(federation, asker), smallest=rule, contributors=contributors)


def quorum_of(federation: Federation, asker: int) -> tuple[int, ...]:
    others = tuple(p for p in federation.positions if p != asker)
    size = federation.roster.quorum
    return others[:size] if size <= len(others) else federation.positions


# --- the rule -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([7, 5, 6], 18),
        ([7, 5, 5], None),
        ([1000, 0, 10], None),  # whatever the asker's site adds to its own part
        ([0, 11, 0], 11),
        ([3, 0, 0], None),
        ([0, 500, 15_500], 16_000),
    ],
)
def test_the_count_of_the_others_decides(tmp_path: Path, numbers: list[int], expected: int | None) -> None:
    with ready_federation(tmp_path) as federation:
        assert answered(federation, ask(federation, numbers)) == [expected]
        assert [node.refusals for node in federation.nodes.values()] == [[]] * 3


@pytest.mark.parametrize(("least", "zeros"), [(5, True), (8, False), (11, True)])
def test_each_rule(tmp_path: Path, least: int, zeros: bool) -> None:
    rule = SmallestCount(least, zeros)
    with ready_federation(tmp_path) as federation:
        for others in (0, 1, least - 1, least):
            found = answered(federation, ask(federation, [2, others, 0], rule=rule))
            hidden = others < least and not (zeros and others == 0)
            assert found == [None if hidden else others + 2]


@pytest.mark.parametrize(("sites", "quorum"), [(2, 2), (3, 3), (4, 3)])
def test_federations_of_other_sizes(tmp_path: Path, sites: int, quorum: int) -> None:
    with ready_federation(tmp_path, sites, quorum) as federation:
        for others, expected in ((10, None), (12, 13)):
            numbers = [1, others, *([0] * (sites - 2))]
            assert answered(federation, ask(federation, numbers)) == [expected]


def test_an_asker_that_contributes_nothing(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        for numbers, expected in (([99, 5, 5], None), ([99, 5, 6], 11)):
            session = ask(federation, numbers, contributors=(2, 3))
            assert answered(federation, session) == [expected]
        assert all(len(body.shares) == 1 for body in revealed(federation).values())


# --- who learns what ----------------------------------------------------------------------------------------------


def revealed(federation: Federation) -> dict[tuple[bytes, int], messages.Masks]:
    """All masks that were revealed, by session and sender, as a member of the quorum reads them."""
    found = {}
    for node in federation.nodes.values():
        for session in node.profile.sessions.all(kind="query"):
            for sender, (_, masks) in node.mailroom.heard(session.id, messages.MASKS):
                found[session.id, sender] = masks
    return found


def test_the_asker_alone_gets_what_the_bit_can_be_read_from(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        ask(federation, [1, 2, 3])
        federation.settle()
        for type_, readers in ((messages.MASK_COMMIT, (2, 3)), (messages.MASKS, (2, 3)), (messages.SHARE, (1,))):
            sent = federation.post.messages(type_)
            assert {each.sender for each in sent} == {2, 3}
            assert all(set(each.recipients) == set(readers) for each in sent)


def test_what_the_others_open_is_uniform_whatever_the_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counter-test of the rule: small, large, withheld or not, the quorum sees numbers of one distribution."""
    seen: dict[int, list[float]] = {3: [], 3000: []}
    spied = smallest_work.masked_numbers

    with ready_federation(tmp_path) as federation:
        for others, found in seen.items():

            def watch(*given: object, found: list[float] = found) -> np.ndarray:
                opened = spied(*given)
                found.extend((opened / T).tolist())
                return opened

            monkeypatch.setattr(smallest_work, "masked_numbers", watch)
            for _ in range(12):
                ask(federation, [0, others, 0])
                federation.settle()
    for found in seen.values():
        assert len(found) == 12 * 2 * 2
        assert len({round(each * T) for each in found}) == 24  # both members open the same, and never the same twice
        assert stats.kstest(sorted(set(found)), "uniform").pvalue > 1e-4
    assert stats.ks_2samp(seen[3], seen[3000]).pvalue > 1e-4


# --- sites that do not keep to it ---------------------------------------------------------------------------------


def test_an_asker_that_opens_though_it_need_not_is_refused_by_all(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        session = federation.ask(1, quorum=(1, 2), smallest=ELEVEN)
        federation.settle()
        for position in (2, 3):
            status = federation[position].desk.status(session)
            assert (status.state, status.code) == (FAILED, "query.asker_opens")
        assert not federation.post.messages(messages.CONTRIBUTION)


def test_a_quorum_that_is_asked_again_with_the_asker_refuses(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        federation.stop(3)
        session = ask(federation, [1, 20], contributors=(1, 2))
        federation.settle()
        federation[1].desk.retry(session, (1, 2))
        federation.settle()
        assert federation[2].desk.status(session).code == "query.asker_opens"
        assert federation[1].desk.result(session) is None


@pytest.mark.parametrize("what", ["encrypted", "shares"])
def test_masks_other_than_those_committed_to_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    with ready_federation(tmp_path) as federation:
        smallest = federation[3].desk._work._smallest
        kept = smallest.kept

        def other(session: bytes, attempt: int) -> Hidden | None:
            """What site 3 says that it has hidden."""
            found = kept(session, attempt)
            changed = {"encrypted": b"other"} if what == "encrypted" else {"shares": (b"other", b"shares")}
            return None if found is None else replace(found, **changed)

        monkeypatch.setattr(smallest, "kept", other)
        session = ask(federation, [1, 20, 3])
        federation.settle()
        status = federation[2].desk.status(session)
        assert (status.state, status.code) == (FAILED, "query.commitment_broken")
        assert not federation.post.messages(messages.SHARE)


@pytest.mark.parametrize("changed", ["encrypted", "shares"])
def test_malformed_masks_name_their_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    with ready_federation(tmp_path) as federation:
        smallest = federation[3].desk._work._smallest
        hide = smallest.hide

        def malformed(*given: Any) -> Hidden:
            made = hide(*given)
            other = {"encrypted": made.encrypted[:-1]} if changed == "encrypted" else {"shares": made.shares[:1]}
            return replace(made, **other)

        monkeypatch.setattr(smallest, "hide", malformed)
        session = ask(federation, [1, 20, 3])
        federation.settle()
        status = federation[2].desk.status(session)
        assert (status.state, status.code) == (FAILED, "query.wrong_masks")
        assert ("query.wrong_masks", 3) in federation[2].refusals


def test_a_site_that_computes_another_pair_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ready_federation(tmp_path, 4, 3) as federation:
        smallest = federation[3].desk._work._smallest
        pair = smallest._pair

        def other(*given: Any) -> Any:
            openings, bits = pair(*given)
            return openings[::-1], bits

        monkeypatch.setattr(smallest, "_pair", other)
        session = ask(federation, [1, 20, 3, 4])
        federation.settle()
        assert ("query.wrong_share", 3) in federation[1].refusals
        assert federation[1].desk.result(session) is None


def test_the_set_cannot_close_with_the_asker_alone(tmp_path: Path) -> None:
    with ready_federation(tmp_path) as federation:
        for position in (2, 3):
            federation.contributors[position].reason = "data.no_dataset"
        session = ask(federation, [50, 0, 0])
        federation.settle()
        status = federation[1].desk.status(session)
        assert (status.state, status.code) == (FAILED, "query.too_few_sites")


# --- attempts, and sites that die ---------------------------------------------------------------------------------


def test_another_attempt_has_other_masks(tmp_path: Path) -> None:
    with ready_federation(tmp_path, 4, 2) as federation:
        federation.stop(4)
        federation.contributors[1].number, federation.contributors[2].number = 1, 12
        session = federation.ask(1, contributors=(1, 2), quorum=(3, 4), smallest=ELEVEN)
        federation.settle()
        federation[1].desk.retry(session, (2, 3))
        federation.settle()
        first, second = (
            next(read[1] for _, read in heard if read[0] == attempt)
            for attempt, heard in ((n, list(commits(federation, 3, session))) for n in (1, 2))
        )
        assert first != second
        assert answered(federation, session) == [13]
        federation.start(4)
        federation.settle()
        assert federation[4].profile.shares.get(session) is None
        for node in federation.nodes.values():
            assert node.profile.sealed_secrets.names() == ("dealt share",)


def commits(federation: Federation, site: int, session: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """The commitments to masks of a session that a site has made."""
    for sender, read in federation[site].mailroom.heard(session, messages.MASK_COMMIT):
        if sender == site:
            yield sender, read


@pytest.mark.parametrize("victim", [1, 2])
def test_a_site_killed_between_any_two_steps_goes_on(tmp_path: Path, victim: int) -> None:
    """Site 1 asks, sites 2 and 3 contribute and open."""
    with ready_federation(tmp_path) as federation:
        killer = Killer(federation, victim, stride=3)
        for position, number in enumerate((1, 2, 30), start=1):
            federation.contributors[position].number = number
        with killer.watching():
            while not federation[1].profile.runs.all():
                with killer._reviving():
                    federation.ask(1, quorum=(2, 3), smallest=ELEVEN)
            [run] = federation[1].profile.runs.all()
            killer.run()
        assert answered(federation, run.id) == [33]
        for position, node in federation.nodes.items():
            assert node.refusals == []
            assert node.profile.sealed_secrets.names() == ("dealt share",)
            assert leftovers(federation.directory(position)) == []
        said = Counter(
            (each.type, each.sender) for each in map(parse, federation.post.sent.values()) if each.session == run.id
        )
        assert set(said.values()) == {1}
        if victim == 2:
            assert {"before hide", "after masked_share", "after decryption_share", "before pair"} & set(killer.kills)


# --- with agents and a relay --------------------------------------------------------------------------------------


def test_sites_with_agents_tell_each_other_what_they_want_withheld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over lines on which anything goes wrong; 4.3 MB of masks at production parameters go as blobs."""
    numbers = {1: 100, 2: 6, 3: 4}

    def contributor(site: LocalSite, _mailroom: Mailroom) -> KnownNumber:
        return KnownNumber(numbers[site.position], keys=site.key_directory)

    monkeypatch.setattr(members, "DatasetContributor", contributor)
    sites = Sites(tmp_path, FakeRelay(1, 0.1))
    with sites.owner(2) as owner:
        decisions.set_policy(owner.member.site, Policy(smallest=11, zeros=False, enforced=True))
    with sites.running(1, 2, 3):
        assert [sites.call(position, "test.ready")["state"] for position in (1, 2, 3)] == ["ready"] * 3
        for position in (1, 2, 3):
            sites.call(position, "test.told")
        told = sites.call(1, "query.run", QUESTION)
        assert told["protection"]["smallest"] == {"least": 11, "zeros": False, "binding": "program"}
        assert told["answer"]["count"] == {"withheld": "below", "least": 11}
        told = sites.call(2, "query.run", QUESTION)  # without its own six there are enough
        assert told["answer"]["count"] == 110
    assert sites.failures == []
