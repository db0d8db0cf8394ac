"""Commands about this site's own queries; see :mod:`app.core.services.commands` for what a command is."""

from __future__ import annotations

import time
from fractions import Fraction

from app.core import settings
from app.core.errors import UserError
from app.core.federation import charging, small_counts
from app.core.query.model import Query
from app.core.services import asking, budget, explaining
from app.core.services.commands import Context, Result, Steps, Values, Waiting, command
from app.core.services.member import Member
from app.core.services.membership import membership

_ID = 64
_LOOK_SECONDS = 1.0
_LARGEST_WAIT = 30 * 24 * 3600.0
_LONGEST_TEXT = 1 << 16


@command("query.explain", passive=True)
def explain(context: Context, values: Values) -> Result:
    """Say what ``text`` asks, whether and how it can be computed, and which sites cannot answer it; nothing is sent.

    A mistake in it is part of the answer; see :func:`app.core.services.explaining.explain`. ``per_site`` (may be
    missing) is whether each site's numbers are to be told. With ``epsilon`` and how many ``contributors`` there shall
    be, ``half_width`` is that of the 95 % interval which their noise implies for the first number. ``price`` is what it
    costs each of the ``sites`` (names; every one if missing), see :func:`app.core.services.budget.price_to_plain`;
    ``smallest`` which small counts cryptography would withhold, see :func:`app.core.federation.small_counts.to_plain`.
    """
    text, per_site = values.string("text", _LONGEST_TEXT), _flag(values, "per_site")
    epsilon = read_epsilon(values.string("epsilon", 64)) if values.given("epsilon") else None
    contributors = values.number("contributors", 0, 64) if values.given("contributors") else 0
    sites = [str(name) for name in values.items("sites", 64)] if values.given("sites") else []
    values.done()
    member, width = context.owner.member, 0
    roster = member.site.roster
    chosen = tuple(sorted({roster.site_named(name).position for name in sites})) or roster.positions
    found = explaining.explain(member, text, per_site=per_site)
    if epsilon is not None and found["fits"]:
        width = asking.width_of_noise(member, Query.from_cbor(found["query"]), epsilon, chosen, contributors)
    price, smallest = _price(member, found, epsilon, chosen)
    return {**found, "half_width": width, "price": price, "smallest": smallest}


def _price(
    member: Member, found: Result, epsilon: Fraction | None, chosen: tuple[int, ...]
) -> tuple[Result | None, Result | None]:
    """Return what the question would cost each site, with what is left here, and which small counts would be withheld.

    None where it does not fit.
    """
    if not found["fits"]:
        return None, None
    query, roster = Query.from_cbor(found["query"]), member.site.roster
    smallest = small_counts.needed(member.site, member.mailroom, chosen, epsilon)
    asked = charging.Asked(query, epsilon, chosen, asking.blocks_of(member, query, chosen), smallest)
    price = budget.price_of_draft(member, asked)
    return budget.price_to_plain(member, price, epsilon), small_counts.to_plain(smallest, roster)


@command("query.run", online=True)
def run(context: Context, values: Values) -> Steps:
    """Ask, and wait up to ``wait`` seconds for the answer.

    Values: text, epsilon ("" for exact, else a fraction), sites (names), minimum (0: the usual), deadline (UTC ms, 0:
    none), per_site (may be missing), purpose, wait; person and project in whose name (may be missing). Returns the
    query; raises Waiting ``cli.query.waiting`` while it is open.
    """
    text, epsilon = values.string("text", _LONGEST_TEXT), read_epsilon(values.string("epsilon", 64))
    sites = [str(name) for name in values.items("sites", 64)]
    minimum, deadline = values.number("minimum", 0, 64), values.number("deadline", 0, 1 << 52)
    purpose, wait, per_site = values.text("purpose", 500), _seconds(values), _flag(values, "per_site")
    person, project = (values.string(name, 200) if values.given(name) else "" for name in ("person", "project"))
    values.done()
    member = context.owner.member
    known = membership(context.profile)
    settings.current().require("ask", "" if known is None else known.address.url)
    id = asking.ask(
        member,
        text,
        epsilon=epsilon,
        purpose=purpose,
        sites=sites,
        minimum=minimum or None,
        deadline=deadline,
        per_site=per_site,
        person=person,
        project=project,
    )
    member.desk.advance()
    return (yield from _until_over(context, id, wait))


