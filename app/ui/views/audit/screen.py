"""The screen: search and filters above, the timeline at the left, the opened record at the right."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QSizePolicy, QSplitter, QStackedWidget, QWidget

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.jobs import Running
from app.ui.locale import moment, number
from app.ui.models.audit import DAY, GROUPS, PERIODS, Head, Record, Verification
from app.ui.views.audit.detail import RecordPane
from app.ui.views.view import View
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.entries import Entries, Entry
from app.ui.widgets.feedback import Banner, EmptyState, announce
from app.ui.widgets.fields import Choice, SearchField
from app.ui.widgets.layout import column, frame, header, row, scrolling

_LIST = 380
_PAGE = 100
_WAIT_SECONDS = 20
_CANCELLED = "job.cancelled"


class AuditView(View):
    """Audit."""

    name: ClassVar[str] = "audit"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._records: list[Record] = []
        self._heads: tuple[Head, ...] = ()
        self._more = self._heard = self._asking = False
        self._most = _PAGE
        self._job: Running | None = None
        self.verify_button = Button(text("ui.audit.verify"), PRIMARY, icon_name="shield-check", pressed=self.verify)
        self.export_button = Button(text("ui.audit.export"), icon_name="export", pressed=self._choose_file)
        self.page.addWidget(
            header(text("ui.rail.audit"), text("ui.audit.subtitle"), self.export_button, self.verify_button)
        )
        self.search = SearchField(text("ui.audit.search"))
        self.search.wanted.connect(lambda _text: self._filter())
        self.kinds = Choice(text("ui.audit.kinds"), [(each, text(f"ui.audit.group.{each}")) for each in GROUPS])
        self.periods = Choice(text("ui.audit.periods"), [(each, text(f"ui.audit.period.{each}")) for each in PERIODS])
        for choice in (self.kinds, self.periods):
            choice.chosen.connect(lambda _value: self._filter())
        self.list = Entries(text("ui.audit.list"))
        self.list.chosen.connect(lambda _key: self._show_record())
        self.more_button = Button(text("ui.audit.more"), pressed=self._more_pressed)
        self.pane = RecordPane()
        self._make_body()
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.search.setFocus)

    def _make_body(self) -> None:
        self.banners.setContentsMargins(24, 16, 24, 0)
        filters = QWidget()
        filters.setLayout(row(self.search, self.kinds, self.periods, gap=8, margins=(16, 10, 16, 10)))
        self._none = EmptyState("search", text("ui.audit.none"), text("ui.audit.none_words"))
        left = frame("pane", column(self.list, self.more_button, gap=6, margins=(4, 6, 4, 6)))
        left.setMinimumWidth(260)
        inside = QWidget()
        inside.setLayout(column(self.pane, gap=0, margins=(24, 16, 24, 20)))
        inside.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(scrolling(inside))
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        split.setSizes([_LIST, 1280 - _LIST])
        split.restoreState(self.context.preferences.state("audit"))
        split.splitterMoved.connect(lambda *_: self.context.preferences.remember("audit", split.saveState()))
        self._stack = QStackedWidget()
        for each in (QWidget(), split, self._none):
            self._stack.addWidget(each)
        top = QWidget()
        top.setLayout(column(self.banners, filters, gap=8))
        self.page.addWidget(top)
        self.page.addWidget(self._stack, 1)

    # --- asking the owner ---------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for the newest records that the filters let through."""
        days = PERIODS[self.periods.value]
        values = {
            "after": 0,
            "kind": GROUPS[self.kinds.value],
            "text": self.search.text()[:200],
            "since": int(time.time() * 1000) - days * DAY if days else 0,
            "most": min(self._most, 1000),
        }
        self.context.bridge.call("audit.show", values, of=self, done=self._take, failed=self.fail)

    def _take(self, found: Result) -> None:
        self._heard = True
        self._records = [Record.from_plain(each) for each in found["records"]]
        self._heads = tuple(Head.from_plain(each) for each in found["heads"])
        self._more = bool(found["more"])
        self._show()

    def _filter(self) -> None:
        self._most = _PAGE
        self.refresh()

    def _more_pressed(self) -> None:
        self._most += _PAGE
        self.refresh()

    # --- showing ------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        self._stack.setCurrentIndex(0 if not self._heard else 1 if self._records else 2)
        self.list.show_entries([_entry(each) for each in self._records])
        self.more_button.setVisible(self._more and self._most < 1000)
        if self.current is None and self._records:
            self.list.select(_key(self._records[0]))
        self._show_record()

    def _show_record(self) -> None:
        self.pane.show_record(self.current, self._heads)

    @property
    def current(self) -> Record | None:
        """The opened record."""
        return next((each for each in self._records if _key(each) == self.list.selected), None)

    # --- verifying ----------------------------------------------------------------------------------------------

    def verify(self) -> None:
        """Verify the trail, having asked the other sites what they hold."""
        if self._job is not None:
            return
        self.banners.show_only()
        if not self.context.standing.overview.ready:
            self._verify([])
            return
        self._asking = True
        self._run("audit.ask", {"wait": _WAIT_SECONDS}, self._answered)

    def _run(self, command: str, values: dict[str, int], done: Callable[[Result], object]) -> None:
        job = self.context.jobs.run(
            text("ui.audit.verifying"), command, values, of=self, done=done, failed=self._not_verified
        )
        if job in self.context.jobs.running:
            self._job = job
            self.verify_button.setEnabled(False)

    def _answered(self, found: Result) -> None:
        self._ended()
        self._verify([str(name) for name in found["unheard"]])

    def _verify(self, unheard: list[str]) -> None:
        self._run("audit.verify", {}, lambda found: self._verified({**found, "unheard": unheard}))

    def _ended(self) -> None:
        self._job, self._asking = None, False
        self.verify_button.setEnabled(True)

    def _verified(self, plain: Result) -> None:
        self._ended()
        found = Verification.from_plain(plain)
        banners = [_verdict(found, self.banners.show_only)]
        if found.findings:
            words = " ".join(found.findings)
            banners.append(Banner("danger", text("ui.audit.findings"), words, closed=self.banners.show_only))
        self.banners.show_only(*banners)
        announce(self, banners[0].fact)
        self.refresh()

    def _not_verified(self, error: ConsiliumError) -> None:
        asking = self._asking
        self._ended()
        if asking and error.code != _CANCELLED:  # nobody can be asked at the moment: what is here is verified
            self._verify([each.site for each in self._heads])
        elif error.code != _CANCELLED:
            self.fail(error)

    # --- exporting ----------------------------------------------------------------------------------------------

    def _choose_file(self) -> None:
        csv, fhir = f"{text('ui.audit.csv')} (*.csv)", f"{text('ui.audit.fhir')} (*.json)"
        found, chosen = QFileDialog.getSaveFileName(self, text("ui.audit.export"), "audit.csv", f"{csv};;{fhir}")
        if found:
            self.export(Path(found), "fhir" if chosen == fhir or found.lower().endswith(".json") else "csv")

    def export(self, path: Path, format: str) -> None:
        """Write the whole trail to a file; the dialog has asked before it replaces one."""
        path = path if path.suffix else path.with_suffix(".json" if format == "fhir" else ".csv")

        def done(found: Result) -> None:
            fact = text("ui.audit.exported", count=number(found["records"]), file=Path(str(found["path"])).name)
            meaning = text("ui.audit.exported_words")
            self.banners.show_only(Banner("positive", fact, meaning, closed=self.banners.show_only))
            announce(self, fact)

        values = {"path": str(path.absolute()), "format": format, "replace": True}
        self.context.bridge.call("audit.export", values, of=self, done=done, failed=self.fail)


def _key(record: Record) -> str:
    return str(record.number)


def _entry(record: Record) -> Entry:
    return Entry(
        key=_key(record),
        title=record.title,
        when=moment(record.at),
        words=record.words,
        chip=record.chip,
        icon_name=record.icon_name,
        more=text("ui.audit.number", number=number(record.number)),
    )


def _verdict(found: Verification, close: object) -> Banner:
    """Return the banner that says how a verification ended."""
    count = number(found.records)
    held = text("ui.audit.agreed", sites=", ".join(found.agreeing)) if found.agreeing else text("ui.audit.nobody_holds")
    unheard = text("ui.audit.unheard", sites=", ".join(found.unheard)) if found.unheard else ""
    if found.ok:
        words = " ".join(filter(None, (held, unheard)))
        return Banner("positive", text("ui.audit.whole", count=count), words, closed=close)  # type: ignore[arg-type]
    words = " ".join([*found.problems, text("ui.audit.broken_words")])
    return Banner("danger", text("ui.audit.broken", count=count), words, closed=close)  # type: ignore[arg-type]
