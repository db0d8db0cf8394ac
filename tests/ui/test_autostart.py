"""Starting with the computer, on each system, in places of the test's own."""

from __future__ import annotations

import configparser
import plistlib
from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem
from app.ui.autostart import Autostart, DesktopEntry, LaunchAgent, RunKey, autostart, command

COMMAND = ["/opt/Consilium 1/consilium", "open", "--tray", "--profile", '/home/a b/$HOME "x" 100%\\y']


class FakeRegistry:
    """The values under a Run key."""

    def __init__(self, *, locked: bool = False) -> None:
        self.values = {"OneDrive": "onedrive.exe"}
        self.locked = locked

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def put(self, name: str, value: str) -> None:
        if self.locked:
            raise PermissionError(5, "Access is denied")
        self.values[name] = value

    def remove(self, name: str) -> None:
        self.values.pop(name, None)


@pytest.fixture(params=["linux", "darwin", "win32"])
def entry(request: pytest.FixtureRequest, tmp_path: Path) -> Autostart:
    made = {
        "linux": lambda: DesktopEntry(tmp_path / "autostart" / "consilium.desktop"),
        "darwin": lambda: LaunchAgent(tmp_path / "LaunchAgents", "consilium.x"),
        "win32": lambda: RunKey("Consilium x", FakeRegistry()),
    }
    return made[request.param]()


def test_an_entry_comes_and_goes(entry: Autostart) -> None:
    assert not entry.enabled
    entry.disable()
    entry.enable(COMMAND)
    entry.enable(COMMAND)
    assert entry.enabled
    entry.disable()
    assert not entry.enabled


def unquoted(line: str) -> list[str]:
    """Read an Exec line as the desktop entry specification says."""
    text, found, i = line.replace("\\\\", "\\"), [], 0
    while i < len(text):
        assert text[i] == '"'
        argument, i = "", i + 1
        while text[i] != '"':
            if text[i] == "\\":
                i += 1
            argument, i = argument + text[i], i + 1
        found.append(argument.replace("%%", "%"))
        i += 2
    return found


def test_a_desktop_entry_starts_exactly_the_command(tmp_path: Path) -> None:
    entry = DesktopEntry(tmp_path / "autostart" / "consilium.desktop")
    entry.enable(COMMAND)
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(entry.path, "utf-8")
    found = read["Desktop Entry"]
    assert (found["Type"], found["Terminal"]) == ("Application", "false")
    assert unquoted(found["Exec"]) == COMMAND


def test_a_launch_agent_starts_exactly_the_command(tmp_path: Path) -> None:
    entry = LaunchAgent(tmp_path / "LaunchAgents", "consilium.x")
    entry.enable(COMMAND)
    found = plistlib.loads(entry.path.read_bytes())
    assert found["ProgramArguments"] == COMMAND
    assert found["RunAtLoad"] is True
    assert entry.path.name == f"{found['Label']}.plist"


def test_a_run_key_keeps_what_others_have_there() -> None:
    registry = FakeRegistry()
    entry = RunKey("Consilium x", registry)
    entry.enable(["C:\\Program Files\\Consilium\\consilium.exe", "open", "--tray"])
    assert registry.values["Consilium x"] == '"C:\\Program Files\\Consilium\\consilium.exe" open --tray'
    entry.disable()
    assert registry.values == {"OneDrive": "onedrive.exe"}


def test_what_it_may_not_change_is_said() -> None:
    with pytest.raises(EnvironmentProblem) as raised:
        RunKey("Consilium x", FakeRegistry(locked=True)).enable(COMMAND)
    assert raised.value.code == "ui.settings.autostart_failed"
    assert raised.value.params["reason"] == "Access is denied"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "autostart").write_text("a file is in the way")
    with pytest.raises(EnvironmentProblem):
        DesktopEntry(tmp_path / "autostart" / "consilium.desktop").enable(COMMAND)


@pytest.mark.parametrize(("platform", "kind"), [("linux", DesktopEntry), ("darwin", LaunchAgent), ("win32", RunKey)])
def test_each_system_has_its_own_place_and_each_profile_its_own_entry(
    platform: str, kind: type, tmp_path: Path
) -> None:
    first, second = (autostart(tmp_path / name, platform=platform, home=tmp_path) for name in ("a", "b"))
    assert isinstance(first, kind)
    assert vars(first) != vars(second)


def test_the_command_opens_the_profile_in_the_tray(tmp_path: Path) -> None:
    assert command(tmp_path)[-4:] == ["open", "--tray", "--profile", str(tmp_path)]
