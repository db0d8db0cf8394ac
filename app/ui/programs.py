"""Other runs of this very program: the agent that owns the profile, and commands that need no profile to be open."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal
from shiboken6 import isValid

from app.core.errors import ConsiliumError, EnvironmentProblem, UserError
from app.core.jobs.job import Cancelled, Progress
from app.core.services.demo_network import program

_PROGRESS = "CONSILIUM_PROGRESS"
_STOP_MS = 8000
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0  # seconds
_BUSY_TRIES = 3


class AgentProcess(QObject):
    """The owner of a profile: started when there is none, started again when it dies, ended with the window.

    It ends when its input does, so that it does not outlive a window that was killed.
    """

    died = Signal(object)
    """It has ended by itself; with the error that it left. Whoever misses it calls :meth:`ensure`."""

    def __init__(self, directory: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._directory = directory
        self._process: QProcess | None = None
        self._stopping = False
        self._failures, self._not_before, self._told = 0, 0.0, ""

    @property
    def ours(self) -> bool:
        """Whether the owner is a process that this window has started."""
        return self._process is not None and self._process.state() != QProcess.ProcessState.NotRunning

    def ensure(self, *, now: bool = False) -> None:
        """Start it unless it runs, or has failed a moment ago (except ``now``, when the person wants it)."""
        if self.ours or self._stopping or (time.monotonic() < self._not_before and not now):
            return
        command = ["agent", "--stay", "--until-input-ends", "--json", "--profile", str(self._directory)]
        self._process = _process(self, command)
        self._process.finished.connect(self._ended)
        self._process.start()

    def _ended(self, _code: int, _status: QProcess.ExitStatus) -> None:
        if self._stopping or self._process is None:
            return
        error = _error_in(bytes(self._process.readAllStandardOutput().data()))
        self._process = None
        self._failures += 1
        self._not_before = time.monotonic() + min(_FIRST_PAUSE * 2.0 ** (self._failures - 1), _LONGEST_PAUSE)
        found = error or EnvironmentProblem("owner.lost", path=str(self._directory))
        busy = found.code == "profile.in_use" and self._failures < _BUSY_TRIES  # it may be a command, or just leaving
        if not busy and found.code != self._told:  # the same again is no news
            self._told = found.code
            self.died.emit(found)

    def reached(self) -> None:
        """Note that the owner answers, whoever it is."""
        self._failures, self._not_before, self._told = 0, 0.0, ""

    def stop(self) -> None:
        """End it kindly; it finishes what must not be interrupted, and dies at the latest after some seconds."""
        self._stopping = True
        if self._process is None or not self.ours:
            return
        self._process.closeWriteChannel()
        if not self._process.waitForFinished(_STOP_MS):
            self._process.kill()
            self._process.waitForFinished(1000)


class Program(QObject):
    """One command of this program, with ``--json``, in a process of its own."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        of: QObject,
        done: Callable[[Mapping[str, Any]], object],
        failed: Callable[[ConsiliumError], object],
        progress: Callable[[Progress], object] | None = None,
        standard_input: bytes = b"",
    ) -> None:
        super().__init__(of)
        self._of, self._done, self._failed, self._progress = of, done, failed, progress
        self._cancelled = False
        self._process = _process(self, [*arguments, "--json"])
        self._process.finished.connect(self._ended)
        self._process.readyReadStandardError.connect(self._read_progress)
        self._process.start()
        if standard_input:
            self._process.write(standard_input)
        self._process.closeWriteChannel()

    def cancel(self) -> None:
        """Ask the command to stop; it then fails as ``job.cancelled``."""
        self._cancelled = True
        self._process.terminate()
        QTimer.singleShot(_STOP_MS, self._process, self._process.kill)

    def _read_progress(self) -> None:
        self._process.setReadChannel(QProcess.ProcessChannel.StandardError)
        while self._process.canReadLine():
            progress = _progress_in(bytes(self._process.readLine().data()))
            if progress is not None and self._progress is not None and isValid(self._of):
                self._progress(progress)

    def _ended(self, code: int, _status: QProcess.ExitStatus) -> None:
        output = bytes(self._process.readAllStandardOutput().data())
        self.deleteLater()
        if not isValid(self._of):
            return
        if self._cancelled:
            self._failed(Cancelled())
            return
        error = _error_in(output)
        if error is None and code == 0:
            self._done(_last_object(output) or {})
        else:
            self._failed(error or EnvironmentProblem("ui.program_failed", exit_code=code))


class Companion(QObject):
    """A program that works beside the window as long as the window lives: it ends when its input does."""

    ready = Signal(object)
    """It is at work; with what it has said of itself."""
    progressed = Signal(object)
    ended = Signal(object)
    """It is over; with the error that it left, None if it was ended from here."""

    def __init__(self, arguments: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ending = False
        self._error: ConsiliumError | None = None
        self._process = _process(self, [*arguments, "--until-input-ends", "--json"])
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.readyReadStandardError.connect(self._read_progress)
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._broken)
        self._process.start()

    def end(self) -> None:
        """Have it end; ``ended`` comes when it has."""
        self._ending = True
        self._process.closeWriteChannel()

    def end_now(self) -> None:
        """Have it end and wait some seconds for it; what it has started ends with it in any case."""
        self._process.finished.disconnect(self._finished)
        self.end()
        if not self._process.waitForFinished(_STOP_MS):
            self._process.kill()
            self._process.waitForFinished(1000)

    def _read(self) -> None:
        self._process.setReadChannel(QProcess.ProcessChannel.StandardOutput)
        while self._process.canReadLine():
            said = _last_object(bytes(self._process.readLine().data()))
            self._error = _error_of(said)
            if said is not None and self._error is None:
                self.ready.emit(said)

    def _read_progress(self) -> None:
        self._process.setReadChannel(QProcess.ProcessChannel.StandardError)
        while self._process.canReadLine():
            if (progress := _progress_in(bytes(self._process.readLine().data()))) is not None:
                self.progressed.emit(progress)

    def _broken(self, problem: QProcess.ProcessError) -> None:
        if problem is QProcess.ProcessError.FailedToStart:
            self._finished(-1)

    def _finished(self, code: int, _status: object = None) -> None:
        self._read()
        unexplained = EnvironmentProblem("ui.program_failed", exit_code=code)
        self.ended.emit(None if self._ending else self._error or unexplained)


def _process(parent: QObject, arguments: Sequence[str]) -> QProcess:
    command, *first = program()
    process = QProcess(parent)
    environment = QProcessEnvironment.systemEnvironment()
    environment.insert(_PROGRESS, "json")
    process.setProcessEnvironment(environment)
    process.setProgram(command)
    process.setArguments([*first, *arguments])
    return process


def _last_object(output: bytes) -> dict[str, Any] | None:
    for line in reversed(output.splitlines()):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return None


def _error_in(output: bytes) -> ConsiliumError | None:
    """Return the error that a command with ``--json`` has printed, or None."""
    return _error_of(_last_object(output))


def _error_of(found: Mapping[str, Any] | None) -> ConsiliumError | None:
    error = None if found is None else found.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return None
    params = error.get("params")
    named = params if isinstance(params, dict) else {}
    return UserError(error["code"], **{name: value for name, value in named.items() if name not in ("self", "code")})


def _progress_in(line: bytes) -> Progress | None:
    """Return what a command reports of its progress, if this line of its error output does."""
    try:
        found = json.loads(line)
        told = found["progress"]
        remaining = told["remaining"]
        return Progress(float(told["fraction"]), str(told["step"]), None if remaining is None else float(remaining))
    except (ValueError, KeyError, TypeError):
        return None
