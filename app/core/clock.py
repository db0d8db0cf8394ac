"""Time, passed in so that tests can hold it still."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> int:
        """Return the time in milliseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The computer's own clock."""

    def now(self) -> int:
        """Return the time in milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000
