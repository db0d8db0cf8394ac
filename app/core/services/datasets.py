"""A site's datasets once they are imported: which there are, what is in them, whether they are whole; removing them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from app.core.crypto import parameters as registry
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.jobs.job import Job
from app.core.preparation import dataset_changes
from app.core.preparation.dataset_changes import Comparison
from app.core.preparation.report import Report, VariableReport
from app.core.services.data import ReportProfile, open_report
from app.core.store.datasets import DatasetRow, ImportRow
from app.core.store.documents import Header, SealedColumn
from app.core.store.importing import Note, Steps, abandon_import, remove_dataset, verifying
from app.core.store.package import open_package
from app.core.store.profile import Profile

_KINDS = {"has": "flag", "level": "category", "known": "number", "first": "event", "event": "survival"}
"""What the first of a variable's sealed columns begins with, and its kind. Dates look like numbers but for the cuts."""
_DATE = re.compile(r"ge:[0-9]{4}-[0-9]{2}(-[0-9]{2})?")
_YEAR = re.compile(r"ge:[0-9]{4}")


@dataclass(frozen=True)
class Dataset:
    """One version, with the size of its file (bytes; 0 if it is missing) and the variables it has."""

    row: DatasetRow
    header: Header
    bytes: int
    variables: tuple[str, ...]


@dataclass(frozen=True)
class Bin:
    """So many patients with one of these ``levels``, or with a number or date from ``low`` (None: any) to below
    ``high``; of an event or survival, in the periods from ``low`` to before ``high``. ``event`` says whether survival
    ended in the event (None: in either way)."""

    count: int
    levels: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None
    event: bool | None = None


@dataclass(frozen=True)
class Distribution:
    """How one variable is distributed at this site.

    ``known`` counts the patients with a value (for a flag or an event, those who have it), None for a few; ``missing``
    the others, None if that is not known, as for a flag, where not recorded is the same as no. A bin with a few
    patients is part of its neighbour.
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
    return report, distributions(report, header.columns)


def distributions(report: Report, columns: Sequence[SealedColumn]) -> tuple[Distribution, ...]:
    """Say how each variable of a dataset with these sealed columns is distributed."""
    parts: dict[str, list[str]] = {}
    for column in columns[1:]:
        parts.setdefault(column.variable, []).append(column.part)
    return tuple(_distribution(each, parts.get(each.code, []), report.patients) for each in report.variables)


def compare(profile: ReportProfile, older: DatasetRow, newer: DatasetRow) -> Comparison:
    """Say what changed between two versions, in protected counts; errors as :func:`read_report`."""
    first, second = ((Header.decode(row.header), open_report(profile, row)) for row in (older, newer))
    return dataset_changes.compare(first, second)


def version_before(profile: Profile, row: DatasetRow) -> DatasetRow | None:
    """Return the version that was imported before ``row``, or None."""
    return max((each for each in profile.datasets.all() if each.version < row.version), key=_version, default=None)


def _version(row: DatasetRow) -> int:
    return row.version


def checking(profile: Profile, row: DatasetRow, job: Job) -> Steps[int]:
    """Check that every byte of a version is what its preparer signed and this site imported; return its size.

    Pauses now and then. Raises EnvironmentProblem ``dataset.damaged``; Cancelled.
    """
    path = profile.dataset_path(row.id)
    if not path.is_file():
        raise EnvironmentProblem("dataset.damaged", path=str(path))
    try:
        with open_package(path, job.cancel) as package:
            if package.manifest_hash != row.manifest_hash:
                raise ProtocolViolation("package.altered", part="manifest")
            yield from verifying(package, registry.get(package.header.parameters), job)
    except (ProtocolViolation, EnvironmentProblem) as problem:
        raise EnvironmentProblem("dataset.damaged", path=str(path)) from problem
    return _size(path)


def remove(profile: Profile, named: str, *, force: bool, note: Note | None = None) -> int:
    """Delete a version, or what an interrupted import has copied, and return how many bytes that frees.

    The active version goes only with ``force``: the site then has none. ``note`` is told of a version that goes.
    Raises UserError ``dataset.not_found``, ``dataset.active``, ``dataset.import_running``.
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
    remove_dataset(profile, row.id, active_too=force, note=note)
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
    kind = kind_of(parts)
    known = None if found.known < 0 else found.known
    missing = None if known is None or kind in ("flag", "event") else patients - known
    match kind:
        case "flag":
            bins: tuple[Bin, ...] = ()
        case "category":
            bins = tuple(Bin(count, tuple(map(_value, names))) for names, count in found.bins)
        case "number" | "date":
            cuts = [_value(part) for part in parts if part.startswith("ge:")]
            bins = tuple(_range(names, count, cuts) for names, count in found.bins)
        case _:
            bins = tuple(_periods(names, count) for names, count in found.bins)
    return Distribution(found.code, kind, known, missing, bins)


def kind_of(parts: Sequence[str]) -> str:
    """Return the kind of the variable with these sealed columns; a number that is cut at all years counts as one."""
    kind = _KINDS.get(parts[0].partition(":")[0], "flag") if parts else "flag"
    return "date" if kind == "number" and _are_dates(parts[1:]) else kind


def _are_dates(cuts: Sequence[str]) -> bool:
    if all(_YEAR.fullmatch(cut) for cut in cuts):
        return len(cuts) > 1 and all(int(_value(b)) - int(_value(a)) == 1 for a, b in pairwise(cuts))
    return all(_DATE.fullmatch(cut) for cut in cuts)


def _value(part: str) -> str:
    return part.partition(":")[2]


def _range(names: Sequence[str], count: int, cuts: Sequence[str]) -> Bin:
    """A bin of a number or date: its first and last part say where it begins and which cut point is the next."""
    low, last = _value(names[0]) or None, _value(names[-1]) or None
    above = 0 if last is None else cuts.index(last) + 1 if last in cuts else len(cuts)
    return Bin(count, low=low, high=cuts[above] if above < len(cuts) else None)


def _periods(names: Sequence[str], count: int) -> Bin:
    """A bin of an event's first time, or of how follow-up ended: the parts name the periods one after the other."""
    ways = {name.partition(":")[0] for name in names}
    first, last = (int(_value(name)) for name in (names[0], names[-1]))
    event = "event" in ways if len(ways) == 1 and ways != {"first"} else None
    return Bin(count, low=str(first), high=str(last + 1), event=event)
