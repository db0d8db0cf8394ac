"""This site, open: its profile, keys and place in the federation, as the protocols need them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from app.core import codec
from app.core.catalogue.model import Catalogue
from app.core.clock import Clock
from app.core.crypto.identity import MemberKey
from app.core.crypto.vault import StorageCipher
from app.core.errors import EnvironmentProblem
from app.core.federation.known_catalogues import KnownCatalogues
from app.core.federation.roster import Roster
from app.core.jobs.pool import outcome
from app.core.secret import SecretBytes
from app.core.store.profile import Profile

T = TypeVar("T")

_DEALT = "dealt share"
_DEALT_LIMIT = 1 << 24


@dataclass(frozen=True)
class DealtShare:
    """What the others dealt to this site: σ and, for each other position, the pair's pad key."""

    value: SecretBytes
    pads: dict[int, SecretBytes] = field(repr=False)


@dataclass(frozen=True)
class LocalSite:
    """Everything a protocol of this site works with. ``root`` derives every secret; nothing else is kept in clear."""

    profile: Profile
    root: SecretBytes = field(repr=False)
    key: MemberKey
    cipher: StorageCipher = field(repr=False)
    roster: Roster
    catalogues: KnownCatalogues = field(repr=False)
    position: int
    executor: Executor
    clock: Clock
    random: Callable[[int], bytes] = secrets.token_bytes
    managed_file: Path | None = None
    """Where the IT of this computer fixes settings (:mod:`app.core.managed`); None: nowhere."""

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue that is in force here now."""
        return self.catalogues.in_force

    def catalogue_of(self, meanings: Mapping[str, bytes]) -> Catalogue:
        """Return the version of the catalogue that a request was made with, or what comes nearest: the one in force."""
        return self.catalogues.with_meanings(meanings) or self.catalogue

    def compute(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run ``work`` in a worker and return its result; raises EnvironmentProblem ``worker.killed`` if it died."""
        return outcome(self.executor.submit(work, *arguments))

    def site_name(self, position: int) -> str:
        """Return the name of the site at ``position``."""
        return self.roster.sites[position - 1].name

    @property
    def key_directory(self) -> Path:
        """Where the collective keys of this roster's ceremony lie."""
        return self.profile.directory / "keys" / self.roster.hash.hex()[:32]

    def keep_secret(self, name: str, plaintext: bytes) -> None:
        """Store a secret of this roster's ceremony or a query, encrypted; a second one of this name is an error."""
        self.profile.sealed_secrets.add(name, self.cipher.encrypt(name, plaintext, self.roster.federation_id))

    def secret(self, name: str) -> bytes | None:
        """Return a secret kept under ``name``, or None."""
        sealed = self.profile.sealed_secrets.get(name)
        return None if sealed is None else self.cipher.decrypt(name, sealed, self.roster.federation_id)

    def reserved_randomness(self, name: str) -> SecretBytes:
        """Return the 32 bytes of the operating system stored under ``name``, drawing them the first time.

        They are stored before anything is computed from them, so a repeated computation gives the same bytes.
        """
        if (known := self.secret(name)) is None:
            known = self.random(32)
            with self.profile.database.atomic():
                self.keep_secret(name, known)
        return SecretBytes(known)

    def keep_dealt_share(self, dealt: DealtShare) -> None:
        """Store σ and the pad keys, encrypted; for one roster once (a repetition changes nothing)."""
        plain = codec.encode(
            {
                "roster": self.roster.hash,
                "value": dealt.value.reveal(),
                "pads": {position: key.reveal() for position, key in dealt.pads.items()},
            }
        )
        if self.secret(_DEALT) == plain:
            return
        self.profile.sealed_secrets.replace(_DEALT, self.cipher.encrypt(_DEALT, plain, self.roster.federation_id))

    def dealt_share(self) -> DealtShare:
        """Return what :meth:`keep_dealt_share` stored; raises EnvironmentProblem ``federation.no_dealt_share``, or
        ``federation.dealt_share_of_another_roster`` (an old backup was restored)."""
        plain = self.secret(_DEALT)
        if plain is None:
            raise EnvironmentProblem("federation.no_dealt_share")
        value = codec.decode(plain, _DEALT_LIMIT)
        if value["roster"] != self.roster.hash:
            raise EnvironmentProblem("federation.dealt_share_of_another_roster")
        pads = {int(position): SecretBytes(key) for position, key in value["pads"].items()}
        return DealtShare(SecretBytes(value["value"]), pads)
