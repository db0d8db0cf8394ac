"""A range between borders: bars of the own site's patients over a track with two handles that take the keyboard."""

from __future__ import annotations

from math import ceil

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.texts import text
from app.ui.models.distribution import Distribution
from app.ui.models.scales import Scale
from app.ui.theme import theme
from app.ui.tokens import Style

_BARS, _TRACK, _TARGET, _HANDLE = 40, 4, 24, 15


class RangeSlider(QWidget):
    """The bars, the track and the handles. Places are those of the scale."""

    moved = Signal(int, int)
    """Both places, while and after they are moved."""
    released = Signal()
    """The mouse or a key has let go."""

    def __init__(self, scale: Scale, shown: Distribution | None) -> None:
        super().__init__()
        self.scale, self._shown = scale, shown
        self.low, self.high = 0, scale.last
        self._handles = (_Handle(self, text("ui.explore.from")), _Handle(self, text("ui.explore.to")))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)
        self._tell()

    def set_scale(self, scale: Scale) -> None:
        """Say the same places in another unit."""
        self.scale = scale
        self._tell()
        self.update()

    def set_places(self, low: int, high: int) -> None:
        """Show these places."""
        self.low, self.high = low, high
        self._tell()
        self._arrange()
        self.update()

    def move_handle(self, handle: _Handle, place: int) -> None:
        """Move a handle as far as the other one allows."""
        last = self.scale.last
        if handle is self._handles[0]:
            place = max(0, min(place, self.high - 1))
            low, high = (place, self.high)
        else:
            place = max(self.low + 1, min(place, last))
            low, high = (self.low, place)
        if (low, high) != (self.low, self.high):
            self.set_places(low, high)
            self.moved.emit(low, high)

    def place_of(self, handle: _Handle) -> int:
        """Return where a handle is."""
        return self.low if handle is self._handles[0] else self.high

    def place_at(self, x: float) -> int:
        """Return the place nearest to a horizontal position."""
        left, width = self._span()
        return round((x - left) / max(width, 1) * self.scale.last)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        bars = _BARS if self._shown is not None else 0
        return QSize(320, bars + _TARGET + QFontMetrics(theme().font(Style.CAPTION)).height() + 4)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(160, self.sizeHint().height())

    def _span(self) -> tuple[float, float]:
        return _TARGET / 2, self.width() - _TARGET

    def _x(self, place: float) -> float:
        left, width = self._span()
        return left + width * place / self.scale.last

    def _track_y(self) -> float:
        return (_BARS if self._shown is not None else 0) + _TARGET / 2

    def _arrange(self) -> None:
        for handle in self._handles:
            handle.move(round(self._x(self.place_of(handle)) - _TARGET / 2), round(self._track_y() - _TARGET / 2))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        self._arrange()

    def _tell(self) -> None:
        for handle in self._handles:
            handle.setAccessibleDescription(self.scale.words(self.place_of(handle)))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if self._shown is not None:
            self._paint_bars(painter, self._shown)
        y, (left, width) = self._track_y(), self._span()
        painter.setBrush(look.colour("hair2"))
        painter.drawRoundedRect(QRectF(left, y - _TRACK / 2, width, _TRACK), 2, 2)
        painter.setBrush(look.colour("accfill"))
        x = self._x(self.low)
        painter.drawRoundedRect(QRectF(x, y - _TRACK / 2, self._x(self.high) - x, _TRACK), 2, 2)
        self._paint_labels(painter, y + _TARGET / 2)

    def _paint_bars(self, painter: QPainter, shown: Distribution) -> None:
        """Paint a bar for each range; a merged bin is one wide bar, as high as its ranges are on average."""
        look = theme()
        heights = [bar.count / (bar.end - bar.first) for bar in shown.bars]
        most = max(heights, default=0) or 1
        for bar, height in zip(shown.bars, heights, strict=True):
            for first, end, inside in _split(bar.first, bar.end, self.low, self.high):
                tall = max(1.0, (_BARS - 2) * height / most)
                x, right = self._x(first), self._x(end)
                painter.setBrush(look.plot_colours[0] if inside else look.colour("bar"))
                painter.drawRect(QRectF(x + 0.75, _BARS - tall, right - x - 1.5, tall))

    def _paint_labels(self, painter: QPainter, top: float) -> None:
        look, font = theme(), theme().font(Style.CAPTION)
        metrics = QFontMetrics(font)
        painter.setFont(font)
        painter.setPen(look.colour("text3"))
        count = self.scale.count
        if not count:
            return
        widest = max(metrics.horizontalAdvance(self.scale.text(place)) for place in (1, count))
        every = max(1, ceil((widest + 10) / max(self._x(1) - self._x(0), 1)))
        for place in self.scale.ticks(every):
            words = self.scale.text(place)
            wide = metrics.horizontalAdvance(words)
            x = max(0.0, min(self._x(place) - wide / 2, self.width() - wide))
            painter.drawText(QPointF(x, top + metrics.ascent() + 2), words)


def _split(first: int, end: int, low: int, high: int) -> list[tuple[int, int, bool]]:
    """Return a bar in the parts that are selected and those that are not."""
    edges = sorted({first, end, *(each for each in (low, high) if first < each < end)})
    return [(a, b, low <= a and b <= high) for a, b in zip(edges, edges[1:], strict=False)]


class _Handle(QWidget):
    """One of the two handles: a circle in a target that is large enough for a finger."""

    def __init__(self, slider: RangeSlider, name: str) -> None:
        super().__init__(slider)
        self._slider = slider
        self.setFixedSize(_TARGET, _TARGET)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setAccessibleName(name)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        last = self._slider.scale.last
        now = self._slider.place_of(self)
        step = {
            Qt.Key.Key_Left: now - 1,
            Qt.Key.Key_Down: now - 1,
            Qt.Key.Key_Right: now + 1,
            Qt.Key.Key_Up: now + 1,
            Qt.Key.Key_PageDown: now - 5,
            Qt.Key.Key_PageUp: now + 5,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        self._slider.move_handle(self, step)
        self._slider.released.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.raise_()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        x = self.mapToParent(event.position().toPoint()).x()
        self._slider.move_handle(self, self._slider.place_at(x))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._slider.released.emit()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        centre = QRectF(self.rect()).center()
        if self.hasFocus():
            painter.setPen(QPen(look.colour("accfill"), 2))
            painter.setBrush(look.colour("accsoft"))
            painter.drawEllipse(centre, _TARGET / 2 - 1, _TARGET / 2 - 1)
        painter.setPen(QPen(look.colour("accfill"), 2))
        painter.setBrush(look.colour("raised"))
        painter.drawEllipse(centre, _HANDLE / 2, _HANDLE / 2)
