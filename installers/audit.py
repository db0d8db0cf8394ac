#!/usr/bin/env python3
"""Ask whether weaknesses are known in the locked packages.

    python installers/audit.py [LOCK ...]

Runs pip-audit (installers/locks/audit.txt has it) on the lock files, by default those for running and for building.
Ends with 1 if a weakness is known. Where the service that knows them cannot be reached it says so and ends with 0: that
is no finding, and no proof of the opposite.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOCKS = Path(__file__).resolve().parent / "locks"
SECONDS = 300


def audit(lock: Path) -> dict[str, object] | None:
    """Return what pip-audit says of a lock file; None if it could not ask."""
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip",
        "--format", "json", "--progress-spinner", "off",
    ]  # fmt: skip
    try:
        told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
        found = json.loads(told.stdout)
    except (ValueError, subprocess.TimeoutExpired):
        return None
    return found if isinstance(found, dict) else None


def verdict(lock: str, found: dict[str, object] | None) -> tuple[bool, str]:
    """Return whether the lock file passes, and what to say of it."""
    packages = found.get("dependencies") if found is not None else None
    asked = [each for each in packages if "skip_reason" not in each] if isinstance(packages, list) else []
    if not asked:
        return True, f"{lock}: NOT AUDITED, the service that knows weaknesses could not be reached."
    weak = [f"{each['name']} {each['version']}: {flaw['id']}" for each in asked for flaw in each.get("vulns", ())]
    if weak:
        return False, f"{lock}: known weaknesses\n  " + "\n  ".join(weak)
    return (
        True,
        f"{lock}: nothing known about {len(asked)} packages; {len(packages) - len(asked)} could not be asked about.",
    )


def main(arguments: list[str]) -> int:
    """Audit what the arguments name."""
    locks = [Path(each) for each in arguments] or [LOCKS / "run.txt", LOCKS / "build.txt"]
    verdicts = [verdict(lock.name, audit(lock)) for lock in locks]
    for _, words in verdicts:
        print(words)
    return 0 if all(passed for passed, _ in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
