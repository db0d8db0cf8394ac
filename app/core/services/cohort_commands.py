"""Commands about saved cohorts and the draft; see :mod:`app.core.services.commands` for what a command is."""

from __future__ import annotations

from app.core import codec
from app.core.federation.roster import MOST_SITES
from app.core.services import cohorts, shared_cohorts
from app.core.services.catalogues import ready
from app.core.services.commands import Context, Result, Values, command
from app.core.store.cohorts import CohortRow, DraftRow

_LONGEST_TEXT = 1 << 16


@command("cohort.save")
def save(context: Context, values: Values) -> Result:
    """Save what ``text`` means as ``name``; the same name again makes the next version."""
    name, text = values.string("name", 200), values.string("text", _LONGEST_TEXT)
    values.done()
    catalogue, now = context.owner.member.site.catalogue, context.profile.clock.now()
    return _cohort(cohorts.save(context.profile.store, catalogue, name, text, now))


@command("cohort.list", passive=True)
def list_(context: Context, values: Values) -> Result:
    """Return the latest version of every saved cohort, by name."""
    values.done()
    return {"cohorts": [_cohort(row) for row in context.profile.store.cohorts.all()]}


@command("cohort.show", passive=True)
def show(context: Context, values: Values) -> Result:
    """Return a saved cohort; ``version`` 0 is the latest."""
    name, version = values.string("name", 200), values.number("version", 0, 1 << 31)
    values.done()
    return _cohort(cohorts.show(context.profile.store, name, version or None))


@command("cohort.versions", passive=True)
def versions(context: Context, values: Values) -> Result:
    """Return all versions of a saved cohort, newest first."""
    name = values.string("name", 200)
    values.done()
    store = context.profile.store
    return {"cohorts": [_cohort(row) for row in store.cohorts.versions(cohorts.show(store, name).name)]}


@command("cohort.rename")
def rename(context: Context, values: Values) -> Result:
    """Give a saved cohort the name ``to``."""
    name, to = values.string("name", 200), values.string("to", 200)
    values.done()
    return _cohort(cohorts.rename(context.profile.store, name, to))


@command("cohort.delete")
def delete(context: Context, values: Values) -> Result:
    """Delete a saved cohort with all its versions."""
    name = values.string("name", 200)
    values.done()
    return {"name": name, "versions": cohorts.delete(context.profile.store, name)}


@command("cohort.export")
def export(context: Context, values: Values) -> Result:
    """Write a saved cohort to the file ``path``; ``version`` 0 is the latest, an existing file may be ``replace``d."""
    name, version = values.string("name", 200), values.number("version", 0, 1 << 31)
    path, replace = values.path("path"), values.flag("replace")
    values.done()
    store, catalogue = context.profile.store, context.owner.member.site.catalogue
    row = shared_cohorts.export(store, catalogue, name, path, version=version or None, replace=replace)
    return {**_cohort(row), "path": str(path)}


@command("cohort.import")
def import_(context: Context, values: Values) -> Result:
    """Save the cohort in the file ``path``, as ``to`` unless that is empty.

    ``anyway`` takes it also where a variable has another meaning here; these are returned as ``meaning``.
    """
    path, to, anyway = values.path("path"), values.string("to", 200), values.flag("anyway")
    values.done()
    row, found = shared_cohorts.import_file(context.owner.member, path, to=to, anyway=anyway)
    return {**_cohort(row), "meaning": found["meaning"]}


@command("cohort.share", online=True)
def share(context: Context, values: Values) -> Result:
    """Offer a saved cohort to ``sites`` (names; none: all others); see :func:`.shared_cohorts.share`."""
    name, sites = values.string("name", 200), values.items("sites", MOST_SITES)
    values.done()
    if not all(isinstance(each, str) for each in sites):
        values.refuse("sites")
    member = ready(context.owner.member)
    found = shared_cohorts.share(member, name, sites)
    member.advance()
    return found


@command("cohort.shared", passive=True)
def shared(context: Context, values: Values) -> Result:
    """Return what other sites offer; see :func:`.shared_cohorts.offered`."""
    values.done()
    return {"cohorts": shared_cohorts.offered(context.owner.member)}


@command("cohort.accept")
def accept(context: Context, values: Values) -> Result:
    """Save what ``site`` offers as ``name``, as ``to`` unless that is empty; as ``cohort.import``."""
    site, name = values.string("site", 200), values.string("name", 200)
    to, anyway = values.string("to", 200), values.flag("anyway")
    values.done()
    row, found = shared_cohorts.accept(context.owner.member, site, name, to=to, anyway=anyway)
    return {**_cohort(row), "meaning": found["meaning"]}


@command("cohort.decline")
def decline(context: Context, values: Values) -> Result:
    """Remove what ``site`` offers as ``name``."""
    site, name = values.string("site", 200), values.string("name", 200)
    values.done()
    return {"name": shared_cohorts.decline(context.owner.member, site, name)}


@command("draft.save")
def save_draft(context: Context, values: Values) -> Result:
    """Keep the query that is being built: its ``text`` form, and ``settings``, a small map."""
    text, settings = values.string("text", _LONGEST_TEXT), values.table("settings")
    values.done()
    return _draft(cohorts.save_draft(context.profile.store, text, settings, context.profile.clock.now()))


@command("draft.load", passive=True)
def load_draft(context: Context, values: Values) -> Result:
    """Return the versions of the draft, newest first; the first one is what was last on the screen."""
    values.done()
    return {"drafts": [_draft(row) for row in context.profile.store.drafts.all()]}


@command("draft.clear")
def clear_draft(context: Context, values: Values) -> Result:
    """Begin a new query; the versions before it are kept."""
    values.done()
    return _draft(cohorts.clear_draft(context.profile.store, context.profile.clock.now()))


def _cohort(row: CohortRow) -> Result:
    return {"name": row.name, "version": row.version, "text": row.text, "query": row.query, "saved": row.saved}


def _draft(row: DraftRow) -> Result:
    settings = codec.decode(row.settings, cohorts.MAX_SETTINGS)
    return {"version": row.version, "text": row.text, "settings": settings, "begun": row.begun, "saved": row.saved}
