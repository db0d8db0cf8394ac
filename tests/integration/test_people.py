"""Whole sites: a researcher asks under a project; whoever may not is refused by the others, by name of the rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from app.core.crypto.identity import SigningKey
from app.core.disclosure.policy import Mode, Policy
from app.core.errors import UserError
from app.core.federation import contributing, custodian, decisions
from app.core.federation.people import ASKED, Delegation, Role, endorsed
from app.core.federation.projects import Project, Verdict
from app.core.federation.query_messages import Authority, Request
from app.core.federation.query_work import QueryWork
from app.core.federation.signed_records import DELEGATION, Record
from app.core.secret import SecretBytes
from app.core.services import asking, people, projects
from tests.analysis_sites import AnalysisSites
from tests.clear_tables import KINDS
from tests.clear_tables import people as patients
from tests.founding import settle

DAY = 24 * 3_600_000
PASSPHRASE = SecretBytes(b"a passphrase of the custodian")
QUESTION = "smoker"


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[AnalysisSites]:
    """Three sites, the first with a custodian and Ada, who is endorsed for exact totals."""
    made = AnalysisSites(tmp_path, KINDS, [patients(60, 1), patients(60, 2), patients(60, 3)], policy=Policy(others=1))
    people.make_custodian(made.members[0], PASSPHRASE)
    endorse(made, "Ada", Role.TOTAL_EXACT)
    yield made
    made.close()


def now(sites: AnalysisSites) -> int:
    return sites.members[0].site.clock.now()


def endorse(sites: AnalysisSites, person: str, role: Role, site: int = 0, days: int = 30) -> Delegation:
    member = sites.members[site]
    request = people.make_key(member, person)
    passphrase = PASSPHRASE if site == 0 else None
    found = people.endorse(member, request, role, until=now(sites) + days * DAY, passphrase=passphrase)
    settle(sites.members, sites.post)
    return found.delegation


def propose(sites: AnalysisSites, *members: tuple[str, str], approved_by: tuple[int, ...] = (1, 2)) -> Project:
    project = projects.propose(
        sites.members[0],
        title="Lungs",
        purpose="Whether smoking kills",
        legal_basis="Article 34 HRA",
        assessment="No person can be found in a count.",
        members=members,
        until=now(sites) + 300 * DAY,
        passphrase=PASSPHRASE,
    )
    settle(sites.members, sites.post)
    for site in approved_by:
        projects.decide(sites.members[site], project.id.hex(), Verdict.APPROVED)
    settle(sites.members, sites.post)
    return project


def ask(sites: AnalysisSites, **values: Any) -> dict[str, Any]:
    """Ask as Ada unless said otherwise; return what ``query.show`` says once nobody has anything more to do."""
    asker = sites.members[0]
    session = asking.ask(asker, QUESTION, purpose="A test", minimum=2, **{"person": "Ada", **values})
    settle(sites.members, sites.post)
    return asking.told(asker, asking.show(asker, session))


def said(view: dict[str, Any]) -> dict[str, str]:
    """Why each site has declined."""
    return {each["site"]: each["code"] for each in view["sites"]}


def dishonestly(monkeypatch: pytest.MonkeyPatch, sign: Callable[[Request], Authority]) -> None:
    """Have the first site's program send whatever ``sign`` makes of a request, looked at by nobody there."""
    monkeypatch.setattr(asking.people, "in_name_of", lambda *_: people.InName(people.Asked(), sign))


@dataclass
class Forged:
    """What a dishonest program of the first site sends."""

    record: bytes
    key: SigningKey
    project: bytes = b""

    def __call__(self, request: Request) -> Authority:
        unsigned = replace(request, authority=Authority(self.record, self.project))
        return Authority(self.record, self.project, self.key.sign(ASKED, unsigned.signed_part()))


def record_of(sites: AnalysisSites, delegation: Delegation, site: int = 0) -> bytes:
    row = sites.members[site].site.profile.records.get(delegation.id)
    assert row is not None
    return row.record


def key_of(sites: AnalysisSites, delegation: Delegation, site: int = 0) -> SigningKey:
    profile = sites.members[site].profile
    secret = profile.secrets.get(f"{profile.profile_id} person {delegation.key.hex()[:32]}")
    assert secret is not None
    return SigningKey(secret)


def test_a_researcher_asks_under_a_project_that_every_site_approved(sites: AnalysisSites) -> None:
    propose(sites, ("", "Ada"))
    view = ask(sites, project="Lungs")
    assert (view["state"], view["asked_by"], view["project"]) == ("released", "Ada", "Lungs")
    assert said(view) == {"Site 1": "", "Site 2": "", "Site 3": ""}
    [total] = view["answer"]["results"]
    assert total["result"] == sites.expected(QUESTION, [0, 1, 2])


def test_every_site_refuses_what_the_role_does_not_allow(sites: AnalysisSites, monkeypatch: pytest.MonkeyPatch) -> None:
    weak = endorse(sites, "Bo", Role.TOTAL_NOISED)
    with pytest.raises(UserError, match=r"people\.role_too_weak"):  # its own program does not send it
        ask(sites, person="Bo")
    assert said(ask(sites, person="Bo", epsilon=Fraction(1)))["Site 2"] == ""
    dishonestly(monkeypatch, Forged(record_of(sites, weak), key_of(sites, weak)))
    assert set(said(ask(sites)).values()) == {"people.role_too_weak"}


