"""What every view is given: the way to the site, where it stands, what runs, and the way to other views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from app.core.services.commands import Result
from app.ui.bridge import Caller
from app.ui.jobs import Jobs
from app.ui.models.overview import Overview
from app.ui.preferences import Preferences


class Standing(QObject):
    """The latest :class:`Overview`; asked for again whenever something has changed at the site."""

    changed = Signal()

    def __init__(self, bridge: Caller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.overview = Overview()
        bridge.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Ask again."""
        self._bridge.call("site.overview", {}, of=self, done=self._show)

    def _show(self, found: Result) -> None:
        overview = Overview.from_plain(found)
        if overview != self.overview:
            self.overview = overview
            self.changed.emit()


@dataclass(frozen=True)
class Context:
    """What every view is given. ``navigate(view, argument)`` shows another view; see ``View.open``."""

    bridge: Caller
    standing: Standing
    jobs: Jobs
    preferences: Preferences
    navigate: Callable[..., None]
