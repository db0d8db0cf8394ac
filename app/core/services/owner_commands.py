"""The commands about the owner itself."""

from __future__ import annotations

import os

from app.core.services.commands import Context, Result, Values, command


@command("owner.status")
def status(context: Context, values: Values) -> Result:
    """Say what the owner is, what waits to be sent, and what stands in the way (an error's code, or empty)."""
    values.done()
    owner = context.owner
    return {
        "pid": os.getpid(),
        "state": owner.state,
        "site": owner.profile.site_name,
        "federation": owner.profile.federation_name,
        "unsent": len(owner.profile.store.outbox.unsent()),
        "trouble": owner.carrier.trouble if owner.carrier is not None else "",
    }
