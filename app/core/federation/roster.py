"""The roster: which sites form the federation, with which keys, quorum and parameter set.

Canonical CBOR, version 1, or 2 with ``extraction``::

    {"format": "consilium-roster", "version", "federation": 32 bytes, "name", "parameters", "quorum",
     "catalogue": SHA-256 of the catalogue, "previous": hash of the roster before (empty for the first),
     "nonce": 32 bytes, "sites": [{"name", "contact", "key"}, …], "extraction": level}

Version 2 says that the ceremony makes keys that extract columns from packed ciphertexts, and at which level: datasets
of few patients can be sealed with many columns a ciphertext. A federation from before has none, and stays as it is.

A site's position is its place in ``sites``, from 1. Every site signs the roster's bytes; a new one (another attempt at
the ceremony included) has a fresh nonce and names the one before by its hash, so the rosters form a chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app.core import codec
from app.core.crypto import parameters
from app.core.crypto.identity import SIGNATURE_BYTES, MemberKey, MemberPublicKey
from app.core.crypto.parameters import EXTRACTION_PRIMES, ParameterSet
from app.core.errors import ProtocolViolation, UserError
from app.core.fields import Fields

LEAST_SITES = 2
MOST_SITES = 64
LIMIT = 1 << 18
_NAME = 100
_CONTACT = 300
_VERSION, _WITH_EXTRACTION = 1, 2
_PURPOSE = "roster v1"
_MALFORMED = "roster.malformed"


def default_quorum(sites: int) -> int:
    """All sites up to three, all but one from four."""
    return sites if sites <= 3 else sites - 1


@dataclass(frozen=True)
class Site:
    """A hospital in the federation."""

    position: int
    name: str
    contact: str
    key: MemberPublicKey


@dataclass(frozen=True)
class Roster:
    """Who is in the federation. Making one checks the number of sites, the quorum and that names and keys differ."""

    federation_id: bytes
    name: str
    parameters: ParameterSet
    quorum: int
    catalogue_hash: bytes
    nonce: bytes
    sites: tuple[Site, ...]
    previous: bytes = b""
    extraction: int = 0
    """The level of the keys that the ceremony makes to extract columns; 0: it makes none."""

    def __post_init__(self) -> None:
        count = len(self.sites)
        if not LEAST_SITES <= count <= MOST_SITES:
            raise UserError("roster.bad_number_of_sites", sites=count, least=LEAST_SITES, most=MOST_SITES)
        if not LEAST_SITES <= self.quorum <= count:
            raise UserError("roster.bad_quorum", quorum=self.quorum, sites=count)
        for what in ({site.name for site in self.sites}, {site.key.verify for site in self.sites}):
            if len(what) != count:
                raise UserError("roster.site_twice")

    @cached_property
    def keys(self) -> Mapping[int, MemberPublicKey]:
        """Member keys by roster position."""
        return {site.position: site.key for site in self.sites}

    @property
    def positions(self) -> tuple[int, ...]:
        """All roster positions: 1 … n."""
        return tuple(site.position for site in self.sites)

    def site_named(self, name: str) -> Site:
        """Return the site called ``name``; raises UserError ``roster.unknown_site``."""
        for site in self.sites:
            if site.name == name:
                return site
        raise UserError("roster.unknown_site", name=name, known=", ".join(site.name for site in self.sites))

    def to_plain(self) -> dict[str, Any]:
        """Return the map of the module's docstring."""
        more = {"extraction": self.extraction} if self.extraction else {}
        return {
            **more,
            "format": "consilium-roster",
            "version": _WITH_EXTRACTION if self.extraction else _VERSION,
            "federation": self.federation_id,
            "name": self.name,
            "parameters": self.parameters.name,
            "quorum": self.quorum,
            "catalogue": self.catalogue_hash,
            "previous": self.previous,
            "nonce": self.nonce,
            "sites": [{"name": site.name, "contact": site.contact, "key": site.key.to_dict()} for site in self.sites],
        }

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the canonical bytes."""
        return hashlib.sha256(self._signed).digest()

    @property
    def ceremony(self) -> bytes:
        """The session id of this roster's ceremony; the roster's own hash names the session in which it is signed."""
        return codec.digest(["consilium ceremony session v1", self.hash])

    @classmethod
    def from_plain(cls, value: object) -> Roster:
        """Read a roster from outside; raises ProtocolViolation ``roster.malformed``."""
        fields = Fields(value, _MALFORMED)
        fields.exactly({"format": "consilium-roster"})
        version = fields.number("version", _VERSION, _WITH_EXTRACTION)
        extraction = fields.number("extraction", EXTRACTION_PRIMES, EXTRACTION_PRIMES) if version > _VERSION else 0
        sites = []
        for position, item in enumerate(fields.items("sites", MOST_SITES), start=1):
            site = Fields(item, _MALFORMED)
            key = MemberPublicKey.from_dict(site.any("key"))
            sites.append(Site(position, site.text("name", _NAME), site.text("contact", _CONTACT), key))
            site.done()
        name = fields.text("parameters", 64)
        previous = fields.bytes("previous", 0, 32)
        if len(previous) not in (0, 32):
            fields.refuse("previous")
        try:
            roster = cls(
                federation_id=fields.bytes("federation", 32),
                name=fields.text("name", _NAME),
                parameters=parameters.get(name),
                quorum=fields.number("quorum", LEAST_SITES, MOST_SITES),
                catalogue_hash=fields.bytes("catalogue", 32),
                nonce=fields.bytes("nonce", 32),
                sites=tuple(sites),
                previous=previous,
                extraction=extraction,
            )
        except UserError as error:
            raise ProtocolViolation(_MALFORMED, field=error.code) from error
        fields.done()
        return roster

    def sign(self, key: MemberKey) -> bytes:
        """Return a site's signature over this roster."""
        return key.sign(_PURPOSE, self._signed)

    def check(self, signatures: Mapping[int, bytes]) -> None:
        """Verify the signatures of all sites; raises ProtocolViolation ``roster.bad_signature`` naming the site."""
        for site in self.sites:
            self.check_site(site, signatures.get(site.position, bytes(SIGNATURE_BYTES)))

    def check_site(self, site: Site, signature: bytes) -> None:
        """Verify one site's signature; raises ProtocolViolation ``roster.bad_signature`` naming it."""
        try:
            site.key.check(_PURPOSE, self._signed, signature)
        except ProtocolViolation as error:
            raise ProtocolViolation("roster.bad_signature", site=site.name) from error

    @cached_property
    def _signed(self) -> bytes:
        return codec.encode(self.to_plain())
