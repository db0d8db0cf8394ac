"""Every text of a catalogue that people read, a row each, in its three languages: to be completed by a translator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.core.catalogue.model import Catalogue, Label, Variable
from app.core.errors import UserError
from app.texts import LANGUAGES, text
from app.ui.models.editing import Editing, Node, node, nodes, replaced

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


@dataclass(frozen=True, slots=True)
class Wording:
    """One text: whose it is (``code``), which of its texts (``part``: label, description, unit, or a level), and it."""

    code: str
    part: str
    label: Label

    @property
    def complete(self) -> bool:
        """Whether no language lacks."""
        return len(self.label.parts()) == len(LANGUAGES)


def wordings(catalogue: Catalogue) -> Iterator[Wording]:
    """Yield all texts, in the catalogue's order."""
    for each in nodes(catalogue):
        yield Wording(each.code, "label", each.label)
        if isinstance(each, Variable):
            if each.description is not None:
                yield Wording(each.code, "description", each.description)
            if each.unit_label is not None:
                yield Wording(each.code, "unit", each.unit_label)
            yield from (Wording(each.code, f"level:{level.code}", level.label) for level in each.levels)


class TranslationsModel(QAbstractTableModel):
    """The table: code, text by text, and a column a language; ``wrong`` gets what cannot be said."""

    def __init__(self, editing: Editing, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._editing = editing
        self.rows: list[Wording] = []
        self.only_missing = False
        self.typed = ""
        self.problem: UserError | None = None
        editing.changed.connect(self.refresh)

    def refresh(self) -> None:
        """List what there is now; rows that only changed their words stay where they are."""
        catalogue = self._editing.catalogue
        found = [] if catalogue is None else [each for each in wordings(catalogue) if self._listed(each)]
        if [(each.code, each.part) for each in found] == [(each.code, each.part) for each in self.rows]:
            self.rows = found
            if found:
                self.dataChanged.emit(self.index(0, 0), self.index(len(found) - 1, self.columnCount() - 1))
            return
        self.beginResetModel()
        self.rows = found
        self.endResetModel()

    def filter(self, typed: str, only_missing: bool) -> None:
        """List only texts with these words, or only those that a language lacks."""
        self.typed, self.only_missing = typed.casefold().strip(), only_missing
        self.refresh()

    def _listed(self, each: Wording) -> bool:
        if self.only_missing and each.complete:
            return False
        return not self.typed or any(
            self.typed in words.casefold() for words in (each.code, *each.label.parts().values())
        )

    # --- Qt's side --------------------------------------------------------------------------------------------

    def rowCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802 - Qt's name
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802
        return 0 if parent.isValid() else 2 + len(LANGUAGES)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> Any:  # noqa: N802
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if orientation is Qt.Orientation.Vertical:
            return section + 1
        names = [text("ui.catalogue.code"), text("ui.catalogue.text")]
        return [*names, *(text(f"ui.language.{each}") for each in LANGUAGES)][section]

    def data(self, index: _Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        if not index.isValid() or role not in (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.EditRole,
            Qt.ItemDataRole.AccessibleTextRole,
        ):
            return None
        each = self.rows[index.row()]
        match index.column():
            case 0:
                return each.code
            case 1:
                return _part(each.part)
            case column:
                found = each.label.parts().get(LANGUAGES[column - 2])
                missing = text("ui.catalogue.missing") if role == Qt.ItemDataRole.AccessibleTextRole else ""
                return missing if found is None else found

    def flags(self, index: _Index) -> Qt.ItemFlag:
        editable = Qt.ItemFlag.ItemIsEditable if index.column() >= 2 else Qt.ItemFlag.NoItemFlags
        return super().flags(index) | editable

    def setData(self, index: _Index, value: Any, role: int = int(Qt.ItemDataRole.EditRole)) -> bool:  # noqa: N802
        if role != Qt.ItemDataRole.EditRole or index.column() < 2:
            return False
        each, language = self.rows[index.row()], LANGUAGES[index.column() - 2]
        words_by_language = {**each.label.parts(), language: str(value).strip()}
        en, fr, de = (words_by_language.get(name, "") for name in LANGUAGES)
        label = Label(en, fr or None, de or None)
        try:
            self._editing.do(lambda catalogue: _said(catalogue, each, label), text("ui.catalogue.did.translate"))
        except UserError as error:
            self.problem = error
            return False
        self.problem = None
        return True


def _said(catalogue: Catalogue, each: Wording, label: Label) -> Catalogue:
    """Return the catalogue with another wording of one text."""
    found = node(catalogue, each.code)
    return catalogue if found is None else replaced(catalogue, each.code, _with(found, each.part, label))


def _with(found: Node, part: str, label: Label) -> Node:
    if part == "label" or not isinstance(found, Variable):
        return replace(found, label=label)
    if part == "description":
        return replace(found, description=label)
    if part == "unit":
        return replace(found, unit_label=label)
    levels = (replace(each, label=label) if f"level:{each.code}" == part else each for each in found.levels)
    return replace(found, levels=tuple(levels))


def _part(part: str) -> str:
    kind, _, level = part.partition(":")
    return text("ui.catalogue.level_named", level=level) if kind == "level" else text(f"ui.catalogue.part.{kind}")
