"""The bridge: where the core's callbacks become Qt signals, and the only place.

The window works on a profile as the command line does: it asks the profile's owner, a process of its own
(:mod:`app.ui.agent_process`), over the local socket. Cryptography, the database and the network are never in this
process, so they cannot hold it up. A call waits in a thread of a pool; its outcome arrives in the window's thread.

>>> bridge.call("query.list", done=lambda found: ..., of=self)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal
from shiboken6 import isValid

from app.core import log
from app.core.errors import Bug, ConsiliumError, EnvironmentProblem
from app.core.jobs.job import Cancelled, CancelToken, Job, Progress
from app.core.services.commands import Result, Waiting
from app.core.services.connect import connect

STARTING, CONNECTED, LOST = "starting", "connected", "lost"
_MOST_CALLS = 12
_WATCH_SECONDS = 25
_AGAIN_SECONDS = 0.3
_log = log.logger("ui")

Done = Callable[[Result], object]
Failed = Callable[[ConsiliumError], object]
Reports = Callable[[Progress], object]


class Call(QObject):
    """One call under way. Its outcome comes in the window's thread, and not at all when nobody is left to hear it."""

    _succeeded = Signal(object)
    _failed = Signal(object)
    _progressed = Signal(object)

    def __init__(self, name: str, of: QObject, done: Done | None, failed: Failed, progress: Reports | None) -> None:
        super().__init__()
        self.name = name
        self.cancel_token = CancelToken()
        self._of, self._done, self._fail, self._report = of, done, failed, progress
        self._succeeded.connect(self._hear_done)
        self._failed.connect(self._hear_failed)
        self._progressed.connect(self._hear_progress)

    def cancel(self) -> None:
        """Ask the work to stop; it then fails as ``job.cancelled``."""
        # registered callbacks write to the socket, which may wait: not in the window's thread
        threading.Thread(target=self.cancel_token.cancel, name="cancel", daemon=True).start()

    def run(self, directory: Path, values: Mapping[str, Any]) -> None:
        """Make the call; in a thread of the pool."""
        job = Job(self._progressed.emit, self.cancel_token)
        try:
            with connect(directory, program="consilium window", become=False) as site:
                self._succeeded.emit(site.call(self.name, values, job))
        except Waiting as waiting:  # sent: it shows up where such things are listed
            self._succeeded.emit({"waiting": waiting.key, **waiting.params})
        except ConsiliumError as error:
            self._failed.emit(error)
        except Exception as error:  # the last line of defence: the window lives on and says so
            _log.error("call_failed", command=self.name, places=log.places(error))
            self._failed.emit(Bug("house.unexpected", kind=type(error).__name__, log=str(log.location())))

    def _hear_done(self, result: Result) -> None:
        if self._done is not None and isValid(self._of):
            self._done(result)

    def _hear_failed(self, error: ConsiliumError) -> None:
        if isValid(self._of):
            self._fail(error)

    def _hear_progress(self, progress: Progress) -> None:
        if self._report is not None and isValid(self._of):
            self._report(progress)


class Caller(Protocol):
    """What a view needs of the bridge; tests give views another one."""

    @property
    def changed(self) -> Any:
        """The signal that something has changed at the site."""
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


class _Errand(QRunnable):
    def __init__(self, call: Call, directory: Path, values: Mapping[str, Any], ended: Callable[[Call], None]) -> None:
        super().__init__()
        self._call, self._directory, self._values, self._ended = call, directory, values, ended

    def run(self) -> None:
        try:
            self._call.run(self._directory, self._values)
        except RuntimeError:  # the application is gone, and the call's signals with it
            return
        finally:
            self._ended(self._call)


class Bridge(QObject):
    """The window's way to the owner of one profile."""

    changed = Signal()
    """Something has changed at the site: whoever shows something asks again."""
    connection_changed = Signal()
    """:attr:`connection` has changed."""
    failed = Signal(object)
    """A call failed that nobody else listens for."""
    _noticed = Signal(str, bool)

    def __init__(self, directory: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.directory = directory
        self.connection = STARTING
        self.problem: ConsiliumError | None = None
        """Why the owner cannot be reached, while it cannot."""
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(_MOST_CALLS)
        self._calls: set[Call] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._watch_token = CancelToken()
        self._noticed.connect(self._notice)
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
        with self._lock:
            self._calls.add(made)
        self._pool.start(_Errand(made, self.directory, values or {}, self._forget))
        return made

    def watch(self) -> None:
        """Begin to emit :attr:`changed` and :attr:`connection_changed`."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)
            self._watcher.start()

    def close(self) -> None:
        """Stop what is under way; quick, whatever it is."""
        self._closing.set()
        with self._lock:
            calls = tuple(self._calls)
        for each in calls:
            each.cancel()
        threading.Thread(target=self._watch_token.cancel, name="cancel", daemon=True).start()
        if self._watcher is not None:
            self._watcher.join(1.0)
        self._pool.waitForDone(1000)

    def _forget(self, call: Call) -> None:
        with self._lock:
            self._calls.discard(call)

    def _unheard(self, error: ConsiliumError) -> None:
        if not isinstance(error, Cancelled) and error.code != "job.cancelled":
            self.failed.emit(error)

    def _watch(self) -> None:
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
                self._tell(LOST if self.connection != STARTING or not _absent(error) else STARTING, changed=False)
                self._closing.wait(_AGAIN_SECONDS)
            except RuntimeError:  # the application is gone
                return

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


def _absent(error: ConsiliumError) -> bool:
    return isinstance(error, EnvironmentProblem) and error.code == "owner.none"
