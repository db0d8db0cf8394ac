"""Withholding small counts: what it adds to a query, three warm sites working at once. Messages are not in it."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.ceremony import Keys
from tests.benchmarks.timing import Measurement, Report
from tests.crypto_parties import Parties
from tests.smallest_parties import SmallestParties

QUORUM = (2, 3)
_RUNS = 5


def measure(report: Report, people: Parties, keys: Keys, directory: Path) -> None:
    """Measure every round for one number and for 64."""
    for results in (1, 64):
        runs = []
        for run in range(_RUNS + 1):
            sites = SmallestParties(people, keys.directory, QUORUM, directory=directory)
            parts = [sites.contribution([6] * results) for _ in range(people.sites)]
            assert sites.asked(b"%d %d" % (results, run), parts) == [18] * results
            runs.append(sites)
        for name, what in (("hide", "one site's masks"), ("pair", "one site's pair and share"), ("read", "the asker")):
            values = tuple(each.seconds[name] for each in runs[1:])
            report.add(Measurement(f"smallest count of {results}: {what}", values))
        total = tuple(sum(each.seconds.values()) for each in runs[1:])
        report.add(Measurement(f"smallest count of {results}: what it adds", total, wanted=3.0))
        report.add(Measurement(f"smallest count of {results}: sent to each", (runs[0].bytes / 1e6,), "MB"))
