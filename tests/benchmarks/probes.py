"""What workers tell about themselves."""

from __future__ import annotations

import sys

try:
    import resource
except ImportError:  # Windows has no such thing
    resource = None  # type: ignore[assignment]


def peak_megabytes() -> float:
    """Return the most memory that this process has had so far."""
    if resource is None:
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
