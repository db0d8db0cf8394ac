"""A site at a glance: what a window's frame shows. A few reads, so that it can be asked whenever something changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.federation import ceremony as ceremonies
from app.core.federation import news
from app.core.federation.query_hearing import KIND, OPEN, asker_of
from app.core.federation.relay_protocol import Presence
from app.core.services import requests
from app.core.services.federation_status import Stage, State
from app.core.services.federation_status import status as federation_status
from app.core.services.member import Member
from app.core.services.membership import membership
from app.core.services.owner import Owner
from app.core.services.profile import OpenProfile

_STAGES = {ceremonies.READY: Stage.READY, ceremonies.FAILED: Stage.FAILED}


def overview(owner: Owner) -> dict[str, Any]:
    """Return how this site stands, as it travels. Times are UTC ms, 0 for never or unknown.

    ``stage`` as ``federation.status`` says it; ``waiting_catalogue`` is the number of the latest version of the
    catalogue that waits for a person to accept it, 0 for none. ``relay`` has ``url``, ``state`` (none, connecting,
    connected, offline, trouble) and the ``code`` of what is wrong. ``sites`` have ``reachable``: True, False, or None
    for unknown.
    """
    profile = owner.profile
    known, backup = membership(profile), profile.store.backups.last()
    return {
        "site": profile.site_name,
        "pretend": profile.pretend,
        "relay": _relay(owner, "" if known is None else known.address.url),
        "backup": 0 if backup is None else backup[0],
        **(_joined(owner) if _has_roster(profile) else _joining(profile)),
    }


def _has_roster(profile: OpenProfile) -> bool:
    """Whether there is a roster in force: not one whose ceremony has failed, as another may be on its way."""
    roster = profile.roster
    session = None if roster is None else profile.store.sessions.get(roster.ceremony)
    return roster is not None and (session is None or session.state != ceremonies.FAILED)


def _relay(owner: Owner, url: str) -> dict[str, str]:
    if not url and owner.carrier is None:
        return {"url": url, "state": "none", "code": ""}
    if owner.carrier is None:  # a command's owner that has not used the line
        return {"url": url, "state": "offline", "code": ""}
    return {"url": url, "state": owner.carrier.connection, "code": owner.carrier.trouble}


def _joining(profile: OpenProfile) -> dict[str, Any]:
    found = federation_status(profile)
    sites = [
        {
            "name": each.name,
            "own": each.name == profile.site_name,
            "reachable": None,
            "last_seen": 0,
            "program": each.program,
            "contact": each.contact,
        }
        for each in found.sites
        if each.state != State.EXPIRED
    ]
    nothing: dict[str, Any] = {"waiting_requests": 0, "open_queries": 0, "waiting_catalogue": 0, "dataset": None}
    return {"federation": found.name, "stage": found.stage.value, "sites": sites, "quorum": found.quorum, **nothing}


def _joined(owner: Owner) -> dict[str, Any]:
    member = owner.member
    site, roster = member.site, member.site.roster
    session = site.profile.sessions.get(roster.ceremony)
    stage = Stage.CEREMONY if session is None else _STAGES.get(session.state, Stage.CEREMONY)
    connected = owner.carrier is not None and owner.carrier.connection == "connected"
    present = owner.carrier.presence() if owner.carrier is not None else {}
    return {
        "federation": roster.name,
        "stage": stage.value,
        "sites": _sites(member, present, connected),
        "quorum": roster.quorum,
        "waiting_catalogue": max((link.version for link in site.catalogues.waiting()), default=0),
        "dataset": _dataset(member),
        **_open(member),
    }


def _sites(member: Member, present: Mapping[int, Presence], connected: bool) -> list[dict[str, Any]]:
    told = news.heard(member.site, member.mailroom)
    found = []
    for each in member.site.roster.sites:
        own, there = each.position == member.site.position, present.get(each.position)
        reachable = connected if own else None if there is None or not connected else there.here
        found.append(
            {
                "name": each.name,
                "own": own,
                "reachable": reachable,
                "last_seen": 0 if there is None else there.seen,
                "program": told[each.position].program.version if each.position in told else "",
                "contact": each.contact,
            }
        )
    return found


def _dataset(member: Member) -> dict[str, Any] | None:
    found = member.dataset.find()
    if found is None:
        return None
    return {
        "id": found.id.hex(),
        "version": found.version,
        "imported": found.imported,
        "created": found.created,
        "blocks": found.shape.blocks,
        "variables": len(found.codes),
        "patients": found.patients,
    }


def _open(member: Member) -> dict[str, int]:
    """Count the requests that wait for a person here, and this site's own queries that are not over."""
    sessions = [each for each in member.site.profile.sessions.all(kind=KIND) if each.state == OPEN]
    own = [each for each in sessions if asker_of(each) == member.site.position]
    others = [each for each in sessions if asker_of(each) != member.site.position]
    waiting = sum(requests.show(member, each.id).state == "waiting" for each in others)
    return {"waiting_requests": waiting, "open_queries": len(own)}
