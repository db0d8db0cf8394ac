"""Audit in its states."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from app.core.errors import EnvironmentProblem
from app.ui.views.audit import AuditView
from tests.ui import examples
from tests.ui import examples_audit as audit
from tests.ui.gallery import Stage, state


def _shown(stage: Stage, **answers: Any) -> tuple[QWidget, AuditView]:
    known = {"site.overview": examples.overview(), "audit.show": audit.listed(*audit.RECORDS, more=True)}
    window = stage.window("audit", {**known, **answers})
    view = window.view("audit")
    assert isinstance(view, AuditView)
    view.refresh()
    return window, view


@state("audit/typical")
def typical(stage: Stage) -> QWidget:
    return _shown(stage)[0]


@state("audit/budget")
def budget(stage: Stage) -> QWidget:
    window, view = _shown(stage)
    view.list.select("213")
    view.list.chosen.emit("213")
    return window


@state("audit/none")
def none(stage: Stage) -> QWidget:
    return _shown(stage, **{"audit.show": audit.listed()})[0]


@state("audit/verifying")
def verifying(stage: Stage) -> QWidget:
    window, view = _shown(stage)
    view.verify_button.click()
    return window


@state("audit/whole")
def whole(stage: Stage) -> QWidget:
    window, view = _shown(stage, **{"audit.verify": audit.verified(), "audit.ask": audit.asked("Basel")})
    view.verify_button.click()
    return window


@state("audit/broken")
def broken(stage: Stage) -> QWidget:
    found = audit.verified(ok=False, problems=audit.BROKEN, findings=audit.FINDINGS)
    window, view = _shown(stage, **{"audit.verify": found, "audit.ask": audit.asked()})
    view.verify_button.click()
    return window


@state("audit/unreachable")
def unreachable(stage: Stage) -> QWidget:
    problem = EnvironmentProblem("database.damaged", path="/profile/site.db")
    window, view = _shown(stage, **{"audit.verify": problem, "audit.ask": audit.asked()})
    view.verify_button.click()
    return window
