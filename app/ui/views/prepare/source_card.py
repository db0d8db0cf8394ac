"""One source: its files, how they were read, and everything about that to be said otherwise."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QFrame, QLineEdit, QWidget

from app.core.preparation.sources.source import DELIMITERS, ENCODINGS, Format
from app.texts import text
from app.ui.locale import number
from app.ui.models.preparing import FoundSource
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.views.prepare.preparation import Preparation
from app.ui.widgets.buttons import Button, IconButton
from app.ui.widgets.feedback import Icon
from app.ui.widgets.fields import Choice, line_edit
from app.ui.widgets.layout import Flow, column, row
from app.ui.widgets.layout import card as make_card
from app.ui.widgets.text import ElidedLabel, Label

_SIGNS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", ".": "point", " ": "space"}
_CHOICES: dict[str, tuple[str, ...]] = {
    "encoding": ENCODINGS,
    "delimiter": DELIMITERS,
    "decimal": (".", ","),
    "dates": ("YMD", "DMY", "MDY"),
}
_OF_FORMAT = {
    **{each: ("encoding", "delimiter", "decimal", "dates") for each in ("csv", "redcap")},
    **{each: ("encoding", "dates") for each in ("omop", "i2b2", "cbioportal")},
    **{each: ("decimal", "dates") for each in ("excel", "parquet", "sas", "spss", "stata")},
}
_FOLDERS = ("omop", "i2b2", "fhir", "cbioportal")


class SourceCard(QFrame):
    """A source."""

    def __init__(self, source: FoundSource, preparation: Preparation, *, enabled: bool) -> None:
        super().__init__()
        self._source, self._preparation = source, preparation
        names = ", ".join(Path(file).name for file in source.files)
        title = ElidedLabel(names, Style.STRONG)
        facts = Label(_facts(source), Style.SMALL, "text2")
        replace = Button(text("ui.prepare.newer_file"), icon_name="refresh", size="small", pressed=self._replace)
        replace.setAccessibleName(text("ui.prepare.newer_file_of", name=names))
        away = IconButton("trash", text("ui.prepare.remove_source", name=names), size=16, pressed=self._remove)
        head = row(Icon("table", 18, "text2"), title, facts, replace, away, gap=10)
        head.setStretch(1, 1)
        settings = QWidget()
        flow = Flow(10, settings)
        flow.addWidget(self._setting("format", [(each.value, _format(each.value)) for each in Format]))
        for name in _OF_FORMAT.get(source.format, ()):
            flow.addWidget(self._setting(name, [(each, shown(name, each)) for each in _CHOICES[name]]))
        if source.format == "excel":
            flow.addWidget(self._sheet())
        flow.addWidget(self._missing())
        for each in (replace, away, settings):
            each.setEnabled(enabled)
        self.setLayout(column(make_card(head, settings, gap=8, padding=12), gap=0))

    def _setting(self, name: str, entries: list[tuple[str, str]]) -> QWidget:
        """Return a choice of a setting, that says whether its value was found out."""
        source = self._source
        value = source.format if name == "format" else source.settings.get(name)
        found_out = name in source.found_out
        known = [each for each, _ in entries]
        if value is not None and str(value) not in known:
            entries = [*entries, (str(value), str(value))]
        if value is None:
            entries = [("", text("ui.prepare.find_out")), *entries]
        elif not found_out and name != "format":
            entries = [*entries, ("", text("ui.prepare.find_out"))]
        label = text(f"ui.prepare.setting.{name}")
        choice = Choice(f"{label}: {source.name}", entries)
        choice.set_value("" if value is None else str(value))
        choice.chosen.connect(lambda wanted: self._preparation.set_reading(source.name, name, wanted or None))
        return _labelled(text("ui.prepare.found_out", setting=label) if found_out else label, choice)

    def _sheet(self) -> QWidget:
        return self._line("sheet", str(self._source.settings.get("sheet") or ""), 120)

    def _missing(self) -> QWidget:
        values = [each for each in self._source.settings.get("missing") or () if each]
        return self._line("missing", ", ".join(map(str, values)), 90)

    def _line(self, name: str, value: str, width: int) -> QWidget:
        label = text(f"ui.prepare.setting.{name}")
        edit = line_edit(text(f"ui.prepare.setting.{name}_none"))
        set_role(edit, measure="small")
        edit.setText(value)
        edit.setAccessibleName(f"{label}: {self._source.name}")
        edit.setFixedWidth(width)
        edit.editingFinished.connect(lambda: self._typed(name, edit, value))
        return _labelled(label, edit)

    def _typed(self, name: str, edit: QLineEdit, before: str) -> None:
        typed = edit.text().strip()
        if typed == before:
            return
        if name == "missing":
            texts = list(dict.fromkeys(["", *(each.strip() for each in typed.split(","))]))
            self._preparation.set_reading(self._source.name, name, texts if typed else None)
        else:
            self._preparation.set_reading(self._source.name, name, typed or None)

    def _replace(self) -> None:
        title = text("ui.prepare.newer_file")
        if self._source.format in _FOLDERS and Path(self._source.files[0]).is_dir():
            found = QFileDialog.getExistingDirectory(self, title)
        else:
            found, _ = QFileDialog.getOpenFileName(self, title)
        if found:
            self._preparation.read(replaced={self._source.name: found})

    def _remove(self) -> None:
        self._preparation.remove_source(self._source.name)


def shown(name: str, value: str) -> str:
    """Return how a setting's value is said."""
    match name:
        case "format":
            return _format(value)
        case "delimiter" | "decimal":
            return text(f"ui.prepare.sign.{_SIGNS[value]}") if value in _SIGNS else value
        case "dates" if value in _CHOICES["dates"]:
            return text(f"ui.prepare.dates.{value.lower()}")
    return value


def _format(value: str) -> str:
    return text(f"ui.prepare.format.{value}")


def _facts(source: FoundSource) -> str:
    rows = text("ui.prepare.rows", count=number(source.rows))
    if len(source.tables) == 1:
        return f"{rows} · {text('ui.prepare.columns_count', count=number(len(source.tables[0].columns)))}"
    return f"{text('ui.prepare.tables_count', count=number(len(source.tables)))} · {rows}"


def _labelled(label: str, control: QWidget) -> QWidget:
    made = QWidget()
    made.setLayout(column(Label(label, Style.CAPTION, "text2"), control, gap=2))
    return made
