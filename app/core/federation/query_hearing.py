"""What a site has heard of its queries: new messages are taken in once each, and what was said is gathered.

A query belongs to the site whose request came first under its id; only that site closes, retries, fails or releases it.
A site's first word counts: what it says differently later, and what it has no say in, changes nothing and is recorded
as a refusal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.core import codec
from app.core.errors import ProtocolViolation, UserError
from app.core.federation import audit
from app.core.federation import query_messages as messages
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom
from app.core.federation.query_messages import Request
from app.core.federation.query_rounds import QueryHeard
from app.core.store.messages import InMessage
from app.core.store.sessions import Session

KIND = "query"
OPEN, DONE, FAILED = "open", "done", "failed"

_ASKERS = (
    messages.REQUEST,
    messages.CLOSE,
    messages.RETRY,
    messages.FINISH,
    messages.FAIL,
    messages.RELEASED,
)
_CONTRIBUTORS = (messages.COMMIT, messages.DECLINE, messages.REASON, messages.STATE, messages.CONTRIBUTION)
_ANY_NUMBER = (messages.STATE, messages.NOTE)
_OPENERS = (messages.MASK_COMMIT, messages.MASKS, messages.SHARE)
_BY_ATTEMPT = (messages.COMMIT, messages.RETRY, messages.CONTRIBUTION, *_OPENERS)
_DATA_LIMIT = 1 << 12


def session_data(asker: int, code: str = "") -> bytes:
    """Return what a query's session keeps: the asker's position and, once it has failed, why."""
    return codec.encode({"asker": asker, "code": code})


def asker_of(session: Session) -> int:
    """Return the position of the site whose query this is."""
    return int(codec.decode(session.data, _DATA_LIMIT)["asker"])


def failure_of(session: Session) -> str:
    """Return the code of why a query failed, empty if it did not."""
    return str(codec.decode(session.data, _DATA_LIMIT)["code"])


class QueryHearing:
    """The inbox of one site as far as it is about queries."""

    def __init__(self, site: LocalSite, mailroom: Mailroom) -> None:
        self._site = site
        self._mailroom = mailroom

    def take_in(self) -> None:
        """Look at every new message once: a request begins a session, what is out of place is recorded.

        A message that came before its request waits for it.
        """
        for message in self._site.profile.inbox.unhandled():
            session = self._site.profile.sessions.get(message.session)
            about_queries = message.type in messages.MESSAGE_TYPES
            if about_queries and session is None and message.type != messages.REQUEST:
                continue
            now = self._site.clock.now()
            with self._site.profile.database.atomic():
                if about_queries and session is None:
                    data = session_data(message.sender)
                    self._site.profile.sessions.add(message.session, kind=KIND, state=OPEN, data=data, now=now)
                    asked = audit.question(self._site, message.session, self._mailroom.read(message))
                    audit.record(self._site, "request.received", who=self._site.site_name(message.sender), what=asked)
                elif about_queries and session is not None:
                    self._note_misplaced(message, session)
                self._site.profile.inbox.mark_handled(message.sender, message.id, now=now)

    def _note_misplaced(self, message: InMessage, session: Session) -> None:
        code = ""
        if session.kind != KIND or (message.type in _ASKERS and message.sender != asker_of(session)):
            code = "query.not_the_asker"
        elif not self._was_asked(message, session):
            code = "query.not_asked"
        elif self._said_before(message):
            code = "query.said_twice"
        if code:
            name = self._site.site_name(message.sender)
            self._mailroom.refuse(ProtocolViolation(code, site=name, message=message.type), message.sender)

    def _was_asked(self, message: InMessage, session: Session) -> bool:
        if message.type in _CONTRIBUTORS:
            return message.sender in self._request(session).contributors
        if message.type in _OPENERS:
            heard = self.heard(session.id)
            attempt, _ = self._mailroom.read(message)
            return message.sender in heard.retries.get(attempt, heard.request.quorum if attempt == 1 else ())
        return True

    def _said_before(self, message: InMessage) -> bool:
        """Whether its sender has said something else before, where it has one word."""
        if message.type in _ANY_NUMBER:
            return False
        said = self._mailroom.read(message)
        for other in self._site.profile.inbox.of_session(message.session, message.type):
            if other.sender != message.sender:
                continue
            if other.id == message.id:
                return False
            earlier = self._mailroom.read(other)
            if message.type not in _BY_ATTEMPT or earlier[0] == said[0]:
                return bool(earlier != said)
        return False

    def _request(self, session: Session) -> Request:
        asker = asker_of(session)
        for sender, request in self._mailroom.heard(session.id, messages.REQUEST):
            if sender == asker:
                return request  # type: ignore[no-any-return]  # what the request's reader returns
        raise UserError("query.unknown", id=session.id.hex())

    def heard(self, id: bytes) -> QueryHeard:
        """Gather what was said in one query by those who have a say; raises UserError ``query.unknown``."""
        session = self._site.profile.sessions.get(id)
        if session is None or session.kind != KIND:
            raise UserError("query.unknown", id=id.hex())
        asker = asker_of(session)

        def said(type_: str) -> list[tuple[int, Any]]:
            return list(self._mailroom.heard(id, type_))

        request = self._request(session)
        by_asker = {type_: [body for sender, body in said(type_) if sender == asker] for type_ in _ASKERS}
        words = dict(said(messages.STATE)).items()  # the last one of each
        closes, fails = by_asker[messages.CLOSE], by_asker[messages.FAIL]
        return QueryHeard(
            me=self._site.position,
            asker=asker,
            request=request,
            declined=_first(pair for pair in said(messages.DECLINE) if pair[0] in request.contributors),
            refused=_first(said(messages.REFUSE)),
            reasons=_first(said(messages.REASON)),
            committed=_by_attempt(said(messages.COMMIT)),
            close=closes[0] if closes else None,
            retries=_first(by_asker[messages.RETRY]),
            contributions=_by_attempt(said(messages.CONTRIBUTION)),
            shares=_by_attempt(said(messages.SHARE)),
            mask_commits=_by_attempt(said(messages.MASK_COMMIT)),
            masks=_by_attempt(said(messages.MASKS)),
            sites=len(self._site.roster.sites),
            failed=fails[0] if fails else "",
            released=bool(by_asker[messages.RELEASED]),
            states={sender: state for sender, (state, _) in words},
            percents={sender: percent for sender, (_, percent) in words if percent is not None},
            finish=bool(by_asker[messages.FINISH]),
            now=self._site.clock.now(),
        )


def _first(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Return a dict that keeps the first value of each key."""
    kept: dict[Any, Any] = {}
    for key, value in pairs:
        kept.setdefault(key, value)
    return kept


def _by_attempt(said: list[tuple[int, Any]]) -> dict[tuple[int, int], Any]:
    return _first(((attempt, sender), value) for sender, (attempt, value) in said)
