"""Every analysis where the sites' policies want cryptography to withhold small counts: which numbers are opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from app.core.disclosure.policy import Policy
from app.core.federation import decisions, small_counts
from app.core.federation.contributing import asked_cells
from app.core.query.canonical import canonical_query
from app.core.query.group_sizes import group_sizes
from app.core.query.oracle import numbers
from app.core.query.text import parse_query
from app.core.services.answers import answer_of
from tests.analysis_sites import AnalysisSites
from tests.clear_tables import KINDS, people
from tests.founding import settle

POLICY = Policy(others=1, per_site=True, smallest=11, zeros=False, enforced=True)
QUESTIONS = (
    "smoker and not stage = a",
    "attrition where smoker and stage in {a, b} and weight < 80",
    "breakdown stage where smoker",
    "histogram weight where stage = a or smoker",
    "table stage x smoker where weight known",
    "summary weight where not smoker",
    "compare weight by smoker where stage in {a, b}",
    "correlate weight, smoker",
    "regress weight on smoker where stage known",
    "survival os by stage where smoker",
)
PATIENTS = [people(40, 1), people(30, 2), people(24, 3)]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalysisSites]:
    made = AnalysisSites(tmp_path_factory.mktemp("sites"), KINDS, PATIENTS, policy=POLICY)
    settle(made.members, made.post)
    yield made
    made.close()


@lru_cache
def answered(sites: AnalysisSites, question: str, *, per_site: bool = False) -> dict[str, Any]:
    """What is told of a question; asked once, however many tests look at it."""
    return sites.asked(question, per_site=per_site)


def opened(sites: AnalysisSites, question: str, *, per_site: bool = False) -> list[list[int | None]]:
    """The rows of numbers that the asker has got, None where withheld."""
    told = answered(sites, question, per_site=per_site)
    assert told["state"] == "released", told
    assert told["protection"]["smallest"] == {"least": 11, "zeros": False, "binding": "program"}
    asker = sites.members[0]
    released = asker.desk.result(bytes.fromhex(told["id"]))
    assert released is not None
    answer = answer_of(asker, released)
    assert answer.closed
    return [
        [None if cell in closed else number for cell, number in enumerate(row)]
        for row, closed in zip(answer.rows, answer.closed, strict=True)
    ]


def expected(sites: AnalysisSites, question: str, positions: Sequence[int], others: Sequence[int]) -> list[int | None]:
    """The numbers over some sites, withheld where those of the ``others`` that test them are fewer than eleven."""
    query = canonical_query(parse_query(question, sites.catalogue), sites.catalogue)
    cells = asked_cells(query, sites.catalogue)
    found, tested = (
        numbers(query, [row for place in chosen for row in PATIENTS[place]], sites.catalogue)
        for chosen in (positions, others)
    )
    return [
        number if sum(tested[each] for each in size) >= 11 else None
        for number, size in zip(found, group_sizes(query, cells), strict=True)
    ]


@pytest.mark.parametrize("question", QUESTIONS)
def test_numbers_of_large_enough_groups_are_opened_and_no_others(sites: AnalysisSites, question: str) -> None:
    assert opened(sites, question) == [expected(sites, question, (0, 1, 2), (1, 2))]


def test_some_of_these_questions_have_withheld_and_opened_numbers(sites: AnalysisSites) -> None:
    """Or the test above would say little."""
    found = [number for question in QUESTIONS for number in expected(sites, question, (0, 1, 2), (1, 2))]
    assert 10 < sum(number is None for number in found) < len(found) - 10


@pytest.mark.parametrize("question", ["smoker and weight < 50", "breakdown stage where smoker"])
def test_each_site_told_is_tested_for_itself_but_the_asker_s_own(sites: AnalysisSites, question: str) -> None:
    own, *others = opened(sites, question, per_site=True)
    assert own == list(numbers_of(sites, question, 0))
    assert others == [expected(sites, question, (place,), (place,)) for place in (1, 2)]
    assert None in [number for row in others for number in row]


def shown(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The results as the window, files and terminal get them, by site; "" is the total."""
    return {each["site"]: each["result"] for each in told["answer"]["results"]}


def values(estimates: Sequence[dict[str, Any]]) -> list[int | None]:
    return [None if "withheld" in each else each["value"] for each in estimates]


