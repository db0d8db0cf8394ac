"""A profile: one site in one federation on one workstation. Its directory, and everything open inside it.

::

    <profile>/owner.lock     who has it open
              site.db        the site's database (with -wal and -shm beside it while open)
              blobs/         content-addressed large files
              datasets/      one file per dataset version, <dataset id>.consilium

The directory is readable by its user only. Nothing secret lies in it in the clear: secrets are sealed under keys that
are derived from the site root in the keyring.
"""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from app.core.errors import EnvironmentProblem, UserError
from app.core.files import private_directory
from app.core.store.audit import AuditHeads, AuditLog
from app.core.store.blobs import BlobStore
from app.core.store.budget import AnsweredSets, Charges
from app.core.store.catalogues import Catalogues
from app.core.store.cohorts import Cohorts, Drafts
from app.core.store.database import SiteDatabase
from app.core.store.dataset_file import journal_of
from app.core.store.datasets import Datasets, Imports, Preparers
from app.core.store.history import Backups, Refusals, Runs
from app.core.store.ledger import Releases, ShareLedger
from app.core.store.lock import Owner, OwnerLock
from app.core.store.messages import Inbox, Outbox
from app.core.store.network_share import refuse_network_share
from app.core.store.people import OwnKeys, SignedRecords
from app.core.store.policies import Policies
from app.core.store.secrets_at_rest import SealedSecrets
from app.core.store.sessions import Sessions
from app.core.store.settings import Settings
from app.core.store.shared_cohorts import SharedCohorts

_DATABASE = "site.db"
_LOCK = "owner.lock"
_BLOBS = "blobs"
_DATASETS = "datasets"
_ID = "profile id"
_CREATED = "profile created"


class Profile:
    """An open profile. Close it, or use it as a context manager; until then no other process can open it."""

    def __init__(self, directory: Path, lock: OwnerLock, database: SiteDatabase) -> None:
        self.directory = directory
        self._lock = lock
        self.database = database
        self.settings = Settings(database)
        self.sessions = Sessions(database)
        self.outbox = Outbox(database)
        self.inbox = Inbox(database)
        self.sealed_secrets = SealedSecrets(database)
        self.shares = ShareLedger(database)
        self.releases = Releases(database)
        self.charges = Charges(database)
        self.answered_sets = AnsweredSets(database)
        self.policies = Policies(database)
        self.runs = Runs(database)
        self.refusals = Refusals(database)
        self.backups = Backups(database)
        self.audit = AuditLog(database)
        self.audit_heads = AuditHeads(database)
        self.cohorts = Cohorts(database)
        self.drafts = Drafts(database)
        self.shared_cohorts = SharedCohorts(database)
        self.catalogues = Catalogues(database)
        self.records = SignedRecords(database)
        self.own_keys = OwnKeys(database)
        self.datasets = Datasets(database)
        self.imports = Imports(database)
        self.preparers = Preparers(database)
        self.blobs = BlobStore(directory / _BLOBS)
        self.dataset_directory = private_directory(directory / _DATASETS)

    @classmethod
    def create(cls, directory: Path, *, program: str, now: int, id: str | None = None) -> Profile:
        """Make a new profile in ``directory``, which must not hold one, and open it.

        ``id`` names the profile in the keyring; by default 128 random bits, in hexadecimal. A creation that was cut
        off is begun again. Raises UserError ``profile.exists``; EnvironmentProblem as :meth:`open`.
        """
        refuse_network_share(directory)
        private_directory(directory)
        profile = cls._opened(directory, program=program, now=now)
        try:
            if profile.settings.get(_ID) is not None:
                raise UserError("profile.exists", path=str(directory))
            with profile.database.atomic():
                profile.settings.put(_CREATED, str(now).encode())
                profile.settings.put(_ID, (id or secrets.token_hex(16)).encode())
        except BaseException:
            profile.close()
            raise
        return profile

    @classmethod
    def open(cls, directory: Path, *, program: str, now: int) -> Profile:
        """Open an existing profile: lock, network-share check, database, then remove what interrupted writes left.

        Raises EnvironmentProblem: ``profile.not_found``, ``profile.in_use``, ``profile.network_share``, ``database.*``.
        """
        database = directory / _DATABASE
        if not database.is_file() or database.stat().st_size == 0:
            raise EnvironmentProblem("profile.not_found", path=str(directory))
        refuse_network_share(directory)
        profile = cls._opened(directory, program=program, now=now)
        try:
            if profile.settings.get(_ID) is None:
                raise EnvironmentProblem("profile.not_found", path=str(directory))
            profile._clean()
        except BaseException:
            profile.close()
            raise
        return profile

    @classmethod
    def _opened(cls, directory: Path, *, program: str, now: int) -> Profile:
        with ExitStack() as stack:
            lock = stack.enter_context(OwnerLock.acquire(directory / _LOCK, program=program, now=now))
            database = SiteDatabase.open(directory / _DATABASE)
            stack.callback(database.close)
            profile = cls(directory, lock, database)
            stack.pop_all()
        return profile

    @property
    def id(self) -> str:
        """The random name under which this profile's root lies in the keyring."""
        return (self.settings.get(_ID) or b"").decode()

    @property
    def previous_owner(self) -> Owner | None:
        """The owner that died without closing the profile, if the last one did."""
        return self._lock.previous

    def dataset_path(self, dataset: bytes) -> Path:
        """Return where the dataset with this id lies."""
        return self.dataset_directory / f"{dataset.hex()}.consilium"

    def partial_path(self, dataset: bytes) -> Path:
        """Return where the dataset with this id grows while it is imported."""
        return self.dataset_directory / f"{dataset.hex()}.part"

    def close(self) -> None:
        """Close the database, then let other processes have the profile. A second call does nothing."""
        try:
            self.database.close()
        finally:
            self._lock.release()

    def _clean(self) -> None:
        """Remove what interrupted writes left, and files that belong to no dataset and no import under way."""
        self.blobs.clean()
        for path in self.directory.glob(".*.part"):
            path.unlink(missing_ok=True)
        wanted = {self.dataset_path(row.id).name for row in self.datasets.all()}
        for row in self.imports.all():
            wanted |= {self.dataset_path(row.id).name, self.partial_path(row.id).name}
            wanted.add(journal_of(self.partial_path(row.id)).name)
        for path in self.dataset_directory.iterdir():
            if path.name not in wanted and path.is_file():
                os.unlink(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
