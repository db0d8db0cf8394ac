"""Founding a federation between sites that lie open in one test, without a relay."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from app.core.catalogue.model import Catalogue
from app.core.crypto.parameters import EXTRACTION_PRIMES, ParameterSet
from app.core.federation.ceremony import READY
from app.core.federation.mailroom import LocalPost
from app.core.federation.roster import Roster, Site, default_quorum
from app.core.services.member import Member
from app.core.services.profile import OpenProfile


def found(
    profiles: Sequence[OpenProfile],
    *,
    name: str,
    catalogue: Catalogue,
    parameters: ParameterSet,
    quorum: int | None = None,
) -> Roster:
    """Make a federation of ``profiles``: every site signs the roster and installs it. Return the roster.

    ``quorum`` None is all sites up to three, all but one from four. Raises UserError ``roster.*``.
    """
    sites = tuple(
        Site(position, profile.site_name, profile.site_contact, profile.member_public)
        for position, profile in enumerate(profiles, start=1)
    )
    roster = Roster(
        federation_id=secrets.token_bytes(32),
        name=name,
        parameters=parameters,
        quorum=default_quorum(len(sites)) if quorum is None else quorum,
        catalogue_hash=catalogue.hash,
        nonce=secrets.token_bytes(32),
        sites=sites,
        extraction=EXTRACTION_PRIMES,
    )
    signatures = {site.position: roster.sign(profile.member_key) for site, profile in zip(sites, profiles, strict=True)}
    for profile in profiles:
        profile.install_roster(roster, signatures, catalogue)
    return roster


def settle(members: Sequence[Member], post: LocalPost) -> None:
    """Let sites in one program work until none has anything new to read."""
    for member in members:
        post.connect(member.mailroom, member.profile.store)
    while True:
        for member in members:
            member.work()
        if not post.carry():
            return


def hold_ceremony(members: Sequence[Member], post: LocalPost) -> None:
    """Let sites in one program make their collective key."""
    settle(members, post)
    assert {member.ceremony.advance().state for member in members} == {READY}
