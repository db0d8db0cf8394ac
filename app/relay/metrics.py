"""Counters for ``/metrics``, in Prometheus' text form. Nothing in them names a federation or a member."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


@dataclass
class Metrics:
    """What the relay has done since it began."""

    clock: Callable[[], float] = time.perf_counter
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    gauges: dict[str, Callable[[], float]] = field(default_factory=dict)
    _commits: Counter[float] = field(default_factory=Counter)
    _commit_seconds: float = 0.0
    _committed: int = 0

    def observe_commit(self, jobs: int, seconds: float) -> None:
        """Note one transaction: how many requests it served, how long it took. Only the writer calls this."""
        bucket = next((limit for limit in _BUCKETS if seconds <= limit), float("inf"))
        self._commits[bucket] += 1
        self._commit_seconds += seconds
        self._committed += jobs

    def text(self) -> str:
        """Return the page."""
        lines = ["# TYPE consilium_relay_requests_total counter"]
        for (method, route, status), count in sorted(self.requests.items()):
            labels = f'method="{method}",route="{route}",status="{status}"'
            lines.append(f"consilium_relay_requests_total{{{labels}}} {count}")
        for name, count in sorted(self.counts.items()):
            lines += [f"# TYPE consilium_relay_{name}_total counter", f"consilium_relay_{name}_total {count}"]
        for name, value in sorted(self.gauges.items()):
            lines += [f"# TYPE consilium_relay_{name} gauge", f"consilium_relay_{name} {value():g}"]
        name, total = "consilium_relay_commit_seconds", 0
        lines.append(f"# TYPE {name} histogram")
        for limit in (*_BUCKETS, float("inf")):
            total += self._commits[limit]
            bound = "+Inf" if limit == float("inf") else f"{limit:g}"
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        lines += [f"{name}_sum {self._commit_seconds:g}", f"{name}_count {total}"]
        name = "consilium_relay_committed_total"
        lines += [f"# TYPE {name} counter", f"{name} {self._committed}"]
        return "\n".join(lines) + "\n"
