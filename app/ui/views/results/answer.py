"""The answer, large: its number with its unit, what it is, and how sure it is."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app.core.services.runs import Run
from app.texts import text
from app.ui.locale import number
from app.ui.models.answers import Headline, headline, withheld_headline
from app.ui.models.told import EACH, TOTAL, Told, bare_words
from app.ui.tokens import Style
from app.ui.views.results import wording
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import Label

_COUNT = "count"


class AnswerHead(QWidget):
    """The head of an opened answer; empty where no number says more than the others."""

    def __init__(self) -> None:
        super().__init__()
        self.number = Label("", Style.ANSWER, selectable=True)
        self.unit = Label("", Style.QUESTION)
        self.interval = Label("", Style.STRONG, wrap=True, selectable=True)
        self.caption = Label("", Style.SMALL, "text2", wrap=True)
        beside = column(None, self.caption, self.interval, None, gap=2)
        layout = row(self.number, gap=10)
        layout.addWidget(self.unit, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addSpacing(10)
        layout.addLayout(beside, 1)
        self.setLayout(layout)

    def show_answer(self, run: Run, told: Told, site: str) -> None:
        """Show a run's answer at all sites or at one; the answer is there."""
        found = headline_of(run, told, site)
        if found is None and told.query is None:
            found = Headline("", "", text("ui.results.reading"), "")
        shown = found or Headline("", "", "", "")
        pairs = (
            (self.number, shown.number),
            (self.unit, shown.unit),
            (self.interval, shown.interval),
            (self.caption, shown.caption or shown.why),
        )
        for label, words in pairs:
            if label.text() != words:
                label.setText(words)
            label.setVisible(bool(words))
        self.number.setAccessibleName(spoken(run, shown))
        self.setVisible(found is not None)


def headline_of(run: Run, told: Told, site: str) -> Headline | None:
    """Return what stands large of a run; the release itself for a count of all sites together."""
    if run.answer is None:
        return None
    whose = TOTAL if site == EACH else site
    if whose == TOTAL and run.analysis == _COUNT:
        if run.answer.withheld is not None:
            return withheld_headline(run.answer.withheld, told.words or bare_words())
        interval, why = wording.uncertainty(run.answer)
        return Headline(number(run.answer.count), text("ui.results.patients"), "", interval, why)
    result = told.result(whose, run)
    if result is None or told.words is None:
        return None
    return headline(result, told.words)


def spoken(run: Run, shown: Headline) -> str:
    """Return a headline as a screen reader says it."""
    if run.answer is not None and run.analysis == _COUNT and not shown.number:
        return wording.spoken_answer(run)
    return shown.spoken
