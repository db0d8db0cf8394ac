"""The site's budget as a person sees it: what its patients may lose, what was charged to whom, what questions cost."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from app.core.disclosure import budget as rules_of
from app.core.disclosure.budget import PROJECT, RESEARCHER, SITE, Spend
from app.core.disclosure.policy_parts import BudgetRules
from app.core.errors import UserError
from app.core.federation import charging, decisions, projects, sets_of_sites
from app.core.federation.charging import Asked, Price
from app.core.federation.contributing import asked_cells, blocks_of_count, check_blocks, dataset_shape
from app.core.query.placing import placed
from app.core.services.member import Member
from app.core.store.budget import Charge
from app.core.store.documents import Header

MOST_ENTRIES = 1000
"""Charges that are told at the most, the newest; all of them count."""


def show(member: Member) -> dict[str, Any]:
    """Return the budget as it travels: ε as texts ("" for no limit), times in UTC ms (0 for never).

    ``refill`` has ``amount`` and ``days`` (0 for never), ``next`` and ``lifetime``: whether the cap bounds all that
    will ever be told. ``by`` has every researcher and project that was charged, ``limit`` and ``left`` "" without a
    share.
    """
    site = member.site
    rules, now = decisions.policy_of(site).budget, site.clock.now()
    charges, spends = site.profile.charges.all(), charging.spends(site)
    whole, (quota, again) = rules_of.account(rules, SITE, spends, now), rules_of.exact_account(rules, spends, now)
    refilled = rules_of.refill_of(rules, SITE)
    return {
        "cap": _text(whole.limit),
        "spent": _text(whole.spent),
        "left": _text(whole.left),
        "refill": {
            "amount": _text(refilled) if refilled else "",
            "days": rules.days if refilled else 0,
            "next": whole.more_at,
            "lifetime": whole.limit is not None and not refilled,
        },
        "exact": {
            "quota": -1 if rules.exact is None else rules.exact,
            "spent": sum(each.exact for each in spends),
            "left": -1 if quota is None else quota,
            "next": again,
        },
        "by": [*_shares(member, rules, RESEARCHER, spends, now), *_shares(member, rules, PROJECT, spends, now)],
        "entries": [_entry(member, each) for each in charges[: -MOST_ENTRIES - 1 : -1]],
    }


def _shares(member: Member, rules: BudgetRules, kind: str, spends: list[Spend], now: int) -> list[dict[str, Any]]:
    found = []
    for of in dict.fromkeys(each.of(kind) for each in spends):
        theirs = [each for each in spends if each.of(kind) == of]
        stands = rules_of.account(rules, kind, theirs, now)
        found.append(
            {
                "kind": kind,
                "name": _project(member, bytes.fromhex(of)) if kind == PROJECT else _researcher(member, of),
                "share": _text(stands.limit),
                "spent": _text(stands.spent),
                "left": _text(stands.left),
                "exact": sum(each.exact for each in theirs),
            }
        )
    return found


def _researcher(member: Member, name: str) -> str:
    position, _, person = name.partition(" ")
    site = member.site.site_name(int(position))
    return f"{person} ({site})" if person else site


def _project(member: Member, id: bytes) -> str:
    found = projects.find(member.site, id) if id else None
    return found.title if found is not None else id.hex()


def _entry(member: Member, charge: Charge) -> dict[str, Any]:
    return {
        "at": charge.at,
        "query": charge.session.hex(),
        "asker": member.site.site_name(charge.asker),
        "person": charge.person,
        "project": _project(member, charge.project),
        "epsilon": _text(charge.epsilon) if charge.epsilon else "",
        "exact": charge.exact,
        "dataset_version": charge.dataset_version,
    }


def price_of_draft(member: Member, asked: Asked) -> Price | None:
    """Return what a question that is not asked yet would cost here; None if this site cannot answer it."""
    site = member.site
    active = site.profile.datasets.active()
    if active is None or site.position not in asked.contributors:
        return None
    shape, contributor = dataset_shape(Header.decode(active.header)), asked.contributors.index(site.position)
    try:
        cells = asked_cells(asked.query, site.catalogue).cells
        told = asked.blocks or blocks_of_count(shape, len(asked.contributors), contributor)
        placing = placed(cells, site.roster.parameters, told, per_site=asked.query.per_site)
    except UserError:
        return None
    cuts = [placing.ranges(contributor, cell, shape.blocks) for cell in range(len(cells))]
    return charging.priced(site, asked, site.catalogue, active, cuts)


def check_own(member: Member, asked: Asked, minimum: int, *, person: str, project: bytes) -> None:
    """Raise UserError ``budget.*`` or ``policy.parts`` if this site would decline a question that it is about to ask.

    Another set of sites than those that answered about the cohort before is refused too, also by who only asks.
    """
    site = member.site
    sets_of_sites.check_asked(
        site, member.mailroom, site.position, asked.query, site.catalogue, asked.contributors, minimum
    )
    price = price_of_draft(member, asked)
    if price is not None:
        if asked.blocks:
            cells = asked_cells(asked.query, site.catalogue).cells
            placing = placed(cells, site.roster.parameters, asked.blocks, per_site=asked.query.per_site)
            check_blocks(site, member.mailroom, placing, asked.contributors, exact=asked.epsilon is None)
        who = charging.researcher_of(site.position, person)
        charging.refuse_shortage(site, Spend(site.clock.now(), price.epsilon, price.exact, who, project.hex()))


def charged(member: Member, session: bytes, epsilon: Fraction | None, *, own: bool) -> dict[str, Any]:
    """Return what a query has cost here, as :func:`price_to_plain` does but for what is left.

    ``own`` is whether this site has committed to a contribution: what it was not charged then was free.
    """
    found = member.site.profile.charges.of_session(session)
    if found is not None:
        return {"epsilon": _text(found.epsilon), "exact": found.exact, "free": False, "own": True}
    if own:
        return {"epsilon": "0", "exact": 0, "free": True, "own": True}
    return {"epsilon": _text(epsilon or Fraction(0)), "exact": int(epsilon is None), "free": False, "own": False}


def price_to_plain(member: Member, price: Price | None, epsilon: Fraction | None) -> dict[str, Any]:
    """Return a price as it travels, with what is left before it: ε as texts, "" for no limit, -1 for no quota.

    Without a price of our own (we do not contribute) it is what each contributing site is charged at the most.
    """
    stands = charging.standing(member.site)
    cost = (Fraction(0) if epsilon is None else epsilon, int(epsilon is None))
    if price is not None:
        cost = (price.epsilon, price.exact)
    return {
        "epsilon": _text(cost[0]),
        "exact": cost[1],
        "free": price is not None and price.free,
        "own": price is not None,
        "left": stands["left"],
        "exact_left": int(stands["exact_left"]) if stands["exact_left"] else -1,  # "0" is none left, "" no quota
    }


def _text(value: Fraction | None) -> str:
    return "" if value is None else str(value)
