"""What differs from another version: what is new or gone, what means something else, what is only called otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QStackedWidget, QWidget

from app.core.catalogue.difference import Change, Changed, Detail, differences
from app.core.catalogue.model import Catalogue
from app.texts import LANGUAGES, preferred_language, text
from app.ui.models.editing import Editing, node
from app.ui.tokens import Style
from app.ui.widgets.buttons import Button, menu_button
from app.ui.widgets.entries import Entries, Entry
from app.ui.widgets.feedback import EmptyState
from app.ui.widgets.layout import column, row
from app.ui.widgets.text import Label

_CHIPS = {
    Change.ADDED: ("positive", "plus"),
    Change.REMOVED: ("danger", "minus"),
    Change.MEANING: ("caution", "warning"),
    Change.SHOWN: ("plain", "edit"),
}


class DifferencesPage(QWidget):
    """The list of differences to a version that is chosen; it follows what is edited."""

    def __init__(self, editing: Editing, load: Callable[[Path, Callable[[Catalogue], object]], object]) -> None:
        super().__init__()
        self._editing, self._load = editing, load
        self._other: Catalogue | None = None
        self._in_force: Catalogue | None = None
        self._said = Label("", Style.BODY, "text2")
        compare = Button(text("ui.catalogue.compare"), icon_name="compare")
        menu_button(
            compare,
            [
                (text("ui.catalogue.compare_file"), "file", self._choose),
                (text("ui.catalogue.compare_federation"), "federation", self._compare_in_force),
            ],
        )
        self.list = Entries(text("ui.catalogue.tab.differences"))
        self._stack = QStackedWidget()
        nothing = EmptyState(
            "compare", text("ui.catalogue.nothing_compared"), text("ui.catalogue.nothing_compared_words")
        )
        same = EmptyState("check", text("ui.catalogue.no_difference"), text("ui.catalogue.no_difference_words"))
        for each in (nothing, same, self.list):
            self._stack.addWidget(each)
        whole = column(row(compare, self._said, None, gap=12), self._stack, gap=12, margins=(24, 16, 24, 24))
        whole.setStretchFactor(self._stack, 1)
        self.setLayout(whole)
        editing.changed.connect(self._show)

    def offer(self, in_force: Catalogue) -> None:
        """Remember what the federation's catalogue is: what one compares with first."""
        self._in_force = in_force
        if self._other is None:
            self.compare(in_force)

    def compare(self, other: Catalogue) -> None:
        """Compare with this version."""
        self._other = other
        self._show()

    def _compare_in_force(self) -> None:
        if self._in_force is not None:
            self.compare(self._in_force)

    def _choose(self) -> None:
        found, _ = QFileDialog.getOpenFileName(
            self, text("ui.catalogue.compare_file"), "", f"{text('ui.catalogue.files')} (*.toml)"
        )
        if found:
            self._load(Path(found), self.compare)

    def _show(self) -> None:
        edited, other = self._editing.catalogue, self._other
        if edited is None or other is None:
            self._stack.setCurrentIndex(0)
            return
        self._said.setText(text("ui.catalogue.compared", name=other.name, version=other.version))
        entries = [_entry(each, other, edited) for each in differences(other, edited)]
        self.list.show_entries(entries)
        self._stack.setCurrentIndex(2 if entries else 1)


def _entry(changed: Changed, before: Catalogue, after: Catalogue) -> Entry:
    found = node(after, changed.code) or node(before, changed.code)
    label = "" if found is None else found.label.text(preferred_language())
    chip = (text(f"ui.catalogue.changed.{changed.change.value}"), *_CHIPS[changed.change])
    return Entry(changed.code, label, changed.code, "; ".join(map(_said, changed.details)), chip)


def _said(detail: Detail) -> str:
    """Return a detail in words: the field, what it was, what it is."""
    before, after = (", ".join(each) or "–" for each in (detail.before, detail.after))
    return f"{_field(detail.field)}: {before} → {after}"


def _field(field: str) -> str:
    stem, _, rest = field.partition(".")
    title = text(f"ui.catalogue.field.{stem}")
    code, _, language = rest.rpartition(".")
    named = text(f"ui.language.{language}") if language in LANGUAGES else language
    return " · ".join(filter(None, (title, code, named)))
