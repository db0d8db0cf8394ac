"""What answers cost, from the question to the ledger: sites with real profiles, datasets and protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from app.core.disclosure.policy import Policy
from app.core.disclosure.policy_parts import BudgetRules
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation import charging, decisions
from app.core.secret import SecretBytes
from app.core.services import asking, budget, keys
from app.core.services.member import Member
from app.core.services.profile import open_profile
from tests.analysis_sites import AnalysisSites
from tests.fake_profile import CHEAP
from tests.federation_sites import CATALOGUE, Inline

HALF = Fraction(1, 2)
COUNTS = (15, 16, 17, 18)
PATIENTS = [[{"smoker": row % 2 == 0, "died": row % 3 == 0} for row in range(count)] for count in COUNTS]
TOTALS = Policy(others=2, smallest=0)
"""Totals over the asker and two others at the least."""
THREE = ["Site 1", "Site 2", "Site 3"]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalysisSites]:
    sites = AnalysisSites(tmp_path_factory.mktemp("sites"), CATALOGUE, PATIENTS, policy=TOTALS)
    yield sites
    sites.close()


@pytest.fixture
def sites(opened: AnalysisSites) -> AnalysisSites:
    """Four sites; each test asks about a cohort of its own."""
    for member in opened.members:
        decisions.set_policy(member.site, TOTALS)
    return opened


def spent(member: Member) -> Fraction:
    return sum((each.epsilon for each in charging.spends(member.site)), Fraction(0))


def leave(member: Member, epsilon: Fraction, **more: Any) -> None:
    """Set a cap that leaves so much of the budget."""
    rules = BudgetRules(cap=spent(member) + epsilon, **more)
    decisions.set_policy(member.site, replace(TOTALS, budget=rules))


def codes(told: dict[str, Any]) -> set[str]:
    return {each["code"] for each in told["sites"]} - {""}


def test_an_answer_is_charged_once_and_repeated_for_nothing(sites: AnalysisSites) -> None:
    before = [spent(member) for member in sites.members]
    first = sites.asked("smoker", epsilon=HALF)
    again = sites.asked("not not smoker", epsilon=HALF)  # another writing of the same question
    assert first["answer"]["count"] == again["answer"]["count"]
    assert first["price"] == {"epsilon": "1/2", "exact": 0, "free": False, "own": True}
    assert again["price"]["free"]
    assert [spent(member) - was for member, was in zip(sites.members, before, strict=True)] == [HALF] * 4
    other = sites.asked("smoker", epsilon=Fraction(1, 4))
    assert other["price"]["epsilon"] == "1/4"
    assert [spent(member) - was for member, was in zip(sites.members, before, strict=True)] == [HALF * 3 / 2] * 4


def test_a_site_without_enough_left_declines_and_the_others_answer(sites: AnalysisSites) -> None:
    poor = sites.members[3]
    leave(poor, Fraction(1, 4))
    told = sites.asked("died", epsilon=HALF, minimum=3)
    assert told["state"] == "released"
    assert codes(told) == {"budget.exhausted_site"}
    found = budget.show(poor)
    assert (found["left"], found["refill"]["lifetime"]) == ("1/4", True)
    assert sites.asked("died", epsilon=Fraction(1, 4), minimum=3, sites=THREE)["state"] == "released"


def test_an_own_question_that_is_too_dear_is_refused_before_it_is_sent(sites: AnalysisSites) -> None:
    asker = sites.members[0]
    leave(asker, Fraction(1, 4), refill=Fraction(1, 8), days=30)
    before = len(asking.list_queries(asker))
    with pytest.raises(UserError) as refused:
        sites.asked("smoker and not died", epsilon=HALF)
    assert refused.value.code == "budget.exhausted_site_until"
    assert refused.value.params["left"] == "1/4"
    assert str(refused.value.params["at"]) > "2026"  # says from which day there is enough
    decisions.set_policy(asker.site, replace(TOTALS, budget=BudgetRules(exact=0)))
    with pytest.raises(UserError) as refused:
        sites.asked("smoker and not died")
    assert refused.value.code == "budget.exhausted_exact"
    assert len(asking.list_queries(asker)) == before


def test_exact_answers_have_their_own_quota_and_are_repeated_for_nothing(sites: AnalysisSites) -> None:
    used = sum(each.exact for each in charging.spends(sites.members[1].site))
    for member in sites.members[1:]:
        decisions.set_policy(member.site, replace(TOTALS, budget=BudgetRules(exact=used + 1)))
    first, again = sites.asked("smoker or died"), sites.asked("died or smoker")
    assert first["answer"]["count"] == again["answer"]["count"]
    assert (first["price"]["exact"], again["price"]["free"]) == (1, True)
    refused = sites.asked("smoker and died")
    assert refused["state"] == "failed"
    assert codes(refused) >= {"budget.exhausted_exact"}


def test_a_set_that_tells_of_one_site_is_refused_and_the_same_set_is_not(sites: AnalysisSites) -> None:
    everyone = sites.asked("not smoker", epsilon=HALF)
    assert everyone["state"] == "released"
    for question in ("not smoker", "count where not smoker", "breakdown died where not smoker"):
        with pytest.raises(UserError) as refused:
            sites.asked(question, epsilon=HALF, sites=THREE)
        assert refused.value.code == "budget.similar_set"
    grouped = sites.asked("breakdown died where not smoker", epsilon=HALF)
    assert grouped["state"] == "released"
    with pytest.raises(UserError, match=r"budget\.similar_set"):  # a group of the table is a cohort that was told
        sites.asked("not smoker and died", epsilon=HALF, sites=THREE)


def test_others_refuse_it_whatever_the_askers_own_program_says(
    sites: AnalysisSites, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sites.asked("not died", epsilon=HALF)["state"] == "released"
    with monkeypatch.context() as patched:
        patched.setattr(budget, "check_own", lambda *_, **__: None)
        decisions.set_policy(sites.members[0].site, replace(TOTALS, per_site=True))
        told = sites.asked("not died", epsilon=HALF, sites=THREE, minimum=3)
    assert told["state"] == "failed"
    assert codes(told) == {"budget.similar_set"}


def test_a_late_site_is_a_set_of_its_own(sites: AnalysisSites) -> None:
    """All are asked again, one does not answer this time: the set that closes is refused by those in it."""
    question = "not smoker or not died"
    assert sites.asked(question, epsilon=HALF)["state"] == "released"
    leave(sites.members[3], Fraction(1, 8))
    told = sites.asked(question, epsilon=Fraction(1, 4), minimum=3)
    assert told["state"] == "failed"
    assert told["code"] == "budget.similar_set"
    assert told["answer"] is None


def test_the_noise_and_the_ledger_are_the_same_after_a_restore(tmp_path: Path) -> None:
    """A site loses its root and gets it back from its backup: the same question has the same noise and is free."""
    made = AnalysisSites(tmp_path, CATALOGUE, PATIENTS[:3], policy=TOTALS)
    first = made.asked("smoker", epsilon=HALF)
    lost = made.members[1].profile
    charged, phrase = spent(made.members[1]), SecretBytes(b"correct horse battery")
    keys.save_backup(lost, tmp_path / "backup", phrase, now=1, cost=CHEAP)
    lost.secrets.delete(lost.profile_id)
    made.post.disconnect(2)
    lost.close()
    back = open_profile(lost.directory, passphrase=lambda: phrase)
    with pytest.raises(EnvironmentProblem):
        _ = back.root
    keys.restore(back, keys.check_file(back, tmp_path / "backup", phrase))
    made.members[1] = Member(back, Inline(), made.post)
    again = made.asked("smoker", epsilon=HALF)
    assert again["answer"]["count"] == first["answer"]["count"]
    assert spent(made.members[1]) == charged == HALF
    made.close()
