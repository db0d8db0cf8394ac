"""The site's datasets as the window shows them: versions, imports that are not finished, and coverage by variable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.core.catalogue.model import Catalogue
from app.texts import preferred_language, text
from app.ui.locale import number, percent
from app.ui.widgets.text import tip

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
SHARE = int(Qt.ItemDataRole.UserRole)
"""The share of the patients that a variable's row stands for, 0 to 1, or None."""


@dataclass(frozen=True)
class Version:
    """One version of the dataset. Times are UTC ms, ``size`` is in bytes, 0 if its file is missing."""

    id: str
    number: int
    active: bool
    variables: int
    blocks: int
    size: int
    created: int
    imported: int
    preparer: str
    words: str

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Version:
        """Read what ``data.list`` tells of one."""
        return cls(
            id=str(plain["dataset"]),
            number=int(plain["version"]),
            active=bool(plain["active"]),
            variables=int(plain["variables"]),
            blocks=int(plain["blocks"]),
            size=int(plain["bytes"]),
            created=int(plain["created"]),
            imported=int(plain["imported"]),
            preparer=str(plain["preparer"]),
            words=str(plain["preparer_words"]),
        )


@dataclass(frozen=True)
class Unfinished:
    """An import that was cut off, or that runs just now."""

    id: str
    package: str
    done: float
    running: bool

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Unfinished:
        """Read what ``data.list`` tells of one."""
        columns = int(plain["columns"])
        return cls(
            id=str(plain["dataset"]),
            package=str(plain["package"]),
            done=int(plain["columns_done"]) / columns if columns else 0.0,
            running=bool(plain["running"]),
        )


@dataclass(frozen=True)
class Package:
    """What a package says of itself, checked against its signature."""

    path: str
    size: int
    created: int
    variables: int
    preparer: str
    words: str

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Package:
        """Read what ``data inspect`` tells."""
        return cls(
            path=str(plain["package"]),
            size=int(plain["bytes"]),
            created=int(plain["created"]),
            variables=len(plain["variables"]),
            preparer=str(plain["preparer"]),
            words=str(plain["preparer_words"]),
        )


@dataclass(frozen=True)
class Covered:
    """One variable of a dataset: ``known`` patients have a value, None for a few."""

    code: str
    kind: str
    known: int | None


@dataclass(frozen=True)
class Problems:
    """So many rows or values have this problem; ``column`` is empty where it is not about one."""

    code: str
    column: str
    count: int


@dataclass(frozen=True)
class Report:
    """What the preparation report of a version says. ``refused`` has (row, column, code); ``problems``, the most
    frequent first, are those of newer reports."""

    patients: int
    rows: int
    refused_rows: int
    refused: tuple[tuple[int, str, str], ...]
    left_out: tuple[str, ...]
    variables: tuple[Covered, ...]
    problems: tuple[Problems, ...] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Report:
        """Read what ``data.report`` tells."""
        return cls(
            patients=int(plain["patients"]),
            rows=int(plain["rows"]),
            refused_rows=int(plain["refused_rows"]),
            refused=tuple((int(each["row"]), str(each["column"]), str(each["code"])) for each in plain["refused"]),
            left_out=tuple(map(str, plain["left_out"])),
            variables=tuple(
                Covered(str(each["code"]), str(each["kind"]), None if each["known"] is None else int(each["known"]))
                for each in plain["variables"]
            ),
            problems=tuple(
                Problems(str(each["code"]), str(each["column"]), int(each["count"]))
                for each in plain.get("problems", ())
            ),
        )


class Column(IntEnum):
    """The columns of the table of variables."""

    NAME = 0
    CODE = 1
    KIND = 2
    KNOWN = 3
    SHARE = 4
    SITES = 5


class VariablesModel(QAbstractTableModel):
    """The variables of a version, with how many patients have a value, and at how many sites each is."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: Sequence[Covered] = ()
        self._labels: Mapping[str, str] = {}
        self._held: Mapping[str, int] = {}
        self._patients = self._sites = 0

    def show(self, report: Report | None) -> None:
        """Show the variables of a report, or none."""
        self.beginResetModel()
        self._rows = () if report is None else report.variables
        self._patients = 0 if report is None else report.patients
        self.endResetModel()

    def label(self, catalogue: Catalogue | None, held: Mapping[str, int], sites: int) -> None:
        """Name the variables as the catalogue does, and say at how many of the ``sites`` each is."""
        language = preferred_language()
        if catalogue is not None:
            self._labels = {each.code: each.label.text(language) for each in catalogue.variables}
        self._held, self._sites = dict(held), sites
        if self._rows:
            last = self.index(len(self._rows) - 1, len(Column) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802 - Qt's name
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:  # noqa: N802
        return 0 if parent.isValid() else len(Column)

    def data(self, index: _Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], Column(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._words(row, column)
            case Qt.ItemDataRole.TextAlignmentRole if column in (Column.KNOWN, Column.SITES):
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            case Qt.ItemDataRole.ToolTipRole if column in (Column.NAME, Column.CODE):
                return tip(str(self._words(row, column)))
            case _ if role == SHARE and column is Column.SHARE:
                return self._share(row)
        return None

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return text(f"ui.data.column.{Column(section).name.lower()}")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            right = Column(section) in (Column.KNOWN, Column.SITES)
            side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def _share(self, row: Covered) -> float | None:
        return None if row.known is None or not self._patients else row.known / self._patients

    def _words(self, row: Covered, column: Column) -> str:
        match column:
            case Column.NAME:
                return self._labels.get(row.code, row.code)
            case Column.CODE:
                return row.code
            case Column.KIND:
                return text(f"ui.data.kind.{row.kind}")
            case Column.KNOWN:
                return text("ui.data.few") if row.known is None else number(row.known)
            case Column.SHARE:
                share = self._share(row)
                return "" if share is None else percent(share)
            case Column.SITES:
                held = self._held.get(row.code)
                return "" if held is None else text("ui.data.of", count=number(held), all=number(self._sites))
