"""Can this installation draw? Started by ``consilium self-test`` in a process of its own, on no screen.

Loads every module of the window and draws the first start; what it finds is one line on standard output.
"""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

from PySide6.QtCore import qVersion

import app.ui
from app.ui import theme
from app.ui.application import make_application
from app.ui.icons import pixmap
from app.ui.preferences import Preferences


def main() -> int:
    """Draw the first window and return the exit code."""
    modules = [each.name for each in pkgutil.walk_packages(app.ui.__path__, "app.ui.")]
    for name in modules:
        import_module(name)
    from app.ui.views.first_start import FirstStart  # noqa: PLC0415 - loaded above, whatever it is

    application = make_application([])
    preferences = Preferences()
    theme.install(application, preferences.appearance)
    window = FirstStart(preferences, "", opened=_nothing, language_changed=_nothing)
    window.show()
    application.processEvents()
    drawn = window.grab().toImage()
    colours = {drawn.pixel(x, y) for x in range(0, drawn.width(), 7) for y in range(0, drawn.height(), 7)}
    if len(colours) < 2 or pixmap("logo", 64, "text").toImage().isNull():
        sys.stderr.write("nothing was drawn\n")
        return 1
    sys.stdout.write(f"Qt {qVersion()}, {application.platformName()}, {len(modules)} modules\n")
    return 0


def _nothing(*_said: object) -> None:
    """Take what the window tells its program."""
