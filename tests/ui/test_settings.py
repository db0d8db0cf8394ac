"""Settings: every change takes effect at once and is remembered; places and profiles are shown as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QLabel, QPlainTextEdit, QPushButton, QSystemTrayIcon
from pytestqt.qtbot import QtBot

from app.core import paths
from app.core.errors import EnvironmentProblem
from app.texts import text
from app.ui.autostart import DesktopEntry
from app.ui.context import Context
from app.ui.jobs import Running
from app.ui.preferences import Preferences
from app.ui.theme import theme
from app.ui.views import licences
from app.ui.views import settings as module
from app.ui.views.settings import SettingsView
from app.ui.widgets.dialogs import Dialog
from app.ui.window import Window
from tests.ui import examples
from tests.ui.fakes import FakeBridge
from tests.ui.gallery_settings import FINDINGS, KEYS, listing, profile


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DesktopEntry:
    """The entry that starts the program with the computer, in a place of the test's own."""
    made = DesktopEntry(tmp_path / "autostart" / "consilium.desktop")
    monkeypatch.setattr(module, "autostart", lambda _profile: made)
    return made


@pytest.fixture
def window(
    qtbot: QtBot,
    tmp_path: Path,
    preferences: Preferences,
    fake_bridge: FakeBridge,
    entry: DesktopEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> Window:
    fake_bridge.answers |= {"keys.status": KEYS, "relay.check": FINDINGS}
    here = profile(str(tmp_path / "profile"), "Lausanne", "Swiss Lung Study")
    other = profile(str(tmp_path / "heart"), "Lausanne", "Heart Failure Network")
    broken = profile(str(tmp_path / "old"), "", "", state="unreadable", problem="profile.newer")
    monkeypatch.setattr(SettingsView, "run", staticmethod(listing([here, other, broken])))
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: True)
    made = Window(tmp_path / "profile", preferences, bridge=fake_bridge)  # type: ignore[arg-type]
    qtbot.addWidget(made)
    made.context.standing.refresh()
    made.navigate("settings")
    made.show()
    return made


@pytest.fixture
def view(window: Window) -> SettingsView:
    found = window.view("settings")
    assert isinstance(found, SettingsView)
    return found


def words(widget: Any) -> str:
    return " ".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def press(widget: Any, text: str) -> None:
    next(each for each in widget.findChildren(QPushButton) if each.isVisible() and each.text() == text).click()


def test_the_language_changes_at_once(view: SettingsView, window: Window, preferences: Preferences) -> None:
    told: list[str] = []
    window.language_changed = lambda: told.append(preferences.language)
    view.language.set_value("de")
    view.language.chosen.emit("de")
    assert told == ["de"], "it is remembered before the window is built again"


def test_the_language_waits_for_a_running_job(
    view: SettingsView, window: Window, preferences: Preferences, qtbot: QtBot
) -> None:
    told: list[list[str]] = []
    window.language_changed = lambda: told.append(list(heard))
    heard: list[str] = []
    job = Running("Import", cancel=lambda: None)
    window.context.jobs.begin(job)
    view.language.chosen.emit("de")
    assert preferences.language == "de"
    assert text("ui.settings.language_later") in words(view.banners)
    window.context.jobs.end(job)
    heard.append("the end")
    qtbot.waitUntil(lambda: bool(told))
    window.context.jobs.changed.emit()
    QApplication.processEvents()
    assert told == [["the end"]], "once, and after whoever ran the job"


def test_the_look_changes_at_once(view: SettingsView, preferences: Preferences) -> None:
    view.look.set_value("dark")
    view.look.chosen.emit("dark")
    assert theme().dark
    assert preferences.appearance == "dark"


def test_motion_and_tray_are_remembered_at_once(view: SettingsView, preferences: Preferences) -> None:
    view.motion.click()
    view.tray.click()
    assert theme().reduced_motion
    assert (preferences.reduced_motion, preferences.keep_answering) == (True, True)
    view.motion.click()
    assert not theme().reduced_motion


def test_without_a_tray_nothing_can_stay_in_it(
    qtbot: QtBot, context: Any, fake_bridge: FakeBridge, entry: DesktopEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: False)
    monkeypatch.setattr(SettingsView, "run", staticmethod(listing([])))
    fake_bridge.answers["keys.status"] = KEYS
    view = SettingsView(context)
    qtbot.addWidget(view)
    view.show()
    assert not view.tray.isEnabled()
    assert "“consilium agent” answers without a window" in words(view)


def test_starting_with_the_computer(view: SettingsView, entry: DesktopEntry, tmp_path: Path) -> None:
    assert not view.login.isChecked()
    view.login.click()
    assert view.login.isChecked()
    assert "--tray" in entry.path.read_text("utf-8")
    assert str(tmp_path / "profile") in entry.path.read_text("utf-8")
    view.login.click()
    assert not entry.enabled


