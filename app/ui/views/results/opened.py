"""One run, opened: the question, the answer large or where it stands, figure and table, sites, notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from app.core.services.runs import Run
from app.texts import text
from app.ui.icons import icon
from app.ui.locale import number
from app.ui.models.question import Question
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.views.results import wording
from app.ui.views.results.figure import Drawn, FigurePlace
from app.ui.views.results.parts import SitesList, Strip, Table, Thread, strip_facts, table_rows
from app.ui.widgets.buttons import DANGER, Button
from app.ui.widgets.chips import Meter
from app.ui.widgets.feedback import Banners, Icon
from app.ui.widgets.layout import Flow, column, row, scrolling
from app.ui.widgets.text import Label

FIGURE, TABLE, SITES, NOTES = range(4)
_TALLEST = 460
_TABS = (("figure", "bars"), ("table", "table"), ("sites", "federation"), ("notes", "message"))
Actions: TypeAlias = Mapping[str, Callable[[], object]]


class Opened(QWidget):
    """The run of the moment. What has not changed is left alone, so that nobody loses the place."""

    def __init__(self, actions: Actions, write: Callable[[str], object]) -> None:
        super().__init__()
        self._run: Run | None = None
        self._question: Question | None = None
        self.banners = Banners()
        self._words = Label("", Style.SENTENCE, "text2", wrap=True, rich=True, selectable=True)
        self._make_answer()
        self._make_standing()
        self._make_actions(actions)
        self.strip = Strip()
        self.figure, self.table, self.sites, self.notes = FigurePlace(), Table(), SitesList(), Thread(write)
        self._note = Label(text("ui.results.no_bars"), Style.CAPTION, "text2", wrap=True)
        self._make_tabs()
        body = column(
            self.banners,
            self._words,
            self._answer,
            self._standing,
            self._actions,
            self.strip,
            self.tabs,
            self._pages,
            gap=14,
            margins=(24, 16, 24, 20),
        )
        body.setStretchFactor(self._pages, 1)
        self.area = scrolling(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.area)
        theme().changed.connect(self._colour)

    # --- parts ------------------------------------------------------------------------------------------------

    def _make_answer(self) -> None:
        self.number = Label("", Style.ANSWER, selectable=True)
        self._unit = Label(text("ui.results.patients"), Style.QUESTION)
        self.interval = Label("", Style.STRONG, wrap=True)
        self._why = Label("", Style.SMALL, "text2", wrap=True)
        beside = column(None, self._why, self.interval, None, gap=2)
        layout = row(self.number, gap=10)
        layout.addWidget(self._unit, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addSpacing(14)
        layout.addLayout(beside, 1)
        self._answer = QWidget()
        self._answer.setLayout(layout)

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

    def _make_tabs(self) -> None:
        self.tabs = QTabBar()
        self.tabs.setExpanding(False)
        self.tabs.setAccessibleName(text("ui.results.tabs"))
        self.tabs.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._pages = QStackedWidget()
        figure = QWidget()
        self.figure.setMaximumHeight(_TALLEST)
        drawn = column(self.figure, self._note, gap=6)
        drawn.setStretchFactor(self.figure, 1)
        drawn.addStretch(0)
        figure.setLayout(drawn)
        pages: tuple[QWidget, ...] = (figure, self.table, self.sites, self.notes)
        for (name, icon_name), page in zip(_TABS, pages, strict=True):
            self.tabs.addTab(icon(icon_name), text(f"ui.results.tab.{name}"))
            page.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
            self._pages.addWidget(page)
        self.tabs.currentChanged.connect(self._pages.setCurrentIndex)

    # --- showing ----------------------------------------------------------------------------------------------

    def show_run(self, run: Run, asked: Question | None, own: str) -> None:
        """Show a run; ``asked`` None is not known in words yet."""
        other = self._run is None or self._run.id != run.id
        arrived = not other and self._run is not None and self._run.answer is None and run.answer is not None
        if other or asked != self._question:
            self._question, self._run = asked, run
            self._colour()
        self._run = run
        self._show_answer(run)
        self._show_standing(run)
        self._show_actions(run)
        self.strip.show_facts(strip_facts(run))
        self.sites.show_sites(run.sites)
        self.notes.show_notes(run.notes, own, open_=run.open)
        written = sum(bool(words) for _, words in run.notes)
        notes = text("ui.results.notes_count", count=number(written)) if written else text("ui.results.tab.notes")
        if self.tabs.tabText(NOTES) != notes:
            self.tabs.setTabText(NOTES, notes)
        self._show_tabs(run, first=other or arrived)

    def _show_answer(self, run: Run) -> None:
        self._answer.setVisible(run.answer is not None)
        if run.answer is None:
            return
        interval, why = wording.uncertainty(run.answer)
        for label, words in ((self.number, number(run.answer.count)), (self.interval, interval), (self._why, why)):
            if label.text() != words:
                label.setText(words)
        self.number.setAccessibleName(wording.spoken_answer(run.answer))
        self.table.show_rows(table_rows(run))
        title = self._question.brief if self._question is not None else run.text
        self.figure.show_runs([Drawn(title, run)], wording.spoken_answer(run.answer))

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
        for place in (FIGURE, TABLE):
            if self.tabs.isTabVisible(place) != answered:
                self.tabs.setTabVisible(place, answered)
        if first or not self.tabs.isTabVisible(self.tabs.currentIndex()):
            self.tabs.setCurrentIndex(FIGURE if answered else SITES)
            self.area.verticalScrollBar().setValue(0)
        self._pages.setCurrentIndex(self.tabs.currentIndex())

    def _colour(self) -> None:
        if self._run is None:
            return
        asked = self._question or Question((self._run.text,))
        self._words.setText(asked.rich(theme().colours["text"]))
        self._words.setAccessibleName(asked.plain)
