"""Prepare a dataset offline: the dry run that shows what is wrong, the sealing, and the choice of its depth.

Nothing here needs a network, and only sealing asks for a key. Clear data lie in the engine's private directory while
this runs, and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.core import settings
from app.core.catalogue.file import load_catalogue
from app.core.catalogue.model import Catalogue
from app.core.clock import Clock, SystemClock
from app.core.crypto.parameters import MOST_COLUMNS
from app.core.crypto.secret_store import SecretStore
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation.public_file import PublicFederation, load_public_file
from app.core.federation.roster import Site
from app.core.jobs.job import Job
from app.core.jobs.pool import WorkerPool, available_cores
from app.core.preparation import depth
from app.core.preparation.column_contents import StagedContents
from app.core.preparation.encrypting import begin_worker
from app.core.preparation.identifiers import Identifier, TableColumn, find_identifiers
from app.core.preparation.mapping import Mapping as MappingFile
from app.core.preparation.mapping_changes import Change, Seen, changes, met, read_seen, seen_path, write_seen
from app.core.preparation.mapping_reading import load_mapping
from app.core.preparation.notes import Note, notes
from app.core.preparation.patients import PATIENTS
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.problem_groups import Group, groups
from app.core.preparation.reading import read_staged, settings_of
from app.core.preparation.recontact import extended, read_recontact, write_recontact
from app.core.preparation.report import make_report, read_report
from app.core.preparation.sealing import Target, in_flight, refuse_existing, seal_table, sharing_of, worker_arguments
from app.core.preparation.sources.source import Staged
from app.core.preparation.table import ClearTable
from app.core.preparation.used_columns import (
    code_columns,
    patient_columns,
    tables_by_name,
    units_assumed,
    used_columns,
)
from app.core.preparation.work_file import remove_work, work_path
from app.core.secret import SecretBytes
from app.core.services.datasets import Distribution, distributions
from app.core.services.staged_sources import Files, Staging, staged
from app.core.store.documents import Header, fingerprint, fingerprint_words


class Refused(UserError):
    """Nothing was sealed (``csv.rows_refused``, ``preparing.blocked``); ``checked`` says all that is wrong."""

    def __init__(self, code: str, **params: str | int | float | bool | None) -> None:
        super().__init__(code, **params)
        self.checked: Checked | None = None


@dataclass(frozen=True)
class Checked:
    """What a dry run found out: the table that would be sealed, and everything that a person should know of it."""

    mapping: MappingFile
    catalogue: Catalogue
    table: ClearTable
    groups: tuple[Group, ...]
    identifiers: tuple[Identifier, ...]
    notes: tuple[Note, ...]
    changes: tuple[Change, ...]

    @property
    def distributions(self) -> tuple[Distribution, ...]:
        """How every variable is distributed, with small bins merged: what the site's own report will say."""
        return distributions(read_report(make_report(self.table, bytes(16), 0)), self.table.columns)

    @property
    def blocking(self) -> tuple[Identifier, ...]:
        """The columns that must be left out or confirmed before anything is sealed."""
        return tuple(each for each in self.identifiers if each.blocks)


@dataclass(frozen=True)
class Prepared:
    """A finished package: its header, the dry run's findings, the preparer's fingerprint (in digits and in words), its
    size in bytes, the seconds that all of it took, and how many patients the re-contact file knows (None: no file)."""

    header: Header
    checked: Checked
    preparer: str
    preparer_words: str
    size: int
    seconds: float
    recontact: int | None

    @property
    def bytes_per_value(self) -> float:
        """Bytes a patient and sealed column."""
        return self.size / max(self.checked.table.patients * len(self.header.columns), 1)


@dataclass(frozen=True)
class RecontactFile:
    """A re-contact file to write or to go on with, and its passphrase, which is asked for when everything was read."""

    path: Path
    passphrase: Callable[[], SecretBytes]


def catalogue_of(federation_file: Path | None, catalogue_file: Path | None) -> Catalogue:
    """Return a federation's catalogue, or one from its readable file. Raises UserError ``preparing.no_catalogue``."""
    if federation_file is not None:
        return load_public_file(federation_file).catalogue
    if catalogue_file is None:
        raise UserError("preparing.no_catalogue")
    return load_catalogue(catalogue_file)


