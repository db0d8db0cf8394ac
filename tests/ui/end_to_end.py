"""The whole story through real windows: ``python -m tests.ui.end_to_end DIRECTORY``, on a screen (X11).

Three pretend hospitals are made, with the production parameters. In Lausanne's window somebody drags two variables with
the mouse and asks; in Geneva's window somebody answers; Lausanne reads the number and exports the report. Meanwhile a
watchdog looks whether the windows' thread was ever held up. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QWidget

from app.core.services import pretend
from app.core.services.connect import connect
from app.texts import use_language
from app.ui import theme as themes
from app.ui.application import make_application
from app.ui.bridge import CONNECTED
from app.ui.preferences import Preferences
from app.ui.window import Window
from tests.ui.watchdog import Watchdog

PATIENCE = 180.0
QUESTION = "died and sex = female"


def wait(what: Callable[[], object], why: str, seconds: float = PATIENCE) -> None:
    """Let the windows live until ``what`` is true."""
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            raise TimeoutError(why)
        pause(20)


def pause(milliseconds: int) -> None:
    """Let the windows live as they do in the program: Qt's loop rests when there is nothing to do."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def drag(source: QWidget, start: QPoint, target: QWidget, end: QPoint) -> None:
    """Drag with the mouse from one widget to another, as a hand does: press, move a little, move there, let go.

    Qt runs a loop of its own while something hangs on the mouse: the later moves are made from within it.
    """
    steps = [target.mapToGlobal(end + QPoint(delta, 0)) for delta in (-8, -4, 0)]
    place = target.window()

    def move_on() -> None:
        if steps:
            where = steps.pop(0)
            QTest.mouseMove(place.windowHandle(), place.mapFromGlobal(where))
            QTimer.singleShot(120, move_on)
        else:
            QTest.mouseRelease(
                place.windowHandle(),
                Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier,
                place.mapFromGlobal(target.mapToGlobal(end)),
            )

    QTimer.singleShot(400, move_on)
    viewport = source
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for delta in (4, 12, 24, 40):
        QTest.mouseMove(viewport, start + QPoint(delta, 2))
        pause(40)
    wait(lambda: not steps, "the drag did not go on", 20)
    pause(300)


def window_on(profile: Path, directory: Path) -> Window:
    """Open a window on a profile."""
    directory.mkdir(parents=True, exist_ok=True)
    made = Window(profile, Preferences(directory / "window.ini"))
    made.navigate("home")
    made.show()
    made.start()
    wait(lambda: made.bridge.connection == CONNECTED, "the owner did not come", 60)
    wait(lambda: made.context.standing.overview.ready, "the federation is not ready", 60)
    return made


def drop_variable(window: Window, code: str) -> None:
    """Drag a variable from the catalogue to the free place below the cards."""
    view = window.view("explore")
    tree = view.catalogue.tree
    wait(lambda: tree.model().rowCount() > 0, "the catalogue is empty", 30)
    view.catalogue.select(code)
    pause(200)
    index = tree.currentIndex()
    before = len(view.board.criteria.cards)
    end = view.canvas._end
    tree.scrollTo(index)
    place = tree.visualRect(index)
    start = QPoint(place.left() + 30, place.center().y())
    drag(tree.viewport(), start, end, end.rect().center())
    wait(lambda: len(view.board.criteria.cards) == before + 1, f"{code} was not dropped", 20)


def main() -> None:
    """Tell the story."""
    base = Path(sys.argv[1])
    use_language("en")
    application = make_application([])
    themes.install(application, themes.LIGHT_MODE)
    watchdog = Watchdog()
    told: dict[str, object] = {}

    began = time.monotonic()
    holding = pretend.start(place=base / "pretend")
    watchdog.watch()
    told["made_seconds"] = round(time.monotonic() - began, 1)
    try:
        with connect(base / "pretend" / "site-2", become=False) as geneva:
            geneva.call("policy.set", {"mode": "ask", "exact": None, "noised": None, "others": None})
        tell(base, told, watchdog)
    finally:
        if holding is not None:
            holding.close()
    told["stalls"] = watchdog.stalls
    told["blocked"] = watchdog.blocked
    told["longest"] = round(watchdog.longest, 3)
    print(json.dumps(told))  # noqa: T201


def tell(base: Path, told: dict[str, object], watchdog: Watchdog) -> None:
    """Build by drag, ask, answer, read, export."""
    with watchdog.looking_away():  # windows and views are made, which is not what this is about
        lausanne = window_on(base / "pretend" / "site-1", base / "lausanne")
        geneva = window_on(base / "pretend" / "site-2", base / "geneva")
        for window, names in ((lausanne, ("results", "explore")), (geneva, ("requests",))):
            for name in names:
                window.navigate(name)
                pause(200)
        lausanne.raise_()
        pause(200)
    began = time.monotonic()
    explore = lausanne.view("explore")
    for code in ("died", "sex"):
        drop_variable(lausanne, code)
    told["question"] = explore.asking.question
    picture(lausanne, base / "explore.png", watchdog)
    wait(explore.analysis.button.isEnabled, "the question cannot be asked", 60)
    QTest.mouseClick(explore.analysis.button, Qt.MouseButton.LeftButton)
    wait(lambda: lausanne.current == "results", "the question was not asked", 60)

    requests = geneva.view("requests")
    wait(lambda: requests.current is not None and requests._answer.isEnabled(), "Geneva has heard of nothing", 60)
    picture(geneva, base / "requests.png", watchdog)
    QTest.mouseClick(requests._answer, Qt.MouseButton.LeftButton)

    results = lausanne.view("results")
    wait(lambda: results.current is not None and results.current.answer is not None, "no answer has come")
    told["answer"] = results.current.answer.count
    told["seconds"] = round(time.monotonic() - began, 1)
    pause(500)
    picture(lausanne, base / "results.png", watchdog)
    export(lausanne, base / "report.pdf")
    with watchdog.looking_away():  # the windows are gone from the screen, and wait for their owners to end
        for window in (geneva, lausanne):
            window.close()


def picture(window: Window, path: Path, watchdog: Watchdog) -> None:
    """Keep what a window looks like."""
    with watchdog.looking_away():
        window.grab().save(str(path))


def export(window: Window, path: Path) -> None:
    """Export the report from the menu, into the file that the dialog is told."""
    results = window.view("results")
    menu = results.export_button.menu()
    next(each for each in menu.actions() if each.text().endswith("\tPDF")).trigger()
    wait(lambda: bool(window.findChildren(QFileDialog)), "no dialog asks for a file", 20)
    (dialog,) = window.findChildren(QFileDialog)
    dialog.selectFile(str(path))
    dialog.fileSelected.emit(str(path))
    dialog.close()
    wait(path.is_file, "the report was not written", 60)


if __name__ == "__main__":
    main()
