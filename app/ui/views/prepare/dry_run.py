"""The fourth step: everything as it will be sealed, without sealing, with every problem in its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QStackedWidget,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTabBar,
    QWidget,
)

from app.texts import text
from app.ui.icons import icon
from app.ui.locale import number
from app.ui.models import preparing_mapping as editing
from app.ui.models import preparing_problems as problems
from app.ui.models import preparing_spread as spread
from app.ui.models.preparing_check import STATES, Checked, Group
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.views.prepare.columns import wide_enough
from app.ui.views.prepare.counts import Counts
from app.ui.views.prepare.identifiers import IdentifiersPage
from app.ui.views.prepare.preparation import Preparation
from app.ui.views.prepare.problem_groups import ProblemGroups
from app.ui.views.prepare.step import MARGINS, Step, Working
from app.ui.widgets.buttons import TOGGLE, Button
from app.ui.widgets.feedback import announce
from app.ui.widgets.fields import SearchField
from app.ui.widgets.layout import Flow, column, row
from app.ui.widgets.tables import plain_table
from app.ui.widgets.text import Label

_PROBLEMS = problems.Place
_WIDTHS = {
    _PROBLEMS.ROW: 60,
    _PROBLEMS.FILE: 110,
    _PROBLEMS.COLUMN: 96,
    _PROBLEMS.FOUND: 108,
    _PROBLEMS.HAPPENS: 170,
}
_SPREAD_WIDTHS = {spread.Place.NAME: 230, spread.Place.CODE: 130, spread.Place.KNOWN: 120, spread.Place.MISSING: 90}


class DryRunStep(Step):
    """Dry run. ``show_variable`` opens the mapping of a variable."""

    name: ClassVar[str] = "dry_run"

    def __init__(self, preparation: Preparation, show_variable: Callable[[str], object]) -> None:
        super().__init__(preparation)
        self._show_variable = show_variable
        self._shown: Checked | None = None
        self._tried = ""
        self._title = Label("", Style.TITLE, wrap=True)
        self.again_button = Button(text("ui.prepare.run_again"), icon_name="refresh", pressed=self._run)
        head = row(self._title, self.again_button, gap=12)
        head.setStretch(0, 1)
        self._working = Working(preparation)
        self.counts = Counts()
        self.groups = ProblemGroups(self._mend, self._look)
        self.tabs = QTabBar()
        self.tabs.setAccessibleName(text("ui.prepare.dry_run.pages"))
        self.tabs.setExpanding(False)
        for _ in range(3):
            self.tabs.addTab("")
        self._pages = QStackedWidget()
        self.identifiers = IdentifiersPage(preparation)
        for page in (self._make_problems(), self._make_spread(), self.identifiers):
            self._pages.addWidget(page)
        self.tabs.currentChanged.connect(self._pages.setCurrentIndex)
        self._inside = QWidget()
        inside = column(self.counts, self.groups, row(self.tabs, None, self.groups.pages), self._pages, gap=8)
        inside.setStretchFactor(self._pages, 1)
        self._inside.setLayout(inside)
        whole = column(head, self._working, self._inside, gap=10, margins=MARGINS)
        whole.addStretch(0)
        whole.setStretchFactor(self._inside, 1)
        self.setLayout(whole)

    def _make_problems(self) -> QWidget:
        self.model = problems.ProblemsModel(self)
        self.filtered = problems.ProblemsFilter(self)
        self.filtered.setSourceModel(self.model)
        self.filters: dict[str, Button] = {}
        chips = QWidget()
        flow = Flow(6, chips)
        group = QButtonGroup(self)
        for state in ("", *STATES):
            chip = Button("", TOGGLE, size="small", pressed=partial(self.filtered.filter_by, state=state))
            if state:
                chip.setIcon(icon(*problems.LOOK[state]))
            group.addButton(chip)
            flow.addWidget(chip)
            self.filters[state] = chip
        self.filters[""].setChecked(True)
        self.search = SearchField(text("ui.prepare.find_problem"))
        self.search.setFixedWidth(170)
        self.search.wanted.connect(lambda words: self.filtered.filter_by(words=words))
        self.export_button = Button(text("ui.prepare.export"), icon_name="export", size="small", pressed=self._export)
        head = row(chips, self.search, self.export_button, gap=8)
        head.setStretch(0, 1)
        states = wide_enough(*(text(f"ui.prepare.state.{state}") for state in STATES))
        widths = {**_WIDTHS, _PROBLEMS.STATE: states}
        self.table = plain_table(text("ui.prepare.problems"), self.filtered, widths, _PROBLEMS.PROBLEM)
        self.table.setSortingEnabled(True)
        self.table.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.table.activated.connect(lambda index: self._open(index.row()))
        self._more = Label("", Style.CAPTION, "text2", wrap=True)
        made = QWidget()
        layout = column(head, self.table, self._more, gap=8)
        layout.setStretchFactor(self.table, 1)
        made.setLayout(layout)
        return made

    def _make_spread(self) -> QWidget:
        self._spread = spread.SpreadModel(self)
        table = plain_table(text("ui.prepare.spread"), self._spread, _SPREAD_WIDTHS, spread.Place.SPREAD)
        table.setItemDelegateForColumn(spread.Place.SPREAD, _Bars(table))
        self.spread_table = table
        return table

    # --- doing --------------------------------------------------------------------------------------------------

    def entered(self) -> None:
        """Run, unless nothing has changed since the last time."""
        preparation = self.preparation
        if not preparation.fresh and not preparation.doing and self._tried != preparation.draft.mapping:
            self._run()

    def _run(self) -> None:
        self._tried = self.preparation.draft.mapping
        self.preparation.check()

    def _mend(self, group: Group) -> None:
        """Do what mends a group, and run again; where a person has to say how, go there."""
        preparation, fix = self.preparation, group.fix or {}
        mended = editing.mended(preparation.mapping, fix)
        if mended is None:
            self._show_variable(str(fix.get("variable") or group.variable))
            return
        preparation.edit(mended, text("ui.prepare.undo.mend"))
        self._run()

    def _look(self, group: Group) -> None:
        self.tabs.setCurrentIndex(0)
        self.filters[""].setChecked(True)
        self.filtered.show_group(group.code, group.file, group.column, group.variable)
        self.table.setFocus()
        self.table.selectRow(0)

    def _open(self, row: int) -> None:
        index = self.filtered.mapToSource(self.filtered.index(row, 0))
        if index.isValid() and (variable := self.model.problems[index.row()].variable):
            self._show_variable(variable)

    def _export(self) -> None:
        title = text("ui.prepare.export")
        path, _ = QFileDialog.getSaveFileName(self, title, text("ui.prepare.problems_file"), "CSV (*.csv)")
        if path:
            self.preparation.check(path)

    # --- showing ------------------------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Show what the dry run has found."""
        preparation = self.preparation
        checked = preparation.checked
        running = preparation.doing in ("check", "export", "map", "federation")
        self._working.show_state("check", "export", "map", "federation")
        self.again_button.setEnabled(not preparation.doing)
        self._inside.setVisible(checked is not None and (preparation.fresh or preparation.doing == "export"))
        if checked is None or not preparation.fresh:
            self._title.setText(text("ui.prepare.dry_run.title"))
            ready = preparation.found is not None and self.isVisible() and not running
            if ready and self._tried != preparation.draft.mapping:
                self._run()
            return
        self._title.setText(_title(checked))
        if checked is not self._shown:
            self._shown = checked
            self._show(checked)
        self.identifiers.show_checked(checked)
        waiting = len(checked.waiting(frozenset(preparation.draft.confirmed)))
        key = "ui.prepare.tab.identifiers_waiting" if waiting else "ui.prepare.tab.identifiers"
        count = waiting or len(checked.identifiers) + len(checked.notes)
        self.tabs.setTabText(2, text(key, count=number(count)))

    def _show(self, checked: Checked) -> None:
        self.counts.show_checked(checked)
        self.groups.show_groups(checked.groups)
        self.model.show(checked.problems)
        self.filtered.filter_by(state="")
        self.filters[""].setChecked(True)
        self._spread.show(checked.variables, checked.patients)
        self.tabs.setTabText(0, text("ui.prepare.tab.problems", count=number(checked.problem_count)))
        self.tabs.setTabText(1, text("ui.prepare.tab.variables", count=number(len(checked.variables))))
        self.filters[""].setText(text("ui.prepare.filter.all", count=number(checked.problem_count)))
        for state in STATES:
            words = text(f"ui.prepare.filter.{state}", count=number(checked.states[state]))
            self.filters[state].setText(words)
            self.filters[state].setVisible(checked.states[state] > 0)
        shown = len(checked.problems)
        self._more.setText(text("ui.prepare.only_first", count=number(shown), all=number(checked.problem_count)))
        self._more.setVisible(shown < checked.problem_count)
        self.export_button.setVisible(checked.problem_count > 0)
        announce(self, _title(checked))

    def count(self) -> str:
        """How many problems there are."""
        checked = self.preparation.checked
        if checked is None:
            return ""
        return text("ui.prepare.count.problems", count=number(checked.problem_count))

    def obstacle(self) -> str:
        """Why one cannot go on yet."""
        preparation = self.preparation
        checked = preparation.checked
        if checked is None or not preparation.fresh:
            return text("ui.prepare.working" if preparation.doing else "ui.prepare.run_first")
        if waiting := checked.waiting(frozenset(preparation.draft.confirmed)):
            return text("ui.prepare.confirm_first", columns=", ".join(each.key for each in waiting[:3]))
        return "" if checked.patients else text("ui.prepare.no_patients")

    def note(self) -> str:
        """What is left out."""
        checked = self.preparation.checked
        if checked is None or not checked.refused_rows:
            return ""
        return text("ui.prepare.dry_run.note", count=number(checked.refused_rows))

    def answer(self) -> str:
        """What the button says that goes on."""
        checked = self.preparation.checked
        if checked is None or not self.preparation.fresh:
            return text("ui.prepare.continue")
        return text("ui.prepare.continue_with", count=number(checked.usable_rows))


def _title(checked: Checked) -> str:
    if not checked.problem_count:
        return text("ui.prepare.dry_run.clean", rows=number(checked.rows))
    return text("ui.prepare.dry_run.found", count=number(checked.problem_count), rows=number(checked.rows))


class _Bars(QStyledItemDelegate):
    """The bins of a variable as small bars."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: object) -> None:
        super().paint(painter, option, index)  # type: ignore[arg-type]
        counts = index.data(spread.BARS)  # type: ignore[attr-defined]
        if not counts or not max(counts):
            return
        place = QRectF(option.rect).adjusted(10, 5, -10, -4)
        width = min(place.width() / len(counts), 22)
        painter.save()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().colour("accfill"))
        for step, count in enumerate(counts):
            height = max(place.height() * count / max(counts), 1 if count else 0)
            painter.drawRect(QRectF(place.x() + step * width, place.bottom() - height, max(width - 2, 1), height))
        painter.restore()
