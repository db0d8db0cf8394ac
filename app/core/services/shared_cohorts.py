"""Saved cohorts leave this site and come to it: shared with other sites, written to files and read from them.

What comes is never saved over what is here, and never silently means something else: its variables' meanings come with
it and are compared with the catalogue in force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.core import codec
from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.federation import cohort_sharing
from app.core.query.check import check
from app.core.query.model import MAX_BYTES, Query
from app.core.query.text import format as format_cohort
from app.core.query.text import parse
from app.core.services import cohorts
from app.core.services.cohort_files import CohortFile, format_file, load_file, refuse_meaning
from app.core.services.exporting import save
from app.core.services.member import Member
from app.core.store.cohorts import MAX_NAME, CohortRow
from app.core.store.profile import Profile
from app.core.store.shared_cohorts import SharedRow

_LISTED = 20


def differences(catalogue: Catalogue, meanings: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Return which variables are ``missing`` from a catalogue, and which have another ``meaning`` in it; as codes."""
    missing = sorted(code for code in meanings if catalogue.find(code) is None)
    other = sorted(code for code in meanings.keys() - set(missing) if not catalogue.means(code, meanings[code]))
    return {"missing": missing, "meaning": other}


# --- other sites ----------------------------------------------------------------------------------------------------


def share(member: Member, name: str, sites: Sequence[str], version: int | None = None) -> dict[str, Any]:
    """Share a saved cohort with ``sites``, or with all others if none is named.

    Return its ``name`` and ``version``, the ``sites`` that it goes to, and the ``unread`` ones, whose program does not
    read shared cohorts or has not told yet. Raises UserError ``cohort.unknown``, ``roster.unknown_site``,
    ``cohort.not_to_oneself``, ``cohort.nobody_reads``, and as ``query.check`` what the catalogue in force lacks.
    """
    site, row = member.site, cohorts.show(member.profile.store, name, version)
    wanted = {site.roster.site_named(each).position for each in sites} or set(site.roster.positions) - {site.position}
    if site.position in wanted:
        raise UserError("cohort.not_to_oneself", site=site.site_name(site.position))
    told = wanted & set(cohort_sharing.readers(site, member.mailroom))
    if not told:
        raise UserError("cohort.nobody_reads", sites=_list([site.site_name(each) for each in sorted(wanted)]))
    query = Query.from_cbor(row.query)
    check(query.cohort, site.catalogue)
    cohort_sharing.share(site, member.mailroom, row.name, query, told)
    return {
        "name": row.name,
        "version": row.version,
        "sites": [site.site_name(each) for each in sorted(told)],
        "unread": [site.site_name(each) for each in sorted(wanted - told)],
    }


def offered(member: Member) -> list[dict[str, Any]]:
    """Return what other sites have shared, as it travels.

    Each has ``site``, ``name``, ``text``, ``query`` (canonical bytes), when it was ``shared`` (UTC ms, by that site's
    clock) and ``received``; ``missing`` and other ``meaning`` as :func:`differences` of the catalogue in force, and
    ``saved``, the name of one's own cohort that says the same, or "".
    """
    store, catalogue = member.profile.store, member.site.catalogue
    own = {row.query: row.name for row in store.cohorts.all()}
    return [
        {
            "site": member.site.site_name(row.sender),
            "name": row.name,
            "text": format_cohort(Query.from_cbor(row.query).cohort),
            "query": row.query,
            "shared": row.shared,
            "received": row.received,
            "saved": own.get(row.query, ""),
            **differences(catalogue, _meanings(row)),
        }
        for row in store.shared_cohorts.all()
    ]


def accept(
    member: Member, site: str, name: str, *, to: str = "", anyway: bool = False
) -> tuple[CohortRow, dict[str, list[str]]]:
    """Save what ``site`` has shared as ``name`` under that name, or as ``to``; return it, and what differs.

    The offer goes with it. Raises UserError ``cohort.not_offered``, ``roster.unknown_site``, and as :func:`_keep`.
    """
    row = _offer(member, site, name)
    query = Query.from_cbor(row.query)
    with member.profile.store.database.atomic():
        kept = _keep(member, to or row.name, query, _meanings(row), anyway=anyway)
        member.profile.store.shared_cohorts.delete(row.sender, row.name)
    return kept