def test_what_was_opened_is_shown_and_totals_are_of_that_alone(sites: AnalysisSites) -> None:
    """Nothing more goes with what was not opened: it is in no total, so that no neighbour would tell it."""
    question = "histogram weight where stage = a or smoker"
    opened_ = expected(sites, question, (0, 1, 2), (1, 2))
    found = shown(answered(sites, question))[""]
    assert opened_.count(None) == len(opened_) - 1, "one number alone was opened"
    assert values([group["count"] for group in found["groups"]]) == opened_
    assert found["total"]["value"] == sum(number or 0 for number in opened_)
    assert "small_unopened" in found["notes"]

    question = "table stage x smoker where weight known"
    opened_ = expected(sites, question, (0, 1, 2), (1, 2))  # in canonical order: smoker x stage
    found = shown(answered(sites, question))[""]
    assert values([cell for line in zip(*found["cells"], strict=True) for cell in line]) == opened_
    lines = [opened_[place : place + 3] for place in (0, 3)]
    assert values(found["column_totals"]) == [sum(n or 0 for n in line) if any(line) else None for line in lines]
    assert found["total"]["value"] == sum(number or 0 for number in opened_)
    assert found["chi2"] is None


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_shown_of_any_analysis_says_what_was_not_opened(sites: AnalysisSites, question: str) -> None:
    found = shown(answered(sites, question))[""]
    closed = None in expected(sites, question, (0, 1, 2), (1, 2))
    assert ("small_unopened" in found["notes"]) == closed
    if not closed:
        clear = sites.expected(question, (0, 1, 2))
        assert clear.keys() == found.keys()
        assert [found[key] for key in ("n", "pairs", "coefficients") if key in found] == [
            clear[key] for key in ("n", "pairs", "coefficients") if key in clear
        ]


@pytest.mark.parametrize("question", ["smoker and weight < 50", "breakdown stage where smoker"])
def test_a_total_of_some_sites_says_so(sites: AnalysisSites, question: str) -> None:
    """Where each site is told, one's number may be closed and another's open: their total is of what was opened."""
    found = shown(answered(sites, question, per_site=True))
    closed = {name for name, each in found.items() if "small_unopened" in each["notes"]}
    assert closed, found
    assert "" in closed


def numbers_of(sites: AnalysisSites, question: str, place: int) -> Sequence[int]:
    query = canonical_query(parse_query(question, sites.catalogue), sites.catalogue)
    return numbers(query, PATIENTS[place], sites.catalogue)


def test_an_asker_whose_program_asks_for_less_is_declined(
    sites: AnalysisSites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_counts, "needed", lambda *_: small_counts.SmallestCount(5, zeros=False))
    monkeypatch.setattr(decisions, "judge_own", lambda *_, **__: None)
    told = sites.asked("smoker", minimum=2)
    codes = {site["site"]: site["code"] for site in told["sites"]}
    assert codes["Site 2"] == codes["Site 3"] == "policy.small_counts"
    assert told["answer"] is None


def test_what_a_site_wants_is_told_and_the_strictest_asked_for(tmp_path: Path) -> None:
    sites = AnalysisSites(tmp_path, KINDS, PATIENTS, policy=replace(POLICY, enforced=False))
    try:
        asker, second, third = sites.members
        assert small_counts.needed(asker.site, asker.mailroom, (1, 2, 3), None) is None
        assert "smallest" not in asker.desk.heard(bytes.fromhex(sites.asked("smoker")["id"])).request.to_body()
        decisions.set_policy(second.site, replace(POLICY, smallest=8, zeros=True))
        decisions.set_policy(third.site, replace(POLICY, smallest=5))
        settle(sites.members, sites.post)
        wanted = small_counts.needed(asker.site, asker.mailroom, (1, 2, 3), None)
        assert wanted == small_counts.SmallestCount(8, zeros=False)
        assert small_counts.needed(asker.site, asker.mailroom, (1, 2), None) == small_counts.SmallestCount(
            8, zeros=True
        )
        decisions.set_policy(second.site, replace(POLICY, enforced=False))
        settle(sites.members, sites.post)
        wanted = small_counts.needed(asker.site, asker.mailroom, (1, 2, 3), None)
        assert wanted == small_counts.SmallestCount(5, zeros=False)
        assert small_counts.needed(asker.site, asker.mailroom, (1,), None) is None
        assert small_counts.needed(asker.site, asker.mailroom, (1, 2, 3), 1) is None
    finally:
        sites.close()


def test_where_a_quorum_can_do_without_the_asker_it_does(tmp_path: Path) -> None:
    sites = AnalysisSites(tmp_path, KINDS, [*PATIENTS, people(20, 4)], policy=replace(POLICY, others=1))
    try:
        settle(sites.members, sites.post)
        told = sites.asked("smoker and stage = a")
        assert told["state"] == "released", told
        assert told["protection"]["smallest"]["binding"] == "cryptography"
        assert told["protection"]["openers"] == ["Site 2", "Site 3", "Site 4"]
    finally:
        sites.close()
