"""Mutated inputs for every parser of what arrives: ``python -m tests.benchmarks.fuzz [--count 1000000]``.

Each target gets ``count`` inputs near valid ones (:mod:`tests.benchmarks.mutations`). It must either accept or raise
the program's own error: no crash, no hang (the slowest input is reported; a minute for one ends the run with its
place), and memory that does not grow. Seeds are fixed; a finding prints the input in hexadecimal. Targets that touch a
disk or go through all of HTTP are slower and get a part of the inputs; the table says how many.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from app.core.errors import ConsiliumError
from tests.benchmarks import fuzz_governance, fuzz_network  # noqa: F401 - register their targets
from tests.benchmarks.fuzz_targets import TARGETS, Accepted, Parser
from tests.benchmarks.mutations import Mutator
from tests.benchmarks.probes import peak_megabytes

_HANG_SECONDS = 60
_WARM_UP = 2_000


@dataclass(frozen=True)
class Found:
    """How one target did; ``findings`` are inputs that raised something else, in hexadecimal.

    ``grown_mb`` is how much the most memory needed grew after the first inputs.
    """

    target: str
    inputs: int
    accepted: int
    seconds: float
    slowest_ms: float
    peak_mb: float
    grown_mb: float
    findings: tuple[str, ...]


def fuzz(name: str, count: int) -> Found:
    """Feed ``count`` inputs to one target (or its part of them)."""
    with TARGETS[name]() as target:
        samples = [sample for _, sample in target.pairs]
        for parse, sample in target.pairs:  # one that is refused would test nothing
            with suppress(Accepted, *([ConsiliumError] if target.refused else [])):
                parse(sample)
        mutator = Mutator(name, samples, whole=target.whole)
        return _run(name, [parse for parse, _ in target.pairs], mutator, max(1, int(count * target.part)))


def _run(name: str, parsers: Sequence[Parser], mutator: Mutator, count: int) -> Found:
    accepted, slowest, findings, before = 0, 0.0, list[str](), 0.0
    began = time.perf_counter()
    for turn in range(count):
        if turn % 1000 == 0:
            faulthandler.dump_traceback_later(_HANG_SECONDS, exit=True)
        if turn == min(_WARM_UP, count - 1):
            before = peak_megabytes()
        number, data = mutator.draw()
        started = time.perf_counter()
        try:
            parsers[number](data)
            accepted += 1
        except ConsiliumError:
            pass
        except Accepted:
            accepted += 1
        except Exception as error:  # noqa: BLE001 - what is looked for
            if len(findings) < 5:
                findings.append(f"{number} {type(error).__name__}: {data[:2000].hex()}")
        slowest = max(slowest, time.perf_counter() - started)
    faulthandler.cancel_dump_traceback_later()
    peak = peak_megabytes()
    seconds = time.perf_counter() - began
    return Found(name, count, accepted, seconds, 1000 * slowest, peak, peak - before, tuple(findings))


def main() -> int:
    """Fuzz every target, each in a process of its own, and print a table; exit 1 if anything was found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=1_000_000)
    options.add_argument("--only", choices=sorted(TARGETS), action="append")
    options.add_argument("--workers", type=int, default=None)
    options.add_argument("--report", type=Path)
    chosen = options.parse_args()
    names, found = chosen.only or list(TARGETS), list[Found]()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.workers, mp_context=spawn, max_tasks_per_child=1) as pool:
        for done in as_completed([pool.submit(fuzz, name, chosen.count) for name in names]):
            found.append(done.result())
            _print(found[-1])
            if chosen.report:
                chosen.report.write_text(json.dumps([asdict(each) for each in found], indent=2), "utf-8")
    print(f"{sum(each.inputs for each in found)} inputs, {sum(len(each.findings) for each in found)} findings")
    return int(any(each.findings for each in found))


def _print(each: Found) -> None:
    state = f"{len(each.findings)} FINDINGS" if each.findings else "clean"
    print(
        f"{each.target:22} {each.inputs:>8} inputs {each.accepted:>7} accepted {each.seconds:>7.1f} s "
        f"slowest {each.slowest_ms:>7.1f} ms  peak {each.peak_mb:>5.0f} MB  grown {each.grown_mb:>4.1f} MB  {state}",
        flush=True,
    )
    for finding in each.findings:
        print("   ", finding)


if __name__ == "__main__":
    sys.exit(main())
