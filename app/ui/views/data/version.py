"""One version of the dataset, opened: where it comes from, whether it is whole, and what is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QRectF, QSortFilterProxyModel, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QGridLayout,
    QProgressBar,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.core.catalogue.model import Catalogue
from app.core.jobs.job import Progress
from app.texts import explain_code, text
from app.ui.jobs import remaining_words
from app.ui.locale import number, percent, size, whole_moment
from app.ui.models.datasets import SHARE, Column, Report, VariablesModel, Version
from app.ui.theme import theme
from app.ui.tokens import PANE, Style
from app.ui.widgets.buttons import DANGER, Button
from app.ui.widgets.chips import Chip
from app.ui.widgets.fields import SearchField
from app.ui.widgets.layout import Flow, card, clear, column, row
from app.ui.widgets.tables import plain_table
from app.ui.widgets.text import Label

Do = Callable[[], object]
_WIDTHS = {Column.CODE: 130, Column.KIND: 108, Column.KNOWN: 80, Column.SHARE: 124, Column.SITES: 80}
_REASONS = ("ragged_row", "no_patient", "duplicate_patient", "unknown_level", "not_a_flag", "not_a_number")
_REFUSED_SHOWN = 10


class VersionPane(QWidget):
    """The version of the moment; its table keeps its place while nothing of it has changed."""

    def __init__(self, *, check: Do, activate: Do, remove: Do) -> None:
        super().__init__()
        self._shown: tuple[Version, Report | None] | None = None
        self._title = Label("", Style.TITLE)
        self._chip = Chip("")
        self.check_button = Button(text("ui.data.check"), icon_name="shield-check", size="small", pressed=check)
        self.activate_button = Button(text("ui.data.activate"), icon_name="check", size="small", pressed=activate)
        self.remove_button = Button(text("ui.data.remove"), DANGER, size="small", pressed=remove)
        head = row(self._title, self._chip, None, self.check_button, self.activate_button, self.remove_button)
        self._checking = _Checking()
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(24)
        self._facts.setVerticalSpacing(10)
        self._refused = Label("", Style.SMALL, "text2", wrap=True, selectable=True)
        self._model = VariablesModel(self)
        self._filtered = QSortFilterProxyModel(self)
        self._filtered.setSourceModel(self._model)
        self._filtered.setFilterKeyColumn(-1)
        self._filtered.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._search = SearchField(text("ui.data.find_variable"))
        self._search.setFixedWidth(240)
        self._search.wanted.connect(self._filtered.setFilterFixedString)
        name = text("ui.data.variables_name")
        self.table = plain_table(name, self._filtered, _WIDTHS, Column.NAME, height=180)
        self.table.setItemDelegateForColumn(Column.SHARE, _Bar(self.table))
        theme().changed.connect(self.table.viewport().update)
        facts = card(self._facts, self._refused, gap=10, padding=PANE)
        self._variables = Label("", Style.STRONG)
        layout = column(head, self._checking, facts, 4, row(self._variables, None, self._search), self.table, gap=10)
        layout.setStretchFactor(self.table, 1)
        self.setLayout(layout)

    def label(self, catalogue: Catalogue | None, held: Mapping[str, int], sites: int) -> None:
        """Name the variables, and say at how many sites each is."""
        self._model.label(catalogue, held, sites)

    def show_version(self, version: Version, report: Report | None, *, unreadable: str = "") -> None:
        """Show a version; its report None is not known yet, ``unreadable`` says why it cannot be."""
        self.activate_button.setVisible(not version.active)
        if self._shown == (version, report) and not unreadable:
            return
        if self._shown is None or self._shown[1] != report:
            self._model.show(report)
        self._shown = (version, report)
        self._title.setText(text("ui.data.version", number=version.number))
        self._chip.set(*chip(version))
        self._variables.setText(text("ui.data.variables", count=number(version.variables)))
        self._show_facts(version, report)
        words = unreadable or ("" if report is None else _refused(report))
        self._refused.setText(words)
        self._refused.setVisible(bool(words))

    def _show_facts(self, version: Version, report: Report | None) -> None:
        clear(self._facts)
        facts = [
            (text("ui.data.fact.imported"), whole_moment(version.imported)),
            (text("ui.data.fact.prepared"), whole_moment(version.created)),
            (text("ui.data.fact.size"), size(version.size) if version.size else text("ui.data.missing")),
            (text("ui.data.fact.patients"), "…" if report is None else number(report.patients)),
            (text("ui.data.fact.rows"), "…" if report is None else _rows(report)),
            (text("ui.data.fact.blocks"), number(version.blocks)),
        ]
        for place, (name, value) in enumerate(facts):
            self._facts.addLayout(_fact(name, value), place // 3, place % 3)
        self._facts.addLayout(_fact(text("ui.data.fact.preparer"), version.words), 2, 0, 1, 3)
        for place in range(3):
            self._facts.setColumnStretch(place, 1)

    # --- checking -----------------------------------------------------------------------------------------------

    def checking(self, cancel: Do | None) -> None:
        """Show that the version is being checked, or no longer."""
        self.check_button.setVisible(cancel is None)
        self._checking.begin(cancel)

    def progress(self, progress: Progress) -> None:
        """Show how far the check is."""
        self._checking.progress(progress)


def chip(version: Version) -> tuple[str, str, str]:
    """Return word, tone and icon of a version's state."""
    if not version.size:
        return text("ui.data.missing"), "danger", "warning"
    if version.active:
        return text("ui.data.active"), "positive", "check"
    return text("ui.data.kept"), "plain", ""


