"""Making and opening a profile: the site's store, its root in the keyring, and its place in a federation."""

from __future__ import annotations

import os
import secrets as os_random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from app.core import codec, paths, settings
from app.core.catalogue.model import Catalogue
from app.core.clock import Clock, SystemClock
from app.core.crypto.identity import MemberKey, MemberPublicKey
from app.core.crypto.passphrase import passphrase_from_file
from app.core.crypto.secret_store import SecretStore
from app.core.crypto.vault import PassphraseFile, StorageCipher, open_keyring
from app.core.errors import Bug, EnvironmentProblem, UserError
from app.core.federation import audit
from app.core.federation.audit import Entry
from app.core.federation.known_catalogues import FIRST, KnownCatalogues
from app.core.federation.local_site import LocalSite
from app.core.federation.public_file import PublicFederation, load_public_file
from app.core.federation.roster import LIMIT as ROSTER_LIMIT
from app.core.federation.roster import Roster
from app.core.secret import SecretBytes
from app.core.store.peek import peek
from app.core.store.profile import Profile

PASSPHRASE_VARIABLE = "CONSILIUM_PASSPHRASE_FILE"  # noqa: S105 - the name of a variable
CREDENTIALS_VARIABLE, CREDENTIAL = "CREDENTIALS_DIRECTORY", "consilium-passphrase"
"""Where systemd puts a service's credentials, and the name of ours."""

_NAME, _CONTACT, MEMBER = "site name", "site contact", "member key"
PRETEND = "pretend"
"""The setting that marks a pretend hospital. Its passphrase lies beside it, in :data:`PRETEND_PASSPHRASE`."""
PRETEND_PASSPHRASE = "passphrase.txt"  # noqa: S105 - the name of a file

_STORE = "secret store"
_LOOK_SECONDS = 5.0
"""How long a locked keyring is waited for by somebody who only looks."""
_KEYRING, _PASSPHRASE_FILE = b"keyring", b"passphrase file"
_SECRETS_FILE = "secrets.passphrase"
ROSTER, SIGNATURES = "roster", "roster signatures"
"""The settings with the site's roster, and (above) its public key."""
_PUBLIC_FILE = "federation.public"
_KEY_MATERIAL = ("dealt share", "custodian key")

PassphraseSource = Callable[[], SecretBytes]


def passphrase_from_environment() -> SecretBytes:
    """Read the passphrase from the file that CONSILIUM_PASSPHRASE_FILE names, else from a service's credentials.

    Raises EnvironmentProblem ``keys.passphrase_needed`` if there is neither.
    """
    if path := os.environ.get(PASSPHRASE_VARIABLE):
        return passphrase_from_file(Path(path))
    if (directory := os.environ.get(CREDENTIALS_VARIABLE)) and (found := Path(directory, CREDENTIAL)).is_file():
        return passphrase_from_file(found)
    raise EnvironmentProblem("keys.passphrase_needed", variable=PASSPHRASE_VARIABLE)


