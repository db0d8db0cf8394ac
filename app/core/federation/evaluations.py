"""Contributions under way: computed one at a time, in one thread beside the one that lives through the queries.

The thread hands tasks to the worker processes and waits for them; it touches neither the database nor the mailroom.
What it made is taken by whoever asks next.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue

from app.core.federation.charging import Price
from app.core.jobs.job import Cancelled, Job, Progress

TELL_SECONDS = 3.0
"""How often somebody is told how far a computation is."""


@dataclass(frozen=True)
class Made:
    """A contribution ready to be committed to: its bytes, and log2 of its noise bound, rounded up.

    ``price`` is what it costs this site's patients; None where nothing is charged any more.
    """

    contribution: bytes = field(repr=False)
    noise_bits: int
    price: Price | None = None


@dataclass(frozen=True)
class Computing:
    """A contribution that is not there yet: ``percent`` of it is, None while it waits for its turn; since when."""

    percent: int | None
    seconds: float


Work = Callable[[Job], Made]


class _Evaluation:
    """One computation: it runs in one thread, and is asked from another."""

    def __init__(self, work: Work, wake: Callable[[], None]) -> None:
        self.done: Future[Made] = Future()
        self.dropped = False
        self.percent: int | None = None
        self.began = time.monotonic()
        self._work = work
        self._wake = wake
        self._told = self.began

    def run(self) -> None:
        try:
            self._report(Progress(0.0, "", None))
            self.done.set_result(self._work(Job(self._report)))
        except BaseException as error:  # raised again where it is asked for
            self.done.set_exception(error)
        self._wake()

    def _report(self, progress: Progress) -> None:
        if self.dropped:
            raise Cancelled
        self.percent = int(100 * progress.fraction)
        if time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            self._wake()


class Evaluations:
    """The computations of one site, by query. ``wake`` is called, from any thread, when one should be asked for again.

    Without ``wake`` nobody would come back: everything is then computed at once.
    """

    def __init__(self, wake: Callable[[], None] | None = None) -> None:
        self._wake = wake
        self._waiting: SimpleQueue[_Evaluation] = SimpleQueue()
        self._thread: threading.Thread | None = None  # one, however many requests come
        self._under_way: dict[bytes, _Evaluation] = {}

    @property
    def busy(self) -> bool:
        """Whether something is being computed, or made and not taken yet."""
        return bool(self._under_way)

    def look(self, query: bytes) -> Made | Computing | None:
        """Return how far the computation for a query is; None if none was begun. What it raised is raised here."""
        found = self._under_way.get(query)
        if found is None:
            return None
        if not found.done.done():
            return Computing(found.percent, time.monotonic() - found.began)
        del self._under_way[query]
        return found.done.result()

    def begin(self, query: bytes, work: Work) -> Made | Computing:
        """Begin a computation that was not begun yet."""
        if self._wake is None:
            return work(Job())
        self._under_way[query] = begun = _Evaluation(work, self._wake)
        self._waiting.put(begun)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="evaluations", daemon=True)
            self._thread.start()
        return Computing(None, 0.0)

    def drop(self, query: bytes) -> None:
        """Nobody wants the contribution any more: stop computing it as soon as it says how far it is."""
        if (found := self._under_way.pop(query, None)) is not None:
            found.dropped = True

    def _serve(self) -> None:
        while True:
            self._waiting.get().run()
