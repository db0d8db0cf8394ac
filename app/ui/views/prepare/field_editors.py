"""The fields of a variable's mapping, each with the control that fits it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLineEdit, QWidget

from app.core.catalogue.model import Variable
from app.core.preparation.mapping import MAX_DAYS
from app.texts import preferred_language, text
from app.ui.models.preparing import FoundColumn, FoundTable, FoundVariable
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.widgets.fields import Choice, line_edit
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import ElidedLabel, Label

_COLUMNS = ("column", "code_column", "value_column", "time_column", "unit_column", "end_column", "event_column",
            "event_date_column")  # fmt: skip
_LISTS = ("codes", "missing", "event_values")
_LONG = {"code_column": "code", "value_column": "value", "time_column": "time", "unit_column": "unit"}
_MOST_VALUES = 40
_NO_VALUE = "\0missing"
_FLAG_LEVELS = ("yes", "no")

Change = Callable[[Mapping[str, Any]], object]


class Fields:
    """Makes the controls of one variable. ``unknown`` are values that a dry run could not understand."""

    def __init__(
        self,
        variable: FoundVariable,
        meant: Variable | None,
        table: FoundTable,
        how: Mapping[str, Any],
        change: Change,
        unknown: tuple[str, ...] = (),
    ) -> None:
        self._variable, self._meant, self._table, self._how = variable, meant, table, how
        self._change, self._unknown = change, unknown

    def make(self, name: str) -> Iterator[tuple[str, QWidget]]:
        """Yield label and control of a field."""
        if name == "values":
            yield from self._values()
            return
        label = text(f"ui.prepare.field.{name}")
        control = self._control(name, label)
        control.setObjectName(name)
        yield label, control

    def _control(self, name: str, label: str) -> QWidget:
        if name in _COLUMNS:
            return self._column(name, label)
        match name:
            case "below":
                return self._below(label)
            case "window":
                return self._window(label)
            case "only":
                return self._only(label)
        return self._line(name, label)

    # --- columns ------------------------------------------------------------------------------------------------

    def _column(self, name: str, label: str) -> QWidget:
        value = str(self._how.get(name) or "")
        names = [each.name for each in self._table.columns]
        entries = [(each, each) for each in names]
        if value and value not in names:
            entries.append((value, text("ui.prepare.column_gone", column=value)))
        entries.insert(0, ("", self._nothing_chosen(name)))
        choice = Choice(label, entries)
        choice.set_value(value)
        choice.chosen.connect(lambda wanted: self._change({name: wanted or None}))
        found = self._table.column(value) if name in ("column", "value_column") else None
        if found is None or not found.examples:
            return choice
        examples = ElidedLabel("  ".join(found.examples[:6]), Style.CODE, "text2")
        holder = QWidget()
        choice.setObjectName(name)
        holder.setLayout(column(choice, examples, gap=3))
        holder.setFocusProxy(choice)
        return holder

    def _nothing_chosen(self, name: str) -> str:
        said = (self._table.long or {}).get(_LONG.get(name, ""))
        if said:
            return text("ui.prepare.by_format", column=said)
        return text("ui.prepare.choose_column" if name in ("column", "end_column") else "ui.prepare.no_column")

    # --- lines --------------------------------------------------------------------------------------------------

    def _line(self, name: str, label: str) -> QLineEdit:
        value = self._how.get(name) or ""
        shown = ", ".join(map(str, value)) if name in _LISTS else str(value)
        hint = text(f"ui.prepare.hint.{name}")
        if name == "unit":
            in_time = self._variable.kind in ("event", "survival")
            hint = text("ui.prepare.hint.days") if in_time else self._variable.unit or hint
        edit = _edit(label, shown, hint)

        def typed() -> None:
            words = edit.text().strip()
            if words == shown:
                return
            self._change(
                {name: [each.strip() for each in words.split(",") if each.strip()] if name in _LISTS else words}
            )

        edit.editingFinished.connect(typed)
        return edit

    def _below(self, label: str) -> QCheckBox:
        system = str(self._how.get("system") or (self._table.long or {}).get("system") or "")
        box = QCheckBox(text("ui.prepare.below", system=system) if system else text("ui.prepare.below_any"))
        box.setAccessibleName(label)
        box.setChecked(bool(self._how.get("below")))
        box.clicked.connect(lambda wanted: self._change({"below": wanted or None}))
        return box

    def _window(self, label: str) -> QWidget:
        window = self._how.get("window") or {}
        edits = {}
        for name in ("from", "to"):
            edit = _edit(f"{label}: {text(f'ui.prepare.window.{name}')}", _day(window.get(name)), "…")
            edit.setObjectName(f"window_{name}")
            edit.setValidator(QIntValidator(-MAX_DAYS, MAX_DAYS, edit))
            edit.setFixedWidth(76)
            edits[name] = edit

        def typed() -> None:
            changed = {name: int(edit.text()) for name, edit in edits.items() if edit.text().lstrip("-")}
            if changed != window:
                self._change({"window": changed or None})

        for edit in edits.values():
            edit.editingFinished.connect(typed)
        words = [Label(text(f"ui.prepare.window.{name}"), ink="text2") for name in ("from", "to", "days")]
        made = QWidget()
        made.setLayout(row(words[0], edits["from"], words[1], edits["to"], words[2], None, gap=6))
        return made

    def _only(self, label: str) -> QLineEdit:
        only = self._how.get("only") or {}
        shown = "; ".join(f"{name} = {', '.join(map(str, values))}" for name, values in only.items())
        edit = _edit(label, shown, text("ui.prepare.hint.only"))

        def typed() -> None:
            if edit.text().strip() != shown:
                self._change({"only": _read_only(edit.text()) or None})

        edit.editingFinished.connect(typed)
        return edit

    # --- values -------------------------------------------------------------------------------------------------

    def _values(self) -> Iterator[tuple[str, QWidget]]:
        """Yield the table that says which value is which level."""
        levels = self._levels()
        said = dict(self._how.get("values") or {})
        missing = list(self._how.get("missing") or ())
        values = list(dict.fromkeys([*said, *missing, *self._unknown, *self._seen()]))[:_MOST_VALUES]
        label = text("ui.prepare.field.values")
        made = QWidget()
        grid = QGridLayout(made)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(2, 1)
        for place, value in enumerate(values):
            self._value(grid, place, value, levels, said, missing)
        more = _edit(text("ui.prepare.another_value"), "", text("ui.prepare.another_value"))
        more.setObjectName("another_value")
        more.setMaximumWidth(170)
        more.editingFinished.connect(lambda: self._add_value(more.text().strip(), levels, said))
        grid.addWidget(more, len(values), 0)
        yield label, made

    def _value(
        self,
        grid: QGridLayout,
        place: int,
        value: str,
        levels: list[tuple[str, str]],
        said: dict[str, str],
        missing: list[str],
    ) -> None:
        shown = ElidedLabel(value, Style.CODE)
        shown.setFixedWidth(150)
        itself = next((words for code, words in levels if code.casefold() == value.casefold()), "")
        unsaid = text("ui.prepare.value_itself", level=itself) if itself else text("ui.prepare.value_unknown")
        choice = Choice(
            text("ui.prepare.value_means", value=value),
            [("", unsaid), *levels, (_NO_VALUE, text("ui.prepare.no_value"))],
        )
        choice.setObjectName(f"value_{place}")
        choice.set_value(_NO_VALUE if value in missing else said.get(value, ""))

        def chosen(level: str) -> None:
            values = {each: code for each, code in said.items() if each != value}
            empty = [each for each in missing if each != value]
            if level == _NO_VALUE:
                empty.append(value)
            elif level:
                values[value] = level
            self._change({"values": values, "missing": empty})

        choice.chosen.connect(chosen)
        grid.addWidget(shown, place, 0)
        grid.addWidget(Label("→", Style.BODY, "text3"), place, 1)
        grid.addWidget(choice, place, 2)

    def _add_value(self, value: str, levels: list[tuple[str, str]], said: dict[str, str]) -> None:
        if value and value not in said and levels:
            self._change({"values": {**said, value: levels[0][0]}})

    def _levels(self) -> list[tuple[str, str]]:
        if self._variable.kind == "flag" or self._meant is None:
            return [(each, text(f"ui.prepare.flag.{each}")) for each in _FLAG_LEVELS]
        language = preferred_language()
        return [(level.code, level.label.text(language)) for level in self._meant.levels]

    def _seen(self) -> list[str]:
        """Return the values that the column is known to hold."""
        name = str(self._how.get("column") or self._how.get("value_column") or "")
        found: FoundColumn | None = self._table.column(name)
        if found is None:
            return []
        few = found.distinct is not None and found.distinct <= _MOST_VALUES
        return [*found.values, *(found.examples if few else ())]


def _edit(name: str, value: str, hint: str) -> QLineEdit:
    edit = line_edit(hint)
    edit.setText(value)
    edit.setAccessibleName(name)
    set_role(edit, measure="small")
    return edit


def _day(value: object) -> str:
    return "" if value is None else str(value)


def _read_only(words: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in words.split(";"):
        name, sign, values = part.partition("=")
        if sign and name.strip():
            found[name.strip()] = [each.strip() for each in values.split(",") if each.strip()]
    return found
