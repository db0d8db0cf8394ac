"""Icons: our own stroke drawings (``resources/icons``, a 24 grid), tinted with the colour of the text beside them."""

from __future__ import annotations

import hashlib
import tempfile
from functools import cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from app.core.paths import resource
from app.ui.theme import theme

_INK = "#000000"


@cache
def _drawing(name: str) -> str:
    return resource("icons", f"{name}.svg").read_text("utf-8")


@cache
def _renderer(name: str, colour: str) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(_drawing(name).replace(_INK, colour).encode()))


class _Engine(QIconEngine):
    """Draws an icon in a token's colour of the moment, sharp at every scale."""

    def __init__(self, name: str, token: str) -> None:
        super().__init__()
        self._name, self._token = name, token

    def paint(self, painter: QPainter, rect: object, mode: QIcon.Mode, state: QIcon.State) -> None:
        off = mode is QIcon.Mode.Disabled  # then what it lies on has lost its colour too
        colour = theme().colours["text3" if off else self._token]
        if off:
            painter.setOpacity(0.6)
        _renderer(self._name, colour).render(painter, QRectF(rect))  # type: ignore[call-overload]

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:  # noqa: N802
        picture = QPixmap(size)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        self.paint(painter, QRectF(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return picture

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._token)


def icon(name: str, token: str = "text2") -> QIcon:
    """Return the icon ``name`` (a file of ``resources/icons``) tinted with a colour token; it follows the theme."""
    _drawing(name)  # a missing one is found where it is asked for
    return QIcon(_Engine(name, token))


def paint(painter: QPainter, name: str, rect: QRectF, colour: QColor | str) -> None:
    """Draw an icon where a widget paints itself."""
    _renderer(name, QColor(colour).name()).render(painter, rect)


def pixmap(name: str, size: int, token: str = "text2", ratio: float = 1.0) -> QPixmap:
    """Return an icon of ``size`` logical pixels as a picture for a screen of this pixel ratio."""
    picture = QPixmap(round(size * ratio), round(size * ratio))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    paint(painter, name, QRectF(0, 0, size * ratio, size * ratio), theme().colours[token])
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="consilium-icons-")


@cache
def tinted_file(name: str, colour: str) -> str:
    """Return the path of a file with the icon in ``colour``, for style sheets."""
    drawing = _drawing(name).replace(_INK, colour)
    path = Path(_folder().name) / f"{name}-{hashlib.sha256(drawing.encode()).hexdigest()[:12]}.svg"
    path.write_text(drawing, "utf-8")
    return path.as_posix()
