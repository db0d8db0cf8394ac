"""``python -m tests.benchmarks --report FILE [--quick]``: the speeds that the product promises, measured here and now.

At production parameters, three sites. Every number is the median of several runs, with the least and the most; "wanted"
is what the design asks of a machine with two quiet cores. Nothing is asserted: a busy machine is slow.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

from tests.benchmarks import ceremony, queries, smallest
from tests.benchmarks.timing import Report


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the results to FILE (JSON)")
    parser.add_argument("--quick", action="store_true", help="fewer runs, and no 61 blocks")
    options = parser.parse_args()

    report = Report(runs=5 if options.quick else 15)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="consilium-benchmarks-") as directory:
        people, dealing = ceremony.measure(report, Path(directory))
        queries.measure(report, people, dealing, Path(directory), quick=options.quick)
        smallest.measure(report, people, dealing, Path(directory))
    if options.report:
        about = {
            "version": 1,
            "parameters": people.parameters.name,
            "sites": people.sites,
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            "seconds": round(time.perf_counter() - started, 1),
        }
        options.report.write_text(json.dumps({**about, "results": report.to_plain()}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":  # workers import this module again
    main()
