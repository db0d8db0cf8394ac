"""Saved cohorts: named, versioned definitions that can be used as terms; and the draft of what is being built.

A saved cohort stands on its own: saved cohorts inside it become part of its definition, so that what it means changes
only when somebody saves it again. A query that uses one is expanded when it is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.core import codec
from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.query.model import Cohort, Query, expanded
from app.core.query.text import format as format_cohort
from app.core.query.text import format_query, parse, parse_query
from app.core.store.cohorts import MAX_NAME, CohortRow, DraftRow, is_name
from app.core.store.profile import Profile

MAX_DRAFT = 20_000
MAX_SETTINGS = 4096
KEPT_DRAFTS = 50
DRAFT_VERSION_MS = 5 * 60_000
"""A version of the draft gathers the changes of this time."""


def save(store: Profile, catalogue: Catalogue, name: str, text: str, now: int) -> CohortRow:
    """Save what ``text`` means as ``name``, as its next version if there is one already, and return it.

    Raises UserError ``cohort.bad_name``, and as ``query.text.parse``. What is the same as the latest is not kept twice.
    """
    return keep(store, catalogue, name, expanded(read(store, catalogue, text)), now)


def keep(store: Profile, catalogue: Catalogue, name: str, cohort: Cohort, now: int) -> CohortRow:
    """Save a cohort without saved cohorts in it, as :func:`save`; raises UserError ``cohort.bad_name``."""
    query, latest = Query(cohort).to_cbor(), store.cohorts.get(named(name))
    if latest is not None and latest.query == query:
        return latest
    return store.cohorts.add(named(name), text=format_cohort(cohort, catalogue), query=query, now=now)


def named(name: str) -> str:
    """Return a name without spaces around it; raises UserError ``cohort.bad_name`` for what cannot be one."""
    bare = name.strip()
    if not is_name(bare):
        raise UserError("cohort.bad_name", name=bare[:MAX_NAME], most=MAX_NAME)
    return bare


def show(store: Profile, name: str, version: int | None = None) -> CohortRow:
    """Return a saved cohort; raises UserError ``cohort.unknown``."""
    if (found := store.cohorts.get(name.strip(), version)) is None:
        raise UserError("cohort.unknown", name=name[:MAX_NAME])
    return found


def rename(store: Profile, name: str, to: str) -> CohortRow:
    """Give a saved cohort another name; raises UserError ``cohort.unknown``, ``.bad_name``, ``.exists``."""
    row, other = show(store, name), store.cohorts.get(named(to))
    if other is not None and other.name != row.name:
        raise UserError("cohort.exists", name=other.name)
    store.cohorts.rename(row.name, named(to))
    return show(store, named(to))


def delete(store: Profile, name: str) -> int:
    """Delete a saved cohort with its versions and return how many; raises UserError ``cohort.unknown``."""
    return store.cohorts.delete(show(store, name).name)


def read(store: Profile, catalogue: Catalogue, text: str) -> Cohort:
    """Read a text form that may use saved cohorts; raises as ``query.text.parse``."""
    return parse(text, catalogue, _definitions(store))


def _definitions(store: Profile) -> Callable[[str], Cohort | None]:
    """Return what finds the latest definition of a saved cohort by its name."""

    def definition(name: str) -> Cohort | None:
        row = store.cohorts.get(name.strip())
        return None if row is None else Query.from_cbor(row.query).cohort

    return definition


def read_query(store: Profile, catalogue: Catalogue, text: str) -> Query:
    """Read the text form of a whole question that may use saved cohorts; raises as ``query.text.parse_query``."""
    return parse_query(text, catalogue, _definitions(store))


def question(store: Profile, catalogue: Catalogue, text: str) -> tuple[str, Query]:
    """Return what ``text`` asks, and the text that says so for ever: without names whose meaning may change."""
    query = read_query(store, catalogue, text)
    bare = replace(query, cohort=expanded(query.cohort))
    return text if bare == query else format_query(bare, catalogue), bare


# --- the draft ----------------------------------------------------------------------------------------------------


def save_draft(store: Profile, text: str, settings: object, now: int) -> DraftRow:
    """Keep what is being built; ``text`` need not make sense yet. Return the version that it is now."""
    plain, latest = codec.encode(settings), store.drafts.latest()
    if len(text) > MAX_DRAFT or len(plain) > MAX_SETTINGS:
        raise UserError("cohort.draft_too_large", most=MAX_DRAFT)
    if latest is None or (text != latest.text and not latest.begun <= now < latest.begun + DRAFT_VERSION_MS):
        row = DraftRow(1 if latest is None else latest.version + 1, text, plain, now, now)
    elif (text, plain) == (latest.text, latest.settings):
        return latest
    else:
        row = DraftRow(latest.version, text, plain, latest.begun, now)
    with store.database.atomic():
        store.drafts.put(row)
        store.drafts.forget(before=row.version - KEPT_DRAFTS + 1)
    return row


def clear_draft(store: Profile, now: int) -> DraftRow:
    """Begin anew: an empty version follows, so that the ones before it can still be had."""
    latest = store.drafts.latest()
    if latest is not None and not latest.text:
        return latest
    row = DraftRow(1 if latest is None else latest.version + 1, "", codec.encode({}), now, now)
    with store.database.atomic():
        store.drafts.put(row)
        store.drafts.forget(before=row.version - KEPT_DRAFTS + 1)
    return row
