"""Results in its states."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from app.core.errors import EnvironmentProblem
from app.ui.views.results import ResultsView
from app.ui.views.results.figure import FigurePlace
from app.ui.views.results.opened import NOTES, TABLE
from tests.ui import examples
from tests.ui import examples_results as runs
from tests.ui.gallery import Stage, state

FigurePlace.at_once = True


def _shown(stage: Stage, argument: str, found: list[dict[str, Any]] | None = None) -> tuple[QWidget, ResultsView]:
    answers = runs.answers(runs.TYPICAL if found is None else found)
    window = stage.window("results", {"site.overview": examples.overview(), **answers}, argument)
    view = window.view("results")
    assert isinstance(view, ResultsView)
    view.refresh()
    return window, view


@state("results/answered")
def answered(stage: Stage) -> QWidget:
    return _shown(stage, runs.NOISED)[0]


@state("results/exact-table")
def table(stage: Stage) -> QWidget:
    window, view = _shown(stage, runs.DECLINED)
    view.opened.tabs.setCurrentIndex(TABLE)
    return window


@state("results/computing")
def computing(stage: Stage) -> QWidget:
    return _shown(stage, runs.COMPUTING)[0]


@state("results/waiting-with-notes")
def waiting(stage: Stage) -> QWidget:
    window, view = _shown(stage, runs.PERSON)
    view.opened.tabs.setCurrentIndex(NOTES)
    return window


@state("results/opening")
def opening(stage: Stage) -> QWidget:
    return _shown(stage, runs.OPENING)[0]


@state("results/expired")
def expired(stage: Stage) -> QWidget:
    return _shown(stage, runs.EXPIRED)[0]


@state("results/failed")
def failed(stage: Stage) -> QWidget:
    broken = runs.run(runs.EXPIRED, "age >= 60", state="failed", code="query.quorum_not_met", answer=None)
    window, view = _shown(stage, runs.EXPIRED, [broken, *runs.TYPICAL[:2]])
    view.fail(EnvironmentProblem("disk.full", path="report.pdf"))
    return window


@state("results/compare")
def compare(stage: Stage) -> QWidget:
    window, view = _shown(stage, runs.NOISED)
    view.compare_button.click()
    return window


@state("results/none")
def none(stage: Stage) -> QWidget:
    return _shown(stage, "", [])[0]


@state("results/nowhere")
def nowhere(stage: Stage) -> QWidget:
    return stage.window("results", {"site.overview": examples.nowhere()})
