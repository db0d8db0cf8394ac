"""The audit trail: what this site did, decided, refused and gave, each as a record that nobody can take back.

The body of a record, canonical CBOR::

    {"version": 1, "salt": 16 bytes, "who": text, "what": map, "why": text, "budget": map or None}

``who`` is the person or site that caused it (empty: this site itself), ``what`` plain values, ``why`` the rule and its
source or the code of an error, ``budget`` what there was before and after. A result's number, a patient's row and a
secret are never in it. The salt is random: other sites get the digests of records, and shall not find out what they say
by trying. The chain itself is :mod:`app.core.store.audit`; it begins with ``profile.created``, or, in a profile that is
older than this, with ``audit.began``, which says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.core import codec
from app.core.clock import Clock
from app.core.crypto.identity import MemberKey
from app.core.errors import ConsiliumError, ProtocolViolation
from app.core.federation.signed_records import Record
from app.core.fields import Fields
from app.core.query.text import format_query
from app.core.store.audit import AuditRow
from app.core.store.profile import Profile

if TYPE_CHECKING:  # both are read by what imports this
    from app.core.federation.local_site import LocalSite
    from app.core.federation.query_messages import Request

VERSION = 1
SALT_BYTES = 16
BODY_LIMIT = 60_000
"""Bytes of a body; what would make it longer is cut."""
MALFORMED = "audit.malformed_record"
BEGAN, CREATED, FINDING = "audit.began", "profile.created", "audit.finding"
_CUTS, _ITEMS = (8_000, 500, 50), 200
_CREATED_AT, _SITE_NAME = "profile created", "site name"


@dataclass(frozen=True)
class Entry:
    """What a record says."""

    who: str = ""
    what: Mapping[str, Any] | None = None
    why: str = ""
    budget: Mapping[str, Any] | None = None

    def encode(self, salt: bytes | None = None) -> bytes:
        """Return the canonical bytes of the body; what is too long is cut, and says so."""
        salt = os.urandom(SALT_BYTES) if salt is None else salt
        for most in _CUTS:
            plain = {
                "version": VERSION,
                "salt": salt,
                "who": _cut(self.who, most),
                "what": _cut(dict(self.what or {}), most),
                "why": _cut(self.why, most),
                "budget": None if self.budget is None else _cut(dict(self.budget), most),
            }
            if len(body := codec.encode(plain)) <= BODY_LIMIT:
                return body
        return codec.encode({**plain, "what": {"too_long": len(body)}, "budget": None})

    @classmethod
    def decode(cls, body: bytes) -> Entry:
        """Read a body; raises ProtocolViolation ``audit.malformed_record``."""
        fields = Fields.decode(body, BODY_LIMIT, MALFORMED)
        fields.exactly({"version": VERSION})
        fields.bytes("salt", SALT_BYTES)
        who, what, why, budget = (fields.any(name) for name in ("who", "what", "why", "budget"))
        fields.done()
        if type(who) is not str or type(why) is not str:
            fields.refuse("who")
        if not _is_map(what) or not (budget is None or _is_map(budget)):
            fields.refuse("what")
        return cls(who, what, why, budget)


def record(
    site: LocalSite,
    kind: str,
    *,
    who: str = "",
    what: Mapping[str, Any] | None = None,
    why: str = "",
    budget: Mapping[str, Any] | None = None,
) -> None:
    """Add a record to this site's chain; call inside the ``database.atomic()`` of what it tells of.

    ``kind`` is two words with a dot, such as ``request.received``; values are what CBOR carries.
    """
    record_as(site.profile, site.key, site.clock, kind, Entry(who, what, why, budget))


def record_as(store: Profile, key: MemberKey, clock: Clock, kind: str, entry: Entry) -> AuditRow:
    """As :func:`record`, where there is no federation yet."""
    with store.database.atomic():
        begin(store, key, clock)
        return store.audit.add(key, at=clock.now(), kind=kind, body=entry.encode())


def begin_new(store: Profile, key: MemberKey, clock: Clock, *, name: str) -> None:
    """Begin the chain of a profile that is just being made for the site of this name."""
    body = Entry(what={"site": name, **_own(key)}).encode()
    store.audit.add(key, at=clock.now(), kind=CREATED, body=body)


def begin(store: Profile, key: MemberKey, clock: Clock) -> None:
    """Begin the chain of a profile from before there was one with a record that says what came before it."""
    if store.audit.head()[0]:
        return
    created = int(store.settings.get(_CREATED_AT) or b"0")
    name = store.settings.get(_SITE_NAME)
    before = {
        **({} if name is None else {"site": name.decode()}),
        "profile_created": created,
        "refusals": len(store.refusals.all()),
        "datasets": len(store.datasets.all()),
        "questions": len(store.runs.all()),
    }
    with store.database.atomic():
        body = Entry(what={**_own(key), **before}).encode()
        store.audit.add(key, at=clock.now(), kind=BEGAN, body=body)


def question(site: LocalSite, session: bytes, request: Request) -> dict[str, Any]:
    """Return what records say of a request: the question in its text form, and of whom it asks how much."""
    try:
        asked = format_query(request.query, site.catalogue_of(request.meanings))
    except ConsiliumError as error:  # what it asks cannot be said in words here; its hash says which one it was
        asked = f"({error.code})"
    return {
        "session": session,
        "request": request.hash,
        "question": asked,
        "per_site": request.query.per_site,
        "epsilon": "" if request.epsilon is None else str(request.epsilon),
        "contributors": [site.site_name(position) for position in request.contributors],
        "minimum": request.minimum,
        "purpose": request.purpose,
        **_asked_by(request),
    }


def _asked_by(request: Request) -> dict[str, Any]:
    """Return the person and the project that a request names, as it says, and what is withheld of its numbers.

    Whether they may ask, what follows tells: a contribution, or why there is none.
    """
    said: dict[str, Any] = {}
    if request.authority is not None:
        try:
            person = Record.from_cbor(request.authority.delegation).content.get("person")
        except ProtocolViolation:
            person = None
        said["person"] = person if type(person) is str else ""
        said |= {"project": request.authority.project} if request.authority.project else {}
    if request.smallest is not None:
        said["smallest"] = request.smallest.least
    return said


def _own(key: MemberKey) -> dict[str, Any]:
    """Return the site's public key, with which an export of the chain can be verified."""
    return {"key": key.public.to_dict(), "fingerprint": key.public.fingerprint.hex()}


def _cut(value: Any, most: int) -> Any:
    """Return ``value`` with no text longer than ``most`` characters and no list of more than :data:`_ITEMS`."""
    if isinstance(value, str) and len(value) > most:
        return f"{value[:most]}…"
    if isinstance(value, dict):
        return {str(name): _cut(item, most) for name, item in value.items()}
    return [_cut(item, most) for item in value[:_ITEMS]] if isinstance(value, list | tuple) else value


def _is_map(value: object) -> bool:
    return isinstance(value, dict) and all(type(name) is str for name in value)
