"""Commands about this site's own queries; see :mod:`app.core.services.commands` for what a command is."""

from __future__ import annotations

import time
from fractions import Fraction

from app.core.errors import UserError
from app.core.services import asking, explaining
from app.core.services.commands import Context, Result, Steps, Values, Waiting, command

_ID = 64
_LOOK_SECONDS = 1.0
_LARGEST_WAIT = 30 * 24 * 3600.0
_LONGEST_TEXT = 1 << 16


@command("query.explain", passive=True)
def explain(context: Context, values: Values) -> Result:
    """Say what ``text`` asks, whether and how it can be computed, and which sites cannot answer it; nothing is sent.

    A mistake in it is part of the answer; see :func:`app.core.services.explaining.explain`. With ``epsilon`` and how
    many ``contributors`` there shall be, ``half_width`` is that of the 95 % interval which their noise implies.
    """
    text = values.string("text", _LONGEST_TEXT)
    epsilon = _epsilon(values.string("epsilon", 64)) if values.given("epsilon") else None
    contributors = values.number("contributors", 0, 64) if values.given("contributors") else 0
    values.done()
    width = 0 if epsilon is None else asking.width_of_noise(epsilon, contributors)
    return {**explaining.explain(context.owner.member, text), "half_width": width}


@command("query.run", online=True)
def run(context: Context, values: Values) -> Steps:
    """Ask, and wait up to ``wait`` seconds for the answer.

    Values: text, epsilon ("" for exact, else a fraction), sites (names), minimum (0: the usual), deadline (UTC ms, 0:
    none), purpose, wait. Returns the query; raises Waiting ``cli.query.waiting`` while it is open.
    """
    text, epsilon = values.string("text", _LONGEST_TEXT), _epsilon(values.string("epsilon", 64))
    sites = [str(name) for name in values.items("sites", 64)]
    minimum, deadline = values.number("minimum", 0, 64), values.number("deadline", 0, 1 << 52)
    purpose, wait = values.text("purpose", 500), _seconds(values)
    values.done()
    member = context.owner.member
    id = asking.ask(
        member, text, epsilon=epsilon, purpose=purpose, sites=sites, minimum=minimum or None, deadline=deadline
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
            return asking.view_to_plain(view)
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
    view, catalogue = asking.show(member, id), member.site.catalogue_of(member.desk.heard(id).request.meanings)
    return {**asking.view_to_plain(view), "catalogue": explaining.part_of(catalogue, view.query).to_cbor()}


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
    member.desk.retry(id, asking.nearest_quorum(member, without))
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


def _epsilon(text: str) -> Fraction | None:
    if not text:
        return None
    try:
        epsilon = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise UserError("query.bad_epsilon", text=text) from error
    if not Fraction(1, 1 << 20) <= epsilon <= 1 << 20 or max(epsilon.numerator, epsilon.denominator) > 1 << 20:
        raise UserError("query.bad_epsilon", text=text)
    return epsilon


def _seconds(values: Values) -> float:
    return values.number("wait", 0, int(_LARGEST_WAIT)) + 0.0
