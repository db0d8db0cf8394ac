"""The draft: what is being built is kept as it changes, comes back after a crash, and has versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.ui.bridge import Caller
from app.ui.models.board import Board

_REST_MS = 1200


class Settings(Protocol):
    """What else is kept with the criteria."""

    def settings(self) -> dict[str, object]:
        """Return it."""
        ...

    def restore(self, settings: dict[str, object]) -> None:
        """Show what was kept."""
        ...


class Drafting(QObject):
    """Keeps the board's criteria. ``name`` and ``version`` are those of the saved cohort that is being edited."""

    kept = Signal()
    """All changes are kept."""

    def __init__(self, view: QObject, board: Board, settings: Settings, bridge: Caller) -> None:
        super().__init__(view)
        self._view, self._board, self._settings, self._bridge = view, board, settings, bridge
        self.name, self.version = "", 0
        self.versions: list[Mapping[str, Any]] = []
        self.begun = False
        """Whether something was shown on the canvas already, so that a draft that comes late is left alone."""
        self._asked = False
        self._timer = QTimer(self, singleShot=True, interval=_REST_MS)
        self._timer.timeout.connect(self.save)
        self.failed: Callable[[ConsiliumError], object] = lambda _error: None

    @property
    def loaded(self) -> bool:
        """Whether the draft was asked for."""
        return self._asked

    @property
    def waits(self) -> bool:
        """Whether there is something to keep."""
        return self._timer.isActive()

    def load(self, then: Callable[[str | None], object]) -> None:
        """Ask for what was left, once; ``then`` gets its text form, or None where something else was begun."""
        self._asked = True

        def take(found: Result) -> None:
            self.versions = list(found["drafts"])
            if not self.versions or self.begun:
                then(None)
                return
            latest = self.versions[0]
            self._settings.restore(dict(latest["settings"]))
            self.name = str(latest["settings"].get("name", ""))
            then(str(latest["text"]))

        def fail(error: ConsiliumError) -> None:
            self.failed(error)
            then(None)

        self._bridge.call("draft.load", {}, of=self._view, done=take, failed=fail)

    def touch(self) -> None:
        """Something has changed: keep it as soon as the hand rests."""
        self._timer.start()

    def rest(self) -> None:
        """What is shown is kept already."""
        self._timer.stop()

    def save(self) -> None:
        """Keep what is being built."""
        self._timer.stop()
        if self._asked and self._board.catalogue is not None:
            settings = {**self._settings.settings(), "name": self.name}
            self._call("draft.save", {"text": self._board.text, "settings": settings})

    def save_what_waits(self) -> None:
        """Keep what was changed a moment ago."""
        if self.waits:
            self.save()

    def start_over(self, then: Callable[[], object]) -> None:
        """Let ``then`` show another query; the one before it stays among the versions, as it is now.

        The owner gets the commands in this order, so that what ``then`` shows is kept in a version of its own.
        """
        self.save_what_waits()
        if self._board.catalogue is not None:
            self._call("draft.clear", {})
        then()
        self.touch()

    def _call(self, command: str, values: Mapping[str, Any]) -> None:
        self._bridge.call(command, values, of=self._view, done=self._take, failed=self.failed)

    def _take(self, found: Result) -> None:
        self.versions = [found, *(each for each in self.versions if each["version"] != found["version"])]
        if not self.waits:
            self.kept.emit()
