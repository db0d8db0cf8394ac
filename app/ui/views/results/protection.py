"""What protects an answer, or will: in plain sentences, beside it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.core.services.runs import Run
from app.texts import text
from app.ui.locale import number, whole_moment
from app.ui.tokens import Style
from app.ui.views.requests.wording import closed
from app.ui.views.results.wording import names
from app.ui.widgets.feedback import Icon
from app.ui.widgets.layout import clear, column, line, row
from app.ui.widgets.text import Label

Fact = tuple[str, str, str]


class Protection(QWidget):
    """The panel at the right."""

    def __init__(self) -> None:
        super().__init__()
        self._facts: list[Fact] = []
        self._title = Label(text("ui.results.protected"), Style.STRONG, wrap=True)
        head = row(gap=10)
        head.addWidget(Icon("shield-check", 18, "pos"), 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self._title, 1)
        self._list = QVBoxLayout()
        self._list.setSpacing(10)
        self.setLayout(column(head, self._list, None, gap=14, margins=(16, 16, 16, 16)))

    def show_run(self, run: Run) -> None:
        """Show what protects this run."""
        key = "ui.results.protected" if run.answer is not None else "ui.results.will_be_protected"
        self._title.setText(text(key))
        facts = facts_of(run)
        if facts == self._facts:
            return
        self._facts = facts
        clear(self._list)
        for place, (icon, title, words) in enumerate(facts):
            if place:
                self._list.addWidget(line())
            self._list.addWidget(_fact(icon, title, words))


def facts_of(run: Run) -> list[Fact]:
    """Return (icon, title, words) of everything that protects a run."""
    found = [_combined(run), _opened(run), _noise(run)]
    found.append(
        (
            "people",
            text("ui.results.least", count=run.minimum),
            text("ui.results.least_why_per_site" if run.per_site else "ui.results.least_why", count=run.minimum),
        )
    )
    if run.closed_counts is not None:
        found.append(("eye-off", text("ui.requests.fact.small"), closed(run.closed_counts)))
    if run.per_site:
        found.append(("eye", text("ui.results.with_sites"), text("ui.results.with_sites_why")))
    else:
        found.append(("eye-off", text("ui.results.no_sites"), text("ui.results.no_sites_why")))
    record = text("ui.results.record_why", id=run.id[:12], when=whole_moment(run.asked))
    found.append(("file", text("ui.results.record"), record))
    return found


def _combined(run: Run) -> Fact:
    if run.answer is None:
        sites = [each.name for each in run.sites]
        return "federation", text("ui.results.asked_sites", count=len(sites)), names(sites)
    words = text("ui.results.combined_why", sites=names(run.answer.contributors))
    if left_out := [each.name for each in run.left_out]:
        words += " " + text("ui.results.left_out", sites=names(left_out))
    return "federation", text("ui.results.combined", count=len(run.answer.contributors)), words


def _opened(run: Run) -> Fact:
    if run.answer is None:
        words = text("ui.results.will_open_why", quorum=run.quorum, of=run.of)
        return "key", text("ui.results.will_open"), words
    return (
        "key",
        text("ui.results.opened"),
        text("ui.results.opened_why", quorum=run.quorum, of=run.of, sites=names(run.openers)),
    )


def _noise(run: Run) -> Fact:
    if not run.epsilon:
        return "number", text("ui.results.no_noise"), text("ui.results.no_noise_why")
    if run.answer is None:
        return "noise", text("ui.results.noise"), text("ui.results.will_noise_why")
    if run.analysis != "count":
        widths = [each.result.noise_width for each in run.answer.results if not each.site and each.result.noise_width]
        size = text("ui.results.noise_each", width=number(round(widths[0]))) if widths else ""
        return "noise", text("ui.results.noise"), f"{size} {text('ui.results.noise_included')}".strip()
    words = text("ui.results.noise_size", width=number(run.answer.half_width))
    if run.answer.released < 0:
        words += " " + text("ui.results.below_zero")
    return "noise", text("ui.results.noise"), words


def _fact(icon: str, title: str, words: str) -> QWidget:
    made = QWidget()
    inside = column(Label(title, Style.STRONG, wrap=True), Label(words, Style.SMALL, "text2", wrap=True), gap=2)
    layout = row(gap=10)
    layout.addWidget(Icon(icon, 16, "text2"), 0, Qt.AlignmentFlag.AlignTop)
    layout.addLayout(inside, 1)
    made.setLayout(layout)
    return made
