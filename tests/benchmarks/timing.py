"""Measuring: medians of several runs, printed as they come and kept for the report."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Measurement:
    """Seconds of several runs, or another number where ``unit`` says so."""

    name: str
    values: tuple[float, ...]
    unit: str = "s"
    wanted: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def to_plain(self) -> dict[str, object]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "runs": len(self.values),
            "wanted": self.wanted,
        }

    def line(self) -> str:
        scale, unit = (1000, "ms") if self.unit == "s" else (1, self.unit)
        low, middle, high = (scale * value for value in (min(self.values), self.median, max(self.values)))
        wanted = "" if self.wanted is None else f"   wanted {scale * self.wanted:g}"
        return f"{self.name:<58}{middle:>10.1f} {unit:<3} ({low:.1f} – {high:.1f}){wanted}"


@dataclass
class Report:
    """All measurements; ``runs`` of each unless it says otherwise."""

    runs: int
    measurements: list[Measurement] = field(default_factory=list)

    def add(self, measurement: Measurement) -> Measurement:
        """Keep and print one."""
        self.measurements.append(measurement)
        print(measurement.line(), flush=True)
        return measurement

    def time(
        self,
        name: str,
        run: Callable[[], object],
        *,
        wanted: float | None = None,
        runs: int | None = None,
        before: Callable[[], object] | None = None,
        per: int = 1,
    ) -> Measurement:
        """Time ``run``, after ``before`` each time; the first run is not counted unless it is the only one."""
        count = runs or self.runs
        values = []
        for turn in range(count + (count > 1)):
            if before is not None:
                before()
            started = time.perf_counter()
            run()
            if turn or count == 1:
                values.append((time.perf_counter() - started) / per)
            else:
                time.perf_counter()
        return self.add(Measurement(name, tuple(values), wanted=wanted))

    def once(self, name: str, run: Callable[[], T], wanted: float | None = None) -> T:
        """Time one run and return what it made."""
        started = time.perf_counter()
        made = run()
        self.add(Measurement(name, (time.perf_counter() - started,), wanted=wanted))
        return made

    def to_plain(self) -> list[dict[str, object]]:
        return [measurement.to_plain() for measurement in self.measurements]
