"""The bridge: where the core's callbacks become Qt signals, and the only place.

The window works on a profile as the command line does: it asks the profile's owner, a process of its own
(:mod:`app.ui.agent_process`), over the local socket. Cryptography, the database and the network are never in this
process, so they cannot hold it up. A call waits in a thread of its own; its outcome arrives in the window's thread.

>>> bridge.call("query.list", done=lambda found: ..., of=self)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from app.core import log
from app.core.errors import Bug, ConsiliumError
from app.core.jobs.job import Cancelled, CancelToken, Job, Progress
from app.core.services.commands import Result, Waiting
from app.core.services.connect import connect
from app.ui import post

STARTING, CONNECTED, LOST = "starting", "connected", "lost"
_MOST_CALLS = 12
_WATCH_SECONDS = 25
_AGAIN_SECONDS = 0.3
_SAVING = ("draft.save", "draft.clear")
_SAVING_SECONDS = 2.0
_IN_ORDER = "draft."
"""Commands that begin so reach the owner in the order in which they were asked, one at a time."""
_log = log.logger("ui")

Done = Callable[[Result], object]
Failed = Callable[[ConsiliumError], object]
Reports = Callable[[Progress], object]


class Call:
    """One call under way. Its outcome comes in the window's thread, and not at all when nobody is left to hear it."""

    def __init__(self, name: str, of: QObject, done: Done | None, failed: Failed, progress: Reports | None) -> None:
        self.name = name
        self.cancel_token = CancelToken()
        self.over = threading.Event()
        self.after: threading.Event | None = None
        """What must be over before this is sent."""
        self._of, self._done, self._failed, self._progress = of, done, failed, progress

    def cancel(self) -> None:
        """Ask the work to stop; it then fails as ``job.cancelled``."""
        # registered callbacks write to the socket, which may wait: not in the window's thread
        threading.Thread(target=self.cancel_token.cancel, name="cancel", daemon=True).start()

    def hear(self, what: Result | ConsiliumError | Progress) -> None:
        """Tell whoever asked; in the window's thread."""
        if not isValid(self._of):
            return
        if isinstance(what, ConsiliumError):
            self._failed(what)
        elif isinstance(what, Progress):
            if self._progress is not None:
                self._progress(what)
        elif self._done is not None:
            self._done(what)


class Caller(Protocol):
    """What a view needs of the bridge; tests give views another one."""

    @property
    def changed(self) -> Any:
        """The signal that something has changed at the site."""
        ...

    @property
    def directory(self) -> Path:
        """The profile."""
        ...

    def call(
        self,
        name: str,
        values: Mapping[str, Any] | None = None,
        *,
        of: QObject,
        done: Done | None = None,
        failed: Failed | None = None,
        progress: Reports | None = None,
    ) -> Any:
        """See :meth:`Bridge.call`."""
        ...


