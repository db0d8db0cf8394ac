"""What a contributor tells the asker of itself before it commits: that it has the request, waits, will answer, or
computes; and if it does not answer, which rule of which version has declined.

Such a word changes nothing in a query's life; it is for the people who wait. A word is said when it is news, and how
far a computation is only for one that takes a while, now and then, and to a program that reads it.
"""

from __future__ import annotations

import time

from app.core.errors import ConsiliumError, UserError
from app.core.federation import news
from app.core.federation import query_messages as messages
from app.core.federation.evaluations import TELL_SECONDS, Computing
from app.core.federation.joining_messages import PROGRESS_FORMAT, REASON_FORMAT
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom
from app.core.federation.query_rounds import QueryHeard

WORTH_TELLING = 2.0
"""Seconds that a computation takes before anybody is told of it."""
_VERSION = 1
_SAID = ("policy.", "people.", "project.", "budget.", "query.variable_")
"""Refusals of which more is said than their code: those by rules and for want of a variable."""


class StateWords:
    """Says how far this site is with its contributions."""

    def __init__(self, site: LocalSite, mailroom: Mailroom) -> None:
        self._site = site
        self._mailroom = mailroom
        self._told: dict[bytes, float] = {}

    def delivered(self, session: bytes, heard: QueryHeard) -> None:
        """Say that the request is here, if nothing was said yet."""
        if self._last(heard) is None:
            self._say_newer(session, heard, {"state": messages.DELIVERED})

    def waiting(self, session: bytes, heard: QueryHeard) -> None:
        """Say that a person has to decide."""
        if self._last(heard) != messages.WAITING:
            self._say(session, heard, {"state": messages.WAITING})

    def computing(self, session: bytes, heard: QueryHeard, under_way: Computing) -> None:
        """Say that this site will answer, and how far it is, if that takes a while."""
        if self._last(heard) == messages.WAITING:
            self._say_newer(session, heard, {"state": messages.APPROVED})
            return
        now = time.monotonic()
        if under_way.seconds < WORTH_TELLING or now - self._told.get(session, -TELL_SECONDS) < TELL_SECONDS:
            return
        if under_way.percent is None:
            body: dict[str, object] = {"state": messages.APPROVED}
        else:
            body = {"state": messages.COMPUTING, "percent": under_way.percent}
        if (self._last(heard), heard.percents.get(self._site.position)) == (body["state"], body.get("percent")):
            return
        self._told[session] = now
        self._say_newer(session, heard, body)

    def declined(self, session: bytes, heard: QueryHeard, error: ConsiliumError) -> None:
        """Say what a refusal was about, to whoever asks and nobody else; inside ``database.atomic()``."""
        position = self._site.position
        if not isinstance(error, UserError) or not error.code.startswith(_SAID) or not error.params:
            return
        if position == heard.asker or position not in heard.request.contributors or position in heard.reasons:
            return
        if self._reads(heard.asker, REASON_FORMAT):
            body = {"code": error.code, "params": sayable(error)}
            self._mailroom.post(messages.REASON, session, body, (heard.asker,))

    def forget(self, session: bytes) -> None:
        """The query is over."""
        self._told.pop(session, None)

    def _last(self, heard: QueryHeard) -> str | None:
        return heard.states.get(self._site.position)

    def _say_newer(self, session: bytes, heard: QueryHeard, body: dict[str, object]) -> None:
        """Say what programs before these words refuse, to one that knows them."""
        if heard.asker == self._site.position or self._reads(heard.asker, PROGRESS_FORMAT):
            self._say(session, heard, body)

    def _reads(self, position: int, format: str) -> bool:
        told = news.heard(self._site, self._mailroom).get(position)
        return told is not None and _VERSION in told.program.formats.get(format, ())

    def _say(self, session: bytes, heard: QueryHeard, body: dict[str, object]) -> None:
        with self._site.profile.database.atomic():
            self._mailroom.post(messages.STATE, session, body, (heard.asker,))


def sayable(error: ConsiliumError) -> dict[str, str | int | bool]:
    """Return an error's parameters as far as a message carries them; a text that is too long is cut off."""
    said: dict[str, str | int | bool] = {}
    for name, value in list(error.params.items())[: messages.MOST_REASON_PARAMS]:
        if isinstance(value, str):
            printable = "".join(each if each.isprintable() else " " for each in value)
            said[name] = printable[: messages.MOST_REASON_TEXT]
        elif isinstance(value, int) and abs(value) < 1 << 53:
            said[name] = value
    return said
