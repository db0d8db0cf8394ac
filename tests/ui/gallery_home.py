"""Home in its states."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from tests.ui import examples
from tests.ui.gallery import Stage, state


@state("home/typical")
def typical(stage: Stage) -> QWidget:
    return stage.window("home", {"site.overview": examples.overview(), "query.list": examples.QUERIES})


@state("home/empty")
def empty(stage: Stage) -> QWidget:
    return stage.window("home", {"site.overview": examples.nowhere(), "query.list": {"queries": []}})


@state("home/pretend")
def pretend(stage: Stage) -> QWidget:
    answers = {"site.overview": examples.overview(pretend=True, waiting_requests=0), "query.list": examples.QUERIES}
    return stage.window("home", answers)
