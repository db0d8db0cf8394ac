"""What work that takes longer than a second has in common: it tells how far it is, and it can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from app.core.errors import UserError

T = TypeVar("T")

_REPORT_EVERY = 0.1
_ESTIMATE_AFTER = 0.5


class Cancelled(UserError):
    """The person stopped the work (``job.cancelled``); commands leave with exit code 130."""

    def __init__(self, code: str = "job.cancelled", **params: str | int | float | bool | None) -> None:
        super().__init__(code, **params)


@dataclass(frozen=True)
class Progress:
    """How far a job is: ``fraction`` in [0, 1] of the step whose text key is ``step``, and the seconds it still needs.

    ``remaining_seconds`` is None while nothing can be said yet.
    """

    fraction: float
    step: str
    remaining_seconds: float | None


class CancelToken:
    """Set once, from any thread, by whoever wants the work to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether the work shall stop."""
        return self._set

    def cancel(self) -> None:
        """Ask the work to stop, and interrupt what was registered with :meth:`interrupting`."""
        with self._lock:
            self._set = True
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    def check(self) -> None:
        """Raise Cancelled if the work shall stop."""
        if self._set:
            raise Cancelled

    @contextmanager
    def interrupting(self, callback: Callable[[], None]) -> Iterator[None]:
        """Have ``callback`` called on :meth:`cancel` (at once if that was before), as long as the block runs."""
        with self._lock:
            self._callbacks.append(callback)
            late = self._set
        try:
            if late:
                callback()
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)


def _silent(_progress: Progress) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Job:
    """The link between work and whoever waits for it. ``Job()`` shows nothing and is never cancelled."""

    report: Callable[[Progress], None] = _silent
    cancel: CancelToken = field(default_factory=CancelToken)
    clock: Callable[[], float] = time.monotonic

    def meter(self, step: str, total: int, done: int = 0) -> Meter:
        """Begin a step of ``total`` units, ``done`` of which an earlier run has done."""
        return Meter(self, step, total, done)


def at_once(steps: Generator[object, None, T]) -> T:
    """Do work that is made of steps without a pause, and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


class Meter:
    """Counts the units of one step, reports now and then, and stops the work when it is cancelled."""

    def __init__(self, job: Job, step: str, total: int, done: int) -> None:
        self._job = job
        self._step = step
        self._total = max(total, 1)
        self._first = self._done = done
        self._began = self._reported = job.clock()
        job.report(Progress(min(done / self._total, 1.0), step, None))

    def advance(self, units: int = 1) -> None:
        """Note that ``units`` more are done. Raises Cancelled."""
        self._job.cancel.check()
        self._done += units
        now = self._job.clock()
        if self._done < self._total and now - self._reported < _REPORT_EVERY:
            return
        self._reported = now
        elapsed, gained = now - self._began, self._done - self._first
        remaining = None
        if elapsed >= _ESTIMATE_AFTER or self._done >= self._total:
            remaining = elapsed / max(gained, 1) * max(self._total - self._done, 0)
        self._job.report(Progress(min(self._done / self._total, 1.0), self._step, remaining))
