"""Commands on the audit trail; see :mod:`app.core.services.commands`."""

from __future__ import annotations

import time
from typing import Any

from app.core.errors import UserError
from app.core.federation import audit_heads
from app.core.federation.audit_check import Verified
from app.core.services import audit as service
from app.core.services.audit import Wanted
from app.core.services.commands import Context, Result, Steps, Values, command
from app.core.services.exporting import save
from app.core.services.profile import OpenProfile
from app.core.store.audit import AuditRow

_MOST = 1_000
_MOST_TIME = 1 << 52
_PAGE = 500
_LONGEST_WAIT = 600
_LOOK_SECONDS = 0.5


@command("audit.show", passive=True)
def show(context: Context, values: Values) -> Steps:
    """Return records, newest first, and the heads that sites hold of each other.

    ``after``: the records that come after this number in the list, 0 for the newest; ``kind``: kinds or the beginnings
    of kinds, with commas between, "" for all; ``text``: what they contain; ``since``, ``until`` (may be missing): UTC
    ms, 0 for no bound; ``most``. ``more`` says whether there are others.
    """
    after, kinds = values.number("after", 0, _MOST_TIME), values.string("kind", 500)
    text, most = values.string("text", 200), values.number("most", 1, _MOST)
    since, until = (values.number(name, 0, _MOST_TIME) if values.given(name) else 0 for name in ("since", "until"))
    values.done()
    wanted = Wanted(tuple(filter(None, kinds.split(","))), text, since, until)
    log, found = context.profile.store.audit, list[AuditRow]()
    reached = after or _MOST_TIME
    while len(found) <= most and (page := log.before(reached, _PAGE)):
        found += [row for row in page if wanted.takes(row)]
        reached = page[-1].number
        context.job.cancel.check()
        yield 0.0
    number, hash_ = log.head()
    return {
        "records": [service.shown(row) for row in found[:most]],
        "more": len(found) > most,
        "number": number,
        "hash": hash_.hex(),
        "heads": _heads(context.profile),
    }


@command("audit.verify")
def verify(context: Context, values: Values) -> Result:
    """Verify this site's chain against what other sites hold; ``findings`` are what is wrong with their chains."""
    values.done()
    return {**told(service.verify_profile(context.profile)), "findings": service.findings(context.profile)}


@command("audit.ask", online=True)
def ask(context: Context, values: Values) -> Steps:
    """Ask the other sites what they hold of this one's chain, and wait up to ``wait`` seconds for what they say.

    Return who has ``answered`` and who is ``unheard``. Raises UserError ``profile.no_federation``.
    """
    wait = values.number("wait", 0, _LONGEST_WAIT)
    values.done()
    member, began = context.owner.member, context.profile.clock.now()
    asked = audit_heads.ask(member.site, member.mailroom)
    left = {member.site.roster.keys[each].verify: member.site.site_name(each) for each in asked}
    names, until = list(left.values()), time.monotonic() + wait
    while left:
        context.job.cancel.check()
        member.advance()
        for each in member.site.profile.audit_heads.witnesses():
            if each.at >= began:
                left.pop(each.holder, None)
        pause = until - time.monotonic()
        if not left or pause <= 0:
            break
        yield min(pause, _LOOK_SECONDS)
    unheard = list(left.values())
    return {"answered": [name for name in names if name not in unheard], "unheard": unheard}


@command("audit.export")
def export(context: Context, values: Values) -> Result:
    """Write the whole trail to ``path`` as ``format`` (csv, fhir); an existing file only with ``replace``."""
    path, format_ = values.path("path"), values.text("format", 16)
    replace = values.flag("replace") if values.given("replace") else False
    values.done()
    if format_ not in service.FORMATS:
        raise UserError("export.format", format=format_, formats=", ".join(service.FORMATS))
    number, _ = context.profile.store.audit.head()
    save(path, service.export(context.profile, format_), replace=replace)
    context.profile.record("audit.exported", what={"format": format_, "records": number})
    return {"path": str(path), "format": format_, "records": number}


def told(found: Verified) -> dict[str, Any]:
    """Return what a verification found, in plain values."""
    return {
        "ok": found.ok,
        "records": found.records,
        "number": found.number,
        "hash": found.hash.hex(),
        "first": found.first,
        "last": found.last,
        "held": [
            {"site": each.site, "number": each.number, "hash": each.hash.hex(), "at": each.at, "agrees": each.agrees}
            for each in found.held
        ],
        "problems": [
            {"number": each.number, "code": each.code, "params": dict(each.params)} for each in found.problems
        ],
    }


def _heads(profile: OpenProfile) -> list[dict[str, Any]]:
    """Return the last head that we hold of each other site, and the last that it holds of ours (None: none)."""
    roster, store = profile.roster, profile.store
    held = {each.holder: each for each in store.audit_heads.witnesses()}
    listed = []
    for site in () if roster is None else roster.sites:
        if site.key == profile.member_public:
            continue
        head, ours = store.audit_heads.last(site.key.verify), held.get(site.key.verify)
        listed.append(
            {
                "site": site.name,
                "number": 0 if head is None else head.number,
                "hash": "" if head is None else head.hash.hex(),
                "at": 0 if head is None else head.at,
                "ours": None if ours is None else {"number": ours.number, "hash": ours.hash.hex(), "at": ours.at},
            }
        )
    return listed
