"""What workers tell about themselves."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def peak_megabytes() -> float:
    """Return the most memory that this process has had so far, in MB; NaN where the system does not tell."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage also counts what the parent had when it started this process
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    return float("nan")
