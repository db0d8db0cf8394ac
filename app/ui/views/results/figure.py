"""A figure on the screen: redrawn when its size or the theme changes, and read with the pointer or the arrow keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from PySide6.QtCore import QEvent, QPoint, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QGuiApplication,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget
from shiboken6 import isValid

from app.plots.options import Options, Shown, Spot
from app.texts import text
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.views.results import drawing
from app.ui.views.results.drawing import Drawing, Wish
from app.ui.widgets.feedback import announce
from app.ui.widgets.text import tip

_REST_MS = 40
_COPY_RATIO, _COPY_SIZE = 2.0, (640, 400)
_LEAST_SPOT = 9.0
_LEAST, _MOST_STRETCH = 200, 1.25
_STEPS = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1}
_ENDS = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: -1}
_SIDEWAYS = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}


class FigurePlace(QWidget):
    """Shows a figure as soon as it is seen. The arrow keys go through its spots, Escape leaves them."""

    at_once: ClassVar[bool] = False
    """Whether figures are drawn in the window's thread, for whoever cannot wait: tests, and the gallery."""
    changed = Signal()
    """There is another picture."""
    read = Signal(str)
    """The pointer or the keyboard has come to what says this; "" for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.drawing: Drawing | None = None
        self.spot = -1
        """Which spot is read; -1 for none."""
        self._panels: tuple[Shown, ...] = ()
        self._options = Options()
        self._wish: Wish | None = None
        self._failed = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(_LEAST)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self._timer = QTimer(self, singleShot=True, interval=_REST_MS)
        self._timer.timeout.connect(self._draw)
        theme().changed.connect(self._draw)

    @property
    def picture(self) -> QImage | None:
        """What is shown."""
        return None if self.drawing is None else self.drawing.image

    def show_panels(self, panels: Sequence[Shown], options: Options, meaning: str) -> None:
        """Show these beside each other; ``meaning`` says in words what they are about."""
        self.setAccessibleName(meaning)
        if tuple(panels) != self._panels:
            self._go(-1)
        self._panels, self._options = tuple(panels), options
        if not panels:
            self.drawing = self._wish = None
            self.update()
        self._draw()

    def copy(self, done: Callable[[], object]) -> None:
        """Put the figure into the clipboard as one pastes it into a document: light, and finer than the screen."""
        if self._panels:
            wish = Wish(self._panels, self._options, False, _COPY_SIZE, _COPY_RATIO)
            self._ask(wish, lambda found: self._put(found, done))

    # --- drawing ------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Have it drawn as it must be now, unless that is what is there."""
        if not self._panels or not self.isVisible() or self.width() < 2:
            return
        size = (self.width(), self.height())
        wish = Wish(self._panels, self._options, theme().dark, size, self.devicePixelRatioF())
        if wish != self._wish:
            self._wish = wish
            self._ask(wish, lambda found: self._take(wish, found))

    def _ask(self, wish: Wish, then: Callable[[Drawing | None], None]) -> None:
        if self.at_once:
            then(wish.draw())
            return
        drawing.ask(wish, lambda found: then(found) if isValid(self) else None)

    def _take(self, wish: Wish, found: Drawing | None) -> None:
        if wish != self._wish:
            return
        self.drawing, self._failed = found, found is None
        if found is not None:
            self.setMinimumHeight(max(found.natural, _LEAST))
            self.setMaximumHeight(max(round(found.natural * _MOST_STRETCH), _LEAST))
        if self.spot >= len(self.spots):
            self._go(-1)
        self.update()
        self.changed.emit()

    def _put(self, found: Drawing | None, done: Callable[[], object]) -> None:
        if found is not None:
            QGuiApplication.clipboard().setImage(found.image)
            done()

    # --- reading ------------------------------------------------------------------------------------------------

    @property
    def spots(self) -> tuple[Spot, ...]:
        """The parts of the figure that say what they show, in the order of reading."""
        return () if self.drawing is None else self.drawing.spots

    def spot_at(self, x: float, y: float) -> int:
        """Return which spot is at a place in pixels, -1 for none; where they overlap, the later one."""
        for place in reversed(range(len(self.spots))):
            if self._place(self.spots[place]).contains(x, y):
                return place
        return -1

    def _place(self, spot: Spot) -> QRectF:
        """Return where a spot is, in pixels; never too small to be pointed at."""
        width, height = self.width(), self.height()
        found = QRectF(spot.left * width, spot.top * height, spot.width * width, spot.height * height)
        across, down = (max(_LEAST_SPOT - each, 0.0) / 2 for each in (found.width(), found.height()))
        return found.adjusted(-across, -down, across, down)

    def _go(self, place: int) -> None:
        if place == self.spot:
            return
        self.spot = place
        words = self.spots[place].words if place >= 0 else ""
        self.setAccessibleDescription(words)
        self.read.emit(words)
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        key, last = Qt.Key(event.key()), len(self.spots) - 1
        if key is Qt.Key.Key_Escape and self.spot >= 0:
            self._go(-1)
        elif last < 0 or key not in {*_STEPS, *_ENDS, *_SIDEWAYS}:
            super().keyPressEvent(event)
            return
        elif key in _ENDS:
            self._go(0 if key is Qt.Key.Key_Home else last)
        elif self.spot < 0:
            self._go(0)
        elif key in _STEPS:
            self._go(min(max(self.spot + _STEPS[key], 0), last))
        else:
            self._go(self._beyond(_SIDEWAYS[key]))
        if self.spot >= 0:
            announce(self, self.spots[self.spot].words)

    def _beyond(self, direction: int) -> int:
        """Return the nearest spot above (-1) or below (1) the present one, as straight as possible."""
        here = self._place(self.spots[self.spot]).center()
        found, least = self.spot, float("inf")
        for place, spot in enumerate(self.spots):
            there = self._place(spot).center()
            far = (there.y() - here.y()) * direction
            if far > 1 and (away := far + 4 * abs(there.x() - here.x())) < least:
                found, least = place, away
        return found

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        place = self.spot_at(event.position().x(), event.position().y())
        self._go(place)
        if place >= 0:
            QToolTip.showText(event.globalPosition().toPoint() + QPoint(8, 8), tip(self.spots[place].words), self)
        else:
            QToolTip.hideText()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        super().leaveEvent(event)
        if not self.hasFocus():
            self._go(-1)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        super().focusOutEvent(event)
        self._go(-1)
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        super().focusInEvent(event)
        self.update()

    # --- showing ------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        super().showEvent(event)
        if self.at_once:
            self._draw()
        self._timer.start()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        if self.at_once:
            self._draw()
        self._timer.start()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        super().changeEvent(event)
        if event.type() is QEvent.Type.DevicePixelRatioChange:
            self._timer.start()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        if self.drawing is not None:  # of the size before, until the right one comes
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(self.rect()), self.drawing.image)
        else:
            painter.setPen(theme().colour("text2"))
            painter.setFont(theme().font(Style.SMALL))
            words = text("ui.results.no_figure") if self._failed else text("ui.results.drawing")
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, words)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if 0 <= self.spot < len(self.spots):
            painter.setPen(QPen(theme().colour("text"), 1.5))
            painter.drawRoundedRect(self._place(self.spots[self.spot]).adjusted(-2, -2, 2, 2), 4, 4)
        if self.hasFocus():
            painter.setPen(QPen(theme().colour("accfill"), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)
