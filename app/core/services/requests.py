"""What other sites ask of this one: shown in plain words, answered or declined by a person, or by the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import UserError
from app.core.federation import decisions, small_counts
from app.core.federation.decisions import Decision
from app.core.federation.people import claimed
from app.core.federation.query_hearing import KIND, OPEN, asker_of, failure_of
from app.core.federation.query_messages import WAITING, Request
from app.core.federation.query_rounds import QueryHeard
from app.core.query.text import format_query
from app.core.services import policies
from app.core.services.member import Member
from app.core.store.sessions import Session


@dataclass(frozen=True)
class RequestView:
    """One request. ``state`` is waiting (for a person here), open, declined, done or over; ``code`` says why.

    ``answered`` is whether this site has committed to its answer; ``decided`` is what a person here said, empty if the
    policy alone decided.
    """

    id: bytes
    asker: str
    contact: str
    text: str
    purpose: str
    state: str
    code: str
    answered: bool
    decided: str
    exact: bool
    epsilon: str
    minimum: int
    sites: tuple[str, ...]
    received: int
    deadline: int
    reminders: int
    notes: tuple[tuple[str, str], ...]
    request: Request
    person: str = ""
    """Who asks at the asker's site, as the request says; empty for the site itself."""
    project: str = ""
    """The title of the project that the request names, or its id if it is unknown here."""
    reason: Mapping[str, str | int | bool] = field(default_factory=dict)
    """What ``code`` is about where this site has declined: rule, version, source, and what its sentence needs."""
    smallest: Mapping[str, Any] | None = None
    """Which small counts cryptography withholds, see :func:`app.core.federation.small_counts.to_plain`."""

    def to_plain(self) -> dict[str, Any]:
        """Return the request as JSON has it."""
        return {
            "id": self.id.hex(),
            "asker": self.asker,
            "contact": self.contact,
            "text": self.text,
            "purpose": self.purpose,
            "state": self.state,
            "code": self.code,
            "answered": self.answered,
            "decided": self.decided,
            "exact": self.exact,
            "epsilon": self.epsilon,
            "minimum": self.minimum,
            "sites": list(self.sites),
            "received": self.received,
            "deadline": self.deadline,
            "reminders": self.reminders,
            "notes": [{"site": site, "text": text} for site, text in self.notes],
            "analysis": self.request.query.analysis.name,
            "per_site": self.request.query.per_site,
            "results": self.request.results,
            "asked_by": self.person,
            "project": self.project,
            "reason": dict(self.reason),
            "smallest": None if self.smallest is None else dict(self.smallest),
        }


def list_requests(member: Member) -> list[RequestView]:
    """Return the requests of other sites, newest first."""
    found = [
        show(member, session.id)
        for session in member.site.profile.sessions.all(kind=KIND)
        if asker_of(session) != member.site.position
    ]
    return found[::-1]


def show(member: Member, id: bytes) -> RequestView:
    """Return one request of another site; raises UserError ``request.unknown``."""
    site = member.site
    session = site.profile.sessions.get(id)
    if session is None or session.kind != KIND or asker_of(session) == site.position:
        raise UserError("request.unknown", id=id.hex())
    heard = member.desk.heard(id)
    request, asker = heard.request, site.roster.sites[heard.asker - 1]
    said = member.desk.notes(id)
    decided = decisions.decision_on(site, id)
    person, project = claimed(site, request)
    code = heard.declined.get(site.position, "") or failure_of(session)
    return RequestView(
        id=id,
        asker=asker.name,
        contact=asker.contact,
        text=format_query(request.query, site.catalogue_of(request.meanings)),
        purpose=request.purpose,
        state=_state(site.position, session, heard),
        code=code,
        answered=any(position == site.position for _, position in heard.committed),
        decided="" if decided is None else decided.value,
        exact=request.epsilon is None,
        epsilon="" if request.epsilon is None else str(request.epsilon),
        minimum=request.minimum,
        sites=tuple(map(site.site_name, request.contributors)),
        received=session.created,
        deadline=request.deadline,
        reminders=sum(not text for name, text in said if name == asker.name),
        notes=tuple(each for each in said if each[1]),
        request=request,
        person=person,
        project=project,
        reason=heard.reason_of(site.position, code),
        smallest=small_counts.to_plain(request.smallest, site.roster),
    )


def _state(me: int, session: Session, heard: QueryHeard) -> str:
    if me in heard.declined:
        return "declined"
    if session.state != OPEN:
        return "done" if heard.released else "over"
    undecided = me in heard.contributors and (1, me) not in heard.committed
    return "waiting" if undecided and heard.states.get(me) == WAITING else "open"


def answer(member: Member, id: bytes, *, always: bool = False) -> None:
    """Answer a request that waits for a person, and ``always`` those of its kind from now on, nobody being asked.

    Raises UserError ``request.not_waiting``, ``request.decided``; with ``always`` as :func:`.policies.always`.
    """
    _waiting(member, id)
    with member.site.profile.database.atomic():
        decisions.decide(member.site, id, Decision.ANSWER)
        if always:
            heard = member.desk.heard(id)
            policies.always(member, heard.asker, heard.request)
    member.desk.advance()


def decline(member: Member, id: bytes, reason: str) -> None:
    """Decline a request that waits for a person, with a reason for the asker; raises as :func:`answer`."""
    _waiting(member, id)
    if reason:
        member.desk.note(id, reason)
    decisions.decide(member.site, id, Decision.DECLINE)
    member.desk.advance()


def ask_back(member: Member, id: bytes, text: str) -> None:
    """Ask the asker something about its request; raises UserError ``request.unknown``."""
    show(member, id)
    member.desk.note(id, text)


def _waiting(member: Member, id: bytes) -> None:
    if show(member, id).state != "waiting":
        raise UserError("request.not_waiting")
