"""Attacks on who may ask what, under which rules: each tries to get more than a site's custodian has signed for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.core import codec
from app.core.catalogue.model import Catalogue, Group, Kind, Label, Variable
from app.core.crypto.identity import SigningKey
from app.core.disclosure.budget import Spend
from app.core.disclosure.judgement import Facts
from app.core.disclosure.mentions import mentions_of
from app.core.disclosure.policy import BudgetRules, Mode, Never, Policy, Rule
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.federation import (
    audit,
    audit_heads,
    charging,
    custodian,
    decisions,
    people,
    people_messages,
    policy_versions,
)
from app.core.federation.audit import FINDING
from app.core.federation.audit_heads import HELD_PURPOSE, Held, Told
from app.core.federation.charging import Price
from app.core.federation.custodian import NewKey
from app.core.federation.people import Role, asked_by
from app.core.federation.projects import Participant, Project
from app.core.federation.query_messages import Authority, SmallestCount
from app.core.federation.signed_records import CUSTODIAN, PROJECT, REVOCATION, VERDICT, Record
from app.core.query.analyses import Breakdown
from app.core.query.model import All, Flag, Not, Query
from app.core.secret import SecretBytes
from app.core.services import policies
from app.core.store.history import MOST_A_DAY
from tests.federation_sites import Federation, ready_federation
from tests.people import ADA, DAY, OTHER, PASSPHRASE, REQUEST, Town, asked

LUNGS = Project(bytes(16), 1, "Lungs", "Why", "", "", (Participant(1, "Ada", ADA.public),), 1 << 52, 0).to_content()
FACTS = Facts(others=2, exact=False, own=False, epsilon=Fraction(1), asker=3, person="Ada", endorsed=True)


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    with ready_federation(tmp_path) as opened:
        yield opened


@pytest.fixture
def town(federation: Federation) -> Town:
    return Town(federation)


# --- whose word a request is ------------------------------------------------------------------------------------------


def test_a_signature_is_not_moved_to_a_stronger_endorsement_of_the_same_key(town: Town) -> None:
    weak, strong = town.endorse(1, Role.TOTAL_NOISED), town.endorse(1, Role.SITES_EXACT)
    signed = asked(weak)
    assert signed.authority is not None
    moved = replace(signed, authority=replace(signed.authority, delegation=strong.to_cbor()))
    with pytest.raises(UserError, match=r"people\.altered"):
        asked_by(town[2], 1, moved)


def test_a_question_is_not_moved_under_a_project_that_is_approved(town: Town) -> None:
    project = town.issue(1, PROJECT, LUNGS)
    town.hand(project, [2])
    town.hand(town.issue(2, VERDICT, {"project": project.id, "verdict": "approved"}), [1])
    signed = asked(town.endorse(1))
    assert signed.authority is not None
    with pytest.raises(UserError, match=r"people\.altered"):
        asked_by(town[2], 1, replace(signed, authority=replace(signed.authority, project=project.id)))


def test_a_signed_request_is_answered_in_one_session_alone(town: Town) -> None:
    """A dishonest program of the person's site sends it again, to have the next dataset's numbers in their name."""
    decisions.set_policy(town[2], Policy())
    request = asked(town.endorse(1))
    with pytest.raises(UserError, match=r"people\.foreign"):  # another site is quicker, and keeps nobody from asking
        decisions.allows(town[2], b"another's".ljust(32), 3, request)
    for _ in range(2):
        assert decisions.allows(town[2], b"first session".ljust(32), 1, request)
    with pytest.raises(UserError, match=r"people\.repeated"):
        decisions.allows(town[2], b"second session".ljust(32), 1, request)


def test_who_is_revoked_while_the_question_is_under_way_gets_nothing_opened(town: Town) -> None:
    record = town.endorse(1)
    request = asked(record)
    people.check_not_revoked(town[2], 1, request)
    people.check_not_revoked(town[2], 1, REQUEST)
    town.hand(town.issue(1, REVOCATION, {"delegations": [record.id], "reason": ""}), [2])
    with pytest.raises(UserError, match=r"people\.revoked"):
        people.check_not_revoked(town[2], 1, request)


def test_what_a_lost_key_has_approved_is_approved_no_more(town: Town) -> None:
    """Whoever has the lost passphrase could have approved it; what they closed stays closed."""
    kept, closed = (town.issue(1, PROJECT, {**LUNGS, "title": title}) for title in ("Kept", "Closed"))
    first = town.custodian(2, PASSPHRASE)
    by = custodian.signer(town[2], PASSPHRASE)
    for record in (kept, closed):
        town.hand(record, [2])
        town.issue(2, VERDICT, {"project": record.id, "verdict": "approved"}, by)
    town.issue(2, VERDICT, {"project": closed.id, "verdict": "closed"}, by)
    assert asked_by(town[2], 1, asked(town.endorse(1), project=kept.id)).project
    second = town.custodian(2, OTHER, lost=True)
    assert NewKey.of(first).key not in custodian.keys_of(town[2], 2).counting
    for record, code in ((kept, "project.not_approved"), (closed, "project.closed")):
        with pytest.raises(UserError, match=code.replace(".", r"\.")):
            asked_by(town[2], 1, asked(town.endorse(1), project=record.id))
    assert NewKey.of(second).number == 2


def test_a_proposal_of_a_lost_key_ends_with_it(town: Town) -> None:
    first = town.custodian(1, PASSPHRASE)
    project = town.issue(1, PROJECT, LUNGS, custodian.signer(town[1], PASSPHRASE))
    second = town.custodian(1, OTHER, lost=True)
    after = town.endorse(1, by=custodian.signer(town[1], OTHER))
    for record in (first, project, second, after):
        town.hand(record, [2])
    town.issue(2, VERDICT, {"project": project.id, "verdict": "approved"})
    with town[2].profile.database.atomic():
        people_messages.accept(town[2], 1, NewKey.of(second).key)
    with pytest.raises(UserError, match=r"project\.unknown"):
        asked_by(town[2], 1, asked(after, project=project.id))


def test_a_clock_that_was_set_back_brings_no_earlier_key_back(federation: Federation, town: Town) -> None:
    first = town.custodian(1, PASSPHRASE)
    town.hand(first, [2])
    federation.clock.time -= 100 * DAY
    second = town.custodian(1, OTHER, old=PASSPHRASE)
    town.hand(second, [2])
    for position in (1, 2):
        assert custodian.keys_of(town[position], 1).current == NewKey.of(second).key


def test_a_key_of_a_number_that_was_used_does_not_come_into_force(town: Town) -> None:
    """Whoever had the passphrase once, and signed a successor of their own beside the true one."""
    first = town.custodian(1, PASSPHRASE)
    by, secret = custodian.signer(town[1], PASSPHRASE), SigningKey(SecretBytes(b"t" * 32))
    second = town.custodian(1, OTHER, old=PASSPHRASE)
    federation = town[1].roster.federation_id
    for number, signer in ((1, by), (2, by), (2, custodian.signer(town[1], OTHER))):
        proof = secret.sign("custodian proof v1", custodian._proved(federation, 1, number))
        content = {"key": secret.public, "number": number, "proof": proof}
        other = Record(CUSTODIAN, federation, 1, 1, content).signed(signer)
        town.hand(first, [2])
        town.hand(second, [2])
        assert town.hand(other, [2]) == ["people.not_the_custodian"]
    assert custodian.keys_of(town[2], 1).current == NewKey.of(second).key


# --- getting round a policy -------------------------------------------------------------------------------------------

TREE = Catalogue(
    "Tree",
    1,
    (
        Variable("dx:C50", Kind.FLAG, Label("Breast"), parents=("diagnoses",)),
        Variable("dx:C50.1", Kind.FLAG, Label("Inner"), parents=("dx:C50",)),
        Variable("dx:C50.2", Kind.FLAG, Label("Outer"), parents=("dx:C50",)),
        Variable("smoker", Kind.FLAG, Label("Smoker")),
    ),
    (Group("diagnoses", Label("Diagnoses")),),
)


@pytest.mark.parametrize("forbidden", ["dx:C50", "diagnoses"])
@pytest.mark.parametrize(
    "query",
    [
        Query(Flag("dx:C50.1")),
        Query(All((Flag("smoker"), Not(Flag("dx:C50.2"))))),
        Query(Flag("smoker"), Breakdown("dx:C50.2")),
    ],
)
def test_a_forbidden_code_is_not_asked_for_by_those_below_it(query: Query, forbidden: str) -> None:
    policy = Policy(others=1, never=(Never(forbidden),))
    refused = policy.judge(replace(FACTS, mentions=mentions_of(query, TREE))).refusal
    assert refused is not None
    assert refused.code == "policy.never_used"
    assert policy.judge(replace(FACTS, mentions=mentions_of(Query(Flag("smoker")), TREE))).refusal is None


@pytest.mark.parametrize("mode", [Mode.AUTOMATIC, Mode.ASK])
def test_another_site_s_person_of_the_same_name_has_not_their_rights(mode: Mode) -> None:
    """Every custodian names people as they like."""
    rule = Rule(mode, person="Ada")
    assert Policy(Mode.NEVER, rules=(rule,)).mode_of(FACTS)[0] is Mode.NEVER
    assert Policy(Mode.NEVER, rules=(replace(rule, site=2),)).mode_of(FACTS)[0] is Mode.NEVER
    assert Policy(Mode.NEVER, rules=(replace(rule, site=3),)).mode_of(FACTS)[0] is mode
    specific = (Rule(Mode.NEVER, analysis="count"), Rule(mode, person="Ada", analysis="count"))
    assert Policy(rules=specific).mode_of(FACTS)[0] is Mode.NEVER
    assert Policy(rules=(Rule(Mode.NEVER, person="Ada"), Rule(Mode.AUTOMATIC, site=3))).mode_of(FACTS)[0] is Mode.NEVER


@pytest.mark.parametrize(
    "smallest", [None, SmallestCount(5, zeros=False), SmallestCount(8, zeros=False), SmallestCount(11, zeros=True)]
)
def test_nobody_asks_for_less_to_be_withheld_than_a_site_wants(smallest: SmallestCount | None) -> None:
    policy = Policy(others=1, smallest=11, zeros=False, enforced=True)
    withheld, zeros = (0, True) if smallest is None else (smallest.least, smallest.zeros)
    refused = policy.judge(replace(FACTS, exact=True, epsilon=None, withheld=withheld, zeros=zeros)).refusal
    assert refused is not None
    assert refused.code == "policy.small_counts"


# --- rewriting what a site has signed ---------------------------------------------------------------------------------


def test_a_policy_is_not_wound_back_to_what_was_in_force_before(town: Town) -> None:
    """Whoever can write to the database removes the strict version, or all of them and lays an old one beside."""
    site = town[1]
    decisions.set_policy(site, Policy(others=1))
    decisions.set_policy(site, Policy(Mode.NEVER, others=2))
    assert policy_versions.current(site) is not None
    database = site.profile.database
    for remove in ("DELETE FROM policies WHERE version = 2", "DELETE FROM policies"):
        with database.atomic():
            database.write(remove)
        site.profile.settings.put("site policy", Policy(others=1).to_cbor())
        with pytest.raises(EnvironmentProblem, match=r"policy\.altered"):
            decisions.in_force(site)


def _held(town: Town, holder: int, number: int) -> Held:
    """What a site says that it holds of the first site's chain: more than that has."""
    hash_ = bytes([holder]) * 32
    owner = town[1].key.public.verify
    return Held(1, number, hash_, town[holder].key.sign(HELD_PURPOSE, codec.encode([owner, number, hash_])))


