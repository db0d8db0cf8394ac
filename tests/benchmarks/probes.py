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


def resident_megabytes(process: int) -> float:
    """Return the memory that a process has now, in MB; 0 if it is gone or the system does not tell."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def descendants(process: int) -> dict[int, int]:
    """Return the parent of every process below ``process``; nothing where the system does not tell."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it ended in this moment
            continue
        parents[int(path.parent.name)] = int(fields[1])
    below: dict[int, int] = {}
    while new := {each: above for each, above in parents.items() if above in {process, *below} and each not in below}:
        below |= new
    return below


def memory_of_agents(process: int, named: re.Pattern[str]) -> dict[str, float]:
    """Return the memory in MB of every agent below ``process`` with its workers, by what ``named`` finds in its name.

    Pages that they share are counted in each.
    """
    below, found = descendants(process), dict[str, float]()
    names = {each: _agent_named(each, named) for each in below}
    for each in below:
        owner = each
        while not names[owner] and below[owner] in below:
            owner = below[owner]
        if names[owner]:
            found[names[owner]] = found.get(names[owner], 0.0) + resident_megabytes(each)
    return found


def _agent_named(process: int, named: re.Pattern[str]) -> str:
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""
    found = named.search(command) if " agent " in command else None
    return found[0] if found else ""
