"""The variables of the catalogue in the wizard: which are mapped, which could be, and which have nothing yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt

from app.texts import text
from app.ui.models.preparing import Found, FoundVariable

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_USER = int(Qt.ItemDataRole.UserRole)


class Standing(StrEnum):
    """Whether a variable has its values."""

    MAPPED = "mapped"
    SUGGESTED = "suggested"
    NOTHING = "nothing"
    LEFT_OUT = "left_out"


class Role(IntEnum):
    """What the delegate and the filter ask for."""

    STANDING = _USER
    CODE = _USER + 1
    WHERE = _USER + 2
    SOUGHT = _USER + 3


@dataclass(frozen=True)
class Row:
    """A variable with where its values come from, in words."""

    variable: FoundVariable
    standing: Standing
    where: str


def _row(variable: FoundVariable, mapping: Mapping[str, Any]) -> Row:
    patients = str(mapping.get("patients", ""))
    if (how := mapping.get("variables", {}).get(variable.code)) is not None:
        return Row(variable, Standing.MAPPED, where(how, variable.code, patients))
    if variable.code in mapping.get("leave_out", ()):
        return Row(variable, Standing.LEFT_OUT, "")
    if variable.suggestions:
        best = variable.suggestions[0].how
        return Row(variable, Standing.SUGGESTED, where(best, variable.code, patients))
    return Row(variable, Standing.NOTHING, "")


def _mentioned(mapping: Mapping[str, Any]) -> set[str]:
    return {*mapping.get("variables", {}), *mapping.get("leave_out", ())}


def where(how: Mapping[str, Any], code: str, patients: str) -> str:
    """Say in a few words where a variable's values come from."""
    table = str(how.get("table") or patients)
    codes = ", ".join(map(str, (how.get("codes") or ())[:3]))
    if rule := how.get("rule"):
        words = text(f"ui.prepare.rule.{rule}")
        return f"{table}: {words} {codes}".strip()
    if codes:
        return f"{table}: {codes}"
    column = how.get("column") or how.get("end_column") or how.get("event_date_column") or code
    return f"{table}: {column}"


class VariablesModel(QAbstractListModel):
    """The variables in the catalogue's order; what has changed is told row by row, so that the list keeps its place."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._found: Found | None = None
        self._mapping: Mapping[str, Any] = {}
        self._places: dict[str, int] = {}

    def show(self, found: Found | None, mapping: Mapping[str, Any]) -> None:
        """Show what was found, and what the mapping says."""
        if found is not self._found or mapping.get("patients") != self._mapping.get("patients"):
            self.beginResetModel()
            variables = found.variables if found is not None else ()
            self.rows = [_row(each, mapping) for each in variables]
            self._places = {each.code: place for place, each in enumerate(variables)}
            self.endResetModel()
        else:
            for code in _mentioned(self._mapping) | _mentioned(mapping):
                place = self.place_of(code)
                if place >= 0 and (row := _row(self.rows[place].variable, mapping)) != self.rows[place]:
                    self.rows[place] = row
                    self.dataChanged.emit(self.index(place), self.index(place))
        self._found, self._mapping = found, mapping

    def rowCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802 - Qt's name
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: _Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:  # noqa: PLR0911 - one a role
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.variable.label
            case Qt.ItemDataRole.AccessibleTextRole:
                state = text(f"ui.prepare.standing.{row.standing.value}")
                return ", ".join(filter(None, (row.variable.label, state, row.where)))
            case Role.STANDING:
                return row.standing
            case Role.CODE:
                return row.variable.code
            case Role.WHERE:
                return row.where or row.variable.code
            case Role.SOUGHT:
                return f"{row.variable.label}\n{row.variable.code}\n{row.where}".casefold()
        return None

    def place_of(self, code: str) -> int:
        """Return the row of a variable, -1 if it is not there."""
        return self._places.get(code, -1)

    def count(self, standing: Standing) -> int:
        """Return how many variables stand so."""
        return sum(row.standing is standing for row in self.rows)


class VariablesFilter(QSortFilterProxyModel):
    """Those of a standing that contain what is sought."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._standing, self._words = "", ""

    def filter_by(self, standing: str | None = None, words: str | None = None) -> None:
        """Show only these; None leaves a condition as it is."""
        self.beginFilterChange()
        self._standing = self._standing if standing is None else standing
        self._words = self._words if words is None else words.strip().casefold()
        self.endFilterChange()

    def filterAcceptsRow(self, source_row: int, source_parent: _Index) -> bool:  # noqa: N802 - Qt's name
        index = self.sourceModel().index(source_row, 0, source_parent)
        if self._standing and index.data(Role.STANDING) != self._standing:
            return False
        return not self._words or self._words in index.data(Role.SOUGHT)
