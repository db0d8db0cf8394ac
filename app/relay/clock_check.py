"""Whether the relay's clock can be trusted. Sites are told to set theirs by it when the two differ."""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path

from app.core import log
from app.core.clock import Clock
from app.relay.metrics import Metrics

_TIMESYNC = Path("/run/systemd/timesync/synchronized")
_TIME_ERROR = 5
_BEHIND = 60_000  # milliseconds: cursors run ahead of the clock by less, unless it was set back
_TIMEX_BYTES = 512  # more than struct timex; all zero: read only


def synchronised() -> bool | None:
    """Return whether the kernel's clock is kept by a time server; None where the system does not say (not Linux)."""
    if sys.platform != "linux":
        return None
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        state = -1
    if state >= 0:
        return bool(state != _TIME_ERROR)
    return True if _TIMESYNC.exists() else None  # a sandbox forbids asking the kernel


def watch(clock: Clock, metrics: Metrics, newest: int) -> None:
    """Show in the metrics how far the clock has jumped since now, and whether a time server keeps it.

    Warns in the log of a clock that nobody keeps, or that is behind ``newest``, the newest cursor (UTC ms).
    """
    began, began_steadily = clock.now() / 1000, time.monotonic()
    metrics.gauges["clock_jump_seconds"] = lambda: round(
        clock.now() / 1000 - began - (time.monotonic() - began_steadily), 1
    )
    kept = synchronised()
    if kept is not None:
        metrics.gauges["clock_synchronised"] = lambda: float(bool(synchronised()))
    behind = newest - clock.now()
    if kept is False or behind > _BEHIND:
        log.logger("relay").warning("clock", synchronised=kept, behind_seconds=max(0, behind) // 1000)
