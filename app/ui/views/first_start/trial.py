"""The page on which the pretend hospitals come to life, and the one on which they go."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from app.core.jobs.job import Progress
from app.core.services.pretend import STEPS, overall
from app.texts import text
from app.ui.jobs import remaining_words
from app.ui.locale import percent
from app.ui.tokens import Style
from app.ui.views.first_start.pages import Page
from app.ui.widgets.buttons import Button
from app.ui.widgets.chips import Meter
from app.ui.widgets.feedback import Timeline, TimelineStep, announce
from app.ui.widgets.layout import card, row
from app.ui.widgets.text import Label


class MakingPage(Page):
    """Says in words what is being done, how long it still takes, and lets it be stopped."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._meter = Meter(6)
        self._left = Label("", Style.SMALL, "text2")
        self._timeline = Timeline()
        self._step = ""
        self.cancel = Button(text("ui.cancel"), pressed=cancel)
        super().__init__(
            text("ui.first_start.making"),
            text("ui.first_start.making_words"),
            None,
            card(self._meter, row(self._left, None), 4, self._timeline, gap=8, padding=20),
            4,
            row(None, self.cancel),
        )
        self.setFocusProxy(self.cancel)
        self.show_progress(Progress(0.0, next(iter(STEPS)), None))

    def show_progress(self, progress: Progress) -> None:
        """Show how far it is."""
        done = overall(progress)
        words = text("ui.first_start.made", percent=percent(done))
        self._meter.set_parts([(done, "accfill")], words)
        self._left.setText(" · ".join(filter(None, (words, remaining_words(progress.remaining_seconds)))))
        if progress.step in STEPS and progress.step != self._step:
            self._step = progress.step
            self._timeline.show_steps(_steps(progress.step))
            announce(self, text(progress.step))


def _steps(now: str) -> list[TimelineStep]:
    place = list(STEPS).index(now)
    states = {-1: "done", 0: "running", 1: "later"}
    return [TimelineStep(states[(number > place) - (number < place)], text(step)) for number, step in enumerate(STEPS)]


def removing_page() -> QWidget:
    """Return what is shown while the pretend hospitals are removed."""
    moving = Meter(6)
    moving.set_parts([(1.0, "accline")], text("ui.first_start.removing"))
    return Page(text("ui.first_start.removing"), text("ui.first_start.removing_words"), None, moving)
