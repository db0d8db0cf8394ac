"""Commands about versions of the catalogue; see :mod:`app.core.services.commands` for what a command is."""

from __future__ import annotations

from app.core.catalogue.file import load_catalogue
from app.core.federation.catalogue_links import MOST_VERSION
from app.core.federation.catalogue_publishing import MOST_NOTE
from app.core.services import catalogues
from app.core.services.commands import Context, Result, Values, command


@command("catalogue.versions", passive=True)
def versions(context: Context, values: Values) -> Result:
    """Return the versions that are known here; see :func:`app.core.services.catalogues.versions`."""
    values.done()
    return catalogues.versions(context.owner.member)


@command("catalogue.check", passive=True)
def check(context: Context, values: Values) -> Result:
    """Say what publishing the catalogue file at ``path`` would do, or raise why it cannot be published.

    See :func:`app.core.services.catalogues.consequences`.
    """
    path = values.path("path")
    values.done()
    member, catalogue = catalogues.ready(context.owner.member), load_catalogue(path)
    member.catalogues.check(catalogue)
    return catalogues.consequences(member, catalogue)


@command("catalogue.changes", passive=True)
def changes(context: Context, values: Values) -> Result:
    """Say what accepting the ``version`` that waits would do, as ``catalogue.check``; and who is its ``author``."""
    version = values.number("version", 1, MOST_VERSION)
    values.done()
    member = catalogues.ready(context.owner.member)
    link = member.catalogues.waiting(version)
    author = member.site.site_name(link.author)
    return {**catalogues.consequences(member, member.site.catalogues[link.catalogue]), "author": author}


@command("catalogue.publish", online=True)
def publish(context: Context, values: Values) -> Result:
    """Publish the catalogue file at ``path`` as the next version, with a ``note`` for the others; it is in force here.

    Returns what ``catalogue.check`` says, and the ``hash``.
    """
    path, note = values.path("path"), values.string("note", 4 * MOST_NOTE)
    values.done()
    member, catalogue = catalogues.ready(context.owner.member), load_catalogue(path)
    done = catalogues.consequences(member, catalogue)
    link = member.catalogues.publish(catalogue, note)
    member.advance()
    return {**done, "hash": link.catalogue.hex()}


@command("catalogue.accept", online=True)
def accept(context: Context, values: Values) -> Result:
    """Put the ``version`` that waits into force here; returns what ``catalogue.changes`` says, and the ``hash``."""
    version = values.number("version", 1, MOST_VERSION)
    values.done()
    member = catalogues.ready(context.owner.member)
    link = member.catalogues.waiting(version)
    done = catalogues.consequences(member, member.site.catalogues[link.catalogue])
    member.catalogues.accept(version)
    member.advance()
    return {**done, "author": member.site.site_name(link.author), "hash": link.catalogue.hex()}
