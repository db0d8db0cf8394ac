"""One run, opened: the question, the answer large or where it stands, figure and table, sites, notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from app.core.services.runs import Run
from app.texts import text
from app.ui.icons import icon
from app.ui.locale import number
from app.ui.models.question import Question
from app.ui.models.told import EACH, TOTAL, Told
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.views.results import wording
from app.ui.views.results.answer import AnswerHead
from app.ui.views.results.parts import SitesList, Strip, Thread, strip_facts
from app.ui.views.results.statistics_panel import StatisticsPanel
from app.ui.views.results.twins import Twins
from app.ui.widgets.buttons import DANGER, Button
from app.ui.widgets.chips import Meter
from app.ui.widgets.feedback import Banners, Icon
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import Flow, column, row, scrolling
from app.ui.widgets.text import Label

_SIDE = 24
FIGURE, TABLE, BOTH, SITES, NOTES = range(5)
_TABS = (("figure", "bars"), ("table", "table"), ("both", "compare"), ("sites", "federation"), ("notes", "message"))
Actions: TypeAlias = Mapping[str, Callable[[], object]]


class Opened(QWidget):
    """The run of the moment. What has not changed is left alone, so that nobody loses the place."""

    def __init__(self, actions: Actions, write: Callable[[str], object], copied: Callable[[], object]) -> None:
        super().__init__()
        self._run: Run | None = None
        self._told: Told | None = None
        self.banners = Banners()
        self._words = Label("", Style.SENTENCE, "text2", wrap=True, rich=True, selectable=True)
        self.answer = AnswerHead()
        self._make_standing()
        self._make_actions(actions)
        self._make_site()
        self.strip = Strip()
        self.twins, self.sites, self.notes = Twins(copied), SitesList(), Thread(write)
        self.statistics = StatisticsPanel()
        self.figure, self.table = self.twins.figure, self.twins.table
        self._make_tabs()
        body = column(
            self.banners,
            self._words,
            self.answer,
            self._standing,
            self._actions,
            self.strip,
            self._site_row,
            self.tabs,
            self._pages,
            self.statistics,
            gap=14,
            margins=(_SIDE, 16, _SIDE, 20),
        )
        body.setStretchFactor(self._pages, 1)
        self.area = scrolling(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.area)
        theme().changed.connect(self._colour)

    # --- parts ------------------------------------------------------------------------------------------------

    def _make_standing(self) -> None:
        self._sign = Icon("running", 28, "acc")
        self.state = Label("", Style.QUESTION, wrap=True)
        self._because = Label("", Style.BODY, "text2", wrap=True, selectable=True)
        self._meter = Meter(4)
        inside = column(self.state, self._meter, self._because, gap=6)
        layout = row(gap=14)
        layout.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(inside, 1)
        self._standing = QWidget()
        self._standing.setLayout(layout)

    def _make_actions(self, actions: Actions) -> None:
        self.remind = Button(
            text("ui.results.remind"), icon_name="bell", size="small", pressed=lambda: actions["remind"]()
        )
        self.finish = Button(
            text("ui.results.finish"), icon_name="flag-end", size="small", pressed=lambda: actions["finish"]()
        )
        self.retry = Button(
            text("ui.results.retry"), icon_name="refresh", size="small", pressed=lambda: actions["retry"]()
        )
        self.cancel = Button(
            text("ui.results.cancel"), DANGER, icon_name="stop", size="small", pressed=lambda: actions["cancel"]()
        )
        flow = Flow(gap=8)
        for each in (self.remind, self.finish, self.retry, self.cancel):
            flow.addWidget(each)
        self._actions = QWidget()
        self._actions.setLayout(flow)

    def _make_site(self) -> None:
        self.site = Choice(text("ui.results.whose"), [])
        self.site.setSizeAdjustPolicy(Choice.SizeAdjustPolicy.AdjustToContents)
        self.site.chosen.connect(lambda _site: self._show_answer())
        label = Label(text("ui.results.whose"), Style.BODY, "text2")
        label.setBuddy(self.site)
        self._site_row = QWidget()
        self._site_row.setLayout(row(label, self.site, None, gap=10))

    def _make_tabs(self) -> None:
        self.tabs = QTabBar()
        self.tabs.setExpanding(False)
        self.tabs.setAccessibleName(text("ui.results.tabs"))
        self.tabs.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._pages = _Pages()
        for name, icon_name in _TABS:
            self.tabs.addTab(icon(icon_name), text(f"ui.results.tab.{name}"))
        for page in (self.twins, self.sites, self.notes):
            page.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
            self._pages.addWidget(page)
        self.tabs.currentChanged.connect(lambda _tab: self._show_page())

    # --- showing ----------------------------------------------------------------------------------------------

    def show_run(self, run: Run, told: Told | None, own: str) -> None:
        """Show a run; ``told`` None is not known in words yet."""
        other = self._run is None or self._run.id != run.id
        arrived = not other and self._run is not None and self._run.answer is None and run.answer is not None
        before, self._told, self._run = self._told, told, run
        if other or told != before:
            self._colour()
        self._show_sites(run, told, first=other)
        self._show_answer()
        self._show_standing(run)
        self._show_actions(run)
        self.sites.show_sites(run.sites)
        self.notes.show_notes(run.notes, own, open_=run.open)
        written = sum(bool(words) for _, words in run.notes)
        notes = text("ui.results.notes_count", count=number(written)) if written else text("ui.results.tab.notes")
        if self.tabs.tabText(NOTES) != notes:
            self.tabs.setTabText(NOTES, notes)
            self._fit_tabs()
        self._show_tabs(run, first=other or arrived)

    @property
    def chosen_site(self) -> str:
        """Whose result is shown: a site's name, :data:`.TOTAL` or :data:`.EACH`."""
        return self.site.value if self.site.count() else TOTAL

    def _show_sites(self, run: Run, told: Told | None, *, first: bool) -> None:
        names = told.sites if told is not None and run.answer is not None else ()
        wanted = [(TOTAL, text("ui.results.all_together")), *((name, name) for name in names)]
        if names:
            wanted.append((EACH, text("ui.results.each_site")))
        chosen = TOTAL if first else self.chosen_site
        if wanted != [(self.site.itemData(place), self.site.itemText(place)) for place in range(self.site.count())]:
            self.site.clear()
            for value, shown in wanted:
                self.site.addItem(shown, value)
        self.site.set_value(chosen)
        self._site_row.setVisible(bool(names))

    def _show_answer(self) -> None:
        run, told = self._run, self._told or Told(Question(("",)))
        self.answer.setVisible(run is not None and run.answer is not None)
        if run is None:
            return
        self.strip.show_facts(strip_facts(run, told, self.chosen_site))
        if run.answer is None:
            self.statistics.show_all([], [])
            return
        self.answer.show_answer(run, told, self.chosen_site)
        self.twins.show_run(run, told, self.chosen_site)
        self.statistics.show_all(*self.twins.statistics)
        self._show_page()

    def _show_standing(self, run: Run) -> None:
        self._standing.setVisible(run.answer is None)
        if run.answer is not None:
            return
        self._sign.set(*wording.run_look(run))
        self.state.setText(wording.run_words(run))
        done = wording.fraction(run)
        self._meter.setVisible(done is not None)
        if done is not None:
            self._meter.set_parts([(done, "accfill")], self.state.text())
        self._because.setText(text("ui.results.you_may_go") if run.open else wording.ended_words(run))

    def _show_actions(self, run: Run) -> None:
        self._actions.setVisible(run.open)
        if not run.open:
            return
        opening = run.state == "closed"
        self.remind.setVisible(bool(run.awaited))
        self.finish.setVisible(not opening)
        enough = run.decided >= run.minimum
        self.finish.forbid("" if enough else text("ui.results.too_few", count=run.minimum, ready=run.decided))
        self.retry.setVisible(run.waits_for == "open" and 0 < len(run.awaited) <= run.of - run.quorum)

    def _show_tabs(self, run: Run, *, first: bool) -> None:
        answered = run.answer is not None
        for place in (FIGURE, TABLE, BOTH):
            if self.tabs.isTabVisible(place) != answered:
                self.tabs.setTabVisible(place, answered)
        if first or not self.tabs.isTabVisible(self.tabs.currentIndex()):
            shown = self.tabs.currentIndex() if self.tabs.currentIndex() in (TABLE, BOTH) else FIGURE
            self.tabs.setCurrentIndex(shown if answered else SITES)
            self.area.verticalScrollBar().setValue(0)
        self._fit_tabs()
        self._show_page()

    def _show_page(self) -> None:
        tab = self.tabs.currentIndex()
        twins = tab in (FIGURE, TABLE, BOTH)
        self._pages.setCurrentIndex(0 if twins else 1 if tab == SITES else 2)
        if twins:
            self.twins.show_parts(figure=tab != TABLE, table=tab != FIGURE)
        self.statistics.setVisible(twins and self.statistics.filled)

    def _colour(self) -> None:
        if self._run is None:
            return
        asked = self._told.question if self._told is not None else Question((self._run.text,))
        self._words.setText(asked.rich(theme().colours["text"]))
        self._words.setAccessibleName(asked.plain)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        self.twins.turn(self.width())
        self._fit_tabs()

    def _fit_tabs(self) -> None:
        """Let the tabs have their pictures where there is room for them: no tab may be hidden behind an arrow."""
        for pictured in (True, False):
            for place, (_, icon_name) in enumerate(_TABS):
                self.tabs.setTabIcon(place, icon(icon_name) if pictured else QIcon())
            if self.tabs.sizeHint().width() <= self.width() - 2 * _SIDE:
                return


class _Pages(QStackedWidget):
    """As high as the page that is seen, not as the highest of all."""

    def __init__(self) -> None:
        super().__init__()
        self.currentChanged.connect(self._fit)

    def _fit(self, seen: int) -> None:
        for place in range(self.count()):
            policy = QSizePolicy.Policy.Expanding if place == seen else QSizePolicy.Policy.Ignored
            page = self.widget(place)
            if page is not None:
                page.setSizePolicy(QSizePolicy.Policy.Preferred, policy)
        self.updateGeometry()
