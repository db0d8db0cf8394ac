"""A stricter policy never does more than a laxer one, whatever is asked."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from app.core.disclosure.judgement import Facts, Verdict
from app.core.disclosure.mentions import Mentions
from app.core.disclosure.policy import SMALLEST, Mode, Never, People, Policy, Projects, Rule

IDS = tuple(digit * 32 for digit in "abc")
CODES, LEVELS = ("smoker", "stage", "weight"), ("", "i", "ii")
ANALYSES = ("count", "breakdown", "survival")
PEOPLE = ("", "Ada", "Bo")

epsilons = st.builds(Fraction, st.integers(1, 6), st.integers(1, 6))
nevers = st.builds(Never, st.sampled_from(CODES), st.sampled_from(LEVELS))
rules = st.builds(
    Rule,
    st.sampled_from(Mode),
    st.integers(0, 2),
    st.sampled_from(PEOPLE),
    st.sampled_from(("", *IDS)),
    st.sampled_from(("", *ANALYSES)),
).filter(lambda rule: rule.conditions > 0)
policies = st.builds(
    Policy,
    mode=st.sampled_from(Mode),
    exact=st.booleans(),
    noised=st.booleans(),
    others=st.integers(1, 4),
    per_site=st.booleans(),
    rules=st.lists(rules, max_size=4).map(tuple),
    min_patients=st.integers(0, 30),
    never=st.lists(nevers, max_size=2).map(tuple),
    projects=st.sampled_from(Projects),
    listed=st.lists(st.sampled_from(IDS), max_size=3).map(tuple),
    people=st.sampled_from(People),
    epsilon=st.none() | epsilons,
    smallest=st.sampled_from(SMALLEST),
    zeros=st.booleans(),
    enforced=st.booleans(),
)
mentions = st.builds(
    Mentions,
    st.frozensets(st.sampled_from(CODES)),
    st.frozensets(st.sampled_from(CODES)),
    st.frozensets(st.tuples(st.sampled_from(CODES), st.sampled_from(LEVELS[1:]))),
)
questions = st.builds(
    Facts,
    others=st.integers(0, 5),
    exact=st.booleans(),
    own=st.booleans(),
    per_site=st.booleans(),
    epsilon=st.none() | epsilons,
    analysis=st.sampled_from(ANALYSES),
    mentions=mentions,
    patients=st.none() | st.integers(0, 40),
    asker=st.integers(1, 2),
    person=st.sampled_from(PEOPLE),
    endorsed=st.booleans(),
    project=st.sampled_from(("", *IDS)),
    withheld=st.sampled_from(SMALLEST),
    zeros=st.booleans(),
)
FREEDOM = {Verdict.DECLINE: 0, Verdict.ASK: 1, Verdict.ANSWER: 2}


@st.composite
def tightened(draw: st.DrawFn, policy: Policy) -> Policy:
    """A policy that is stricter than ``policy`` in some of its fields and laxer in none."""
    stricter = {mode: [each for each in Mode if each.strictness >= mode.strictness] for mode in Mode}
    smaller = epsilons if policy.epsilon is None else st.builds(min, epsilons, st.just(policy.epsilon))
    narrower = list(Projects)[list(Projects).index(policy.projects) :]
    listed = draw(st.lists(st.sampled_from(policy.listed))) if policy.listed else []
    return replace(
        policy,
        mode=draw(st.sampled_from(stricter[policy.mode])),
        exact=policy.exact and draw(st.booleans()),
        noised=policy.noised and draw(st.booleans()),
        others=policy.others + draw(st.integers(0, 2)),
        per_site=policy.per_site and draw(st.booleans()),
        rules=tuple(replace(rule, mode=draw(st.sampled_from(stricter[rule.mode]))) for rule in policy.rules),
        min_patients=policy.min_patients + draw(st.integers(0, 10)),
        never=(*policy.never, *draw(st.lists(nevers, max_size=2))),
        projects=draw(st.sampled_from(narrower)),
        listed=tuple(listed),
        people=draw(st.sampled_from(list(People)[list(People).index(policy.people) :])),
        epsilon=draw(st.sampled_from([policy.epsilon, draw(smaller)])),
        smallest=draw(st.sampled_from([each for each in SMALLEST if each >= policy.smallest])),
        zeros=policy.zeros and draw(st.booleans()),
        enforced=policy.enforced or draw(st.booleans()),
    )


@given(st.data(), policies, questions)
def test_a_stricter_policy_answers_nothing_that_a_laxer_one_declines(
    data: st.DataObject, policy: Policy, facts: Facts
) -> None:
    stricter = data.draw(tightened(policy))
    lax, strict = policy.judge(facts), stricter.judge(facts)
    assert FREEDOM[strict.verdict] <= FREEDOM[lax.verdict]
    broken = {each.rule for each in lax.findings if not each.holds}
    assert broken <= {each.rule for each in strict.findings if not each.holds}


@given(policies, questions)
def test_a_refusal_is_there_exactly_when_something_is_declined(policy: Policy, facts: Facts) -> None:
    judged = policy.judge(facts)
    assert (judged.refusal is not None) == (judged.verdict is Verdict.DECLINE)
    assert len({each.rule for each in judged.findings} & {"others", "mode", "per_site"}) == 3


@given(policies)
def test_a_policy_is_the_same_after_it_was_kept(policy: Policy) -> None:
    assert Policy.from_cbor(policy.to_cbor()) == policy
