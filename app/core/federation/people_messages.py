"""Signed records travel: every site tells the others what its custodian has signed, and keeps what they tell.

``people.record`` {"record": bytes}, in the session :func:`session_of` of the roster, goes to those sites whose news say
that they read it, at once or as soon as they do. A record counts from when it comes if its issuer may speak for its
site by then; one that was signed with a key that waits for a person waits with it; any other is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.core import codec
from app.core.errors import ProtocolViolation, UserError
from app.core.federation import audit, custodian, news
from app.core.federation.custodian import NewKey, fingerprint
from app.core.federation.joining_messages import PEOPLE_FORMAT
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom, Reader
from app.core.federation.people import Delegation, Revocation
from app.core.federation.projects import Project, Verdict, read_verdict
from app.core.federation.roster import Roster
from app.core.federation.signed_records import (
    CUSTODIAN,
    DELEGATION,
    LIMITS,
    MALFORMED,
    PROJECT,
    REVOCATION,
    VERDICT,
    Record,
    Signs,
)
from app.core.fields import Fields
from app.core.store.people import RecordRow

RECORD = "people.record"
VERSION = 1
MOST: Mapping[str, int] = {CUSTODIAN: 100, DELEGATION: 2000, REVOCATION: 2000, PROJECT: 300, VERDICT: 2000}
"""How many records of a kind are kept of one key of a site, and of all that wait together: a site that goes on for ever
fills nobody's disk, and who has its member key alone leaves its custodian room to revoke."""
_CONTENT: Mapping[str, Callable[[Record], Any]] = {
    CUSTODIAN: NewKey.of,
    DELEGATION: Delegation.of,
    REVOCATION: Revocation.of,
    PROJECT: Project.of,
    VERDICT: read_verdict,
}


def read_record(body: object, roster: Roster) -> Record:
    """Read ``people.record``: signed, of this federation, its content well formed.

    Raises ProtocolViolation ``people.malformed_record``, ``people.newer_record``, ``people.altered_record``.
    """
    fields = Fields(body, MALFORMED)
    record = Record.from_cbor(fields.bytes("record", 1, max(LIMITS.values())))
    fields.done()
    if record.federation != roster.federation_id or record.site not in roster.positions:
        raise ProtocolViolation(MALFORMED, field="federation")
    _CONTENT[record.kind](record)
    return record


MESSAGE_TYPES: Mapping[str, Reader] = {RECORD: read_record}


def session_of(roster: Roster) -> bytes:
    """Return the session of what custodians sign in a roster's federation."""
    return codec.digest(["consilium people v1", roster.hash])


# --- saying ---------------------------------------------------------------------------------------------------------


def issue(site: LocalSite, by: Signs, kind: str, content: Mapping[str, Any]) -> Record:
    """Sign a record of this site and keep it; it goes out with the next :func:`announce`.

    Raises UserError ``people.too_many`` when so many were never meant to be.
    """
    if site.profile.records.count(kind, site.position, by.key) >= MOST[kind]:
        raise UserError("people.too_many", most=MOST[kind])
    now = site.clock.now()
    record = Record(kind, site.roster.federation_id, site.position, now, content).signed(by)
    read_record({"record": record.to_cbor()}, site.roster)
    with site.profile.database.atomic():
        site.profile.records.add(RecordRow(record.id, kind, site.position, by.key, record.to_cbor(), now, now))
        _note(site, record)
    return record


def announce(site: LocalSite, mailroom: Mailroom) -> None:
    """Queue what this site's custodian has signed for those who read it and were not told."""
    heard = news.heard(site, mailroom).items()
    readers = [
        position
        for position, told in heard
        if position != site.position and VERSION in told.program.formats.get(PEOPLE_FORMAT, ())
    ]
    for row, recipients in site.profile.records.untold(site.position, readers):
        with site.profile.database.atomic():
            mailroom.post(RECORD, session_of(site.roster), {"record": row.record}, recipients)
            site.profile.records.tell(row.id, recipients)


# --- hearing --------------------------------------------------------------------------------------------------------


def take_in(site: LocalSite, mailroom: Mailroom) -> None:
    """Look at every new message once: keep the records of others."""
    profile = site.profile
    for message in profile.inbox.unhandled():
        if message.type != RECORD:
            continue
        record, now = mailroom.read(message), site.clock.now()
        with profile.database.atomic():
            if message.sender != site.position:
                if message.session != session_of(site.roster) or record.site != message.sender:
                    mailroom.refuse(ProtocolViolation(MALFORMED, field="session"), message.sender)
                else:
                    _keep(site, mailroom, record, now)
            profile.inbox.mark_handled(message.sender, message.id, now=now)