class Bridge(QObject):
    """The window's way to the owner of one profile."""

    changed = Signal()
    """Something has changed at the site: whoever shows something asks again."""
    connection_changed = Signal()
    """:attr:`connection` has changed."""
    missing = Signal()
    """Nothing has the profile open: somebody has to start its owner."""
    failed = Signal(object)
    """A call failed that nobody else listens for."""

    def __init__(self, directory: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.directory = directory
        self.connection = STARTING
        self.problem: ConsiliumError | None = None
        """Why the owner cannot be reached, while it cannot."""
        self._slots = threading.Semaphore(_MOST_CALLS)
        self._calls: set[Call] = set()
        self._last_in_order: threading.Event | None = None
        self._watching: _Watch | None = None

    def call(
        self,
        name: str,
        values: Mapping[str, Any] | None = None,
        *,
        of: QObject,
        done: Done | None = None,
        failed: Failed | None = None,
        progress: Reports | None = None,
    ) -> Call:
        """Ask the owner for a command.

        ``done`` gets its result, ``failed`` its error (:attr:`failed` is emitted where none is given; a cancelled call
        is no news). Neither is called when ``of``, the widget that asks, is gone.
        """
        made = Call(name, of, done, failed or self._unheard, progress)
        if name.startswith(_IN_ORDER):
            made.after, self._last_in_order = self._last_in_order, made.over
        self._calls.add(made)
        number = post.wait_for(lambda what: self._hear(number, made, what))
        errand = _Errand(number, self.directory, name, dict(values or {}), made.cancel_token, made.after, made.over)
        threading.Thread(target=errand.run, args=(self._slots,), name=name, daemon=True).start()
        return made

    def watch(self) -> None:
        """Begin to emit :attr:`changed` and :attr:`connection_changed`."""
        if self._watching is None:
            self._watching = _Watch(post.wait_for(self._notice), self.directory)
            self._watching.start()

    def close(self) -> None:
        """Stop what is under way; quick, whatever it is."""
        for each in tuple(self._calls):
            if each.name in _SAVING:
                each.over.wait(_SAVING_SECONDS)  # what the person has written last
            each.cancel()
        if self._watching is not None:
            post.forget(self._watching.number)
            self._watching.stop()

    def _hear(self, number: int, call: Call, what: Result | ConsiliumError | Progress) -> None:
        if not isinstance(what, Progress):
            post.forget(number)
            self._calls.discard(call)
        call.hear(what)

    def _unheard(self, error: ConsiliumError) -> None:
        if not isinstance(error, Cancelled) and error.code != "job.cancelled":
            self.failed.emit(error)

    def _notice(self, news: _News) -> None:
        if not isValid(self):
            return
        self.problem = news.problem
        if news.connection != self.connection:
            self.connection = news.connection
            self.connection_changed.emit()
        if news.connection == CONNECTED:
            self.changed.emit()
        elif news.problem is not None and news.problem.code == "owner.none":
            self.missing.emit()


@dataclass(frozen=True)
class _Errand:
    """A call as its thread knows it: nothing in it belongs to Qt."""

    number: int
    directory: Path
    name: str
    values: Mapping[str, Any]
    cancel: CancelToken
    after: threading.Event | None
    over: threading.Event

    def run(self, slots: threading.Semaphore) -> None:
        """Make the call and bring what comes of it."""
        outcome: Result | ConsiliumError
        if self.after is not None:
            self.after.wait()
        with slots:
            try:
                with connect(self.directory, program="consilium window", become=False) as site:
                    job = Job(partial(post.bring, self.number), self.cancel)
                    outcome = site.call(self.name, self.values, job)
            except Waiting as waiting:  # sent: it shows up where such things are listed
                outcome = {"waiting": waiting.key, **waiting.params}
            except ConsiliumError as error:
                outcome = error
            except Exception as error:  # the last line of defence: the window lives on and says so
                _log.error("call_failed", command=self.name, places=log.places(error))
                outcome = Bug("house.unexpected", kind=type(error).__name__, log=str(log.location()))
        post.bring(self.number, outcome)
        self.over.set()


@dataclass(frozen=True)
class _News:
    """What the watch tells: how it stands with the owner, and if it cannot be reached, why."""

    connection: str
    problem: ConsiliumError | None = None


class _Watch:
    """Watches the owner in a thread of its own: every change is news, and so is that nobody answers."""

    def __init__(self, number: int, directory: Path) -> None:
        self.number = number
        self._directory = directory
        self._closing = threading.Event()
        self._cancel = CancelToken()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon."""
        self._closing.set()
        threading.Thread(target=self._cancel.cancel, name="cancel", daemon=True).start()
        self._thread.join(1.0)

    def _run(self) -> None:
        reached = False
        while not self._closing.is_set():
            try:
                with connect(self._directory, program="consilium window", become=False) as site:
                    number = 0
                    while not self._closing.is_set():
                        values = {"after": number, "wait": _WATCH_SECONDS if number else 0}
                        seen = int(site.call("site.watch", values, Job(cancel=self._cancel))["number"])
                        if seen != number:
                            number, reached = max(seen, 1), True
                            post.bring(self.number, _News(CONNECTED))
            except Cancelled:
                return
            except ConsiliumError as problem:
                absent = problem.code == "owner.none"
                post.bring(self.number, _News(STARTING if absent and not reached else LOST, problem))
                self._closing.wait(_AGAIN_SECONDS)