def test_a_ledger_from_an_older_copy_is_not_spent_again(town: Town) -> None:
    """Two sites hold more of the chain than there is; one alone is not believed: it could shut everybody's budget."""
    site = town[1]
    decisions.set_policy(site, Policy())
    member: Any = SimpleNamespace(site=site)
    with pytest.raises(UserError, match=r"policy\.nothing_to_sign"):
        policies.sign(member, None)
    wanted = Spend(site.clock.now(), Fraction(1), 0, "2 ", "")
    for holder, refused in ((2, False), (3, True)):
        told = Told(1, bytes(32), 0, bytes(32), (_held(town, holder, 1000),), False)
        with site.profile.database.atomic():
            audit_heads._compare(site, town.desks[1], holder, told, site.clock.now())
        assert charging.history_lost(site) is refused
    with pytest.raises(UserError, match=r"budget\.history_lost"):
        charging.refuse_shortage(site, wanted)
    policies.sign(member, None)  # as it is: somebody has looked at it
    charging.refuse_shortage(site, wanted)


@pytest.mark.parametrize("rules", [BudgetRules(cap=Fraction(1)), BudgetRules(cap=Fraction(9), researcher=Fraction(1))])
def test_two_questions_at_once_do_not_spend_the_same_budget(town: Town, rules: BudgetRules) -> None:
    """Both were priced, and found affordable, before either was charged; the equal one costs nothing."""
    site = town[2]
    decisions.set_policy(site, Policy(budget=rules))
    request = replace(REQUEST, epsilon=Fraction(2, 3))
    prices = [Price(Fraction(2, 3), 0, False, "", bytes([each]) * 32, bytes(32), bytes(32), 1) for each in (1, 1, 2)]
    for price in prices:
        charging.check(site, 1, request, price)
    for session, price in zip((b"1" * 32, b"2" * 32), prices, strict=False):
        with site.profile.database.atomic():
            charging.charge(site, session, 1, request, price)
    with pytest.raises(UserError, match=r"budget\.exhausted"), site.profile.database.atomic():
        charging.charge(site, b"3" * 32, 1, request, prices[2])
    assert [each.epsilon for each in site.profile.charges.all()] == [Fraction(2, 3)]


