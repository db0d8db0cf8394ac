"""The frame: rail, status bar, banners, one program a profile, files from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6 import QtGui
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QTextDocument
from PySide6.QtWidgets import QApplication, QLabel, QSystemTrayIcon, QToolButton
from pytestqt.qtbot import QtBot

import app.ui
from app.core import paths
from app.core.errors import EnvironmentProblem
from app.core.jobs.job import Progress
from app.core.services.local_address import window_socket
from app.core.settings import current
from app.texts import text
from app.ui import application
from app.ui.application import OneProgram, choose_profile, read_arguments, refuse_profile, refuse_to_start
from app.ui.jobs import Running
from app.ui.preferences import Preferences
from app.ui.programs import AgentProcess
from app.ui.views.view import View
from app.ui.widgets.dialogs import Dialog
from app.ui.widgets.feedback import Banner
from app.ui.widgets.text import ElidedLabel
from app.ui.window import Window
from tests.killed_preparation import leave_clear_data
from tests.ui import examples
from tests.ui.fakes import FakeBridge


@pytest.fixture
def window(fake_bridge: FakeBridge, preferences: Preferences, tmp_path: Path, qtbot: QtBot) -> Window:
    made = Window(tmp_path / "profile", preferences, bridge=fake_bridge)  # type: ignore[arg-type]
    qtbot.addWidget(made)
    made.context.standing.refresh()
    made.navigate("home")
    made.show()
    return made


class Opened(View):
    """A view that notes what it is told to open."""

    name = "data"

    def open(self, argument: object = None) -> None:
        self.opened = argument


@pytest.fixture
def noting(window: Window, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Opened]:
    def put(name: str) -> Opened:
        view = Opened(window.context)
        window._views[name] = view
        window.stack.addWidget(view)
        return view

    return put


def parts(window: Window) -> list[str]:
    """What the status bar says."""
    return [each.text() for each in window.findChildren(QToolButton) if each.isVisible() and each.text()]


def test_the_status_bar_says_where_the_site_stands(window: Window, fake_bridge: FakeBridge) -> None:
    assert parts(window) == ["Swiss Lung Study", "Relay connected", "2 of 3 sites reachable", "No jobs running"]
    fake_bridge.answers["site.overview"] = examples.overview(connection="offline", trouble="relay.unreachable")
    fake_bridge.stir()
    assert "Working offline" in parts(window)
    fake_bridge.answers["site.overview"] = examples.nowhere()
    fake_bridge.stir()
    assert parts(window)[:2] == ["No federation on this computer", "Nothing leaves this computer"]


def test_jobs_are_shown_and_can_be_cancelled(window: Window, fake_bridge: FakeBridge) -> None:
    ended: list[object] = []
    job = window.context.jobs.run("Import", "data.import", {}, of=window, done=ended.append, failed=ended.append)
    (call,) = fake_bridge.named("data.import")
    call.report(Progress(0.4, "data.import.residues", 12.0))
    assert parts(window)[-1] == "Import, 40%"
    job.cancel()
    assert call.cancelled
    window.context.jobs.end(job)
    assert parts(window)[-1] == "No jobs running"


def test_what_waits_is_part_of_the_name(window: Window) -> None:
    item = next(each for each in window.rail.children() if getattr(each, "name", "") == "requests")
    assert item.accessibleName() == "Requests, 2 waiting"


def test_the_keyboard_moves_between_places(window: Window, noting: Callable[[str], Opened], qtbot: QtBot) -> None:
    for name in ("explore", "results", "data"):
        noting(name)
    home = next(each for each in window.rail.children() if getattr(each, "name", "") == "home")
    home.setFocus()
    qtbot.keyClick(home, Qt.Key.Key_Down)
    focused = QApplication.focusWidget()
    assert getattr(focused, "name", "") == "explore"
    qtbot.keyClick(focused, Qt.Key.Key_Return)
    assert window.stack.currentWidget() is window.view("explore")
    qtbot.keyClick(window, Qt.Key.Key_5, Qt.KeyboardModifier.ControlModifier)
    assert window.stack.currentWidget() is window.view("data")


def test_an_error_that_nobody_hears_is_a_banner(window: Window, fake_bridge: FakeBridge) -> None:
    fake_bridge.failed.emit(EnvironmentProblem("owner.lost", path="/profile"))
    (banner,) = [each for each in window.banners.findChildren(Banner) if each.isVisible()]
    assert banner.fact
    assert "/profile" in banner.fact


def test_pretend_hospitals_are_marked_on_every_screen(window: Window, fake_bridge: FakeBridge) -> None:
    assert not window._strip.isVisible()
    fake_bridge.answers["site.overview"] = examples.overview(pretend=True)
    fake_bridge.stir()
    assert window._strip.isVisible()


def dropped(window: Window, *urls: str) -> bool:
    mime = QMimeData()
    mime.setUrls([QUrl(url) for url in urls])
    event = QDropEvent(
        QPointF(5, 5), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    event.ignore()
    window.dropEvent(event)
    return event.isAccepted()


def test_a_package_that_is_dropped_opens_in_data(window: Window, noting: Callable[[str], Opened]) -> None:
    data = noting("data")
    assert dropped(window, "file:///exports/lung.consilium")
    assert data.opened == Path("/exports/lung.consilium").absolute()
    assert window.current == "data"


@pytest.mark.parametrize("urls", [["file:///a.csv"], ["https://x.example/a.consilium"], ["file:///a.consilium"] * 2])
def test_other_things_are_not_taken(window: Window, urls: list[str]) -> None:
    assert not dropped(window, *urls)


def test_an_invitation_opens_in_federation(window: Window, noting: Callable[[str], Opened]) -> None:
    view = noting("federation")
    window.open_argument("consilium-invitation:abc.")
    assert view.opened == "consilium-invitation:abc."


def test_the_place_and_size_are_remembered(window: Window, preferences: Preferences) -> None:
    window.resize(1100, 700)
    window.close()
    assert not preferences.state("window").isEmpty()


def test_it_stays_in_the_tray_when_that_is_wished(window: Window) -> None:
    window.closing = lambda: False
    window.close()
    assert not window.isVisible()
    window.closing = lambda: True


def test_closing_asks_before_it_stops_a_job(window: Window) -> None:
    closed: list[bool] = []
    window.closing = lambda: not closed.append(True)
    for title in ("Import", "Export"):
        window.context.jobs.begin(Running(title, cancel=lambda: None))
    window.close()
    question = next(each for each in window.findChildren(Dialog) if each.isVisible())
    assert text("ui.stop.jobs", count=2) in [each.text() for each in question.findChildren(QLabel)]
    question.reject()
    assert closed == []
    assert window.isVisible()
    window.close()
    next(each for each in window.findChildren(Dialog) if each.isVisible()).answer()
    assert closed == [True]
    assert not window.isVisible()


def test_the_end_of_the_session_and_the_tray_ask_nothing(window: Window) -> None:
    window.context.jobs.begin(Running("Import", cancel=lambda: None))
    window.asks = lambda: False
    window.close()
    assert not window.isVisible()
    assert window.findChildren(Dialog) == []


def test_a_program_asks_unless_it_quits_or_stays(
    fake_bridge: FakeBridge,
    preferences: Preferences,
    tmp_path: Path,
    qapp: QApplication,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def make(directory: Path, wishes: Preferences, *, agent: AgentProcess | None) -> Window:
        return Window(directory, wishes, bridge=fake_bridge, agent=agent)  # type: ignore[arg-type]

    monkeypatch.setattr(application, "Window", make)
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: True)
    program = application.Program(qapp, preferences)
    program._show_window(tmp_path / "profile", "")
    window = program.window
    assert window is not None
    qtbot.addWidget(window)
    assert window.asks()
    preferences.keep_answering = True
    assert not window.asks(), "it goes on in the tray"
    preferences.keep_answering = False
    program._quitting = True
    assert not window.asks()
    program.deleteLater()


def test_a_second_start_hands_over_what_it_was_given(tmp_path: Path, qtbot: QtBot) -> None:
    first, second = OneProgram(tmp_path), OneProgram(tmp_path)
    assert not first.hand_over("")
    first.serve()
    with qtbot.waitSignal(first.called, timeout=10_000) as heard:
        assert second.hand_over("/data/lung.consilium")
    assert heard.args == ["/data/lung.consilium"]
    assert not OneProgram(tmp_path / "another").hand_over("")


def test_arguments() -> None:
    assert read_arguments(["--profile", "/p", "x.consilium"]) == (Path("/p"), "x.consilium")
    assert read_arguments(["x.consilium"]) == (None, "x.consilium")
    assert read_arguments([]) == (None, "")


def test_the_last_profile_is_opened_again(tmp_path: Path, preferences: Preferences) -> None:
    assert choose_profile(preferences) is None
    place = tmp_path / "site"
    place.mkdir()
    preferences.profile = place
    assert choose_profile(preferences) is None  # it is gone, or was never finished
    (place / "site.db").touch()
    assert choose_profile(preferences) == place


def test_a_profile_that_is_named_and_not_there_is_refused(
    tmp_path: Path, qapp: QApplication, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refuse_profile(tmp_path / "none", quietly=True) == 1
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_nobody_else_can_listen_in_the_windows_place(tmp_path: Path) -> None:
    place = Path(window_socket(tmp_path, windows=False)).parent
    assert place.stat().st_mode & 0o077 == 0
    assert place.stat().st_uid == os.geteuid()


@pytest.mark.parametrize("words", ["Dr X <img src='/etc/passwd'> tel", "<b>Bern</b>", "a < b & c"])
def test_tool_tips_show_words_as_they_are(words: str, qtbot: QtBot) -> None:
    label = ElidedLabel(words * 20)
    qtbot.addWidget(label)
    label.resize(60, 20)
    label.show()
    shown = QTextDocument()
    (shown.setHtml if QtGui.Qt.mightBeRichText(label.toolTip()) else shown.setPlainText)(label.toolTip())
    assert shown.toPlainText() == words * 20


def test_every_tool_tip_goes_through_one_place() -> None:
    bare = [
        f"{path.name}:{number}"
        for path in Path(app.ui.__file__).parent.rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if "setToolTip(" in line
        and "setToolTip(tip(" not in line
        and "text(" not in line
        and "QKeySequence" not in line
    ]
    assert bare == [next(each for each in bare if each.startswith("application.py"))]  # the program's own name


def test_an_agent_that_cannot_start_is_not_started_again_at_once(tmp_path: Path, qtbot: QtBot) -> None:
    agent, told = AgentProcess(tmp_path / "none"), []
    agent.died.connect(told.append)
    agent.ensure()
    qtbot.waitUntil(lambda: bool(told), timeout=60_000)
    agent.ensure()
    assert not agent.ours  # it rests first
    agent.ensure(now=True)
    assert agent.ours
    qtbot.waitUntil(lambda: not agent.ours, timeout=60_000)
    assert len(told) == 1  # the same again is no news
    agent.stop()


PROGRAM = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from app.ui.application import main

def ready(program):
    def look():
        if not Path(sys.argv[1]).exists():
            timer.stop()
            program.quit()
    timer = QTimer(program, interval=20)
    timer.timeout.connect(look)
    timer.start()

sys.exit(main([], ready))
"""


def test_a_window_that_starts_removes_clear_data_of_a_killed_preparation() -> None:
    left = leave_clear_data()
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([sys.executable, "-c", PROGRAM, str(left)], env=environment, check=True, timeout=60)
    assert not left.exists()


def test_settings_of_it_that_cannot_be_read_are_named_before_anything_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "managed.toml"
    file.write_text("[relay]\naddress = 5\n")
    monkeypatch.setattr(paths, "managed_settings", lambda: file)
    with pytest.raises(EnvironmentProblem) as caught:
        current()
    assert refuse_to_start(caught.value, quietly=True) == 1
    assert f"{file}, line 2" in capsys.readouterr().err