@command("query.wait", online=True)
def wait_for(context: Context, values: Values) -> Steps:
    """Wait up to ``wait`` seconds for the query ``id``; as query.run."""
    id, wait = asking.find_query(context.owner.member, values.text("id", _ID)), _seconds(values)
    values.done()
    return (yield from _until_over(context, id, wait))


def _until_over(context: Context, id: bytes, wait: float) -> Steps:
    until = time.monotonic() + wait
    while True:
        context.job.cancel.check()
        view = asking.show(context.owner.member, id)
        if view.over:
            return _whole(context.owner.member, view)
        left = until - time.monotonic()
        if left <= 0:
            raise Waiting("cli.query.waiting", id=id.hex()[:12])
        yield min(left, _LOOK_SECONDS)


@command("query.list", passive=True)
def list_(context: Context, values: Values) -> Result:
    """Return this site's own queries, newest first; ``most`` (may be missing) is how many at the most."""
    most = values.number("most", 1, 1 << 20) if values.given("most") else None
    values.done()
    return {"queries": [asking.view_to_plain(view) for view in asking.list_queries(context.owner.member, most)]}


@command("query.show", passive=True)
def show(context: Context, values: Values) -> Result:
    """Return one of this site's own queries by the beginning of its id, with its part of the catalogue as bytes."""
    member = context.owner.member
    id = asking.find_query(member, values.text("id", _ID))
    values.done()
    return _whole(member, asking.show(member, id))


def _whole(member: Member, view: asking.QueryView) -> Result:
    """Return all of one query: with the results of its analysis, and its part of the catalogue as bytes."""
    catalogue = member.site.catalogue_of(member.desk.heard(view.id).request.meanings)
    return {**asking.told(member, view), "catalogue": explaining.part_of(catalogue, view.query).to_cbor()}


@command("query.cancel", online=True)
def cancel(context: Context, values: Values) -> Result:
    """End one of this site's own queries."""
    member = context.owner.member
    id = asking.find_query(member, values.text("id", _ID))
    values.done()
    member.desk.cancel(id)
    return asking.view_to_plain(asking.show(member, id))


@command("query.remind", online=True)
def remind(context: Context, values: Values) -> Result:
    """Remind the sites that are waited for."""
    member = context.owner.member
    id = asking.find_query(member, values.text("id", _ID))
    values.done()
    return {"id": id.hex(), "reminded": list(member.desk.remind(id))}


@command("query.finish", online=True)
def finish(context: Context, values: Values) -> Result:
    """Close the set with those who have answered."""
    member = context.owner.member
    id = asking.find_query(member, values.text("id", _ID))
    values.done()
    member.desk.finish(id)
    member.desk.advance()
    return asking.view_to_plain(asking.show(member, id))


@command("query.retry", online=True)
def retry(context: Context, values: Values) -> Result:
    """Have another quorum open the result, without the sites named."""
    member = context.owner.member
    id = asking.find_query(member, values.text("id", _ID))
    without = [member.site.roster.site_named(str(name)).position for name in values.items("without", 64)]
    values.done()
    aside = member.desk.heard(id).request.smallest is not None
    member.desk.retry(id, asking.nearest_quorum(member, without, aside=aside))
    member.desk.advance()
    return asking.view_to_plain(asking.show(member, id))


@command("query.note", online=True)
def note(context: Context, values: Values) -> Result:
    """Write to the sites asked, or to one of them."""
    member = context.owner.member
    id = asking.find_query(member, values.text("id", _ID))
    text, name = values.text("text", 2000), values.optional_text("site", 100)
    values.done()
    member.desk.note(id, text, None if name is None else member.site.roster.site_named(name).position)
    return asking.view_to_plain(asking.show(member, id))


def read_epsilon(text: str) -> Fraction | None:
    """Return the ε that a person wrote, None for an empty text; raises UserError ``query.bad_epsilon``."""
    if not text:
        return None
    try:
        epsilon = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise UserError("query.bad_epsilon", text=text) from error
    if not Fraction(1, 1 << 20) <= epsilon <= 1 << 20 or max(epsilon.numerator, epsilon.denominator) > 1 << 20:
        raise UserError("query.bad_epsilon", text=text)
    return epsilon


def _flag(values: Values, name: str) -> bool:
    if not values.given(name):
        return False
    found = values.any(name)
    if not isinstance(found, bool):
        values.refuse(name)
    return bool(found)


def _seconds(values: Values) -> float:
    return values.number("wait", 0, int(_LARGEST_WAIT)) + 0.0
