"""The main window: the rail, one view at a time, the status bar, and the shortcuts that work everywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

from PySide6.QtCore import QByteArray, QPoint, QRect
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from app.core.errors import ConsiliumError
from app.texts import text
from app.ui.bridge import LOST, Bridge
from app.ui.context import Context, Standing
from app.ui.frame import BELOW, PLACES, Rail, StatusBar, pretend_strip
from app.ui.jobs import Jobs
from app.ui.preferences import Preferences
from app.ui.programs import AgentProcess
from app.ui.theme import set_role
from app.ui.trial_relay import trial_relay
from app.ui.views.view import View
from app.ui.widgets.dialogs import confirm
from app.ui.widgets.feedback import Banner, Banners
from app.ui.widgets.layout import column, row

PACKAGE_SUFFIX = ".consilium"
INVITATION_PREFIX = "consilium-invitation:"

VIEWS = {
    "home": "app.ui.views.home:HomeView",
    "explore": "app.ui.views.explore:ExploreView",
    "results": "app.ui.views.results:ResultsView",
    "requests": "app.ui.views.requests:RequestsView",
    "policy": "app.ui.views.policy:PolicyView",
    "budget": "app.ui.views.budget:BudgetView",
    "people": "app.ui.views.people:PeopleView",
    "data": "app.ui.views.data:DataView",
    "catalogue": "app.ui.views.catalogue:CatalogueView",
    "prepare": "app.ui.views.prepare:PrepareView",
    "federation": "app.ui.views.federation:FederationView",
    "audit": "app.ui.views.audit:AuditView",
    "help": "app.ui.views.help:HelpView",
    "settings": "app.ui.views.settings:SettingsView",
}
"""Where each view is; it is loaded when it is first shown, so that the window is there at once."""


class Window(QMainWindow):
    """The window on one profile."""

    def __init__(
        self,
        directory: Path,
        preferences: Preferences,
        *,
        bridge: Bridge | None = None,
        agent: AgentProcess | None = None,
    ) -> None:
        super().__init__()
        self.directory = directory
        self.preferences = preferences
        self.bridge = bridge or Bridge(directory, self)
        self.agent = agent or AgentProcess(directory)
        self.agent.setParent(self)
        self.closing: Callable[[], bool] = lambda: True
        """Asked before the window closes; False keeps the program in the tray."""
        self.asks: Callable[[], bool] = lambda: True
        """Whether closing asks about jobs that it would stop."""
        self.switch_profile: Callable[[Path], object] = lambda _directory: None
        """Opens another profile instead of this one."""
        self.language_changed: Callable[[], object] = lambda: None
        """Called when the preferred language has changed: builds the window again."""
        self._standing = Standing(self.bridge, self)
        self._jobs = Jobs(self.bridge, self)
        self.context = Context(self.bridge, self._standing, self._jobs, preferences, self.navigate)
        self._views: dict[str, View] = {}
        self._build()
        self.bridge.connection_changed.connect(self._connection)
        self.bridge.missing.connect(self.agent.ensure)
        self.bridge.failed.connect(self.fail)
        self.agent.died.connect(self._agent_died)
        self._standing.changed.connect(self._stand)
        self._shortcuts()
        self.setAcceptDrops(True)
        self.setMinimumSize(960, 600)
        self._restore_geometry()
        self._stand()

    def _build(self) -> None:
        self.rail = Rail()
        self.rail.chosen.connect(self.navigate)
        self.stack = QStackedWidget()
        self.banners = Banners()
        self._strip = pretend_strip()
        self._strip.hide()
        holder = QWidget()
        set_role(holder, role="clear")
        inside = QVBoxLayout(holder)
        inside.setContentsMargins(12, 8, 12, 0)
        inside.addWidget(self.banners)
        self._banner_holder = holder
        holder.hide()
        main = column(self._strip, holder, self.stack, gap=0)
        main.setStretchFactor(self.stack, 1)
        upper = row(self.rail, main, gap=0)
        upper.setStretchFactor(main, 1)
        whole = QWidget()
        set_role(whole, role="page")
        whole.setLayout(column(upper, StatusBar(self.context), gap=0))
        self.setCentralWidget(whole)

    def start(self) -> None:
        """Listen to the owner, which is started if there is none."""
        self.bridge.watch()

    # --- places -----------------------------------------------------------------------------------------------

    @property
    def current(self) -> str:
        """The name of the view that is shown."""
        shown = self.stack.currentWidget()
        return shown.name if isinstance(shown, View) else ""

    def navigate(self, name: str, argument: object = None) -> None:
        """Show a view; with an argument it opens what that names."""
        view = self.view(name)
        self.stack.setCurrentWidget(view)
        self.rail.select(view.rail or name)
        if argument is not None:
            view.open(argument)

    def view(self, name: str) -> View:
        """Return a view, making it when it is first asked for."""
        if name not in self._views:
            module, _, kind = VIEWS[name].partition(":")
            view: View = getattr(import_module(module), kind)(self.context)
            self._views[name] = view
            self.stack.addWidget(view)
        return self._views[name]

    def open_argument(self, argument: str) -> None:
        """Open what the program was started with: a package's path, an invitation, or a place as ``view/what``."""
        place, _, what = argument.partition("/")
        if argument.casefold().startswith(INVITATION_PREFIX):
            self.navigate("federation", argument)
        elif argument.lower().endswith(PACKAGE_SUFFIX):
            self.navigate("data", Path(argument).absolute())
        elif place in VIEWS:
            self.navigate(place, what or None)

    def _shortcuts(self) -> None:
        for number, (name, _) in enumerate(PLACES, start=1):
            self._shortcut(f"Ctrl+{number}", partial(self.navigate, name))
        self._shortcut("F1", lambda: self.navigate(BELOW[0][0], self.current))
        self._shortcut("Ctrl+,", lambda: self.navigate("settings"))
        self._shortcut("Ctrl+N", lambda: self.navigate("explore", ""))
        self._shortcut("Ctrl+Q", self.close)

    def _shortcut(self, keys: str, do: Callable[[], object]) -> None:
        QShortcut(QKeySequence(keys), self).activated.connect(do)

    # --- what happens -----------------------------------------------------------------------------------------

    def fail(self, error: ConsiliumError) -> None:
        """Show an error that no view listens for."""
        self._show(Banner.of_error(error, closed=self._show))

    def _show(self, *banners: Banner) -> None:
        self.banners.show_only(*banners)
        self._banner_holder.setVisible(bool(banners))

    def _connection(self) -> None:
        if self.bridge.connection == LOST:
            if self.bridge.problem is not None and self.bridge.problem.code != "owner.none":
                self.fail(self.bridge.problem)
        else:
            self.agent.reached()
            self._show()

    def _agent_died(self, error: ConsiliumError) -> None:
        again = (text("ui.try_again"), partial(self.agent.ensure, now=True))
        self._show(Banner.of_error(error, action=again))

    def _stand(self) -> None:
        overview = self._standing.overview
        self.rail.set_badge("requests", overview.waiting_requests)
        self._strip.setVisible(overview.pretend)
        if overview.relay and not overview.pretend:
            trial_relay().resume(overview.relay, self.fail)
        place = " – ".join(filter(None, (overview.site, overview.federation)))
        self.setWindowTitle(f"{place} – Consilium" if place else "Consilium")

    # --- files from elsewhere ---------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        if _package_in(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        if package := _package_in(event):
            event.acceptProposedAction()
            self.open_argument(package)

    # --- coming and going -------------------------------------------------------------------------------------

    def _restore_geometry(self) -> None:
        state: QByteArray = self.preferences.state("window")
        if state.isEmpty() or not self.restoreGeometry(state):
            self.resize(1280, 800)
            screen = QGuiApplication.primaryScreen()
            if screen is not None:
                room: QRect = screen.availableGeometry()
                self.resize(self.size().boundedTo(room.size()))
                self.move(room.center() - QPoint(self.width() // 2, self.height() // 2))

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        self.preferences.remember("window", self.saveGeometry())
        self.preferences.save()
        if self.context.jobs.running and self.asks():
            event.ignore()
            self.ask_to_stop(self._close_now)
            return
        if not self.closing():
            event.ignore()
            self.hide()
            return
        self.hide()  # what ends now may take a moment; nobody has to look at it
        self.end()
        event.accept()

    def ask_to_stop(self, then: Callable[[], object]) -> None:
        """Do ``then``, which stops the jobs that run; after a question if there are any."""
        running = self.context.jobs.running
        if not running:
            then()
            return
        words = text("ui.stop.job", title=running[0].title)
        if len(running) > 1:
            words = text("ui.stop.jobs", count=len(running))
        confirm(self, text("ui.stop.title"), words, answer=text("ui.stop.answer"), danger=True, then=then)

    def _close_now(self) -> None:
        asks, self.asks = self.asks, lambda: False
        self.close()
        self.asks = asks

    def end(self) -> None:
        """Stop what is under way and let go of the owner."""
        self.bridge.close()
        self.agent.stop()


def _package_in(event: QDropEvent) -> str:
    """Return the one package that is dropped, or an empty text; only the name is looked at here."""
    urls = event.mimeData().urls()
    if len(urls) != 1 or not urls[0].isLocalFile():
        return ""
    path = urls[0].toLocalFile()
    return path if path.lower().endswith(PACKAGE_SUFFIX) else ""
