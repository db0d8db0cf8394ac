"""The versions of this site's policy: each signed, each naming the one before, so that none can be slipped in.

Canonical CBOR, version 1::

    {"format": "consilium policy", "version": 1, "federation": 32 bytes, "site": roster position, "number": 1, 2, …,
     "previous": SHA-256 of the version before (32 zero bytes for the first), "at": UTC milliseconds, "policy": the
     policy's canonical bytes, "by": "custodian" or "site", "key": 32 bytes Ed25519, "signature": 64 bytes}

The signature is over all but itself. Where the site has a custodian's key, only that key makes another version: what
the member key alone has signed afterwards does not count. Every version is a record of the audit trail too: where the
newest version that it knows is not here, somebody has cut it off.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from app.core import codec
from app.core.crypto.identity import SIGNATURE_BYTES, VERIFY_BYTES, VerifyingKey
from app.core.disclosure.policy import LIMIT, Policy
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.federation import audit, custodian
from app.core.federation.custodian import NewKey, Signer
from app.core.federation.local_site import LocalSite
from app.core.federation.roster import MOST_SITES
from app.core.federation.signed_records import CUSTODIAN as CUSTODIAN_RECORD
from app.core.federation.signed_records import Record
from app.core.fields import Fields

CUSTODIAN, SITE = "custodian", "site"
SIGNED = "policy.signed"
"""The kind of the audit record about a version."""
_OLD_SETTING = "site policy"
"""Where programs from before kept the only version there was, unsigned."""
_DRAFT = "policy draft"
_FORMAT, _VERSION = "consilium policy", 1
_PURPOSE = "policy version v1"
_MALFORMED = "policy.malformed_version"
_RECORD_LIMIT = LIMIT + 1024
_MOST_TIME = 1 << 53
_FIRST = bytes(32)


@dataclass(frozen=True)
class PolicyVersion:
    """One version; see the module."""

    federation: bytes
    site: int
    number: int
    previous: bytes
    at: int
    policy: Policy
    by: str = SITE
    key: bytes = b""
    signature: bytes = field(default=b"", repr=False)
    written: bytes = field(default=b"", repr=False)
    """The policy's bytes as they were signed: an older format is not written anew."""

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the record: what the next version names."""
        return hashlib.sha256(self.to_cbor()).digest()

    def signed(self, by: Signer) -> PolicyVersion:
        """Return this version as ``by`` signs it."""
        named = replace(self, by=by.by, key=by.key)
        return replace(named, signature=by.sign(_PURPOSE, named._statement()))

    def to_cbor(self) -> bytes:
        """Return the record's canonical bytes."""
        return codec.encode({**self._plain(), "signature": self.signature})

    @classmethod
    def from_cbor(cls, data: bytes) -> PolicyVersion:
        """Read a record and verify its signature; whose key it is, :func:`check_chain` looks at.

        Raises ProtocolViolation ``policy.malformed_version``, ``policy.malformed``, ``identity.bad_signature``.
        """
        fields = Fields.decode(data, _RECORD_LIMIT, _MALFORMED)
        fields.exactly({"format": _FORMAT, "version": _VERSION})
        written, by = fields.bytes("policy", 1, LIMIT), fields.text("by", 16)
        if by not in (CUSTODIAN, SITE):
            fields.refuse("by")
        version = cls(
            federation=fields.bytes("federation", 32),
            site=fields.number("site", 1, MOST_SITES),
            number=fields.number("number", 1, 1 << 31),
            previous=fields.bytes("previous", 32),
            at=fields.number("at", 0, _MOST_TIME),
            policy=Policy.from_cbor(written),
            by=by,
            key=fields.bytes("key", VERIFY_BYTES),
            signature=fields.bytes("signature", SIGNATURE_BYTES),
            written=written,
        )
        fields.done()
        VerifyingKey(version.key).check(_PURPOSE, version._statement(), version.signature)
        return version

    def _plain(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "federation": self.federation,
            "site": self.site,
            "number": self.number,
            "previous": self.previous,
            "at": self.at,
            "policy": self.written or self.policy.to_cbor(),
            "by": self.by,
            "key": self.key,
        }

    def _statement(self) -> bytes:
        return codec.encode(self._plain())


def current(site: LocalSite) -> PolicyVersion | None:
    """Return the version in force, or None if the site has set none; raises as :func:`history`."""
    versions = history(site)
    return versions[-1] if versions else None


