"""The screen: the versions at the left, the opened one at the right, what comes in above it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QSizePolicy, QSplitter, QStackedWidget, QWidget

from app.core.catalogue.model import Catalogue
from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.jobs import Running
from app.ui.locale import moment, number, size
from app.ui.models.datasets import Package, Report, Unfinished, Version
from app.ui.programs import Program
from app.ui.views.data.arriving import Arriving
from app.ui.views.data.empty import empty_page
from app.ui.views.data.version import VersionPane, chip
from app.ui.views.view import View
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.dialogs import confirm
from app.ui.widgets.entries import Entries, Entry
from app.ui.widgets.feedback import Banner, EmptyState, announce
from app.ui.widgets.layout import column, frame, header, scrolling

_LIST = 292
_CANCELLED = "job.cancelled"


class DataView(View):
    """Data."""

    name: ClassVar[str] = "data"
    inspect: ClassVar[Callable[..., object]] = Program
    """Runs a command of this program in its own process; tests give another one."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._versions: list[Version] = []
        self._imports: list[Unfinished] = []
        self._reports: dict[str, Report] = {}
        self._unreadable: dict[str, str] = {}
        self._catalogue: Catalogue | None = None
        self._hash = b""
        self._heard = False
        self._job: Running | None = None
        self._check: tuple[str, Running] | None = None
        self._comes = False
        self._asking = ""
        self._import = Button(text("ui.data.import"), PRIMARY, icon_name="import", pressed=self._choose_file)
        self.prepare_button = Button(text("ui.prepare.open_wizard"), icon_name="table", pressed=self._prepare)
        self.catalogue_button = Button(
            text("ui.catalogue.title"), icon_name="layers", pressed=lambda: context.navigate("catalogue")
        )
        buttons = (self.catalogue_button, self.prepare_button, self._import)
        self.page.addWidget(header(text("ui.rail.data"), text("ui.data.subtitle"), *buttons))
        self.arriving = Arriving()
        self.list = Entries(text("ui.data.list"))
        self.list.chosen.connect(lambda _key: self._show_version())
        self.pane = VersionPane(check=self._check_pressed, activate=self._activate, remove=self._remove_pressed)
        self._make_body()
        context.standing.changed.connect(self._stand)
        self._stand()

    def _make_body(self) -> None:
        top = QWidget()
        top.setLayout(column(self.banners, self.arriving, gap=0))
        self.banners.setContentsMargins(24, 16, 24, 0)
        self.arriving.setContentsMargins(24, 16, 24, 12)
        left = frame("pane", column(self.list, gap=0, margins=(4, 6, 4, 6)))
        left.setMinimumWidth(220)
        inside = QWidget()
        inside.setLayout(column(self.pane, gap=0, margins=(24, 16, 24, 20)))
        inside.setSizePolicy(
            QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored
        )  # as high as its words at a width
        right = scrolling(inside)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(right)
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        split.setSizes([_LIST, 1280 - _LIST])
        split.restoreState(self.context.preferences.state("data"))
        split.splitterMoved.connect(lambda *_: self.context.preferences.remember("data", split.saveState()))
        self._stack = QStackedWidget()
        nowhere = EmptyState(
            "federation",
            text("ui.data.nowhere"),
            text("ui.data.nowhere_words"),
            action=(text("ui.rail.federation"), lambda: self.context.navigate("federation")),
        )
        empty = empty_page(lambda: self.context.navigate("help", "prepare"), self._prepare)
        for each in (QWidget(), split, empty, nowhere):
            self._stack.addWidget(each)
        self.page.addWidget(top)
        self.page.addWidget(self._stack, 1)

    # --- asking the owner ---------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for the versions, and for at how many sites their variables are."""
        if self.context.standing.overview.ready:
            self.context.bridge.call("data.list", of=self, done=self._take, failed=self.fail)
            self.context.bridge.call("catalogue.show", {"have": self._hash}, of=self, done=self._take_catalogue)

    def _stand(self) -> None:
        if self.context.standing.overview.ready and self.isVisible() and not self._heard:
            self.refresh()
        self._show()

    def _take(self, found: Result) -> None:
        self._heard = True
        self._versions = [Version.from_plain(each) for each in found["datasets"]][::-1]
        self._imports = [Unfinished.from_plain(each) for each in found["imports"]]
        self._show()

    def _take_catalogue(self, found: Result) -> None:
        if found["catalogue"]:
            self._catalogue = Catalogue.from_cbor(found["catalogue"])
            self._hash = bytes(found["hash"])
        self.pane.label(self._catalogue, found["held"], int(found["sites"]))

    def _ask_report(self, id: str) -> None:
        def take(found: Result) -> None:
            self._reports[id] = Report.from_plain(found)
            self._show_version()

        def fail(error: ConsiliumError) -> None:
            if error.code.startswith("owner."):
                self._asking = ""  # nobody was there to answer: the next change asks again
            else:
                self._unreadable[id] = text("ui.data.no_report")
                self._show_version()
            self.fail(error)

        if id not in self._reports and id not in self._unreadable and self._asking != id:
            self._asking = id
            self.context.bridge.call("data.report", {"dataset": id}, of=self, done=take, failed=fail)

    # --- showing ------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        overview = self.context.standing.overview
        self._import.setVisible(overview.ready)
        if not overview.ready:
            self._stack.setCurrentIndex(3 if overview.site else 0)
            return
        self._stack.setCurrentIndex(0 if not self._heard else 1 if self._versions else 2)
        self.list.show_entries([_entry(each) for each in self._versions])
        if not self.list.selected and self._versions:
            active = next((each for each in self._versions if each.active), self._versions[0])
            self.list.select(active.id)
        if self._job is None and not self._comes:
            self._show_unfinished()
        self._show_version()

    def _show_unfinished(self) -> None:
        def offers(each: Unfinished) -> tuple[Unfinished, Callable[[], object], Callable[[], object]]:
            return each, lambda: self.import_package(each.package), lambda: self._discard(each)

        self.arriving.unfinished([offers(each) for each in self._imports])

    def _show_version(self) -> None:
        version = self.current
        if version is None:
            return
        self.pane.show_version(version, self._reports.get(version.id), unreadable=self._unreadable.get(version.id, ""))
        running = self._check[1] if self._check is not None and self._check[0] == version.id else None
        self.pane.checking(None if running is None else running.cancel)
        self._ask_report(version.id)

    @property
    def current(self) -> Version | None:
        """The opened version."""
        return next((each for each in self._versions if each.id == self.list.selected), None)

    def _prepare(self) -> None:
        self.context.navigate("prepare")

    # --- importing ----------------------------------------------------------------------------------------------

    def open(self, argument: object = None) -> None:
        """Import the package at this path."""
        if argument:
            self.import_package(str(argument))

    def _choose_file(self) -> None:
        found, _ = QFileDialog.getOpenFileName(
            self, text("ui.data.import"), "", f"{text('ui.data.packages')} (*.consilium)"
        )
        if found:
            self.import_package(found)

    def import_package(self, path: str) -> None:
        """Look at a package, ask about a preparer that is new here, and import it."""
        if self._job is not None:
            self.banners.show_only(Banner("info", text("ui.data.one_at_a_time"), closed=self.banners.show_only))
            return
        self._comes = True
        self.banners.show_only()
        self.arriving.looking(path)

        def seen(found: Mapping[str, Any]) -> None:
            self._compare(Package.from_plain(found))

        def refused(error: ConsiliumError) -> None:
            self._refused(path, error)

        self.inspect(["data", "inspect", path], of=self, done=seen, failed=refused)

    def _compare(self, package: Package) -> None:
        known = {each.preparer for each in self._versions}
        if package.preparer in known:
            self._begin(package)
            return
        self.arriving.compare(
            package, known=bool(known), accept=lambda: self._begin(package), leave=self._nothing_comes
        )

    def _nothing_comes(self) -> None:
        self._comes = False
        self._show_unfinished()

    def _begin(self, package: Package) -> None:
        path = package.path

        def done(found: Result) -> None:
            self._job = None
            self._comes = False
            key = "ui.data.already" if found["already"] else "ui.data.imported"
            fact = text(key, number=found["version"])
            self.banners.show_only(
                Banner("positive", fact, text("ui.data.imported_words"), closed=self.banners.show_only)
            )
            self.list.select(str(found["dataset"]))
            self._show_unfinished()
            self.refresh()

        def failed(error: ConsiliumError) -> None:
            self._job = None
            if error.code == _CANCELLED:
                self._comes = False
                announce(self, text("ui.data.stopped"))
                self.arriving.nothing()
                self.refresh()
            else:
                self._refused(path, error)

        job = self.context.jobs.run(
            text("ui.data.importing", file=Path(path).name),
            "data.import",
            {"package": str(Path(path).absolute()), "preparer": package.preparer},
            of=self,
            done=done,
            failed=failed,
            progress=self.arriving.progress,
        )
        if job in self.context.jobs.running:
            self._job = job
            self.arriving.importing(path, job.cancel)

    def _refused(self, path: str, error: ConsiliumError) -> None:
        self._job = None
        self.arriving.refused(path, error, again=lambda: self.import_package(path), close=self._nothing_comes)
        self.refresh()

    def _discard(self, unfinished: Unfinished) -> None:
        def discard() -> None:
            self._do("data.remove", {"dataset": unfinished.id, "force": False}, text("ui.data.discarded"))

        name = Path(unfinished.package).name if unfinished.package else unfinished.id[:8]
        title, words = text("ui.data.discard_title", file=name), text("ui.data.discard_words")
        confirm(self, title, words, answer=text("ui.data.discard"), danger=True, then=discard)

    # --- versions -----------------------------------------------------------------------------------------------

    def _do(self, command: str, values: Mapping[str, object], said: str) -> None:
        def done(_found: Result) -> None:
            announce(self, said)
            self.refresh()

        self.context.bridge.call(command, values, of=self, done=done, failed=self.fail)

    def _activate(self) -> None:
        if (version := self.current) is not None:
            self._do("data.activate", {"dataset": version.id}, text("ui.data.now_active", number=version.number))

    def _remove_pressed(self) -> None:
        if (version := self.current) is None:
            return

        def remove() -> None:
            said = text("ui.data.removed", number=version.number)
            self._do("data.remove", {"dataset": version.id, "force": version.active}, said)

        title = text("ui.data.remove_title", number=version.number)
        words = text("ui.data.remove_active" if version.active else "ui.data.remove_words", size=size(version.size))
        confirm(self, title, words, answer=text("ui.data.remove"), danger=True, then=remove)

    def _check_pressed(self) -> None:
        version = self.current
        if version is None or self._check is not None:
            return

        def ended(banner: Banner | None) -> None:
            self._check = None
            self.banners.show_only(*(() if banner is None else (banner,)))
            self._show_version()

        def done(_found: Result) -> None:
            fact = text("ui.data.whole", number=version.number)
            ended(Banner("positive", fact, text("ui.data.whole_words"), closed=self.banners.show_only))

        def failed(error: ConsiliumError) -> None:
            ended(None if error.code == _CANCELLED else Banner.of_error(error, closed=self.banners.show_only))

        self.banners.show_only()
        title = text("ui.data.checking_version", number=version.number)
        values = {"dataset": version.id}
        job = self.context.jobs.run(
            title, "data.check", values, of=self, done=done, failed=failed, progress=self.pane.progress
        )
        if job in self.context.jobs.running:
            self._check = (version.id, job)
            self._show_version()


def _entry(version: Version) -> Entry:
    words = text("ui.data.entry", variables=number(version.variables), size=size(version.size))
    title = text("ui.data.version", number=version.number)
    return Entry(version.id, title, moment(version.imported), words, chip(version))