def check(
    mapping_file: Path,
    catalogue: Catalogue,
    *,
    files: Files | None = None,
    confirmed: Collection[str] = (),
    job: Job | None = None,
) -> Checked:
    """Read everything as it would be sealed, seal nothing, and say what is wrong.

    ``files`` are read instead of those that the mapping names; ``confirmed`` are columns (``TABLE.COLUMN``) that are
    no identifiers. Raises UserError ``mapping.*``, ``sources.*``, ``clinical.*``, ``preparing.*``; EnvironmentProblem;
    Cancelled.
    """
    with _read(mapping_file, catalogue, files or {}, confirmed, job or Job()) as reading:
        return reading.checked


def prepare(
    federation_file: Path,
    mapping_file: Path,
    output: Path,
    *,
    secrets: Callable[[], SecretStore],
    files: Files | None = None,
    confirmed: Collection[str] = (),
    residues: int | None = None,
    skip_bad_rows: bool = False,
    restart: bool = False,
    recontact: RecontactFile | None = None,
    share_ciphertexts: bool = True,
    workers: int | None = None,
    clock: Clock | None = None,
    job: Job | None = None,
) -> Prepared:
    """Seal what :func:`check` reads for the site that the mapping names; needs no network or profile.

    ``residues`` None is what :func:`choices` recommends. Where the patients are few and the federation's keys allow it,
    columns share ciphertexts, unless ``share_ciphertexts`` forbids it. An interrupted preparation goes on where it
    stopped; ``restart`` throws away what it had sealed. ``secrets``, which is asked for when all files were read, keeps
    the preparer's key. Raises as :func:`check` and :func:`seal_table`; Refused for rows that cannot be used unless
    ``skip_bad_rows``, and for identifiers; UserError ``mapping.unknown_site``.
    """
    settings.current().require("prepare")
    job, clock, began = job or Job(), clock or SystemClock(), time.monotonic()
    refuse_existing(output)
    if not output.absolute().parent.is_dir():  # said before everything is read, and by the name that a person knows
        raise EnvironmentProblem("file.not_found", path=str(output.parent))
    federation = load_public_file(federation_file)
    site = _site(federation, load_mapping(mapping_file))
    with _read(mapping_file, federation.catalogue, files or {}, confirmed, job) as reading:
        checked, table = reading.checked, reading.checked.table
        _refuse(checked, skip_bad_rows=skip_bad_rows)
        preparer = PreparerKey.from_store(secrets())
        known = None if recontact is None else _extend(recontact, reading.patients(), site.name, clock.now())
    with suppress(EnvironmentProblem):  # only a help for the next time: a mapping may lie where nobody can write
        write_seen(seen_path(mapping_file), reading.seen)
    if restart:
        remove_work(work_path(output))
    target = _target(federation, site, table.patients, residues, share_ciphertexts=share_ciphertexts)
    header = _seal(table, target, output, preparer, workers, clock, job)
    return Prepared(
        header=header,
        checked=checked,
        preparer=fingerprint(preparer.public),
        preparer_words=fingerprint_words(preparer.public),
        size=output.stat().st_size,
        seconds=time.monotonic() - began,
        recontact=known,
    )


def choices(
    federation_file: Path, mapping_file: Path, *, files: Files | None = None, job: Job | None = None
) -> tuple[depth.Choice, ...]:
    """Return what it would mean to store so many residues of the dataset. Raises as :func:`check`."""
    federation = load_public_file(federation_file)
    table = check(mapping_file, federation.catalogue, files=files, job=job).table
    return depth.choices(
        table.patients,
        len(table.columns),
        federation.parameters,
        cores=available_cores(),
        sharing=_most_sharing(federation),
    )


def inputs(mapping_file: Path, files: Files) -> set[Path]:
    """Return the files that a preparation reads, the mapping among them: nothing may be written over one of these."""
    settings = settings_of(load_mapping(mapping_file), mapping_file.absolute().parent, files)
    read = (path for each in settings.values() for path in (*each.files, each.dictionary) if path is not None)
    return {path.resolve() for path in (mapping_file, *read)}


@dataclass(frozen=True)
class _Reading:
    """What was read, while the engine still holds it."""

    staging: Staging
    checked: Checked
    seen: Seen

    def patients(self) -> list[str]:
        """Return the hospital's own numbers of all patients."""
        rows = self.staging.engine.execute(f"SELECT patient FROM {PATIENTS}").fetchall()  # noqa: S608 - a constant
        return [str(patient) for (patient,) in rows]


