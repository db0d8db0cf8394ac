"""People: whom a site's custodian has endorsed, in which role and until when; and who asks a question.

``delegation`` {"person": name, "key": 32 bytes, "role", "since", "until": UTC ms} endorses a person of the site that
signs. ``revocation`` {"delegations": [16-byte ids], "reason": text} takes endorsements back; the member key may sign it
too, so that a site whose passphrase is lost can still take back what it gave.

A request that a person makes carries the delegation and the person's signature (``query_messages.Authority``). Every
site verifies both for itself, with what it has accepted of the asker's custodian; it asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from app.core.crypto.identity import VERIFY_BYTES, VerifyingKey
from app.core.errors import ProtocolViolation, UserError
from app.core.federation import custodian, projects
from app.core.federation.local_site import LocalSite
from app.core.federation.projects import Project
from app.core.federation.query_messages import Authority, Request
from app.core.federation.signed_records import (
    DELEGATION,
    ID_BYTES,
    MALFORMED,
    MOST_TIME,
    REVOCATION,
    Record,
    plain_text,
)
from app.core.fields import Fields

MOST_NAME = 100
MOST_REASON = 500
MOST_REVOKED = 200
ASKED = "asked by v1"
"""The purpose of a person's signature under a request."""


class Role(StrEnum):
    """What somebody may do. The first four are the kinds of results, weakest first; each allows those before it."""

    TOTAL_NOISED = "total-noised"
    TOTAL_EXACT = "total-exact"
    SITES_NOISED = "sites-noised"
    SITES_EXACT = "sites-exact"
    CUSTODIAN = "custodian"
    DATA_MANAGER = "data-manager"
    AUDITOR = "auditor"

    @property
    def asks(self) -> bool:
        """Whether somebody in this role asks questions."""
        return self in RESULTS

    def allows(self, wanted: Role) -> bool:
        """Whether this role allows results of the kind ``wanted``."""
        return self.asks and wanted.asks and RESULTS.index(self) >= RESULTS.index(wanted)


RESULTS = (Role.TOTAL_NOISED, Role.TOTAL_EXACT, Role.SITES_NOISED, Role.SITES_EXACT)


def kind_of(*, exact: bool, per_site: bool) -> Role:
    """Return the weakest role that allows such results."""
    return RESULTS[2 * per_site + exact]


@dataclass(frozen=True)
class Delegation:
    """An endorsement of a person of ``site``, good from ``since`` until before ``until`` (UTC ms); ``key`` verifies
    what the person signs, ``issuer`` is the key that endorsed."""

    id: bytes
    site: int
    person: str
    key: bytes
    role: Role
    since: int
    until: int
    issuer: bytes
    at: int

    @classmethod
    def of(cls, record: Record) -> Delegation:
        """Read what a record says; raises ProtocolViolation ``people.malformed_record``."""
        if record.kind != DELEGATION:
            raise ProtocolViolation(MALFORMED, field="kind")
        fields = Fields(record.content, MALFORMED)
        person, key = fields.text("person", MOST_NAME), fields.bytes("key", VERIFY_BYTES)
        role, since, until = (
            fields.text("role", 16),
            fields.number("since", 0, MOST_TIME),
            fields.number("until", 0, MOST_TIME),
        )
        fields.done()
        if role not in set(Role):
            fields.refuse("role")
        if since >= until:
            fields.refuse("until")
        _check_key(key, fields)
        return cls(record.id, record.site, person, key, Role(role), since, until, record.issuer, record.at)

    def to_content(self) -> dict[str, Any]:
        """Return the record's content."""
        return {
            "person": self.person,
            "key": self.key,
            "role": self.role.value,
            "since": self.since,
            "until": self.until,
        }


@dataclass(frozen=True)
class Revocation:
    """Endorsements that a site has taken back, and why (may be empty)."""

    delegations: tuple[bytes, ...]
    reason: str
    at: int

    @classmethod
    def of(cls, record: Record) -> Revocation:
        """Read what a record says; raises ProtocolViolation ``people.malformed_record``."""
        fields = Fields(record.content, MALFORMED)
        ids, reason = fields.items("delegations", MOST_REVOKED), plain_text(fields, "reason", MOST_REASON)
        fields.done()
        if not ids or any(type(each) is not bytes or len(each) != ID_BYTES for each in ids):
            fields.refuse("delegations")
        return cls(tuple(ids), reason, record.at)


@dataclass(frozen=True)
class Asked:
    """Who asks: a person in a role, maybe under a project; all empty where the site itself asks."""

    person: str = ""
    role: Role | None = None
    project: Project | None = None


@dataclass(frozen=True)
class Endorsed:
    """A delegation and what is known of it here; ``counts`` is whether its issuer may (still) speak for its site."""

    delegation: Delegation
    revoked: Revocation | None
    counts: bool

    def state(self, now: int) -> str:
        """Return valid, revoked, expired, not yet, or unaccepted (its custodian's key is not accepted here)."""
        if self.revoked is not None:
            return "revoked"
        if not self.counts:
            return "unaccepted"
        if now >= self.delegation.until:
            return "expired"
        return "valid" if now >= self.delegation.since else "not yet"


# --- what is known here -----------------------------------------------------------------------------------------


def endorsed(site: LocalSite, position: int | None = None) -> list[Endorsed]:
    """Return all delegations that were heard of, of one site or of all, in the order in which they came."""
    found, revoked = [], {each: _revoked(site, each) for each in site.roster.positions if position in (None, each)}
    keys = {each: custodian.keys_of(site, each).counting for each in revoked}
    for row in site.profile.records.all(DELEGATION, position):
        delegation = Delegation.of(Record.from_cbor(row.record))
        counts = row.accepted is not None and row.issuer in keys[row.site]
        found.append(Endorsed(delegation, revoked[row.site].get(row.id), counts))
    return found


