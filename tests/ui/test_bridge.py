"""The bridge, between the window's thread and the owners of real profiles."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from app.core.errors import ConsiliumError
from app.core.jobs.job import Cancelled, Job, Progress
from app.core.services.commands import Context, Result, Steps, Values, command
from app.core.services.profile import PASSPHRASE_VARIABLE, create_profile
from app.ui import bridge as bridges
from app.ui.bridge import CONNECTED, LOST, Bridge, Call
from app.ui.programs import AgentProcess, Program
from tests.agent_sites import Sites, passphrase
from tests.fake_relay import FakeRelay


@command("test.long")
def long(context: Context, values: Values) -> Steps:
    """Report, then wait until it is cancelled."""
    context.job.report(Progress(0.25, "ui.step.running", 3.0))
    while True:
        context.job.cancel.check()
        yield 3600.0


@command("test.broken")
def broken(context: Context, values: Values) -> Result:
    """Fail in a way that nobody foresaw."""
    raise ZeroDivisionError


@pytest.fixture
def sites(tmp_path: Path) -> Sites:
    return Sites(tmp_path, FakeRelay(), count=2)


class Hears:
    """Whoever asks, and what it hears, and in which thread."""

    def __init__(self) -> None:
        self.of = QObject()
        self.results: list[Result] = []
        self.errors: list[ConsiliumError] = []
        self.progress: list[Progress] = []
        self.threads: set[threading.Thread] = set()

    def ask(self, bridge: Bridge, name: str, values: dict[str, object] | None = None) -> Call:
        def heard(where: list[object], what: object) -> None:
            where.append(what)
            self.threads.add(threading.current_thread())

        return bridge.call(
            name,
            values,
            of=self.of,
            done=lambda result: heard(self.results, result),  # type: ignore[arg-type]
            failed=lambda error: heard(self.errors, error),  # type: ignore[arg-type]
            progress=lambda progress: heard(self.progress, progress),  # type: ignore[arg-type]
        )


def test_results_and_errors_arrive_in_the_windows_thread(sites: Sites, qtbot: QtBot) -> None:
    hears = Hears()
    with sites.running(1):
        bridge = Bridge(sites.directories[0])
        hears.ask(bridge, "owner.status")
        hears.ask(bridge, "query.show", {"id": "00"})
        hears.ask(bridge, "test.broken")
        qtbot.waitUntil(lambda: len(hears.results) == 1 and len(hears.errors) == 2, timeout=20_000)
        bridge.close()
    assert hears.results[0]["site"] == "Site 1"
    assert {error.code for error in hears.errors} == {"query.unknown", "house.unexpected"}
    assert hears.threads == {threading.main_thread()}


def test_a_call_shows_progress_and_can_be_cancelled(sites: Sites, qtbot: QtBot) -> None:
    hears = Hears()
    with sites.running(1):
        bridge = Bridge(sites.directories[0])
        call = hears.ask(bridge, "test.long")
        qtbot.waitUntil(lambda: bool(hears.progress), timeout=20_000)
        call.cancel()
        qtbot.waitUntil(lambda: bool(hears.errors), timeout=20_000)
        bridge.close()
    assert hears.progress == [Progress(0.25, "ui.step.running", 3.0)]
    assert isinstance(hears.errors[0], Cancelled)


def test_closing_ends_what_is_under_way(sites: Sites, qtbot: QtBot) -> None:
    hears = Hears()
    with sites.running(1):
        bridge = Bridge(sites.directories[0])
        bridge.watch()
        for _ in range(3):
            hears.ask(bridge, "test.long")
        qtbot.waitUntil(lambda: len(hears.progress) == 3, timeout=20_000)
        bridge.close()
        qtbot.waitUntil(lambda: len(hears.errors) == 3, timeout=20_000)


def test_nobody_hears_of_a_call_when_the_widget_is_gone(sites: Sites, qtbot: QtBot) -> None:
    hears, others = Hears(), Hears()
    with sites.running(1):
        bridge = Bridge(sites.directories[0])
        hears.ask(bridge, "owner.status")
        hears.of.deleteLater()
        qtbot.waitUntil(lambda: others.ask(bridge, "owner.status") is not None and bool(others.results), timeout=20_000)
        bridge.close()
    assert hears.results == []


class SlowOwner:
    """Is slow to keep a draft, so that what follows could overtake it; stops what it is asked to stop."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self._cleared = threading.Event()

    @contextmanager
    def connect(self, _directory: Path, **_how: object) -> Iterator[SlowOwner]:
        yield self

    def call(self, name: str, _values: Mapping[str, object], job: Job) -> Result:
        stopped = threading.Event()
        with job.cancel.interrupting(stopped.set):
            if name == "draft.save":
                self._cleared.wait(0.5)
            elif stopped.wait(0.1):
                raise Cancelled
        self.kept.append(name)
        if name == "draft.clear":
            self._cleared.set()
        return {}


def test_what_is_written_last_is_kept_in_its_order_also_when_the_window_closes(
    tmp_path: Path, qapp: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, hears = SlowOwner(), Hears()
    monkeypatch.setattr(bridges, "connect", owner.connect)
    bridge = Bridge(tmp_path)
    hears.ask(bridge, "draft.save")
    hears.ask(bridge, "draft.clear")
    bridge.close()
    assert owner.kept == ["draft.save", "draft.clear"]


def test_changes_at_the_site_are_told(sites: Sites, qtbot: QtBot) -> None:
    with sites.running(1):
        bridge = Bridge(sites.directories[0])
        with qtbot.waitSignal(bridge.changed, timeout=20_000):
            bridge.watch()
        assert bridge.connection == CONNECTED
        with qtbot.waitSignal(bridge.changed, timeout=20_000):
            Hears().ask(bridge, "policy.set", {"mode": "ask", "exact": None, "noised": None, "others": None})
    qtbot.waitUntil(lambda: bridge.connection == LOST, timeout=20_000)
    bridge.close()


def test_the_window_starts_the_owner_and_ends_it(tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "passphrase.txt"
    secret.write_bytes(passphrase().reveal() + b"\n")
    monkeypatch.setenv(PASSPHRASE_VARIABLE, str(secret))
    create_profile(tmp_path / "site", name="Bern", contact="+41", passphrase=passphrase).close()
    bridge, agent = Bridge(tmp_path / "site"), AgentProcess(tmp_path / "site")
    hears = Hears()
    bridge.connection_changed.connect(lambda: hears.ask(bridge, "site.overview"))
    with qtbot.waitSignal(bridge.connection_changed, timeout=60_000):
        bridge.watch()
        agent.ensure()
    qtbot.waitUntil(lambda: bool(hears.results), timeout=20_000)
    assert agent.ours
    assert hears.results[0]["site"] == "Bern"
    assert hears.results[0]["federation"] == ""
    bridge.close()
    agent.stop()
    assert not agent.ours


def test_a_command_that_needs_no_profile(tmp_path: Path, qtbot: QtBot) -> None:
    of, results, errors = QObject(), [], []
    Program(["profile", "list", str(tmp_path)], of=of, done=results.append, failed=errors.append)
    qtbot.waitUntil(lambda: bool(results) or bool(errors), timeout=60_000)
    assert errors == []
    assert "profiles" in results[0]
    Program(["data", "inspect", str(tmp_path / "none.consilium")], of=of, done=results.append, failed=errors.append)
    qtbot.waitUntil(lambda: bool(errors), timeout=60_000)
    assert errors[0].code.startswith(("file.", "package."))