@contextmanager
def _read(
    mapping_file: Path, catalogue: Catalogue, files: Files, confirmed: Collection[str], job: Job
) -> Iterator[_Reading]:
    mapping = load_mapping(mapping_file)
    settings = settings_of(mapping, mapping_file.absolute().parent, files)
    with staged(settings, job) as staging:
        sources = staging.sources
        used, patients = used_columns(mapping, catalogue, sources), patient_columns(mapping, sources)
        identifiers = find_identifiers(
            staging.engine,
            sources,
            used=used,
            patients=patients,
            confirmed=_confirmed((*mapping.confirmed, *confirmed), sources),
            job=job,
        )
        seen = met(
            sources, used - _places(identifiers), code_columns(mapping, sources), StagedContents(staging.engine, job)
        )
        by_name = {each.name: each for each in sources}
        table = read_staged(staging.engine, mapping, catalogue, by_name, skip_bad_rows=True, job=job)
        checked = Checked(
            mapping=mapping,
            catalogue=catalogue,
            table=table,
            groups=groups(table.problems, mapping, catalogue),
            identifiers=identifiers,
            notes=notes(table, catalogue, units_assumed(mapping, catalogue, sources)),
            changes=changes(mapping, catalogue, read_seen(seen_path(mapping_file)), seen),
        )
        yield _Reading(staging, checked, seen)


def _places(identifiers: Collection[Identifier]) -> set[TableColumn]:
    return {(each.table, each.column) for each in identifiers}


def _confirmed(written: Collection[str], sources: Sequence[Staged]) -> set[TableColumn]:
    """Return the columns that ``TABLE.COLUMN`` texts name; both may hold full stops."""
    there = {
        f"{name}.{column.name}": (name, column.name)
        for name, table in tables_by_name(sources).items()
        for column in table.columns
    }
    for text in written:
        if text not in there:
            raise UserError("preparing.unknown_column", column=text[:100])
    return {there[text] for text in written}


def _refuse(checked: Checked, *, skip_bad_rows: bool) -> None:
    table, refused = checked.table, None
    if checked.blocking:
        columns = ", ".join(f"{each.table}.{each.column}" for each in checked.blocking)
        refused = Refused("preparing.blocked", count=len(checked.blocking), columns=columns)
    elif table.refused_rows and not skip_bad_rows:
        files = ", ".join(dict.fromkeys(each.first.file for each in checked.groups))
        refused = Refused("csv.rows_refused", file=files, rows=table.refused_rows, total=table.rows)
    if refused is not None:
        refused.checked = checked
        raise refused


def _extend(file: RecontactFile, patients: Sequence[str], site: str, now: int) -> int:
    """Write a re-contact file, or go on with the one that is there; return how many patients it knows."""
    passphrase = file.passphrase()
    before = read_recontact(file.path, passphrase) if file.path.exists() else None
    after = extended(before, patients, site=site, now=now)
    write_recontact(file.path, after, passphrase)
    return len(after.patients)


def _seal(
    table: ClearTable,
    target: Target,
    output: Path,
    preparer: PreparerKey,
    workers: int | None,
    clock: Clock,
    job: Job,
) -> Header:
    blocks = -(-table.patients // target.parameters.slots)
    groups = -(-len(table.columns) // sharing_of(target, table.patients))
    count = max(1, min(workers or available_cores(), blocks * groups))
    with WorkerPool(count, begin_worker, worker_arguments(target)) as pool:
        return seal_table(
            table,
            target,
            output,
            preparer=preparer,
            executor=pool,
            in_flight=in_flight(count),
            now=clock.now(),
            job=job,
        )


def _most_sharing(federation: PublicFederation) -> int:
    """Return how many columns may share a ciphertext: a federation from before has no keys to extract them."""
    return MOST_COLUMNS if federation.extraction else 1


def _target(
    federation: PublicFederation, site: Site, patients: int, residues: int | None, *, share_ciphertexts: bool
) -> Target:
    parameters, most = federation.parameters, _most_sharing(federation) if share_ciphertexts else 1
    sharing = min(most, parameters.columns_per_ciphertext(patients))
    return Target(
        federation=federation.federation_id,
        transcript=federation.transcript,
        catalogue=federation.catalogue.hash,
        parameters=parameters,
        public_key=federation.public_key,
        site=site.key,
        residues=depth.default_residues(sharing, parameters.levels) if residues is None else residues,
        sharing=sharing,
    )


def _site(federation: PublicFederation, mapping: MappingFile) -> Site:
    for site in federation.sites:
        if site.name == mapping.site:
            return site
    known = ", ".join(site.name for site in federation.sites)
    raise UserError("mapping.unknown_site", file=mapping.file, site=mapping.site[:100], known=known)
