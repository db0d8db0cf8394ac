"""Datasets: prepare a package offline, look into one, verify it, import it, list what a site has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from app.core.clock import Clock, SystemClock
from app.core.crypto import parameters as registry
from app.core.crypto.identity import MemberKey
from app.core.crypto.secret_store import SecretStore
from app.core.errors import ProtocolViolation, UserError
from app.core.federation.public_file import PublicFederation, load_public_file
from app.core.federation.roster import Site
from app.core.jobs.job import Job, at_once
from app.core.jobs.pool import WorkerPool, available_cores
from app.core.preparation.encrypting import begin_worker
from app.core.preparation.mapping import Mapping, load_mapping
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.report import Report, read_report
from app.core.preparation.sealing import Target, refuse_existing, seal_table, worker_arguments
from app.core.preparation.table import ClearTable, read_table
from app.core.preparation.work_file import remove_work, work_path
from app.core.store.datasets import DatasetRow
from app.core.store.documents import REPORT_PURPOSE, Header, fingerprint, fingerprint_words
from app.core.store.importing import Expected, Imported, Steps, check_belongs, importing, verify_residues
from app.core.store.package import Package, open_package
from app.core.store.profile import Profile

DEFAULT_RESIDUES = 5


class DataProfile(Protocol):
    """What this module needs of an open profile."""

    @property
    def store(self) -> Profile: ...

    @property
    def federation(self) -> PublicFederation | None: ...

    @property
    def member_key(self) -> MemberKey: ...


class ReportProfile(Protocol):
    """What opening a report needs: the site's private member key."""

    @property
    def member_key(self) -> MemberKey: ...


@dataclass(frozen=True)
class Prepared:
    """A finished package: its header, the clear side's summary, the preparer's fingerprint (in digits and in words),
    its size in bytes."""

    header: Header
    table: ClearTable
    preparer: str
    preparer_words: str
    size: int


@dataclass(frozen=True)
class Inspection:
    """What a package says of itself, checked against its signature by ``preparer`` (a fingerprint, also in words)."""

    header: Header
    manifest_hash: bytes
    preparer: str
    preparer_words: str
    size: int
    report_size: int
    variables: tuple[tuple[str, int], ...]


