"""Two answered runs side by side: in one figure with common scales, and in a table with the difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.core.services.runs import Run
from app.texts import text
from app.ui.locale import moment
from app.ui.models.question import Question
from app.ui.models.told import TOTAL, Told
from app.ui.models.twin import Twin, differences, twin_of
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.views.results import wording
from app.ui.views.results.answer import headline_of
from app.ui.views.results.choosing import Choosing
from app.ui.views.results.figure import FigurePlace
from app.ui.views.results.twin_table import TwinTable
from app.ui.widgets.buttons import Button
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import column, frame, row, scrolling
from app.ui.widgets.text import Label

_LONGEST, _LONGEST_CHOICE = 60, 32
_LETTERS = ("A", "B")


class Compare(QWidget):
    """The comparison; ``back`` leaves it, ``look`` hears that another run is looked at."""

    def __init__(self, back: Callable[[], object], look: Callable[[], object], copied: Callable[[], object]) -> None:
        super().__init__()
        self._runs: list[Run] = []
        self._told: Mapping[str, Told] = {}
        self._chosen = ["", ""]
        self._look = look
        self._sides = (
            _Side(_LETTERS[0], lambda id_: self._choose(0, id_)),
            _Side(_LETTERS[1], lambda id_: self._choose(1, id_)),
        )
        self.choosing = Choosing(self._show)
        self.figure = FigurePlace()
        self.reading = Label(text("ui.results.how_to_read"), Style.CAPTION, "text2", wrap=True)
        self.figure.read.connect(lambda words: self.reading.setText(words or text("ui.results.how_to_read")))
        self.table = TwinTable(copied)
        self._same = Label("", Style.BODY, "text2", wrap=True)
        self._careful = Label(text("ui.results.difference_why"), Style.CAPTION, "text2", wrap=True)
        self.back = Button(text("ui.results.back"), icon_name="chevron-left", size="small", pressed=back)
        both = row(*self._sides, gap=16)
        for side in self._sides:
            both.setStretchFactor(side, 1)
        head = row(self.back, Label(text("ui.results.compare_title"), Style.STRONG), None, gap=12)
        self._copy = Button(text("ui.results.copy_table"), icon_name="copy", size="small", pressed=self.table.copy)
        parts = (self.choosing, self.figure, self.reading, self.table, self._careful, row(self._copy, None))
        body = column(head, both, self._same, *parts, gap=12, margins=(24, 16, 24, 20))
        body.setStretchFactor(self.figure, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolling(body))
        theme().changed.connect(self._show)

    @property
    def chosen(self) -> tuple[str, str]:
        """The ids of the two runs."""
        return self._chosen[0], self._chosen[1]

    def begin(self, id_: str, runs: Sequence[Run], told: Mapping[str, Told]) -> None:
        """Compare the run ``id_`` with the latest other one, of the same analysis if there is one."""
        known = {each.id: each for each in runs}
        others = sorted(
            (each for each in runs if each.id != id_), key=lambda each: each.analysis != known[id_].analysis
        )
        self._chosen = [id_, others[0].id]
        self.update_runs(runs, told)
        self._look()

    def update_runs(self, runs: Sequence[Run], told: Mapping[str, Told]) -> None:
        """Take over the answered runs as they are now."""
        self._runs, self._told = list(runs), dict(told)
        self._show()

    def _choose(self, side: int, id_: str) -> None:
        self._chosen[side] = id_
        self._show()
        self._look()

    def _show(self) -> None:
        known = {each.id: each for each in self._runs}
        runs = [known[id_] for id_ in self._chosen if id_ in known]
        if len(runs) < len(self._chosen):
            return
        choices = [(each.id, f"{moment(each.asked)}  ·  {self._title(each, _LONGEST_CHOICE)}") for each in self._runs]
        told = [self._told.get(run.id, Told(Question((run.text,), run.text))) for run in runs]
        for side, run, about in zip(self._sides, runs, told, strict=True):
            side.show_run(run, about, choices)
        different = {each.name for each in runs[0].left_out} != {each.name for each in runs[1].left_out}
        self._same.setText(text("ui.results.other_sites" if different else "ui.results.same_sites"))
        self._draw(runs, told)

    def _draw(self, runs: Sequence[Run], told: Sequence[Told]) -> None:
        names = [self._named(letter, run) for letter, run in zip(_LETTERS, runs, strict=True)]
        panels = [
            panel for run, about, name in zip(runs, told, names, strict=True) for panel in about.shown(TOTAL, run, name)
        ]
        alike = len(panels) == len(runs) and type(panels[0].result) is type(panels[1].result)
        if alike:
            self.choosing.show_for(panels[0].result, panels[0].words)
        else:
            self.choosing.hide()
        spoken = []
        for name, run, about in zip(names, runs, told, strict=True):
            said = headline_of(run, about, TOTAL)
            spoken.append(f"{name}: {said.spoken if said is not None else wording.spoken_answer(run)}")
        self.figure.show_panels(panels, self.choosing.options, "; ".join(spoken))
        twins = [twin_of(each.result, each.words, self.choosing.options) for each in panels] if alike else []
        found = differences(twins[0], twins[1], (_LETTERS[0], _LETTERS[1])) if twins else None
        self.table.show_twin(found or Twin((), ()))
        for part in (self.table, self._careful, self._copy):
            part.setVisible(found is not None)

    def _named(self, letter: str, run: Run) -> str:
        return text("ui.results.side", letter=letter, title=self._title(run))

    def _title(self, run: Run, longest: int = _LONGEST) -> str:
        words = self._told[run.id].question.brief if run.id in self._told else run.text
        words = words[:1].upper() + words[1:]
        return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


class _Side(QWidget):
    """One of the two: which run, its question, its answer."""

    def __init__(self, letter: str, chosen: Callable[[str], object]) -> None:
        super().__init__()
        self._choices: list[tuple[str, str]] = []
        self.choice = Choice(text("ui.results.compare_with_side", letter=letter), [])
        self.choice.setSizeAdjustPolicy(Choice.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.chosen.connect(chosen)
        self._words = Label("", Style.BODY, "text2", wrap=True, rich=True)
        self._number = Label("", Style.ANSWER, selectable=True)
        self._unit = Label("", Style.BODY, "text2", wrap=True)
        self._interval = Label("", Style.STRONG, wrap=True)
        self._sites = Label("", Style.SMALL, "text2", wrap=True)
        inside = column(
            self._words, self._number, self._unit, self._interval, self._sites, None, gap=6, margins=(16, 14, 16, 14)
        )
        framed: QFrame = frame("card", inside)
        head = row(Label(letter, Style.STRONG), self.choice, gap=8)
        head.setStretch(1, 1)
        self.setLayout(column(head, framed, gap=8))

    def show_run(self, run: Run, told: Told, choices: list[tuple[str, str]]) -> None:
        """Show a run, and which others could be here."""
        if choices != self._choices:
            self._choices = choices
            self.choice.clear()
            for id_, title in choices:
                self.choice.addItem(title, id_)
        self.choice.set_value(run.id)
        self._words.setText(told.question.rich(theme().colours["text"]))
        self._words.setAccessibleName(told.question.plain)
        if run.answer is None:
            return
        found = headline_of(run, told, TOTAL)
        number = found.number if found is not None else ""
        about = " · ".join(filter(None, (found.unit, found.caption))) if found is not None else ""
        for label, words in (
            (self._number, number),
            (self._unit, about),
            (self._interval, found.interval if found is not None else ""),
        ):
            label.setText(words)
            label.setVisible(bool(words))
        self._number.setAccessibleName(found.spoken if found is not None else wording.spoken_answer(run))
        self._sites.setText(text("ui.results.combined_why", sites=wording.names(run.answer.contributors)))
