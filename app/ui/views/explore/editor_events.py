"""An event: how often it happened, or when its first or last time was."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.core.catalogue.model import Variable
from app.core.catalogue.scales import OCCURRENCES
from app.core.query.model import FIRST, LAST, Happened, Occurs
from app.texts import text
from app.ui.models.criteria import Content
from app.ui.models.distribution import Distribution
from app.ui.models.scales import TimeScale, periods_of, units_of
from app.ui.tokens import Style
from app.ui.views.explore.editor import ScaleEditor
from app.ui.views.explore.wording import label, wide_enough
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import Label


class EventEditor(ScaleEditor):
    """At least so many times; or the first or last time in a window, between borders of periods."""

    def __init__(self, variable: Variable, shown: Distribution | None) -> None:
        self._variable = variable
        units = units_of(periods_of(variable))
        name = label(variable)
        super().__init__(TimeScale(variable, FIRST, units[0]), name, shown)
        how = [(str(least), text(f"ui.explore.occurs.{least}")) for least in OCCURRENCES]
        how += [(which, text(f"ui.explore.happened.{which}")) for which in (FIRST, LAST)]
        self.how = Choice(text("ui.explore.how_often", name=name), how)
        wide_enough(self.how)
        self.how.chosen.connect(self._chosen)
        self.unit = Choice(
            text("ui.explore.unit_of_time"), [(each, text(f"ui.explore.units.{each}")) for each in units]
        )
        wide_enough(self.unit)
        self.unit.chosen.connect(lambda _unit: self._rescale())
        self.flow.addWidget(self.unit)
        self._hint = Label(text("ui.explore.after_index"), Style.CAPTION, "text2", wrap=True)
        self.setLayout(column(row(self.how, None), self._hint, self.range, gap=6))
        self._show_window(False)

    def first(self) -> QWidget:
        """Return what gets the focus."""
        return self.how

    def show_content(self, content: Content) -> None:
        """Show what the term asks for."""
        if isinstance(content, Happened):
            self.how.set_value(content.which)
            self._rescale()
        elif isinstance(content, Occurs) and not (content.least == 1 and self.how.value in (FIRST, LAST)):
            self.how.set_value(str(content.least))
        self._show_window(self.how.value in (FIRST, LAST))
        super().show_content(content)

    def _rescale(self) -> None:
        which = self.how.value if self.how.value in (FIRST, LAST) else FIRST
        self.set_scale(TimeScale(self._variable, which, self.unit.value))

    def _show_window(self, shown: bool) -> None:
        self._hint.setVisible(shown)
        self.range.setVisible(shown)

    def _chosen(self, how: str) -> None:
        self._run += 1
        if how in (FIRST, LAST):
            self._rescale()
            self._show_window(True)
            self.edited.emit(self.scale.content(self.slider.low, self.slider.high), self._run)
            self.low.setFocus()
        else:
            self._show_window(False)
            self.edited.emit(Occurs(self._variable.code, int(how)), self._run)