def _keep(site: LocalSite, mailroom: Mailroom, record: Record, now: int) -> None:
    """Keep a record if its issuer may speak for its site, or might once a person has accepted its key."""
    keys, member = custodian.keys_of(site, record.site), site.roster.sites[record.site - 1].key.verify
    of_one_key = record.issuer if record.issuer in (keys.current, member) else None
    if site.profile.records.count(record.kind, record.site, of_one_key) >= MOST[record.kind]:
        mailroom.refuse(ProtocolViolation("people.too_many_records", kind=record.kind), record.site)
        return
    unaccepted = {NewKey.of(each).key for each in custodian.waiting(site, record.site)}
    if record.kind == CUSTODIAN and _stale(site, record):
        mailroom.refuse(ProtocolViolation("people.not_the_custodian", kind=record.kind), record.site)
        return
    if record.issuer == keys.current or (record.kind == REVOCATION and record.issuer == member):
        accepted: int | None = now
    elif record.issuer in unaccepted or (record.kind == CUSTODIAN and record.issuer == member):
        accepted = None
    else:
        mailroom.refuse(ProtocolViolation("people.not_the_custodian", kind=record.kind), record.site)
        return
    row = RecordRow(record.id, record.kind, record.site, record.issuer, record.to_cbor(), now, accepted)
    if site.profile.records.add(row):
        _note(site, record, waits=accepted is None)


def _stale(site: LocalSite, record: Record) -> bool:
    """Whether a custodian's key that is new here has a number that was used: it would come before one in force."""
    known = site.profile.records.get(record.id) is not None
    return not known and NewKey.of(record).number <= custodian.last_number(site, record.site)


def _note(site: LocalSite, record: Record, *, waits: bool = False) -> None:
    """Put what a site's custodian has signed into this site's audit records."""
    kind, what, why = _NOTED[record.kind](record)
    audit.record(site, kind, who=site.site_name(record.site), what=what | ({"waits": True} if waits else {}), why=why)


def _key(record: Record) -> tuple[str, dict[str, Any], str]:
    new = NewKey.of(record)
    return "key.custodian", {"fingerprint": fingerprint(new.key), "number": new.number}, ""


def _endorsed(record: Record) -> tuple[str, dict[str, Any], str]:
    found = Delegation.of(record)
    what = {
        "person": found.person,
        "role": found.role.value,
        "since": found.since,
        "until": found.until,
        "id": found.id,
    }
    return "people.endorsed", what, ""


def _revoked(record: Record) -> tuple[str, dict[str, Any], str]:
    found = Revocation.of(record)
    return "people.revoked", {"ids": list(found.delegations)}, found.reason


def _proposed(record: Record) -> tuple[str, dict[str, Any], str]:
    found = Project.of(record)
    return "project.proposed", {"title": found.title, "until": found.until, "id": found.id}, found.purpose


def _judged(record: Record) -> tuple[str, dict[str, Any], str]:
    project, verdict = read_verdict(record)
    return ("project.closed" if verdict is Verdict.CLOSED else "project.approved"), {"id": project}, ""


_NOTED: Mapping[str, Callable[[Record], tuple[str, dict[str, Any], str]]] = {
    CUSTODIAN: _key,
    DELEGATION: _endorsed,
    REVOCATION: _revoked,
    PROJECT: _proposed,
    VERDICT: _judged,
}
"""Kind, content and reason of the audit record about a record of each kind."""


def accept(site: LocalSite, position: int, key: bytes) -> None:
    """Accept a custodian's ``key`` of another site that waits, and what was signed with it.

    Raises UserError ``custodian.not_waiting``. Call inside ``database.atomic()``.
    """
    records, now = site.profile.records, site.clock.now()
    found = [each for each in custodian.waiting(site, position) if NewKey.of(each).key == key]
    if not found:
        raise UserError("custodian.not_waiting", site=site.site_name(position))
    records.accept(found[-1].id, now=now)
    what = {"fingerprint": fingerprint(key), "accepted": True}
    audit.record(site, "key.custodian", who=site.site_name(position), what=what)
    while True:
        current = custodian.keys_of(site, position).current
        waiting = [row for kind in MOST for row in records.all(kind, position) if row.accepted is None]
        follow = [row for row in waiting if row.issuer == current]
        if not follow:
            return
        for row in sorted(follow, key=lambda row: row.kind == CUSTODIAN):  # the next key last: it ends this one's time
            records.accept(row.id, now=now)
