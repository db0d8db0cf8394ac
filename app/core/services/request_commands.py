"""Commands about what other sites ask of this one; see :mod:`app.core.services.commands`."""

from __future__ import annotations

from app.core.federation import policy_versions
from app.core.services import asking, requests
from app.core.services.commands import Context, Result, Values, command
from app.core.services.explaining import part_of

_ID = 64


@command("request.list", passive=True)
def list_requests(context: Context, values: Values) -> Result:
    """Return the requests of other sites, newest first."""
    values.done()
    return {"requests": [view.to_plain() for view in requests.list_requests(context.owner.member)]}


@command("request.show", passive=True)
def show_request(context: Context, values: Values) -> Result:
    """Return one request, and as bytes what a sentence about it needs: the query, and its part of the catalogue."""
    id = _request(context, values)
    values.done()
    view, site = requests.show(context.owner.member, id), context.owner.member.site
    asked, catalogue = view.request.query, site.catalogue_of(view.request.meanings)
    return {**view.to_plain(), "query": asked.to_cbor(), "catalogue": part_of(catalogue, asked).to_cbor()}


@command("request.answer", online=True)
def answer(context: Context, values: Values) -> Result:
    """Answer a request that waits for a person; with ``always`` (may be missing) its kind is answered from now on.

    ``draft`` is whether a changed policy waits for the custodian's signature now.
    """
    id, always = _request(context, values), values.flag("always") if values.given("always") else False
    values.done()
    requests.answer(context.owner.member, id, always=always)
    draft = policy_versions.draft(context.owner.member.site)
    return {**requests.show(context.owner.member, id).to_plain(), "draft": draft is not None}


@command("request.decline", online=True)
def decline(context: Context, values: Values) -> Result:
    """Decline a request that waits for a person."""
    id, reason = _request(context, values), values.string("reason", 2000)
    values.done()
    requests.decline(context.owner.member, id, reason)
    return requests.show(context.owner.member, id).to_plain()


@command("request.ask", online=True)
def ask_back(context: Context, values: Values) -> Result:
    """Ask the asker something about its request."""
    id, text = _request(context, values), values.text("text", 2000)
    values.done()
    requests.ask_back(context.owner.member, id, text)
    return requests.show(context.owner.member, id).to_plain()


def _request(context: Context, values: Values) -> bytes:
    return asking.find_query(context.owner.member, values.text("id", _ID))
