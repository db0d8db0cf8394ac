"""Every rule of a policy by itself, which mode a request gets, and the formats that policies were kept in."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from app.core import codec
from app.core.disclosure.judgement import DEFAULT, MANAGED, SITE, Facts, Finding, Verdict
from app.core.disclosure.mentions import Mentions, mentions_of
from app.core.disclosure.policy import BudgetRules, InForce, Mode, Never, People, Policy, Projects, Rule
from app.core.disclosure.policy_sentences import Names, sentences
from app.core.errors import ProtocolViolation, UserError
from app.core.query.analyses import Breakdown, Grouping, Table
from app.core.query.model import All, Before, Flag, Known, Levels, Moment, Not, Query, Range
from app.core.query.model import Any as Either
from app.texts import entries, text
from tests.vectors import policies as vectors

PROJECT, OTHER = "a1" * 16, "b2" * 16
FACTS = Facts(
    others=2,
    exact=True,
    own=False,
    analysis="breakdown",
    mentions=Mentions(frozenset({"smoker", "stage"}), frozenset({"smoker"}), frozenset({("stage", "a")})),
    patients=500,
    asker=2,
    person="Ada",
    endorsed=True,
    project=PROJECT,
)
NOISED = replace(FACTS, exact=False, epsilon=Fraction(1))
FULL = Policy(
    Mode.ASK,
    exact=False,
    others=3,
    per_site=True,
    rules=(Rule(Mode.NEVER, site=3, person="Bo", project=PROJECT, analysis="regress"), Rule(Mode.ASK, site=1)),
    min_patients=40,
    never=(Never("postcode"), Never("stage", "iv")),
    projects=Projects.LISTED,
    listed=(PROJECT, OTHER),
    people=People.ENDORSED,
    epsilon=Fraction(1, 3),
    smallest=8,
    zeros=False,
    enforced=True,
    rounding=5,
    budget=BudgetRules(Fraction(10), Fraction(1, 2), 365, Fraction(5), Fraction(7, 2), 12),
)


@pytest.mark.parametrize(
    ("policy", "facts", "code"),
    [
        (Policy(others=3), FACTS, "policy.too_few_sites"),
        (Policy(exact=False), FACTS, "policy.no_exact"),
        (Policy(noised=False), NOISED, "policy.no_noised"),
        (Policy(), replace(FACTS, per_site=True), "policy.no_per_site"),
        (Policy(epsilon=Fraction(1, 2)), NOISED, "policy.epsilon_too_large"),
        (Policy(min_patients=501), FACTS, "policy.too_few_patients"),
        (Policy(never=(Never("smoker"),)), FACTS, "policy.never_used"),
        (Policy(never=(Never("stage", "a"),)), FACTS, "policy.never_used"),
        (Policy(never=(Never("smoker", "yes"),)), FACTS, "policy.never_used"),
        (Policy(people=People.ENDORSED), replace(FACTS, endorsed=False), "policy.not_endorsed"),
        (Policy(projects=Projects.APPROVED), replace(FACTS, project=""), "policy.no_project"),
        (Policy(projects=Projects.LISTED, listed=(OTHER,)), replace(FACTS, project=""), "policy.no_project"),
        (Policy(projects=Projects.LISTED, listed=(OTHER,)), FACTS, "policy.project_not_listed"),
        (Policy(smallest=5, enforced=True), FACTS, "policy.small_counts"),
        (Policy(smallest=8, enforced=True), replace(FACTS, withheld=5, zeros=True), "policy.small_counts"),
        (Policy(smallest=5, zeros=False, enforced=True), replace(FACTS, withheld=8), "policy.small_counts"),
        (Policy(Mode.NEVER), FACTS, "policy.never"),
        (Policy(rules=(Rule(Mode.NEVER, analysis="breakdown"),)), FACTS, "policy.never"),
    ],
)
def test_each_rule_declines_by_itself_and_says_so(policy: Policy, facts: Facts, code: str) -> None:
    judged = policy.judge(facts)
    refusal = judged.refusal
    assert judged.verdict is Verdict.DECLINE
    assert [each.code for each in judged.findings if not each.holds] == [code]
    assert refusal is not None
    assert refusal.code == code
    assert refusal.params["rule"] == next(each.rule for each in judged.findings if not each.holds)


@pytest.mark.parametrize(
    ("policy", "facts"),
    [
        (Policy(others=2), FACTS),
        (Policy(noised=False), FACTS),
        (Policy(exact=False), NOISED),
        (Policy(per_site=True), replace(FACTS, per_site=True)),
        (Policy(epsilon=Fraction(1)), NOISED),
        (Policy(epsilon=Fraction(1, 2)), FACTS),
        (Policy(min_patients=500), FACTS),
        (Policy(min_patients=500), replace(FACTS, patients=None)),
        (Policy(never=(Never("stage", "b"), Never("weight"))), FACTS),
        (Policy(people=People.ENDORSED), FACTS),
        (Policy(projects=Projects.APPROVED), FACTS),
        (Policy(projects=Projects.LISTED, listed=(OTHER, PROJECT)), FACTS),
        (Policy(smallest=11), FACTS),
        (Policy(smallest=5, enforced=True), NOISED),
        (Policy(smallest=5, enforced=True), replace(FACTS, withheld=8)),
        (Policy(smallest=5, zeros=False, enforced=True), replace(FACTS, withheld=5, zeros=False)),
    ],
)
def test_what_keeps_to_a_rule_is_answered(policy: Policy, facts: Facts) -> None:
    judged = policy.judge(facts)
    assert judged.verdict is Verdict.ANSWER
    assert judged.refusal is None
    assert all(each.holds for each in judged.findings)


def test_a_person_is_asked_about_others_questions_only() -> None:
    assert Policy(Mode.ASK).judge(FACTS).verdict is Verdict.ASK
    assert Policy(Mode.ASK).judge(replace(FACTS, own=True)).verdict is Verdict.ANSWER
    assert Policy(Mode.NEVER).judge(replace(FACTS, own=True)).verdict is Verdict.DECLINE


@pytest.mark.parametrize(
    ("rules", "mode"),
    [
        ((), Mode.ASK),
        ((Rule(Mode.AUTOMATIC, analysis="count"),), Mode.ASK),
        ((Rule(Mode.AUTOMATIC, site=3),), Mode.ASK),
        ((Rule(Mode.AUTOMATIC, person="Bo"),), Mode.ASK),
        ((Rule(Mode.AUTOMATIC, project=OTHER),), Mode.ASK),
        ((Rule(Mode.AUTOMATIC, analysis="breakdown"),), Mode.AUTOMATIC),
        ((Rule(Mode.AUTOMATIC, site=2, person="Ada", project=PROJECT, analysis="breakdown"),), Mode.AUTOMATIC),
        ((Rule(Mode.NEVER, analysis="breakdown"), Rule(Mode.AUTOMATIC, site=2, person="Ada")), Mode.AUTOMATIC),
        ((Rule(Mode.AUTOMATIC, site=2, person="Ada"), Rule(Mode.NEVER, analysis="breakdown")), Mode.AUTOMATIC),
        ((Rule(Mode.AUTOMATIC, site=2), Rule(Mode.NEVER, project=PROJECT)), Mode.NEVER),
        ((Rule(Mode.ASK, project=PROJECT), Rule(Mode.AUTOMATIC, site=2)), Mode.ASK),
        ((Rule(Mode.AUTOMATIC, site=2, person="Bo"), Rule(Mode.NEVER, site=2)), Mode.NEVER),
    ],
)
def test_the_most_specific_rule_counts_and_of_two_the_stricter(rules: tuple[Rule, ...], mode: Mode) -> None:
    policy = Policy(Mode.ASK, rules=rules)
    assert policy.mode_of(FACTS)[0] is mode
    told = next(each for each in policy.judge(FACTS).findings if each.rule == "mode")
    assert (told.params["mode"], told.params["exception"]) == (mode.value, mode is not Mode.ASK or len(rules) == 2)


def test_an_exception_loosens_no_limit() -> None:
    policy = Policy(exact=False, rules=(Rule(Mode.AUTOMATIC, site=2, person="Ada", analysis="breakdown"),))
    assert policy.judge(FACTS).verdict is Verdict.DECLINE


def test_all_that_is_broken_is_found_and_two_parties_are_told() -> None:
    judged = Policy(others=2, exact=False, never=(Never("smoker"), Never("stage"))).judge(replace(FACTS, others=1))
    broken = [(each.rule, each.params.get("variable")) for each in judged.findings if not each.holds]
    assert broken == [("others", None), ("exact", None), ("never", "smoker"), ("never", "stage")]
    assert Finding("two", holds=True) in judged.findings
    assert "two" not in {each.rule for each in Policy().judge(FACTS).findings}


# --- what a question mentions -------------------------------------------------------------------------------------

STAGE_A = Levels("stage", frozenset("a"))


@pytest.mark.parametrize(
    ("query", "mentioned", "not_mentioned"),
    [
        (Query(STAGE_A), [("stage", ""), ("stage", "a")], [("stage", "b"), ("smoker", "")]),
        (Query(Not(STAGE_A)), [("stage", "a"), ("stage", "b")], []),
        (Query(Not(Not(All((STAGE_A,))))), [("stage", "b")], []),
        (Query(Known("stage")), [("stage", "b")], []),
        (Query(STAGE_A, Breakdown("stage")), [("stage", "b")], []),
        (Query(Flag("smoker"), Table(Grouping("stage"), Grouping("weight"))), [("stage", "b"), ("weight", "")], []),
        (Query(Either((Flag("smoker"), STAGE_A))), [("smoker", ""), ("stage", "a")], [("stage", "b")]),
        (Query(Range("weight", Decimal(1), None)), [("weight", "")], [("smoker", "")]),
        (Query(Before(Moment("first", "relapse"), Moment("last", "visit"))), [("relapse", ""), ("visit", "")], []),
    ],
)
def test_what_a_question_is_about(
    query: Query, mentioned: list[tuple[str, str]], not_mentioned: list[tuple[str, str]]
) -> None:
    found = mentions_of(query)
    assert all(found.has(*each) for each in mentioned)
    assert not any(found.has(*each) for each in not_mentioned)


# --- where a rule comes from --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "source", "code"),
    [
        (InForce(Policy(exact=False), 4), SITE, "policy.no_exact"),
        (InForce(Policy(exact=False)), DEFAULT, "policy.no_exact"),
        (InForce(Policy(exact=False), 4, frozenset({"exact"})), MANAGED, "policy.managed_no_exact"),
    ],
)
def test_a_refusal_names_the_rule_its_source_and_the_version(rules: InForce, source: str, code: str) -> None:
    judged = rules.judge(FACTS)
    refusal = judged.refusal
    assert refusal is not None
    assert (refusal.code, refusal.params) == (code, {"rule": "exact", "source": source, "version": rules.version})
    told = judged.to_plain()
    assert told["verdict"] == "decline"
    assert [each["rule"] for each in told["findings"] if not each["holds"]] == ["exact"]
    assert {each["version"] for each in told["findings"]} == {rules.version}


# --- formats ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [Policy(), Policy.default(2), Policy.default(9), FULL])
def test_a_policy_keeps_all_its_values(policy: Policy) -> None:
    assert Policy.from_cbor(policy.to_cbor()) == policy
    assert Policy.from_plain(policy.to_plain()) == policy


def test_older_formats_load_and_withhold_small_counts() -> None:
    first = {"version": 1, "mode": "ask", "exact": False, "noised": True, "others": 3}
    assert Policy.from_cbor(codec.encode(first)) == Policy(Mode.ASK, exact=False, others=3, smallest=11)
    second = {**first, "version": 2, "per_site": True}
    assert Policy.from_cbor(codec.encode(second)) == Policy(Mode.ASK, exact=False, others=3, per_site=True, smallest=11)


def test_the_vectors_load_and_are_written_alike() -> None:
    assert Policy.from_cbor(vectors.read("policy-v1.cbor")) == Policy(Mode.ASK, exact=False, others=3, smallest=11)
    assert Policy.from_cbor(vectors.read("policy-v2.cbor")).per_site
    assert Policy.from_cbor(vectors.read("policy-v3.cbor")) == vectors.POLICY
    assert vectors.POLICY.to_cbor() == vectors.read("policy-v3.cbor")


PLAIN = {"version": 3, **FULL.to_plain()}


@pytest.mark.parametrize(
    "plain",
    [
        [],
        {**PLAIN, "version": 4},
        {**PLAIN, "version": 1},
        {**PLAIN, "more": 1},
        {name: value for name, value in PLAIN.items() if name != "zeros"},
        {**PLAIN, "mode": "sometimes"},
        {**PLAIN, "exact": 1},
        {**PLAIN, "others": 0},
        {**PLAIN, "others": True},
        {**PLAIN, "smallest": 7},
        {**PLAIN, "rounding": 3},
        {**PLAIN, "epsilon": "2/6"},
        {**PLAIN, "epsilon": "0"},
        {**PLAIN, "epsilon": "-1"},
        {**PLAIN, "epsilon": "1/0"},
        {**PLAIN, "min_patients": -1},
        {**PLAIN, "never": [["stage"]]},
        {**PLAIN, "never": [["", "a"]]},
        {**PLAIN, "listed": ["ab"]},
        {**PLAIN, "listed": [PROJECT.upper()]},
        {**PLAIN, "rules": [{"mode": "ask"}]},
        {**PLAIN, "rules": [{"mode": "ask", "analysis": "everything"}]},
        {**PLAIN, "rules": [{"mode": "ask", "site": 65}]},
        {**PLAIN, "rules": [{"mode": "ask", "person": 1}]},
        {**PLAIN, "rules": [Rule(Mode.ASK, site=1).to_plain()] * 101},
        {**PLAIN, "budget": {**FULL.budget.to_plain(), "exact": -2}},
        {**PLAIN, "budget": {**FULL.budget.to_plain(), "more": 1}},
        {**PLAIN, "budget": []},
        {"version": 2, "mode": "ask", "exact": True, "noised": True, "others": 1},
    ],
)
def test_what_is_no_policy_is_refused(plain: Any) -> None:
    with pytest.raises(ProtocolViolation):
        Policy.from_cbor(codec.encode(plain))


def test_a_change_names_the_field_that_cannot_be() -> None:
    assert Policy().with_plain({"others": None, "budget": {"cap": "3"}}).budget == BudgetRules(cap=Fraction(3))
    with pytest.raises(ProtocolViolation) as raised:
        Policy().with_plain({"people": "nobody"})
    assert raised.value.params["field"] == "people"
    with pytest.raises(UserError) as refused:
        Policy().with_plain({"smallest": 6})
    assert (refused.value.code, refused.value.params) == ("policy.bad_value", {"field": "smallest"})


# --- sentences ----------------------------------------------------------------------------------------------------

NAMES = Names(lambda position: f"Site {position}", lambda project: f"Project {project[:2]}")


@pytest.mark.parametrize("policy", [Policy(), FULL, Policy(Mode.NEVER, projects=Projects.APPROVED, smallest=5)])
@pytest.mark.parametrize("language", ["en", "fr", "de"])
def test_every_field_is_said_in_every_language(policy: Policy, language: str) -> None:
    said = sentences(InForce(policy, 1, frozenset({"others"})), 4, NAMES)
    for each in said:
        what = " ".join(text(key, language, **params) for key, params in each.parts)
        words = text(each.text_key, language, **each.params, what=what)
        assert each.text_key in entries(language)
        assert "{" not in words
        assert "policy." not in words
    assert {each.rule for each in said if each.fixed} == {"others"}
    always = {"mode", "people", "projects", "others", "min_patients", "exact", "noised", "epsilon", "per_site"}
    assert always | {"never", "smallest", "rounding", "budget"} <= {each.rule for each in said}


def test_what_two_parties_infer_is_said_plainly() -> None:
    def key(policy: Policy, sites: int) -> list[str]:
        return [each.text_key for each in sentences(InForce(policy), sites, NAMES) if each.rule == "two"]

    assert key(Policy(), 2) == ["policy.sentence.two.federation"]
    assert key(Policy(others=1), 4) == ["policy.sentence.two.others"]
    assert key(Policy(others=2), 4) == []