def test_every_site_refuses_an_endorsement_that_is_none(sites: AnalysisSites, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another site's, one that nobody announced and the member key signed, and one whose key another person has."""
    own = sites.members[0].site
    foreign = endorse(sites, "Cy", Role.SITES_EXACT, site=1)
    dishonestly(monkeypatch, Forged(record_of(sites, foreign, 1), key_of(sites, foreign, 1)))
    assert set(said(ask(sites)).values()) == {"people.foreign"}

    key = SigningKey(SecretBytes(bytes(range(32))))
    wanted = Delegation(b"", 1, "Dee", key.public, Role.SITES_EXACT, 0, now(sites) + DAY, b"", 0)
    at = own.clock.now()
    record = Record(DELEGATION, own.roster.federation_id, 1, at, wanted.to_content()).signed(custodian.member(own))
    dishonestly(monkeypatch, Forged(record.to_cbor(), key))
    assert set(said(ask(sites)).values()) == {"people.unknown"}

    ada = next(each.delegation for each in endorsed(own) if each.delegation.person == "Ada")
    dishonestly(monkeypatch, Forged(record_of(sites, ada), key))
    assert set(said(ask(sites)).values()) == {"people.altered"}


def test_every_site_refuses_who_was_revoked_or_is_past_the_end(
    sites: AnalysisSites, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = people.find_named(sites.members[0].site, "Ada").delegation
    forged = Forged(record_of(sites, ada), key_of(sites, ada))
    people.revoke(sites.members[0], [ada.id], "Has left", passphrase=PASSPHRASE)
    settle(sites.members, sites.post)
    with pytest.raises(UserError, match=r"people\.revoked"):
        ask(sites)
    states = {each["person"]: each["state"] for each in people.listed(sites.members[2])["people"]}
    assert states == {"Ada": "revoked"}
    dishonestly(monkeypatch, forged)
    assert set(said(ask(sites)).values()) == {"people.revoked"}


def test_who_is_revoked_while_the_sites_compute_gets_no_answer(
    sites: AnalysisSites, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All have committed; before anybody reveals a contribution the revocation is heard of."""
    ada = people.find_named(sites.members[0].site, "Ada").delegation
    reveal, revoked = QueryWork.reveal, list[bytes]()

    def late(work: QueryWork, *about: Any) -> None:
        if not revoked:
            revoked.append(ada.id)
            people.revoke(sites.members[0], [ada.id], passphrase=PASSPHRASE)
        reveal(work, *about)

    monkeypatch.setattr(QueryWork, "reveal", late)
    view = ask(sites)
    assert (view["state"], view["answer"]) == ("failed", None)
    assert view["code"] == "people.revoked"


@pytest.mark.parametrize(
    ("policy", "said_then"),
    [(Policy(Mode.NEVER), ("declined", "policy.never")), (Policy(Mode.ASK), ("waiting", ""))],
)
def test_a_policy_that_changes_while_a_site_computes_holds(
    sites: AnalysisSites, monkeypatch: pytest.MonkeyPatch, policy: Policy, said_then: tuple[str, str]
) -> None:
    second, evaluate = sites.members[1], contributing.evaluate

    def meanwhile(plan: Any, dataset: Path, *about: Any) -> bytes:
        if "Site 2" in str(dataset):
            decisions.set_policy(second.site, policy)
        return evaluate(plan, dataset, *about)

    monkeypatch.setattr(contributing, "evaluate", meanwhile)
    view = ask(sites)
    assert next((each["state"], each["code"]) for each in view["sites"] if each["site"] == "Site 2") == said_then
    assert second.profile.store.charges.all() == ()


def test_every_site_decides_on_a_project_for_itself(sites: AnalysisSites, monkeypatch: pytest.MonkeyPatch) -> None:
    project = propose(sites, ("", "Ada"), approved_by=(1,))
    assert said(ask(sites, project="lungs")) == {"Site 1": "", "Site 2": "", "Site 3": "project.not_approved"}
    bo = endorse(sites, "Bo", Role.SITES_EXACT)
    with pytest.raises(UserError, match=r"project\.not_a_member"):
        ask(sites, person="Bo", project="Lungs")
    with monkeypatch.context() as patched:
        dishonestly(patched, Forged(record_of(sites, bo), key_of(sites, bo), project.id))
        assert said(ask(sites))["Site 2"] == "project.not_a_member"
        dishonestly(patched, Forged(record_of(sites, bo), key_of(sites, bo), bytes(16)))
        assert set(said(ask(sites)).values()) == {"project.unknown"}

    projects.decide(sites.members[1], "Lungs", Verdict.CLOSED)
    settle(sites.members, sites.post)
    assert said(ask(sites, project="Lungs")) == {
        "Site 1": "",
        "Site 2": "project.closed",
        "Site 3": "project.not_approved",
    }
    states = {each["site"]: each["state"] for each in projects.to_plain(sites.members[2], project)["approvals"]}
    assert states == {"Site 1": "approved", "Site 2": "closed", "Site 3": "proposed"}

    projects.decide(sites.members[0], "Lungs", Verdict.CLOSED, PASSPHRASE)
    settle(sites.members, sites.post)
    assert projects.to_plain(sites.members[2], project)["state"] == "closed"
