"""Which sets of sites have answered about a cohort, as far as this site has seen, and whether another one may.

A close goes to every site, so each knows every closed set of its federation, late sites left out; a closed set counts
as answered whether its result was opened or not. The rule (:mod:`app.core.disclosure.sets_of_sites`) holds for every
cohort whose number a question tells: the one that it names, the steps of a funnel, the groups of a table. It is looked
at before a site commits itself, and again when the set closes: before a contribution is revealed and before a
decryption share is given, so that members of the quorum look after sites that are not asked.

It is bound to the version of this site's dataset: with another one, its own part of the totals is another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product

from app.core.catalogue.model import Catalogue
from app.core.disclosure.sets_of_sites import tells_of_few
from app.core.errors import UserError
from app.core.federation import decisions
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom
from app.core.federation.query_hearing import KIND, OPEN, QueryHearing
from app.core.federation.query_messages import Request
from app.core.federation.query_rounds import QueryHeard, Refuse, next_step
from app.core.query.analyses import Breakdown, Compare, Grouping, Histogram, Survival, Table
from app.core.query.canonical import query_hash
from app.core.query.cells import cells_of, groups_of
from app.core.query.model import All, Cohort, Query
from app.core.store.budget import AnsweredSet

_NO_COHORT = b""
"""Under this a query is kept that told nothing: it was never closed, or this site held its contribution back."""


def cohorts_of(query: Query, catalogue: Catalogue) -> tuple[bytes, ...]:
    """Return 32 bytes for each cohort that a question tells the number of, the same for equal cohorts.

    Raises the UserErrors of :func:`~app.core.query.canonical.canonical_query`.
    """
    cohorts = [query.cohort, *(cell.mask for cell in cells_of(query, catalogue).cells)]
    cohorts += [All((query.cohort, *criteria)) for criteria in _groups(query, catalogue)]
    hashes = (query_hash(Query(each), catalogue) for each in dict.fromkeys(cohorts))
    return tuple(dict.fromkeys(hashes))


def _groups(query: Query, catalogue: Catalogue) -> list[tuple[Cohort, ...]]:
    """Return the criteria of each group that a question tells the number of, those of a table's margins included."""

    def criteria(grouping: Grouping) -> list[Cohort]:
        return [group.criterion for group in groups_of(grouping, catalogue)]

    match query.analysis:
        case Breakdown(code) | Histogram(code):
            return [(each,) for each in criteria(Grouping(code))]
        case Compare(_, by) | Survival(_, Grouping() as by):
            return [(each,) for each in criteria(by)]
        case Table(rows, columns):
            down, across = criteria(rows), criteria(columns)
            return [*((each,) for each in (*down, *across)), *product(down, across)]
        case _:
            return []


def check_asked(
    site: LocalSite,
    mailroom: Mailroom,
    asker: int,
    query: Query,
    catalogue: Catalogue,
    contributors: Collection[int],
    minimum: int,
) -> None:
    """Raise UserError ``budget.similar_set`` if no set of sites that a request may close with could answer it.

    Which sites will answer is not known yet. So a request also passes if a set that was answered before is among those
    asked, as when somebody asks everyone again while one site is away.
    """
    take_in(site, mailroom)
    policy = decisions.policy_of(site)
    if policy.per_site:
        return
    for cohort in cohorts_of(query, catalogue):
        answered = _sets(site, cohort)
        if _tells_of_few(answered, tuple(contributors), policy.others, asker) and not any(
            set(each) <= set(contributors) and len(each) >= minimum for each in answered
        ):
            raise UserError("budget.similar_set", sites=_names(site, answered[-1]))


def check_closed(site: LocalSite, mailroom: Mailroom, session: bytes, heard: QueryHeard) -> None:
    """Raise UserError ``budget.similar_set`` if the set that a query was closed with tells of too few sites.

    Otherwise the set is kept as answered. What this site's policy allows to be told per site, it may be worked out too.
    """
    if heard.close is None or site.profile.answered_sets.known(session):
        return
    take_in(site, mailroom, except_for=session)
    contributors = heard.close.contributors
    cohorts = _known_cohorts(site, heard.request)
    policy = decisions.policy_of(site)
    if not policy.per_site:
        for cohort in cohorts:
            answered = _sets(site, cohort)
            if _tells_of_few(answered, contributors, policy.others, heard.asker):
                if site.position in contributors:  # nothing can be opened without us
                    _note(site, AnsweredSet(session, heard.asker, ()), ())
                raise UserError("budget.similar_set", sites=_names(site, answered[-1]))
    _note(site, AnsweredSet(session, heard.asker, contributors), cohorts)


@lru_cache(maxsize=256)
def _tells_of_few(answered: tuple[tuple[int, ...], ...], wanted: tuple[int, ...], least: int, asker: int) -> bool:
    """As :func:`tells_of_few`: the many cohorts of one table mostly have the same sets behind them."""
    return tells_of_few(answered, wanted, least, asker)


def take_in(site: LocalSite, mailroom: Mailroom, except_for: bytes = b"") -> None:
    """Keep the closed sets of all queries that were heard of since; ``except_for`` this one.

    A set that we are in ourselves counts once we reveal our contribution, :func:`check_closed` keeps it then; one that
    breaks the protocol is answered by nobody, and one whose contributor has refused is not opened.
    """
    hearing = QueryHearing(site, mailroom)
    for session in site.profile.answered_sets.unknown(KIND):
        stored = site.profile.sessions.get(session)
        if session == except_for or stored is None:
            continue
        heard = hearing.heard(session)
        told = () if heard.close is None else heard.close.contributors
        if told and site.position not in told and not _broken(heard) and not set(told) & set(heard.refused):
            _note(site, AnsweredSet(session, heard.asker, told), _known_cohorts(site, heard.request))
        elif stored.state != OPEN:
            _note(site, AnsweredSet(session, heard.asker, ()), ())


def _broken(heard: QueryHeard) -> bool:
    """Whether somebody broke the protocol of a query, however it ended."""
    return isinstance(next_step(replace(heard, failed="", released=False)), Refuse)


def _known_cohorts(site: LocalSite, request: Request) -> tuple[bytes, ...]:
    """Return the cohorts of a request; none if it uses variables that this site's catalogues do not have."""
    try:
        return cohorts_of(request.query, site.catalogue_of(request.meanings))
    except UserError:
        return ()


def _note(site: LocalSite, answered: AnsweredSet, cohorts: Sequence[bytes]) -> None:
    active = site.profile.datasets.active()
    dataset = b"" if active is None else active.id
    told = cohorts if set(answered.sites) - {answered.asker} else ()  # of the asker alone: nothing that it did not know
    site.profile.answered_sets.note(answered, told or (_NO_COHORT,), dataset, now=site.clock.now())


def _sets(site: LocalSite, cohort: bytes) -> tuple[tuple[int, ...], ...]:
    active = site.profile.datasets.active()
    return site.profile.answered_sets.of_cohort(cohort, b"" if active is None else active.id)


def _names(site: LocalSite, positions: Iterable[int]) -> str:
    return ", ".join(map(site.site_name, positions))
