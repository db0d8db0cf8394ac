"""Sites share saved cohorts: a definition travels with what its variables mean, and is an offer where it arrives.

``cohort.shared`` {"name", "query": the canonical bytes of the cohort as a count, "meanings": {code: SHA-256 of what the
variable means}, "time": UTC ms}, in the session :func:`session_of` of the roster. It goes to those of the wanted sites
whose news say that they read it. Of several with the same name by one site the latest counts. A definition holds no
patient's data, and it enters no question before a person accepts it under a name that is free.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.core import codec
from app.core.catalogue.rules import MAX_CODE
from app.core.errors import ProtocolViolation
from app.core.federation import news
from app.core.federation.joining_messages import COHORT_FORMAT
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom, Reader
from app.core.federation.roster import Roster
from app.core.fields import Fields
from app.core.query.model import MAX_BYTES, Levels, Query, terms
from app.core.store.cohorts import MAX_NAME, is_name
from app.core.store.shared_cohorts import SharedRow

SHARED = "cohort.shared"
VERSION = 1
MOST_OFFERS = 100
"""How many cohorts of one site are kept; a newer one takes the place of the oldest."""
_MALFORMED = "cohort.malformed_message"
_MOST_TIME = 1 << 52


@dataclass(frozen=True)
class SharedCohort:
    """A cohort that travels; ``query`` counts it, ``time`` is when it was shared by the sender's clock (UTC ms)."""

    name: str
    query: Query
    meanings: Mapping[str, bytes]
    time: int

    def to_plain(self) -> dict[str, Any]:
        """Return the message's body."""
        meanings = dict(self.meanings)
        return {"name": self.name, "query": self.query.to_cbor(), "meanings": meanings, "time": self.time}


def read_shared(body: object, roster: Roster) -> SharedCohort:
    """Read ``cohort.shared``; raises ProtocolViolation ``cohort.malformed_message``, and as ``Query.from_cbor``."""
    fields = Fields(body, _MALFORMED)
    name = fields.text("name", MAX_NAME)
    if not is_name(name):
        fields.refuse("name")
    query = Query.from_cbor(fields.bytes("query", 1, MAX_BYTES))
    if query != Query(query.cohort) or not all(map(_is_code, _words(query))):  # another kind of question, or no text
        fields.refuse("query")
    meanings = read_meanings(fields.any("meanings"), query)
    shared = SharedCohort(name, query, meanings, fields.number("time", 0, _MOST_TIME))
    fields.done()
    return shared


def _words(query: Query) -> Iterator[str]:
    """Yield the codes of a query's variables and levels: they are shown before any catalogue has confirmed them."""
    yield from query.codes
    for term in terms(query.cohort):
        if isinstance(term, Levels):
            yield from term.levels


def _is_code(word: str) -> bool:
    return 1 <= len(word) <= MAX_CODE and word.isprintable() and not set(word) & set('"“”')


def read_meanings(value: object, query: Query) -> dict[str, bytes]:
    """Read what the variables of ``query`` mean: just these. Raises ProtocolViolation ``cohort.malformed_message``."""
    if not isinstance(value, dict) or value.keys() != set(query.codes):
        raise ProtocolViolation(_MALFORMED, field="meanings")
    if any(type(meaning) is not bytes or len(meaning) != 32 for meaning in value.values()):
        raise ProtocolViolation(_MALFORMED, field="meanings")
    return value


MESSAGE_TYPES: Mapping[str, Reader] = {SHARED: read_shared}


def session_of(roster: Roster) -> bytes:
    """Return the session of the cohorts that are shared in a roster's federation."""
    return codec.digest(["consilium shared cohorts v1", roster.hash])


def readers(site: LocalSite, mailroom: Mailroom) -> tuple[int, ...]:
    """Return the positions of the other sites whose program reads shared cohorts, as far as they have told."""
    heard = sorted(news.heard(site, mailroom).items())
    return tuple(
        position
        for position, told in heard
        if position != site.position and VERSION in told.program.formats.get(COHORT_FORMAT, ())
    )


def share(site: LocalSite, mailroom: Mailroom, name: str, query: Query, recipients: Collection[int]) -> None:
    """Queue a cohort for the sites at these positions, which read it; its variables as the catalogue in force has
    them. Raises UserError ``query.no_such_variable``."""
    catalogue = site.catalogue
    meanings = {code: catalogue.meaning(code) for code in query.codes}
    shared = SharedCohort(name, query, meanings, site.clock.now())
    with site.profile.database.atomic():
        mailroom.post(SHARED, session_of(site.roster), shared.to_plain(), tuple(sorted(recipients)))


def take_in(site: LocalSite, mailroom: Mailroom) -> None:
    """Look at every new message once: keep what others offer."""
    profile = site.profile
    for message in profile.inbox.unhandled():
        if message.type != SHARED:
            continue
        shared, now = mailroom.read(message), site.clock.now()
        with profile.database.atomic():
            if message.session != session_of(site.roster):
                mailroom.refuse(ProtocolViolation(_MALFORMED, field="session"), message.sender)
            elif message.sender != site.position:
                meanings = codec.encode(dict(shared.meanings))
                offer = SharedRow(message.sender, shared.name, shared.query.to_cbor(), meanings, shared.time, now)
                profile.shared_cohorts.put(offer, most=MOST_OFFERS)
            profile.inbox.mark_handled(message.sender, message.id, now=now)
