"""The pretend hospitals beside the window: started, cancelled, ended, removed, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

from app.core.errors import ConsiliumError, EnvironmentProblem
from app.core.services.pretend import own_profile
from app.ui import pretend
from app.ui.pretend import PretendHospitals, State, is_pretend, pretend_hospitals


class FakeCompanion(QObject):
    """A companion that the test ends."""

    ready = Signal(object)
    progressed = Signal(object)
    ended = Signal(object)
    made: list[FakeCompanion]

    def __init__(self, arguments: list[str], parent: QObject) -> None:
        super().__init__(parent)
        self.arguments, self.ending = arguments, False
        FakeCompanion.made.append(self)

    def end(self) -> None:
        self.ending = True

    def end_now(self) -> None:
        self.ending = True


class Removal:
    """A removal that the test ends."""

    def __init__(
        self,
        arguments: list[str],
        *,
        of: QObject,
        done: Callable[[Mapping[str, Any]], object],
        failed: Callable[[ConsiliumError], object],
    ) -> None:
        self.arguments, self.done, self.failed = arguments, done, failed


@pytest.fixture
def removals(monkeypatch: pytest.MonkeyPatch) -> list[Removal]:
    FakeCompanion.made = []
    made: list[Removal] = []

    def remove(*arguments: Any, **named: Any) -> Removal:
        made.append(Removal(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(pretend, "Companion", FakeCompanion)
    monkeypatch.setattr(pretend, "Program", remove)
    return made


@pytest.fixture
def hospitals(qapp: QApplication, removals: list[Removal]) -> PretendHospitals:
    return PretendHospitals(qapp)


def heard(hospitals: PretendHospitals) -> list[object]:
    """What they say from now on."""
    said: list[object] = []
    hospitals.ready.connect(lambda profile: said.append(("ready", profile)))
    hospitals.failed.connect(lambda error: said.append(("failed", error.code)))
    hospitals.leaving.connect(lambda: said.append("leaving"))
    hospitals.removed.connect(lambda: said.append("removed"))
    return said


def test_they_run_once_they_say_so(hospitals: PretendHospitals) -> None:
    said = heard(hospitals)
    hospitals.start()
    hospitals.start()
    (companion,) = FakeCompanion.made
    assert companion.arguments == ["pretend", "run"]
    assert hospitals.state is State.STARTING
    companion.ready.emit({"state": "running"})
    assert hospitals.state is State.RUNNING
    assert said == [("ready", own_profile())]
    assert is_pretend(own_profile())
    hospitals.end()
    assert companion.ending


def test_what_goes_wrong_is_told_and_can_be_tried_again(hospitals: PretendHospitals) -> None:
    said = heard(hospitals)
    hospitals.start()
    FakeCompanion.made[0].ended.emit(EnvironmentProblem("pretend.busy", path="x"))
    assert (said, hospitals.state) == ([("failed", "pretend.busy")], State.RESTING)
    hospitals.start()
    assert len(FakeCompanion.made) == 2


def test_cancelling_is_no_failure(hospitals: PretendHospitals) -> None:
    said = heard(hospitals)
    hospitals.start()
    hospitals.cancel()
    (companion,) = FakeCompanion.made
    assert companion.ending
    companion.ended.emit(None)
    assert (said, hospitals.state) == ([], State.RESTING)


def test_they_end_and_are_let_go_of_before_they_are_removed(
    hospitals: PretendHospitals, removals: list[Removal]
) -> None:
    hospitals.start()
    (companion,) = FakeCompanion.made
    companion.ready.emit({})
    said = heard(hospitals)
    hospitals.remove()
    hospitals.remove()
    assert (said, removals) == (["leaving"], [])
    companion.ended.emit(None)
    (removal,) = removals
    assert removal.arguments == ["pretend", "remove"]
    removal.done({"removed": True})
    assert (said, hospitals.state) == (["leaving", "removed"], State.RESTING)


def test_a_removal_that_fails_says_so(hospitals: PretendHospitals, removals: list[Removal]) -> None:
    said = heard(hospitals)
    hospitals.remove()
    removals[0].failed(EnvironmentProblem("profile.in_use", path="x"))
    assert (said, hospitals.state) == (["leaving", ("failed", "profile.in_use")], State.RESTING)


def test_there_is_one(qapp: QApplication) -> None:
    assert pretend_hospitals() is pretend_hospitals()
