"""Settings in its states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QScrollArea, QWidget

from app.core import paths
from app.core.errors import ConsiliumError, EnvironmentProblem
from app.ui.views.settings import SettingsView
from tests.ui import examples
from tests.ui.gallery import Stage, state

KEYS = {
    "profile": "01" * 16,
    "site": "Lausanne",
    "federation": "Swiss Lung Study",
    "fingerprint": "village basket orient",
    "keyring": "os",
    "description": "GNOME Keyring (Secret Service)",
    "backups": [{"kind": "sheet", "time": examples.NOW - 9 * examples.DAY}],
}
FINDINGS = {
    "usable": True,
    "findings": [
        {"step": "proxy", "in_order": True, "notice": False, "params": {"proxy": "http://proxy:3128"}, "problem": None},
        {"step": "reach", "in_order": True, "notice": False, "params": {"url": "https://relay"}, "problem": None},
        {"step": "clock", "in_order": True, "notice": False, "params": {"seconds": 1}, "problem": None},
    ],
}


FIXED = """
[relay]
address = "https://relay.hospital.example:8443"
[network]
proxy = "http://proxy.hospital.example:3128"
[keyring]
store = "system"
[modes]
create = false
prepare = true
[policy]
min_patients = 500
smallest = 11
"""


def profile(path: str, site: str, federation: str, **changes: Any) -> dict[str, Any]:
    """One profile, as ``profile list`` tells of it."""
    return {
        "path": path,
        "site": site,
        "federation": federation,
        "state": "ready",
        "owner": None,
        "problem": None,
        **changes,
    }


def listing(profiles: list[dict[str, Any]]) -> Callable[..., object]:
    """Return what a view runs instead of ``profile list``."""

    def run(
        arguments: list[str],
        *,
        of: QObject,
        done: Callable[[Mapping[str, Any]], object],
        failed: Callable[[ConsiliumError], object],
    ) -> None:
        assert arguments[:2] == ["profile", "list"]
        done({"profiles": profiles})

    return run


def _shown(stage: Stage, overview: dict[str, Any], **answers: Any) -> tuple[QWidget, SettingsView]:
    known = {"site.overview": overview, "keys.status": KEYS, "relay.check": FINDINGS, **answers}
    window = stage.window("settings", known)
    view = window.view("settings")
    assert isinstance(view, SettingsView)
    here = profile(str(stage.directory / "profile"), "Lausanne", "Swiss Lung Study")
    others = [
        profile("/home/claire/consilium/heart", "Lausanne", "Heart Failure Network"),
        profile("/home/claire/consilium/old", "", "", state="unreadable", problem="profile.newer"),
    ]
    view.run = listing([here, *others])  # type: ignore[misc]
    return window, view


@state("settings/typical")
def typical(stage: Stage) -> QWidget:
    return _shown(stage, examples.overview())[0]


@state("settings/below")
def below(stage: Stage) -> QWidget:
    """Further down, where the relay was checked."""
    window, view = _shown(stage, examples.overview())
    view.relay.look()
    window.resize(1280, 800)
    window.show()
    area = view.findChild(QScrollArea)
    assert area is not None
    area.ensureVisible(0, 10_000)
    return window


@state("settings/fixed")
def fixed(stage: Stage) -> QWidget:
    """What IT has fixed, further down."""
    file = stage.directory / "managed.toml"
    file.write_text(FIXED, "utf-8")
    with patch.object(paths, "managed_settings", lambda: file):
        window, view = _shown(stage, examples.overview())
    window.resize(1280, 800)
    window.show()
    area = view.findChild(QScrollArea)
    assert area is not None
    area.ensureWidgetVisible(view.fixed)
    return window


@state("settings/pretend")
def pretend(stage: Stage) -> QWidget:
    return _shown(stage, examples.overview(pretend=True))[0]


@state("settings/error")
def error(stage: Stage) -> QWidget:
    return _shown(stage, examples.overview(), **{"keys.status": EnvironmentProblem("keyring.locked")})[0]
