"""Projects of the federation: proposed here, approved here, closed here, and shown with what every site says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.core.errors import ProtocolViolation, UserError
from app.core.federation import custodian, people, people_messages, projects
from app.core.federation.projects import Participant, Project, Verdict
from app.core.federation.signed_records import PROJECT, VERDICT
from app.core.secret import SecretBytes
from app.core.services.member import Member
from app.core.services.people import find_project

LONGEST = 10 * 366 * 24 * 3_600_000
"""How far away a project's end can be, in milliseconds."""


def propose(
    member: Member,
    *,
    title: str,
    purpose: str,
    legal_basis: str,
    assessment: str,
    members: Sequence[tuple[str, str]],
    until: int,
    passphrase: SecretBytes | None = None,
) -> Project:
    """Propose a project to all sites, and thereby approve it here; ``members`` are (site, person), both by name.

    Raises UserError ``project.bad_text``, ``project.no_members``, ``project.unknown_member``, ``project.until_past``,
    ``project.until_too_late``, ``roster.unknown_site``, and as ``custodian.signer``.
    """
    site, now = member.site, member.site.clock.now()
    if until <= now:
        raise UserError("project.until_past")
    if until - now > LONGEST:
        raise UserError("project.until_too_late", years=10)
    if not 1 <= len(members) <= projects.MOST_MEMBERS:
        raise UserError("project.no_members", most=projects.MOST_MEMBERS)
    by = custodian.signer(site, passphrase)
    wanted = Project(
        id=b"",
        site=site.position,
        title=title.strip(),
        purpose=purpose.strip(),
        legal_basis=legal_basis.strip(),
        assessment=assessment.strip(),
        members=tuple(
            sorted({_participant(member, *each) for each in members}, key=lambda each: (each.site, each.person))
        ),
        until=until,
        at=now,
    )
    try:
        with site.profile.database.atomic():
            record = people_messages.issue(site, by, PROJECT, wanted.to_content())
    except ProtocolViolation as error:
        raise UserError("project.bad_text", field=str(error.params.get("field", ""))) from error
    people_messages.announce(site, member.mailroom)
    return Project.of(record)


def _participant(member: Member, site: str, person: str) -> Participant:
    """Return somebody who is endorsed at a site, by name."""
    local, wanted = member.site, person.strip()
    position = local.roster.site_named(site).position if site else local.position
    now, found = local.clock.now(), people.endorsed(local, position)
    named = [each for each in found if each.delegation.person == wanted and each.state(now) in ("valid", "not yet")]
    if not named:
        raise UserError("project.unknown_member", person=wanted[:100], site=local.site_name(position))
    delegation = named[-1].delegation
    return Participant(position, delegation.person, delegation.key)


def decide(member: Member, name: str, verdict: Verdict, passphrase: SecretBytes | None = None) -> Project:
    """Approve or close the project with this title (or beginning of its id) for this site.

    Closed by the site that proposed it, it is closed everywhere. Raises UserError ``project.unknown``,
    ``project.closed``, ``project.expired``, ``project.already_approved``, and as ``custodian.signer``.
    """
    site, project = member.site, find_project(member.site, name)
    own = site.site_name(site.position)
    state = projects.state_of(project, projects.verdicts(site, project), site.position, site.clock.now())
    if state == "closed":
        raise UserError("project.closed", title=project.title, site=own)
    if verdict is Verdict.APPROVED and state == "approved":
        raise UserError("project.already_approved", title=project.title, site=own)
    if verdict is Verdict.APPROVED and state == "expired":
        raise UserError("project.expired", title=project.title, until=people.day(project.until - 1))
    by = custodian.signer(site, passphrase)
    with site.profile.database.atomic():
        people_messages.issue(site, by, VERDICT, {"project": project.id, "verdict": verdict.value})
    people_messages.announce(site, member.mailroom)
    return project


def to_plain(member: Member, project: Project) -> dict[str, Any]:
    """Return a project as it travels; ``state`` is where it stands at this site: proposed, approved, expired, closed.

    Of each site ``approvals`` says the same; what was not heard of a site is ``proposed``.
    """
    site, now = member.site, member.site.clock.now()
    said = projects.verdicts(site, project)
    return {
        "id": project.id.hex(),
        "title": project.title,
        "purpose": project.purpose,
        "legal_basis": project.legal_basis,
        "assessment": project.assessment,
        "proposed_by": site.site_name(project.site),
        "proposed": project.at,
        "own": project.site == site.position,
        "members": [{"site": site.site_name(each.site), "person": each.person} for each in project.members],
        "until": project.until,
        "state": projects.state_of(project, said, site.position, now),
        "approvals": [
            {"site": each.name, "state": projects.state_of(project, said, each.position, now)}
            for each in site.roster.sites
        ],
    }


def listed(member: Member) -> list[dict[str, Any]]:
    """Return all projects that were heard of, newest first."""
    return [to_plain(member, each) for each in reversed(projects.known(member.site))]
