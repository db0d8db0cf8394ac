"""What a site's patients may lose in all, and what is left of it: exact arithmetic on what was charged.

**The composition rule.** Two datasets are neighbours if one has one patient more than the other, at one site. A
release with noise of ε is ε-differentially private for that site's patients (:mod:`.sensitivity`), and releases add
up: together they are Σε-differentially private, whatever is asked and in whichever order, also if each question
depends on the answers before (basic sequential composition; Dwork, Roth 2014, theorem 3.16). So ε adds up over dataset
versions, researchers and projects under one cap for the site. Nothing sharper is claimed: no advanced composition, and
no parallel composition over cohorts that exclude one another, as a patient may change from one to the other between
versions. Sites count separately, each for its own patients: who is a patient of h hospitals loses h·ε.

The same question of the same dataset at the same ε has the same noise: told again it is the same number, which costs
nothing. Anything else costs in full, numbers that are equal under differently named questions too.

Exact releases are outside ε: they promise nothing that could be added up. They have a quota of their own, a number
(:class:`~app.core.disclosure.policy_parts.BudgetRules`).

**What a cap means.** Whoever sees everything that was released, and knows all about the other patients, tells whether
a patient is in the data with an advantage (true positives minus false positives) of at most tanh(ε/2) =
(e^ε − 1)/(e^ε + 1), ε being all that was spent. With a refill the sum has no bound: it is then a rate, no longer a
promise for life.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from app.core.disclosure.policy_parts import BudgetRules

DAY = 24 * 3600 * 1000
"""In milliseconds, as times are."""

SITE, RESEARCHER, PROJECT, EXACT = "site", "researcher", "project", "exact"
"""What can be short: the whole site's ε, a researcher's or a project's share of it, or the quota of exact releases."""


@dataclass(frozen=True)
class Spend:
    """One charge: when (UTC ms), how much ε, how many exact releases, and who asked under what project.

    What is asked under no project (empty) counts as one project, what a site asks without naming a person as one
    researcher: leaving the name out evades no share.
    """

    at: int
    epsilon: Fraction
    exact: int
    researcher: str
    project: str

    def of(self, kind: str) -> str:
        """Return the name that shares of this kind are counted by; the site has only one."""
        return {RESEARCHER: self.researcher, PROJECT: self.project}.get(kind, "")


@dataclass(frozen=True)
class Account:
    """How ε stands. ``limit`` and ``left`` are None where there is no limit.

    ``spent`` is all that was ever charged: with a refill it may pass the limit. ``more_at`` is when the next refill
    comes (UTC ms), 0 for never.
    """

    limit: Fraction | None
    spent: Fraction
    left: Fraction | None
    more_at: int = 0


@dataclass(frozen=True)
class Shortage:
    """Why a charge is refused: what is short (:data:`SITE` and so on), what it needs, what is left.

    ``at`` is when there will be enough (UTC ms); 0 for never, unless the site's policy changes.
    """

    of: str
    needed: Fraction
    left: Fraction
    at: int = 0


def limit_of(rules: BudgetRules, kind: str) -> Fraction | None:
    """Return what the site, one researcher or one project may spend between refills."""
    return {RESEARCHER: rules.researcher, PROJECT: rules.project}.get(kind, rules.cap)


def refill_of(rules: BudgetRules, kind: str) -> Fraction:
    """Return what comes back every ``days``: of a share in proportion to what it is of the cap. 0 for nothing."""
    limit = limit_of(rules, kind)
    if not rules.days or limit is None:
        return Fraction(0)
    return rules.refill if not rules.cap else rules.refill * min(limit / rules.cap, Fraction(1))


def account(rules: BudgetRules, kind: str, spends: Iterable[Spend], now: int) -> Account:
    """Return how the cap or a share stands at ``now`` after these charges, which are of one researcher or project.

    What is left never passes the limit: what nobody used is not saved up. A clock that was set back refills nothing.
    """
    charged, limit = list(spends), limit_of(rules, kind)
    spent = sum((each.epsilon for each in charged), Fraction(0))
    if limit is None:
        return Account(None, spent, None)
    balance, more_at = _balance(rules, kind, limit, charged, now)
    return Account(limit, spent, max(balance, Fraction(0)), more_at)


def _balance(rules: BudgetRules, kind: str, limit: Fraction, spends: Sequence[Spend], now: int) -> tuple[Fraction, int]:
    """Return what is left, below zero if the limit is now less than was spent, and when the next refill comes."""
    ordered, amount = sorted((each.at, each.epsilon) for each in spends), refill_of(rules, kind)
    if not amount or not ordered:
        return limit - sum((epsilon for _, epsilon in ordered), Fraction(0)), 0
    period, begun = rules.days * DAY, ordered[0][0]
    left, filled = limit, 0
    for at, epsilon in [*ordered, (now, Fraction(0))]:
        passed = max((at - begun) // period, filled)
        left = min(limit, left + (passed - filled) * amount) - epsilon
        filled = passed
    return left, begun + (filled + 1) * period if left < limit else 0


def exact_account(rules: BudgetRules, spends: Iterable[Spend], now: int) -> tuple[int | None, int]:
    """Return how many exact releases are left, None for any number, and when there will be all again (0: never).

    The quota is for all time, or where there is a period for each period, counted from the first charge of all.
    """
    if rules.exact is None:
        return None, 0
    charged = [each for each in spends if each.exact]
    if not rules.days or not charged:
        return max(rules.exact - sum(each.exact for each in charged), 0), 0
    period, begun = rules.days * DAY, min(each.at for each in charged)
    latest = max(now, *(each.at for each in charged))
    since = begun + (latest - begun) // period * period
    used = sum(each.exact for each in charged if each.at >= since)
    return max(rules.exact - used, 0), since + period if used else 0


def shortage(rules: BudgetRules, spends: Sequence[Spend], wanted: Spend) -> Shortage | None:
    """Return what is short for another charge: the quota, the site, the researcher's share, or the project's."""
    quota, again = exact_account(rules, spends, wanted.at)
    if quota is not None and quota < wanted.exact:
        at = again if rules.exact is not None and wanted.exact <= rules.exact else 0
        return Shortage(EXACT, Fraction(wanted.exact), Fraction(quota), at)
    for kind in (SITE, RESEARCHER, PROJECT) if wanted.epsilon else ():
        limit = limit_of(rules, kind)
        if limit is None:
            continue
        theirs = [each for each in spends if each.of(kind) == wanted.of(kind)]
        left, more_at = _balance(rules, kind, limit, theirs, wanted.at)
        if left < wanted.epsilon:
            at = 0
            if more_at and wanted.epsilon <= limit:
                steps = ceil((wanted.epsilon - left) / refill_of(rules, kind))
                at = more_at + (steps - 1) * rules.days * DAY
            return Shortage(kind, wanted.epsilon, max(left, Fraction(0)), at)
    return None
