"""The program with a window: one for each profile, in the person's language and look, with a sign in the tray."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from PySide6.QtCore import QByteArray, QLibraryInfo, QObject, QSocketNotifier, Qt, QTranslator, Signal
from PySide6.QtGui import QAction, QIcon
from PySide6.QtNetwork import QLocalServer, QLocalSocket
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox, QSystemTrayIcon

from app import __version__
from app.core import log, paths
from app.core.errors import ConsiliumError
from app.core.preparation.scratch import sweep_leftovers
from app.core.services.local_address import window_socket
from app.core.services.pretend import own_profile
from app.core.settings import current
from app.core.store.peek import holds_profile
from app.texts import explain, preferred_language, text, use_language
from app.ui import theme as themes
from app.ui.autostart import autostart
from app.ui.garbage import Collector
from app.ui.icons import icon, pixmap
from app.ui.preferences import SYSTEM, Preferences
from app.ui.pretend import is_pretend, pretend_hospitals
from app.ui.programs import AgentProcess
from app.ui.window import PACKAGE_SUFFIX, Window

IN_TRAY = "--tray"
"""Starts the program without showing its window, where there is a tray to call it from."""
_GREET_MS = 1000
_LIMIT = 1 << 15  # more than the longest invitation


class OneProgram(QObject):
    """Sees to it that a profile has one window: a second start hands its arguments over and leaves."""

    called = Signal(str)
    """Another start has called, with its argument or an empty text."""

    def __init__(self, directory: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = window_socket(paths.default_profile().parent if directory is None else directory)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)
        self._lines: list[QLocalSocket] = []

    def hand_over(self, argument: str) -> bool:
        """Give ``argument`` to the program that runs already; False if there is none."""
        line = QLocalSocket()
        line.connectToServer(self._name)
        if not line.waitForConnected(_GREET_MS):
            return False
        line.write(QByteArray(argument.encode()[:_LIMIT] + b"\n"))
        line.waitForBytesWritten(_GREET_MS)
        return True

    def serve(self) -> None:
        """Be the one program from now on."""
        if not self._server.listen(self._name):
            QLocalServer.removeServer(self._name)  # left by a program that was killed
            self._server.listen(self._name)

    def _answer(self) -> None:
        while self._server.hasPendingConnections():
            line = self._server.nextPendingConnection()
            self._lines.append(line)
            line.readyRead.connect(self._read)
        self._read()

    def _read(self) -> None:
        for line in list(self._lines):
            if line.canReadLine() or line.bytesAvailable() > _LIMIT:
                argument = bytes(line.read(_LIMIT).data()).decode("utf-8", "replace").strip()
                self._lines.remove(line)
                line.disconnectFromServer()
                self.called.emit(argument)


class Program(QObject):
    """What runs as long as the application does: the window of the moment, the tray, the preferences."""

    def __init__(self, application: QApplication, preferences: Preferences) -> None:
        super().__init__(application)
        self._application = application
        self.preferences = preferences
        self.window: Window | None = None
        self._first: QObject | None = None
        self._tray: QSystemTrayIcon | None = None
        self._translator: QTranslator | None = None
        self._one: OneProgram | None = None
        self._quitting = False
        application.setQuitOnLastWindowClosed(False)
        self.speak()
        self._theme = themes.install(application, preferences.appearance)
        self._theme.reduced_motion = preferences.reduced_motion
        self._hospitals = pretend_hospitals()
        self._hospitals.leaving.connect(self._leave_pretend)
        self._hospitals.removed.connect(self._without_pretend)
        self._hospitals.failed.connect(self._pretend_failed)

    def speak(self) -> None:
        """Use the preferred language, also for Qt's own buttons and menus."""
        use_language(None if self.preferences.language == SYSTEM else self.preferences.language)
        if self._translator is not None:
            self._application.removeTranslator(self._translator)
        self._translator = QTranslator(self._application)
        place = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
        if self._translator.load(f"qtbase_{preferred_language()}", place):
            self._application.installTranslator(self._translator)

    def open(self, directory: Path | None, argument: str = "", *, in_tray: bool = False) -> bool:
        """Show the window of a profile, or the first start without one; False if another program shows it already.

        ``in_tray`` leaves the window hidden where there is a tray.
        """
        one = OneProgram(directory, self)
        if one.hand_over(argument):
            one.deleteLater()
            return False
        if self._one is not None:
            self._one.deleteLater()
        self._one = one
        one.serve()
        one.called.connect(self._called)
        if directory is None:
            self._show_first_start(argument)
        else:
            self._show_window(directory, argument, in_tray=in_tray)
        return True

    def rebuild(self) -> None:
        """Build the window again, in another language."""
        self.speak()
        if self.window is not None:
            before, place = self.window, self.window.current
            geometry = before.saveGeometry()
            before.bridge.close()
            before.agent.died.disconnect()
            self._show_window(before.directory, "", agent=before.agent)
            self.window.restoreGeometry(geometry)
            self.window.navigate(place or "home")
            before.deleteLater()
            before.hide()
        elif self._first is not None:
            self._show_first_start(self._first.argument)  # type: ignore[attr-defined]

    def _show_first_start(self, argument: str) -> None:
        from app.ui.views.first_start import FirstStart  # noqa: PLC0415  (only where there is no profile yet)

        before = self._first
        first = FirstStart(self.preferences, argument, opened=self._opened, language_changed=self.rebuild)
        first.closed.connect(self._first_closed)
        self._first = first
        first.show()
        if before is not None:
            before.deleteLater()

    def _first_closed(self) -> None:
        if self.window is None and not self._quitting:
            self.quit()

    def _opened(self, directory: Path, argument: str = "") -> None:
        """Go on with the profile that the first start has made, or that the person has chosen instead of this one."""
        first, self._first = self._first, None
        before = self.window
        opened = self.open(directory, argument)
        if first is not None:
            first.deleteLater()
        if before is not None and opened:
            before.hide()
            before.end()
            before.deleteLater()
        if self.window is None:  # another program shows that profile already
            self.quit()

    def _show_window(
        self, directory: Path, argument: str, *, agent: AgentProcess | None = None, in_tray: bool = False
    ) -> None:
        self.preferences.profile = directory
        window = Window(directory, self.preferences, agent=agent)
        window.closing = self._may_close
        window.asks = lambda: not self._quitting and not self._stays()
        window.switch_profile = self._opened
        window.language_changed = self.rebuild
        self.window = window
        window.navigate("home")
        if argument:
            window.open_argument(argument)
        if self._tray is None:
            self._tray = self._make_tray()
        if not in_tray or self._tray is None:
            window.show()
        if is_pretend(directory):
            self._hospitals.start()
        window.start()
        self._application.setWindowIcon(QIcon(pixmap("logo", 64, "text")))

    # --- pretend hospitals ------------------------------------------------------------------------------------

    def _leave_pretend(self) -> None:
        """Let go of the profile that is about to be removed; the first start shows how that goes on."""
        before, self.window = self.window, None
        if before is not None:
            before.hide()
            before.end()
            before.deleteLater()
        if not self.open(None):
            self.quit()

    def _without_pretend(self) -> None:
        """Go back to the site's own profile, if it has one; nothing remembers the other."""
        with suppress(ConsiliumError):
            autostart(own_profile()).disable()
        self.preferences.profile = paths.default_profile()
        directory = choose_profile(self.preferences)
        if directory is not None and self.window is None:
            self._opened(directory)

    def _pretend_failed(self, error: object) -> None:
        if self.window is not None and isinstance(error, ConsiliumError):
            self.window.fail(error)

    # --- tray -------------------------------------------------------------------------------------------------

    def _make_tray(self) -> QSystemTrayIcon | None:
        if not QSystemTrayIcon.isSystemTrayAvailable():
            return None
        tray = QSystemTrayIcon(QIcon(pixmap("logo", 64, "text")), self)
        menu = QMenu()
        for key, icon_name, do in (
            ("ui.tray.open", "computer", self.raise_window),
            ("ui.tray.quit", "logout", self.quit),
        ):
            action = QAction(icon(icon_name), text(key), menu)
            action.triggered.connect(lambda _checked=False, do=do: do())
            menu.addAction(action)
        tray.setContextMenu(menu)
        self._menu = menu
        tray.setToolTip("Consilium")
        tray.activated.connect(self._tray_pressed)
        tray.show()
        return tray

    def _tray_pressed(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason is not QSystemTrayIcon.ActivationReason.Context:
            self.raise_window()

    def _called(self, argument: str) -> None:
        self.raise_window()
        shown = self.window or self._first
        if argument and shown is not None:
            shown.open_argument(argument)  # type: ignore[attr-defined]

    def raise_window(self) -> None:
        """Bring the window to the front."""
        window = self.window or self._first
        if window is not None:
            window.show()  # type: ignore[attr-defined]
            window.raise_()  # type: ignore[attr-defined]
            window.activateWindow()  # type: ignore[attr-defined]

    def _may_close(self) -> bool:
        if self._quitting:
            return True
        if self._stays():
            return False
        self._application.exit(0)
        return True

    def _stays(self) -> bool:
        return self.preferences.keep_answering and self._tray is not None

    def quit(self) -> None:
        """End the program, whatever is under way."""
        self._quitting = True
        if self.window is not None:
            self.window.close()
        self._application.exit(0)


def choose_profile(preferences: Preferences) -> Path | None:
    """Return the profile to open where none is named: the last one, the default one; None if there is none yet."""
    for directory in (preferences.profile, paths.default_profile()):
        if directory is not None and holds_profile(directory):
            return directory
    return None


def make_application(arguments: Sequence[str]) -> QApplication:
    """Return the application object, named and versioned."""
    application = QApplication([sys.argv[0], *arguments])
    application.setApplicationName("consilium")
    application.setApplicationDisplayName("Consilium")
    application.setApplicationVersion(__version__)
    application.setDesktopFileName("consilium")
    return application


def main(arguments: Sequence[str], ready: Callable[[Program], object] = lambda _program: None) -> int:
    """Run the program: ``[--tray] [--profile DIR] [PACKAGE | INVITATION]``; return its exit code."""
    wanted, argument = read_arguments([each for each in arguments if each != IN_TRAY])
    if not has_screen():
        sys.stderr.write(text("ui.no_screen") + "\n")
        return 2
    log.write_to(paths.user_log())
    application = make_application([])
    Collector(application)
    program = Program(application, Preferences())
    try:
        current()
    except ConsiliumError as error:  # what IT has fixed cannot be read: nothing is opened past it
        return refuse_to_start(error, quietly=IN_TRAY in arguments)
    if wanted is not None and not holds_profile(wanted):
        return refuse_profile(wanted, quietly=IN_TRAY in arguments)
    if argument.lower().endswith(PACKAGE_SUFFIX):
        argument = str(Path(argument).absolute())  # the program that runs already may be in another directory
    directory = wanted or choose_profile(program.preferences)
    if not program.open(directory, argument, in_tray=IN_TRAY in arguments):
        return 0
    threading.Thread(target=sweep_leftovers, name="leftovers", daemon=True).start()  # large files take a while
    ready(program)
    with quit_on_signals(program):
        return application.exec()


def refuse_profile(directory: Path, *, quietly: bool) -> int:
    """Say that there is no profile where one was named, and return the exit code: no other is opened instead."""
    return _refuse(text("ui.no_profile", path=directory), quietly=quietly)


def refuse_to_start(error: ConsiliumError, *, quietly: bool) -> int:
    """Say what keeps the window from opening, and return the exit code."""
    told = explain(error)
    return _refuse("\n".join(filter(None, (told.what, told.safe, told.next))), quietly=quietly)


def _refuse(words: str, *, quietly: bool) -> int:
    sys.stderr.write(words + "\n")
    if not quietly:
        box = QMessageBox(QMessageBox.Icon.Warning, "Consilium", words)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.exec()
    return 1


def has_screen() -> bool:
    """Return whether there is a screen: Qt ends the whole process where there is none."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


@contextmanager
def quit_on_signals(program: Program) -> Iterator[None]:
    """Have Ctrl-C and the end of the person's session end the program in good order.

    Python's handlers run between its own instructions, and Qt's loop executes none: a signal's number is written into a
    socket instead, which wakes the loop.
    """
    reading, writing = socket.socketpair()
    for end in (reading, writing):
        end.setblocking(False)
    before_descriptor = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda _number, _frame: None) for number in numbers}
    notifier = QSocketNotifier(reading.fileno(), QSocketNotifier.Type.Read)

    def came() -> None:
        notifier.setEnabled(False)
        program.quit()

    notifier.activated.connect(came)
    try:
        yield
    finally:
        notifier.setEnabled(False)
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before_descriptor)
        reading.close()
        writing.close()


def read_arguments(arguments: Sequence[str]) -> tuple[Path | None, str]:
    """Return the profile's directory and what to open."""
    rest, profile = list(arguments), None
    if "--profile" in rest[:-1]:
        place = rest.index("--profile")
        profile = Path(rest[place + 1])
        del rest[place : place + 2]
    return profile, rest[0] if rest else ""
