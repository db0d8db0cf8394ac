"""Commands about people; see :mod:`app.core.services.commands` for what a command is. Passphrases are secrets."""

from __future__ import annotations

from app.core.federation.custodian import fingerprint
from app.core.federation.people import MOST_NAME, MOST_REASON, Role
from app.core.secret import SecretBytes
from app.core.services import handover, people
from app.core.services.catalogues import ready
from app.core.services.commands import Context, Result, Values, command

_REQUEST = 1 << 14
_TIME = 1 << 52


@command("people.list", passive=True)
def list_(context: Context, values: Values) -> Result:
    """Return who is endorsed, by whom and until when; see :func:`.people.listed`."""
    values.done()
    return people.listed(context.owner.member)


@command("people.custodian", online=True)
def custodian(context: Context, values: Values) -> Result:
    """Make this site's custodian key under ``passphrase``; ``old`` is that of the one which it follows, or ``lost``
    says that nobody knows it (both may be missing)."""
    passphrase, old = values.secret("passphrase"), passphrase_of(values, "old")
    lost = values.flag("lost") if values.given("lost") else False
    values.done()
    return people.make_custodian(ready(context.owner.member), passphrase, old=old, lost=lost)


@command("people.accept_custodian")
def accept_custodian(context: Context, values: Values) -> Result:
    """Accept another ``site``'s custodian key that replaces one whose passphrase was lost, by its ``fingerprint``."""
    site, digits = values.string("site", 200), values.string("fingerprint", 64)
    values.done()
    return people.accept_custodian(context.owner.member, site, digits)


@command("people.key")
def key(context: Context, values: Values) -> Result:
    """Make the key of ``person`` on this workstation, or find it; return the endorsement request as text."""
    person = values.string("person", MOST_NAME)
    values.done()
    member = context.owner.member
    request = people.make_key(member, person)
    text = people.request_text(member, request)
    return {"person": request.person, "request": text, "fingerprint": fingerprint(request.key)}


@command("people.read_request", passive=True)
def read_request(context: Context, values: Values) -> Result:
    """Return whom an endorsement request names: what a custodian compares before endorsing."""
    request = people.read_endorsement(values.string("request", _REQUEST))
    values.done()
    site = context.owner.member.site
    ours = (request.federation, request.site) == (site.roster.federation_id, site.position)
    return {"person": request.person, "fingerprint": fingerprint(request.key), "ours": ours}


@command("people.endorse", online=True)
def endorse(context: Context, values: Values) -> Result:
    """Endorse whom ``request`` names, or (if it is empty) ``person``, whose key is made here, as ``role`` until
    ``until`` (UTC ms); ``since`` and ``passphrase`` may be missing."""
    text, role, until = values.string("request", _REQUEST), values.string("role", 16), values.number("until", 0, _TIME)
    person = values.string("person", MOST_NAME) if values.given("person") else ""
    since = values.number("since", 0, _TIME) if values.given("since") else 0
    passphrase = passphrase_of(values)
    values.done()
    if role not in set(Role):
        values.refuse("role")
    member = ready(context.owner.member)
    request = people.read_endorsement(text) if text else people.make_key(member, person)
    found = people.endorse(member, request, Role(role), until=until, since=since, passphrase=passphrase)
    own = member.profile.store.own_keys.of(request.person) == request.key
    return people.endorsed_to_plain(member.site, found, member.site.clock.now(), own=own)


@command("people.revoke", online=True)
def revoke(context: Context, values: Values) -> Result:
    """Take back the endorsement ``id`` (or the beginning of it, or a person's name) for ``reason``; ``as_site`` (may be
    missing) does it with the member key, without the ``passphrase``."""
    name, reason, passphrase = values.string("id", 200), values.string("reason", MOST_REASON), passphrase_of(values)
    as_site = values.flag("as_site") if values.given("as_site") else False
    values.done()
    member = ready(context.owner.member)
    id = people.find_named(member.site, name).delegation.id
    (found,) = people.revoke(member, [id], reason, passphrase=passphrase, as_site=as_site)
    return people.endorsed_to_plain(member.site, found, member.site.clock.now(), own=False)


@command("people.handover", online=True)
def hand_over(context: Context, values: Values) -> Result:
    """Begin or go on with the handover from ``leaver`` (empty: show the one under way); with ``revoke`` take back all
    that the leaver holds, with one signature. ``end`` forgets a handover that is done. See :func:`.handover.status`."""
    leaver, passphrase = values.string("leaver", MOST_NAME), passphrase_of(values)
    flags = {name: values.flag(name) if values.given(name) else False for name in ("revoke", "as_site", "end")}
    values.done()
    member = context.owner.member
    if leaver:
        handover.begin(member, leaver)
    if flags["revoke"]:
        handover.revoke(ready(member), passphrase, as_site=flags["as_site"])
    found = handover.status(member)
    if flags["end"]:
        handover.end(member)
    return found


def passphrase_of(values: Values, name: str = "passphrase") -> SecretBytes | None:
    """Take a passphrase that may be missing, None or empty: None then."""
    if not values.given(name):
        return None
    found = values.any(name)
    if found is not None and not isinstance(found, SecretBytes):
        values.refuse(name)
    return found or None
