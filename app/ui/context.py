"""What every view is given: the way to the site, where it stands, what runs, and the way to other views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.ui.bridge import Caller
from app.ui.jobs import Jobs
from app.ui.models.budget import Budget
from app.ui.models.overview import Overview
from app.ui.preferences import Preferences


class Standing(QObject):
    """The latest :class:`Overview` and :class:`Budget`; asked for again whenever something has changed at the site."""

    changed = Signal()

    def __init__(self, bridge: Caller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.overview = Overview()
        self.budget: Budget | None = None
        """What is left; None while there is no federation, or it is not known."""
        bridge.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Ask again."""
        self._bridge.call("site.overview", {}, of=self, done=self._show)

    def _show(self, found: Result) -> None:
        overview = Overview.from_plain(found)
        if overview != self.overview:
            self.overview = overview
            self.changed.emit()
        if overview.ready:
            self._bridge.call("budget.show", {}, of=self, done=self._show_budget, failed=self._silent)

    def _show_budget(self, found: Result) -> None:
        budget = Budget.from_plain(found)
        if budget != self.budget:
            self.budget = budget
            self.changed.emit()

    def _silent(self, _error: ConsiliumError) -> None:
        """The Budget screen says what is wrong."""


@dataclass(frozen=True)
class Context:
    """What every view is given. ``navigate(view, argument)`` shows another view; see ``View.open``."""

    bridge: Caller
    standing: Standing
    jobs: Jobs
    preferences: Preferences
    navigate: Callable[..., None]
