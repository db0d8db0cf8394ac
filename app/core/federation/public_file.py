"""The federation's public file: all that offline preparation needs, signed by every site.

Canonical CBOR, version 1, 2 with ``links``, or 3 with a roster of version 2 (and maybe links)::

    {"format": "consilium-federation", "version", "roster": roster map, "catalogue": canonical bytes,
     "links": [link…], "public_key": bytes, "transcript": 32 bytes, "signatures": [64 bytes a site, in roster order]}

Each signature covers (roster hash, SHA-256 of the public key, transcript hash of the ceremony). A swapped key would
give every patient away, so preparation verifies all of them before it encrypts anything. The catalogue is the one that
the roster names, or a later version: the links (:mod:`app.core.federation.catalogue_links`), each signed by a site of
the roster, lead to it. A file without any is written as version 1, so that older programs read it. Whether there are
keys that extract columns from packed ciphertexts is in the roster: without them every column has its own ciphertexts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.core import codec
from app.core.catalogue.model import MAX_BYTES as CATALOGUE_LIMIT
from app.core.catalogue.model import Catalogue
from app.core.crypto import format as crypto_format
from app.core.crypto.identity import SIGNATURE_BYTES, MemberKey, MemberPublicKey
from app.core.crypto.parameters import ParameterSet
from app.core.errors import ConsiliumError, ProtocolViolation
from app.core.federation.catalogue_links import LINK_LIMIT, MOST_LINKS, Link, check_chain
from app.core.federation.roster import LIMIT as ROSTER_LIMIT
from app.core.federation.roster import MOST_SITES, Roster, Site
from app.core.fields import Fields
from app.core.files import read_limited, write_atomic

_FORMAT = {"format": "consilium-federation"}
_VERSION, _WITH_LINKS, _WITH_EXTRACTION = 1, 2, 3
_PURPOSE = "federation statement v1"
_MALFORMED = "federation.malformed"


def statement(roster_hash: bytes, public_key: bytes, transcript: bytes) -> bytes:
    """Return what every site signs at the end of the ceremony."""
    return codec.encode(["consilium statement", 1, roster_hash, hashlib.sha256(public_key).digest(), transcript])


def sign_statement(key: MemberKey, roster: Roster, public_key: bytes, transcript: bytes) -> bytes:
    """Return a site's signature over the ceremony's outcome."""
    return key.sign(_PURPOSE, statement(roster.hash, public_key, transcript))


@dataclass(frozen=True)
class PublicFederation:
    """A federation that is ready, as anyone may know it."""

    roster: Roster
    catalogue: Catalogue
    public_key: bytes = field(repr=False)
    transcript: bytes
    signatures: tuple[bytes, ...] = field(repr=False)
    links: tuple[Link, ...] = ()
    """From the roster's catalogue to this one."""

    @property
    def federation_id(self) -> bytes:
        """32 bytes that name the federation."""
        return self.roster.federation_id

    @property
    def name(self) -> str:
        """The federation's name."""
        return self.roster.name

    @property
    def parameters(self) -> ParameterSet:
        """The parameter set everything is encrypted with."""
        return self.roster.parameters

    @property
    def extraction(self) -> int:
        """The level of the keys that extract columns from packed ciphertexts; 0: there are none."""
        return self.roster.extraction

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites in roster order."""
        return self.roster.sites

    @property
    def quorum(self) -> int:
        """How many sites open a result together."""
        return self.roster.quorum

    def verify(self) -> None:
        """Check everything there is to check.

        Raises ProtocolViolation: ``federation.bad_signature`` (names the site), ``federation.foreign_catalogue``,
        ``catalogue.*`` for links, or ``format.*`` for a public key that is not one.
        """
        check_chain(self.links, self.roster)
        last = self.links[-1] if self.links else None
        if self.catalogue.hash != (self.roster.catalogue_hash if last is None else last.catalogue):
            raise ProtocolViolation("federation.foreign_catalogue")
        if last is not None and self.catalogue.version != last.version:
            raise ProtocolViolation("federation.foreign_catalogue")
        crypto_format.unpack_polynomials(self.parameters, self.parameters.all_primes, 2, self.public_key)
        message = statement(self.roster.hash, self.public_key, self.transcript)
        for site, signature in zip(self.sites, self.signatures, strict=True):
            check_statement(site, message, signature)

    def to_bytes(self) -> bytes:
        """Return the public file's bytes."""
        return codec.encode(
            {
                **_FORMAT,
                "version": self._version,
                **({"links": [link.to_plain() for link in self.links]} if self.links else {}),
                "roster": self.roster.to_plain(),
                "catalogue": self.catalogue.to_cbor(),
                "public_key": self.public_key,
                "transcript": self.transcript,
                "signatures": list(self.signatures),
            }
        )

    @property
    def _version(self) -> int:
        if self.roster.extraction:
            return _WITH_EXTRACTION
        return _WITH_LINKS if self.links else _VERSION

    @classmethod
    def from_bytes(cls, data: bytes) -> PublicFederation:
        """Read and verify; raises ProtocolViolation ``federation.malformed`` or as :meth:`verify`."""
        fields = Fields(codec.decode(data, _limit()), _MALFORMED)
        fields.exactly(_FORMAT)
        version = fields.number("version", _VERSION, _WITH_EXTRACTION)
        roster = Roster.from_plain(fields.any("roster"))
        signatures = fields.items("signatures", MOST_SITES)
        if len(signatures) != len(roster.sites) or any(
            type(value) is not bytes or len(value) != SIGNATURE_BYTES for value in signatures
        ):
            fields.refuse("signatures")
        federation = cls(
            roster=roster,
            catalogue=Catalogue.from_cbor(fields.bytes("catalogue", 1, CATALOGUE_LIMIT)),
            public_key=fields.bytes("public_key", 1, 1 << 24),
            transcript=fields.bytes("transcript", 32),
            signatures=tuple(signatures),
            links=tuple(map(Link.from_plain, fields.items("links", MOST_LINKS))) if fields.given("links") else (),
        )
        fields.done()
        if version != federation._version:
            fields.refuse("version")
        federation.verify()
        return federation


