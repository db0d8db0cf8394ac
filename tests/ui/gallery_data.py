"""Data in its states."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from app.core.errors import ConsiliumError, EnvironmentProblem, ProtocolViolation
from app.core.jobs.job import Progress
from app.ui.views.data import DataView
from tests.ui import examples
from tests.ui import examples_data as data
from tests.ui.gallery import Stage, state


def _shown(stage: Stage, found: dict[str, Any], **answers: Any) -> tuple[QWidget, DataView]:
    window = stage.window("data", {"site.overview": examples.overview(), **data.answers(found), **answers})
    view = window.view("data")
    assert isinstance(view, DataView)
    view.refresh()
    return window, view


def _arriving(
    stage: Stage, found: dict[str, Any], outcome: dict[str, Any] | ConsiliumError
) -> tuple[QWidget, DataView]:
    window, view = _shown(stage, found)
    view.inspect = data.inspecting(outcome)  # type: ignore[misc]
    view.import_package(data.PATH)
    return window, view


@state("data/typical")
def typical(stage: Stage) -> QWidget:
    return _shown(stage, data.listed(data.VERSIONS))[0]


@state("data/empty")
def empty(stage: Stage) -> QWidget:
    return _shown(stage, data.listed([]))[0]


@state("data/nowhere")
def nowhere(stage: Stage) -> QWidget:
    return stage.window("data", {"site.overview": examples.nowhere()})


@state("data/compare")
def compare(stage: Stage) -> QWidget:
    return _arriving(stage, data.listed([]), data.package())[0]


@state("data/compare-other")
def compare_other(stage: Stage) -> QWidget:
    other = data.package(preparer=data.OTHER_DIGITS, preparer_words=data.OTHER_WORDS)
    return _arriving(stage, data.listed(data.VERSIONS), other)[0]


@state("data/importing")
def importing(stage: Stage) -> QWidget:
    window, view = _arriving(stage, data.listed(data.VERSIONS), data.package())
    view.arriving.progress(Progress(0.42, "data.step.importing", 75.0))
    return window


@state("data/cut-off")
def cut_off(stage: Stage) -> QWidget:
    return _shown(stage, data.listed(data.VERSIONS, data.UNFINISHED))[0]


@state("data/checking")
def checking(stage: Stage) -> QWidget:
    window, view = _shown(stage, data.listed(data.VERSIONS))
    view.pane.check_button.click()
    view.pane.progress(Progress(0.63, "data.step.verifying", 21.0))
    return window


@state("data/refused")
def refused(stage: Stage) -> QWidget:
    return _arriving(stage, data.listed(data.VERSIONS), ProtocolViolation("package.altered", part="manifest"))[0]


@state("data/damaged")
def damaged(stage: Stage) -> QWidget:
    problem = EnvironmentProblem("dataset.damaged", path="/home/claire/.local/share/consilium/datasets/b2.consilium")
    window, view = _shown(stage, data.listed(data.VERSIONS), **{"data.check": problem})
    view.pane.check_button.click()
    return window
