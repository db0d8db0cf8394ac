"""A site's datasets once they are imported: which there are, what is in them, whether they are whole; removing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.crypto import parameters as registry
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.jobs.job import Job
from app.core.preparation.report import Report, VariableReport
from app.core.services.data import ReportProfile, open_report
from app.core.store.datasets import DatasetRow, ImportRow
from app.core.store.documents import Header
from app.core.store.importing import Steps, abandon_import, remove_dataset, verifying
from app.core.store.package import open_package
from app.core.store.profile import Profile

_AT_LEAST = "ge:"
_LEVEL = "level:"
_KNOWN = "known"


@dataclass(frozen=True)
class Dataset:
    """One version, with the size of its file (bytes; 0 if it is missing) and the variables it has."""

    row: DatasetRow
    header: Header
    bytes: int
    variables: tuple[str, ...]


@dataclass(frozen=True)
class Bin:
    """So many patients with one of these ``levels``, or with a number from ``low`` (None: any) to below ``high``."""

    count: int
    levels: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None


@dataclass(frozen=True)
class Distribution:
    """How one variable is distributed at this site.

    ``known`` counts the patients with a value (for a flag, those who have it), None for a few; ``missing`` the others,
    None if that is not known, as for a flag, where not recorded is the same as no. A bin with a few patients is part of
    its neighbour.
    """

    code: str
    kind: str
    known: int | None
    missing: int | None
    bins: tuple[Bin, ...]


def list_datasets(profile: Profile) -> Sequence[Dataset]:
    """Return all versions, oldest first."""
    return [_dataset(profile, row) for row in profile.datasets.all()]


def find_dataset(profile: Profile, named: str) -> DatasetRow:
    """Return the version whose id begins with ``named``; the active one if that is empty.

    Raises UserError ``dataset.not_found`` (also if several begin so), ``dataset.none_active``.
    """
    if not named:
        active = profile.datasets.active()
        if active is None:
            raise UserError("dataset.none_active")
        return active
    found = [row for row in profile.datasets.all() if row.id.hex().startswith(named.lower())]
    if len(found) != 1:
        raise UserError("dataset.not_found", dataset=named[:32])
    return found[0]


def read_report(profile: ReportProfile, row: DatasetRow) -> tuple[Report, tuple[Distribution, ...]]:
    """Open the preparation report of a version with the member key, and say how each variable is distributed.

    Raises ProtocolViolation ``report.*``; EnvironmentProblem ``keys.*``, ``keyring.*``.
    """
    report, header = open_report(profile, row), Header.decode(row.header)
    parts: dict[str, list[str]] = {}
    for column in header.columns[1:]:
        parts.setdefault(column.variable, []).append(column.part)
    return report, tuple(_distribution(each, parts.get(each.code, []), report.patients) for each in report.variables)


def checking(profile: Profile, row: DatasetRow, job: Job) -> Steps[int]:
    """Check that every byte of a version is what its preparer signed and this site imported; return its size.

    Pauses now and then. Raises EnvironmentProblem ``dataset.damaged``; Cancelled.
    """
    path = profile.dataset_path(row.id)
    if not path.is_file():
        raise EnvironmentProblem("dataset.damaged", path=str(path))
    try:
        with open_package(path) as package:
            if package.manifest_hash != row.manifest_hash:
                raise ProtocolViolation("package.altered", part="manifest")
            yield from verifying(package, registry.get(package.header.parameters), job)
    except (ProtocolViolation, EnvironmentProblem) as problem:
        raise EnvironmentProblem("dataset.damaged", path=str(path)) from problem
    return _size(path)


def remove(profile: Profile, named: str, *, force: bool) -> int:
    """Delete a version, or what an interrupted import has copied, and return how many bytes that frees.

    The active version goes only with ``force``: the site then has none. Raises UserError ``dataset.not_found``,
    ``dataset.active``, ``dataset.import_running``.
    """
    unfinished = [each.id for each in profile.imports.all() if named and each.id.hex().startswith(named.lower())]
    if len(unfinished) == 1:
        freed = _size(profile.partial_path(unfinished[0]))
        abandon_import(profile, unfinished[0])
        return freed
    if not named:
        raise UserError("dataset.not_found", dataset="")
    row = find_dataset(profile, named)
    path = profile.dataset_path(row.id)
    freed = _size(path)
    remove_dataset(profile, row.id, active_too=force)
    return freed


def unfinished_imports(profile: Profile) -> Sequence[tuple[ImportRow, bool]]:
    """Return the imports that are not finished, and whether each runs just now."""
    return [(each, each.id == profile.imports.running) for each in profile.imports.all()]


def _dataset(profile: Profile, row: DatasetRow) -> Dataset:
    header = Header.decode(row.header)
    variables = dict.fromkeys(column.variable for column in header.columns[1:])
    return Dataset(row, header, _size(profile.dataset_path(row.id)), tuple(variables))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _distribution(found: VariableReport, parts: Sequence[str], patients: int) -> Distribution:
    known = None if found.known < 0 else found.known
    missing = None if known is None else patients - known
    if parts[:1] == [_KNOWN]:
        cuts = [part.removeprefix(_AT_LEAST) for part in parts[1:]]
        bins = tuple(_range(names, count, cuts) for names, count in found.bins)
        return Distribution(found.code, "number", known, missing, bins)
    if all(part.startswith(_LEVEL) for part in parts):
        levels = tuple(
            Bin(count, levels=tuple(name.removeprefix(_LEVEL) for name in names)) for names, count in found.bins
        )
        return Distribution(found.code, "category", known, missing, levels)
    return Distribution(found.code, "flag", known, None, ())


def _range(names: Sequence[str], count: int, cuts: Sequence[str]) -> Bin:
    """A bin of a number: its first and last part say where it begins and which cut point is the next."""
    low, last = (name.removeprefix(_AT_LEAST) or None for name in (names[0], names[-1]))
    above = 0 if last is None else cuts.index(last) + 1 if last in cuts else len(cuts)
    return Bin(count, low=low, high=cuts[above] if above < len(cuts) else None)
