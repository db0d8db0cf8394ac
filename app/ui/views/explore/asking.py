"""The question as it goes to the owner: explained while it is built, and asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.models.asking import Check, asked_sites
from app.ui.models.board import Board
from app.ui.models.people import People
from app.ui.models.projects import projects_from_plain
from app.ui.models.requests import Preview
from app.ui.views.explore.analysis_pane import AnalysisPane
from app.ui.widgets.feedback import announce

_CHECK_MS = 250


class Asking(QTimer):
    """Asks the planner about the board's question when the hand rests, and the sites when that is wanted."""

    def __init__(self, view: QWidget, board: Board, analysis: AnalysisPane, context: Context) -> None:
        super().__init__(view, singleShot=True, interval=_CHECK_MS)
        self._view, self._board, self._analysis, self._context = view, board, analysis, context
        self._asked = 0
        self.failed: Callable[[ConsiliumError], object] = lambda _error: None
        self.timeout.connect(self.check)

    @property
    def question(self) -> str:
        """The text form of the question: everyone is counted where there are no criteria."""
        return self._board.text or "everyone"

    def check_soon(self) -> None:
        """Ask the planner as soon as the hand rests."""
        self.start()

    def check(self) -> None:
        """Ask the planner about the question as it is now."""
        if self._board.catalogue is None or not self._context.standing.overview.ready:
            return
        self._asked += 1
        number, analysis = self._asked, self._analysis
        values: dict[str, Any] = {"text": self.question, "per_site": analysis.per_site.isChecked()}
        if analysis.epsilon:
            values |= {"epsilon": analysis.epsilon, "contributors": len(analysis.chosen)}

        def take(found: Result) -> None:
            if number == self._asked:  # later questions are on their way
                analysis.set_check(Check.from_plain(found))
                self.show_sites()
                self._judge(number)

        self._context.bridge.call("query.explain", values, of=self._view, done=take, failed=self.failed)

    def _judge(self, number: int) -> None:
        """Ask what our own policy says of the question as it is now, and what it costs us, if we are asked too."""
        analysis, own = self._analysis, self._context.standing.overview.site
        if not analysis.check.fits or own not in analysis.chosen:
            analysis.set_preview(None, None)
            return

        def take(found: Result) -> None:
            if number == self._asked:
                analysis.set_preview(Preview.from_plain(found), self._context.standing.budget)

        def fail(_error: ConsiliumError) -> None:
            if number == self._asked:  # asking says what is wrong
                analysis.set_preview(None, None)

        values = {**self._values(), "asker": own}
        self._context.bridge.call("policy.preview", values, of=self._view, done=take, failed=fail)

    def refresh(self) -> None:
        """Ask in whose name, and under which projects, something can be asked here."""
        call, shown = self._context.bridge.call, self._analysis.in_name_of
        own = self._context.standing.overview.site
        call(
            "people.list",
            of=self._view,
            done=lambda found: shown.show_people(People.from_plain(found), own),
            failed=self._silent,
        )
        call(
            "project.list",
            of=self._view,
            done=lambda found: shown.show_projects(projects_from_plain(found)),
            failed=self._silent,
        )

    def _silent(self, _error: ConsiliumError) -> None:
        """The site itself can ask without it."""

    def _values(self) -> dict[str, Any]:
        """Return the question as the owner takes it."""
        analysis = self._analysis
        name = analysis.in_name_of
        values: dict[str, Any] = {
            "text": self.question,
            "per_site": analysis.per_site.isChecked(),
            "epsilon": analysis.epsilon,
            "sites": list(analysis.chosen),
            "minimum": analysis.minimum,
        }
        return {**values, "person": name.person, "project": name.project} if name.person else values

    def show_sites(self) -> None:
        """Show the sites of the federation, with what the planner says of them."""
        sites = self._context.standing.overview.sites
        self._analysis.set_sites(asked_sites(sites, self._analysis.check.by_site))

    def ask(self) -> None:
        """Ask the chosen sites, and go to the results."""
        analysis = self._analysis
        if analysis.obstacle() or analysis.busy:
            return
        hours = int(analysis.within.value)
        values = {
            **self._values(),
            "deadline": int(time.time() * 1000) + hours * 3_600_000 if hours else 0,
            "purpose": analysis.purpose.text().strip(),
            "wait": 0,
        }
        self._busy(True)

        def done(found: Result) -> None:
            self._busy(False)
            announce(self._view, text("ui.explore.asked"))
            self._context.navigate("results", str(found.get("id", "")))

        def failed(error: ConsiliumError) -> None:
            self._busy(False)
            self.failed(error)

        self._context.bridge.call("query.run", values, of=self._view, done=done, failed=failed)

    def _busy(self, busy: bool) -> None:
        self._analysis.busy = busy
        self._analysis.show_state()
