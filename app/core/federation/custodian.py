"""The custodian of a site: a key of its own under a passphrase, so that a role is more than a courtesy.

The private half (Ed25519, 32 bytes) lies in the profile, locked under a passphrase (:mod:`app.core.crypto.passphrase`,
content ``custodian``) and sealed under the site root, and is opened for one signature at a time. As long as a site has
none, its member key signs, and everybody is shown that.

A new key is a record ``custodian`` {"key": 32 bytes, "number": 1, 2, …, "proof": the new key's signature}. Signed by
the key in force (the member key, for the first one) it counts everywhere at once, and what was signed before goes on
counting. Signed by the member key though there is a custodian's (the passphrase is lost), it waits at every other site
until a person there accepts it; what the earlier keys have signed ends with it, since nobody can say who holds them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.core import codec
from app.core.crypto.identity import SIGNATURE_BYTES, VERIFY_BYTES, SigningKey, VerifyingKey
from app.core.crypto.passphrase import STANDARD_COST, Argon2Cost, check_new, lock, unlock
from app.core.errors import ProtocolViolation, UserError
from app.core.federation import audit
from app.core.federation.local_site import LocalSite
from app.core.federation.signed_records import CUSTODIAN, MALFORMED, MOST_TIME, Record
from app.core.fields import Fields
from app.core.secret import SecretBytes
from app.core.store.people import RecordRow

By = Literal["custodian", "site"]
_NAME = "custodian key"
_CONTENT = "custodian"
_PROOF = "custodian proof v1"
_SECRET = 32


@dataclass(frozen=True)
class Signer:
    """Who signs for this site, for as long as one command takes."""

    key: bytes
    by: By
    sign: Callable[[str, bytes], bytes]


@dataclass(frozen=True)
class Signed:
    """A signature for this site, and whose it is: the custodian's, or the site's own where it has no custodian."""

    key: bytes
    signature: bytes
    by: By


@dataclass(frozen=True)
class Keys:
    """Who may speak for a site: the key in force, those before it whose word still counts, and whether there is a
    custodian at all (or only the member key)."""

    current: bytes
    earlier: frozenset[bytes]
    custodian: bool

    @property
    def counting(self) -> frozenset[bytes]:
        """All keys whose word counts, if it was heard in time."""
        return self.earlier | {self.current}


@dataclass(frozen=True)
class NewKey:
    """What a record ``custodian`` says: the key, and the how manyth of its site it is."""

    key: bytes
    number: int

    @classmethod
    def of(cls, record: Record) -> NewKey:
        """Read it; raises ProtocolViolation ``people.malformed_record``, ``people.altered_record``."""
        fields = Fields(record.content, MALFORMED)
        new = cls(fields.bytes("key", VERIFY_BYTES), fields.number("number", 1, MOST_TIME))
        proof = fields.bytes("proof", SIGNATURE_BYTES)
        fields.done()
        try:
            VerifyingKey(new.key).check(_PROOF, _proved(record.federation, record.site, new.number), proof)
        except ProtocolViolation as error:
            raise ProtocolViolation("people.altered_record", kind=CUSTODIAN) from error
        return new


# --- whose word counts ----------------------------------------------------------------------------------------------


def keys_of(site: LocalSite, position: int) -> Keys:
    """Return who may speak for the site at ``position``, as far as it was accepted here."""
    current, earlier, custodian = site.roster.sites[position - 1].key.verify, frozenset[bytes](), False
    for row in _accepted(site, position):
        new = NewKey.of(Record.from_cbor(row.record))
        earlier = earlier | {current} if row.issuer == current else frozenset()
        current, custodian = new.key, True
    return Keys(current, earlier, custodian)


def _accepted(site: LocalSite, position: int) -> list[RecordRow]:
    """Return the accepted keys of a site in the order in which they came into force: by number, no clock counts."""
    rows = [row for row in site.profile.records.all(CUSTODIAN, position) if row.accepted is not None]
    return sorted(rows, key=lambda row: NewKey.of(Record.from_cbor(row.record)).number)


def last_number(site: LocalSite, position: int) -> int:
    """Return the number of the key of a site that is in force here, 0 for its member key: only higher ones follow."""
    return max((NewKey.of(Record.from_cbor(row.record)).number for row in _accepted(site, position)), default=0)


def waiting(site: LocalSite, position: int) -> tuple[Record, ...]:
    """Return the keys of a site that nobody here has accepted, oldest first; only the last can still be accepted."""
    last = last_number(site, position)
    rows = site.profile.records.all(CUSTODIAN, position)
    records = [Record.from_cbor(row.record) for row in rows if row.accepted is None]
    return tuple(record for record in records if NewKey.of(record).number > last)


def fingerprint(key: bytes) -> str:
    """Return what two people compare on the telephone of a custodian's or a researcher's key: 20 hexadecimal digits."""
    digits = hashlib.sha256(b"consilium/signing key v1\0" + key).hexdigest()[:20]
    return " ".join(digits[place : place + 4] for place in range(0, 20, 4))


# --- this site's own ------------------------------------------------------------------------------------------------


def exists(site: LocalSite) -> bool:
    """Return whether this site has a custodian's key."""
    return keys_of(site, site.position).custodian