def test_the_audit_trail_names_who_asks_under_what(town: Town) -> None:
    """A site's own person could else ask in the site's name in every record."""
    request = replace(asked(town.endorse(1), project=b"p" * 16), smallest=SmallestCount(11, zeros=False))
    said = audit.question(town[2], bytes(32), request)
    assert (said["person"], said["project"], said["smallest"]) == ("Ada", b"p" * 16, 11)
    forged = replace(request, authority=Authority(b"no record", b""))
    assert audit.question(town[2], bytes(32), forged)["person"] == ""
    assert not {"person", "project", "smallest"} & audit.question(town[2], bytes(32), REQUEST).keys()


# --- filling a disk ---------------------------------------------------------------------------------------------------


def test_who_has_the_member_key_alone_keeps_no_custodian_from_revoking(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stolen workstation sends as many revocations of nothing as are kept, before its own person is revoked."""
    monkeypatch.setattr(people_messages, "MOST", dict.fromkeys(people_messages.MOST, 3))
    town.hand(town.custodian(1, PASSPHRASE), [2])
    by = custodian.signer(town[1], PASSPHRASE)
    thief = town.endorse(1, by=by)
    for number in range(3):
        town.hand(town.issue(1, REVOCATION, {"delegations": [bytes([number]) * 16], "reason": ""}), [2])
    more = Record(REVOCATION, town[1].roster.federation_id, 1, 1, {"delegations": [bytes(16)], "reason": "more"})
    assert town.hand(more.signed(custodian.member(town[1])), [2]) == ["people.too_many_records"]
    assert town.hand(town.issue(1, REVOCATION, {"delegations": [thief.id], "reason": ""}, by), [2]) == []
    with pytest.raises(UserError, match=r"people\.revoked"):
        asked_by(town[2], 1, asked(thief))


def test_a_site_that_tells_ever_new_histories_is_noted_so_often_and_no_more(town: Town) -> None:
    site, found = town[1], []
    for number in range(audit_heads._MOST_FINDINGS + 20):
        told = Told(1, bytes(32), 0, bytes(32), (_held(town, 2, 1000 + number),), False)
        with site.profile.database.atomic():
            audit_heads._compare(site, town.desks[1], 2, told, site.clock.now())
            hash_ = number.to_bytes(32, "big")
            audit_heads._take(site, town.desks[1], 2, Told(1, hash_, 1, b"", (), False), site.clock.now())
        found.append(len(site.profile.audit.of_kind(FINDING, 1_000)))
    assert found[-1] == found[-20] == audit_heads._MOST_FINDINGS
    assert len(site.profile.audit_heads.witnesses()) <= audit_heads._MOST_FINDINGS
    [(heads,)] = site.profile.database.rows("SELECT count(*) FROM audit_heads")
    assert int(str(heads)) <= audit_heads._MOST_FINDINGS + 1


def test_refusals_of_one_sender_are_noted_so_often_a_day_and_others_go_on_being_noted(town: Town) -> None:
    site, desk = town[1], town.desks[1]
    with site.profile.database.atomic():
        for number in range(MOST_A_DAY + 5):
            desk.refuse(ProtocolViolation("people.malformed_record", field=str(number)), 2)
    assert len(site.profile.refusals.all()) == MOST_A_DAY
    noted = site.profile.audit.head()[0]
    desk.refuse(ProtocolViolation("people.malformed_record", field=""), 3)
    desk.refuse(ProtocolViolation("people.malformed_record", field=""), None)
    assert site.profile.audit.head()[0] == noted + 2
    assert not site.profile.refusals.add("x.y", sender=2, details={}, now=site.clock.now() + DAY // 2)
    assert site.profile.refusals.add("x.y", sender=2, details={}, now=site.clock.now() + 2 * DAY)
