"""Where one variable's values come from: what is suggested, and every field to say it otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from app.core.errors import UserError
from app.core.preparation.mapping_reading import read_variable
from app.core.preparation.mapping_text import mapping_text
from app.texts import explain, preferred_language, text
from app.ui.locale import percent
from app.ui.models import preparing_forms as forms
from app.ui.models.preparing import FoundTable, FoundVariable, Suggestion
from app.ui.models.preparing_mapping import tidy
from app.ui.models.preparing_variables import where
from app.ui.tokens import Style
from app.ui.views.prepare.field_editors import Fields
from app.ui.views.prepare.preparation import Preparation
from app.ui.widgets.buttons import LINK, PRIMARY, Button, menu_button
from app.ui.widgets.chips import Chip
from app.ui.widgets.feedback import Icon
from app.ui.widgets.fields import Choice
from app.ui.widgets.layout import Flow, card, clear, column, frame, row
from app.ui.widgets.text import Label


class VariableEditor(QWidget):
    """The editor of one variable. What is said is taken over as soon as it makes sense."""

    def __init__(self, preparation: Preparation) -> None:
        super().__init__()
        self._preparation = preparation
        self._code = ""
        self._shown: object = None
        self._unsaid: dict[str, dict[str, Any]] = {}
        """What is not enough to be taken over yet, by code."""
        self._layout = column(gap=12)
        self.setLayout(self._layout)

    @property
    def variable(self) -> FoundVariable | None:
        """The variable that is shown."""
        found = self._preparation.found
        return None if found is None else found.variable(self._code)

    @property
    def how(self) -> dict[str, Any] | None:
        """What is said of it, be it enough or not."""
        return self._unsaid.get(self._code) or self._preparation.mapping.get("variables", {}).get(self._code)

    @property
    def _left_out(self) -> bool:
        """Whether it was left out by hand."""
        return self._code in self._preparation.mapping.get("leave_out", ())

    def show_variable(self, code: str) -> None:
        """Show a variable, or that none is chosen."""
        self._code = code
        shown = (self._preparation.found, code, str(self.how), self._left_out, self._preparation.checked)
        if shown == self._shown:
            return
        self._shown = shown
        focused = self._focused()
        for edit in self.findChildren(QLineEdit):
            edit.blockSignals(True)  # what goes has been read already
        clear(self._layout)
        variable = self.variable
        if variable is None:
            return
        self._show_head(variable)
        self._show_suggestion(variable)
        if self.how is not None:
            self._show_form(variable, self.how)
        self._focus(focused)

    def _focused(self) -> str:
        widget = self.focusWidget()
        return widget.objectName() if widget is not None and widget.hasFocus() else ""

    def _focus(self, name: str) -> None:
        """Leave the focus where it was: the fields are made anew when what they say has changed."""
        found = self.findChildren(QWidget, name) if name else []
        if found:
            found[-1].setFocus()

    # --- head and suggestions -----------------------------------------------------------------------------------

    def _show_head(self, variable: FoundVariable) -> None:
        facts = QWidget()
        flow = Flow(6, facts)
        flow.addWidget(Chip(text(f"ui.prepare.kind.{variable.kind}")))
        flow.addWidget(Chip(variable.code, code=True))
        if variable.unit:
            flow.addWidget(Chip(text("ui.prepare.in_unit", unit=variable.unit)))
        self._layout.addLayout(column(Label(variable.label, Style.QUESTION, wrap=True), facts, gap=6))
        federation = self._preparation.federation
        meant = None if federation is None else federation.catalogue.find(variable.code)
        if meant is not None and meant.description is not None:
            words = meant.description.text(preferred_language())
            self._layout.addWidget(Label(words, Style.SMALL, "text2", wrap=True))

    def _show_suggestion(self, variable: FoundVariable) -> None:
        how = self.how
        others = [each for each in variable.suggestions if how is None or tidy(each.how) != tidy(how)]
        if self._left_out and how is None:
            self._layout.addWidget(Label(text("ui.prepare.left_out_by_hand"), Style.BODY, "text2", wrap=True))
        if how is not None:
            self._show_mapped(variable, others)
        elif others:
            self._layout.addWidget(self._suggested(variable, others[0], others[1:]))
        else:
            words = Label(text("ui.prepare.nothing_fits"), Style.BODY, "text2", wrap=True)
            by_hand = Button(text("ui.prepare.by_hand"), size="small", pressed=self._begin)
            inside = row(Icon("circle", 18, "text3"), words, by_hand, gap=10)
            inside.setStretch(1, 1)
            self._layout.addWidget(card(inside))

    def _suggested(self, variable: FoundVariable, best: Suggestion, others: list[Suggestion]) -> QWidget:
        patients = str(self._preparation.mapping.get("patients", ""))
        title = text("ui.prepare.suggested", where=where(best.how, variable.code, patients))
        sure = text("ui.prepare.sure", percent=percent(best.confidence), why=best.reason)
        use = Button(text("ui.prepare.use"), PRIMARY, size="small", pressed=lambda: self._take(best.how))
        use.setObjectName("use")
        by_hand = Button(text("ui.prepare.by_hand"), size="small", pressed=self._begin)
        words = column(Label(title, Style.STRONG, wrap=True), Label(sure, Style.SMALL, "text2", wrap=True), gap=2)
        top = row(Icon("star", 18, "acc"), words, gap=10)
        top.setStretch(1, 1)
        buttons = row(28, use, by_hand, gap=8)
        if others:
            buttons.addWidget(self._others(others))
        if not self._left_out:
            buttons.addWidget(self._leave())
        buttons.addStretch(1)
        return card(top, buttons, gap=10)

    def _leave(self) -> Button:
        return Button(text("ui.prepare.leave_out"), LINK, size="small", pressed=lambda: self._take(None))

    def _show_mapped(self, variable: FoundVariable, others: list[Suggestion]) -> None:
        buttons = row(gap=4)
        if others:
            buttons.addWidget(self._others(others))
        buttons.addWidget(self._leave())
        buttons.addStretch(1)
        best = next((each for each in variable.suggestions if tidy(each.how) == tidy(self.how or {})), None)
        if best is not None:
            words = text("ui.prepare.sure", percent=percent(best.confidence), why=best.reason)
            self._layout.addWidget(Label(words, Style.SMALL, "text2", wrap=True))
        self._layout.addLayout(buttons)

    def _others(self, others: list[Suggestion]) -> Button:
        button = Button(text("ui.prepare.other_ways", count=len(others)), LINK, size="small")
        patients = str(self._preparation.mapping.get("patients", ""))
        entries: list[tuple[str, str, Callable[[], object]] | None] = []
        for each in others:
            words = f"{where(each.how, self._code, patients)} · {percent(each.confidence)}"
            entries.append((words, "", partial(self._take, each.how)))
        menu_button(button, entries)
        return button

    # --- the form -----------------------------------------------------------------------------------------------

    def _show_form(self, variable: FoundVariable, how: dict[str, Any]) -> None:
        found = self._preparation.found
        if found is None:
            return
        table = found.table(str(how.get("table") or self._preparation.mapping.get("patients", "")))
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(1, 1)
        tables = Choice(text("ui.prepare.field.table"), [(each.key, each.key) for each in found.tables])
        tables.setObjectName("table")
        tables.set_value(table.key if table is not None else "")
        tables.chosen.connect(lambda key: self._change({"table": key}))
        _add(grid, text("ui.prepare.field.table"), tables)
        way = forms.way_of(variable.kind, how)
        ways = forms.ways_of(variable.kind)
        if len(ways) > 1:
            choice = Choice(text("ui.prepare.field.way"), [(each, text(f"ui.prepare.way.{each}")) for each in ways])
            choice.setObjectName("way")
            choice.set_value(way)
            choice.chosen.connect(lambda wanted: self._say(forms.in_another_way(variable.kind, how, wanted)))
            _add(grid, text("ui.prepare.field.way"), choice)
        federation = self._preparation.federation
        meant = None if federation is None else federation.catalogue.find(variable.code)
        fields = Fields(variable, meant, table or _nothing(), how, self._change, self._unknown(variable.code))
        for name in forms.fields_of(variable.kind, way):
            for label, widget in fields.make(name):
                _add(grid, label, widget)
        problem = self._problem(variable, how)
        items: list[QWidget | QGridLayout] = [grid]
        if problem:
            items.append(Label(problem, Style.SMALL, "dan", wrap=True))
        self._layout.addWidget(card(*items, gap=12, padding=16))
        shown = Label(
            mapping_text({"variables": {variable.code: how}}).strip(), Style.CODE, "text2", wrap=True, selectable=True
        )
        shown.setAccessibleName(text("ui.prepare.as_in_file"))
        caption = Label(text("ui.prepare.as_in_file"), Style.CAPTION, "text3")
        self._layout.addLayout(column(caption, frame("well", column(shown, margins=(10, 8, 10, 8))), gap=4))

    def _unknown(self, code: str) -> tuple[str, ...]:
        """Return the values that the last dry run could not understand."""
        checked = self._preparation.checked
        if checked is None:
            return ()
        found = [each for group in checked.groups if group.variable == code for each in group.unknown]
        return tuple(dict.fromkeys(found))

    def _problem(self, variable: FoundVariable, how: dict[str, Any]) -> str:
        if not forms.is_complete(variable.kind, how):
            return text("ui.prepare.not_enough")
        try:
            read_variable(tidy(how), text("ui.prepare.the_mapping"), variable.code)
        except UserError as error:
            told = explain(error)
            return " ".join(filter(None, (told.what, told.next)))
        return ""

    # --- changing -----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        found, variable = self._preparation.found, self.variable
        if found is None or variable is None or not found.tables:
            return
        table = str(self._preparation.mapping.get("patients") or found.tables[0].key)
        self._say(forms.in_another_way(variable.kind, {"table": table}, forms.ways_of(variable.kind)[0]))

    def _change(self, changes: Mapping[str, Any]) -> None:
        self._say({**(self.how or {}), **changes})

    def _say(self, how: Mapping[str, Any]) -> None:
        """Take over what is said if it is enough, else keep it until it is."""
        variable, said = self.variable, tidy(how)
        if variable is None:
            return
        if self._problem(variable, said):
            self._unsaid[self._code] = said
            self.show_variable(self._code)
        else:
            self._take(said)

    def _take(self, how: Mapping[str, Any] | None) -> None:
        self._unsaid.pop(self._code, None)
        self._preparation.map_variable(self._code, how)
        self.show_variable(self._code)


def _nothing() -> FoundTable:
    return FoundTable("", "", "", "", 0, "", None, ())


def _add(grid: QGridLayout, label: str, widget: QWidget) -> None:
    place = grid.rowCount()
    name = Label(label, Style.BODY, "text2", wrap=True)
    name.setBuddy(widget)
    name.setFixedWidth(130)
    name.setContentsMargins(0, 5, 0, 0)
    grid.addWidget(name, place, 0, Qt.AlignmentFlag.AlignTop)
    grid.addWidget(widget, place, 1)