def _fact(name: str, value: str) -> QGridLayout:
    made = QGridLayout()
    made.setVerticalSpacing(1)
    made.addWidget(Label(name, Style.CAPTION, "text2"), 0, 0)
    made.addWidget(Label(value, Style.BODY, wrap=True, selectable=True), 1, 0)
    return made


def _rows(report: Report) -> str:
    if not report.refused_rows:
        return text("ui.data.rows_all", rows=number(report.rows))
    return text("ui.data.rows_some", rows=number(report.rows), refused=number(report.refused_rows))


def _refused(report: Report) -> str:
    """Say what was left out: how much of it for which reason, or, of older reports, the first of the rows."""
    lines = []
    if report.left_out:
        lines.append(text("ui.data.left_out", variables=", ".join(report.left_out[:_REFUSED_SHOWN])))
    for each in report.problems[:_REFUSED_SHOWN]:
        count, why = number(each.count), _reason(each.code)
        lines.append(text("ui.data.problem_group", count=count, why=why, column=each.column or "–"))
    rows = () if report.problems else report.refused[:_REFUSED_SHOWN]
    for line, name, code in rows:
        lines.append(text("ui.data.refused_row", row=number(line), column=name or "–", why=_reason(code)))
    return "\n".join(lines)


def _reason(code: str) -> str:
    short = code.removeprefix("csv.")
    return text(f"ui.data.reason.{short}") if short in _REASONS else explain_code(code)


class _Checking(QWidget):
    """The progress of a check."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(text("ui.data.checking"))
        self._words = Label(text("ui.data.checking"), Style.SMALL, "text2")
        self._cancel: Do = lambda: None
        self._button = Button(text("ui.cancel"), size="small", pressed=lambda: self._cancel())
        top = QWidget()
        flow = Flow(8, top)
        flow.addWidget(self._words)
        layout = row(column(top, self._bar, gap=4), self._button, gap=12)
        layout.setStretch(0, 1)
        self.setLayout(layout)
        self.hide()

    def begin(self, cancel: Do | None) -> None:
        """Show it, or hide it without a ``cancel``."""
        if cancel is not None:
            self._cancel = cancel
        if self.isHidden() == (cancel is not None):
            self._bar.setValue(0)
            self._words.setText(text("ui.data.checking"))
            self.setVisible(cancel is not None)

    def progress(self, progress: Progress) -> None:
        """Show how far it is."""
        self._bar.setValue(round(1000 * progress.fraction))
        left = remaining_words(progress.remaining_seconds)
        self._words.setText(" · ".join(filter(None, (text("ui.data.checking"), percent(progress.fraction), left))))


class _Bar(QStyledItemDelegate):
    """A share of the patients as a bar with its percentage."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: object) -> None:
        super().paint(painter, option, index)  # type: ignore[arg-type]
        share = index.data(SHARE)  # type: ignore[attr-defined]
        words = index.data(Qt.ItemDataRole.DisplayRole)  # type: ignore[attr-defined]
        if share is None:
            return
        look, place = theme(), QRectF(option.rect).adjusted(10, 0, -8, 0)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        track = QRectF(place.x(), place.center().y() - 3, place.width() - 48, 6)
        for width, token in ((track.width(), "hair2"), (track.width() * share, "accfill")):
            painter.setBrush(look.colour(token))
            painter.drawRoundedRect(QRectF(track.x(), track.y(), width, 6), 3, 3)
        painter.setPen(look.colour("text2"))
        painter.setFont(look.font(Style.CAPTION))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(place, right, words)
        painter.restore()

    def displayText(self, value: object, locale: object) -> str:  # noqa: N802 - Qt's name
        return ""
