"""A policy as sentences: each the key of a text, with parameters that a screen can put controls in place of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from app.core.disclosure.policy import InForce, Policy
from app.core.disclosure.policy_parts import BudgetRules, Projects, Rule
from app.core.errors import SafeParam

Params = dict[str, SafeParam]


@dataclass(frozen=True)
class Names:
    """What people call the sites (by roster position) and the projects (by hexadecimal id) that a policy names."""

    site: Callable[[int], str]
    project: Callable[[str], str]


@dataclass(frozen=True)
class Sentence:
    """One sentence about the field ``rule``. ``parts`` are texts that are filled in together, as ``{what}``."""

    rule: str
    text_key: str
    params: Params = field(default_factory=dict)
    parts: tuple[tuple[str, Params], ...] = ()
    fixed: bool = False
    """Whether IT has fixed it."""

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "rule": self.rule,
            "text_key": self.text_key,
            "params": dict(self.params),
            "parts": [{"text_key": key, "params": dict(params)} for key, params in self.parts],
            "fixed": self.fixed,
        }


def sentences(rules: InForce, sites: int, names: Names) -> list[Sentence]:
    """Return what holds at a site of a federation of so many ``sites``, as sentences, in the order of the screen."""
    found = [*_modes(rules.policy, names), *_limits(rules.policy, names), *_shown(rules.policy)]
    found += [*_budget(rules.policy.budget), *_two(rules.policy, sites)]
    return [Sentence(each.rule, each.text_key, each.params, each.parts, each.rule in rules.managed) for each in found]


def _modes(policy: Policy, names: Names) -> Iterator[Sentence]:
    match policy.mode.value:
        case "automatic":
            yield Sentence("mode", "policy.sentence.mode.automatic")
        case "ask":
            yield Sentence("mode", "policy.sentence.mode.ask")
        case _:
            yield Sentence("mode", "policy.sentence.mode.never")
    for rule in policy.rules:
        yield Sentence("rules", _EXCEPTIONS[rule.mode.value], {}, tuple(_conditions(rule, names)))


_EXCEPTIONS = {
    "automatic": "policy.sentence.rule.automatic",
    "ask": "policy.sentence.rule.ask",
    "never": "policy.sentence.rule.never",
}


def _conditions(rule: Rule, names: Names) -> Iterator[tuple[str, Params]]:
    if rule.analysis:
        yield "policy.condition.analysis", {"analysis": rule.analysis}
    if rule.person:
        yield "policy.condition.person", {"person": rule.person}
    if rule.site:
        yield "policy.condition.site", {"site": names.site(rule.site)}
    if rule.project:
        yield "policy.condition.project", {"project": names.project(rule.project)}


def _limits(policy: Policy, names: Names) -> Iterator[Sentence]:
    yield Sentence("people", _chosen("policy.sentence.people.endorsed", "policy.sentence.people.anyone", policy.people))
    match policy.projects:
        case Projects.ANY:
            yield Sentence("projects", "policy.sentence.projects.any")
        case Projects.APPROVED:
            yield Sentence("projects", "policy.sentence.projects.approved")
        case Projects.LISTED:
            titles = ", ".join(f"“{names.project(each)}”" for each in policy.listed)
            yield Sentence("projects", "policy.sentence.projects.listed", {"projects": titles or "–"})
    yield Sentence("others", "policy.sentence.others", {"others": policy.others})
    if policy.min_patients:
        yield Sentence("min_patients", "policy.sentence.min_patients", {"min_patients": policy.min_patients})
    else:
        yield Sentence("min_patients", "policy.sentence.no_min_patients")
    yield Sentence("exact", "policy.sentence.exact" if policy.exact else "policy.sentence.no_exact")
    yield Sentence("noised", "policy.sentence.noised" if policy.noised else "policy.sentence.no_noised")
    if policy.epsilon is None:
        yield Sentence("epsilon", "policy.sentence.no_epsilon")
    else:
        yield Sentence("epsilon", "policy.sentence.epsilon", {"epsilon": str(policy.epsilon)})
    yield Sentence("per_site", "policy.sentence.per_site" if policy.per_site else "policy.sentence.no_per_site")
    for each in policy.never:
        key = "policy.sentence.never.level" if each.level else "policy.sentence.never.variable"
        yield Sentence("never", key, {"variable": each.code, "level": each.level})
    if not policy.never:
        yield Sentence("never", "policy.sentence.never.none")


def _chosen(yes: str, no: str, value: str) -> str:
    return yes if yes.endswith(f".{value}") else no


def _shown(policy: Policy) -> Iterator[Sentence]:
    if not policy.smallest:
        yield Sentence("smallest", "policy.sentence.no_smallest")
    else:
        yield Sentence("smallest", "policy.sentence.smallest", {"smallest": policy.smallest})
        yield Sentence("zeros", "policy.sentence.zeros" if policy.zeros else "policy.sentence.no_zeros")
        yield Sentence("enforced", "policy.sentence.enforced" if policy.enforced else "policy.sentence.not_enforced")
    if policy.rounding:
        yield Sentence("rounding", "policy.sentence.rounding", {"rounding": policy.rounding})
    else:
        yield Sentence("rounding", "policy.sentence.no_rounding")


def _budget(budget: BudgetRules) -> Iterator[Sentence]:
    if budget.cap is None:
        yield Sentence("budget", "policy.sentence.budget.no_cap")
    else:
        yield Sentence("budget", "policy.sentence.budget.cap", {"cap": str(budget.cap)})
    if budget.days and budget.refill:
        refill: Params = {"refill": str(budget.refill), "days": budget.days}
        yield Sentence("budget", "policy.sentence.budget.refill", refill)
    if budget.researcher is not None:
        yield Sentence("budget", "policy.sentence.budget.researcher", {"researcher": str(budget.researcher)})
    if budget.project is not None:
        yield Sentence("budget", "policy.sentence.budget.project", {"project": str(budget.project)})
    if budget.exact is not None:
        yield Sentence("budget", "policy.sentence.budget.exact", {"exact": budget.exact})


def _two(policy: Policy, sites: int) -> Iterator[Sentence]:
    """What two parties can infer about each other: from a total of two, each takes its own numbers away."""
    if sites == 2:
        yield Sentence("two", "policy.sentence.two.federation")
    elif policy.others == 1:
        yield Sentence("two", "policy.sentence.two.others")
