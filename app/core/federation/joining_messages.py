"""What sites say to each other before they have a roster, and how it is read.

Messages are envelopes (:mod:`app.core.federation.envelope`) whose sender and recipients are places at the relay, bodies
sealed canonical CBOR. Session *j* belongs to one invitation, session *r* is the hash of the roster that is proposed::

    joining.introduction (j)  invited → creator  {"name", "contact", "key", "program", "nonce": 32 bytes, "time",
                                                  "invitation": 32 bytes, "mac": 32 bytes}
    joining.facts (j)         creator → invited  {"name", "parameters", "quorum" (0: the rule), "program", "sites": […],
                                                  "catalogue": hash, "blob": SHA-256, "size", "blob_key": 32 bytes}
    joining.confirmed (j)     both ways          {"binding": 32 bytes}
    joining.proposal (r)      creator → all      {"roster", "programs": [a site]}
    joining.signature (r)     site → creator     {"signature": 64 bytes}
    joining.refusal (r)       site → creator     {"code"}
    joining.roster (r)        creator → all      {"signatures": [64 bytes a site]}
    joining.left_out (j)      creator → invited  {}: a roster without this site was proposed

An introduction is sealed to the creator's key, whose fingerprint the invitation names; it carries the member key that
signs its envelope, and an HMAC under a key derived from the invitation's secret, which the relay never has. A relay can
therefore replace neither key. Somebody who replaces the whole invitation can; the six words show it
(:mod:`app.core.federation.six_words`).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app import __version__
from app.core import codec
from app.core.catalogue.model import MAX_BYTES as CATALOGUE_LIMIT
from app.core.crypto.identity import SIGNATURE_BYTES, MemberPublicKey
from app.core.errors import ProtocolViolation, UserError
from app.core.federation.invitation import MOST_CONTACT, MOST_NAME
from app.core.federation.roster import MOST_SITES, Roster
from app.core.fields import Fields
from app.core.secret import SecretBytes

INTRODUCTION, FACTS, CONFIRMED = "joining.introduction", "joining.facts", "joining.confirmed"
PROPOSAL, SIGNATURE, REFUSAL, ROSTER = "joining.proposal", "joining.signature", "joining.refusal", "joining.roster"
LEFT_OUT = "joining.left_out"
BLOB_LIMIT = CATALOGUE_LIMIT + 1024

_MALFORMED = "joining.malformed"
_MOST_FORMATS = 64
_TIME = 1 << 53


@dataclass(frozen=True)
class Program:
    """A site's program: its version, and the versions that it reads of each message and file format."""

    version: str
    formats: Mapping[str, tuple[int, ...]]

    def to_plain(self) -> dict[str, Any]:
        """Return the form that goes into CBOR."""
        return {"version": self.version, "formats": {name: list(each) for name, each in self.formats.items()}}

    @classmethod
    def from_plain(cls, value: object) -> Program:
        """Read it; raises ProtocolViolation ``joining.malformed``."""
        fields = Fields(value, _MALFORMED)
        version, found = fields.text("version", 64), fields.any("formats")
        if not isinstance(found, dict) or len(found) > _MOST_FORMATS:
            fields.refuse("formats")
        listed = Fields(found, _MALFORMED)
        formats = {}
        for name in found:
            versions = listed.items(name, 64)
            if not 1 <= len(name) <= 64 or any(type(each) is not int or not 1 <= each < 1 << 16 for each in versions):
                fields.refuse("formats")
            formats[name] = tuple(versions)
        fields.done()
        return cls(version, formats)


QUERY_FORMAT = "query"
HOLDINGS_FORMAT, PROGRESS_FORMAT, LEFT_OUT_FORMAT = "holdings", "query progress", "left out"
CATALOGUE_FORMAT, COHORT_FORMAT, PEOPLE_FORMAT = "catalogue versions", "shared cohorts", "people"
AUDIT_FORMAT, SMALL_COUNTS_FORMAT, REASON_FORMAT = "audit heads", "small counts", "query reasons"
"""Formats that a federation can do without: they are used towards sites whose program reads them."""
_NEEDED = ("envelope", "roster", "ceremony", QUERY_FORMAT, "federation", "package")
_OPTIONAL = (
    HOLDINGS_FORMAT,
    PROGRESS_FORMAT,
    LEFT_OUT_FORMAT,
    CATALOGUE_FORMAT,
    COHORT_FORMAT,
    PEOPLE_FORMAT,
    AUDIT_FORMAT,
    SMALL_COUNTS_FORMAT,
    REASON_FORMAT,
)
THIS_PROGRAM = Program(
    __version__,
    {
        **dict.fromkeys((*_NEEDED, *_OPTIONAL), (1,)),
        QUERY_FORMAT: (1, 2, 3),
        "roster": (1, 2),
        "ceremony": (1, 2),
        "package": (1, 2),
        "federation": (1, 2, 3),
        HOLDINGS_FORMAT: (1, 2, 3),
    },
)


