"""Two hospitals come together through their windows: two views, two owners at work, a real relay between them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.core.crypto import passphrase as passphrases
from app.core.services import site as service
from app.core.services.agent import Agent, relay_line
from app.core.services.carrying import Backoff
from app.core.services.membership import membership
from app.core.services.owner import Owner
from app.core.services.owner_clients import nothing
from app.core.services.profile import create_profile
from app.ui.bridge import Bridge
from app.ui.context import Context, Standing
from app.ui.jobs import Jobs
from app.ui.preferences import Preferences
from app.ui.views.federation import FederationView
from app.ui.views.federation.gather import StartDialog
from app.ui.views.federation.invite import InviteDialog
from app.ui.views.federation.keys import SheetDialog
from tests.agent_sites import opened, passphrase
from tests.federation_sites import PARAMETERS, Inline
from tests.relay_server import RelayServer, relay

__all__ = ["relay"]

LONG = 60_000


class Hospital:
    """A site with its owner in a thread, as ``agent --stay`` is one, and its Federation view."""

    def __init__(self, directory: Path, name: str, preferences: Preferences, qtbot: QtBot) -> None:
        create_profile(directory, name=name, contact=f"{name}, +41", passphrase=passphrase).close()
        self.directory, self.name, self._preferences, self._qtbot = directory, name, preferences, qtbot
        self._stop = threading.Event()
        self._agent: Agent | None = None
        self._owner: Owner | None = None
        self.failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._live, name=name)

    def _live(self) -> None:
        try:
            with Owner(opened(self.directory), program="tests", executor=Inline()) as owner:
                self._owner = owner
                while membership(owner.profile) is None and not self._stop.is_set():
                    owner.turn(60.0)
                if not self._stop.is_set():
                    with Agent(owner, relay_line(owner.profile), backoff=partial(Backoff, 0.01, 0.1)) as self._agent:
                        self._agent.run()
        except BaseException as error:  # the test shall fail with it
            self.failures.append(error)

    @contextmanager
    def at_work(self) -> Iterator[FederationView]:
        """Run the owner and show the view."""
        self._thread.start()
        bridge = Bridge(self.directory)
        standing = Standing(bridge)
        context = Context(bridge, standing, Jobs(bridge), self._preferences, lambda *_: None)
        view = FederationView(context)
        self._qtbot.addWidget(view)
        view.resize(1200, 760)
        bridge.watch()
        view.show()
        try:
            yield view
        finally:
            bridge.close()
            self._stop.set()
            if self._agent is not None:
                self._agent.stop()
            elif self._owner is not None:
                self._owner.soon(nothing)
            self._thread.join(60)
            assert self.failures == []


def confirm(qtbot: QtBot, view: FederationView, site: str) -> list[str]:
    """Tick what the other reads out, as a person would; return the words."""
    qtbot.waitUntil(lambda: view.found.stage == "joining" and site in view.gather.words, timeout=LONG)
    words = view.gather.words[site]
    for tile in words.tiles:
        tile.click()
    words.match.click()
    return [tile.text() for tile in words.tiles]


def wait_for(qtbot: QtBot, stage: str, *views: FederationView) -> None:
    qtbot.waitUntil(lambda: all(view.found.stage == stage for view in views), timeout=LONG)


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the two sites derive from their passphrases in turn: OpenSSL refuses to do so twice at once in a process."""
    turn, derive = threading.Lock(), passphrases._cipher

    def in_turn(*arguments: Any) -> Any:
        with turn:
            return derive(*arguments)

    monkeypatch.setattr(passphrases, "_cipher", in_turn)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters with which a ceremony takes moments."""
    monkeypatch.setattr(service, "create_federation", partial(service.create_federation, parameters=PARAMETERS))


def test_two_hospitals_join_through_their_windows(
    qtbot: QtBot, relay: RelayServer, tmp_path: Path, preferences: Preferences, small: None, one_at_a_time: None
) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text(relay.address.trust)
    lausanne, geneva = (Hospital(tmp_path / name, name, preferences, qtbot) for name in ("Lausanne", "Geneva"))
    with ExitStack() as stack:
        creator = stack.enter_context(lausanne.at_work())
        wait_for(qtbot, "none", creator)
        creator.open("create")
        form = creator.entry.creating
        form.name.setText("Two together")
        form.relay.setText(relay.address.url)
        form._trust(authority)
        form.code.setText("WRONG-CODES")
        form.answer()
        qtbot.waitUntil(lambda: bool(form.code.property("wrong")), timeout=LONG)
        form.code.setText(relay.code())
        form.answer()
        wait_for(qtbot, "joining", creator)

        dialog = creator.invite()
        assert isinstance(dialog, InviteDialog)
        dialog.name.setText("Geneva")
        dialog.answer()
        qtbot.waitUntil(lambda: bool(dialog.invitation), timeout=LONG)
        dialog.accept()

        invited = stack.enter_context(geneva.at_work())
        wait_for(qtbot, "none", invited)
        invited.open(dialog.invitation)
        invited.entry.joining.go.click()
        assert confirm(qtbot, invited, "Lausanne") == confirm(qtbot, creator, "Geneva")

        qtbot.waitUntil(lambda: creator.found.stage == "joining" and creator.gather.start.isEnabled(), timeout=LONG)
        start = StartDialog(creator, creator.context, creator.found, creator.refresh)
        assert start.left_out == []
        start.answer()
        wait_for(qtbot, "ready", creator, invited)
        qtbot.waitUntil(lambda: creator._keys is not None, timeout=LONG)
        assert [site.name for site in invited.found.sites] == ["Lausanne", "Geneva"]
        assert creator.found.ended >= creator.found.began > 0
        assert set(dict(creator.found.parts)) == {"Lausanne", "Geneva"}

        sheet = creator.print_sheet()
        assert isinstance(sheet, SheetDialog)
        qtbot.waitUntil(sheet.print.isEnabled, timeout=LONG)
        words = sheet._sheet["words"].reveal().decode().split()  # type: ignore[index]
        sheet.ask()
        for number, edit in zip(sheet.asked, sheet.words, strict=True):
            edit.setText(words[number])
        sheet.answer()
        qtbot.waitUntil(lambda: creator.found.sites[0].state == "ready", timeout=LONG)
        qtbot.waitUntil(lambda: invited.found.sites[0].state == "ready", timeout=LONG)
        assert invited.found.sites[1].state == "ready, not backed up"