def test_an_entry_that_cannot_be_made_is_said_and_not_shown_as_made(
    view: SettingsView, entry: DesktopEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_command: object) -> None:
        raise EnvironmentProblem("ui.settings.autostart_failed", place="/etc/xdg", reason="Permission denied")

    monkeypatch.setattr(entry, "enable", forbidden)
    view.login.click()
    assert not view.login.isChecked()
    assert "Permission denied" in words(view.banners)


def test_profiles_can_be_switched_where_they_can_be_read(view: SettingsView, window: Window, tmp_path: Path) -> None:
    switched: list[Path] = []
    window.switch_profile = switched.append
    buttons = [each for each in view.findChildren(QPushButton) if each.isVisible() and each.text() == "Switch"]
    assert [each.accessibleName() for each in buttons] == ["Switch to Lausanne – Heart Failure Network"]
    buttons[0].click()
    assert switched == [tmp_path / "heart"]


def test_a_profile_is_not_left_in_the_middle_of_a_job_unasked(
    view: SettingsView, window: Window, tmp_path: Path
) -> None:
    switched: list[Path] = []
    window.switch_profile = switched.append
    window.context.jobs.begin(Running("Import", cancel=lambda: None))
    for answer, expected in ((Dialog.reject, []), (Dialog.answer, [tmp_path / "heart"])):
        press(view, "Switch")
        question = next(each for each in window.findChildren(Dialog) if each.isVisible())
        assert "Import is still running" in words(question)
        answer(question)
        assert switched == expected


def test_profiles_are_looked_for_when_the_view_appears_only(
    view: SettingsView, fake_bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[list[str]] = []
    monkeypatch.setattr(SettingsView, "run", staticmethod(lambda arguments, **_others: looked.append(arguments)))
    fake_bridge.stir()
    assert looked == [], "each time is a process of its own"
    view.hide()
    view.show()
    assert len(looked) == 1


def test_keys_places_and_version_are_shown(view: SettingsView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(QUrl(url).toLocalFile()))
    shown = words(view)
    assert "GNOME Keyring (Secret Service)" in shown
    assert str(tmp_path / "profile") in shown
    assert "not a medical device" in shown
    for each in view.findChildren(QPushButton):
        if each.accessibleName() in ("Open the storage folder", "Open the log folder"):
            each.click()
    assert opened == [str(tmp_path / "profile"), str(tmp_path / "profile" / "logs")]


def test_keys_that_cannot_be_reached_are_said(view: SettingsView, fake_bridge: FakeBridge) -> None:
    fake_bridge.answers["keys.status"] = EnvironmentProblem("keyring.locked")
    fake_bridge.stir()
    assert "The keyring is locked." in words(view.banners)


def test_the_way_to_the_relay_is_checked(view: SettingsView, fake_bridge: FakeBridge, qtbot: QtBot) -> None:
    assert "https://relay.example.org" in words(view.relay)
    view.relay.check.click()
    assert len(fake_bridge.named("relay.check")) == 1
    qtbot.waitUntil(lambda: "proxy:3128" in words(view.relay))


def test_pretend_hospitals_are_removed_after_a_question(
    view: SettingsView, fake_bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []

    class Hospitals:
        def remove(self) -> None:
            removed.append("all")

    monkeypatch.setattr(module, "pretend_hospitals", Hospitals)
    assert not view._pretend.isVisible()
    fake_bridge.answers["site.overview"] = examples.overview(pretend=True)
    fake_bridge.stir()
    view._pretend.remove.click()
    assert removed == []
    next(each for each in view.findChildren(Dialog) if each.isVisible()).answer()
    assert removed == ["all"]


def test_the_licences_of_all_libraries_are_listed(view: SettingsView) -> None:
    press(view, "Licences")
    dialog = next(each for each in view.findChildren(Dialog) if each.isVisible())
    shown = dialog.findChild(QPlainTextEdit)
    assert shown is not None
    lines = shown.toPlainText().splitlines()
    assert any(line.startswith("PySide6") and "LGPL" in line for line in lines)
    assert not any(line.startswith("consilium ") for line in lines)
    assert all(licence != "" for _, _, licence in licences.libraries())
    dialog.answer()
    assert not dialog.isVisible()


def test_what_it_has_fixed_is_shown(
    context: Context, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "managed.toml"
    monkeypatch.setattr(paths, "managed_settings", lambda: file)

    def shown() -> list[str]:
        view = SettingsView(context)
        qtbot.addWidget(view)
        view.show()
        return [each.text() for each in view.fixed.findChildren(QLabel) if each.isVisible()]

    assert shown() == []
    file.write_text("[relay]\naddress = 'https://relay.example'\n[modes]\ncreate = false\n[policy]\nsmallest = 11\n")
    words = shown()
    assert {"Fixed by your IT", "Relay", "https://relay.example", "Creating federations", "not allowed"} <= set(words)
    assert "smallest" in words
    assert any(str(file) in each for each in words)
    file.write_text("[relay")  # the window opens no other time with such a file, but it may become so
    view = SettingsView(context)
    qtbot.addWidget(view)
    assert any(str(file) in each.text() for each in view.fixed.findChildren(QLabel))
