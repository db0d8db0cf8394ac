"""The bridge: where the core's callbacks become Qt signals, and the only place.

The window works on a profile as the command line does: it asks the profile's owner, a process of its own
(:mod:`app.ui.agent_process`), over the local socket. Cryptography, the database and the network are never in this
process, so they cannot hold it up. A call waits in a thread of its own; its outcome arrives in the window's thread.

>>> bridge.call("query.list", done=lambda found: ..., of=self)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from app.core import log
from app.core.errors import Bug, ConsiliumError
from app.core.jobs.job import Cancelled, CancelToken, Job, Progress
from app.core.services.commands import Result, Waiting
from app.core.services.connect import connect

STARTING, CONNECTED, LOST = "starting", "connected", "lost"
_MOST_CALLS = 12
_WATCH_SECONDS = 25
_AGAIN_SECONDS = 0.3
_SAVING = ("draft.save",)
_SAVING_SECONDS = 2.0
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
    _noticed = Signal(str, bool)
    _heard = Signal(object, object)

    def __init__(self, directory: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.directory = directory
        self.connection = STARTING
        self.problem: ConsiliumError | None = None
        """Why the owner cannot be reached, while it cannot."""
        self._slots = threading.Semaphore(_MOST_CALLS)
        self._calls: set[Call] = set()
        self._closing = threading.Event()
        self._watch_token = CancelToken()
        self._noticed.connect(self._notice)
        self._heard.connect(self._hear)
        self._watcher: threading.Thread | None = None

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
        self._calls.add(made)
        threading.Thread(target=self._run, args=(made, dict(values or {})), name=name, daemon=True).start()
        return made

    def watch(self) -> None:
        """Begin to emit :attr:`changed` and :attr:`connection_changed`."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)
            self._watcher.start()

    def close(self) -> None:
        """Stop what is under way; quick, whatever it is."""
        self._closing.set()
        for each in tuple(self._calls):
            if each.name in _SAVING:
                each.over.wait(_SAVING_SECONDS)  # what the person has written last
            each.cancel()
        threading.Thread(target=self._watch_token.cancel, name="cancel", daemon=True).start()
        if self._watcher is not None:
            self._watcher.join(1.0)

    def _run(self, call: Call, values: Mapping[str, Any]) -> None:
        """Make a call; in a thread of its own."""
        job = Job(lambda progress: self._heard.emit(call, progress), call.cancel_token)
        outcome: Result | ConsiliumError
        with self._slots:
            try:
                with connect(self.directory, program="consilium window", become=False) as site:
                    outcome = site.call(call.name, values, job)
            except Waiting as waiting:  # sent: it shows up where such things are listed
                outcome = {"waiting": waiting.key, **waiting.params}
            except ConsiliumError as error:
                outcome = error
            except Exception as error:  # the last line of defence: the window lives on and says so
                _log.error("call_failed", command=call.name, places=log.places(error))
                outcome = Bug("house.unexpected", kind=type(error).__name__, log=str(log.location()))
        call.over.set()
        with suppress(RuntimeError):  # the application is gone, and the bridge with it
            self._heard.emit(call, outcome)

    def _hear(self, call: Call, what: Result | ConsiliumError | Progress) -> None:
        if not isinstance(what, Progress):
            self._calls.discard(call)
        call.hear(what)

    def _unheard(self, error: ConsiliumError) -> None:
        if not isinstance(error, Cancelled) and error.code != "job.cancelled":
            self.failed.emit(error)

    def _watch(self) -> None:
        with suppress(RuntimeError):  # the application is gone, and the bridge with it
            self._watch_until_closed()

    def _watch_until_closed(self) -> None:
        number = 0
        while not self._closing.is_set():
            try:
                with connect(self.directory, program="consilium window", become=False) as site:
                    number = 0
                    while not self._closing.is_set():
                        values = {"after": number, "wait": _WATCH_SECONDS if number else 0}
                        seen = int(site.call("site.watch", values, Job(cancel=self._watch_token))["number"])
                        if seen != number or self.connection != CONNECTED:
                            number = max(seen, 1)
                            self._tell(CONNECTED, changed=True)
            except Cancelled:
                return
            except ConsiliumError as error:
                if self._closing.is_set():
                    return
                self.problem = error
                absent = error.code == "owner.none"
                self._tell(STARTING if absent and self.connection == STARTING else LOST, changed=False)
                if absent:
                    self.missing.emit()
                self._closing.wait(_AGAIN_SECONDS)

    def _tell(self, connection: str, *, changed: bool) -> None:
        self._noticed.emit(connection, changed)

    def _notice(self, connection: str, changed: bool) -> None:
        if connection != self.connection:
            self.connection = connection
            if connection == CONNECTED:
                self.problem = None
            self.connection_changed.emit()
        if changed:
            self.changed.emit()
