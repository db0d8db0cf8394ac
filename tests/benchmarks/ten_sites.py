"""``python -m tests.benchmarks.ten_sites [--sites 10] [--report FILE]``: a large federation on one computer.

The demo as everybody runs it, at production parameters: a relay and an agent for every site, each a process of its own.
A thread looks twice a second at the memory of every agent and of its workers (Linux tells), by phase of the story.
Constant memory means that a site of ten needs what a site of three needs: compare two reports.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from app.core.services.demo import Demo, DemoAnswer, Narrator
from tests.benchmarks.probes import memory_of_agents

_LOOK_SECONDS = 0.5
_SITE = re.compile(r"site-\d+")


@dataclass
class Watch:
    """The most memory of every site's agent with its workers, in MB, by phase."""

    phase: str = "start"
    most: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    course: list[tuple[float, float]] = field(default_factory=list)
    """(seconds, MB of the largest site) in the order of time."""
    _ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until :meth:`stop`."""
        began = time.monotonic()
        while not self._ended.wait(_LOOK_SECONDS):
            now = memory_of_agents(os.getpid(), _SITE)
            for site, megabytes in now.items():
                of_site = self.most[site]
                of_site[self.phase] = max(of_site.get(self.phase, 0.0), round(megabytes, 1))
            if now:
                self.course.append((round(time.monotonic() - began, 1), round(max(now.values()), 1)))

    def stop(self) -> None:
        """End."""
        self._ended.set()

    def by_phase(self) -> dict[str, dict[str, float]]:
        """Return the least and the most of all sites' peaks, by phase."""
        phases = {phase for of_site in self.most.values() for phase in of_site}
        found = {phase: [of_site[phase] for of_site in self.most.values() if phase in of_site] for phase in phases}
        return {phase: {"least": min(each), "most": max(each)} for phase, each in found.items()}


def measure(sites: int) -> dict[str, object]:
    """Run the demo with ``sites`` sites and return what it did and needed."""
    watch = Watch()

    def begin(step: str, _params: dict[str, object]) -> None:
        watch.phase = step
        print(f"{time.strftime('%H:%M:%S')} {step}", flush=True)

    def done(phase: str, seconds: float) -> None:
        print(f"{time.strftime('%H:%M:%S')} {phase}: {seconds:.1f} s", flush=True)

    def answered(found: DemoAnswer) -> None:
        print(f"    {found.text}: {found.released} (truth {found.truth}) in {found.seconds} s", flush=True)

    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        report = Demo(sites=sites, narrator=Narrator(begin, done, answered)).run()
    finally:
        watch.stop()
        thread.join()
    wrong = [each.text for each in report.queries if each.exact and each.released != each.truth]
    return {
        "sites": sites,
        "quorum": report.quorum,
        "phases": report.phases,
        "wrong": wrong,
        "queries": [each.seconds for each in report.queries],
        "megabytes_of_a_site": watch.by_phase(),
        "course": watch.course[:: max(1, len(watch.course) // 60)],
    }


def main() -> int:
    """Measure and print; exit 1 if an exact answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ten_sites")
    parser.add_argument("--sites", type=int, default=10)
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the results to FILE (JSON)")
    options = parser.parse_args()
    found = measure(options.sites)
    about = {"cores": os.cpu_count(), "python": platform.python_version()}
    text = json.dumps({**about, **found}, indent=2)
    print(text)
    if options.report:
        options.report.write_text(text + "\n", "utf-8")
    return int(bool(found["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
