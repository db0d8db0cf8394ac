"""Living through queries as one site: contributing, opening for others, asking.

The state machine is :mod:`app.core.federation.query_rounds`, the messages :mod:`app.core.federation.query_messages`,
what is computed :mod:`app.core.federation.query_work`. What a site says is stored, encrypted, in the transaction that
queues it; a process killed anywhere goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

from app.core import codec
from app.core.errors import Bug, ConsiliumError, EnvironmentProblem, PeerProblem, ProtocolViolation, UserError
from app.core.federation import audit
from app.core.federation import query_messages as messages
from app.core.federation.evaluations import Computing, Evaluations, Made, Work
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom, Post
from app.core.federation.query_hearing import (
    DONE,
    FAILED,
    KIND,
    OPEN,
    QueryHearing,
    asker_of,
    failure_of,
    session_data,
)
from app.core.federation.query_messages import Authority, Request, SmallestCount
from app.core.federation.query_rounds import (
    AnswerShare,
    AwaitSites,
    CloseSet,
    Combine,
    Contribute,
    GiveUp,
    HideCounts,
    Over,
    QueryHeard,
    Refuse,
    RevealContribution,
    RevealMasks,
    next_step,
)
from app.core.federation.query_words import StateWords, sayable
from app.core.federation.query_work import QueryWork
from app.core.query.model import Query

__all__ = ["DONE", "FAILED", "OPEN", "Contributor", "Made", "QueryDesk", "QueryStatus", "Released"]

_PASSING = ("worker.killed", "disk.full")
CANCELLED = "query.cancelled"
PERSON = "person"
"""What a query waits for while a person of this site has to decide."""
COMPUTE = "compute"
"""What a query waits for while this site computes its contribution."""


class Contributor(Protocol):
    """Decides whether this site answers a request, and computes its contribution."""

    def contribute(self, session: bytes, asker: int, request: Request) -> Made | Work | None:
        """Return the contribution, or the work that makes it, or None while a person has to decide; raises UserError
        or EnvironmentProblem to decline with that code, as the work does.

        What passes (a killed worker, a full disk) declines nothing: it is tried again.
        """
        ...


@dataclass(frozen=True)
class Released:
    """What the asker reads: the opened numbers and what they are made of."""

    session: bytes
    request: Request
    numbers: tuple[int | None, ...]
    """None where cryptography has withheld a small count."""
    positions: tuple[int, ...]
    """Roster positions of the contributing sites."""
    contributors: tuple[str, ...]
    declined: Mapping[str, str]


@dataclass(frozen=True)
class QueryStatus:
    """Where a query stands for this site: for an open one who is waited for to do what, else why it failed.

    An open one may have a code too: why a contribution cannot be fetched at the moment.
    """

    state: str
    waiting: str = ""
    waiting_for: tuple[str, ...] = ()
    code: str = ""


class QueryDesk:
    """All queries of one site."""

    def __init__(
        self,
        site: LocalSite,
        mailroom: Mailroom,
        post: Post,
        contributor: Contributor,
        evaluations: Evaluations | None = None,
    ) -> None:
        self._site = site
        self._mailroom = mailroom
        self._contributor = contributor
        self._evaluations = evaluations or Evaluations()
        self._hearing = QueryHearing(site, mailroom)
        self._work = QueryWork(site, mailroom, post)
        self._words = StateWords(site, mailroom)

    # --- asking -----------------------------------------------------------------------------------------------

    def ask(
        self,
        query: Query,
        *,
        text: str,
        epsilon: Fraction | None,
        contributors: tuple[int, ...],
        quorum: tuple[int, ...],
        minimum: int,
        purpose: str,
        deadline: int = 0,
        blocks: tuple[int, ...] = (),
        results: int = 1,
        smallest: SmallestCount | None = None,
        authority: Callable[[Request], Authority] | None = None,
        under: bytes = b"",
    ) -> bytes:
        """Send a request and return its session id; the one-time key is stored before anything is sent.

        ``authority`` signs the request for the person who asks; ``under`` is kept with the run: what it was asked
        under.
        """
        session = self._site.random(32)
        meanings = {code: self._site.catalogue.meaning(code) for code in query.codes}
        now, data = self._site.clock.now(), session_data(self._site.position)
        with self._site.profile.database.atomic():
            key = self._work.new_key(session).public
            request = Request(
                query=query,
                epsilon=epsilon,
                contributors=contributors,
                quorum=quorum,
                minimum=minimum,
                key=key,
                meanings=meanings,
                purpose=purpose,
                deadline=deadline,
                blocks=blocks,
                results=results,
                smallest=smallest,
            )
            if authority is not None:
                request = replace(request, authority=authority(request))
            Request.from_body(request.to_body(), len(self._site.roster.sites), self._site.roster.quorum)
            self._site.profile.sessions.add(session, kind=KIND, state=OPEN, data=data, now=now)
            self._site.profile.runs.add(session, text=text, state=OPEN, data=under, now=now)
            audit.record(self._site, "request.sent", what=audit.question(self._site, session, request))
            self._mailroom.post(messages.REQUEST, session, request.to_body())
        return session

    def retry(self, session: bytes, quorum: tuple[int, ...]) -> None:
        """Ask another quorum to open the result (asker): at most three attempts in all.

        Raises UserError ``query.not_closed`` before the set of sites is closed and once the query is over.
        """
        heard, stored = self.heard(session), self._site.profile.sessions.get(session)
        if stored is None or stored.state != OPEN or heard.close is None or heard.released or heard.failed:
            raise UserError("query.not_closed")
        if heard.asker != self._site.position or heard.attempt >= messages.MOST_ATTEMPTS:
            raise UserError("query.no_more_attempts", most=messages.MOST_ATTEMPTS)
        body = {"attempt": heard.attempt + 1, "quorum": list(quorum)}
        messages.read_retry(body, len(self._site.roster.sites), self._site.roster.quorum)
        with self._site.profile.database.atomic():
            self._mailroom.post(messages.RETRY, session, body)

    def finish(self, session: bytes) -> None:
        """Close the set with those who have answered, as soon as there are enough (asker).

        Raises UserError ``query.not_yours``, ``query.over``.
        """
        self._asking(session)
        self._say(messages.FINISH, session, {}, (self._site.position,))

    def cancel(self, session: bytes) -> None:
        """End the query (asker); raises as :meth:`finish`."""
        self._asking(session)
        self._say(messages.FAIL, session, {"code": CANCELLED})
        self._advance(session)

    def remind(self, session: bytes) -> tuple[str, ...]:
        """Remind the sites that are waited for, and return their names (asker); raises as :meth:`finish`."""
        heard = self._asking(session)
        waiting = next_step(heard)
        missing = waiting.missing if isinstance(waiting, AwaitSites) else ()
        others = tuple(p for p in missing if p != self._site.position)
        if others:
            self._say(messages.NOTE, session, {"text": ""}, others)
        return tuple(map(self._site.site_name, others))

    def note(self, session: bytes, text: str, position: int | None = None) -> None:
        """Ask back: send ``text`` to the asker, or as the asker to the site at ``position`` (all, if None)."""
        heard = self.heard(session)
        mine = heard.asker == self._site.position
        recipients = (() if position is None else (position,)) if mine else (heard.asker,)
        messages.read_note({"text": text})
        self._say(messages.NOTE, session, {"text": text}, recipients)

    def notes(self, session: bytes) -> tuple[tuple[str, str], ...]:
        """Return (site, text) of every note of a query that this site sent or got; an empty text is a reminder."""
        self.heard(session)
        said = self._mailroom.heard(session, messages.NOTE)
        return tuple((self._site.site_name(sender), text) for sender, text in said)

    def _asking(self, session: bytes) -> QueryHeard:
        """Return what was heard of an open query of our own."""
        heard = self.heard(session)
        stored = self._site.profile.sessions.get(session)
        if heard.asker != self._site.position:
            raise UserError("query.not_yours")
        if stored is None or stored.state != OPEN:
            raise UserError("query.over")
        return heard

    def result(self, session: bytes) -> Released | None:
        """Return what was released to this asker, or None while it is not."""
        stored = self._site.profile.releases.get(session)
        if stored is None:
            return None
        heard = self.heard(session)
        return Released(
            session=session,
            request=heard.request,
            numbers=tuple(codec.decode(stored.data, 1 << 16)),
            positions=heard.contributors,
            contributors=tuple(self._site.site_name(p) for p in heard.contributors),
            declined={
                self._site.site_name(p): code for p, code in heard.declined.items() if p not in heard.contributors
            },
        )

    # --- life -------------------------------------------------------------------------------------------------

    def advance(self) -> dict[bytes, QueryStatus]:
        """Take in new messages, do all that can be done for every open query, and say where each stands.

        A problem of this computer with one query is raised when all others have been looked at.
        """
        self._hearing.take_in()
        statuses: dict[bytes, QueryStatus] = {}
        problems = []
        for session in self._site.profile.sessions.all(kind=KIND):
            if session.state == OPEN:
                try:
                    statuses[session.id] = self._advance(session.id)
                except EnvironmentProblem as problem:
                    problems.append(problem)
        if problems:
            raise problems[0]
        return statuses

    def status(self, session: bytes) -> QueryStatus:
        """Return where one query stands."""
        stored = self._site.profile.sessions.get(session)
        if stored is None or stored.kind != KIND:
            raise UserError("query.unknown", id=session.hex())
        if stored.state == OPEN:
            return self._advance(session)
        return QueryStatus(stored.state, code=failure_of(stored))

    def _advance(self, session: bytes) -> QueryStatus:
        """Do all that can be done now for one open query."""
        while True:
            try:
                status = self._take_step(session, self.heard(session))
            except PeerProblem as problem:
                return QueryStatus(OPEN, "contribute", code=problem.code)
            except (ProtocolViolation, UserError) as error:
                return self._refuse(session, error)
            if status is not None:
                return status

    def _take_step(self, session: bytes, heard: QueryHeard) -> QueryStatus | None:  # noqa: PLR0912 - one branch a step
        """Do the next thing; return where the query stands, or None to go on."""
        match next_step(heard):
            case Contribute(attempt):
                if (waiting := self._contribute(session, heard, attempt)) is not None:
                    return QueryStatus(OPEN, waiting, (self._site.site_name(self._site.position),))
            case CloseSet(contributors):
                hashes = [heard.committed[1, p].hash for p in contributors]
                self._say(messages.CLOSE, session, {"contributors": list(contributors), "hashes": hashes})
            case RevealContribution(attempt):
                self._work.reveal(session, heard, attempt)
            case HideCounts(attempt):
                self._work.hide(session, heard, attempt)
            case RevealMasks(attempt):
                self._work.reveal_masks(session, heard, attempt)
            case AnswerShare(attempt):
                self._work.answer(session, heard, attempt)
            case Combine(attempt):
                self._work.release(session, heard, attempt)
            case GiveUp(code):
                self._say(messages.FAIL, session, {"code": code})
            case Refuse(position, code):
                raise ProtocolViolation(code, site=self._site.site_name(position))
            case AwaitSites(what, missing):
                return QueryStatus(OPEN, what, tuple(map(self._site.site_name, missing)))
            case Over(code):
                if code:
                    return self._end(session, FAILED, code)
                if heard.released:
                    return self._end(session, DONE)
                return QueryStatus(OPEN)  # another attempt may still ask something of us
        return None

    def _end(self, session: bytes, state: str, code: str = "") -> QueryStatus:
        """Close the session; what was kept for it, the one-time key included, goes with it."""
        now, stored = self._site.clock.now(), self._site.profile.sessions.get(session)
        if stored is None:
            raise Bug("query.session_lost")
        self._evaluations.drop(session)
        self._words.forget(session)
        self._work.forget(session, self.heard(session))
        with self._site.profile.database.atomic():
            data = session_data(asker_of(stored), code)
            self._site.profile.sessions.move(session, expected=OPEN, state=state, data=data, now=now)
            if self._site.profile.runs.get(session) is not None:
                self._site.profile.runs.update(session, state=state, now=now)
            self._work.forget_secrets(session)
        return QueryStatus(state, code=code)

    def _refuse(self, session: bytes, error: ConsiliumError) -> QueryStatus:
        """A site broke the protocol in this query: note it, take no further part, and say so."""
        site = error.params.get("site")
        sender = self._site.roster.site_named(site).position if isinstance(site, str) else None
        type_ = messages.FAIL if self.heard(session).asker == self._site.position else messages.REFUSE
        with self._site.profile.database.atomic():
            self._mailroom.refuse(error, sender)
            self._words.declined(session, self.heard(session), error)
            self._mailroom.post(type_, session, {"code": error.code})
            return self._end(session, FAILED, error.code)

    def heard(self, session: bytes) -> QueryHeard:
        """Gather what was said in one query; raises UserError ``query.unknown``."""
        return self._hearing.heard(session)

    def _say(self, type_: str, session: bytes, body: object, recipients: tuple[int, ...] = ()) -> None:
        with self._site.profile.database.atomic():
            self._mailroom.post(type_, session, body, recipients)

    # --- contributing -----------------------------------------------------------------------------------------

    def _contribute(self, session: bytes, heard: QueryHeard, attempt: int) -> str | None:
        """Commit to our contribution or decline; return what it waits for if it is not there yet."""
        try:
            made = self._made(session, heard, attempt)
            if isinstance(made, Made) and not self._work.commit(session, heard, attempt, made):
                made = None  # by rules that are new; what is left of the budget is looked at there too
        except ConsiliumError as error:
            if error.code in _PASSING:
                self._words.delivered(session, heard)
            if isinstance(error, Bug) or error.code in _PASSING or attempt > 1:
                raise
            with self._site.profile.database.atomic():
                asked = audit.question(self._site, session, heard.request)
                who = self._site.site_name(heard.asker)
                because = {"details": sayable(error)} if error.params else {}
                audit.record(self._site, "request.declined", who=who, what={**asked, **because}, why=error.code)
                self._words.declined(session, heard, error)
                self._say(messages.DECLINE, session, {"code": error.code})
            return None
        match made:
            case Made():
                return None
            case Computing():
                self._words.computing(session, heard, made)
                return COMPUTE
            case None:
                self._words.waiting(session, heard)
                return PERSON

    def _made(self, session: bytes, heard: QueryHeard, attempt: int) -> Made | Computing | None:
        if attempt > 1:
            return self._work.made_again(session, heard)
        if (under_way := self._evaluations.look(session)) is not None:
            return under_way
        made = self._contributor.contribute(session, heard.asker, heard.request)
        return made if made is None or isinstance(made, Made) else self._evaluations.begin(session, made)
