"""The three pictures of the first start, painted in the colours of the theme."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.theme import theme

JOIN, START, TRY = "join", "start", "try"
_WIDTH, _HEIGHT = 150.0, 92.0


class Drawing(QWidget):
    """One of the pictures on its field; it says nothing that the words beside it do not say."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(240, round(_HEIGHT))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.colour("accsoft" if self._name == TRY else "window"))
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        painter.translate((self.width() - _WIDTH) / 2, (self.height() - _HEIGHT) / 2)
        _DRAWINGS[self._name](painter)


def _pen(token: str, width: float = 2.0, *, dashed: bool = False) -> QPen:
    pen = QPen(theme().colour(token), width)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    if dashed:
        pen.setDashPattern([2.0, 2.2])
    return pen


def _site(painter: QPainter, x: float, y: float, radius: float = 9.0, *, field: str = "raised") -> None:
    painter.setPen(_pen("acc"))
    painter.setBrush(theme().colour(field))
    painter.drawEllipse(QPointF(x, y), radius, radius)


def _lines(painter: QPainter, pen: QPen, *ends: tuple[float, float, float, float]) -> None:
    painter.setPen(pen)
    for x, y, to_x, to_y in ends:
        painter.drawLine(QPointF(x, y), QPointF(to_x, to_y))


def _join(painter: QPainter) -> None:
    """One more comes to three that know each other."""
    _lines(painter, _pen("acc"), (105, 24, 75, 66), (105, 24, 135, 66), (75, 66, 135, 66))
    for x, y in ((105, 24), (75, 66), (135, 66)):
        _site(painter, x, y)
    _lines(painter, _pen("acc", dashed=True), (30, 46, 62, 46))
    _lines(painter, _pen("acc"), (60, 40, 66, 46), (60, 52, 66, 46))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().colour("accfill"))
    painter.drawEllipse(QPointF(15, 46), 10, 10)


def _start(painter: QPainter) -> None:
    """One begins; the others are still to come."""
    _lines(painter, _pen("hair2", dashed=True), (75, 44, 27, 24), (75, 44, 123, 24), (75, 44, 75, 75))
    painter.setBrush(theme().colour("window"))
    painter.setPen(_pen("ctl", dashed=True))
    for x, y in ((27, 24), (123, 24), (75, 75)):
        painter.drawEllipse(QPointF(x, y), 9, 9)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().colour("accfill"))
    painter.drawEllipse(QPointF(75, 44), 14, 14)
    _lines(painter, _pen("onacc"), (69, 44, 81, 44), (75, 38, 75, 50))


def _try(painter: QPainter) -> None:
    """Three of them on one screen, and what they answer."""
    painter.setPen(_pen("acc"))
    painter.setBrush(theme().colour("raised"))
    painter.drawRoundedRect(QRectF(5, 8, 140, 76), 7, 7)
    _lines(painter, _pen("accline"), (33, 32, 85, 32), (33, 32, 59, 60), (85, 32, 59, 60))
    for x, y in ((33, 32), (85, 32), (59, 60)):
        _site(painter, x, y)
    painter.setPen(Qt.PenStyle.NoPen)
    for x, height, token in ((106, 18, "accline"), (115, 28, "accfill"), (124, 13, "accline")):
        painter.setBrush(theme().colour(token))
        painter.drawRoundedRect(QRectF(x, 62 - height, 6, height), 1, 1)


_DRAWINGS: dict[str, Callable[[QPainter], None]] = {JOIN: _join, START: _start, TRY: _try}
