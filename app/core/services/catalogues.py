"""The versions of the catalogue as a person sees them: which there are, what one changes, what that costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from app.core.catalogue.difference import Change, differences
from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.federation import ceremony as ceremonies
from app.core.federation import holdings
from app.core.federation.joining import CREATOR
from app.core.federation.known_catalogues import KnownCatalogues
from app.core.services.member import Member
from app.core.store.catalogues import LinkRow


def ready(member: Member) -> Member:
    """Return the site at work; raises UserError ``joining.not_ready`` before its ceremony is done."""
    session = member.site.profile.sessions.get(member.site.roster.ceremony)
    if session is None or session.state != ceremonies.READY:
        raise UserError("joining.not_ready")
    return member


def changes(before: Catalogue, after: Catalogue) -> dict[str, list[str]]:
    """Return the codes of the variables that are ``added``, ``removed``, changed in ``meaning`` (data has to be sealed
    anew for them) or in what is ``shown`` only; and of the ``groups`` that changed in any way."""
    found: dict[str, list[str]] = {**{change.value: [] for change in Change}, "groups": []}
    for each in differences(before, after):
        found["groups" if each.group else each.change.value].append(each.code)
    return found


def consequences(member: Member, after: Catalogue) -> dict[str, Any]:
    """Return what it means that ``after`` comes into force here, as :func:`effects`."""
    found = member.dataset.find()
    return effects(member.site.catalogue, after, () if found is None else found.codes)


def effects(before: Catalogue, after: Catalogue, held: Iterable[str]) -> dict[str, Any]:
    """Return what it means that ``after`` follows ``before`` where the active dataset holds ``held``, as it travels.

    The number of the ``version`` and of the ``previous`` one, its ``changes`` as :func:`changes`, and as ``unusable``
    what could not be asked of the dataset any more.
    """
    return {
        "version": after.version,
        "previous": before.version,
        "changes": changes(before, after),
        "unusable": sorted(code for code in held if not after.means(code, before.meaning(code))),
    }


def versions(member: Member) -> dict[str, Any]:
    """Return the versions that are known here, oldest first, as they travel.

    Each has ``version``, ``hash``, ``author`` (a site), ``published`` (UTC ms by the author's clock; 0 for the first),
    ``note``, ``accepted`` (UTC ms; 0 for not here), ``sites`` (where it is in force, as far as they have told) and
    ``state``: in_force, waiting, earlier, arriving (its content is not here yet), refused (its content is not what was
    signed) or not_chosen: another version was published at the same time, and goes on. ``overtaken`` is whether that
    has happened to the one in force here: who published it accepts the other and publishes again.
    """
    site = member.site
    known, here = site.catalogues, {row.hash: row.accepted or 0 for row in site.profile.catalogues.all()}
    first = LinkRow(
        known.first, b"", known[known.first].version, CREATOR, published=0, signature=b"", note="", received=0
    )
    rows, state, where = (first, *site.profile.catalogues.links()), _states(known), _where(member)
    chain = known.chain()
    return {
        "versions": [
            {
                "version": row.version,
                "hash": row.catalogue.hex(),
                "author": site.site_name(row.author),
                "published": row.published,
                "note": row.note,
                "state": "refused" if row.refused else state(row.catalogue),
                "accepted": here.get(row.catalogue, 0),
                "sites": where.get(row.catalogue, []),
            }
            for row in rows
        ],
        "in_force": known.in_force.version,
        "overtaken": bool(chain) and chain[-1].catalogue not in {link.catalogue for link in known.going_on()},
    }


def _states(known: KnownCatalogues) -> Callable[[bytes], str]:
    """Return what says the state of a version by its hash."""
    here, in_force = known.hashes(), known.hash
    waiting, passed = ({link.catalogue for link in links} for links in (known.waiting(), known.chain()))

    def state(catalogue: bytes) -> str:
        if catalogue == in_force:
            return "in_force"
        if catalogue in waiting:
            return "waiting"
        if catalogue in passed or catalogue == known.first:
            return "earlier"
        return "not_chosen" if catalogue in here else "arriving"

    return state


def _where(member: Member) -> dict[bytes, list[str]]:
    """Return by hash at which sites a version is in force, as far as they have told."""
    site = member.site
    told = {position: each.catalogue for position, each in holdings.heard(site, member.mailroom).items()}
    told[site.position] = site.catalogues.hash
    where: dict[bytes, list[str]] = {}
    for position, catalogue in sorted(told.items()):
        where.setdefault(catalogue or site.catalogues.first, []).append(site.site_name(position))
    return where