def prepare(
    federation_file: Path,
    mapping_file: Path,
    csv: Path,
    output: Path,
    *,
    secrets: Callable[[], SecretStore],
    residues: int = DEFAULT_RESIDUES,
    skip_bad_rows: bool = False,
    restart: bool = False,
    workers: int | None = None,
    clock: Clock | None = None,
    job: Job | None = None,
) -> Prepared:
    """Read ``csv`` through the mapping and seal it for the site that the mapping names; needs no network or profile.

    An interrupted preparation goes on where it stopped; ``restart`` throws away what it had sealed. ``secrets``, which
    is asked for when all files were read, keeps the preparer's key. Raises as :func:`load_public_file`,
    :func:`load_mapping`, :func:`read_table` and :func:`seal_table`; UserError ``mapping.unknown_site``.
    """
    job = job or Job()
    refuse_existing(output)
    federation = load_public_file(federation_file)
    mapping = load_mapping(mapping_file)
    site = _site(federation, mapping)
    table = read_table(csv, mapping, federation.catalogue, skip_bad_rows=skip_bad_rows, job=job)
    preparer = PreparerKey.from_store(secrets())
    if restart:
        remove_work(work_path(output))
    target = Target(
        federation=federation.federation_id,
        transcript=federation.transcript,
        catalogue=federation.catalogue.hash,
        parameters=federation.parameters,
        public_key=federation.public_key,
        site=site.key,
        residues=residues,
    )
    blocks = -(-table.patients // target.parameters.slots)
    count = max(1, min(workers or available_cores(), blocks * len(table.columns)))
    with WorkerPool(count, begin_worker, worker_arguments(target)) as pool:
        header = seal_table(
            table,
            target,
            output,
            preparer=preparer,
            executor=pool,
            in_flight=2 * count,
            now=(clock or SystemClock()).now(),
            job=job,
        )
    key = preparer.public
    return Prepared(header, table, fingerprint(key), fingerprint_words(key), output.stat().st_size)


def inspect(path: Path) -> Inspection:
    """Return what the package at ``path`` says of itself. Raises ProtocolViolation ``package.*``; no key is needed."""
    with open_package(path) as package:
        return _inspection(package)


def verify(path: Path, *, federation_file: Path | None = None, job: Job | None = None) -> Inspection:
    """Check all that can be checked without a key, residue by residue, and against a federation if one is given.

    Raises ProtocolViolation and UserError ``package.*``.
    """
    federation = None if federation_file is None else load_public_file(federation_file)
    with open_package(path) as package:
        parameters = registry.get(package.header.parameters)
        if federation is not None:
            check_belongs(package.header, _expected(federation))
        verify_residues(package, parameters, job or Job())
        return _inspection(package)


def import_dataset(
    path: Path,
    profile: DataProfile,
    *,
    preparer: str | None = None,
    clock: Clock | None = None,
    job: Job | None = None,
) -> Imported:
    """Verify the package at ``path`` and make it the site's active dataset; see :func:`.importing.import_package`.

    A package that was prepared for another site of the federation is refused: UserError ``package.other_site``.
    Raises UserError ``profile.no_federation`` before the ceremony is done.
    """
    return at_once(importing_dataset(path, profile, preparer=preparer, clock=clock, job=job))


def importing_dataset(
    path: Path,
    profile: DataProfile,
    *,
    preparer: str | None = None,
    clock: Clock | None = None,
    job: Job | None = None,
) -> Steps[Imported]:
    """As :func:`import_dataset`, with pauses in which the profile serves others."""
    federation = profile.federation
    if federation is None:
        raise UserError("profile.no_federation", path=str(profile.store.directory))
    with open_package(path) as package:
        _check_ours(package, profile.member_key)
    now = (clock or SystemClock()).now()
    done = yield from importing(path, profile.store, _expected(federation), now=now, preparer=preparer, job=job)
    if not done.already or done.dataset.active:
        return done
    profile.store.datasets.activate(done.dataset.id)  # importing an earlier version again is the way back to it
    return replace(done, dataset=replace(done.dataset, active=True))


def _check_ours(package: Package, key: MemberKey) -> None:
    """Refuse a package that was prepared for another site: only the right one can open its report."""
    try:
        key.open(REPORT_PURPOSE, package.report, package.header.hash)
    except ProtocolViolation as error:
        raise UserError("package.other_site", path=str(package.path)) from error


def list_datasets(profile: DataProfile) -> Sequence[tuple[DatasetRow, Header]]:
    """Return the site's dataset versions, oldest first, with their headers."""
    return [(row, Header.decode(row.header)) for row in profile.store.datasets.all()]


def open_report(profile: ReportProfile, dataset: DatasetRow) -> Report:
    """Open a dataset's preparation report with the site's member key; raises ProtocolViolation."""
    context = Header.decode(dataset.header).hash
    return read_report(profile.member_key.open(REPORT_PURPOSE, dataset.report, context))


def _site(federation: PublicFederation, mapping: Mapping) -> Site:
    for site in federation.sites:
        if site.name == mapping.site:
            return site
    known = ", ".join(site.name for site in federation.sites)
    raise UserError("mapping.unknown_site", file=mapping.file, site=mapping.site[:100], known=known)


def _expected(federation: PublicFederation) -> Expected:
    return Expected(federation.federation_id, federation.transcript, federation.catalogue, federation.parameters)


def _inspection(package: Package) -> Inspection:
    columns: dict[str, int] = {}
    for column in package.header.columns[1:]:  # the first says which slots hold a patient
        columns[column.variable] = columns.get(column.variable, 0) + 1
    return Inspection(
        header=package.header,
        manifest_hash=package.manifest_hash,
        preparer=fingerprint(package.manifest.preparer),
        preparer_words=fingerprint_words(package.manifest.preparer),
        size=package.path.stat().st_size,
        report_size=len(package.report),
        variables=tuple(columns.items()),
    )
