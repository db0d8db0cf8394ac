"""Policies at work between real sites: what each does with the same question, and what its preview had said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import pytest

from app.core.disclosure.policy import BudgetRules, Mode, Never, People, Policy, Projects, Rule
from app.core.errors import UserError
from app.core.federation import decisions, policy_versions
from app.core.federation.decisions import Decision
from app.core.federation.people import Role
from app.core.federation.projects import Verdict
from app.core.federation.query_messages import Request
from app.core.federation.query_session import OPEN, PERSON, Made
from app.core.secret import SecretBytes
from app.core.services import asking, people, policies, projects, requests
from app.core.services.member import Member
from app.core.services.previewing import Supposed, preview_request, preview_text
from app.texts import explain_code
from tests.analysis_sites import AnalysisSites
from tests.clear_tables import KINDS
from tests.clear_tables import people as patients_of
from tests.federation_sites import SMOKERS, Federation, KnownNumber, ready_federation
from tests.founding import settle

HOUR = 3_600_000


class Governed(KnownNumber):
    """A site whose policy, or a person, decides before it answers."""

    def bind(self, federation: Federation, position: int) -> None:
        self.site = federation[position].site

    def contribute(self, session: bytes, asker: int, request: Request) -> Made | None:
        if not decisions.allows(self.site, session, asker, request):
            return None
        return super().contribute(session, asker, request)


def govern(federation: Federation, position: int, policy: Policy) -> None:
    contributor = Governed(100 * position)
    federation.contributors[position] = contributor
    federation.stop(position)
    federation.start(position)
    contributor.bind(federation, position)
    decisions.set_policy(contributor.site, policy)


def test_one_declines_one_asks_one_is_offline_one_answers_and_the_asker_reads_why(tmp_path: Path) -> None:
    with ready_federation(tmp_path, 5, 2) as federation:
        for position, policy in ((2, Policy(Mode.NEVER)), (3, Policy(Mode.ASK)), (4, Policy()), (5, Policy(others=2))):
            govern(federation, position, policy)
        federation.stop(4)
        session = federation[1].desk.ask(
            SMOKERS,
            text="smoker",
            epsilon=None,
            contributors=federation.positions,
            quorum=(1, 5),
            minimum=3,
            purpose="A test",
            deadline=federation.clock.time + HOUR,
        )
        federation.settle()
        asker = cast(Member, federation[1])  # it has the site and the desk, which is all that is looked at
        assert federation[3].desk.status(session).waiting == PERSON
        assert states(asker, session) == {
            "Site 1": ("committed", ""),
            "Site 2": ("declined", "policy.never"),
            "Site 3": ("waiting", ""),
            "Site 4": ("sent", ""),
            "Site 5": ("committed", ""),
        }
        assert "policy" in explain_code("policy.never", "en")
        assert federation[2].contributor.made == []
        decisions.decide(federation[3].site, session, Decision.ANSWER)
        federation.settle()
        assert federation[1].desk.status(session).state == OPEN  # the deadline has not passed: Site 4 may still come
        federation.clock.time += HOUR
        federation.settle()
        released = federation[1].desk.result(session)
        assert released is not None
        assert released.numbers == (100 + 300 + 500,)
        assert states(asker, session)["Site 4"] == ("late", "")
        federation.start(4)
        federation.settle()
        assert federation[4].contributor.made == []


def states(asker: Member, session: bytes) -> dict[str, tuple[str, str]]:
    return {each.site: (each.state, each.code) for each in asking.show(asker, session).sites}


# --- real datasets ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalysisSites]:
    patients = [patients_of(40 + 20 * number, seed=number) for number in range(4)]
    made = AnalysisSites(tmp_path_factory.mktemp("sites"), KINDS, patients)
    yield made
    made.close()


QUESTION = "breakdown stage where smoker"


@pytest.mark.parametrize(
    ("policy", "asked", "code"),
    [
        (Policy(), {}, ""),
        (Policy(others=3), {"minimum": 3}, "policy.too_few_sites"),
        (Policy(min_patients=60), {}, ""),
        (Policy(min_patients=61), {}, "policy.too_few_patients"),
        (Policy(never=(Never("smoker"),)), {}, "policy.never_used"),
        (Policy(never=(Never("stage", "b"),)), {}, "policy.never_used"),
        (Policy(never=(Never("weight"),)), {}, ""),
        (Policy(people=People.ENDORSED), {}, "policy.not_endorsed"),
        (Policy(projects=Projects.APPROVED), {}, "policy.no_project"),
        (Policy(epsilon=Fraction(1, 2)), {"epsilon": Fraction(1)}, "policy.epsilon_too_large"),
        (Policy(epsilon=Fraction(1, 2)), {"epsilon": Fraction(1, 2)}, ""),
        (Policy(rules=(Rule(Mode.NEVER, site=1, analysis="breakdown"),)), {}, "policy.never"),
        (Policy(rules=(Rule(Mode.NEVER, site=3, analysis="breakdown"),)), {}, ""),
        (Policy(Mode.NEVER, rules=(Rule(Mode.AUTOMATIC, analysis="breakdown"),)), {}, ""),
    ],
)
def test_a_site_does_what_its_preview_said(
    sites: AnalysisSites, policy: Policy, asked: dict[str, Any], code: str
) -> None:
    """The second site has 60 patients and this policy."""
    policy = replace(policy, per_site=True)  # the sets of sites that answer these questions differ by single ones
    decisions.set_policy(sites.members[1].site, policy)
    supposed = Supposed(QUESTION, epsilon=asked.get("epsilon"), minimum=asked.get("minimum"), asker="Site 1")
    said = preview_text(sites.members[1], supposed)
    broken = [each["code"] for each in said["findings"] if not each["holds"]]
    assert (said["verdict"], broken) == (("decline", [code]) if code else ("answer", []))
    told = sites.asked(QUESTION, **{"minimum": 3, **asked})
    assert told["state"] == "released"
    assert {each["site"]: each["code"] for each in told["sites"]}["Site 2"] == code
    id = bytes.fromhex(told["id"])
    again = preview_request(sites.members[1], id)
    assert [each["code"] for each in again["findings"] if not each["holds"]] == broken


@pytest.mark.parametrize(
    ("policy", "asked", "code"),
    [
        (Policy(never=(Never("stage"),)), {}, "policy.own_never_used"),
        (Policy(min_patients=41), {}, "policy.own_too_few_patients"),
        (Policy(people=People.ENDORSED), {}, "policy.own_not_endorsed"),
        (Policy(epsilon=Fraction(1, 2)), {"epsilon": Fraction(1)}, "policy.own_epsilon_too_large"),
        (Policy(rules=(Rule(Mode.NEVER, analysis="breakdown"),)), {}, "policy.own_never"),
    ],
)
def test_our_own_policy_is_asked_first(sites: AnalysisSites, policy: Policy, asked: dict[str, Any], code: str) -> None:
    decisions.set_policy(sites.members[0].site, policy)
    try:
        with pytest.raises(UserError) as refused:
            sites.asked(QUESTION, **asked)
    finally:
        decisions.set_policy(sites.members[0].site, Policy(per_site=True))
    assert refused.value.code == code
    assert refused.value.params["source"] == "site"
    assert refused.value.params["version"] > 1


def test_always_answers_this_kind_and_no_other_from_now_on(sites: AnalysisSites) -> None:
    asker, other = sites.members[0], sites.members[2]
    decisions.set_policy(other.site, Policy(Mode.ASK, per_site=True))
    session = asking.ask(asker, "breakdown stage", purpose="A test", minimum=3)
    settle(sites.members, sites.post)
    assert [each.id for each in requests.list_requests(other) if each.state == "waiting"] == [session]
    requests.answer(other, session, always=True)
    settle(sites.members, sites.post)
    assert decisions.policy_of(other.site).rules == (Rule(Mode.AUTOMATIC, site=1, analysis="breakdown"),)
    same = preview_text(other, Supposed("breakdown smoker", asker="Site 1"))
    assert same["verdict"] == "answer"
    for supposed in (Supposed("smoker", asker="Site 1"), Supposed("breakdown smoker", asker="Site 2")):
        assert preview_text(other, supposed)["verdict"] == "ask"
    requests_before = len(policy_versions.history(other.site))
    assert sites.asked("breakdown smoker")["state"] == "released"
    assert len(policy_versions.history(other.site)) == requests_before


def test_what_it_has_fixed_is_the_rule_and_is_not_changed_from_within(
    sites: AnalysisSites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, file = sites.members[3], tmp_path / "managed.toml"
    monkeypatch.setattr(member, "site", managed_by(member, file))
    file.write_text('[policy]\nexact = false\nnever = [["postcode", ""]]\n', "utf-8")
    shown = policies.show(member)
    assert (shown["managed"], shown["managed_source"]) == ({"exact": False, "never": [["postcode", ""]]}, str(file))
    assert {each["rule"] for each in shown["sentences"] if each["fixed"]} == {"exact", "never"}
    with pytest.raises(UserError) as refused:
        policies.change(member, {"exact": True})
    assert (refused.value.code, refused.value.params) == ("policy.fixed", {"field": "exact", "file": str(file)})
    assert policies.change(member, {"noised": True, "others": 2, "exact": None})["policy"]["exact"] is False
    assert decisions.own_policy(member.site) == Policy(others=2, per_site=True)  # what holds again without the file
    said = preview_text(member, Supposed(QUESTION))
    assert [(each["source"], each["code"]) for each in said["findings"] if not each["holds"]] == [
        ("managed", "policy.no_exact")
    ]
    with pytest.raises(UserError) as own:
        decisions.judge_own(member.site, (1, 2, 3, 4), 3, exact=True)
    assert own.value.code == "policy.managed_no_exact"
    assert explain_code(own.value.code, "en").startswith("The site’s managed settings")


def managed_by(member: Member, file: Path) -> Any:
    return replace(member.site, managed_file=file)


def test_rules_by_person_and_project_hold_between_sites(sites: AnalysisSites) -> None:
    """Ada of the first site asks under a project; the others look at who she is, and their previews said so."""
    asker, second, third, fourth = sites.members
    until = asker.site.clock.now() + 30 * 24 * HOUR
    people.endorse(asker, people.make_key(asker, "Ada"), Role.TOTAL_EXACT, until=until)
    settle(sites.members, sites.post)
    words = dict.fromkeys(("purpose", "legal_basis", "assessment"), "As the ethics committee has it")
    project = projects.propose(asker, title="Lungs", **words, members=[("Site 1", "Ada")], until=until)
    settle(sites.members, sites.post)
    for member in (second, third):
        projects.decide(member, project.id.hex(), Verdict.APPROVED)
    settle(sites.members, sites.post)
    id = project.id.hex()
    ada = Rule(Mode.AUTOMATIC, site=1, person="Ada", project=id)
    listed = Policy(Mode.ASK, rules=(ada,), people=People.ENDORSED, projects=Projects.LISTED, listed=(id,))
    decisions.set_policy(second.site, replace(listed, per_site=True))
    decisions.set_policy(third.site, Policy(rules=(Rule(Mode.NEVER, person="Ada"),), per_site=True))
    decisions.set_policy(fourth.site, Policy(per_site=True))
    named = Supposed("weight known", asker="Site 1", person="Ada", project="Lungs")
    said = {member.site.position: preview_text(member, named)["verdict"] for member in (second, third, fourth)}
    assert said == {2: "answer", 3: "decline", 4: "decline"}
    session = asking.ask(asker, "weight known", purpose="A test", minimum=2, person="Ada", project="Lungs")
    settle(sites.members, sites.post)
    told = asking.told(asker, asking.show(asker, session))
    codes = {each["site"]: each["code"] for each in told["sites"]}
    assert codes == {"Site 1": "", "Site 2": "", "Site 3": "policy.never", "Site 4": "project.not_approved"}
    refused = [each for each in preview_request(fourth, session)["findings"] if not each["holds"]]
    assert [(each["rule"], each["code"]) for each in refused] == [("asked_by", "project.not_approved")]
    alone = preview_text(second, Supposed("weight known", asker="Site 1"))
    assert {each["code"] for each in alone["findings"] if not each["holds"]} == {
        "policy.not_endorsed",
        "policy.no_project",
    }
    too_much = preview_text(third, Supposed("weight known", asker="Site 1", person="Ada", per_site=True))
    assert too_much["findings"][0]["code"] == "people.role_too_weak"
    shown = [each for each in policies.show(second)["sentences"] if each["rule"] in ("rules", "projects")]
    assert [part["params"] for part in shown[0]["parts"]] == [
        {"person": "Ada"},
        {"site": "Site 1"},
        {"project": "Lungs"},
    ]
    assert "Lungs" in shown[1]["params"]["projects"]


def test_an_exhausted_budget_declines_and_the_preview_says_so(sites: AnalysisSites) -> None:
    second = sites.members[1]
    budget = BudgetRules(cap=Fraction(1000), exact=0)
    decisions.set_policy(second.site, Policy(budget=budget, per_site=True))
    asked = Supposed("weight >= 80", asker="Site 1")
    broken = [each for each in preview_text(second, asked)["findings"] if not each["holds"]]
    assert [(each["rule"], each["source"]) for each in broken] == [("budget", "site")]
    told = sites.asked("weight >= 80", minimum=2)
    assert {each["site"]: each["code"] for each in told["sites"]}["Site 2"] == broken[0]["code"]
    noised = preview_text(second, replace(asked, epsilon=Fraction(1, 2)))
    assert (noised["verdict"], noised["price"]["epsilon"]) == ("answer", "1/2")


def test_always_waits_for_the_custodian_where_there_is_one(sites: AnalysisSites) -> None:
    asker, *_, fourth = sites.members
    decisions.set_policy(fourth.site, Policy(Mode.ASK, per_site=True))
    session = asking.ask(asker, "relapse occurs", purpose="A test", minimum=2)
    settle(sites.members, sites.post)
    passphrase = SecretBytes(b"a passphrase of the custodian")
    people.make_custodian(fourth, passphrase)
    requests.answer(fourth, session, always=True)
    assert decisions.policy_of(fourth.site).rules == ()
    assert preview_text(fourth, Supposed("smoker", asker="Site 1"))["verdict"] == "ask"
    signed = policies.sign(fourth, passphrase)
    assert (signed["signed_by"], signed["draft"]) == ("custodian", None)
    assert preview_text(fourth, Supposed("smoker", asker="Site 1"))["verdict"] == "answer"
