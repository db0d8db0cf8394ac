"""Commands about projects; see :mod:`app.core.services.commands` for what a command is."""

from __future__ import annotations

from app.core.federation.projects import MOST_ASSESSMENT, MOST_BASIS, MOST_MEMBERS, MOST_PURPOSE, MOST_TITLE, Verdict
from app.core.services import projects
from app.core.services.catalogues import ready
from app.core.services.commands import Context, Result, Values, command
from app.core.services.people_commands import passphrase_of

_ID = 256
_TIME = 1 << 52


@command("project.list", passive=True)
def list_(context: Context, values: Values) -> Result:
    """Return all projects, newest first; see :func:`.projects.to_plain`."""
    values.done()
    return {"projects": projects.listed(context.owner.member)}


@command("project.new", online=True)
def new(context: Context, values: Values) -> Result:
    """Propose a project: ``title``, ``purpose``, ``legal_basis``, ``assessment``, ``members`` [{site, person}] by name
    ("" is this site), ``until`` (UTC ms), and the custodian's ``passphrase`` (may be missing where there is none)."""
    title, purpose = values.string("title", MOST_TITLE), values.string("purpose", MOST_PURPOSE)
    basis, assessment = values.string("legal_basis", MOST_BASIS), values.string("assessment", MOST_ASSESSMENT)
    members = [_member(values, each) for each in values.items("members", MOST_MEMBERS)]
    until, passphrase = values.number("until", 0, _TIME), passphrase_of(values)
    values.done()
    member = ready(context.owner.member)
    project = projects.propose(
        member,
        title=title,
        purpose=purpose,
        legal_basis=basis,
        assessment=assessment,
        members=members,
        until=until,
        passphrase=passphrase,
    )
    return projects.to_plain(member, project)


@command("project.approve", online=True)
def approve(context: Context, values: Values) -> Result:
    """Approve the project ``id`` (or title) for this site, with the custodian's ``passphrase``."""
    return _decided(context, values, Verdict.APPROVED)


@command("project.close", online=True)
def close(context: Context, values: Values) -> Result:
    """Close the project ``id`` (or title): everywhere if this site has proposed it, else for this site."""
    return _decided(context, values, Verdict.CLOSED)


def _decided(context: Context, values: Values, verdict: Verdict) -> Result:
    name, passphrase = values.string("id", _ID), passphrase_of(values)
    values.done()
    member = ready(context.owner.member)
    project = projects.decide(member, name, verdict, passphrase)
    member.advance()
    return projects.to_plain(member, project)


def _member(values: Values, plain: object) -> tuple[str, str]:
    if not isinstance(plain, dict):
        values.refuse("members")
    fields = Values(plain)
    found = fields.string("site", 100), fields.string("person", 100)
    fields.done()
    return found
