"""Projects: what questions are asked for, on which legal basis, by whom and until when; every site approves for itself.

``project`` {"title", "purpose", "legal_basis", "assessment": text, "members": [{"site", "person", "key"}], "until": UTC
ms} is proposed by the site that signs it, and thereby approved by it. Its id is that of the record, so that an approval
binds every word. ``verdict`` {"project": id, "verdict": "approved" | "closed"}: approves it at the site that signs;
closes it there for good, or everywhere if that is the site which proposed it. What is to change is a new project.

A proposal or an approval counts as long as the key that signed it does (:mod:`app.core.federation.custodian`): with a
passphrase that was lost it ends. A closing stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from app.core.crypto.identity import VERIFY_BYTES
from app.core.errors import UserError
from app.core.federation import custodian
from app.core.federation.local_site import LocalSite
from app.core.federation.roster import MOST_SITES
from app.core.federation.signed_records import ID_BYTES, MALFORMED, MOST_TIME, PROJECT, VERDICT, Record, plain_text
from app.core.fields import Fields
from app.core.store.people import RecordRow

MOST_TITLE, MOST_PURPOSE, MOST_BASIS, MOST_ASSESSMENT, MOST_MEMBERS = 200, 4000, 2000, 20_000, 200
_MOST_PERSON = 100


class Verdict(StrEnum):
    """What a site says of a project."""

    APPROVED = "approved"
    CLOSED = "closed"


@dataclass(frozen=True)
class Participant:
    """A member of a project: a person of a site, by the key that the site's custodian has endorsed."""

    site: int
    person: str
    key: bytes


@dataclass(frozen=True)
class Project:
    """A project as it was proposed by the site at ``site``; good until before ``until`` (UTC ms)."""

    id: bytes
    site: int
    title: str
    purpose: str
    legal_basis: str
    assessment: str
    members: tuple[Participant, ...]
    until: int
    at: int

    @classmethod
    def of(cls, record: Record) -> Project:
        """Read what a record says; raises ProtocolViolation ``people.malformed_record``."""
        fields = Fields(record.content, MALFORMED)
        project = cls(
            id=record.id,
            site=record.site,
            title=fields.text("title", MOST_TITLE),
            purpose=plain_text(fields, "purpose", MOST_PURPOSE, empty=False),
            legal_basis=plain_text(fields, "legal_basis", MOST_BASIS),
            assessment=plain_text(fields, "assessment", MOST_ASSESSMENT),
            members=tuple(map(_participant, fields.items("members", MOST_MEMBERS))),
            until=fields.number("until", 0, MOST_TIME),
            at=record.at,
        )
        fields.done()
        return project

    def to_content(self) -> dict[str, Any]:
        """Return the record's content."""
        return {
            "title": self.title,
            "purpose": self.purpose,
            "legal_basis": self.legal_basis,
            "assessment": self.assessment,
            "members": [{"site": each.site, "person": each.person, "key": each.key} for each in self.members],
            "until": self.until,
        }


def _participant(plain: object) -> Participant:
    fields = Fields(plain, MALFORMED)
    found = Participant(
        fields.number("site", 1, MOST_SITES), fields.text("person", _MOST_PERSON), fields.bytes("key", VERIFY_BYTES)
    )
    fields.done()
    return found


def read_verdict(record: Record) -> tuple[bytes, Verdict]:
    """Return which project a verdict is about, and what it says; raises ProtocolViolation
    ``people.malformed_record``."""
    fields = Fields(record.content, MALFORMED)
    project, verdict = fields.bytes("project", ID_BYTES), fields.text("verdict", 16)
    fields.done()
    if verdict not in set(Verdict):
        fields.refuse("verdict")
    return project, Verdict(verdict)


# --- what is known here -----------------------------------------------------------------------------------------


def known(site: LocalSite) -> list[Project]:
    """Return all projects that count here, in the order in which they came."""
    rows, counts = site.profile.records.all(PROJECT), _Counting(site)
    return [Project.of(Record.from_cbor(row.record)) for row in rows if counts.of(row)]


def find(site: LocalSite, id: bytes) -> Project | None:
    """Return a project that counts here, or None."""
    row = site.profile.records.get(id)
    if row is None or row.kind != PROJECT or not _Counting(site).of(row):
        return None
    return Project.of(Record.from_cbor(row.record))


def verdicts(site: LocalSite, project: Project) -> dict[int, Verdict]:
    """Return what each site has said of a project, by position; whoever proposed it has approved it, and closed is
    closed."""
    found, counts = {project.site: Verdict.APPROVED}, _Counting(site)
    for row in site.profile.records.all(VERDICT):
        if row.accepted is not None:
            about, verdict = read_verdict(Record.from_cbor(row.record))
            holds = verdict is Verdict.CLOSED or counts.of(row)
            if about == project.id and holds and found.get(row.site) is not Verdict.CLOSED:
                found[row.site] = verdict
    return found


class _Counting:
    """Whether records count: accepted here, and signed with a key that still speaks for its site."""

    def __init__(self, site: LocalSite) -> None:
        self._site = site
        self._keys: dict[int, frozenset[bytes]] = {}

    def of(self, row: RecordRow) -> bool:
        """Return whether a record counts."""
        if row.accepted is None:
            return False
        if row.site not in self._keys:
            self._keys[row.site] = custodian.keys_of(self._site, row.site).counting
        return row.issuer in self._keys[row.site]


def state_of(project: Project, said: Mapping[int, Verdict], position: int, now: int) -> str:
    """Return closed, expired, approved or proposed: where a project stands at the site at ``position``; pure."""
    if Verdict.CLOSED in (said.get(project.site), said.get(position)):
        return "closed"
    if now >= project.until:
        return "expired"
    return "approved" if said.get(position) is Verdict.APPROVED else "proposed"


def under(site: LocalSite, id: bytes, asker: tuple[int, bytes], person: str, at: int) -> Project:
    """Return the project that a person (site and key) asks under at ``at`` (UTC ms), if this site allows that.

    Raises UserError ``project.unknown``, ``.closed``, ``.expired``, ``.not_approved``, ``.not_a_member``.
    """
    if (project := find(site, id)) is None:
        raise UserError("project.unknown", project=id.hex()[:12])
    own = site.site_name(site.position)
    match state_of(project, verdicts(site, project), site.position, at):
        case "closed":
            raise UserError("project.closed", title=project.title, site=own)
        case "expired":
            raise UserError("project.expired", title=project.title, until=_day(project.until - 1))
        case "proposed":
            raise UserError("project.not_approved", title=project.title, site=own)
    if all((each.site, each.key) != asker for each in project.members):
        raise UserError("project.not_a_member", title=project.title, person=person, site=site.site_name(asker[0]))
    return project


def _day(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d")