def agreed_formats(programs: Mapping[str, Program]) -> dict[str, int]:
    """Return for each format the highest version that every site reads; ``programs`` are by the sites' names.

    A format that some site does not know is left out: it is not used. Raises UserError ``joining.no_common_format`` if
    that is one of those without which there is no federation.
    """
    agreed: dict[str, int] = {}
    for name in sorted({name for program in programs.values() for name in program.formats} | set(THIS_PROGRAM.formats)):
        shared = set.intersection(*(set(program.formats.get(name, ())) for program in programs.values()))
        if shared:
            agreed[name] = max(shared)
        elif name in _NEEDED:
            versions = ", ".join(f"{site} {program.version}" for site, program in programs.items())
            raise UserError("joining.no_common_format", format=name, versions=versions)
    return agreed


def makes_extraction_keys(agreed: Mapping[str, int]) -> bool:
    """Return whether every site's program knows the ceremony that makes keys which extract columns, and its roster."""
    return agreed["roster"] > 1 and agreed["ceremony"] > 1 and agreed["federation"] > 2


# --- the messages ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Introduction:
    """Who an invited site is. ``invitation`` says which invitation it answers, ``mac`` that it has its secret."""

    name: str
    contact: str
    key: MemberPublicKey
    program: Program
    nonce: bytes
    time: int
    invitation: bytes
    mac: bytes = b""

    def sealed_with(self, secret: SecretBytes, federation_id: bytes, creator: bytes) -> Introduction:
        """Return this introduction with the HMAC of an invitation; ``creator`` is the fingerprint it names."""
        key = secret.derive("joining authentication v1").reveal()
        unsealed: dict[str, Any] = {**self.to_plain(), "mac": b""}
        message = codec.encode([federation_id, creator, unsealed])
        return replace(self, mac=hmac.digest(key, message, "sha256"))

    def check(self, secret: SecretBytes, federation_id: bytes, creator: bytes) -> None:
        """Raise ProtocolViolation ``joining.not_invited`` unless the sender has the invitation's ``secret``."""
        if not hmac.compare_digest(self.sealed_with(secret, federation_id, creator).mac, self.mac):
            raise ProtocolViolation("joining.not_invited", site=self.name)

    def to_plain(self) -> dict[str, Any]:
        """Return the message's body."""
        return {
            "name": self.name,
            "contact": self.contact,
            "key": self.key.to_dict(),
            "program": self.program.to_plain(),
            "nonce": self.nonce,
            "time": self.time,
            "invitation": self.invitation,
            "mac": self.mac,
        }

    @classmethod
    def from_plain(cls, value: object) -> Introduction:
        """Read it; raises ProtocolViolation ``joining.malformed`` or ``identity.bad_public_key``."""
        fields = Fields(value, _MALFORMED)
        read = cls(
            name=fields.text("name", MOST_NAME),
            contact=fields.text("contact", MOST_CONTACT),
            key=MemberPublicKey.from_dict(fields.any("key")),
            program=Program.from_plain(fields.any("program")),
            nonce=fields.bytes("nonce", 32),
            time=fields.number("time", 0, _TIME),
            invitation=fields.bytes("invitation", 32),
            mac=fields.bytes("mac", 32),
        )
        fields.done()
        return read


