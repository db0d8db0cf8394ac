"""The first start in its states."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.core.errors import EnvironmentProblem
from app.ui.preferences import Preferences
from app.ui.pretend import State
from app.ui.views.first_start import FirstStart
from app.ui.views.first_start.site_form import SiteForm
from tests.ui.fake_hospitals import FakeHospitals, invitation
from tests.ui.gallery import Stage, state


def first(stage: Stage, argument: str = "", hospitals: FakeHospitals | None = None) -> FirstStart:
    hospitals = hospitals or FakeHospitals()
    stage.kept.append(hospitals)
    return FirstStart(
        Preferences(stage.directory / "window.ini"),
        argument,
        opened=lambda _directory, _argument: None,
        language_changed=lambda: None,
        hospitals=hospitals,  # type: ignore[arg-type]
    )


@state("first_start/choices")
def choices(stage: Stage) -> QWidget:
    return first(stage)


@state("first_start/failed")
def failed(stage: Stage) -> QWidget:
    hospitals = FakeHospitals()
    made = first(stage, hospitals=hospitals)
    hospitals.failed.emit(EnvironmentProblem("pretend.busy", path="pretend"))
    return made


@state("first_start/join")
def join(stage: Stage) -> QWidget:
    return first(stage, invitation())


@state("first_start/join_wrong")
def join_wrong(stage: Stage) -> QWidget:
    made = first(stage, invitation()[:-30] + ".")
    assert isinstance(made.page, SiteForm)
    made.page.answer()
    return made


@state("first_start/start")
def start(stage: Stage) -> QWidget:
    made = first(stage)
    made.start()
    return made


@state("first_start/making")
def making(stage: Stage) -> QWidget:
    hospitals = FakeHospitals(State.STARTING)
    made = first(stage, hospitals=hospitals)
    hospitals.progress(0.4, "pretend.step.ceremony", 31.0)
    return made


@state("first_start/removing")
def removing(stage: Stage) -> QWidget:
    return first(stage, hospitals=FakeHospitals(State.REMOVING))


@state("first_start/help")
def help_(stage: Stage) -> QWidget:
    made = first(stage)
    made.help()
    return made


@state("first_start/offline")
def offline(stage: Stage) -> QWidget:
    made = first(stage)
    made.explain_preparing()
    return made
