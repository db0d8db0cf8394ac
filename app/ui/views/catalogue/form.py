"""The form of one variable or group: what was typed becomes a valid variable, or says at its field why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.core.catalogue.model import Group, Kind, Variable
from app.core.catalogue.plain import plain_group, plain_variable, read_group, read_variable
from app.core.catalogue.scales import Granularity
from app.core.errors import UserError
from app.texts import LANGUAGES, explain, text
from app.ui.models.editing import Node
from app.ui.tokens import Style
from app.ui.views.catalogue.levels import LevelsTable
from app.ui.widgets.fields import Choice, Field, line_edit
from app.ui.widgets.layout import clear, column, row
from app.ui.widgets.text import Label

_LISTS = {"cut_points": " ", "parents": " ", "synonyms": "; "}
"""Fields that are lists of texts, and what stands between their parts."""
_BY_KIND: Mapping[Kind, tuple[str, ...]] = {
    Kind.FLAG: (),
    Kind.CATEGORY: (),
    Kind.NUMBER: ("unit", "cut_points", "minimum", "maximum", "step"),
    Kind.DATE: ("first", "last"),
    Kind.EVENT: ("period_days", "periods", "first_period"),
    Kind.SURVIVAL: ("period_days", "periods"),
}
_WHOLE = ("periods", "first_period")
_HINTED = ("code", "cut_points", "parents", "step", "first", "period_days", "first_period", "unit")


class NodeForm(QWidget):
    """The fields of one variable or group. ``take(code, node)`` gets every valid change."""

    def __init__(self, take: Callable[[str, Node], None]) -> None:
        super().__init__()
        self._take = take
        self._node: Node | None = None
        self._lines: dict[str, QLineEdit] = {}
        self._fields: dict[str, Field] = {}
        self._levels: LevelsTable | None = None
        self._rollup: QCheckBox | None = None
        self._granularity: Choice | None = None
        self._columns = Label("", Style.SMALL, "text2", wrap=True)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(14)

    def show_node(self, node: Node) -> None:
        """Show a variable or group; the fields stay where only values have changed."""
        before, self._node = self._node, node
        if before is None or (before.code, _kind(before)) != (node.code, _kind(node)):
            self._build(node)
        self._fill(node)

    def line(self, name: str) -> QLineEdit:
        """Return the line of a field, such as ``code`` or ``label.fr``."""
        return self._lines[name]

    # --- making the fields --------------------------------------------------------------------------------------

    def _build(self, node: Node) -> None:
        clear(self._layout)
        self._lines, self._fields = {}, {}
        self._levels = self._rollup = self._granularity = None
        self._layout.addWidget(self._line("code"))
        self._layout.addLayout(self._words("label"))
        if isinstance(node, Variable):
            self._layout.addLayout(self._words("description"))
            self._add_kind(node.kind)
            self._layout.addLayout(_beside(self._line("system"), self._line("system_code")))
            self._layout.addWidget(self._line("synonyms"))
        self._layout.addWidget(self._line("parents"))
        self._columns = Label("", Style.SMALL, "text2", wrap=True)
        self._layout.addWidget(self._columns)
        self._layout.addStretch(1)

    def _add_kind(self, kind: Kind) -> None:
        if kind is Kind.CATEGORY:
            self._levels = LevelsTable(self._changed)
            self._fields["levels"] = Field(text("ui.catalogue.field.levels"), self._levels)
            self._layout.addWidget(self._fields["levels"])
        if kind is Kind.FLAG:
            self._rollup = QCheckBox(text("ui.catalogue.field.rollup"))
            self._rollup.clicked.connect(lambda _checked: self._changed())
            hint = Label(text("ui.catalogue.hint.rollup"), Style.CAPTION, "text2", wrap=True)
            self._layout.addLayout(column(self._rollup, hint, gap=4))
        if kind is Kind.DATE:
            entries = [(each.value, text(f"ui.catalogue.granularity.{each.value}")) for each in Granularity]
            self._granularity = Choice(text("ui.catalogue.field.granularity"), entries)
            self._granularity.chosen.connect(lambda _value: self._changed())
            self._fields["granularity"] = Field(text("ui.catalogue.field.granularity"), self._granularity)
            self._layout.addWidget(self._fields["granularity"])
        names = _BY_KIND[kind]
        if "unit" in names:
            self._layout.addWidget(self._line("unit"))
            self._layout.addLayout(self._words("unit_label"))
            self._layout.addWidget(self._line("cut_points"))
            names = names[2:]
        if names:
            self._layout.addLayout(_beside(*map(self._line, names)))

    def _words(self, name: str) -> QHBoxLayout:
        """Return a field a language."""
        return _beside(*(self._line(f"{name}.{language}") for language in LANGUAGES))

    def _line(self, name: str) -> Field:
        stem, _, language = name.partition(".")
        title = text(f"ui.catalogue.field.{stem}")
        made = line_edit()
        made.editingFinished.connect(self._changed)
        hint = text(f"ui.catalogue.hint.{stem}") if stem in _HINTED else ""
        field = Field(f"{title} · {text(f'ui.language.{language}')}" if language else title, made, hint)
        self._lines[name], self._fields[name] = made, field
        return field

    # --- values -------------------------------------------------------------------------------------------------

    def _fill(self, node: Node) -> None:
        plain = _plain(node)
        for name, line in self._lines.items():
            shown = _shown(plain, name)
            if line.text() != shown and not (line.hasFocus() and line.isModified()):
                line.setText(shown)
        for field in self._fields.values():
            field.refuse("")
        if self._levels is not None:
            self._levels.show_levels(plain["levels"])
        if self._rollup is not None:
            self._rollup.setChecked(bool(plain.get("rollup")))
        if self._granularity is not None:
            self._granularity.set_value(str(plain["granularity"]))
        count = len(node.columns) if isinstance(node, Variable) else 0
        self._columns.setText(text("ui.catalogue.columns", count=count) if count else "")

    def _changed(self) -> None:
        """Read the fields; take the result, or say at the field that is wrong why it is."""
        if self._node is None:
            return
        before, plain = self._node, self._typed(self._node)
        try:
            read: Node = read_group(plain, 1) if isinstance(before, Group) else read_variable(plain, 1)
            if read != before:
                self._take(before.code, read)
        except UserError as error:
            self._refuse(error)
            return
        for line in self._lines.values():
            line.setModified(False)  # what is there is what the catalogue says
        for field in self._fields.values():
            field.refuse("")

    def _typed(self, node: Node) -> dict[str, Any]:
        plain = _plain(node)
        for name, line in self._lines.items():
            stem, _, language = name.partition(".")
            typed = line.text().strip()
            if language:
                words = {**plain.get(stem, {}), language: typed}
                plain[stem] = {each: said for each, said in words.items() if said}
            elif stem in _LISTS:
                plain[stem] = typed.split(_LISTS[stem].strip() or None) if typed else []
                plain[stem] = [each.strip() for each in plain[stem] if each.strip()]
            else:
                plain[stem] = int(typed) if stem in _WHOLE and typed.lstrip("-").isdecimal() else typed
            if plain[stem] in ("", {}, []) and stem not in ("code", "label"):
                del plain[stem]
        if self._levels is not None:
            plain["levels"] = self._levels.levels()
        if self._rollup is not None:
            plain["rollup"] = self._rollup.isChecked()
        if self._granularity is not None:
            plain["granularity"] = self._granularity.value
        return plain

    def _refuse(self, error: UserError) -> None:
        """Say why at the field that the error names, or at the one that it belongs to."""
        named = str(error.params.get("field", ""))
        told = explain(error)
        what = told.what.partition(": ")[2] or told.what  # the place comes first, and that is here
        reason = " ".join(filter(None, (what, told.next)))
        stem = named.partition("[")[0]
        for name, field in self._fields.items():
            field.refuse(reason if name in (named, stem, f"{stem}.en") else "")
        if not any(name in (named, stem, f"{stem}.en") for name in self._fields):
            self._fields["code"].refuse(reason)


def _beside(*fields: Field) -> QHBoxLayout:
    """Return fields beside each other whose labels are in line, whatever stands below them."""
    layout = row(gap=12)
    for field in fields:
        layout.addWidget(field, 1, Qt.AlignmentFlag.AlignTop)
    return layout


def _kind(node: Node) -> Kind | None:
    return node.kind if isinstance(node, Variable) else None


def _plain(node: Node) -> dict[str, Any]:
    return plain_variable(node) if isinstance(node, Variable) else plain_group(node)


def _shown(plain: Mapping[str, Any], name: str) -> str:
    stem, _, language = name.partition(".")
    found = plain.get(stem, "")
    if language:
        return str(found.get(language, "")) if found else ""
    return _LISTS[stem].join(found) if stem in _LISTS else str(found)
