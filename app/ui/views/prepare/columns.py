"""The second step: the tables and columns that were found, who a row is about, and what day 0 is."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QSortFilterProxyModel, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QSplitter, QWidget

from app.texts import text
from app.ui.locale import number
from app.ui.models import preparing_mapping as editing
from app.ui.models.preparing import FoundTable
from app.ui.models.preparing_columns import ColumnsModel, Place
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.views.prepare.preparation import Preparation
from app.ui.views.prepare.step import MARGINS, Step, Working
from app.ui.widgets.entries import Entries, Entry
from app.ui.widgets.feedback import Icon
from app.ui.widgets.fields import Choice, SearchField
from app.ui.widgets.layout import Flow, clear, column, frame, row
from app.ui.widgets.tables import plain_table
from app.ui.widgets.text import ElidedLabel, Label

_LIST = 200
_WIDTHS = {Place.NAME: 130, Place.TYPE: 84, Place.FILLED: 60, Place.DISTINCT: 60, Place.MARK: 120}
_NONE = ""


class ColumnsStep(Step):
    """Columns."""

    name: ClassVar[str] = "columns"

    def __init__(self, preparation: Preparation) -> None:
        super().__init__(preparation)
        self._key = ""
        self._shown: object = None
        self._chosen: object = None
        title = Label(text("ui.prepare.columns.title"), Style.TITLE)
        self._words = Label("", Style.BODY, "text2", wrap=True)
        self._choices = QWidget()
        self._flow = Flow(16, self._choices)
        self._working = Working(preparation)
        self.list = Entries(text("ui.prepare.tables"))
        self.list.chosen.connect(self._open)
        self._name = ElidedLabel("", Style.STRONG)
        self._patient_holder = row(gap=8)
        self._search = SearchField(text("ui.prepare.find_column"))
        self._search.setFixedWidth(200)
        self._model = ColumnsModel(self)
        self._filtered = QSortFilterProxyModel(self)
        self._filtered.setSourceModel(self._model)
        self._filtered.setFilterKeyColumn(-1)
        self._filtered.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._search.wanted.connect(self._filtered.setFilterFixedString)
        marks = wide_enough(text("ui.prepare.mark.patient"), text("ui.prepare.mark.identifier"))
        widths = {**_WIDTHS, Place.MARK: marks}
        self.table = plain_table(text("ui.prepare.columns.table"), self._filtered, widths, Place.EXAMPLES)
        head = row(self._name, self._patient_holder, self._search, gap=12)
        head.setStretch(0, 1)
        inside = QWidget()
        inside.setLayout(column(head, self.table, gap=10, margins=(12, 0, 0, 0)))
        left = frame("card", column(self.list, margins=(2, 4, 2, 4)))
        left.setMinimumWidth(180)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(inside)
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        split.setSizes([_LIST, 900])
        whole = column(column(title, self._words, gap=2), self._choices, self._working, split, gap=12, margins=MARGINS)
        whole.setStretchFactor(split, 1)
        self.setLayout(whole)

    # --- which table holds the patients, and day 0 --------------------------------------------------------------

    def _show_choices(self) -> None:
        preparation = self.preparation
        found, mapping = preparation.found, preparation.mapping
        shown = (found, mapping.get("patients"), str(mapping.get("index")), bool(preparation.doing))
        if found is None or shown == self._chosen:
            return
        self._chosen = shown
        clear(self._flow)
        tables = [(each.key, each.key) for each in found.tables]
        self._add_choice(
            "patients", [(_NONE, text("ui.prepare.all_tables")), *tables], str(mapping.get("patients", ""))
        )
        index = mapping.get("index") or {}
        dates = [
            (f"{table.key}\n{each.name}", f"{table.key}: {each.name}")
            for table in found.tables
            for each in table.columns
            if each.type == "date"
        ]
        value = f"{index.get('table', mapping.get('patients', ''))}\n{index.get('column', '')}" if index else _NONE
        if index and value not in [each for each, _ in dates]:
            dates.insert(0, (value, text("ui.prepare.index_as_written", table=index.get("table", ""))))
        self._add_choice("index", [(_NONE, text("ui.prepare.no_index")), *dates], value)

    def _add_choice(self, name: str, entries: list[tuple[str, str]], value: str) -> None:
        label = text(f"ui.prepare.choose.{name}")
        choice = Choice(label, entries)
        choice.set_value(value)
        choice.setEnabled(not self.preparation.doing)
        choice.chosen.connect(self._choose_patients if name == "patients" else self._choose_index)
        made = QWidget()
        made.setLayout(row(Label(label, Style.BODY, "text2"), choice, gap=8))
        self._flow.addWidget(made)

    def _choose_patients(self, key: str) -> None:
        changed = editing.with_top(self.preparation.mapping, "patients", key or None)
        self.preparation.edit(changed, text("ui.prepare.choose.patients"))
        self.preparation.read()  # what is suggested depends on it

    def _choose_index(self, value: str) -> None:
        table, _, name = value.partition("\n")
        index = {"table": table, "column": name} if value else None
        if index is not None and table != self.preparation.mapping.get("patients"):
            index["rule"] = "first"  # a table with several rows a patient: the earliest is day 0
        self.preparation.edit(
            editing.with_top(self.preparation.mapping, "index", index), text("ui.prepare.choose.index")
        )

    # --- the tables ---------------------------------------------------------------------------------------------

    def _open(self, key: str) -> None:
        self._key = key
        self._shown = None
        self.show_state()

    def show_state(self) -> None:
        """Show the tables, and the columns of the one that is open."""
        preparation = self.preparation
        found = preparation.found
        self._working.show_state("map", "federation")
        if found is None:
            return
        self._show_choices()
        marked = sum(bool(each.identifier) for table in found.tables for each in table.columns)
        words = text("ui.prepare.columns.words")
        self._words.setText(f"{words} {text('ui.prepare.columns.marked', count=marked)}" if marked else words)
        self.list.show_entries([_entry(each) for each in found.tables])
        table = found.table(self._key) or next(iter(found.tables), None)
        if table is None:
            return
        self._key = table.key
        if self.list.selected != table.key:
            self.list.select(table.key)
        patient, mapped = self._patient_of(table), self._mapped_of(table)
        shown = (table, patient, mapped, bool(preparation.doing))
        if shown == self._shown:
            return
        self._shown = shown
        self._model.show(table, patient, mapped)
        self._name.set_whole(table.file)
        self._show_patient(table, patient)

    def _patient_of(self, table: FoundTable) -> str:
        source = self.preparation.mapping.get("sources", {}).get(table.source, {})
        return str(source.get("patient") or table.patient)

    def _mapped_of(self, table: FoundTable) -> frozenset[str]:
        patients = self.preparation.mapping.get("patients", "")
        columns = set()
        for code, how in self.preparation.mapping.get("variables", {}).items():
            if how.get("table", patients) == table.key:
                columns |= {str(value) for name, value in how.items() if name == "column" or name.endswith("_column")}
                if not how.get("rule") and not how.get("column"):
                    columns.add(code)
        return frozenset(columns)

    def _show_patient(self, table: FoundTable, patient: str) -> None:
        clear(self._patient_holder)
        label = Label(text("ui.prepare.patient_column"), Style.BODY, "text2")
        self._patient_holder.addWidget(Icon("person", 15, "acc"))
        self._patient_holder.addWidget(label)
        alone = table.key == table.source
        if not alone:  # formats of many tables say themselves who a row is about
            self._patient_holder.addWidget(Label(patient or text("ui.prepare.nobody"), Style.STRONG))
            return
        entries = [(each.name, each.name) for each in table.columns]
        if not patient:
            entries.insert(0, (_NONE, text("ui.prepare.choose_column")))
        choice = Choice(text("ui.prepare.patient_column"), entries)
        choice.set_value(patient)
        choice.setEnabled(not self.preparation.doing)
        choice.setMaximumWidth(180)
        choice.chosen.connect(lambda name: self.preparation.set_reading(table.source, "patient", name or None))
        self._patient_holder.addWidget(choice)

    def count(self) -> str:
        """How many columns there are."""
        found = self.preparation.found
        if found is None:
            return ""
        return text("ui.prepare.count.columns", count=number(sum(len(each.columns) for each in found.tables)))

    def obstacle(self) -> str:
        """Why one cannot go on yet."""
        found = self.preparation.found
        if found is None or self.preparation.doing in ("map", "federation"):
            return text("ui.prepare.working")
        without = [each for each in found.tables if each.key == each.source and not self._patient_of(each)]
        return text("ui.prepare.patient_first", table=without[0].file) if without else ""


def _entry(table: FoundTable) -> Entry:
    rows = text("ui.prepare.rows", count=number(table.rows))
    marked = any(each.identifier for each in table.columns)
    chip = (text("ui.prepare.mark.identifiers"), "caution", "eye-off") if marked else None
    return Entry(table.key, table.key, "", rows, chip, icon_name="table")


def wide_enough(*words: str) -> int:
    """Return the width of a column for an icon and the longest of these words, in pixels."""
    metrics = QFontMetrics(theme().font(Style.BODY))
    return max(map(metrics.horizontalAdvance, words)) + 52
