"""The third step: the catalogue's variables at the left, where the chosen one's values come from at the right."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QListView, QSplitter, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.texts import text
from app.ui import icons
from app.ui.locale import number
from app.ui.models import preparing_mapping as editing
from app.ui.models.preparing_variables import Role, Standing, VariablesFilter, VariablesModel
from app.ui.preferences import Preferences
from app.ui.theme import set_role, theme
from app.ui.tokens import Style
from app.ui.views.prepare.mapping_editor import VariableEditor
from app.ui.views.prepare.preparation import Preparation
from app.ui.views.prepare.step import Step
from app.ui.widgets.buttons import LINK, Button, IconButton
from app.ui.widgets.feedback import Banner, Banners
from app.ui.widgets.fields import Choice, SearchField
from app.ui.widgets.layout import column, frame, row, scrolling
from app.ui.widgets.text import Label

_LIST = 300
_LOOK = {
    Standing.MAPPED: ("check-circle", "pos"),
    Standing.SUGGESTED: ("star", "acc"),
    Standing.NOTHING: ("circle", "text3"),
    Standing.LEFT_OUT: ("minus-circle", "text3"),
}
_CHANGES_SHOWN = 6


class MappingStep(Step):
    """Mapping."""

    name: ClassVar[str] = "mapping"

    def __init__(self, preparation: Preparation, preferences: Preferences) -> None:
        super().__init__(preparation)
        self._preferences = preferences
        self._told: object = None
        self._model = VariablesModel(self)
        self._filtered = VariablesFilter(self)
        self._filtered.setSourceModel(self._model)
        self.banners = Banners()
        self.banners.setContentsMargins(24, 12, 24, 0)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self._make_left())
        split.addWidget(self._make_right())
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        split.setSizes([_LIST, 760])
        split.restoreState(preferences.state("prepare_mapping"))
        split.splitterMoved.connect(lambda *_: preferences.remember("prepare_mapping", split.saveState()))
        whole = column(self.banners, split, gap=0)
        whole.setStretchFactor(split, 1)
        self.setLayout(whole)

    def _make_left(self) -> QWidget:
        self.search = SearchField(text("ui.prepare.find_variable"))
        self.search.wanted.connect(lambda words: self._filtered.filter_by(words=words))
        self.filter = Choice(text("ui.prepare.show_variables"), [("", "")])
        self.filter.chosen.connect(lambda standing: self._filtered.filter_by(standing=standing))
        self.list = QListView()
        self.list.setAccessibleName(text("ui.prepare.variables"))
        set_role(self.list, role="entries")
        self.list.setModel(self._filtered)
        self.list.setItemDelegate(_Delegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.selectionModel().currentChanged.connect(lambda index, _before: self._open(index))
        self.accept_button = Button("", LINK, icon_name="star", size="small", pressed=self._accept_all)
        top = column(self.search, self.filter, gap=8, margins=(14, 14, 14, 8))
        foot = row(self.accept_button, None, margins=(8, 4, 8, 8))
        whole = column(top, self.list, foot, gap=0)
        whole.setStretchFactor(self.list, 1)
        made = frame("pane", whole)
        made.setMinimumWidth(230)
        return made

    def _make_right(self) -> QWidget:
        stack = self.preparation.history.stack
        self.undo_button = IconButton("undo", text("ui.prepare.undo"), pressed=stack.undo)
        self.redo_button = IconButton("redo", text("ui.prepare.redo"), pressed=stack.redo)
        stack.canUndoChanged.connect(self.undo_button.setEnabled)
        stack.canRedoChanged.connect(self.redo_button.setEnabled)
        stack.undoTextChanged.connect(lambda words: self.undo_button.set_name(_named("ui.prepare.undo", words)))
        stack.redoTextChanged.connect(lambda words: self.redo_button.set_name(_named("ui.prepare.redo", words)))
        self.undo_button.setEnabled(False)
        self.redo_button.setEnabled(False)
        self._title = Label(text("ui.prepare.mapping.title"), Style.TITLE)
        head = row(self._title, None, self.undo_button, self.redo_button, margins=(24, 14, 16, 6))
        self.editor = VariableEditor(self.preparation)
        made = QWidget()
        area = scrolling(column(self.editor, None, gap=0, margins=(24, 4, 24, 16)))
        whole = column(head, area, gap=0)
        whole.setStretchFactor(area, 1)
        made.setLayout(whole)
        made.setMinimumWidth(360)
        return made

    # --- choosing -----------------------------------------------------------------------------------------------

    @property
    def code(self) -> str:
        """The code of the variable that is open, or an empty text."""
        return str(self.list.currentIndex().data(Role.CODE) or "")

    def show_variable(self, code: str) -> None:
        """Open a variable."""
        self.search.clear()
        self.filter.set_value("")
        self._filtered.filter_by(standing="", words="")
        index = self._filtered.mapFromSource(self._model.index(max(self._model.place_of(code), 0)))
        self.list.setCurrentIndex(index)
        self.list.scrollTo(index, QListView.ScrollHint.PositionAtCenter)

    def _open(self, index: QModelIndex) -> None:
        if index.isValid():
            self.editor.show_variable(str(index.data(Role.CODE)))

    def _accept_all(self) -> None:
        mapping = self.preparation.mapping
        for each in self._model.rows:
            if each.standing is Standing.SUGGESTED:
                mapping = editing.with_variable(mapping, each.variable.code, each.variable.suggestions[0].how)
        self.preparation.edit(mapping, text("ui.prepare.undo.accept"))

    # --- showing ------------------------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Show which variables are mapped."""
        preparation = self.preparation
        self._model.show(preparation.found, preparation.mapping)
        counts = {standing: self._model.count(standing) for standing in Standing}
        value = self.filter.value
        self.filter.clear()
        self.filter.addItem(text("ui.prepare.all_variables", count=number(len(self._model.rows))), "")
        for standing in Standing:
            words = text(f"ui.prepare.only.{standing.value}", count=number(counts[standing]))
            self.filter.addItem(words, standing.value)
        self.filter.set_value(value if value in list(Standing) else "")
        waiting = counts[Standing.SUGGESTED]
        self.accept_button.setText(text("ui.prepare.accept_all", count=number(waiting)))
        self.accept_button.setVisible(waiting > 0)
        self._show_changes()
        if self._filtered.rowCount() and not self.list.currentIndex().isValid():
            first = self._filtered.index(0, 0)
            self.list.selectionModel().setCurrentIndex(first, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self.editor.show_variable(self.code)

    def _show_changes(self) -> None:
        changes = self.preparation.changes
        if changes is self._told:
            return
        self._told = changes
        if not changes:
            self.banners.show_only()
            return
        first = "\n".join(f"• {words}" for _, words in changes[:_CHANGES_SHOWN])
        more = len(changes) - _CHANGES_SHOWN
        rest = f"\n{text('ui.prepare.more_changes', count=more)}" if more > 0 else ""
        fact = text("ui.prepare.changed_since", count=len(changes))
        self.banners.show_only(Banner("info", fact, first + rest, closed=self.banners.show_only))

    def count(self) -> str:
        """How many variables are mapped."""
        return text("ui.prepare.count.mapped", count=number(len(self.preparation.mapping.get("variables", {}))))

    def obstacle(self) -> str:
        """Why one cannot go on yet."""
        if self.preparation.found is None or self.preparation.doing in ("map", "federation"):
            return text("ui.prepare.working")
        return "" if self.preparation.mapping.get("variables") else text("ui.prepare.map_first")

    def note(self) -> str:
        """What has nothing yet."""
        nothing = len(self._model.rows) - self._model.count(Standing.MAPPED)
        return text("ui.prepare.mapping.note", count=number(nothing)) if nothing else ""


def _named(key: str, words: str) -> str:
    return f"{text(key)}: {words}" if words else text(key)


class _Delegate(QStyledItemDelegate):
    """A variable: its label, where its values come from, and its standing as an icon."""

    def sizeHint(self, option: QStyleOptionViewItem, index: object) -> QSize:  # noqa: N802 - Qt's name
        look = theme()
        heights = (QFontMetrics(look.font(style)).height() for style in (Style.BODY, Style.CAPTION))
        return QSize(100, sum(heights) + 14)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: object) -> None:
        look, place = theme(), option.rect.adjusted(6, 1, -6, -1)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("accsoft" if selected else "hover"))
            painter.drawRoundedRect(QRectF(place), 6, 6)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(look.colour("accfill"))
            painter.drawRoundedRect(QRectF(place).adjusted(1, 1, -1, -1), 6, 6)
        name, token = _LOOK[index.data(Role.STANDING)]  # type: ignore[attr-defined]
        spot = QRectF(place.x() + 8, place.center().y() - 7, 15, 15)
        icons.paint(painter, name, spot, look.colour(token))
        words = place.adjusted(32, 5, -8, 0)
        height = _line(painter, words, str(index.data()), Style.BODY, "acc" if selected else "text")  # type: ignore[attr-defined]
        _line(painter, words.adjusted(0, height, 0, 0), str(index.data(Role.WHERE)), Style.CAPTION, "text2")  # type: ignore[attr-defined]
        painter.restore()


def _line(painter: QPainter, place: QRect, words: str, style: Style, ink: str) -> int:
    """Write one line, and return its height."""
    font = theme().font(style)
    metrics = QFontMetrics(font)
    painter.setFont(font)
    painter.setPen(theme().colour(ink))
    shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, place.width())
    painter.drawText(place.x(), place.y() + metrics.ascent(), shown)
    return metrics.height()
