"""The editors that open under a term: levels as a check list, a number as a range."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QLineEdit, QScrollArea, QWidget

from app.core.catalogue.model import Variable
from app.core.catalogue.numbers import decimal_text, read_decimal
from app.core.query.check import nearest
from app.core.query.model import Known, Levels, Range
from app.texts import preferred_language, text
from app.ui.locale import locale, number
from app.ui.models.catalogue import unit_of
from app.ui.models.criteria import Content
from app.ui.models.distribution import Distribution
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.views.explore.range_slider import RangeSlider, bounds_of, content_of
from app.ui.views.explore.wording import label, number_text
from app.ui.widgets.buttons import LINK, Button
from app.ui.widgets.feedback import announce
from app.ui.widgets.layout import Flow, column, row
from app.ui.widgets.text import Label

_FEW, _MANY = 3, 8
_HEIGHT = 220


class _Editor(QWidget):
    """An editor of one term."""

    edited = Signal(object, int)
    """What the term asks for now, and which run of changes that belongs to."""


class LevelsEditor(_Editor):
    """A check list; all levels together are any known value."""

    def __init__(self, variable: Variable, shown: Distribution | None) -> None:
        super().__init__()
        self._variable = variable
        counts = {} if shown is None else {bar.first: bar.count for bar in shown.bars}
        language = preferred_language()
        self.boxes: list[QCheckBox] = []
        for place, level in enumerate(variable.levels):
            words = level.label.text(language)
            if place in counts:
                words = text("ui.explore.level_count", level=words, count=number(counts[place]))
            box = QCheckBox(words.replace("&", "&&"))
            box.setAccessibleName(words)
            box.clicked.connect(self._changed)
            self.boxes.append(box)
        self._all = Button(text("ui.explore.every_level"), LINK, size="small", pressed=lambda: self._set(True))
        self._none = Button(text("ui.explore.none_level"), LINK, size="small", pressed=lambda: self._set(False))
        head = row(self._all, self._none, None, gap=4)
        caption = text("ui.explore.here") if counts else ""
        if caption:
            head.addWidget(Label(caption, Style.CAPTION, "text3"))
        self.setLayout(column(self._list(), head, gap=4))
        self._run = 0

    def _list(self) -> QWidget:
        inside = QWidget()
        set_role(inside, role="clear")
        if len(self.boxes) <= _FEW:
            flow = Flow(gap=4)
            for box in self.boxes:
                flow.addWidget(box)
            inside.setLayout(flow)
            return inside
        inside.setLayout(column(*self.boxes, gap=0))
        if len(self.boxes) <= _MANY:
            return inside
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(inside)
        area.setFixedHeight(_HEIGHT)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return area

    def first(self) -> QWidget:
        """Return what gets the focus."""
        return self.boxes[0]

    def show_content(self, content: Content) -> None:
        """Show what the term asks for."""
        if isinstance(content, Levels | Known):
            chosen = content.levels if isinstance(content, Levels) else {each.code for each in self._variable.levels}
            for box, level in zip(self.boxes, self._variable.levels, strict=True):
                box.setChecked(level.code in chosen)

    def _set(self, checked: bool) -> None:
        for box in self.boxes:
            box.setChecked(checked)
        self._changed()

    def _changed(self) -> None:
        self._run += 1
        levels = [each.code for box, each in zip(self.boxes, self._variable.levels, strict=True) if box.isChecked()]
        code = self._variable.code
        whole = len(levels) == len(self._variable.levels)
        self.edited.emit(Known(code) if whole else Levels(code, frozenset(levels)), self._run)


class RangeEditor(_Editor):
    """Two typed bounds over a slider on the own site's bins."""

    def __init__(self, variable: Variable, shown: Distribution | None) -> None:
        super().__init__()
        self._variable = variable
        self._cuts = variable.cut_points
        self._run = 0
        unit = unit_of(variable, preferred_language())
        self.low = _Bound(self, text("ui.explore.from_of", name=label(variable)), 0)
        self.high = _Bound(self, text("ui.explore.to_of", name=label(variable)), 1)
        self.slider = RangeSlider(self._cuts, unit, shown)
        self.slider.moved.connect(self._moved)
        self.slider.released.connect(self._released)
        self._wrong = Label("", Style.CAPTION, "dan", wrap=True)
        self._wrong.hide()
        flow = Flow(gap=6)
        for each in (
            Label(text("ui.explore.bounds_from"), ink="text2"),
            self.low,
            Label(text("ui.explore.bounds_to"), ink="text2"),
            self.high,
        ):
            flow.addWidget(each)
        if unit:
            flow.addWidget(Label(unit, ink="text2"))
        caption = text("ui.explore.here") if shown is not None else text("ui.explore.no_report")
        items: list[QWidget] = [Label(caption, Style.CAPTION, "text2", wrap=True), self.slider]
        self.setLayout(column(flow, self._wrong, *items, gap=4))

    def first(self) -> QWidget:
        """Return what gets the focus."""
        return self.low

    def show_content(self, content: Content) -> None:
        """Show what the term asks for."""
        if isinstance(content, Range | Known):
            self.slider.set_places(*bounds_of(content, self._cuts))
            self._show_bounds()

    def _show_bounds(self) -> None:
        for bound, place in ((self.low, self.slider.low), (self.high, self.slider.high)):
            words = number_text(self._cuts[place - 1]) if 1 <= place <= len(self._cuts) else ""
            if bound.text() != words:
                bound.setText(words)
            set_role(bound, wrong=False)
        self._wrong.hide()

    def _moved(self, low: int, high: int) -> None:
        self._show_bounds()
        self.edited.emit(content_of(self._variable.code, (low, high), self._cuts), self._run)

    def _released(self) -> None:
        self._run += 1

    def step(self, which: int, by: int) -> None:
        """Move a bound to the next cut point."""
        low, high = self.slider.low, self.slider.high
        last = len(self._cuts) + 1
        if which == 0:
            low = max(0, min(low + by, high - 1))
        else:
            high = max(low + 1, min(high + by, last))
        self._take(low, high)

    def typed(self, which: int, written: str) -> None:
        """Take over a bound that was typed, or say why it cannot be."""
        last = len(self._cuts) + 1
        if not written.strip():
            place: int | None = 0 if which == 0 else last
        else:
            value = read_decimal(written.strip().replace(locale().decimalPoint(), ".").replace("−", "-"))
            place = self._place_of(which, value)
        low, high = (place, self.slider.high) if which == 0 else (self.slider.low, place)
        if low is None or high is None:
            return
        if low >= high:
            self._refuse(which, text("ui.explore.bounds_order"))
            return
        self._take(low, high)

    def _place_of(self, which: int, value: Decimal | None) -> int | None:
        if value is None:
            self._refuse(which, text("ui.explore.not_a_number"))
            return None
        if value not in self._cuts:
            near = text("ui.explore.or").join(number_text(each) for each in nearest(value, self._variable))
            self._refuse(which, text("ui.explore.not_a_cut", found=number_text(value), near=near))
            return None
        return self._cuts.index(value) + 1

    def _take(self, low: int, high: int) -> None:
        changed = (low, high) != (self.slider.low, self.slider.high)
        self.slider.set_places(low, high)
        self._show_bounds()
        if changed:
            self._run += 1
            self.edited.emit(content_of(self._variable.code, (low, high), self._cuts), self._run)

    def _refuse(self, which: int, reason: str) -> None:
        bound = (self.low, self.high)[which]
        set_role(bound, wrong=True)
        self._wrong.setText(reason)
        self._wrong.show()
        announce(bound, reason)


class _Bound(QLineEdit):
    """A typed bound; arrow keys go to the next cut point, empty is no bound."""

    def __init__(self, editor: RangeEditor, name: str, which: int) -> None:
        super().__init__()
        self._editor, self._which = editor, which
        self.setAccessibleName(name)
        self.setPlaceholderText(text("ui.explore.any"))
        set_role(self, size="small")
        longest = max((len(decimal_text(cut)) for cut in editor._cuts), default=4)
        self.setFixedWidth(max(self.fontMetrics().horizontalAdvance("0" * max(longest, 5)) + 24, 64))
        self.editingFinished.connect(self._finished)

    def _finished(self) -> None:
        self._editor.typed(self._which, self.text())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._editor.step(self._which, 1 if event.key() == Qt.Key.Key_Up else -1)
            return
        super().keyPressEvent(event)


Editor: TypeAlias = LevelsEditor | RangeEditor


def editor_of(variable: Variable | None, shown: Distribution | None) -> Editor | None:
    """Return an editor for the terms of a variable; None if there is nothing to edit."""
    if variable is None:
        return None
    if variable.levels:
        return LevelsEditor(variable, shown)
    return RangeEditor(variable, shown) if variable.cut_points else None
