"""Asking a question, following it, and reading its answer as a person does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from typing import Any
from weakref import WeakKeyDictionary

from app.core.disclosure.showing import Rules
from app.core.errors import UserError
from app.core.federation import charging, decisions, holdings, news, small_counts
from app.core.federation.contributing import asked_cells, blocks_of_count, dataset_shape, openers_of
from app.core.federation.joining_messages import QUERY_FORMAT
from app.core.federation.people import claimed
from app.core.federation.query_hearing import DONE, FAILED, KIND, OPEN, asker_of, failure_of
from app.core.federation.query_messages import CLOSE, COMPUTING, SITE_STATES
from app.core.federation.query_rounds import AwaitSites, Contribute, QueryHeard, next_step
from app.core.federation.query_session import CANCELLED, QueryDesk
from app.core.federation.roster import Site
from app.core.query.model import Query
from app.core.query.placing import placed
from app.core.query.planner import make_plan
from app.core.services import budget, cohorts, people
from app.core.services.answers import (
    Answer,
    answer_of,
    answer_to_plain,
    most_draws,
    results_of,
    rules_in_force,
    scales_of,
    width_of,
)
from app.core.services.asked_under import AskedUnder, in_force
from app.core.services.member import Member
from app.core.store.documents import Header
from app.core.store.history import Run
from app.core.store.sessions import Session

LEAST_CONTRIBUTORS = 3
"""How many sites must answer at the least where the asker does not say: two besides its own."""

UNKNOWN_BLOCKS = 16
"""How many blocks a dataset is taken to have at the most, of a site that has not told: 262,144 patients."""

EXPIRED = "query.expired"
SENT = "sent"
_UNDECIDED = (SENT, *SITE_STATES)
"""States of a site that has not committed itself: once the query is over, nobody waits for it any more."""
_NO_DATASET = ("data.no_dataset",)
_LACKS_VARIABLE = ("query.variable_not_in_dataset", "query.variable_differs")


@dataclass(frozen=True)
class SiteState:
    """Where one site is: sent, delivered, waiting (for a person), approved, computing, committed, answered, declined,
    no dataset, variable missing, late, refused or not needed (any more).

    ``code`` says why, where there is a reason. ``since`` is when it last said something (UTC ms), 0 if it never has;
    ``contact`` whom to telephone.
    """

    site: str
    state: str
    code: str = ""
    since: int = 0
    percent: int | None = None
    """How much of a computation is done, while one is under way."""
    contact: str = ""
    reason: Mapping[str, str | int | bool] = field(default_factory=dict)
    """What ``code`` is about, as far as the site has said: rule, version, source, and what its sentence needs."""


@dataclass(frozen=True)
class Protection:
    """What protects a result: how many sites open it and who shall, the least number in it, and each site's noise.

    ``epsilon`` is empty and ``noise_scale`` 0 for an exact one.
    """

    quorum: int
    of: int
    openers: tuple[str, ...]
    minimum: int
    epsilon: str
    noise_scale: float
    smallest: Mapping[str, Any] | None = None
    """Which counts cryptography withholds, ``least`` and ``zeros``, and what that is ``binding`` by."""


@dataclass(frozen=True)
class QueryView:
    """One query of this site: its state is sent, closed, released, failed, cancelled or expired."""

    id: bytes
    text: str
    state: str
    code: str
    purpose: str
    asked: int
    closed: int
    """When the set of contributing sites was closed (UTC ms); 0 while it is open."""
    ended: int
    """When the query was released or came to another end (UTC ms); 0 before."""
    deadline: int
    query: Query
    awaited: tuple[str, tuple[str, ...]]
    """What is waited for (commit, close, contribute, open; empty for nothing), and from whom."""
    protection: Protection
    sites: tuple[SiteState, ...]
    notes: tuple[tuple[str, str], ...]
    answer: Answer | None
    under: AskedUnder = AskedUnder()
    asked_by: str = ""
    """The person who asked; empty for the site itself."""
    project: str = ""
    price: Mapping[str, Any] = field(default_factory=dict)
    """What it cost here, see :func:`app.core.services.budget.charged`."""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in ("sent", "closed")


def ask(
    member: Member,
    text: str,
    *,
    epsilon: Fraction | None = None,
    purpose: str,
    sites: Sequence[str] = (),
    minimum: int | None = None,
    deadline: int = 0,
    per_site: bool = False,
    person: str = "",
    project: str = "",
) -> bytes:
    """Ask ``sites`` (every site, if none is named) the question ``text`` and return the query's id.

    This site asks, or ``person``, whose key is on this workstation, maybe under ``project`` (title or id). Exact, or
    with each site's own noise of ``epsilon``; the total alone, or ``per_site``. At least ``minimum`` must answer;
    ``deadline`` (UTC ms, 0 for none) closes the set with those who have. Raises UserError ``query.*`` that points at
    the place of a mistake, ``query.bad_minimum`` if there are not so many sites, ``query.deadline_past``,
    ``query.older_program`` if a site's program cannot read such a question, those of the planner if our own dataset
    says that the question does not fit, ``policy.own_*`` or ``budget.*`` if our own policy would decline it, and
    as ``people.in_name_of``.
    """
    site = member.site
    text, query = cohorts.question(site.profile, site.catalogue, text)
    query = replace(query, per_site=per_site)
    chosen = tuple(sorted({site.roster.site_named(name).position for name in sites})) or site.roster.positions
    if minimum is not None and not 1 <= minimum <= len(chosen):
        raise UserError("query.bad_minimum", minimum=minimum, sites=len(chosen))
    if deadline and deadline <= site.clock.now():
        raise UserError("query.deadline_past")
    smallest = small_counts.needed(site, member.mailroom, chosen, epsilon)
    blocks, quorum = blocks_of(member, query, chosen), nearest_quorum(member, aside=smallest is not None)
    in_name = people.in_name_of(member, person, project) if person or project else None
    version = query.version if in_name is None and smallest is None else 3
    _check_programs(member, version, {*chosen, *quorum})
    cells = asked_cells(query, site.catalogue).cells
    placing = placed(cells, site.roster.parameters, blocks or (1,) * len(chosen), per_site=per_site)
    active = site.profile.datasets.active()
    if active is not None and site.position in chosen:
        shape = dataset_shape(Header.decode(active.header))
        contributor = chosen.index(site.position)
        if not blocks:
            own = blocks_of_count(shape, len(chosen), contributor)
            placing = placed(cells, site.roster.parameters, own, per_site=per_site)
        make_plan(query, site.catalogue, shape, openers_of(site), placing=placing, contributor=contributor)
    least = min(LEAST_CONTRIBUTORS, len(chosen)) if minimum is None else minimum
    decisions.judge_own(
        site,
        chosen,
        least,
        exact=epsilon is None,
        per_site=per_site,
        query=query,
        epsilon=epsilon,
        asked=None if in_name is None else in_name.asked,
    )
    who = None if in_name is None else in_name.asked
    budget.check_own(
        member,
        charging.Asked(query, epsilon, chosen, blocks, smallest),
        least,
        person="" if who is None else who.person,
        project=b"" if who is None or who.project is None else who.project.id,
    )
    return member.desk.ask(
        query,
        text=text,
        epsilon=epsilon,
        contributors=chosen,
        quorum=quorum,
        minimum=least,
        purpose=purpose,
        deadline=deadline,
        blocks=blocks,
        results=placing.results,
        authority=None if in_name is None else in_name.sign,
        smallest=smallest,
        under=in_force(member).to_cbor(),
    )


def blocks_of(member: Member, query: Query, contributors: Sequence[int]) -> tuple[int, ...]:
    """Return how many blocks of patients each contributor's dataset has at the most; none for what need not say so."""
    if query.version == 1:
        return ()
    told = {position: each.blocks for position, each in holdings.heard(member.site, member.mailroom).items()}
    told[member.site.position] = member.dataset.blocks
    found = (told.get(position) for position in contributors)
    return tuple(UNKNOWN_BLOCKS if blocks is None else max(blocks, 1) for blocks in found)