def check_statement(site: Site, message: bytes, signature: bytes) -> None:
    """Verify one site's signature over the statement; raises ProtocolViolation ``federation.bad_signature``."""
    key: MemberPublicKey = site.key
    try:
        key.check(_PURPOSE, message, signature)
    except ProtocolViolation as error:
        raise ProtocolViolation("federation.bad_signature", site=site.name) from error


def assemble(
    roster: Roster, catalogue: Catalogue, public_key: bytes, transcript: bytes, signatures: Mapping[int, bytes]
) -> PublicFederation:
    """Return the public federation from the sites' signatures by roster position, verified."""
    ordered: Sequence[bytes] = [signatures[position] for position in roster.positions]
    federation = PublicFederation(roster, catalogue, public_key, transcript, tuple(ordered))
    federation.verify()
    return federation


def load_public_file(path: Path) -> PublicFederation:
    """Read and verify the public file at ``path``; a broken one is named by its path.

    Raises ProtocolViolation ``federation.file_refused`` (with the reason's code), EnvironmentProblem ``file.*``.
    """
    data = read_limited(path, _limit())
    try:
        return PublicFederation.from_bytes(data)
    except ProtocolViolation as error:
        raise ProtocolViolation("federation.file_refused", file=path.name, reason=_reason(error)) from error


def save_public_file(federation: PublicFederation, path: Path) -> None:
    """Write the public file, whole or not at all."""
    write_atomic(path, federation.to_bytes())


def _limit() -> int:
    return CATALOGUE_LIMIT + ROSTER_LIMIT + MOST_LINKS * LINK_LIMIT + (1 << 24)


def _reason(error: ConsiliumError) -> str:
    site = error.params.get("site")
    return f"{error.code} ({site})" if site else error.code
