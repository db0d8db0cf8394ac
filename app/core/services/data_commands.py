"""The commands on a site's datasets."""

from __future__ import annotations

from app.core.services import data as service
from app.core.services.commands import Context, Result, Values, command
from app.core.store.documents import fingerprint


@command("data.import")
def import_(context: Context, values: Values) -> Result:
    """Make the package at ``package`` the active dataset, if ``preparer`` (a fingerprint; None: anyone) signed it."""
    package, preparer = values.path("package"), values.optional_text("preparer", 200)
    values.done()
    done = service.import_dataset(package, context.profile, preparer=preparer, job=context.job)
    return {
        "dataset": done.dataset.id.hex(),
        "version": done.dataset.version,
        "active": done.dataset.active,
        "already": done.already,
        "preparer": fingerprint(done.dataset.preparer),
        "pinned": done.pinned,
    }


@command("data.list")
def list_(context: Context, values: Values) -> Result:
    """Return all dataset versions, oldest first."""
    values.done()
    datasets = [
        {
            "dataset": header.dataset.hex(),
            "federation": header.federation.hex(),
            "parameters": header.parameters,
            "residues": header.residues,
            "blocks": header.blocks,
            "columns": len(header.columns),
            "created": header.created,
            "version": row.version,
            "active": row.active,
            "imported": row.imported,
            "preparer": fingerprint(row.preparer),
        }
        for row, header in service.list_datasets(context.profile)
    ]
    return {"datasets": datasets}
