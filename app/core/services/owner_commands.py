"""The commands about the owner itself: what it is, what changes at it, ending it."""

from __future__ import annotations

import os
import time

from app.core.services.commands import Context, Result, Steps, Values, command

_LONGEST_WAIT = 3600
_TOGETHER_SECONDS = 0.1


@command("owner.status", passive=True)
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


@command("owner.stop")
def stop(context: Context, values: Values) -> Result:
    """End the agent as soon as this is answered; ``stopped`` is False where the owner is no agent, and ends anyway."""
    values.done()
    if context.owner.end_agent is None:
        return {"stopped": False}
    context.owner.end_agent()
    return {"stopped": True}


@command("site.watch", passive=True)
def watch(context: Context, values: Values) -> Steps:
    """Wait up to ``wait`` seconds until something has changed since the number ``after``; return the number now.

    Everything that the other commands show counts: messages, queries, requests, sessions, datasets, the policy, the
    connection with the relay. Another number than ``after``, lower ones included, means: look again. What changes in
    one go, as while something is imported, is told together: at most ten times a second.
    """
    after, until = values.number("after", 0, 1 << 53), time.monotonic() + values.number("wait", 0, _LONGEST_WAIT)
    values.done()
    while context.owner.changes == after and (left := until - time.monotonic()) > 0:
        yield left
    until = min(until, time.monotonic() + _TOGETHER_SECONDS)
    while (left := until - time.monotonic()) > 0:
        yield left
    return {"number": context.owner.changes}
