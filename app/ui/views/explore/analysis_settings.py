"""The settings of an analysis: its variables, their groups, and how far survival is followed in which steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.core.catalogue.model import Kind
from app.core.errors import UserError
from app.core.query.analyses import Analysis, Grouping, Survival
from app.texts import explain, text
from app.ui.models.analysing import SLOTS, Slot, chosen, grouping_of, groups_of, with_chosen
from app.ui.models.board import Board
from app.ui.models.scales import UNITS, Unreadable, number_text, periods_of, read_time, units_of
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.views.explore.cuts_dialog import CutsDialog, group_words
from app.ui.views.explore.editor import Bound, Mistake
from app.ui.views.explore.variable_picker import Find, VariableButton
from app.ui.views.explore.wording import named, wide_enough
from app.ui.widgets.buttons import LINK, Button, IconButton
from app.ui.widgets.dialogs import open_once
from app.ui.widgets.feedback import announce
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import clear, column, row
from app.ui.widgets.text import Label, tip


class AnalysisSettings(QWidget):
    """What belongs to the analysis that is chosen; made anew whenever it changes."""

    def __init__(self, board: Board, find: Find) -> None:
        super().__init__()
        set_role(self, role="clear")
        self.board, self._find = board, find
        self.buttons: dict[str, list[VariableButton]] = {}
        """The variables of each slot."""
        self.adds: dict[str, Button] = {}
        self.horizon: Bound | None = None
        self.step: Bound | None = None
        self.unit: Choice | None = None
        self.changes: dict[str, Button] = {}
        """What asks for the groups of each slot."""
        self.cuts: CutsDialog | None = None
        self._unit = ""
        self._shown: object = None
        self._words = Label("", Style.SMALL, "text2", wrap=True)
        self._body = QVBoxLayout()
        self._body.setSpacing(6)
        self._wrong = Mistake()
        self.setLayout(column(self._words, self._body, self._wrong, gap=6))
        board.changed.connect(self.show_analysis)
        board.surroundings_changed.connect(self.show_analysis)
        self.show_analysis()

    @property
    def wrong(self) -> str:
        """What cannot be, in words; empty if nothing is wrong."""
        return "" if self._wrong.isHidden() else self._wrong.text()

    def show_analysis(self) -> None:
        """Show the settings of the board's analysis."""
        analysis = self.board.analysis
        state = (analysis, id(self.board.catalogue))
        if state == self._shown:
            return
        self._shown = state
        self._words.setText(text(f"ui.explore.analysis_words.{analysis.name}"))
        focused = self._focused()
        clear(self._body)
        self.buttons, self.adds, self.changes = {}, {}, {}
        self.horizon, self.step, self.unit = None, None, None
        self._wrong.hide()
        if self.board.catalogue is None:
            return
        for slot in SLOTS[analysis.name]:
            self._add_slot(analysis, slot)
        if isinstance(analysis, Survival):
            self._add_times(analysis)
        if focused is not None:
            QTimer.singleShot(0, self, lambda: self._focus(*focused))

    def _focused(self) -> tuple[str, int] | None:
        for name, buttons in self.buttons.items():
            for number, button in enumerate(buttons):
                if button.hasFocus():
                    return name, number
        return None

    def _focus(self, name: str, number: int) -> None:
        buttons = self.buttons.get(name, [])
        if buttons:
            buttons[min(number, len(buttons) - 1)].setFocus()

    # --- variables ------------------------------------------------------------------------------------------------

    def _add_slot(self, analysis: Analysis, slot: Slot) -> None:
        title = text(f"ui.explore.slot_name.{slot.name}")
        found = chosen(analysis, slot)
        self._body.addWidget(Label(title, Style.SMALL, "text2"))
        self.buttons[slot.name] = []
        for number, grouping in enumerate(found):
            self._add_variable(slot, found, number, grouping, title)
        if not found:
            self._body.addWidget(self._button(slot, "", title, lambda code: self._put(slot, found, 0, code)))
        elif slot.most > 1:
            add = self._button(slot, "", text("ui.explore.add_variable"), partial(self._put, slot, found, len(found)))
            add.hide()  # its dialog is what is needed
            self._body.addWidget(add)
            more = Button(text("ui.explore.add_variable"), LINK, icon_name="plus", size="small", pressed=add.open)
            full = len(found) >= slot.most
            more.forbid(text("ui.explore.slot_full", most=slot.most) if full else "")
            self.adds[slot.name] = more
            self._body.addLayout(row(more, None))
            if full:
                self._body.addWidget(
                    Label(text("ui.explore.slot_full", most=slot.most), Style.CAPTION, "text2", wrap=True)
                )

    def _add_variable(self, slot: Slot, found: Sequence[Grouping], number: int, grouping: Grouping, title: str) -> None:
        button = self._button(slot, grouping.code, title, partial(self._put, slot, found, number))
        self.buttons[slot.name].append(button)
        line = row(button, gap=4)
        line.setStretchFactor(button, 1)
        if slot.most > 1 or slot.least == 0:
            name = text("ui.explore.remove", name=named(grouping.code, self.board))
            away = IconButton("close", name, size=14, pressed=partial(self._remove, slot, found, number))
            if len(found) <= slot.least:
                away.setEnabled(False)
                why = text("ui.explore.slot_least", least=slot.least)
                away.setToolTip(tip(why))
                away.setAccessibleDescription(why)
            line.addWidget(away)
        self._body.addLayout(line)
        variable = self.board.variable(grouping.code)
        if variable is None or not slot.groups:
            return
        if variable.kind is Kind.NUMBER:
            words = " · ".join(group_words(variable, grouping.cuts or variable.cut_points))
            cut = Button(
                text("ui.explore.change_groups"), LINK, size="small",
                pressed=partial(self._ask_cuts, slot, found, number),
            )  # fmt: skip
            self.changes[slot.name] = cut
            cut.setAccessibleName(text("ui.explore.change_groups_of", name=named(grouping.code, self.board)))
            self._body.addWidget(Label(words, Style.CAPTION, "text2", wrap=True))
            self._body.addLayout(row(cut, None))
        else:
            count = text("ui.explore.n_groups", count=groups_of(grouping, variable))
            self._body.addWidget(Label(count, Style.CAPTION, "text2", wrap=True))

    def _button(self, slot: Slot, code: str, title: str, put: Callable[[str], object]) -> VariableButton:
        made = VariableButton(self.board, slot, code, title, self._find, put)
        made.told = self._told
        return made

    def _told(self, why: str) -> None:
        self._wrong.setText(why)
        self._wrong.setVisible(bool(why))
        if why:
            announce(self, why)

    def _put(self, slot: Slot, found: Sequence[Grouping], number: int, code: str) -> None:
        """Put a variable into a slot; one that is in the other slot of the same kind changes places with it."""
        variable = self.board.variable(code)
        if variable is None:
            return
        groupings = [*found]
        groupings[number : number + 1] = [grouping_of(slot, variable)]
        self._take(lambda analysis: with_chosen(analysis, slot, groupings))

    def _remove(self, slot: Slot, found: Sequence[Grouping], number: int) -> None:
        left = [each for place, each in enumerate(found) if place != number]
        self._take(lambda analysis: with_chosen(analysis, slot, left))

    def _ask_cuts(self, slot: Slot, found: Sequence[Grouping], number: int) -> None:
        variable = self.board.variable(found[number].code)
        if variable is None:
            return

        def take(grouping: Grouping) -> None:
            groupings = [*found]
            groupings[number] = grouping
            self._take(lambda analysis: with_chosen(analysis, slot, groupings))

        self.cuts = open_once(CutsDialog(self, slot, variable, found[number].cuts, take))
        self.cuts.finished.connect(self._cuts_gone)

    def _cuts_gone(self) -> None:
        self.cuts = None

    def _take(self, edit: Callable[[Analysis], Analysis]) -> None:
        try:
            edit(self.board.analysis)
        except UserError as error:
            self._told(explain(error).what)
            return
        self.board.analyse(edit)

    # --- survival -------------------------------------------------------------------------------------------------

    def _add_times(self, analysis: Survival) -> None:
        variable = self.board.variable(analysis.code)
        if variable is None or variable.periods is None:
            return
        periods = variable.periods
        units = units_of(periods)
        self._unit = self._unit if self._unit in units else units[0]
        self.unit = Choice(
            text("ui.explore.unit_of_time"), [(each, text(f"ui.explore.units.{each}")) for each in units]
        )
        self.unit.set_value(self._unit)
        self.unit.chosen.connect(self._set_unit)
        wide_enough(self.unit)
        self.horizon = Bound(text("ui.explore.horizon"), lambda typed: self._typed("horizon", typed))
        self.step = Bound(text("ui.explore.step"), lambda typed: self._typed("step", typed))
        whole = periods.days * periods.count
        self.horizon.setPlaceholderText(number_text(whole / UNITS[self._unit]))
        self.step.setPlaceholderText(number_text(periods.days / UNITS[self._unit]))
        for bound, days in ((self.horizon, analysis.horizon), (self.step, analysis.step)):
            bound.setText("" if days is None else number_text(days / UNITS[self._unit]))
        self._body.addWidget(Label(text("ui.explore.horizon_step"), Style.SMALL, "text2", wrap=True))
        self._body.addLayout(row(self.horizon, self.step, self.unit, None, gap=6))

    def _set_unit(self, unit: str) -> None:
        self._unit, self._shown = unit, None
        self.show_analysis()

    def _typed(self, which: str, typed: str) -> None:
        analysis, bound = self.board.analysis, self.horizon if which == "horizon" else self.step
        variable = self.board.variable(analysis.codes[0]) if isinstance(analysis, Survival) else None
        if not isinstance(analysis, Survival) or variable is None or bound is None:
            return
        periods = periods_of(variable)
        try:
            days = read_time(typed, self._unit, periods) if typed.strip() else None
            if days is not None and days > periods.days * periods.count:
                most = number_text(periods.days * periods.count / UNITS[self._unit])
                raise Unreadable(text("ui.explore.past_horizon", most=most))
        except Unreadable as refused:
            self._wrong.say(bound, str(refused))
            return
        self._wrong.take_back(bound)
        self._set_time(which, days)

    def _set_time(self, which: str, days: Decimal | None) -> None:
        def edit(analysis: Analysis) -> Analysis:
            if not isinstance(analysis, Survival):
                return analysis
            return replace(analysis, horizon=days) if which == "horizon" else replace(analysis, step=days)

        self._take(edit)
