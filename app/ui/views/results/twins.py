"""Figure and table as twins: one of them, or both beside each other, with what can be changed about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QWidget

from app.core.services.runs import Run
from app.plots.options import Shown
from app.texts import text
from app.ui.models.statistics import Statistic, notes, statistics
from app.ui.models.told import Told
from app.ui.models.twin import Twin, several, twin_of
from app.ui.tokens import Style
from app.ui.views.results.answer import headline_of
from app.ui.views.results.choosing import Choosing
from app.ui.views.results.figure import FigurePlace
from app.ui.views.results.twin_table import TwinTable
from app.ui.widgets.buttons import Button
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import Label

_WIDE = 900
_COUNT = "count"


class Twins(QWidget):
    """The figure with its controls and what is read of it, and the table with its copying."""

    def __init__(self, copied: Callable[[], object]) -> None:
        super().__init__()
        self._panels: tuple[Shown, ...] = ()
        self._title = ""
        self._meaning = ""
        self.statistics: tuple[Sequence[Statistic], Sequence[str]] = ((), ())
        """Of what is shown; with the notes on it."""
        self.choosing = Choosing(self._choose)
        self.figure, self.table = FigurePlace(), TwinTable(copied)
        self.reading = Label(text("ui.results.how_to_read"), Style.CAPTION, "text2", wrap=True)
        self.reading.setMinimumHeight(2 * self.reading.fontMetrics().lineSpacing() + 2)
        self.reading.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.figure.read.connect(self._read)
        self.note = Label("", Style.CAPTION, "text2", wrap=True)
        drawn = column(self.choosing, self.figure, self.reading, self.note, gap=6)
        drawn.setStretchFactor(self.figure, 1)
        drawn.addStretch(0)
        self._drawn = QWidget()
        self._drawn.setLayout(drawn)
        self.copy_button = Button(
            text("ui.results.copy_table"), icon_name="copy", size="small", pressed=self.table.copy
        )
        listed = column(self.table, row(self.copy_button, None), gap=8)
        listed.setStretchFactor(self.table, 1)
        self._listed = QWidget()
        self._listed.setLayout(listed)
        self._split = QSplitter(Qt.Orientation.Vertical)
        self._split.setChildrenCollapsible(False)
        self._split.setHandleWidth(16)
        for place, each in enumerate((self._drawn, self._listed)):
            self._split.addWidget(each)
            self._split.setStretchFactor(place, 1)
        self.setLayout(column(self._split, gap=0))

    @property
    def twin(self) -> Twin:
        """The table that is shown."""
        return self.table.rows.twin

    def show_run(self, run: Run, told: Told, site: str) -> None:
        """Show a run's results: of all sites together, of one, or of each."""
        self._panels = told.shown(site, run)
        self._title = told.question.brief
        said = headline_of(run, told, site)
        self._meaning = said.spoken if said is not None else told.question.plain
        self.note.setText(text("ui.results.no_bars"))
        self.note.setVisible(run.analysis == _COUNT and not run.per_site)
        self._draw()

    def show_parts(self, *, figure: bool, table: bool) -> None:
        """Show the figure, the table, or both."""
        self._drawn.setVisible(figure)
        self._listed.setVisible(table)

    def turn(self, width: int) -> None:
        """Set the two beside each other where there is room for it."""
        wanted = Qt.Orientation.Horizontal if width >= _WIDE else Qt.Orientation.Vertical
        if self._split.orientation() != wanted:
            self._split.setOrientation(wanted)

    def _choose(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if not self._panels:
            self.choosing.hide()
            self.figure.show_panels((), self.choosing.options, self._meaning)
            self.table.show_twin(Twin((), ()))
            self.statistics = ((), ())
            return
        first = self._panels[0]
        self.choosing.show_for(first.result, first.words)
        options = self.choosing.options
        self.figure.show_panels(self._panels, options, self._meaning)
        made = [
            (each.name or text("ui.results.all_together"), twin_of(each.result, each.words, options))
            for each in self._panels
        ]
        self.table.show_twin(made[0][1] if len(made) == 1 else several(made, text("ui.results.column.site")))
        self.statistics = (statistics(first.result, first.words), notes(first.result, first.words))

    def _read(self, words: str) -> None:
        self.reading.setText(words or text("ui.results.how_to_read"))
