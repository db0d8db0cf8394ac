"""Commands about the site as a whole: how it stands, and what can be asked."""

from __future__ import annotations

from app.core.services import coverage
from app.core.services.commands import Context, Result, Values, command
from app.core.services.overview import overview


@command("site.overview", passive=True)
def show(context: Context, values: Values) -> Result:
    """Return how this site stands: federation, relay, sites, what waits; see :mod:`app.core.services.overview`."""
    values.done()
    return overview(context.owner)


@command("catalogue.show", passive=True)
def catalogue(context: Context, values: Values) -> Result:
    """Return the version of the federation's catalogue that is in force here, and which sites hold what of it.

    ``have`` (may be missing) is the hash of a catalogue that the client has: it does not get that one again. Returns
    ``catalogue`` (canonical bytes, empty if the client has it), ``hash``, ``held`` (at how many sites, by code),
    ``own`` (codes held here), ``sites`` (how many have told what they hold) and ``by_site``: for each whether it has
    told (``known``) and what it holds as bits (:mod:`app.core.catalogue.holding`), empty if it has no dataset.
    """
    have = values.bytes("have", 0, 32) if values.given("have") else b""
    values.done()
    member = context.owner.member
    found = member.coverage.sites()
    hash_ = member.site.catalogues.hash
    return {
        "catalogue": b"" if have == hash_ else member.site.catalogue.to_cbor(),
        "hash": hash_,
        "held": dict(coverage.counted(found)),
        "own": sorted(next(each for each in found if each.own).codes),
        "sites": sum(each.known for each in found),
        "by_site": [
            {"site": each.site, "own": each.own, "known": each.known, "held": each.held, "codes": len(each.codes)}
            for each in found
        ],
    }
