"""What would happen at this site to a request, or to a question that nobody has asked yet, and why: rule by rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from app.core.disclosure.budget import Spend
from app.core.disclosure.judgement import Facts, Finding, Verdict
from app.core.disclosure.mentions import mentions_of
from app.core.disclosure.policy import SMALLEST, InForce
from app.core.errors import UserError
from app.core.federation import charging, decisions, people, projects, sets_of_sites, small_counts
from app.core.federation.charging import researcher_of
from app.core.federation.local_site import LocalSite
from app.core.federation.people import Asked, Role, kind_of
from app.core.query.model import Query
from app.core.services import asking, budget, cohorts
from app.core.services.member import Member

ASKED_BY, BUDGET = "asked_by", "budget"
"""Rules that are not the policy's own: whether who asks may, and whether the budget allows it."""


@dataclass(frozen=True)
class Supposed:
    """A question that somebody might ask this site; see ``policy.preview``."""

    text: str
    epsilon: Fraction | None = None
    per_site: bool = False
    sites: Sequence[str] = ()
    minimum: int | None = None
    person: str = ""
    project: str = ""
    asker: str = ""
    """The asker's site; empty for any other one."""


@dataclass(frozen=True)
class _Question:
    """What is asked, by whom, and of which sites."""

    query: Query
    epsilon: Fraction | None
    asker: int
    contributors: tuple[int, ...]
    minimum: int
    asked: Asked
    priced: charging.Asked


def preview_request(member: Member, id: bytes) -> dict[str, Any]:
    """Return what this site's policy says of a request that has come, rule by rule, and what it costs.

    Raises UserError ``query.unknown``, and as :func:`.decisions.in_force`.
    """
    site, heard = member.site, member.desk.heard(id)
    request = heard.request
    try:
        asked, refusals = people.asked_by(site, heard.asker, request), list[Finding]()
    except UserError as error:  # the other rules are looked at all the same
        asked, refusals = Asked(), [Finding(ASKED_BY, holds=False, code=error.code, params=error.params)]
    rules = decisions.in_force(site)
    facts = decisions.facts_of(site, rules.policy, heard.asker, request, asked)
    question = _Question(
        request.query,
        request.epsilon,
        heard.asker,
        request.contributors,
        request.minimum,
        asked,
        charging.Asked.of(request),
    )
    return _previewed(member, rules, facts, question, refusals)


def preview_text(member: Member, supposed: Supposed) -> dict[str, Any]:
    """Return what this site's policy would say of a question that nobody has asked yet, and what it would cost.

    Raises UserError ``query.*``, ``cohort.*``, ``roster.unknown_site`` for what cannot be asked; and as
    :func:`.decisions.in_force`.
    """
    site = member.site
    _, query = cohorts.question(site.profile, site.catalogue, supposed.text)
    query = replace(query, per_site=supposed.per_site)
    chosen = tuple(sorted({site.roster.site_named(name).position for name in supposed.sites}))
    contributors = chosen or site.roster.positions
    other = next(each for each in (*contributors, *site.roster.positions) if each != site.position)
    asker = site.roster.site_named(supposed.asker).position if supposed.asker else other
    asked, refusals = _supposed_asked(site, asker, supposed)
    blocks = asking.blocks_of(member, query, contributors)
    smallest = small_counts.needed(site, member.mailroom, contributors, supposed.epsilon)
    question = _Question(
        query,
        supposed.epsilon,
        asker,
        contributors,
        supposed.minimum or min(asking.LEAST_CONTRIBUTORS, len(contributors)),
        asked,
        charging.Asked(query, supposed.epsilon, contributors, blocks, smallest),
    )
    rules = decisions.in_force(site)
    facts = Facts(
        others=question.minimum - (asker in contributors),
        exact=supposed.epsilon is None,
        own=asker == site.position,
        per_site=query.per_site,
        epsilon=supposed.epsilon,
        analysis=query.analysis.name,
        mentions=mentions_of(query, site.catalogue),
        patients=decisions.patients_of(site) if rules.policy.min_patients else None,
        asker=asker,
        person=asked.person,
        endorsed=asked.role is not None,
        project="" if asked.project is None else asked.project.id.hex(),
        withheld=max(SMALLEST),  # the program asks for what the policies want
        zeros=False,
    )
    return _previewed(member, rules, facts, question, refusals)


def _previewed(
    member: Member, rules: InForce, facts: Facts, question: _Question, refusals: Sequence[Finding]
) -> dict[str, Any]:
    price = budget.price_of_draft(member, question.priced)
    judged = rules.judge(facts)
    findings = (*refusals, *judged.findings, replace(_budget(member, question, price), source=rules.source_of(BUDGET)))
    verdict = judged.verdict if all(each.holds for each in findings) else Verdict.DECLINE
    told = replace(judged, verdict=verdict, findings=findings).to_plain()
    return {
        **told,
        "price": budget.price_to_plain(member, price, question.epsilon),
        "smallest": small_counts.to_plain(question.priced.smallest, member.site.roster),
    }


def _budget(member: Member, question: _Question, price: charging.Price | None) -> Finding:
    """Say whether there is enough left, and no set of sites too similar to this one was answered before."""
    site, who = member.site, question.asked
    try:
        if price is not None:
            project = "" if who.project is None else who.project.id.hex()
            name = researcher_of(question.asker, who.person)
            charging.refuse_shortage(site, Spend(site.clock.now(), price.epsilon, price.exact, name, project))
        sets_of_sites.check_asked(
            site,
            member.mailroom,
            question.asker,
            question.query,
            site.catalogue,
            question.contributors,
            question.minimum,
        )
    except UserError as error:
        return Finding(BUDGET, holds=False, code=error.code, params=error.params)
    return Finding(BUDGET, holds=True)


def _supposed_asked(site: LocalSite, asker: int, supposed: Supposed) -> tuple[Asked, list[Finding]]:
    """Return who would ask, and what stands against that, as far as it is known here."""
    now, role, project = site.clock.now(), None, None
    refusals = []

    def refuse(code: str, **params: str) -> None:
        refusals.append(Finding(ASKED_BY, holds=False, code=code, params=params))

    said = {"person": supposed.person, "site": site.site_name(asker)}
    if supposed.person:
        known = [each for each in people.endorsed(site, asker) if each.delegation.person == supposed.person]
        valid = [each.delegation for each in known if each.state(now) == "valid"]
        role = max((each.role for each in valid if each.role.asks), key=list(Role).index, default=None)
        wanted = kind_of(exact=supposed.epsilon is None, per_site=supposed.per_site)
        if role is None:
            refuse("people.unknown", **said)
        elif not role.allows(wanted):
            refuse("people.role_too_weak", **said, role=role.value, wanted=wanted.value)
    if supposed.project:
        named = supposed.project.casefold()
        project = next((e for e in projects.known(site) if named in (e.title.casefold(), e.id.hex())), None)
        if project is None:
            refuse("project.unknown", project=supposed.project)
        elif projects.state_of(project, projects.verdicts(site, project), site.position, now) != "approved":
            refuse("project.not_approved", title=project.title, site=site.site_name(site.position))
        elif all((each.site, each.person) != (asker, supposed.person) for each in project.members):
            refuse("project.not_a_member", title=project.title, **said)
    return Asked(supposed.person if role else "", role, project), refusals