def history(site: LocalSite) -> tuple[PolicyVersion, ...]:
    """Return all versions, oldest first, the whole chain verified; an older program's policy is taken over first.

    Raises EnvironmentProblem ``policy.altered`` if somebody else than this site has written what is stored, or one is
    missing.
    """
    records, (recorded, hash_) = site.profile.policies.all(), _recorded(site)
    if recorded > len(records) or (recorded and hashlib.sha256(records[recorded - 1]).digest() != hash_):
        raise EnvironmentProblem("policy.altered", version=recorded)
    if not records:
        old = site.profile.settings.get(_OLD_SETTING)
        return () if old is None else (_taken_over(site, old),)
    ours = (site.roster.federation_id, site.position)
    keys = {SITE: {site.key.public.verify}, CUSTODIAN: _custodians(site)}
    versions, previous, custodial = list[PolicyVersion](), _FIRST, False
    for number, record in enumerate(records, start=1):
        try:
            version = _read(record)
        except ProtocolViolation as error:
            raise EnvironmentProblem("policy.altered", version=number) from error
        own = (version.federation, version.site) == ours and version.key in keys[version.by]
        if not own or (version.number, version.previous) != (number, previous) or (custodial and version.by == SITE):
            raise EnvironmentProblem("policy.altered", version=number)
        versions.append(version)
        previous, custodial = version.hash, custodial or version.by == CUSTODIAN
    return tuple(versions)


def add(site: LocalSite, policy: Policy, by: Signer | None = None) -> PolicyVersion:
    """Make ``policy`` the next version, signed ``by`` this one (by default the site's member key), and return it.

    Inside or outside ``database.atomic()``. Raises UserError ``policy.needs_custodian`` where the site has a custodian
    and somebody else would sign.
    """
    before = current(site)
    following = PolicyVersion(
        federation=site.roster.federation_id,
        site=site.position,
        number=1 if before is None else before.number + 1,
        previous=_FIRST if before is None else before.hash,
        at=site.clock.now(),
        policy=policy,
    ).signed(by or custodian.member(site))
    if following.by == SITE and custodian.exists(site):
        raise UserError("policy.needs_custodian", site=site.site_name(site.position))
    with site.profile.database.atomic():
        site.profile.policies.add(following.number, following.to_cbor())
        site.profile.settings.remove(_DRAFT)
        site.profile.settings.remove(_OLD_SETTING)
        _record(site, following)
    return following


def draft(site: LocalSite) -> Policy | None:
    """Return the policy that waits for a signature, or None."""
    stored = site.profile.settings.get(_DRAFT)
    return None if stored is None else Policy.from_cbor(stored)


def keep_draft(site: LocalSite, policy: Policy | None) -> None:
    """Keep a policy that is to be signed; None forgets it."""
    if policy is None:
        site.profile.settings.remove(_DRAFT)
    else:
        site.profile.settings.put(_DRAFT, policy.to_cbor())


def _taken_over(site: LocalSite, old: bytes) -> PolicyVersion:
    """Make version 1 of what an older program kept in the settings."""
    version = PolicyVersion(
        site.roster.federation_id, site.position, 1, _FIRST, site.clock.now(), Policy.from_cbor(old), written=old
    ).signed(custodian.member(site))
    with site.profile.database.atomic():
        site.profile.policies.add(1, version.to_cbor())
        site.profile.settings.remove(_OLD_SETTING)
        _record(site, version)
    return version


def _recorded(site: LocalSite) -> tuple[int, bytes]:
    """Return number and hash of the newest version that the audit trail tells of; (0, b"") for none."""
    for row in site.profile.audit.of_kind(SIGNED, 1):
        what = audit.Entry.decode(row.body).what or {}
        number, hash_ = what.get("version"), what.get("hash")
        if type(number) is int and type(hash_) is bytes:
            return number, hash_
    return 0, b""


def _record(site: LocalSite, version: PolicyVersion) -> None:
    what = {"version": version.number, "hash": version.hash, "by": version.by, "policy": version.policy.to_plain()}
    audit.record(site, SIGNED, what=what)


def _custodians(site: LocalSite) -> set[bytes]:
    """Return every custodian's key that this site ever had: what one has signed holds until the next version."""
    rows = site.profile.records.all(CUSTODIAN_RECORD, site.position)
    return {NewKey.of(Record.from_cbor(row.record)).key for row in rows if row.accepted is not None}


@lru_cache(maxsize=256)
def _read(record: bytes) -> PolicyVersion:
    return PolicyVersion.from_cbor(record)