def signer(site: LocalSite, passphrase: SecretBytes | None) -> Signer:
    """Open the custodian's key with its passphrase; without a custodian the member key signs and none is needed.

    Raises UserError ``custodian.passphrase_needed``, ``custodian.not_here`` (the key was not restored),
    ``passphrase.wrong``.
    """
    keys = keys_of(site, site.position)
    if not keys.custodian:
        return member(site)
    if not passphrase:
        raise UserError("custodian.passphrase_needed", site=site.site_name(site.position))
    if (locked := site.secret(_NAME)) is None:
        raise UserError("custodian.not_here", site=site.site_name(site.position))
    key = SigningKey(SecretBytes(unlock(_CONTENT, locked, passphrase, 1 << 12)))
    if key.public != keys.current:  # an old backup was restored
        raise UserError("custodian.not_here", site=site.site_name(site.position))
    return Signer(key.public, "custodian", key.sign)


def member(site: LocalSite) -> Signer:
    """Return the site's member key as one that signs."""
    return Signer(site.key.public.verify, "site", site.key.sign)


def sign(site: LocalSite, passphrase: SecretBytes | None, purpose: str, message: bytes) -> Signed:
    """Sign ``message`` for ``purpose`` (:meth:`.SigningKey.sign`); raises as :func:`signer`."""
    by = signer(site, passphrase)
    return Signed(by.key, by.sign(purpose, message), by.by)


def make(
    site: LocalSite,
    passphrase: SecretBytes,
    *,
    old: SecretBytes | None = None,
    lost: bool = False,
    cost: Argon2Cost = STANDARD_COST,
) -> Record:
    """Make a (new) custodian's key under ``passphrase``, keep it, and return its record, which counts here at once.

    Call inside ``database.atomic()``. ``old`` opens the key that it follows; ``lost`` does without, and the other sites
    have to accept the new one. Raises UserError ``passphrase.too_short`` and as :func:`signer`.
    """
    check_new(passphrase)
    records, now = site.profile.records, site.clock.now()
    by = member(site) if lost else signer(site, old)
    number = 1 + last_number(site, site.position)
    secret = SecretBytes(site.random(_SECRET))
    key, federation = SigningKey(secret), site.roster.federation_id
    proof = key.sign(_PROOF, _proved(federation, site.position, number))
    content = {"key": key.public, "number": number, "proof": proof}
    record = Record(CUSTODIAN, federation, site.position, now, content).signed(by)
    locked = site.cipher.encrypt(_NAME, lock(_CONTENT, secret.reveal(), passphrase, cost, site.random), federation)
    site.profile.sealed_secrets.replace(_NAME, locked)
    records.add(RecordRow(record.id, CUSTODIAN, site.position, by.key, record.to_cbor(), now, now))
    what = {"fingerprint": fingerprint(key.public), "number": number, **({"lost": True} if lost else {})}
    audit.record(site, "key.custodian", who=site.site_name(site.position), what=what)
    return record


def _proved(federation: bytes, site: int, number: int) -> bytes:
    return codec.digest(["consilium custodian", federation, site, number])
