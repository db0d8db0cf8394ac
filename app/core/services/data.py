"""Datasets: look into a package, verify it, import it, list what a site has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from app.core.clock import Clock, SystemClock
from app.core.crypto import parameters as registry
from app.core.crypto.identity import MemberKey
from app.core.errors import ProtocolViolation, UserError
from app.core.federation import audit
from app.core.federation.known_catalogues import KnownCatalogues
from app.core.federation.public_file import PublicFederation, load_public_file
from app.core.jobs.job import Job, at_once
from app.core.preparation.report import Report, read_report
from app.core.store.datasets import DatasetRow
from app.core.store.documents import REPORT_PURPOSE, Header, fingerprint, fingerprint_words
from app.core.store.importing import Expected, Imported, Note, Steps, check_belongs, importing, verify_residues
from app.core.store.package import Package, open_package
from app.core.store.profile import Profile


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
class Inspection:
    """What a package says of itself, checked against its signature by ``preparer`` (a fingerprint, also in words)."""

    header: Header
    manifest_hash: bytes
    preparer: str
    preparer_words: str
    size: int
    report_size: int
    variables: tuple[tuple[str, int], ...]


def inspect(path: Path) -> Inspection:
    """Return what the package at ``path`` says of itself. Raises ProtocolViolation ``package.*``; no key is needed."""
    with open_package(path) as package:
        return _inspection(package)


def verify(path: Path, *, federation_file: Path | None = None, job: Job | None = None) -> Inspection:
    """Check all that can be checked without a key, residue by residue, and against a federation if one is given.

    Raises ProtocolViolation and UserError ``package.*``.
    """
    federation, job = None if federation_file is None else load_public_file(federation_file), job or Job()
    with open_package(path, job.cancel) as package:
        parameters = registry.get(package.header.parameters)
        if federation is not None:
            check_belongs(package.header, _expected(federation))
        verify_residues(package, parameters, job)
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
    with open_package(path, None if job is None else job.cancel) as package:
        _check_ours(package, profile.member_key)
    now = (clock or SystemClock()).now()
    known = KnownCatalogues(profile.store, federation.roster.catalogue_hash)
    expected = replace(_expected(federation), others=known.others())
    note = noting(profile, "data.imported", clock)
    done = yield from importing(path, profile.store, expected, now=now, preparer=preparer, job=job, note=note)
    if not done.already or done.dataset.active:
        return done
    with profile.store.database.atomic():
        profile.store.datasets.activate(done.dataset.id)  # importing an earlier version again is the way back to it
        noting(profile, "data.activated", clock)(done.dataset)
    return replace(done, dataset=replace(done.dataset, active=True))


def noting(profile: DataProfile, kind: str, clock: Clock | None = None) -> Note:
    """Return what adds a record about a dataset version to the audit trail."""

    def note(row: DatasetRow) -> None:
        columns = len(Header.decode(row.header).columns)
        what = {"dataset": row.id, "version": row.version, "columns": columns, "manifest": row.manifest_hash}
        entry = audit.Entry(what={**what, "preparer": fingerprint(row.preparer)})
        audit.record_as(profile.store, profile.member_key, clock or SystemClock(), kind, entry)

    return note


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


def _expected(federation: PublicFederation) -> Expected:
    return Expected(
        federation.federation_id,
        federation.transcript,
        federation.catalogue,
        federation.parameters,
        extraction=federation.extraction,
    )


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
