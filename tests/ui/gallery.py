"""The gallery: every screen in its main states, as pictures: ``python -m tests.ui.gallery OUT [--only NAME]``.

Each picture is ``OUT/<screen>-<state>.<look>.<language>.png``, at 1280×800; ``--wide`` makes them 1920×1080. The
states are in the modules ``tests/ui/gallery_<screen>.py``:

>>> @state("home/typical")
... def typical(stage: Stage) -> QWidget: ...
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QFont, QFontDatabase
from PySide6.QtWidgets import QApplication, QWidget

from app.texts import use_language
from app.ui import theme as themes
from app.ui.preferences import Preferences
from app.ui.window import Window
from tests.ui.fakes import Answer, FakeBridge

SCREENS = sorted(path.stem for path in Path(__file__).parent.glob("gallery_*.py"))
FONT = "Inter"  # the stand-in of the mock-ups, where it is installed; else the system's font

Make = Callable[["Stage"], QWidget]
states: dict[str, Make] = {}


def state(name: str) -> Callable[[Make], Make]:
    """Register how a state of a screen is made; ``name`` is ``screen/state``."""

    def register(make: Make) -> Make:
        states[name] = make
        return make

    return register


@dataclass
class Stage:
    """What a state is made of: a window on a fake bridge."""

    directory: Path
    kept: list[object] = field(default_factory=list)

    def window(self, view: str, answers: dict[str, Answer], argument: object = None) -> Window:
        """Return a window that shows ``view`` of a site whose owner gives these answers."""
        bridge = FakeBridge(answers, at_once=True)
        window = Window(self.directory / "profile", Preferences(self.directory / "window.ini"), bridge=bridge)  # type: ignore[arg-type]
        window.context.standing.refresh()
        window.navigate(view, argument)
        self.kept += [bridge, window]
        return window


def settle(application: QApplication) -> None:
    """Let layouts settle and queued work be done."""
    for _ in range(12):
        application.processEvents()
        application.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def render(make: Make, size: QSize, path: Path, application: QApplication) -> None:
    """Show a state and save what it looks like."""
    with tempfile.TemporaryDirectory() as directory:
        widget = make(Stage(Path(directory)))
        widget.resize(size)
        widget.show()
        settle(application)
        whole = widget.grab()
        whole.save(str(path))
        widget.close()
        widget.deleteLater()
        application.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def main() -> int:
    """Render what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.ui.gallery")
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="states whose name begins so")
    parser.add_argument("--looks", default="light,dark")
    parser.add_argument("--languages", default="en,de")
    parser.add_argument("--wide", action="store_true")
    given = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QApplication(sys.argv[:1])
    if FONT in QFontDatabase.families():
        application.setFont(QFont(FONT, 10))
    for name in SCREENS:
        import_module(f"tests.ui.{name}")
    given.out.mkdir(parents=True, exist_ok=True)
    size = QSize(1920, 1080) if given.wide else QSize(1280, 800)
    for look in given.looks.split(","):
        themes.install(application, look)
        for language in given.languages.split(","):
            use_language(language)
            for name, make in sorted(states.items()):
                if name.startswith(given.only):
                    path = given.out / f"{name.replace('/', '-')}.{look}.{language}.png"
                    render(make, size, path, application)
                    print(path)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.modules.setdefault("tests.ui.gallery", sys.modules["__main__"])  # the states register with this very module
    sys.exit(main())
