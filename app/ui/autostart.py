"""Start with the computer: an entry where the system looks when a person logs in, one for each profile.

Linux and other free desktops read ``~/.config/autostart``, macOS ``~/Library/LaunchAgents``, Windows a registry key of
the user. Nothing here needs an administrator.
"""

from __future__ import annotations

import hashlib
import os
import plistlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from app.core.errors import EnvironmentProblem
from app.core.files import write_atomic
from app.core.services.demo_network import program

_RUN_KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"


class Autostart(Protocol):
    """An entry that starts this program when the person logs in."""

    @property
    def enabled(self) -> bool:
        """Whether it is there."""
        ...

    def enable(self, command: Sequence[str]) -> None:
        """Make it; raises EnvironmentProblem ``ui.settings.autostart_failed``."""
        ...

    def disable(self) -> None:
        """Take it away; raises EnvironmentProblem ``ui.settings.autostart_failed``."""
        ...


class Registry(Protocol):
    """The named values under the user's Run key."""

    def get(self, name: str) -> str | None: ...

    def put(self, name: str, value: str) -> None: ...

    def remove(self, name: str) -> None: ...


def autostart(profile: Path, *, platform: str = sys.platform, home: Path | None = None) -> Autostart:
    """Return the entry of a profile on this system."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(profile))).hexdigest()[:12]
    base = Path.home() if home is None else home
    if platform == "win32":
        return RunKey(f"Consilium {digest}", WindowsRegistry())
    if platform == "darwin":
        return LaunchAgent(base / "Library" / "LaunchAgents", f"consilium.{digest}")
    config = os.environ.get("XDG_CONFIG_HOME", "") if home is None else ""
    return DesktopEntry((Path(config) if config else base / ".config") / "autostart" / f"consilium-{digest}.desktop")


def command(profile: Path) -> list[str]:
    """Return what an entry starts: this program, with its window in the tray."""
    return [*program(), "open", "--tray", "--profile", str(profile)]


@contextmanager
def _problems(place: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentProblem(
            "ui.settings.autostart_failed", place=place, reason=error.strerror or str(error)
        ) from error


class DesktopEntry:
    """A ``.desktop`` file (XDG autostart)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def enabled(self) -> bool:
        """Whether it is there."""
        return self.path.is_file()

    def enable(self, command: Sequence[str]) -> None:
        """Write it."""
        lines = ["[Desktop Entry]", "Type=Application", "Name=Consilium", f"Exec={' '.join(map(_quoted, command))}"]
        with _problems(str(self.path)):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.path, ("\n".join([*lines, "Terminal=false", ""])).encode())

    def disable(self) -> None:
        """Remove it."""
        with _problems(str(self.path)):
            self.path.unlink(missing_ok=True)


def _quoted(argument: str) -> str:
    """Quote an argument as the desktop entry specification says: within quotes, then as a string value, % doubled."""
    inside = "".join(f"\\{sign}" if sign in '"`$\\' else sign for sign in argument)
    return f'"{inside}"'.replace("\\", "\\\\").replace("%", "%%")


class LaunchAgent:
    """A property list that launchd reads at login."""

    def __init__(self, folder: Path, label: str) -> None:
        self.path = folder / f"{label}.plist"
        self._label = label

    @property
    def enabled(self) -> bool:
        """Whether it is there."""
        return self.path.is_file()

    def enable(self, command: Sequence[str]) -> None:
        """Write it."""
        plain = {
            "Label": self._label,
            "ProgramArguments": list(command),
            "RunAtLoad": True,
            "ProcessType": "Interactive",
        }
        with _problems(str(self.path)):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.path, plistlib.dumps(plain))

    def disable(self) -> None:
        """Remove it."""
        with _problems(str(self.path)):
            self.path.unlink(missing_ok=True)


class RunKey:
    """A value under the user's Run key."""

    def __init__(self, name: str, registry: Registry) -> None:
        self._name, self._registry = name, registry

    @property
    def enabled(self) -> bool:
        """Whether it is there."""
        with _problems(_RUN_KEY):
            return self._registry.get(self._name) is not None

    def enable(self, command: Sequence[str]) -> None:
        """Write it."""
        with _problems(_RUN_KEY):
            self._registry.put(self._name, subprocess.list2cmdline(command))

    def disable(self) -> None:
        """Remove it."""
        with _problems(_RUN_KEY):
            self._registry.remove(self._name)


class WindowsRegistry:
    """The real one."""

    def _key(self, *, write: bool) -> Any:
        winreg: Any = import_module("winreg")
        access = winreg.KEY_SET_VALUE if write else winreg.KEY_QUERY_VALUE
        return winreg, winreg.CreateKeyEx(winreg.HKEY_CURRENT_USER, _RUN_KEY, 0, access)

    def get(self, name: str) -> str | None:
        """Return a value, or None."""
        winreg, key = self._key(write=False)
        with key:
            try:
                return str(winreg.QueryValueEx(key, name)[0])
            except FileNotFoundError:
                return None

    def put(self, name: str, value: str) -> None:
        """Write a value."""
        winreg, key = self._key(write=True)
        with key:
            winreg.SetValueEx(key, name, 0, winreg.REG_SZ, value)

    def remove(self, name: str) -> None:
        """Remove a value; one that is not there is no error."""
        winreg, key = self._key(write=True)
        with key:
            try:
                winreg.DeleteValue(key, name)
            except FileNotFoundError:
                return