def _check_programs(member: Member, version: int, positions: set[int]) -> None:
    """Refuse a question that the program of one of these sites could not read."""
    programs = news.heard(member.site, member.mailroom)
    for position in sorted(positions & programs.keys()):
        program = programs[position].program
        if version not in program.formats.get(QUERY_FORMAT, ()):
            name = member.site.site_name(position)
            raise UserError("query.older_program", site=name, version=program.version)


def nearest_quorum(member: Member, without: Sequence[int] = (), *, aside: bool = False) -> tuple[int, ...]:
    """Return this site and those that follow it in the roster, as many as the quorum asks for.

    ``without`` are sites to do without; this one stands ``aside`` where small counts are withheld, if a quorum can do
    without it. Raises UserError ``query.quorum_not_met`` if too few are left.
    """
    site = member.site
    if aside and site.roster.quorum < len(site.roster.sites):
        without = (*without, site.position)
    count = len(site.roster.sites)
    around = [(site.position - 1 + step) % count + 1 for step in range(count)]
    members = [position for position in around if position not in without][: site.roster.quorum]
    if len(members) < site.roster.quorum:
        raise UserError("query.quorum_not_met", quorum=site.roster.quorum, left=len(members))
    return tuple(sorted(members))


def list_queries(member: Member, most: int | None = None) -> list[QueryView]:
    """Return this site's own queries, newest first; all, or at most so many."""
    return [show(member, run.id) for run in member.site.profile.runs.all()[:most]]


