"""The first start: its ways lead where they say, and say at the field what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from app.core.errors import ConsiliumError, EnvironmentProblem, UserError
from app.texts import text
from app.ui.application import Program as Application
from app.ui.preferences import Preferences
from app.ui.pretend import State
from app.ui.views.first_start import FirstStart, start
from app.ui.views.first_start.site_form import SiteForm
from app.ui.views.first_start.trial import MakingPage
from tests.ui.fake_hospitals import FakeHospitals, invitation

Programs = list["FakeProgram"]


class FakeProgram:
    """A command that ends as the test says."""

    def __init__(
        self,
        arguments: list[str],
        *,
        of: QObject,
        done: Callable[[Mapping[str, Any]], object],
        failed: Callable[[ConsiliumError], object],
        standard_input: bytes = b"",
    ) -> None:
        self.arguments, self.done, self.failed, self.standard_input = arguments, done, failed, standard_input


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Programs:
    """The commands that were run."""
    made: Programs = []

    def run(*arguments: Any, **named: Any) -> FakeProgram:
        made.append(FakeProgram(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(start, "Program", run)
    monkeypatch.setattr(start.paths, "default_profile", lambda: tmp_path / "profiles" / "default")
    return made


@pytest.fixture
def hospitals() -> FakeHospitals:
    return FakeHospitals()


@pytest.fixture
def opened() -> list[tuple[Path, str]]:
    """The profiles that were opened."""
    return []


@pytest.fixture
def first(
    qtbot: QtBot,
    preferences: Preferences,
    programs: Programs,
    hospitals: FakeHospitals,
    opened: list[tuple[Path, str]],
) -> FirstStart:
    made = FirstStart(
        preferences,
        "",
        opened=lambda directory, argument: opened.append((directory, argument)),
        language_changed=lambda: None,
        hospitals=hospitals,  # type: ignore[arg-type]
    )
    qtbot.addWidget(made)
    made.show()
    return made


def form(first: FirstStart) -> SiteForm:
    assert isinstance(first.page, SiteForm)
    return first.page


def test_starting_one_makes_a_site_and_goes_on_with_the_federation(
    first: FirstStart, programs: Programs, opened: list[tuple[Path, str]], qtbot: QtBot, tmp_path: Path
) -> None:
    first.start()
    form(first).name.setText(" Lausanne ")
    form(first).contact.setText("Research office, +41")
    qtbot.keyClick(form(first).contact, Qt.Key.Key_Return)
    (run,) = programs
    place = tmp_path / "profiles" / "default"
    assert run.arguments == [
        "site", "init", "--name", "Lausanne", "--contact", "Research office, +41", "--profile", str(place),
    ]  # fmt: skip
    assert not form(first).go.isEnabled()
    run.done({})
    assert opened == [(place, "federation/create")]


def test_what_is_missing_is_said_at_its_field(first: FirstStart, programs: Programs, qtbot: QtBot) -> None:
    first.start()
    qtbot.mouseClick(form(first).go, Qt.MouseButton.LeftButton)
    assert programs == []
    assert form(first).name.accessibleDescription() == text("ui.first_start.name_needed")
    assert form(first).contact.accessibleDescription() == text("ui.first_start.contact_needed")
    form(first).name.setText("L")
    assert form(first).name.accessibleDescription() == text("ui.first_start.name_hint")


def test_a_site_that_cannot_be_made_says_why_and_can_be_tried_again(first: FirstStart, programs: Programs) -> None:
    first.start()
    form(first).name.setText("Lausanne")
    form(first).contact.setText("x")
    form(first).answer()
    programs[0].failed(EnvironmentProblem("keyring.locked"))
    assert form(first).banners.isVisible()
    assert form(first).go.isEnabled()


def test_an_invitation_says_what_it_is_for_and_gives_the_site_its_name(
    first: FirstStart, programs: Programs, opened: list[tuple[Path, str]]
) -> None:
    first.join()
    form(first).invitation.set_text("Good morning,\n" + invitation("Bern") + "\nBest regards")
    assert form(first).name.text() == "Bern"
    assert not form(first).name.isEnabled()
    form(first).contact.setText("+41")
    form(first).answer()
    programs[0].done({})
    assert programs[1].arguments[:3] == ["federation", "join", "-"]
    assert invitation("Bern").encode() in programs[1].standard_input
    assert opened == []
    programs[1].done({})
    ((_, argument),) = opened
    assert invitation("Bern") in argument


def test_a_relay_that_is_away_keeps_nobody_from_going_on(
    first: FirstStart, programs: Programs, opened: list[tuple[Path, str]]
) -> None:
    first.open_argument(invitation())
    form(first).contact.setText("+41")
    form(first).answer()
    programs[0].done({})
    programs[1].failed(EnvironmentProblem("relay.unreachable", host="relay.example.org", port=443))
    assert [argument for _, argument in opened] == [invitation()]


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda whole: "", "invitation.missing"),
        (lambda whole: whole[:-20], "invitation.incomplete"),
        (lambda whole: whole[:-20] + ".", "invitation.mangled"),
    ],
)
def test_a_damaged_invitation_is_refused_at_its_field(
    first: FirstStart, programs: Programs, damage: Callable[[str], str], code: str
) -> None:
    from app.texts import explain

    first.join()
    form(first).invitation.set_text(damage(invitation()))
    form(first).name.setText("Lausanne")
    form(first).contact.setText("+41")
    form(first).answer()
    assert programs == []
    assert form(first).invitation.edit.accessibleDescription().startswith(explain(UserError(code)).what)


def test_an_invitation_comes_from_a_file_too(first: FirstStart, tmp_path: Path) -> None:
    path = tmp_path / "invitation.txt"
    path.write_text(invitation("Zürich"), "utf-8")
    first.join()
    form(first).invitation.read_file(path)
    assert form(first).name.text() == "Zürich"
    form(first).invitation.read_file(tmp_path / "nowhere")
    assert form(first).invitation.edit.accessibleDescription()


def test_the_pretend_hospitals_are_made_with_progress_and_then_opened(
    first: FirstStart, hospitals: FakeHospitals, opened: list[tuple[Path, str]], qtbot: QtBot, tmp_path: Path
) -> None:
    assert first.focusWidget() is first.choices.try_it
    qtbot.keyClick(first.choices.try_it, Qt.Key.Key_Return)
    assert hospitals.said == ["start"]
    assert isinstance(first.page, MakingPage)
    hospitals.progress(0.5, "pretend.step.ceremony", 30.0)
    states = [step.state for step in first.page._timeline.steps]
    assert states == ["done", "done", "done", "running", "later", "later"]
    assert text("ui.left_seconds", seconds=30) in first.page._left.text()
    hospitals.run(tmp_path)
    assert opened == [(tmp_path, "")]


def test_making_them_can_be_cancelled_and_a_failure_says_why(
    first: FirstStart, hospitals: FakeHospitals, qtbot: QtBot
) -> None:
    first.try_it()
    assert isinstance(first.page, MakingPage)
    qtbot.mouseClick(first.page.cancel, Qt.MouseButton.LeftButton)
    assert hospitals.said == ["start", "cancel"]
    assert first.page is first.choices
    first.try_it()
    hospitals.be(State.RESTING)
    hospitals.failed.emit(EnvironmentProblem("pretend.busy", path="x"))
    assert first.page is first.choices
    assert first.choices.banners.isVisible()


def test_a_removal_that_failed_is_tried_again_as_one(first: FirstStart, hospitals: FakeHospitals) -> None:
    hospitals.remove()
    assert first.page is not first.choices
    hospitals.be(State.RESTING)
    hospitals.failed.emit(EnvironmentProblem("profile.in_use", path="x", program="p", pid=1))
    assert first.page is first.choices
    (again,) = (b for b in first.choices.banners.findChildren(QPushButton) if b.text() == text("ui.try_again"))
    again.click()
    assert hospitals.said == ["remove", "remove"]


def test_every_page_leads_back(first: FirstStart, qtbot: QtBot) -> None:
    for go in (first.join, first.start, first.help, first.explain_preparing):
        go()
        assert first.page is not first.choices
        qtbot.keyClick(first, Qt.Key.Key_Escape)
        assert first.page is first.choices


def test_the_language_is_remembered(first: FirstStart, preferences: Preferences) -> None:
    first.language.set_value("fr")
    first.language.chosen.emit("fr")
    assert preferences.language == "fr"


def test_a_second_site_gets_a_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = tmp_path / "default"
    taken.mkdir()
    (taken / "site.db").write_bytes(b"")
    monkeypatch.setattr(start.paths, "default_profile", lambda: taken)
    assert start.free_place() == tmp_path / "site-2"


def test_an_invitation_outlasts_a_change_of_language(
    qapp: QApplication,
    qtbot: QtBot,
    preferences: Preferences,
    hospitals: FakeHospitals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(start, "pretend_hospitals", lambda: hospitals)
    program = Application(qapp, preferences)
    program._show_first_start(invitation("Bern"))
    before = program._first
    assert isinstance(before, FirstStart)
    before.language.chosen.emit("de")
    after = program._first
    assert isinstance(after, FirstStart)
    qtbot.addWidget(after)
    assert after is not before
    assert after.language.value == "de"
    assert form(after).name.text() == "Bern"
    program._quitting = True  # closing it is not to end the tests
    program.deleteLater()
