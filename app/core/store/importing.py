"""Import a package into the profile: everything is verified, and only what was verified is copied.

The residues are read once. Each is checked (size, header, below its prime) and hashed while it is copied, and a column
is committed only when the hashes of all its blocks are those that the preparer signed; so nobody can change the
package between its check and its copy. The copy grows in ``datasets/<id>.part`` in the order of ids, which is the order
in which queries read. A crash leaves it there with the number of whole columns in ``dataset_imports``; importing the
same package again goes on. Renaming the whole copy and adding its row come last; until then the old version is the
active one, and after a crash between the two the next import finishes or the next opening cleans up.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from app.core.catalogue.model import PRESENT, PRESENT_MEANING, Catalogue
from app.core.crypto.format import residue_size
from app.core.crypto.parameters import ParameterSet
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.files import disk_problems, publish
from app.core.jobs.job import Job, at_once
from app.core.store.dataset_file import journal_of, open_for_writing, residue_id
from app.core.store.datasets import DatasetRow
from app.core.store.documents import Header, SealedColumn, fingerprint, is_fingerprint
from app.core.store.package import Package, open_package
from app.core.store.problems import database_problems
from app.core.store.profile import Profile

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]
Note: TypeAlias = Callable[[DatasetRow], None]
"""Is told of a version in the transaction in which something happens to it."""

_STEP = "data.step.importing"


@dataclass(frozen=True)
class Expected:
    """What a package must agree with: the federation's id, transcript hash, catalogue and parameter set.

    ``others`` are further versions of the catalogue that are known; they are looked at only where they are needed.
    ``extraction`` is the level of the keys that extract columns from shared ciphertexts; 0: there are none.
    """

    federation: bytes
    transcript: bytes
    catalogue: Catalogue
    parameters: ParameterSet
    others: Iterable[Catalogue] = ()
    extraction: int = 0


@dataclass(frozen=True)
class Imported:
    """The dataset's row; whether it was there already; whether its preparer was pinned just now.

    ``unusable`` are the codes of variables that cannot be asked about with the catalogue in force.
    """

    dataset: DatasetRow
    already: bool
    pinned: bool
    unusable: tuple[str, ...] = ()


def check_belongs(header: Header, expected: Expected) -> tuple[str, ...]:
    """Refuse the dataset of another federation, ceremony or parameter set, and variables that mean something else.

    A variable may be that of another version of the catalogue that is known here. Return the codes of those that are:
    the version in force lacks them or means something else. Raises UserError ``package.other_federation``,
    ``package.other_ceremony``, ``package.other_parameters``, ``package.no_extraction_keys`` (columns share a ciphertext
    and the federation cannot extract them), ``package.unknown_variable``, ``package.meaning_differs``;
    ProtocolViolation ``package.wrong_columns``.
    """
    if header.federation != expected.federation:
        raise UserError("package.other_federation")
    if header.transcript != expected.transcript:
        raise UserError("package.other_ceremony")
    if header.parameters != expected.parameters.name:
        raise UserError("package.other_parameters", found=header.parameters, expected=expected.parameters.name)
    if header.columns_per_ciphertext > 1 and not expected.extraction:
        raise UserError("package.no_extraction_keys")
    if header.residues > expected.parameters.levels:
        raise ProtocolViolation("package.malformed", part="residues")
    if header.columns[:1] != (SealedColumn(PRESENT.variable, PRESENT_MEANING, PRESENT.part),):
        raise ProtocolViolation("package.wrong_columns", variable=PRESENT.part)
    parts: dict[tuple[str, bytes], list[str]] = {}
    for column in header.columns[1:]:
        parts.setdefault((column.variable, column.meaning), []).append(column.part)
    if len({code for code, _ in parts}) != len(parts):
        raise ProtocolViolation("package.malformed", part="columns")
    _take_known(parts, expected.catalogue)
    unusable = tuple(sorted(code for code, _ in parts))
    for catalogue in expected.others if parts else ():
        _take_known(parts, catalogue)
    for code, _ in parts:
        unknown = expected.catalogue.find(code) is None
        raise UserError("package.unknown_variable" if unknown else "package.meaning_differs", variable=code)
    return unusable


def _take_known(parts: dict[tuple[str, bytes], list[str]], catalogue: Catalogue) -> None:
    """Take out of ``parts`` (by code and meaning) the variables of this catalogue; they must have all their columns."""
    for code, meaning in list(parts):
        if catalogue.means(code, meaning):
            found = parts.pop((code, meaning))
            if found != [column.part for column in catalogue.variable(code).columns]:
                raise ProtocolViolation("package.wrong_columns", variable=code)


def verify_residues(package: Package, parameters: ParameterSet, job: Job) -> None:
    """Check every residue and the hash of every block; raises as :meth:`Package.group`, and Cancelled."""
    at_once(verifying(package, parameters, job))


def verifying(package: Package, parameters: ParameterSet, job: Job) -> Steps[None]:
    """As :func:`verify_residues`, with a pause after every column."""
    header = package.header
    package.check_complete()
    meter = job.meter("data.step.verifying", header.groups * header.residues * header.blocks)
    for group in range(header.groups):
        for _ in package.group(group, parameters):
            meter.advance()
        yield


def import_package(
    path: Path, profile: Profile, expected: Expected, *, now: int, preparer: str | None = None, job: Job | None = None
) -> Imported:
    """Verify the package at ``path`` and make it the profile's active dataset.

    The first import pins its preparer; later ones must come from a pinned preparer, or from the one whose fingerprint
    (:func:`app.core.store.documents.fingerprint`, in digits or words) is given. Raises as :func:`open_package`,
    :func:`check_belongs` and :meth:`Package.group`; UserError ``package.other_preparer``, ``dataset.import_running``;
    EnvironmentProblem ``disk.*``; Cancelled.
    """
    return at_once(importing(path, profile, expected, now=now, preparer=preparer, job=job))


def importing(
    path: Path,
    profile: Profile,
    expected: Expected,
    *,
    now: int,
    preparer: str | None = None,
    job: Job | None = None,
    note: Note | None = None,
) -> Steps[Imported]:
    """As :func:`import_package`, with a pause after every column, in which the profile serves others.

    ``note`` is called in the transaction that makes the new version the active one.
    """
    job = job or Job()
    with open_package(path, job.cancel) as package, profile.imports.one_at_a_time(package.header.dataset):
        unusable = check_belongs(package.header, expected)
        pinned = _check_preparer(profile, package.manifest.preparer, preparer)
        package.check_complete()
        known = profile.datasets.get(package.header.dataset)
        if known is not None:
            if known.manifest_hash != package.manifest_hash:
                raise ProtocolViolation("package.id_reused")
            return Imported(known, already=True, pinned=False, unusable=unusable)
        try:
            yield from _copy(package, profile, expected.parameters, now, job)
        except ProtocolViolation:
            _abandon(profile, package.header.dataset)
            raise
        return Imported(_activate(package, profile, now, note), already=False, pinned=pinned, unusable=unusable)


def remove_dataset(profile: Profile, dataset: bytes, *, active_too: bool = False, note: Note | None = None) -> None:
    """Delete a version; the active one only if ``active_too``, and then none is active.

    ``note`` is called in the transaction that forgets it.
    A file that is in use (on Windows) goes when the profile is next opened. Raises UserError ``dataset.active`` or
    ``dataset.not_found``.
    """
    with profile.database.atomic():
        row = profile.datasets.get(dataset)
        profile.datasets.remove(dataset, active_too=active_too)
        if note is not None and row is not None:
            note(row)
    with suppress(PermissionError):
        profile.dataset_path(dataset).unlink(missing_ok=True)


def abandon_import(profile: Profile, dataset: bytes) -> None:
    """Delete what an interrupted import has copied.

    Raises UserError ``dataset.not_found``, ``dataset.import_running``.
    """
    if profile.imports.get(dataset) is None:
        raise UserError("dataset.not_found", dataset=dataset.hex())
    with profile.imports.one_at_a_time(dataset):
        _abandon(profile, dataset)


def _check_preparer(profile: Profile, key: bytes, named: str | None) -> bool:
    """Return whether ``key`` will be pinned by this import; refuse a preparer that nobody vouches for."""
    known = [preparer.key for preparer in profile.preparers.all()]
    found = fingerprint(key)
    if named is not None and not is_fingerprint(named, key):
        raise UserError("package.other_preparer", found=found, expected=named[:64])
    if key in known:
        return False
    if known and named is None:
        raise UserError("package.other_preparer", found=found, expected=fingerprint(known[-1]))
    return True


def _copy(package: Package, profile: Profile, parameters: ParameterSet, now: int, job: Job) -> Steps[None]:
    """Bring ``datasets/<id>.part`` to the whole package, beginning where an earlier import stopped."""
    header = package.header
    partial = profile.partial_path(header.dataset)
    done = _resume(package, profile, now)
    profile.imports.note_package(header.dataset, str(package.path.absolute()), header.groups)
    per_group = header.residues * header.blocks
    _check_space(partial, (header.groups - done) * per_group * residue_size(parameters))
    meter = job.meter(_STEP, header.groups * per_group, done * per_group)
    with closing(open_for_writing(partial)) as connection, database_problems(partial):
        for group in range(done, header.groups):
            connection.execute("BEGIN")
            for identifier, blob in package.group(group, parameters):
                connection.execute("INSERT OR REPLACE INTO residue VALUES (?, ?)", (identifier, blob))
                meter.advance()
            connection.execute("COMMIT")
            profile.imports.advance(header.dataset, group + 1)
            yield
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT OR REPLACE INTO document VALUES (?, ?)",
            [
                ("header", package.header_bytes),
                ("manifest", package.manifest_bytes),
                ("signature", package.signature),
                ("report", package.report),
            ],
        )
        connection.execute("COMMIT")


def _resume(package: Package, profile: Profile, now: int) -> int:
    """Return how many columns of the copy are whole; begin anew where the copy is missing or damaged."""
    dataset = package.header.dataset
    partial, final = profile.partial_path(dataset), profile.dataset_path(dataset)
    under_way = profile.imports.get(dataset)
    if under_way is not None and under_way.manifest_hash == package.manifest_hash:
        with disk_problems(partial):
            if final.exists() and not partial.exists():  # stopped between the renaming and the row
                os.replace(final, partial)
        with suppress(EnvironmentProblem, sqlite3.Error), closing(open_for_writing(partial)) as connection:
            last = residue_id(under_way.columns_done, 0, 0)
            found = connection.execute("SELECT count(*) FROM residue WHERE id < ?", (last,)).fetchone()[0]
            if found == under_way.columns_done * package.header.residues * package.header.blocks:
                return under_way.columns_done
    _abandon(profile, dataset)
    profile.imports.begin(dataset, manifest_hash=package.manifest_hash, now=now)
    return 0


def _activate(package: Package, profile: Profile, now: int, note: Note | None) -> DatasetRow:
    header = package.header
    partial = profile.partial_path(header.dataset)
    publish(partial, profile.dataset_path(header.dataset))
    with disk_problems(partial):
        journal_of(partial).unlink(missing_ok=True)  # empty since the last commit
    with profile.database.atomic():
        profile.preparers.pin(package.manifest.preparer, name="", now=now)
        row = profile.datasets.add(
            header.dataset,
            manifest_hash=package.manifest_hash,
            header=package.header_bytes,
            report=package.report,
            preparer=package.manifest.preparer,
            now=now,
        )
        if note is not None:
            note(row)
    for other in profile.imports.all():  # they will not be taken up again: there is a newer dataset now
        _abandon(profile, other.id)
    return row


def _abandon(profile: Profile, dataset: bytes) -> None:
    """Forget an import and remove its files; never the file of a dataset that has a row."""
    profile.imports.abandon(dataset)
    partial = profile.partial_path(dataset)
    leftovers = [partial, journal_of(partial)]
    if profile.datasets.get(dataset) is None:
        leftovers.append(profile.dataset_path(dataset))
    for path in leftovers:
        with disk_problems(path):
            path.unlink(missing_ok=True)


def _check_space(path: Path, needed: int) -> None:
    """Refuse to begin what cannot end. Raises EnvironmentProblem ``disk.too_small``."""
    with disk_problems(path):
        free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise EnvironmentProblem("disk.too_small", path=str(path.parent), needed=needed >> 20, free=free >> 20)
