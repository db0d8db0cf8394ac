"""``python -m tests.benchmarks.kills [--runs 200] [--seed 0] [--production]``: programs killed at random moments.

Every run is one story of three hospitals and a relay (:mod:`tests.faults.hospitals`), all real processes: ceremony,
import, query. In each phase some are killed (SIGKILL) at moments that the seed draws, and started again: agents, the
importing and the asking command, the relay. Every tenth run computes in worker processes, as the program does by
itself; the others compute in the agents' own. In the end everything must have been done once and rightly.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from app.core.crypto.parameters import INSECURE_SWITCH, INSECURE_TEST_PARAMETERS, STANDARD_1
from tests.faults.hospitals import PHASES, Founded, Story, founded


def story(base: Founded, seed: int, options: argparse.Namespace) -> tuple[Story, str]:
    """Live through one story; return it and what went wrong, if anything did. A bad one is kept."""
    directory = Path(tempfile.mkdtemp(prefix="cs-"))
    inline = not options.production and seed % 10 != 0
    pace = options.pace * (1.0 if inline else 3.0)
    lived = Story(base, directory, seed, pace, options.kills, options.patience, inline)
    try:
        lived.run()
    except Exception as error:  # noqa: BLE001 - what is looked for
        return lived, f"seed {seed}, {directory}: {type(error).__name__}: {error}"
    shutil.rmtree(directory, ignore_errors=True)
    return lived, ""


def main() -> int:
    """Run, print what happened, exit 1 if a story ended badly."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="the first run's seed")
    parser.add_argument("--kills", type=int, default=3, help="how many in each phase")
    parser.add_argument("--pace", type=float, default=1.0, help="seconds over which one kill is spread")
    parser.add_argument("--patience", type=float, default=180.0, help="seconds that a phase may last")
    parser.add_argument("--production", action="store_true", help="at the parameters of real federations")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the results to FILE (JSON)")
    options = parser.parse_args()
    killed, failures, seconds = Counter[str](), list[str](), list[float]()
    with founded(STANDARD_1 if options.production else INSECURE_TEST_PARAMETERS) as base:
        for seed in range(options.seed, options.seed + options.runs):
            began = time.monotonic()
            lived, failure = story(base, seed, options)
            seconds.append(round(time.monotonic() - began, 1))
            killed += lived.killed
            failures += [failure] if failure else []
            print(f"{seed}: {seconds[-1]} s {lived.seconds}, {lived.killed.total()} killed {failure}", flush=True)
            if options.report:
                options.report.write_text(json.dumps(_report(options, killed, failures, seconds), indent=2), "utf-8")
    print(json.dumps(_report(options, killed, failures, seconds), indent=2))
    return int(bool(failures))


def _report(
    options: argparse.Namespace, killed: Counter[str], failures: list[str], seconds: list[float]
) -> dict[str, object]:
    return {
        "production": options.production,
        "first_seed": options.seed,
        "runs": len(seconds),
        "failed": len(failures),
        "failures": failures,
        "killed": killed.total(),
        "killed_by_phase": {
            phase: {what: number for what, number in sorted(killed.items()) if what.endswith(f"in {phase}")}
            for phase in PHASES
        },
        "seconds_median": sorted(seconds)[len(seconds) // 2],
        "seconds": round(sum(seconds)),
    }


if __name__ == "__main__":
    import os

    os.environ[INSECURE_SWITCH] = "yes"
    sys.exit(main())
