"""The commands on a site's datasets. Those that take long pause now and then, so that the others do not wait."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from app.core.errors import UserError
from app.core.preparation.dataset_changes import CountChange
from app.core.services import data as service
from app.core.services import datasets
from app.core.services.commands import Context, Result, Steps, Values, command
from app.core.services.datasets import Bin, Dataset, Distribution
from app.core.store import importing
from app.core.store.datasets import DatasetRow, ImportRow
from app.core.store.documents import fingerprint, fingerprint_words

T = TypeVar("T")

_ID = 64


@command("data.import")
def import_(context: Context, values: Values) -> Steps:
    """Make the package at ``package`` the active dataset, if ``preparer`` (a fingerprint; None: anyone) signed it.

    The same package again goes on where an import was cut off or cancelled. ``changes`` are those of ``data.compare``
    since the version before, None if there is none.
    """
    package, preparer = values.path("package"), values.optional_text("preparer", 200)
    values.done()
    done = yield from _now_and_then(
        service.importing_dataset(package, context.profile, preparer=preparer, job=context.job)
    )
    before = datasets.version_before(context.profile.store, done.dataset)
    return {
        "dataset": done.dataset.id.hex(),
        "version": done.dataset.version,
        "changes": None if before is None else _comparison(context, before, done.dataset),
        "active": done.dataset.active,
        "already": done.already,
        "pinned": done.pinned,
        "unusable": list(done.unusable),
        **_preparer(done.dataset.preparer),
    }


@command("data.list", passive=True)
def list_(context: Context, values: Values) -> Result:
    """Return all dataset versions, oldest first, and the imports that are not finished."""
    values.done()
    store = context.profile.store
    return {
        "datasets": [_dataset(each) for each in datasets.list_datasets(store)],
        "imports": [_import(row, running) for row, running in datasets.unfinished_imports(store)],
    }


@command("data.report", passive=True)
def report(context: Context, values: Values) -> Result:
    """Return what the preparation report of ``dataset`` (the beginning of its id; empty: the active one) says."""
    row = datasets.find_dataset(context.profile.store, values.string("dataset", _ID))
    values.done()
    found, variables = datasets.read_report(context.profile, row)
    return {
        "dataset": row.id.hex(),
        "created": found.created,
        "rows": found.rows,
        "patients": found.patients,
        "refused_rows": found.refused_rows,
        "refused": [{"row": line, "column": column, "code": code} for line, column, code in found.refused],
        "problems": [
            {"code": each.code, "state": each.state.value, "column": each.column, "variable": each.variable}
            | {"count": each.count}
            for each in found.problems
        ],
        "left_out": list(found.left_out),
        "unused_columns": list(found.unused_columns),
        "variables": [plain_distribution(each) for each in variables],
    }


@command("data.compare", passive=True)
def compare(context: Context, values: Values) -> Result:
    """Return what changed from the version ``older`` to ``newer`` (as in ``data.report``; ``older`` empty: the version
    before). Counts are rounded to tens, None for a few; nothing is said of changes of fewer patients than that."""
    store = context.profile.store
    newer, named = datasets.find_dataset(store, values.string("newer", _ID)), values.string("older", _ID)
    values.done()
    older = datasets.find_dataset(store, named) if named else datasets.version_before(store, newer)
    if older is None:
        raise UserError("dataset.no_version_before", version=newer.version)
    return _comparison(context, older, newer)


@command("data.check")
def check(context: Context, values: Values) -> Steps:
    """Check that every byte of ``dataset`` (as in ``data.report``) is what was imported."""
    row = datasets.find_dataset(context.profile.store, values.string("dataset", _ID))
    values.done()
    size = yield from _now_and_then(datasets.checking(context.profile.store, row, context.job))
    return {"dataset": row.id.hex(), "version": row.version, "bytes": size, "whole": True}


@command("data.activate")
def activate(context: Context, values: Values) -> Result:
    """Answer from ``dataset`` (the beginning of its id) from now on."""
    row = datasets.find_dataset(context.profile.store, values.text("dataset", _ID))
    values.done()
    with context.profile.store.database.atomic():
        context.profile.store.datasets.activate(row.id)
        service.noting(context.profile, "data.activated", context.profile.clock)(row)
    return {"dataset": row.id.hex(), "version": row.version, "active": True}


@command("data.remove")
def remove(context: Context, values: Values) -> Result:
    """Delete ``dataset`` (the beginning of the id of a version or an unfinished import); the active with ``force``."""
    named, force = values.text("dataset", _ID), values.flag("force")
    values.done()
    note = service.noting(context.profile, "data.removed", context.profile.clock)
    return {"freed": datasets.remove(context.profile.store, named, force=force, note=note)}


def _now_and_then(steps: importing.Steps[T]) -> Generator[float, None, T]:
    """Drive work that pauses; whatever else is asked for meanwhile gets its turn."""
    try:
        while True:
            next(steps)
            yield 0.0
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


def _dataset(found: Dataset) -> dict[str, Any]:
    row, header = found.row, found.header
    return {
        "dataset": header.dataset.hex(),
        "federation": header.federation.hex(),
        "parameters": header.parameters,
        "residues": header.residues,
        "blocks": header.blocks,
        "columns": len(header.columns),
        "variables": len(found.variables),
        "codes": list(found.variables),
        "patients": None,  # nobody learns that from a dataset; its report says it to whoever may open it
        "bytes": found.bytes,
        "created": header.created,
        "version": row.version,
        "active": row.active,
        "imported": row.imported,
        **_preparer(row.preparer),
    }


def _preparer(key: bytes) -> dict[str, str]:
    return {"preparer": fingerprint(key), "preparer_words": fingerprint_words(key)}


def _import(row: ImportRow, running: bool) -> dict[str, Any]:
    return {
        "dataset": row.id.hex(),
        "package": row.package,
        "columns": row.columns,
        "columns_done": row.columns_done,
        "started": row.started,
        "running": running,
    }


def _comparison(context: Context, older: DatasetRow, newer: DatasetRow) -> dict[str, Any]:
    found = datasets.compare(context.profile, older, newer)
    return {
        "older": older.version,
        "newer": newer.version,
        "patients": _change(found.patients),
        "refused_rows": _change(found.refused_rows),
        "added": list(found.added),
        "removed": list(found.removed),
        "redefined": list(found.redefined),
        "variables": [{"code": each.code, "known": _change(each.known)} for each in found.variables],
        "problems": None
        if found.problems is None
        else [
            {"code": each.code, "column": each.column, "variable": each.variable, "count": _change(each.count)}
            for each in found.problems
        ],
    }


def _change(found: CountChange) -> dict[str, int | None]:
    return {"before": found.before, "after": found.after}


def plain_distribution(found: Distribution) -> dict[str, Any]:
    """Return how a variable is distributed, as it travels."""
    bins = [_bin(found.kind, each) for each in found.bins]
    return {"code": found.code, "kind": found.kind, "known": found.known, "missing": found.missing, "bins": bins}


def _bin(kind: str, found: Bin) -> dict[str, Any]:
    """A bin: of a category by its levels, of all others from here to below there (dates as the catalogue writes them,
    numbers of periods of events and survival), of survival also whether it ended in the event (None: either way)."""
    if kind == "category":
        return {"levels": list(found.levels), "count": found.count}
    ended = {"event": found.event} if kind == "survival" else {}
    return {"from": found.low, "to": found.high, "count": found.count, **ended}