def show(member: Member, id: bytes) -> QueryView:
    """Return one of this site's own queries; raises UserError ``query.unknown``."""
    profile = member.site.profile
    session, run = profile.sessions.get(id), profile.runs.get(id)
    if session is None or run is None or session.kind != KIND:
        raise UserError("query.unknown", id=id.hex())
    times = profile.inbox.times(id)
    remembered, now = _ended.setdefault(member.desk, {}), (len(times), rules_in_force(member))
    if session.state != OPEN and id in remembered and remembered[id][0] == now:
        return remembered[id][1]
    view = _view(member, session, run, times)
    if session.state != OPEN:
        remembered[id] = now, view
    return view


_ended: WeakKeyDictionary[QueryDesk, dict[bytes, tuple[tuple[int, Rules], QueryView]]] = WeakKeyDictionary()
"""Queries that are over, with the number of messages of each and what may be shown: opening them all again would take a
while."""


def _view(member: Member, session: Session, run: Run, times: Sequence[tuple[int, str, int]]) -> QueryView:
    id, heard = session.id, member.desk.heard(session.id)
    released = member.desk.result(id)
    code = failure_of(session)
    person, project = claimed(member.site, heard.request)
    latest = {sender: at for sender, _, at in times}
    return QueryView(
        id=id,
        text=run.text,
        state=_state(session, heard, code),
        code=code,
        purpose=heard.request.purpose,
        asked=run.created,
        closed=next((at for sender, type_, at in times if (sender, type_) == (heard.asker, CLOSE)), 0),
        ended=0 if session.state == OPEN else session.updated,
        deadline=heard.request.deadline,
        query=heard.request.query,
        awaited=_awaited(member, session, heard),
        protection=_protection(member, heard),
        sites=tuple(
            _site_state(site, session, heard, latest.get(site.position, 0))
            for site in member.site.roster.sites
            if site.position in heard.request.contributors
        ),
        notes=member.desk.notes(id),
        answer=None if released is None else answer_of(member, released),
        under=AskedUnder.from_cbor(run.data),
        asked_by=person,
        project=project,
        price=budget.charged(member, id, heard.request.epsilon, own=(1, member.site.position) in heard.committed),
    )


def find_query(member: Member, name: str) -> bytes:
    """Return the id that starts with the hexadecimal ``name``; raises UserError ``query.unknown``, ``.ambiguous``."""
    wanted = name.strip().lower()
    known = [session.id for session in member.site.profile.sessions.all(kind=KIND)]
    found = [id for id in known if wanted and id.hex().startswith(wanted)]
    if len(found) > 1:
        raise UserError("query.ambiguous", id=wanted[:64], count=len(found))
    if not found:
        raise UserError("query.unknown", id=wanted[:64])
    return found[0]


def next_deadline(member: Member) -> int | None:
    """Return when the next of this site's own open queries closes (UTC ms), or None."""
    deadlines = []
    for session in member.site.profile.sessions.all(kind=KIND):
        if session.state not in (DONE, FAILED) and asker_of(session) == member.site.position:
            heard = member.desk.heard(session.id)
            if heard.request.deadline and heard.close is None:
                deadlines.append(heard.request.deadline)
    return min(deadlines, default=None)


def _state(session: Session, heard: QueryHeard, code: str) -> str:
    if session.state == DONE:
        return "released"
    if session.state == FAILED:
        return {CANCELLED: "cancelled", EXPIRED: "expired"}.get(code, "failed")
    return "sent" if heard.close is None else "closed"


