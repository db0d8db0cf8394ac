"""Every test of the window: offscreen unless a test starts a screen of its own, with preferences of its own."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication

from app.texts import use_language
from app.ui import theme as themes
from app.ui.context import Context, Standing
from app.ui.garbage import collect
from app.ui.jobs import Jobs
from app.ui.preferences import Preferences
from tests.ui import examples
from tests.ui.fakes import FakeBridge


@pytest.fixture(autouse=True)
def _theme(qapp: QApplication) -> Iterator[None]:
    use_language("en")
    themes.install(qapp, themes.LIGHT_MODE)
    yield
    use_language(None)
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # else the next theme is put on all windows there ever were


@pytest.fixture(autouse=True)
def _garbage() -> Iterator[None]:
    """Threads of an agent in this process destroy no widgets: see :mod:`app.ui.garbage`."""
    gc.disable()
    yield
    collect()
    gc.enable()


@pytest.fixture
def preferences(tmp_path: Path) -> Preferences:
    return Preferences(tmp_path / "window.ini")


@pytest.fixture
def fake_bridge(qapp: QApplication) -> FakeBridge:
    return FakeBridge({"site.overview": examples.overview(), "query.list": examples.QUERIES}, at_once=True)


@pytest.fixture
def navigations() -> list[tuple[str, object]]:
    """Where views have navigated to."""
    return []


@pytest.fixture
def context(fake_bridge: FakeBridge, preferences: Preferences, navigations: list[tuple[str, object]]) -> Context:
    def navigate(name: str, argument: object = None) -> None:
        navigations.append((name, argument))

    standing = Standing(fake_bridge)
    standing.refresh()
    return Context(fake_bridge, standing, Jobs(fake_bridge), preferences, navigate)
