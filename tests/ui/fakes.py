"""A bridge whose answers a test chooses, for states that are hard to bring about with a real site."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal
from shiboken6 import isValid

from app.core.errors import ConsiliumError
from app.core.jobs.job import Progress
from app.ui.bridge import CONNECTED

Answer = Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]] | ConsiliumError


@dataclass
class FakeCall:
    """A call that a view has made."""

    name: str
    values: Mapping[str, Any]
    cancelled: bool = False
    report: Callable[[Progress], object] = field(default=lambda _progress: None)

    def cancel(self) -> None:
        self.cancelled = True


class FakeBridge(QObject):
    """Answers commands from ``answers``; a callable gets the values, an error is raised at whoever asks.

    A command without an answer stays under way. Answers come in the next round of the event loop, or at once when
    ``at_once`` is set.
    """

    changed = Signal()
    connection_changed = Signal()
    missing = Signal()
    failed = Signal(object)

    def __init__(self, answers: Mapping[str, Answer] | None = None, *, at_once: bool = False) -> None:
        super().__init__()
        self.answers: dict[str, Answer] = dict(answers or {})
        self.calls: list[FakeCall] = []
        self.at_once = at_once
        self.connection = CONNECTED
        self.directory = Path("profile")
        self.problem: ConsiliumError | None = None

    def call(
        self,
        name: str,
        values: Mapping[str, Any] | None = None,
        *,
        of: QObject,
        done: Callable[[Any], object] | None = None,
        failed: Callable[[ConsiliumError], object] | None = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> FakeCall:
        made = FakeCall(name, dict(values or {}))
        if progress is not None:
            made.report = progress
        self.calls.append(made)
        if name in self.answers:
            self._later(lambda: self._answer(made, of, done, failed))
        return made

    def _later(self, do: Callable[[], None]) -> None:
        if self.at_once:
            do()
        else:
            QTimer.singleShot(0, self, do)

    def _answer(
        self,
        call: FakeCall,
        of: QObject,
        done: Callable[[Any], object] | None,
        failed: Callable[[ConsiliumError], object] | None,
    ) -> None:
        if not isValid(of):
            return
        answer = self.answers[call.name]
        try:
            result = answer(call.values) if callable(answer) else answer
            if isinstance(result, ConsiliumError):
                raise result
        except ConsiliumError as error:
            if failed is not None:
                failed(error)
            else:
                self.failed.emit(error)
        else:
            if done is not None:
                done(copy.deepcopy(dict(result)))

    def named(self, name: str) -> list[FakeCall]:
        """Return the calls of a command."""
        return [call for call in self.calls if call.name == name]

    def stir(self) -> None:
        """Say that something has changed."""
        self.changed.emit()

    def watch(self) -> None:
        """Nothing changes by itself here."""

    def close(self) -> None:
        """Nothing is under way here."""