@dataclass(frozen=True)
class Facts:
    """What the creator has decided. ``quorum`` 0 is the rule; the catalogue is a blob, encrypted under ``blob_key``."""

    name: str
    parameters: str
    quorum: int
    catalogue: bytes
    blob: bytes
    size: int
    blob_key: SecretBytes
    program: Program
    sites: tuple[str, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return the message's body."""
        return {
            "name": self.name,
            "parameters": self.parameters,
            "quorum": self.quorum,
            "catalogue": self.catalogue,
            "blob": self.blob,
            "size": self.size,
            "blob_key": self.blob_key.reveal(),
            "program": self.program.to_plain(),
            "sites": list(self.sites),
        }

    @classmethod
    def from_plain(cls, value: object) -> Facts:
        """Read it; raises ProtocolViolation ``joining.malformed``."""
        fields = Fields(value, _MALFORMED)
        names = fields.items("sites", MOST_SITES)
        listed = Fields({str(place): name for place, name in enumerate(names)}, _MALFORMED)
        read = cls(
            name=fields.text("name", MOST_NAME),
            parameters=fields.text("parameters", 64),
            quorum=fields.number("quorum", 0, MOST_SITES),
            catalogue=fields.bytes("catalogue", 32),
            blob=fields.bytes("blob", 32),
            size=fields.number("size", 1, BLOB_LIMIT),
            blob_key=SecretBytes(fields.bytes("blob_key", 32)),
            program=Program.from_plain(fields.any("program")),
            sites=tuple(listed.text(str(place), MOST_NAME) for place in range(len(names))),
        )
        fields.done()
        return read


@dataclass(frozen=True)
class Confirmed:
    """The sender's person has compared the six words; ``binding`` is what they stand for."""

    binding: bytes

    def to_plain(self) -> dict[str, Any]:
        """Return the message's body."""
        return {"binding": self.binding}

    @classmethod
    def from_plain(cls, value: object) -> Confirmed:
        """Read it; raises ProtocolViolation ``joining.malformed``."""
        fields = Fields(value, _MALFORMED)
        read = cls(fields.bytes("binding", 32))
        fields.done()
        return read


@dataclass(frozen=True)
class Proposal:
    """A roster to sign, and the sites' programs in its order."""

    roster: Roster
    programs: tuple[Program, ...]

    @property
    def formats(self) -> dict[str, int]:
        """As :func:`agreed_formats`."""
        names = [site.name for site in self.roster.sites]
        return agreed_formats(dict(zip(names, self.programs, strict=True)))

    def to_plain(self) -> dict[str, Any]:
        """Return the message's body."""
        return {"roster": self.roster.to_plain(), "programs": [each.to_plain() for each in self.programs]}

    @classmethod
    def from_plain(cls, value: object) -> Proposal:
        """Read it; raises ProtocolViolation ``joining.malformed`` or ``roster.malformed``."""
        fields = Fields(value, _MALFORMED)
        roster = Roster.from_plain(fields.any("roster"))
        programs = tuple(Program.from_plain(each) for each in fields.items("programs", MOST_SITES))
        if len(programs) != len(roster.sites):
            fields.refuse("programs")
        fields.done()
        return cls(roster, programs)


@dataclass(frozen=True)
class Signature:
    """A site's signature over the proposed roster."""

    signature: bytes

    def to_plain(self) -> dict[str, Any]:
        """Return the message's body."""
        return {"signature": self.signature}

    @classmethod
    def from_plain(cls, value: object) -> Signature:
        """Read it; raises ProtocolViolation ``joining.malformed``."""
        fields = Fields(value, _MALFORMED)
        read = cls(fields.bytes("signature", SIGNATURE_BYTES))
        fields.done()
        return read


@dataclass(frozen=True)
class Refusal:
    """A site does not sign the proposed roster; ``code`` is one of :data:`REFUSALS`."""

    code: str

    def to_plain(self) -> dict[str, Any]:
        """Return the message's body."""
        return {"code": self.code}

    @classmethod
    def from_plain(cls, value: object) -> Refusal:
        """Read it; raises ProtocolViolation ``joining.malformed``."""
        fields = Fields(value, _MALFORMED)
        read = cls(fields.text("code", 64))
        if read.code not in REFUSALS:
            fields.refuse("code")
        fields.done()
        return read


@dataclass(frozen=True)
class SignedBy:
    """The signatures of all sites over the proposed roster, in its order."""

    signatures: tuple[bytes, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return the message's body."""
        return {"signatures": list(self.signatures)}

    @classmethod
    def from_plain(cls, value: object) -> SignedBy:
        """Read it; raises ProtocolViolation ``joining.malformed``."""
        fields = Fields(value, _MALFORMED)
        found = fields.items("signatures", MOST_SITES)
        if any(type(each) is not bytes or len(each) != SIGNATURE_BYTES for each in found):
            fields.refuse("signatures")
        fields.done()
        return cls(tuple(found))


@dataclass(frozen=True)
class LeftOut:
    """A roster was proposed without the site that is told so."""

    def to_plain(self) -> dict[str, Any]:
        """Return the message's body."""
        return {}

    @classmethod
    def from_plain(cls, value: object) -> LeftOut:
        """Read it; raises ProtocolViolation ``joining.malformed``."""
        Fields(value, _MALFORMED).done()
        return cls()


Message = Introduction | Facts | Confirmed | Proposal | Signature | Refusal | SignedBy | LeftOut

READERS: Mapping[str, Callable[[Any], Message]] = {
    INTRODUCTION: Introduction.from_plain,
    FACTS: Facts.from_plain,
    CONFIRMED: Confirmed.from_plain,
    PROPOSAL: Proposal.from_plain,
    SIGNATURE: Signature.from_plain,
    REFUSAL: Refusal.from_plain,
    ROSTER: SignedBy.from_plain,
    LEFT_OUT: LeftOut.from_plain,
}

REFUSALS = frozenset(
    {
        "joining.proposal_unready",
        "joining.proposal_ready",
        "joining.proposal_federation",
        "joining.proposal_creator",
        "joining.proposal_us",
        "joining.proposal_catalogue",
        "joining.proposal_quorum",
        "joining.proposal_program",
    }
)
"""Why a site does not sign: it has not confirmed yet; its own federation is ready; the federation, creator, key, name,
catalogue, quorum or program is not the one that it knows."""


def session_of(federation_id: bytes, invitation: bytes) -> bytes:
    """Return the session of the messages about one invitation."""
    return codec.digest(["consilium joining v1", federation_id, invitation])


def same_name(one: str, other: str) -> bool:
    """Return whether two sites' names are the same, but for case and spaces."""
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())
