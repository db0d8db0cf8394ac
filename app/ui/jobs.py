"""What is under way in the window: each job with its title, how far it is, and how to stop it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from app.core.errors import ConsiliumError
from app.core.jobs.job import Progress
from app.core.services.commands import Result
from app.texts import text
from app.ui.bridge import Caller, Reports


@dataclass
class Running:
    """A job under way."""

    title: str
    cancel: Callable[[], object]
    fraction: float = 0.0
    remaining: float | None = None
    step: str = ""


class Jobs(QObject):
    """The jobs under way; the status bar shows them."""

    changed = Signal()

    def __init__(self, bridge: Caller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.running: list[Running] = []

    def run(
        self,
        title: str,
        name: str,
        values: Mapping[str, Any] | None = None,
        *,
        of: QObject,
        done: Callable[[Result], object],
        failed: Callable[[ConsiliumError], object],
        progress: Reports | None = None,
    ) -> Running:
        """Make a call that takes long; as ``Bridge.call``, and shown in the status bar."""
        job = Running(title, cancel=lambda: None)

        def heard(report: Progress) -> None:
            self.report(job, report)
            if progress is not None and isValid(of):
                progress(report)

        def then_done(result: Result) -> None:
            self.end(job)
            if isValid(of):
                done(result)

        def then_failed(error: ConsiliumError) -> None:
            self.end(job)
            if isValid(of):
                failed(error)

        self.begin(job)
        # of=self: a view may go while its job goes on, and the status bar wants to know its end
        call = self._bridge.call(name, values, of=self, done=then_done, failed=then_failed, progress=heard)
        job.cancel = call.cancel
        return job

    def begin(self, job: Running) -> None:
        """Show a job that somebody else runs."""
        self.running.append(job)
        self.changed.emit()

    def report(self, job: Running, progress: Progress) -> None:
        """Note how far a job is."""
        job.fraction, job.remaining, job.step = progress.fraction, progress.remaining_seconds, progress.step
        self.changed.emit()

    def end(self, job: Running) -> None:
        """Note that a job has ended."""
        if job in self.running:
            self.running.remove(job)
            self.changed.emit()


def remaining_words(seconds: float | None) -> str:
    """Return a remaining time in words; empty while it is unknown."""
    if seconds is None:
        return ""
    if seconds >= 5400:
        return text("ui.left_hours", hours=round(seconds / 3600))
    if seconds >= 90:
        return text("ui.left_minutes", minutes=round(seconds / 60))
    return text("ui.left_seconds", seconds=max(round(seconds), 1))
