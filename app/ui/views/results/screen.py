"""The screen: the runs at the left, the opened one in the middle, what protects it at the right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QSizePolicy, QSplitter, QStackedWidget, QWidget

from app.core.errors import ConsiliumError
from app.core.services.commands import Result
from app.core.services.runs import Run
from app.texts import text
from app.ui.context import Context
from app.ui.models.question import Question
from app.ui.models.told import Told, with_results
from app.ui.models.wish import Wish
from app.ui.tokens import Style
from app.ui.views.results import wording
from app.ui.views.results.compare import Compare
from app.ui.views.results.doing import Doing
from app.ui.views.results.exports import ExportMenu
from app.ui.views.results.opened import Opened
from app.ui.views.results.protection import Protection
from app.ui.views.view import View
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.entries import Entries
from app.ui.widgets.feedback import EmptyState, announce
from app.ui.widgets.fields import Choice, SearchField
from app.ui.widgets.layout import column, frame, header, row, scrolling
from app.ui.widgets.text import Label

_LIST, _SIDE = 292, 256
_BLANK, _RUNS, _NONE, _NOWHERE = range(4)
_IN_WORDS = 100
"""So many of the newest runs stand in words in the list; older ones once they are opened."""
_UNTOLD = Told(Question(("",)))


class ResultsView(View):
    """Results."""

    name: ClassVar[str] = "results"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._runs: list[Run] = []
        self._told: dict[str, Told] = {}
        self._fetching = ""
        self._wanted = ""
        self._heard = False
        self._read: set[str] = set()
        """What has been asked for as it is now."""
        self.doing = Doing(self)
        self._make_header()
        self._make_list()
        actions: dict[str, Callable[[], object]] = {
            "remind": self.doing.remind,
            "finish": self.doing.finish,
            "retry": self.doing.retry,
            "cancel": self.doing.cancel,
        }
        self.opened = Opened(actions, self.doing.write, self._table_copied)
        self.compare = Compare(self._stop_comparing, self._fetch, self._table_copied)
        self.protection = Protection()
        self.page.addWidget(self._make_body(), 1)
        self.banners = self.opened.banners
        context.standing.changed.connect(self._stand)
        self._stand()

    # --- parts ------------------------------------------------------------------------------------------------

    def _make_header(self) -> None:
        self.compare_button = Button(text("ui.results.compare"), icon_name="compare", pressed=self._begin_comparing)
        self.edit_button = Button(text("ui.results.edit"), icon_name="explore", pressed=self._edit)
        self.again_button = Button(text("ui.results.again"), icon_name="refresh", pressed=self.doing.ask_again)
        self.export_button = Button(text("ui.results.export"), PRIMARY, icon_name="export")
        self.export_menu = ExportMenu(self.export_button, self.doing.export, self._copy, self._copy_table)
        self.export_button.setMenu(self.export_menu)
        for action in (self.export_menu.copy_action, self.export_menu.table_action):
            self.addAction(action)  # its shortcut works while the menu is closed
        self._add_shortcut("Ctrl+E", self.export_button.showMenu)
        buttons = (self.compare_button, self.edit_button, self.again_button, self.export_button)
        self.page.addWidget(header(text("ui.rail.results"), "", *buttons))

    def _add_shortcut(self, keys: str, do: Callable[[], object]) -> None:
        action = QAction(self)
        action.setShortcut(QKeySequence(keys))
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.triggered.connect(lambda _checked=False: do())
        self.addAction(action)

    def _make_list(self) -> None:
        self.search = SearchField(text("ui.results.search"))
        self.search.wanted.connect(lambda _sought: self._show_list())
        self.filter = Choice(
            text("ui.results.filter"), [(each, text(f"ui.results.filter.{each}")) for each in wording.FILTERS]
        )
        self.filter.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.search.setMinimumWidth(110)
        self.filter.chosen.connect(lambda _value: self._show_list())
        self.list = Entries(text("ui.results.list"))
        self.list.chosen.connect(self._choose)
        self._unmatched = Label(text("ui.results.unmatched"), Style.SMALL, "text2", wrap=True)
        self._unmatched.setContentsMargins(12, 8, 12, 8)
        self._unmatched.hide()

    def _make_body(self) -> QStackedWidget:
        tools = row(self.search, self.filter, gap=6, margins=(8, 6, 8, 4))
        tools.setStretchFactor(self.search, 1)
        inside = column(tools, self._unmatched, self.list, gap=2, margins=(4, 4, 4, 4))
        inside.setStretchFactor(self.list, 1)
        left = frame("pane", inside)
        left.setMinimumWidth(240)
        self._middle = QStackedWidget()
        self._middle.addWidget(self.opened)
        self._middle.addWidget(self.compare)
        self._right = frame("pane", column(scrolling(self.protection), gap=0), side="right")
        self._right.setMinimumWidth(220)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        for place, (part, stretch) in enumerate(((left, 0), (_raised(self._middle), 1), (self._right, 0))):
            self.split.addWidget(part)
            self.split.setStretchFactor(place, stretch)
        self.split.setChildrenCollapsible(False)
        self.split.setSizes([_LIST, 1196 - _LIST - _SIDE, _SIDE])
        self.split.restoreState(self.context.preferences.state("results"))
        self.split.splitterMoved.connect(
            lambda *_: self.context.preferences.remember("results", self.split.saveState())
        )
        self._stack = QStackedWidget()
        for each in (QWidget(), self.split, self._nothing(), self._nowhere()):
            self._stack.addWidget(each)
        return self._stack

    def _nothing(self) -> QWidget:
        action = (text("ui.home.ask"), lambda: self.context.navigate("explore"))
        return EmptyState("results", text("ui.results.none"), text("ui.results.none_words"), action=action)

    def _nowhere(self) -> QWidget:
        action = (text("ui.rail.federation"), lambda: self.context.navigate("federation"))
        return EmptyState("federation", text("ui.results.nowhere"), text("ui.results.nowhere_words"), action=action)

    # --- asking the owner ---------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for the runs."""
        if self.context.standing.overview.ready:
            self.context.bridge.call("query.list", of=self, done=self._take, failed=self.fail)

    def open(self, argument: object = None) -> None:
        """Show the run whose id begins with ``argument``, whatever the search and the filter say."""
        self._wanted = str(argument or "")
        self.search.clear()
        self.filter.set_value(wording.ALL)
        self._stop_comparing()

    def _stand(self) -> None:
        if self.context.standing.overview.ready and self.isVisible() and not self._heard:
            self.refresh()
        self._show()

    def _take(self, found: Result) -> None:
        runs = [Run.from_plain(each) for each in found["queries"]]
        if self._heard and runs == self._runs:
            return
        self._tell_news(runs)
        before = {each.id: each for each in self._runs}
        self._read -= {each.id for each in runs if each != before.get(each.id)}
        self._heard, self._runs = True, runs
        self._show()
        self._fetch()

    def _tell_news(self, runs: Sequence[Run]) -> None:
        """Have a screen reader say which answers have come, and which runs have ended without one."""
        before = {each.id: each for each in self._runs}
        for run in runs:
            if (known := before.get(run.id)) is None or not known.open or run.open:
                continue
            title = self.title(run)
            if run.answer is not None:
                announce(self, text("ui.results.answer_came", question=title, answer=wording.spoken_answer(run)))
            else:
                announce(self, text("ui.results.ended", question=title, state=wording.run_words(run)))

    def _fetch(self) -> None:
        """Ask for what the list does not tell, the opened run first; one at a time."""
        if self._fetching or not (missing := self._missing()):
            return
        self._fetching = missing

        def take(found: Result) -> None:
            self._fetching = ""
            self._told[missing] = Told.from_plain(found)
            self._read.add(missing)
            self._show()
            self._fetch()

        def fail(_error: ConsiliumError) -> None:
            self._fetching = ""  # the list has its text form; the next change asks again

        self.context.bridge.call("query.show", {"id": missing}, of=self, done=take, failed=fail)

    def _missing(self) -> str:
        """Return the next run to ask for: those that are looked at with their results, then the newest; "" if none."""
        known = {each.id: each for each in self._runs}
        seen = [id_ for id_ in (self.list.selected, *self.compare.chosen) if id_ in known]
        for id_ in seen:
            answered = known[id_].answer is not None and not self._told.get(id_, _UNTOLD).results
            if id_ not in self._told or (answered and id_ not in self._read):
                return id_
        return next((each.id for each in self._runs[:_IN_WORDS] if each.id not in self._told), "")

    # --- showing ------------------------------------------------------------------------------------------------

    @property
    def current(self) -> Run | None:
        """The opened run."""
        return next((each for each in self._runs if each.id == self.list.selected), None)

    @property
    def answered(self) -> list[Run]:
        """The runs that have an answer."""
        return [each for each in self._runs if each.answer is not None]

    def title(self, run: Run) -> str:
        """Return a run's question in words, as far as they are known."""
        found = self._told.get(run.id)
        return found.question.brief if found is not None else run.text

    def _show(self) -> None:
        overview = self.context.standing.overview
        if not overview.ready:
            self._stack.setCurrentIndex(_NOWHERE if overview.site else _BLANK)
        else:
            self._stack.setCurrentIndex(_BLANK if not self._heard else _RUNS if self._runs else _NONE)
        self._show_list()
        if self._middle.currentWidget() is self.compare:
            self.compare.update_runs(self.answered, self._told)

    def _show_list(self) -> None:
        titles = {id_: found.question.brief for id_, found in self._told.items()}
        entries = wording.entries(self._runs, titles, self.search.text(), self.filter.value)
        self.list.show_entries(entries)
        self._unmatched.setVisible(bool(self._runs) and not entries)
        wanted = next((each.id for each in self._runs if self._wanted and each.id.startswith(self._wanted)), "")
        if wanted:
            self._wanted = ""
            self.list.select(wanted)
        if not self.list.selected and entries:
            self.list.select(entries[0].key)
        self._show_opened()

    def _show_opened(self) -> None:
        run = self.current
        self._middle.setVisible(run is not None)
        self.protection.setVisible(run is not None)
        if run is not None:
            told = self._told.get(run.id)
            self.opened.show_run(run, told, self.context.standing.overview.site)
            self.protection.show_run(with_results(run, told))
        self._show_buttons(run)

    def _show_buttons(self, run: Run | None) -> None:
        there = run is not None and self._stack.currentIndex() == _RUNS
        unanswered = "" if run is not None and run.answer is not None else text("ui.results.no_answer_yet")
        too_few = "" if len(self.answered) > 1 else text("ui.results.one_answer")
        for button, reason in (
            (self.compare_button, unanswered or too_few),
            (self.edit_button, ""),
            (self.again_button, text("ui.results.still_open") if run is not None and run.open else ""),
            (self.export_button, unanswered),
        ):
            button.setVisible(there)
            button.forbid(reason)
        self.export_menu.copy_action.setEnabled(not unanswered)
        self.export_menu.table_action.setEnabled(not unanswered)

    def _choose(self, _id: str) -> None:
        self.opened.banners.show_only()
        self._stop_comparing()
        self._fetch()

    # --- comparing, editing, copying ----------------------------------------------------------------------------

    def _begin_comparing(self) -> None:
        if (run := self.current) is not None and run.answer is not None and len(self.answered) > 1:
            self.compare.begin(run.id, self.answered, self._told)
            self._middle.setCurrentWidget(self.compare)
            self._right.hide()
            self.compare.back.setFocus()

    def _stop_comparing(self) -> None:
        self._middle.setCurrentWidget(self.opened)
        self._right.show()
        self._show_list()

    def _edit(self) -> None:
        if (run := self.current) is not None:
            wish = Wish(run.text, per_site=run.per_site, person=run.asked_by, project=run.project)
            self.context.navigate("explore", wish)

    def _copy(self) -> None:
        comparing = self._middle.currentWidget() is self.compare
        place = self.compare.figure if comparing else self.opened.figure
        place.copy(lambda: announce(self, text("ui.results.copied")))

    def _copy_table(self) -> None:
        comparing = self._middle.currentWidget() is self.compare
        (self.compare.table if comparing else self.opened.table).copy()

    def _table_copied(self) -> None:
        announce(self, text("ui.results.table_copied"))


def _raised(widget: QWidget) -> QWidget:
    return frame("raised", column(widget, gap=0))
