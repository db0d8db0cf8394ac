"""Two answered runs side by side, and both in one figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.core.services.runs import Run
from app.texts import text
from app.ui.locale import moment, number
from app.ui.models.question import Question
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.views.results import wording
from app.ui.views.results.figure import Drawn, FigurePlace
from app.ui.widgets.buttons import Button
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import column, frame, row, scrolling
from app.ui.widgets.text import Label

_LONGEST = 60


class Compare(QWidget):
    """The comparison; ``back`` leaves it."""

    def __init__(self, back: Callable[[], object]) -> None:
        super().__init__()
        self._runs: list[Run] = []
        self._questions: Mapping[str, Question] = {}
        self._chosen = ["", ""]
        self._sides = (_Side(lambda id_: self._choose(0, id_)), _Side(lambda id_: self._choose(1, id_)))
        self.figure = FigurePlace()
        self.figure.setMinimumHeight(260)
        self._same = Label("", Style.BODY, "text2", wrap=True)
        self.back = Button(text("ui.results.back"), icon_name="chevron-left", size="small", pressed=back)
        both = row(*self._sides, gap=16)
        for side in self._sides:
            both.setStretchFactor(side, 1)
        head = row(self.back, Label(text("ui.results.compare_title"), Style.STRONG), None, gap=12)
        body = column(head, both, self._same, self.figure, gap=16, margins=(24, 16, 24, 20))
        body.setStretchFactor(self.figure, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolling(body))
        theme().changed.connect(self._show)

    @property
    def chosen(self) -> tuple[str, str]:
        """The ids of the two runs."""
        return self._chosen[0], self._chosen[1]

    def begin(self, id_: str, runs: Sequence[Run], questions: Mapping[str, Question]) -> None:
        """Compare the run ``id_`` with the latest other one."""
        self._chosen = [id_, next(each.id for each in runs if each.id != id_)]
        self.update_runs(runs, questions)

    def update_runs(self, runs: Sequence[Run], questions: Mapping[str, Question]) -> None:
        """Take over the answered runs as they are now."""
        self._runs, self._questions = list(runs), dict(questions)
        self._show()

    def _choose(self, side: int, id_: str) -> None:
        self._chosen[side] = id_
        self._show()

    def _show(self) -> None:
        known = {each.id: each for each in self._runs}
        runs = [known[id_] for id_ in self._chosen if id_ in known]
        if len(runs) < len(self._chosen):
            return
        choices = [(each.id, f"{moment(each.asked)}  ·  {self._title(each)}") for each in self._runs]
        for side, run in zip(self._sides, runs, strict=True):
            side.show_run(run, self._questions.get(run.id), choices)
        different = {each.name for each in runs[0].left_out} != {each.name for each in runs[1].left_out}
        self._same.setText(text("ui.results.other_sites" if different else "ui.results.same_sites"))
        drawn = [Drawn(self._title(run), run) for run in runs]
        spoken = "; ".join(f"{self._title(run)}: {wording.spoken_answer(run.answer)}" for run in runs if run.answer)
        self.figure.show_runs(drawn, spoken)

    def _title(self, run: Run) -> str:
        words = self._questions[run.id].brief if run.id in self._questions else run.text
        words = words[:1].upper() + words[1:]
        return words if len(words) <= _LONGEST else words[: _LONGEST - 1].rstrip() + "…"


class _Side(QWidget):
    """One of the two: which run, its question, its answer."""

    def __init__(self, chosen: Callable[[str], object]) -> None:
        super().__init__()
        self._choices: list[tuple[str, str]] = []
        self.choice = Choice(text("ui.results.compare_with"), [])
        self.choice.setSizeAdjustPolicy(Choice.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.chosen.connect(chosen)
        self._words = Label("", Style.BODY, "text2", wrap=True, rich=True)
        self._number = Label("", Style.ANSWER, selectable=True)
        self._interval = Label("", Style.STRONG, wrap=True)
        self._sites = Label("", Style.SMALL, "text2", wrap=True)
        inside = column(self._words, self._number, self._interval, self._sites, None, gap=6, margins=(16, 14, 16, 14))
        framed: QFrame = frame("card", inside)
        self.setLayout(column(self.choice, framed, gap=8))

    def show_run(self, run: Run, asked: Question | None, choices: list[tuple[str, str]]) -> None:
        """Show a run, and which others could be here."""
        if choices != self._choices:
            self._choices = choices
            self.choice.clear()
            for id_, title in choices:
                self.choice.addItem(title, id_)
        self.choice.set_value(run.id)
        words = asked or Question((run.text,))
        self._words.setText(words.rich(theme().colours["text"]))
        self._words.setAccessibleName(words.plain)
        if run.answer is not None:
            self._number.setText(number(run.answer.count))
            self._number.setAccessibleName(wording.spoken_answer(run.answer))
            self._interval.setText(wording.uncertainty(run.answer)[0])
            self._sites.setText(text("ui.results.combined_why", sites=wording.names(run.answer.contributors)))
