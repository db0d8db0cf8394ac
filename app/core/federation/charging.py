"""What an answer costs this site's patients: its price, whether there is enough left, and the charge.

A site charges itself when it commits to a contribution, in the same transaction; whether anything is opened in the end
is not up to it. The rule for adding up is :mod:`app.core.disclosure.budget`'s. The same numbers again are free: a query
that came to nothing was paid for, and is asked again at no cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from app.core import codec
from app.core.catalogue.model import Catalogue
from app.core.disclosure import budget
from app.core.disclosure.budget import SITE, Spend
from app.core.errors import UserError
from app.core.federation import audit, audit_heads, decisions, people, policy_versions
from app.core.federation.local_site import LocalSite
from app.core.federation.query_messages import Request, SmallestCount
from app.core.query.canonical import query_hash
from app.core.query.model import Query
from app.core.store.budget import Charge
from app.core.store.datasets import DatasetRow

Cuts = Sequence[Sequence[tuple[int, int, int]]]
"""For each cell the places that this site uses for it: (place, first block, end)."""


@dataclass(frozen=True)
class Price:
    """What one answer costs: so much ε, or so many exact releases, or nothing where the same was answered before.

    ``free`` says so, and ``why``: ``repeated``, else empty. The rest is what the charge is written down with.
    """

    epsilon: Fraction
    exact: int
    free: bool
    why: str
    release: bytes = field(repr=False)
    query_hash: bytes = field(repr=False)
    dataset: bytes = field(repr=False)
    dataset_version: int


@dataclass(frozen=True)
class Asked:
    """What a price depends on, of a request or of one that is not sent yet."""

    query: Query
    epsilon: Fraction | None
    contributors: tuple[int, ...]
    blocks: tuple[int, ...]
    smallest: SmallestCount | None = None

    @classmethod
    def of(cls, request: Request) -> Asked:
        """Return what the price of a request depends on."""
        return cls(request.query, request.epsilon, request.contributors, request.blocks, request.smallest)


def priced(site: LocalSite, asked: Asked, catalogue: Catalogue, dataset: DatasetRow, cuts: Cuts) -> Price:
    """Return what it costs to answer from a dataset.

    With noise the same numbers are those that have the same draws: the same canonical question, dataset and ε, however
    it is told (a total, or per site) and whoever contributes, as long as our blocks lie in the same places. Exact ones
    are the same if the set of sites that was asked is the same as well.
    """
    total = query_hash(replace(asked.query, per_site=False), catalogue)
    if asked.epsilon is None:
        smallest = [] if asked.smallest is None else [asked.smallest.least, asked.smallest.zeros]
        told = [asked.query.per_site, list(asked.contributors), list(asked.blocks), smallest]
        release = codec.digest(["consilium exact release v1", total, dataset.id, told])
    else:
        parts = [[list(part[1:]) for part in cell] if len(cell) > 1 else [] for cell in cuts]
        release = codec.digest(["consilium noised release v1", total, dataset.id, str(asked.epsilon), parts])
    free = site.profile.charges.has(release)
    return Price(
        epsilon=Fraction(0) if free or asked.epsilon is None else asked.epsilon,
        exact=int(not free and asked.epsilon is None),
        free=free,
        why="repeated" if free else "",
        release=release,
        query_hash=total,
        dataset=dataset.id,
        dataset_version=dataset.version,
    )


def spends(site: LocalSite) -> list[Spend]:
    """Return all that this site was charged, oldest first."""
    return [
        Spend(each.at, each.epsilon, each.exact, researcher_of(each.asker, each.person), each.project.hex())
        for each in site.profile.charges.all()
    ]


def researcher_of(asker: int, person: str) -> str:
    """Return the name that a researcher's share is counted by: a person of a site, or the site itself."""
    return f"{asker} {person}"


def check(site: LocalSite, asker: int, request: Request, price: Price) -> None:
    """Raise UserError ``budget.exhausted_*`` if there is not enough left for an answer."""
    person, project = _asked_for(site, request)
    spend = Spend(site.clock.now(), price.epsilon, price.exact, researcher_of(asker, person), project.hex())
    refuse_shortage(site, spend)


def refuse_shortage(site: LocalSite, wanted: Spend) -> None:
    """Raise UserError ``budget.exhausted_*`` if there is not enough left to be charged this.

    Raises UserError ``budget.history_lost`` where the ledger is an older copy, until somebody who saw that has signed
    the policy again.
    """
    if history_lost(site):
        raise UserError("budget.history_lost", site=site.site_name(site.position))
    short = budget.shortage(decisions.policy_of(site).budget, spends(site), wanted)
    if short is None:
        return
    said = {"needed": str(short.needed), "left": str(short.left), "at": people.day(short.at) if short.at else ""}
    raise UserError(f"budget.exhausted_{short.of}{'_until' if short.at else ''}", **said)


def history_lost(site: LocalSite) -> bool:
    """Return whether this profile, its ledger included, is an older copy that nobody has looked at since."""
    signed = site.profile.audit.of_kind(policy_versions.SIGNED, 1)
    return audit_heads.lost(site, since=signed[0].number if signed else 0)


def charge(site: LocalSite, session: bytes, asker: int, request: Request, price: Price) -> None:
    """Write down what an answer costs; inside the ``database.atomic()`` that commits to it.

    Nothing is written where it is free by now. Raises UserError as :func:`check`.
    """
    if site.profile.charges.has(price.release):
        return
    check(site, asker, request, price)
    person, project = _asked_for(site, request)
    before = standing(site)
    site.profile.charges.add(
        Charge(
            session=session,
            at=site.clock.now(),
            release=price.release,
            query_hash=price.query_hash,
            dataset=price.dataset,
            dataset_version=price.dataset_version,
            asker=asker,
            person=person,
            project=project,
            epsilon=price.epsilon,
            exact=price.exact,
        )
    )
    audit.record(
        site,
        "budget.charged",
        who=person or site.site_name(asker),
        what={"query": session.hex(), "epsilon": str(price.epsilon), "exact": price.exact},
        budget={"before": before, "after": standing(site)},
    )


def standing(site: LocalSite) -> dict[str, str]:
    """Return how the site's budget stands, as texts: spent, left (empty without a cap), exact, exact_left."""
    rules, charged = decisions.policy_of(site).budget, spends(site)
    now = site.clock.now()
    found, (quota, _) = budget.account(rules, SITE, charged, now), budget.exact_account(rules, charged, now)
    return {
        "spent": str(found.spent),
        "left": "" if found.left is None else str(found.left),
        "exact": str(sum(each.exact for each in charged)),
        "exact_left": "" if quota is None else str(quota),
    }


def _asked_for(site: LocalSite, request: Request) -> tuple[str, bytes]:
    """Return the person and the project of a request whose signatures were verified when it was decided on."""
    if request.authority is None:
        return "", b""
    return people.claimed(site, request)[0], request.authority.project
