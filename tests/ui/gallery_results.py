"""Results in its states: runs under way, and the answer of every analysis."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from app.core.errors import EnvironmentProblem
from app.ui.models.told import EACH
from app.ui.views.results import ResultsView
from app.ui.views.results.figure import FigurePlace
from app.ui.views.results.opened import BOTH, NOTES, TABLE
from tests.ui import examples
from tests.ui import examples_answers as answers
from tests.ui import examples_results as runs
from tests.ui.gallery import Stage, state

FigurePlace.at_once = True


def _shown(stage: Stage, argument: str, found: list[dict[str, Any]] | None = None) -> tuple[QWidget, ResultsView]:
    told = runs.answers(runs.TYPICAL if found is None else found)
    window = stage.window("results", {"site.overview": examples.overview(), **told}, argument)
    view = window.view("results")
    assert isinstance(view, ResultsView)
    view.refresh()
    return window, view


def _answer(stage: Stage, name: str, *, width: float = 0.0, **changes: Any) -> tuple[QWidget, ResultsView]:
    """Show the answer of an analysis, above those of all others."""
    found = [answers.answered(name, width=width, **changes)]
    found += [answers.answered(each, width=width) for each in answers.ANALYSES if each != name]
    return _shown(stage, found[0]["id"], found)


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


# --- every analysis -------------------------------------------------------------------------------------------------


@state("results/breakdown")
def breakdown(stage: Stage) -> QWidget:
    return _answer(stage, "breakdown")[0]


@state("results/breakdown-noised")
def breakdown_noised(stage: Stage) -> QWidget:
    return _answer(stage, "breakdown", width=answers.WIDTH)[0]


@state("results/histogram")
def histogram(stage: Stage) -> QWidget:
    return _answer(stage, "histogram", width=answers.WIDTH)[0]


@state("results/table")
def crossed(stage: Stage) -> QWidget:
    return _answer(stage, "table")[0]


@state("results/table-noised-rows")
def crossed_rows(stage: Stage) -> QWidget:
    window, view = _answer(stage, "table", width=answers.WIDTH)
    view.opened.tabs.setCurrentIndex(TABLE)
    return window


@state("results/summary")
def summary(stage: Stage) -> QWidget:
    return _answer(stage, "summary")[0]


@state("results/summary-rows")
def summary_rows(stage: Stage) -> QWidget:
    window, view = _answer(stage, "summary", width=answers.WIDTH)
    view.opened.tabs.setCurrentIndex(TABLE)
    return window


@state("results/means")
def means(stage: Stage) -> QWidget:
    return _answer(stage, "compare")[0]


@state("results/correlate")
def correlate(stage: Stage) -> QWidget:
    return _answer(stage, "correlate", width=answers.WIDTH)[0]


@state("results/regress")
def regress(stage: Stage) -> QWidget:
    return _answer(stage, "regress")[0]


@state("results/survival")
def survival(stage: Stage) -> QWidget:
    return _answer(stage, "survival")[0]


@state("results/survival-noised-both")
def survival_both(stage: Stage) -> QWidget:
    window, view = _answer(stage, "survival", width=answers.WIDTH)
    view.opened.tabs.setCurrentIndex(BOTH)
    return window


@state("results/survival-events-of-four")
def survival_staged(stage: Stage) -> QWidget:
    window, view = _answer(stage, "survival", result=answers.staged())
    choosing = view.opened.twins.choosing
    choosing.curve.set_value("events")
    choosing.interval.set_value("greenwood")
    choosing.groups[1].setChecked(False)
    return window


@state("results/survival-without-groups")
def survival_alone(stage: Stage) -> QWidget:
    return _answer(stage, "survival", result=answers.alone(answers.WIDTH), width=answers.WIDTH)[0]


@state("results/attrition")
def attrition(stage: Stage) -> QWidget:
    return _answer(stage, "attrition")[0]


@state("results/per-site")
def per_site(stage: Stage) -> QWidget:
    window, view = _answer(stage, "survival", per_site=True)
    view.opened.site.set_value(EACH)
    view.opened.site.chosen.emit(EACH)
    return window


@state("results/per-site-one")
def per_site_one(stage: Stage) -> QWidget:
    window, view = _answer(stage, "breakdown", per_site=True)
    view.opened.site.set_value("Geneva")
    view.opened.site.chosen.emit("Geneva")
    return window


@state("results/compare-breakdowns")
def compare_breakdowns(stage: Stage) -> QWidget:
    other = answers.smaller(answers.breakdown(), 3)
    found = [answers.answered("breakdown"), answers.answered("breakdown", id="ee" * 16, result=other)]
    window, view = _shown(stage, found[0]["id"], found)
    view.compare_button.click()
    return window
