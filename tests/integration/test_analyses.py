"""Every analysis, asked of two, three and five sites, one of them missing: the results of pooled clear data."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from app.core.disclosure.policy import Policy
from tests.analysis_sites import AnalysisSites
from tests.clear_tables import KINDS, people

QUESTIONS = (
    "smoker and not stage = a",
    "attrition where smoker and stage in {a, b} and weight < 80",
    "breakdown stage where smoker",
    "breakdown smoker",
    "histogram weight where stage = a or smoker",
    "histogram diagnosed",
    "table stage x smoker where weight known",
    "table smoker x weight",
    "summary weight where not smoker",
    "compare weight by smoker where stage in {a, b}",
    "correlate weight, smoker",
    "regress weight on smoker where stage known",
    "survival os",
    "survival os by stage where smoker",
    "survival os by smoker over 180 days",
    "relapse at least 2 times",
    "diagnosed >= 2020-03 and first relapse in [0, 60) days",
    "breakdown stage where relapse occurs",
)


@pytest.fixture(scope="module", params=[2, 3, 5])
def sites(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalysisSites]:
    count: int = request.param
    patients = [people(150 + 40 * number, seed=number) for number in range(count)]
    made = AnalysisSites(tmp_path_factory.mktemp("sites"), KINDS, patients, policy=Policy(others=1, per_site=True))
    yield made
    made.close()


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_total_is_that_of_pooled_data(sites: AnalysisSites, question: str) -> None:
    told = sites.asked(question)
    assert told["state"] == "released", told
    [total] = told["answer"]["results"]
    assert total == {"site": "", "result": sites.expected(question, range(len(sites.members)))}


@pytest.mark.parametrize("question", QUESTIONS[:3] + QUESTIONS[7:13])
def test_a_site_that_is_missing_is_left_out(sites: AnalysisSites, question: str) -> None:
    """The last site is not asked; in the second question of two sites nobody would be left, so it is not put."""
    if len(sites.members) == 2:  # a policy always wants another site besides the asker's
        return
    names = [member.site.site_name(member.site.position) for member in sites.members[:-1]]
    told = sites.asked(question, sites=names)
    [total] = told["answer"]["results"]
    assert total["result"] == sites.expected(question, range(len(names)))


@pytest.mark.parametrize("question", ["smoker", "breakdown stage where smoker", "survival os by smoker over 180 days"])
def test_each_site_is_told_apart(sites: AnalysisSites, question: str) -> None:
    told = sites.asked(question, per_site=True)
    assert told["state"] == "released", told
    expected = partial(sites.expected, question)
    total, *each = told["answer"]["results"]
    assert total["result"] == expected(range(len(sites.members)))
    assert [found["site"] for found in each] == [f"Site {n}" for n in range(1, len(sites.members) + 1)]
    assert [found["result"] for found in each] == [expected([position]) for position in range(len(sites.members))]


def test_a_site_without_a_dataset_takes_no_part(tmp_path: Path) -> None:
    """It declines, and opens with the others what they say."""
    sites = AnalysisSites(tmp_path, KINDS, [people(60, 1), people(60, 2), []], policy=Policy(others=1))
    told = sites.asked("breakdown stage where smoker", minimum=2)
    assert told["answer"]["contributors"] == ["Site 1", "Site 2"]
    [total] = told["answer"]["results"]
    assert total["result"] == sites.expected("breakdown stage where smoker", [0, 1])
    sites.close()


def test_a_site_whose_policy_tells_only_totals_declines(tmp_path: Path) -> None:
    """The asker's own policy is asked before anything is sent; another site's when the request has come."""
    sites = AnalysisSites(tmp_path, KINDS, [people(60, 1), people(60, 2), people(60, 3)], policy=Policy(others=1))
    from app.core.errors import UserError
    from app.core.federation import decisions

    with pytest.raises(UserError) as refused:
        sites.asked("smoker", per_site=True)
    assert refused.value.code == "policy.own_no_per_site"
    decisions.set_policy(sites.members[0].site, Policy(others=1, per_site=True))
    told = sites.asked("smoker", per_site=True, minimum=2)
    assert told["state"] != "released"
    assert {each["code"] for each in told["sites"]} == {"", "policy.no_per_site"}
    assert sites.asked("smoker")["answer"]["count"] == sites.expected("smoker", [0, 1, 2])["raw"]
    sites.close()