def _awaited(member: Member, session: Session, heard: QueryHeard) -> tuple[str, tuple[str, ...]]:
    if session.state != OPEN:
        return "", ()
    match next_step(heard):
        case AwaitSites(what, missing):
            return what, tuple(map(member.site.site_name, missing))
        case Contribute():
            return "commit", (member.site.site_name(member.site.position),)
        case _:
            return "", ()


def _protection(member: Member, heard: QueryHeard) -> Protection:
    epsilon = heard.request.epsilon
    scales: tuple[Fraction, ...] = ()
    if epsilon is not None:
        catalogue = member.site.catalogue_of(heard.request.meanings)
        scales = scales_of(asked_cells(heard.request.query, catalogue), epsilon)
    return Protection(
        quorum=member.site.roster.quorum,
        of=len(member.site.roster.sites),
        openers=tuple(map(member.site.site_name, heard.quorum)),
        minimum=heard.request.minimum,
        epsilon="" if epsilon is None else str(epsilon),
        noise_scale=float(max(scales, default=Fraction(0))),
        smallest=small_counts.to_plain(heard.request.smallest, member.site.roster),
    )


def _site_state(site: Site, session: Session, heard: QueryHeard, since: int) -> SiteState:
    state, code = _place_of(heard, site.position)
    if session.state != OPEN and state in _UNDECIDED:
        state = "late" if failure_of(session) == EXPIRED else "not needed"
    percent = heard.percents.get(site.position) if state == COMPUTING else None
    return SiteState(site.name, state, code, since, percent, site.contact, heard.reason_of(site.position, code))


def _place_of(heard: QueryHeard, position: int) -> tuple[str, str]:
    """Return how far a site has come, and why where there is a reason."""
    if position in heard.declined:
        code = heard.declined[position]
        state = "no dataset" if code in _NO_DATASET else "declined"
        return "variable missing" if code in _LACKS_VARIABLE else state, code
    if position in heard.refused:
        return "refused", heard.refused[position]
    if heard.close is not None and position not in heard.close.contributors:
        return "late", ""
    if (heard.attempt, position) in heard.contributions:
        return "answered", ""
    if (1, position) in heard.committed:  # in a later attempt it sends the same again
        return "committed", ""
    return heard.states.get(position, SENT), ""


def width_of_noise(
    member: Member, query: Query, epsilon: Fraction, chosen: Sequence[int], contributors: int | None = None
) -> int:
    """Return the half width of the interval that noise of ``epsilon`` each implies for the first number.

    The sites at ``chosen`` are asked, of which so many ``contributors`` answer (all of them unless it says so). The
    number is the count, the first group, or whatever :func:`app.core.query.cells.cells_of` has first.
    """
    cells = asked_cells(query, member.site.catalogue)
    blocks = blocks_of(member, query, chosen) or (1,) * len(chosen)
    placing = placed(cells.cells, member.site.roster.parameters, blocks, per_site=query.per_site)
    draws = most_draws(placing, range(len(chosen)), 0)
    return width_of(scales_of(cells, epsilon), [draws], len(chosen) if contributors is None else contributors)


def told(member: Member, view: QueryView) -> dict[str, Any]:
    """Return a query as :func:`view_to_plain` does, with the results of its analysis."""
    results = [] if view.answer is None else results_of(member, view.id, view.answer)
    return view_to_plain(view, results)


def view_to_plain(view: QueryView, results: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return a query as it travels: as JSON has it but for ``query``, its canonical bytes."""
    return {
        "id": view.id.hex(),
        "text": view.text,
        "state": view.state,
        "code": view.code,
        "purpose": view.purpose,
        "asked": view.asked,
        "closed": view.closed,
        "ended": view.ended,
        "deadline": view.deadline,
        "query": view.query.to_cbor(),
        "awaited": {"what": view.awaited[0], "sites": list(view.awaited[1])},
        "protection": {**asdict(view.protection), "openers": list(view.protection.openers)},
        "sites": [asdict(each) for each in view.sites],
        "notes": [{"site": site, "text": text} for site, text in view.notes],
        "under": view.under.to_plain(),
        "asked_by": view.asked_by,
        "project": view.project,
        "price": dict(view.price),
        "per_site": view.query.per_site,
        "analysis": view.query.analysis.name,
        "answer": None if view.answer is None else answer_to_plain(view.answer, results),
    }
