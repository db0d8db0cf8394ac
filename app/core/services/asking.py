"""Asking a question, following it, and reading its answer as a person does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any
from weakref import WeakKeyDictionary

from app.core.disclosure.noise import half_width, laplace_scale
from app.core.errors import UserError
from app.core.federation import decisions
from app.core.federation.contributing import COUNT_SENSITIVITY, dataset_shape, openers_of
from app.core.federation.query_hearing import DONE, FAILED, KIND, OPEN, asker_of, failure_of
from app.core.federation.query_messages import CLOSE, COMPUTING, SITE_STATES
from app.core.federation.query_rounds import AwaitSites, Contribute, QueryHeard, next_step
from app.core.federation.query_session import CANCELLED, QueryDesk, Released
from app.core.federation.roster import Site
from app.core.query.model import Query
from app.core.query.planner import make_plan
from app.core.services import cohorts
from app.core.services.member import Member
from app.core.store.documents import Header
from app.core.store.history import Run
from app.core.store.sessions import Session

CONFIDENCE = 0.95
LEAST_CONTRIBUTORS = 3
"""How many sites must answer at the least where the asker does not say: two besides its own."""

EXPIRED = "query.expired"
SENT = "sent"
_UNDECIDED = (SENT, *SITE_STATES)
"""States of a site that has not committed itself: once the query is over, nobody waits for it any more."""
_NO_DATASET = ("data.no_dataset",)
_LACKS_VARIABLE = ("query.variable_not_in_dataset", "query.variable_differs")


@dataclass(frozen=True)
class Answer:
    """A released count. ``half_width`` is that of the 95 % interval which the sites' noise implies; 0 if exact."""

    text: str
    count: int
    exact: bool
    noise_scale: float
    half_width: int
    contributors: tuple[str, ...]
    declined: tuple[tuple[str, str], ...]


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
) -> bytes:
    """Ask ``sites`` (every site, if none is named) the question ``text`` and return the query's id.

    Exact, or with each site's own noise of ``epsilon``. At least ``minimum`` must answer; ``deadline`` (UTC ms, 0 for
    none) closes the set with those who have. Raises UserError ``query.*`` that points at the place of a mistake,
    ``query.bad_minimum`` if there are not so many sites, ``query.deadline_past``, those of the planner if our own
    dataset says that the question does not fit, and ``policy.own_*`` if our own policy would decline it.
    """
    site = member.site
    text, query = cohorts.question(site.profile, site.catalogue, text)
    chosen = tuple(sorted({site.roster.site_named(name).position for name in sites})) or site.roster.positions
    if minimum is not None and not 1 <= minimum <= len(chosen):
        raise UserError("query.bad_minimum", minimum=minimum, sites=len(chosen))
    if deadline and deadline <= site.clock.now():
        raise UserError("query.deadline_past")
    active = site.profile.datasets.active()
    if active is not None and site.position in chosen:
        make_plan(query, site.catalogue, dataset_shape(Header.decode(active.header)), openers_of(site))
    least = min(LEAST_CONTRIBUTORS, len(chosen)) if minimum is None else minimum
    decisions.judge_own(site, chosen, least, epsilon is None)
    return member.desk.ask(
        query,
        text=text,
        epsilon=epsilon,
        contributors=chosen,
        quorum=nearest_quorum(member),
        minimum=least,
        purpose=purpose,
        deadline=deadline,
    )


def nearest_quorum(member: Member, without: Sequence[int] = ()) -> tuple[int, ...]:
    """Return this site and those that follow it in the roster, as many as the quorum asks for.

    ``without`` are sites to do without; raises UserError ``query.quorum_not_met`` if too few are left.
    """
    site = member.site
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
    remembered = _ended.setdefault(member.desk, {})
    if session.state != OPEN and id in remembered and remembered[id][0] == len(times):
        return remembered[id][1]
    view = _view(member, session, run, times)
    if session.state != OPEN:
        remembered[id] = len(times), view
    return view


_ended: WeakKeyDictionary[QueryDesk, dict[bytes, tuple[int, QueryView]]] = WeakKeyDictionary()
"""Queries that are over, with the number of messages of each: opening them all again would take a while."""


def _view(member: Member, session: Session, run: Run, times: Sequence[tuple[int, str, int]]) -> QueryView:
    id, heard = session.id, member.desk.heard(session.id)
    released = member.desk.result(id)
    code = failure_of(session)
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
        answer=None if released is None else answer_of(released, run.text),
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
    return Protection(
        quorum=member.site.roster.quorum,
        of=len(member.site.roster.sites),
        openers=tuple(map(member.site.site_name, heard.quorum)),
        minimum=heard.request.minimum,
        epsilon="" if epsilon is None else str(epsilon),
        noise_scale=0.0 if epsilon is None else float(laplace_scale(epsilon, COUNT_SENSITIVITY)),
    )


def _site_state(site: Site, session: Session, heard: QueryHeard, since: int) -> SiteState:
    state, code = _place_of(heard, site.position)
    if session.state != OPEN and state in _UNDECIDED:
        state = "late" if failure_of(session) == EXPIRED else "not needed"
    percent = heard.percents.get(site.position) if state == COMPUTING else None
    return SiteState(site.name, state, code, since, percent, site.contact)


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


def answer_of(released: Released, text: str) -> Answer:
    """Return what a released query says: the count and how sure it is."""
    scale = None if released.epsilon is None else laplace_scale(released.epsilon, COUNT_SENSITIVITY)
    scales = [] if scale is None else [scale] * len(released.contributors)
    declined: Mapping[str, str] = released.declined
    return Answer(
        text=text,
        count=released.numbers[0],
        exact=scale is None,
        noise_scale=0.0 if scale is None else float(scale),
        half_width=half_width(scales, CONFIDENCE) if scales else 0,
        contributors=released.contributors,
        declined=tuple(sorted(declined.items())),
    )


def width_of_noise(epsilon: Fraction, contributors: int) -> int:
    """Return the half width of the interval that so many sites' noise of ``epsilon`` each implies for a count."""
    return half_width([laplace_scale(epsilon, COUNT_SENSITIVITY)] * contributors, CONFIDENCE) if contributors else 0


def view_to_plain(view: QueryView) -> dict[str, Any]:
    """Return a query as it travels: as JSON has it but for ``query``, its canonical bytes."""
    answer = view.answer
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
        "answer": None
        if answer is None
        else {
            "count": answer.count,
            "exact": answer.exact,
            "noise_scale": answer.noise_scale,
            "half_width": answer.half_width,
            "contributors": list(answer.contributors),
        },
    }
