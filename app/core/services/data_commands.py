"""The commands on a site's datasets. Those that take long pause now and then, so that the others do not wait."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from app.core.services import data as service
from app.core.services import datasets
from app.core.services.commands import Context, Result, Steps, Values, command
from app.core.services.datasets import Dataset, Distribution
from app.core.store import importing
from app.core.store.datasets import ImportRow
from app.core.store.documents import fingerprint, fingerprint_words

T = TypeVar("T")

_ID = 64


@command("data.import")
def import_(context: Context, values: Values) -> Steps:
    """Make the package at ``package`` the active dataset, if ``preparer`` (a fingerprint; None: anyone) signed it.

    The same package again goes on where an import was cut off or cancelled.
    """
    package, preparer = values.path("package"), values.optional_text("preparer", 200)
    values.done()
    done = yield from _now_and_then(
        service.importing_dataset(package, context.profile, preparer=preparer, job=context.job)
    )
    return {
        "dataset": done.dataset.id.hex(),
        "version": done.dataset.version,
        "active": done.dataset.active,
        "already": done.already,
        "pinned": done.pinned,
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
        "left_out": list(found.left_out),
        "unused_columns": list(found.unused_columns),
        "variables": [_distribution(each) for each in variables],
    }


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
    context.profile.store.datasets.activate(row.id)
    return {"dataset": row.id.hex(), "version": row.version, "active": True}


@command("data.remove")
def remove(context: Context, values: Values) -> Result:
    """Delete ``dataset`` (the beginning of the id of a version or an unfinished import); the active with ``force``."""
    named, force = values.text("dataset", _ID), values.flag("force")
    values.done()
    return {"freed": datasets.remove(context.profile.store, named, force=force)}


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


def _distribution(found: Distribution) -> dict[str, Any]:
    bins: list[dict[str, Any]] = [
        {"levels": list(each.levels), "count": each.count}
        if found.kind == "category"
        else {"from": each.low, "to": each.high, "count": each.count}
        for each in found.bins
    ]
    return {"code": found.code, "kind": found.kind, "known": found.known, "missing": found.missing, "bins": bins}