def decline(member: Member, site: str, name: str) -> str:
    """Remove an offer and return its name; raises UserError ``cohort.not_offered``, ``roster.unknown_site``."""
    row = _offer(member, site, name)
    member.profile.store.shared_cohorts.delete(row.sender, row.name)
    return row.name


def _offer(member: Member, site: str, name: str) -> SharedRow:
    sender = member.site.roster.site_named(site)
    if (row := member.profile.store.shared_cohorts.get(sender.position, name.strip())) is None:
        raise UserError("cohort.not_offered", name=name[:MAX_NAME], site=sender.name)
    return row


def _meanings(row: SharedRow) -> dict[str, bytes]:
    meanings: dict[str, bytes] = codec.decode(row.meanings, MAX_BYTES)
    return meanings


# --- files ----------------------------------------------------------------------------------------------------------


def export(
    store: Profile, catalogue: Catalogue, name: str, path: Path, *, version: int | None = None, replace: bool = False
) -> CohortRow:
    """Write a saved cohort to a file (:mod:`app.core.services.cohort_files`), and return it.

    Raises UserError ``cohort.unknown``, ``export.exists``; EnvironmentProblem ``file.*``, ``disk.*``.
    """
    row = cohorts.show(store, name, version)
    codes = Query.from_cbor(row.query).codes
    meanings = {code: catalogue.meaning(code) for code in codes if catalogue.find(code) is not None}
    written = CohortFile(row.name, row.text, meanings, f"{catalogue.name}, {catalogue.version}")
    save(path, format_file(written).encode(), replace=replace)
    return row


def import_file(
    member: Member, path: Path, *, to: str = "", anyway: bool = False
) -> tuple[CohortRow, dict[str, list[str]]]:
    """Save the cohort in a file under its name, or as ``to``; return it, and what differs.

    It names no saved cohorts, which may mean something else elsewhere. Raises UserError as ``cohort_files.read_file``,
    ``query.text.parse`` and :func:`_keep`; EnvironmentProblem ``file.*``.
    """
    found = load_file(path)
    _refuse_missing(member.site.catalogue, found.name, found.meanings)
    query = Query(parse(found.text, member.site.catalogue))
    if unused := sorted(found.meanings.keys() - set(query.codes)):
        refuse_meaning(path, unused[0])
    return _keep(member, to or found.name, query, found.meanings, anyway=anyway)


# --- keeping --------------------------------------------------------------------------------------------------------


def _keep(
    member: Member, name: str, query: Query, meanings: Mapping[str, bytes], *, anyway: bool
) -> tuple[CohortRow, dict[str, list[str]]]:
    """Save what came from elsewhere, as new or where it says what is saved by that name already.

    Raises UserError ``cohort.exists``, ``cohort.bad_name``; ``cohort.variables_missing``; ``cohort.means_otherwise``
    unless ``anyway``; and as ``query.check`` what cannot be asked of the catalogue in force.
    """
    store, catalogue = member.profile.store, member.site.catalogue
    _refuse_missing(catalogue, name, meanings)
    check(query.cohort, catalogue)
    what = differences(catalogue, meanings)
    if what["meaning"] and not anyway:
        raise UserError("cohort.means_otherwise", name=name[:MAX_NAME], variables=_list(what["meaning"]))
    if (own := store.cohorts.get(cohorts.named(name))) is not None and own.query != query.to_cbor():
        raise UserError("cohort.exists", name=own.name)
    return cohorts.keep(store, catalogue, name, query.cohort, member.site.clock.now()), what


def _refuse_missing(catalogue: Catalogue, name: str, meanings: Mapping[str, bytes]) -> None:
    """Raise UserError ``cohort.variables_missing`` with all of them: a parser would name the first only."""
    if missing := differences(catalogue, meanings)["missing"]:
        raise UserError("cohort.variables_missing", name=name[:MAX_NAME], variables=_list(missing))


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (" …" if len(names) > _LISTED else "")
