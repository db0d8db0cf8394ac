"""Home: where the site stands, what waits for a person, and what was asked last."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from app.core.analysis.results import withheld_of
from app.core.services.commands import Result
from app.texts import text
from app.ui.context import Context
from app.ui.locale import moment, number, whole_moment
from app.ui.models.overview import Overview
from app.ui.models.told import bare_words
from app.ui.tokens import VIEW, Style
from app.ui.views.view import View
from app.ui.widgets.buttons import LINK, PRIMARY, Button
from app.ui.widgets.chips import Chip
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import card, clear, column, header, line, row, scrolling
from app.ui.widgets.text import ElidedLabel, Label

_RECENT = 5
_RUN = {
    "sent": ("accent", "running"),
    "closed": ("accent", "running"),
    "released": ("positive", "check"),
    "failed": ("danger", "close"),
    "cancelled": ("plain", "stop"),
    "expired": ("caution", "clock"),
}


class HomeView(View):
    """Home."""

    name: ClassVar[str] = "home"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ask = Button(text("ui.home.ask"), PRIMARY, icon_name="plus", pressed=lambda: self._go("explore"))
        self.page.addWidget(header(text("ui.rail.home"), text("ui.home.subtitle"), self._ask))
        self._next = QVBoxLayout()
        self._standing = QVBoxLayout()
        self._recent = QVBoxLayout()
        for each in (self._next, self._standing, self._recent):
            each.setSpacing(8)
        grid = QGridLayout()
        grid.setSpacing(16)
        grid.addWidget(self._section(text("ui.home.next"), self._next), 0, 0)
        grid.addWidget(self._section(text("ui.home.standing"), self._standing), 0, 1, 2, 1)
        grid.addWidget(self._section(text("ui.home.recent"), self._recent), 1, 0)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)
        grid.setRowStretch(2, 1)
        content = column(self.banners, grid, gap=16, margins=(VIEW, VIEW, VIEW, VIEW))
        self.page.addWidget(scrolling(content), 1)
        context.standing.changed.connect(self._show)
        self._show()
        self._show_recent({"queries": []})

    def _section(self, title: str, layout: QVBoxLayout) -> QFrame:
        return card(Label(title, Style.STRONG), layout, None, gap=12, padding=16)

    def _go(self, name: str, argument: object = None) -> None:
        self.context.navigate(name, argument)

    def refresh(self) -> None:
        """Ask for the latest runs."""
        if self.context.standing.overview.ready:
            self.context.bridge.call("query.list", {}, of=self, done=self._show_recent)

    def _show(self) -> None:
        overview = self.context.standing.overview
        self._ask.forbid("" if overview.ready else text("ui.home.not_ready"))
        clear(self._next)
        steps = self._steps(overview)
        for step in steps:
            self._next.addWidget(step)
        if not steps:
            self._next.addWidget(_fact("check-circle", "pos", text("ui.home.nothing_waits")))
        clear(self._standing)
        for fact in self._facts(overview):
            self._standing.addWidget(fact)

    def _steps(self, overview: Overview) -> list[QWidget]:
        """What a person should do next, the most pressing first."""
        found = []
        if overview.waiting_requests:
            words = text("ui.home.requests_wait", count=overview.waiting_requests)
            found.append(self._step("requests", "acc", words, text("ui.home.see"), lambda: self._go("requests")))
        if not overview.federation or not overview.ready:
            words = text("ui.home.setting_up") if overview.stage else text("ui.home.no_federation")
            found.append(self._step("federation", "acc", words, text("ui.home.see"), lambda: self._go("federation")))
        elif not overview.dataset_version:
            found.append(
                self._step("data", "acc", text("ui.home.no_dataset"), text("ui.home.import"), lambda: self._go("data"))
            )
        if overview.waiting_catalogue:
            words, see = text("ui.home.catalogue_waits", version=overview.waiting_catalogue), text("ui.home.see")
            found.append(self._step("layers", "acc", words, see, lambda: self._go("catalogue", "versions")))
        if overview.ready and not overview.backed_up and not overview.pretend:
            words = text("ui.home.not_backed_up")
            found.append(self._step("warning", "cau", words, text("ui.home.back_up"), lambda: self._go("federation")))
        return found

    def _step(self, icon_name: str, token: str, words: str, action: str, do: Callable[[], object]) -> QWidget:
        fact = _fact(icon_name, token, words)
        layout = fact.layout()
        assert layout is not None  # noqa: S101 - _fact has made it
        layout.addWidget(Button(action, size="small", pressed=do))
        return fact

    def _facts(self, overview: Overview) -> list[QWidget]:
        if not overview.federation:
            return [_fact("shield", "text2", text("ui.status.stays_here"))]
        quorum = text("ui.home.quorum", quorum=overview.quorum, sites=len(overview.sites))
        backed_up = text("ui.home.backed_up", when=whole_moment(overview.backed_up))
        facts = [
            _fact("federation", "acc", overview.federation, text("ui.home.you_are", site=overview.site)),
            _fact("people", "acc", quorum),
        ]
        if overview.dataset_version:
            facts.append(_fact("data", "acc", text("ui.home.dataset", version=overview.dataset_version)))
        facts.append(_fact("key", "acc" if overview.backed_up else "cau", backed_up))
        sites = [each for each in overview.sites if not each.own]
        for site in sites:
            there = site.reachable is True
            words = text("ui.home.reachable") if there else text("ui.home.last_seen", when=whole_moment(site.last_seen))
            facts.append(_fact("check-circle" if there else "offline", "pos" if there else "text3", site.name, words))
        return facts

    def _show_recent(self, found: Result) -> None:
        clear(self._recent)
        queries = found["queries"][:_RECENT]
        for place, query in enumerate(queries):
            if place:
                self._recent.addWidget(line())
            self._recent.addWidget(self._run(query))
        if not queries:
            self._recent.addWidget(Label(text("ui.home.nothing_asked"), Style.BODY, "text2", wrap=True))

    def _run(self, query: Result) -> QWidget:
        tone, icon_name = _RUN.get(str(query["state"]), ("plain", ""))
        words = ElidedLabel(str(query["text"]), Style.CODE)
        answer = query.get("answer")
        state = text(f"ui.run.{query['state']}")
        chip = Chip(_counted(answer["count"]) or state if answer else state, tone, icon_name)
        opened = Button(text("ui.home.open"), LINK, pressed=lambda: self._go("results", str(query["id"])))
        opened.setAccessibleName(text("ui.home.open_run", text=query["text"]))
        made = QWidget()
        when = Label(moment(int(query["asked"])), Style.CAPTION, "text2")
        layout = row(words, chip, when, opened)
        layout.setStretchFactor(words, 1)
        made.setLayout(layout)
        return made


def _counted(count: object) -> str:
    """Return a count in words; "" where the question was for something else."""
    if (withheld := withheld_of(count)) is not None:
        return bare_words().withheld(withheld)
    return number(count) if isinstance(count, int) else ""


def _fact(icon_name: str, token: str, words: str, more: str = "") -> QWidget:
    made = QWidget()
    labels = [Label(words, Style.BODY, wrap=True)]
    if more:
        labels.append(Label(more, Style.SMALL, "text2", wrap=True))
    inside = column(*labels, gap=1)
    layout = row(gap=10)
    side = Qt.AlignmentFlag.AlignTop if more else Qt.AlignmentFlag.AlignVCenter
    layout.addWidget(Icon(icon_name, 18, token), 0, side)
    layout.addLayout(inside, 1)
    made.setLayout(layout)
    return made
