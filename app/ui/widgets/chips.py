"""Small signs of state: chips, meters, rings. State is icon and word and colour, never colour alone."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui import icons
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.widgets.text import tip

TONES = {
    "plain": ("sunken", "text2"),
    "accent": ("accsoft", "acc"),
    "positive": ("possoft", "pos"),
    "caution": ("causoft", "cau"),
    "danger": ("dansoft", "dan"),
}


class Chip(QWidget):
    """An icon and a word on a soft colour; ``tone`` is one of :data:`TONES`."""

    def __init__(self, text: str, tone: str = "plain", icon_name: str = "", *, code: bool = False) -> None:
        super().__init__()
        self._text, self._tone, self._icon = text, tone, icon_name
        self._font = theme().font(Style.CODE if code else Style.CAPTION)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(text)
        theme().changed.connect(self.update)

    def set(self, text: str, tone: str, icon_name: str = "") -> None:
        """Change what it says."""
        self._text, self._tone, self._icon = text, tone, icon_name
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    @property
    def text(self) -> str:
        """The word."""
        return self._text

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        metrics = QFontMetrics(self._font)
        return QSize(
            metrics.horizontalAdvance(self._text) + 14 + (16 if self._icon else 0), max(20, metrics.height() + 4)
        )

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(min(self.sizeHint().width(), 40), self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        look, (fill, ink) = theme(), TONES[self._tone]
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.colour(fill))
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        x = 7
        if self._icon:
            icons.paint(painter, self._icon, QRectF(x, (self.height() - 12) / 2, 12, 12), look.colour(ink))
            x += 16
        painter.setPen(look.colour(ink))
        painter.setFont(self._font)
        room = self.rect().adjusted(x, 0, -6, 0)
        shown = QFontMetrics(self._font).elidedText(self._text, Qt.TextElideMode.ElideRight, room.width() + 2)
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


class Meter(QWidget):
    """A bar of parts, each a share of 1 in a colour token."""

    def __init__(self, height: int = 6) -> None:
        super().__init__()
        self._parts: list[tuple[float, str]] = []
        self.setFixedHeight(height)
        theme().changed.connect(self.update)

    def set_parts(self, parts: list[tuple[float, str]], meaning: str) -> None:
        """Show ``parts``; ``meaning`` says in words what they show."""
        self._parts = parts
        self.setAccessibleName(meaning)
        self.setToolTip(tip(meaning))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.colour("hair2"))
        whole = QRectF(self.rect())
        painter.drawRoundedRect(whole, whole.height() / 2, whole.height() / 2)
        x = 0.0
        for share, token in self._parts:
            width = whole.width() * max(0.0, min(share, 1.0))
            painter.setBrush(look.colour(token))
            painter.drawRoundedRect(QRectF(x, 0, width, whole.height()), whole.height() / 2, whole.height() / 2)
            x += width


class Ring(QWidget):
    """A ring that shows how far something is, or an icon inside a full one."""

    def __init__(self, size: int = 44) -> None:
        super().__init__()
        self._fraction, self._token, self._icon, self._words = 0.0, "accfill", "", ""
        self.setFixedSize(size, size)
        theme().changed.connect(self.update)

    def show_progress(self, fraction: float, words: str) -> None:
        """Show a fraction of 1, in percent."""
        self._fraction, self._token, self._icon, self._words = fraction, "accfill", "", f"{fraction:.0%}"
        self._say(words)

    def show_icon(self, icon_name: str, token: str, words: str) -> None:
        """Show a full ring of a colour token around an icon."""
        self._fraction, self._token, self._icon, self._words = 1.0, token, icon_name, ""
        self._say(words)

    def _say(self, words: str) -> None:
        self.setAccessibleName(words)
        self.setToolTip(tip(words))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inside = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        painter.setPen(QPen(look.colour("hair2"), 3))
        painter.drawEllipse(inside)
        pen = QPen(look.colour(self._token), 3)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.drawArc(inside, 90 * 16, -round(360 * 16 * self._fraction))
        if self._icon:
            side = self.width() * 0.45
            place = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
            icons.paint(painter, self._icon, place, look.colour(self._token))
        else:
            painter.setPen(look.colour("acc"))
            painter.setFont(look.font(Style.CAPTION))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._words)