class OpenProfile:
    """One site of one federation, open on this workstation. Use it as a context manager."""

    def __init__(self, store: Profile, secrets: Callable[[], SecretStore], clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self._open_secrets = secrets
        self._roster_read: tuple[bytes, Roster] | None = None

    # --- the site ---------------------------------------------------------------------------------------------

    @property
    def directory(self) -> Path:
        """The profile's directory."""
        return self.store.directory

    @property
    def profile_id(self) -> str:
        """The random name under which the site root lies in the keyring."""
        return self.store.id

    @cached_property
    def secrets(self) -> SecretStore:
        """The keyring or passphrase file; looked for when first needed."""
        return self._open_secrets()

    @cached_property
    def root(self) -> SecretBytes:
        """The site root. Raises EnvironmentProblem ``keys.missing``, ``keys.not_ours``, ``keyring.*``."""
        root = self.secrets.get(self.profile_id)
        if root is None:
            raise EnvironmentProblem("keys.missing")
        if MemberKey.from_root(root).public != self.member_public:
            raise EnvironmentProblem("keys.not_ours")
        return root

    @cached_property
    def member_key(self) -> MemberKey:
        """The private member key, derived from the root."""
        return MemberKey.from_root(self.root)

    @cached_property
    def member_public(self) -> MemberPublicKey:
        """The public member key, from the profile's database."""
        return MemberPublicKey.from_dict(codec.decode(self._setting(MEMBER), 1 << 13))

    @property
    def site_name(self) -> str:
        """The site's name."""
        return self._setting(_NAME).decode()

    @property
    def site_contact(self) -> str:
        """Whom to telephone."""
        return self._setting(_CONTACT).decode()

    @property
    def pretend(self) -> bool:
        """Whether this site is only pretended, on public data: whoever shows it says so."""
        return self.store.settings.get(PRETEND) is not None

    def _setting(self, key: str) -> bytes:
        value = self.store.settings.get(key)
        if value is None:
            raise EnvironmentProblem("profile.incomplete", path=str(self.directory), key=key)
        return value

    # --- the federation ---------------------------------------------------------------------------------------

    def install_roster(self, roster: Roster, signatures: Mapping[int, bytes], catalogue: Catalogue) -> None:
        """Make this the site's federation. All sites must have signed; our own key must be in it.

        Raises ProtocolViolation ``roster.bad_signature``, UserError ``roster.not_in_it``, ``roster.other_catalogue``.
        """
        roster.check(signatures)
        if all(site.key != self.member_public for site in roster.sites):
            raise UserError("roster.not_in_it", federation=roster.name)
        if catalogue.hash != roster.catalogue_hash:
            raise UserError("roster.other_catalogue", catalogue=catalogue.name)
        current = self.roster
        if current is not None and current.hash == roster.hash:
            return  # installing was repeated
        if current is not None and (current.hash, current.federation_id) != (roster.previous, roster.federation_id):
            raise UserError("roster.not_the_next", federation=roster.name)
        with self.store.database.atomic():
            self.store.settings.put(ROSTER, codec.encode(roster.to_plain()))
            self.store.settings.put(SIGNATURES, codec.encode(dict(signatures)))
            self.store.settings.put(FIRST, catalogue.to_cbor())
            what = {"federation": roster.name, "roster": roster.hash, "sites": [site.name for site in roster.sites]}
            self.record("federation.roster", what={**what, "quorum": roster.quorum, "catalogue": catalogue.hash})

    @property
    def roster(self) -> Roster | None:
        """The signed roster, or None before the site has joined."""
        stored = self.store.settings.get(ROSTER)
        if stored is None:
            return None
        if self._roster_read is None or self._roster_read[0] != stored:  # reading it checks every key: milliseconds
            self._roster_read = stored, Roster.from_plain(codec.decode(stored, ROSTER_LIMIT))
        return self._roster_read[1]

    @property
    def federation(self) -> PublicFederation | None:
        """The federation's public side once its ceremony is done, else None; never that of an earlier roster.

        With the catalogue that is in force here, and the links that lead to it.
        """
        path, roster = self.directory / _PUBLIC_FILE, self.roster
        federation = load_public_file(path) if path.is_file() else None
        if federation is None or roster is None or federation.roster.hash != roster.hash:
            return None
        known = KnownCatalogues(self.store, roster.catalogue_hash)
        chain = known.chain()
        return replace(federation, catalogue=known.in_force, links=chain) if chain else federation

    @property
    def federation_id(self) -> bytes | None:
        """32 bytes that name the federation, or None before the site has joined."""
        return None if self.roster is None else self.roster.federation_id

    @property
    def federation_name(self) -> str:
        """The federation's name, empty before the site has joined."""
        return "" if self.roster is None else self.roster.name

    def local_site(self, executor: Executor, random: Callable[[int], bytes] = os_random.token_bytes) -> LocalSite:
        """Return what the protocols work with; raises UserError ``profile.no_federation``."""
        roster = self.roster
        if roster is None:
            raise UserError("profile.no_federation", path=str(self.directory))
        position = next(site.position for site in roster.sites if site.key == self.member_public)
        return LocalSite(
            profile=self.store,
            root=self.root,
            key=self.member_key,
            cipher=StorageCipher(self.root),
            roster=roster,
            catalogues=KnownCatalogues(self.store, roster.catalogue_hash),
            position=position,
            executor=executor,
            clock=self.clock,
            random=random,
            managed_file=paths.managed_settings(),
        )

    # --- backups ----------------------------------------------------------------------------------------------

    def read_key_material(self) -> Mapping[str, bytes]:
        """Return the encrypted dealt share and pad keys, and the custodian's locked key, by name."""
        return {
            name: sealed
            for name in self.store.sealed_secrets.names()
            if name.startswith(_KEY_MATERIAL) and (sealed := self.store.sealed_secrets.get(name)) is not None
        }

    def write_key_material(self, material: Mapping[str, bytes]) -> None:
        """Store these entries, replacing those of the same names."""
        if any(not name.startswith(_KEY_MATERIAL) for name in material):
            raise Bug("profile.foreign_key_material")
        with self.store.database.atomic():
            for name, sealed in material.items():
                self.store.sealed_secrets.replace(name, sealed)

    def record_backup(self, kind: str, time: int) -> None:
        """Note that a backup was made."""
        with self.store.database.atomic():
            self.store.backups.add(kind, now=time)
            self.record(f"key.{kind}")

    def backups(self) -> Sequence[tuple[int, str]]:
        """Return (time, kind) of the backups made, oldest first."""
        return self.store.backups.all()

    # --- audit ------------------------------------------------------------------------------------------------

    def record(self, kind: str, *, what: Mapping[str, Any] | None = None, why: str = "") -> None:
        """Add a record to the site's audit trail (:mod:`app.core.federation.audit`); raises as :attr:`root`."""
        audit.record_as(self.store, self.member_key, self.clock, kind, Entry(what=what, why=why))

    def close(self) -> None:
        """Close the store and let other processes have the profile."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def create_profile(
    directory: Path,
    *,
    name: str,
    contact: str,
    passphrase: PassphraseSource | None = None,
    clock: Clock | None = None,
    program: str = "consilium",
    pretend: bool = False,
) -> OpenProfile:
    """Make a new site in ``directory`` with a fresh root, and open it.

    The root goes to the OS keyring, or, if ``passphrase`` is given, into a passphrase-protected file in the profile:
    an explicit choice for servers. Raises UserError ``profile.exists``, ``profile.bad_name``; EnvironmentProblem as
    :func:`open_profile`.
    """
    for field, value, most in (("name", name, 100), ("contact", contact, 300)):
        if not 1 <= len(value) <= most or not value.isprintable():
            raise UserError("profile.bad_name", field=field, most=most)
    if not pretend:
        settings.current().require_store("system" if passphrase is None else "passphrase-file")
    clock = clock or SystemClock()
    store = _new_store(directory, program, clock)
    try:
        chosen = _KEYRING if passphrase is None else _PASSPHRASE_FILE
        (directory / _SECRETS_FILE).unlink(missing_ok=True)  # left by a creation that was cut off, worth nothing
        profile = OpenProfile(store, _secret_store(store, chosen, passphrase), clock)
        root = SecretBytes(os_random.token_bytes(32))
        profile.secrets.put(store.id, root)
        with store.database.atomic():
            if pretend:
                store.settings.put(PRETEND, b"yes")
            store.settings.put(_STORE, chosen)
            store.settings.put(_NAME, name.encode())
            store.settings.put(_CONTACT, contact.encode())
            store.settings.put(MEMBER, codec.encode(MemberKey.from_root(root).public.to_dict()))
            audit.begin_new(store, MemberKey.from_root(root), clock, name=name)
    except BaseException:
        store.close()
        raise
    return profile


def open_profile(
    directory: Path,
    *,
    passphrase: PassphraseSource = passphrase_from_environment,
    clock: Clock | None = None,
    program: str = "consilium",
) -> OpenProfile:
    """Open the site in ``directory``; the keyring is not touched before something needs the root.

    Raises EnvironmentProblem ``profile.not_found``, ``.in_use``, ``.network_share``, ``.incomplete``; ``database.*``.
    """
    clock = clock or SystemClock()
    store = Profile.open(directory, program=program, now=clock.now())
    try:
        chosen = store.settings.get(_STORE)
        if chosen is None:
            raise EnvironmentProblem("profile.incomplete", path=str(directory), key=_STORE)
        if store.settings.get(PRETEND) is not None:
            passphrase = partial(passphrase_from_file, directory.parent / PRETEND_PASSPHRASE)
        return OpenProfile(store, _secret_store(store, chosen, passphrase), clock)
    except BaseException:
        store.close()
        raise


def keeps_key(directory: Path) -> str:
    """Return where the key of the profile in ``directory`` is kept, without opening the profile.

    Raises EnvironmentProblem ``doctor.no_key`` if it is not there, ``keyring.*``, ``file.*``, ``database.*``.
    """
    found = peek(directory, kind="").settings
    if found.get(_STORE) == _PASSPHRASE_FILE:
        file = directory / _SECRETS_FILE
        if not file.is_file():
            raise EnvironmentProblem("file.not_found", path=str(file))
        return str(file)
    keyring = open_keyring(unlock_seconds=_LOOK_SECONDS)
    if keyring.get(found.get("profile id", b"").decode()) is None:
        raise EnvironmentProblem("doctor.no_key", keyring=keyring.description)
    return keyring.description


def _new_store(directory: Path, program: str, clock: Clock) -> Profile:
    """Create the store, or go on with one whose creation was cut off before it had a site."""
    try:
        return Profile.create(directory, program=program, now=clock.now())
    except UserError as error:
        if error.code != "profile.exists":
            raise
        store = Profile.open(directory, program=program, now=clock.now())
        if store.settings.get(_STORE) is None:
            return store
        store.close()
        raise


def _secret_store(store: Profile, chosen: bytes, passphrase: PassphraseSource | None) -> Callable[[], SecretStore]:
    if chosen == _KEYRING:
        return open_keyring
    source = passphrase or passphrase_from_environment
    return lambda: PassphraseFile(store.directory / _SECRETS_FILE, source())
