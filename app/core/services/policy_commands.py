"""Commands about this site's policy; see :mod:`app.core.services.commands` for what a command is."""

from __future__ import annotations

from app.core.disclosure.policy import FIELDS
from app.core.services import asking, policies, previewing
from app.core.services.commands import Context, Result, Values, command
from app.core.services.query_commands import read_epsilon

_LONGEST_TEXT = 1 << 16
_NAME = 200


@command("policy.show", passive=True)
def show_policy(context: Context, values: Values) -> Result:
    """Return this site's policy: {policy, version, signed_by, signed_at, custodian, sentences, managed,
    managed_source, draft, history}.

    ``policy`` has all fields as they hold, ``managed`` those that IT has fixed in the file ``managed_source``;
    ``signed_by`` is custodian or site (empty: it is the default, which nobody has signed); ``history`` is newest first.
    """
    values.done()
    return policies.show(context.owner.member)


@command("policy.set")
def set_policy(context: Context, values: Values) -> Result:
    """Change fields of this site's policy; those that are missing or None stay. Return as ``policy.show``.

    It holds at once where the site has no custodian, else it is the draft.
    """
    changed = {name: values.any(name) for name in FIELDS if values.given(name)}
    values.done()
    return policies.change(context.owner.member, changed)


@command("policy.sign")
def sign_policy(context: Context, values: Values) -> Result:
    """Put the draft into force with the custodian's ``passphrase`` (missing where there is no custodian)."""
    passphrase = values.secret("passphrase") if values.given("passphrase") else None
    values.done()
    return policies.sign(context.owner.member, passphrase)


@command("policy.preview", passive=True)
def preview_policy(context: Context, values: Values) -> Result:
    """Return what would happen to a request and why: {verdict, findings: [{rule, holds, source, version, params}],
    price}.

    Either of the request ``id`` that has come, or of a question that nobody has asked yet: ``text``, and what may be
    missing: epsilon ("" for exact), per_site, sites (names), minimum (0: the usual), person, project, and ``asker``,
    the site that would ask.
    """
    member = context.owner.member
    if values.given("id"):
        id = asking.find_query(member, values.text("id", 64))
        values.done()
        return previewing.preview_request(member, id)
    supposed = previewing.Supposed(
        text=values.string("text", _LONGEST_TEXT),
        epsilon=read_epsilon(values.string("epsilon", 64)) if values.given("epsilon") else None,
        per_site=values.flag("per_site") if values.given("per_site") else False,
        sites=[str(name) for name in values.items("sites", 64)] if values.given("sites") else (),
        minimum=(values.number("minimum", 0, 64) if values.given("minimum") else 0) or None,
        person=values.string("person", _NAME) if values.given("person") else "",
        project=values.string("project", _NAME) if values.given("project") else "",
        asker=values.string("asker", _NAME) if values.given("asker") else "",
    )
    values.done()
    return previewing.preview_text(member, supposed)
