"""What all editors of terms share: the signal, a typed bound, and a range on a scale."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from app.texts import text
from app.ui.models.criteria import Content
from app.ui.models.distribution import Distribution
from app.ui.models.scales import Scale, Unreadable
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.views.explore.range_slider import RangeSlider
from app.ui.widgets.feedback import announce
from app.ui.widgets.layout import Flow, column
from app.ui.widgets.text import Label


class Editor(QWidget):
    """An editor of one term."""

    edited = Signal(object, int)
    """What the term asks for now, and which run of changes that belongs to."""

    def first(self) -> QWidget:
        """Return what gets the focus."""
        raise NotImplementedError

    def show_content(self, content: Content) -> None:
        """Show what the term asks for."""
        raise NotImplementedError


class Bound(QLineEdit):
    """A typed bound; arrow keys step, empty is no bound. ``done`` gets what was typed, ``step`` 1 or −1."""

    def __init__(
        self, name: str, done: Callable[[str], object], step: Callable[[int], object] | None = None, *, longest: int = 5
    ) -> None:
        super().__init__()
        self._step = step
        self.setAccessibleName(name)
        self.setPlaceholderText(text("ui.explore.any"))
        set_role(self, measure="small")
        self.setFixedWidth(self.fontMetrics().horizontalAdvance("0" * max(longest, 5)) + 28)
        self.editingFinished.connect(lambda: done(self.text()))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if self._step is not None and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._step(1 if event.key() == Qt.Key.Key_Up else -1)
            return
        super().keyPressEvent(event)


class Mistake(Label):
    """The line that says what is wrong with a bound; hidden while nothing is."""

    def __init__(self) -> None:
        super().__init__("", Style.CAPTION, "dan", wrap=True)
        self.hide()

    def say(self, bound: QLineEdit, reason: str) -> None:
        """Say what is wrong with ``bound``."""
        set_role(bound, wrong=True)
        self.setText(reason)
        self.show()
        announce(bound, reason)

    def take_back(self, *bounds: QLineEdit) -> None:
        """Nothing is wrong any more."""
        for bound in bounds:
            set_role(bound, wrong=False)
        self.hide()


class ScaleEditor(Editor):
    """Two typed bounds over a slider, on a scale, with the own site's bars where there are some."""

    def __init__(self, scale: Scale, name: str, shown: Distribution | None) -> None:
        super().__init__()
        self.scale = scale
        self._run = 0
        longest = max((len(scale.text(place)) for place in (1, scale.count) if place), default=5)
        self.low = Bound(
            text("ui.explore.from_of", name=name), lambda typed: self.typed(0, typed), lambda by: self.step(0, by),
            longest=longest,
        )  # fmt: skip
        self.high = Bound(
            text("ui.explore.to_of", name=name), lambda typed: self.typed(1, typed), lambda by: self.step(1, by),
            longest=longest,
        )  # fmt: skip
        self.slider = RangeSlider(scale, shown)
        self.slider.moved.connect(self._moved)
        self.slider.released.connect(self._released)
        self._wrong = Mistake()
        self.flow = Flow(gap=6)
        for each in (
            Label(text("ui.explore.bounds_from"), ink="text2"),
            self.low,
            Label(text("ui.explore.bounds_to"), ink="text2"),
            self.high,
        ):
            self.flow.addWidget(each)
        caption = text("ui.explore.here") if shown is not None and shown.bars else text("ui.explore.no_report")
        self.range = QWidget()
        set_role(self.range, role="clear")
        self.range.setLayout(
            column(self.flow, self._wrong, Label(caption, Style.CAPTION, "text2", wrap=True), self.slider, gap=4)
        )

    def first(self) -> QWidget:
        """Return what gets the focus."""
        return self.low

    def show_content(self, content: Content) -> None:
        """Show what the term asks for."""
        self.slider.set_places(*self.scale.places(content))
        self._show_bounds()

    def set_scale(self, scale: Scale) -> None:
        """Show the same places in another unit."""
        self.scale = scale
        self.slider.set_scale(scale)
        self._show_bounds()

    def _show_bounds(self) -> None:
        for bound, place in ((self.low, self.slider.low), (self.high, self.slider.high)):
            words = self.scale.text(place) if 1 <= place <= self.scale.count else ""
            if bound.text() != words:
                bound.setText(words)
        self._wrong.take_back(self.low, self.high)

    def _moved(self, low: int, high: int) -> None:
        self._show_bounds()
        self.edited.emit(self.scale.content(low, high), self._run)

    def _released(self) -> None:
        self._run += 1

    def step(self, which: int, by: int) -> None:
        """Move a bound to the next border."""
        low, high = self.slider.low, self.slider.high
        if which == 0:
            low = max(0, min(low + by, high - 1))
        else:
            high = max(low + 1, min(high + by, self.scale.last))
        self.take(low, high)

    def typed(self, which: int, written: str) -> None:
        """Take over a bound that was typed, or say why it cannot be."""
        bound = (self.low, self.high)[which]
        try:
            place = self.scale.read(written) if written.strip() else (0, self.scale.last)[which]
        except Unreadable as refused:
            self._wrong.say(bound, str(refused))
            return
        low, high = (place, self.slider.high) if which == 0 else (self.slider.low, place)
        if low >= high:
            self._wrong.say(bound, text("ui.explore.bounds_order"))
            return
        self.take(low, high)

    def take(self, low: int, high: int) -> None:
        """Ask for what is between these places."""
        changed = (low, high) != (self.slider.low, self.slider.high)
        self.slider.set_places(low, high)
        self._show_bounds()
        if changed:
            self._run += 1
            self.edited.emit(self.scale.content(low, high), self._run)
