"""A relay on this computer, to try a federation with: it runs beside the window, and again when the window is back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PySide6.QtCore import QCoreApplication, QObject

from app.core.errors import ConsiliumError, EnvironmentProblem
from app.core.paths import trial_relay_place
from app.ui.programs import Companion, Program

_PROPERTY = "consilium_trial_relay"
_HERE = "127.0.0.1"
_RUNS_ELSEWHERE = ("relay.in_use", "relay.address_in_use")
_AGAIN_SECONDS = 30.0
_Failed = Callable[[ConsiliumError], object]


class TrialRelay(QObject):
    """There is one, :func:`trial_relay`; it ends with the application."""

    def __init__(self, application: QCoreApplication) -> None:
        super().__init__(application)
        self._companion: Companion | None = None
        self._waiting: list[tuple[Callable[[], object], _Failed]] = []
        self._not_before = 0.0
        self.url = ""
        """Where it answers; empty while it does not."""
        self.authority: Path | None = None
        """The file of its private CA."""
        application.aboutToQuit.connect(self.end)

    def offer(self, *, done: Callable[[str], object], failed: _Failed) -> None:
        """Run it and make a code; ``done`` gets the code once it runs."""
        if self.url:
            self._make_code(done, failed)
            return
        self._run(0, lambda: self._make_code(done, failed), failed)

    def resume(self, url: str, failed: _Failed) -> None:
        """Run it again if it is the relay at ``url``; nothing if that is another one, or if it runs.

        Another window may run it already: that is no failure, and some time passes before the next try.
        """
        parts = urlsplit(url)
        if self._companion is not None or time.monotonic() < self._not_before:
            return
        if parts.hostname == _HERE and parts.port and trial_relay_place().is_dir():
            self._run(parts.port, lambda: None, lambda error: self._not_resumed(error, failed))

    def _not_resumed(self, error: ConsiliumError, failed: _Failed) -> None:
        if error.code in _RUNS_ELSEWHERE:
            self._not_before = time.monotonic() + _AGAIN_SECONDS
        else:
            failed(error)

    def end(self) -> None:
        """End it now: the application ends."""
        if self._companion is not None:
            self._companion.end_now()
            self._companion = None
            self._waiting.clear()

    def _run(self, port: int, ready: Callable[[], object], failed: _Failed) -> None:
        """Run it, or wait for the one that starts; of its end after that, whoever started it hears."""
        self._waiting.append((ready, failed))
        if self._companion is not None:
            return

        def runs(said: Mapping[str, Any]) -> None:
            self.url, authority = str(said["url"]), said.get("authority")
            self.authority = Path(authority) if authority else None
            for each, _ in self._served():
                each()

        def over(error: ConsiliumError | None) -> None:
            self._companion, self.url = None, ""
            companion.deleteLater()
            problem = error or EnvironmentProblem("ui.program_failed", exit_code=0)
            for tell in [each for _, each in self._served()] or [failed]:
                tell(problem)

        companion = Companion(["relay", "serve", "--data", str(trial_relay_place()), "--port", str(port)], self)
        companion.ready.connect(runs)
        companion.ended.connect(over)
        self._companion = companion

    def _served(self) -> list[tuple[Callable[[], object], _Failed]]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _make_code(self, done: Callable[[str], object], failed: _Failed) -> None:
        command = ["relay", "code", "new", "--data", str(trial_relay_place())]
        Program(command, of=self, done=lambda said: done(str(said["code"])), failed=failed)


def trial_relay() -> TrialRelay:
    """Return the running application's."""
    application = QCoreApplication.instance()
    if application is None:
        raise RuntimeError("there is no application")
    found = application.property(_PROPERTY)
    if not isinstance(found, TrialRelay):
        found = TrialRelay(application)
        application.setProperty(_PROPERTY, found)
    return found