def _revoked(site: LocalSite, position: int) -> dict[bytes, Revocation]:
    """Return what a site has revoked, by delegation; the first word on each."""
    found: dict[bytes, Revocation] = {}
    for row in site.profile.records.all(REVOCATION, position):
        if row.accepted is not None:
            revocation = Revocation.of(Record.from_cbor(row.record))
            for id in revocation.delegations:
                found.setdefault(id, revocation)
    return found


# --- who asks ---------------------------------------------------------------------------------------------------


def asked_by(site: LocalSite, asker: int, request: Request, *, arrived: int | None = None) -> Asked:
    """Return who makes a request of the site at ``asker`` that came here at ``arrived`` (UTC ms; None: now).

    Raises UserError ``people.altered`` (a byte of the request or the endorsement was changed, or another key signed),
    ``people.foreign`` (endorsed by another site than the asker's, or in another federation), ``people.unknown`` (not
    endorsed by whoever we accepted as the asker's custodian), ``people.revoked``, ``people.not_yet``,
    ``people.expired``, ``people.role_too_weak``; ``project.unknown``, ``.not_approved``, ``.closed``, ``.expired``,
    ``.not_a_member``.
    """
    if request.authority is None:
        return Asked()
    at = site.clock.now() if arrived is None else arrived
    name = site.site_name(asker)
    delegation = _delegation(site, asker, request.authority)
    judge(delegation, request, name, revoked=_revoked(site, asker).get(delegation.id), at=at)
    if not request.authority.project:
        return Asked(delegation.person, delegation.role)
    project = projects.under(site, request.authority.project, (asker, delegation.key), delegation.person, at)
    return Asked(delegation.person, delegation.role, project)


def _delegation(site: LocalSite, asker: int, authority: Authority) -> Delegation:
    """Return the delegation that a request carries, if the asker's custodian has given it."""
    name = site.site_name(asker)
    try:
        record = Record.from_cbor(authority.delegation)
        delegation = Delegation.of(record)
    except ProtocolViolation as error:
        raise UserError("people.altered", site=name) from error
    if record.site != asker or record.federation != site.roster.federation_id:
        raise UserError("people.foreign", person=delegation.person, site=name)
    keys, known = custodian.keys_of(site, asker), site.profile.records.get(record.id)
    heard_in_time = known is not None and known.accepted is not None and record.issuer in keys.counting
    if not heard_in_time and record.issuer != keys.current:
        raise UserError("people.unknown", person=delegation.person, site=name)
    return delegation


def judge(delegation: Delegation, request: Request, site: str, *, revoked: Revocation | None, at: int) -> None:
    """Raise UserError unless a delegation carries a request at ``at`` (UTC ms); pure. ``site`` is the asker's name."""
    said = {"person": delegation.person, "site": site}
    authority = request.authority
    try:
        if authority is None:
            raise ProtocolViolation("identity.bad_signature")
        VerifyingKey(delegation.key).check(ASKED, request.signed_part(), authority.signature)
    except ProtocolViolation as error:
        raise UserError("people.altered", site=site) from error
    if revoked is not None:
        raise UserError("people.revoked", **said, on=day(revoked.at))
    if at < delegation.since:
        raise UserError("people.not_yet", **said, since=day(delegation.since))
    if at >= delegation.until:
        raise UserError("people.expired", **said, until=day(delegation.until - 1))
    wanted = kind_of(exact=request.epsilon is None, per_site=request.query.per_site)
    if not delegation.role.allows(wanted):
        raise UserError("people.role_too_weak", **said, role=delegation.role.value, wanted=wanted.value)


def check_not_revoked(site: LocalSite, asker: int, request: Request) -> None:
    """Raise UserError ``people.revoked`` if an endorsement was taken back while its question is under way.

    Looked at again before anything leaves this site, also by one that only helps to open.
    """
    if request.authority is None:
        return
    record = Record.from_cbor(request.authority.delegation)
    if (revoked := _revoked(site, asker).get(record.id)) is not None:
        person = Delegation.of(record).person
        raise UserError("people.revoked", person=person, site=site.site_name(asker), on=day(revoked.at))


def claimed(site: LocalSite, request: Request) -> tuple[str, str]:
    """Return the person and the project's title that a request names, nothing verified: for showing what was asked."""
    if request.authority is None:
        return "", ""
    try:
        person = Delegation.of(Record.from_cbor(request.authority.delegation)).person
    except ProtocolViolation:
        return "?", ""
    found = projects.find(site, request.authority.project) if request.authority.project else None
    return person, found.title if found else request.authority.project.hex()


def strongest(delegations: Iterable[Endorsed], now: int) -> Delegation | None:
    """Return the valid delegation that allows most and lasts longest, or None."""
    valid: Sequence[Delegation] = [each.delegation for each in delegations if each.state(now) == "valid"]
    asking = [each for each in valid if each.role.asks]
    return max(asking, key=lambda each: (RESULTS.index(each.role), each.until), default=None)


def day(time: int) -> str:
    """Return the day of a time (UTC ms) as every language reads it: 2027-03-31."""
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d")


def _check_key(key: bytes, fields: Fields) -> None:
    try:
        VerifyingKey(key)
    except ProtocolViolation:
        fields.refuse("key")
