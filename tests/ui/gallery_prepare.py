"""Preparing a dataset: every step in its states."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from app.core.errors import EnvironmentProblem
from app.core.jobs.job import Progress
from app.ui.models.preparing_draft import Drawer
from app.ui.views.prepare import PrepareView, Wizard
from app.ui.views.prepare.preparation import Preparation
from tests.ui import examples
from tests.ui import examples_prepare as data
from tests.ui.gallery import Stage, state

FILES, COLUMNS, MAPPING, DRY_RUN, SUMMARY, SEAL, PACKAGE = range(7)


def answering(**more: Any) -> data.FakeProgram:
    """Return a program that answers every command."""
    answers = {"map": data.mapped(), "check": data.checked(), "choices": data.CHOICES, "prepare": data.sealed()}
    return data.FakeProgram(**{name: answer for name, answer in {**answers, **more}.items() if answer is not None})


def shown(
    stage: Stage, step: int, program: data.FakeProgram, *, federation: bool = True, files: bool = True
) -> tuple[QWidget, Wizard]:
    """Return a window with the wizard at a step."""
    window = stage.window("data", {"site.overview": examples.nowhere()})
    view = window.view("prepare")
    assert isinstance(view, PrepareView)
    drawer = Drawer(stage.directory / "preparing")
    preparation = Preparation(drawer, window.context.jobs, run=program, read_federation=data.read_federation)
    wizard = view.use(preparation)
    window.navigate("prepare")
    if federation:
        preparation.choose_federation(data.FEDERATION)
        preparation.choose_site("Lausanne")
    if files:
        preparation.read([f"{data.FOLDER}/patients.csv"])
    if step:
        preparation.decide(output=str(stage.directory / "lausanne.consilium"))
    for _ in range(step):
        wizard.go_on()
    return window, wizard


@state("prepare/files-begin")
def files_begin(stage: Stage) -> QWidget:
    return shown(stage, FILES, answering(), federation=False, files=False)[0]


@state("prepare/files-none")
def files_none(stage: Stage) -> QWidget:
    return shown(stage, FILES, answering(), files=False)[0]


@state("prepare/files-reading")
def files_reading(stage: Stage) -> QWidget:
    program = answering(map=None)
    window, _ = shown(stage, FILES, program)
    program.progress(Progress(0.31, "data.step.reading", 12.0))
    return window


@state("prepare/files")
def files(stage: Stage) -> QWidget:
    return shown(stage, FILES, answering())[0]


@state("prepare/files-refused")
def files_refused(stage: Stage) -> QWidget:
    window, wizard = shown(stage, FILES, answering())
    wizard.fail(EnvironmentProblem("file.not_found", path=f"{data.FOLDER}/patients.csv"))
    return window


@state("prepare/columns")
def columns(stage: Stage) -> QWidget:
    return shown(stage, COLUMNS, answering())[0]


@state("prepare/mapping-category")
def mapping_category(stage: Stage) -> QWidget:
    return shown(stage, MAPPING, answering())[0]


@state("prepare/mapping-rule")
def mapping_rule(stage: Stage) -> QWidget:
    window, wizard = shown(stage, MAPPING, answering())
    wizard.step.show_variable("lab:creatinine")  # type: ignore[attr-defined]
    return window


@state("prepare/mapping-suggested")
def mapping_suggested(stage: Stage) -> QWidget:
    window, wizard = shown(stage, MAPPING, answering())
    wizard.step.show_variable("stage")  # type: ignore[attr-defined]
    return window


@state("prepare/mapping-survival")
def mapping_survival(stage: Stage) -> QWidget:
    window, wizard = shown(stage, MAPPING, answering())
    wizard.step.show_variable("os")  # type: ignore[attr-defined]
    return window


@state("prepare/mapping-nothing")
def mapping_nothing(stage: Stage) -> QWidget:
    window, wizard = shown(stage, MAPPING, answering())
    wizard.step.show_variable("gene:BRAF")  # type: ignore[attr-defined]
    return window


@state("prepare/mapping-changed")
def mapping_changed(stage: Stage) -> QWidget:
    return shown(stage, MAPPING, answering(map=data.mapped(changes=data.CHANGES)))[0]


@state("prepare/dry_run")
def dry_run(stage: Stage) -> QWidget:
    return shown(stage, DRY_RUN, answering())[0]


@state("prepare/dry_run-running")
def dry_run_running(stage: Stage) -> QWidget:
    program = answering(check=None)
    window, _ = shown(stage, DRY_RUN, program)
    program.progress(Progress(0.44, "data.step.reading", 31.0))
    return window


@state("prepare/dry_run-clean")
def dry_run_clean(stage: Stage) -> QWidget:
    nothing = {"refused": 0, "empty": 0, "repaired": 0}
    clean = data.checked(groups=[], problems=[], problem_count=0, refused_rows=0, states=nothing, notes=[])
    return shown(stage, DRY_RUN, answering(check=clean))[0]


@state("prepare/dry_run-variables")
def dry_run_variables(stage: Stage) -> QWidget:
    window, wizard = shown(stage, DRY_RUN, answering())
    wizard.step.tabs.setCurrentIndex(1)  # type: ignore[attr-defined]
    return window


@state("prepare/dry_run-identifiers")
def dry_run_identifiers(stage: Stage) -> QWidget:
    blocked = data.checked(identifiers=data.IDENTIFIERS, blocked=True)
    window, wizard = shown(stage, DRY_RUN, answering(check=blocked))
    wizard.step.tabs.setCurrentIndex(2)  # type: ignore[attr-defined]
    return window


@state("prepare/summary")
def summary(stage: Stage) -> QWidget:
    return shown(stage, SUMMARY, answering())[0]


@state("prepare/summary-recontact")
def summary_recontact(stage: Stage) -> QWidget:
    window, wizard = shown(stage, SUMMARY, answering())
    wizard.step.recontact.click()  # type: ignore[attr-defined]
    return window


@state("prepare/sealing")
def sealing(stage: Stage) -> QWidget:
    program = answering(prepare=None)
    window, _ = shown(stage, SEAL, program)
    program.progress(Progress(0.37, "data.step.sealing", 62.0))
    return window


@state("prepare/seal-cut_off")
def seal_cut_off(stage: Stage) -> QWidget:
    window, wizard = shown(stage, SEAL, answering(prepare=None))
    wizard.preparation.cancel()
    return window


@state("prepare/package")
def package(stage: Stage) -> QWidget:
    return shown(stage, PACKAGE, answering())[0]
