"""The steps at the left: which are done, where one is, and what came of each."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QVBoxLayout, QWidget

from app.texts import text
from app.ui import icons
from app.ui.theme import theme
from app.ui.tokens import Style

_BADGE, _PAD = 22, 10


class StepItem(QAbstractButton):
    """A step: its number or a tick, its name, and a count at the right."""

    def __init__(self, number: int, title: str) -> None:
        super().__init__()
        self._number, self._title = number, title
        self._done, self._count, self._ring = False, "", False
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme().changed.connect(self.update)

    def show_state(self, *, done: bool, reachable: bool, count: str) -> None:
        """Show whether it is done, whether one can go there, and what came of it."""
        self._done, self._count = done, count
        self.setEnabled(reachable)
        state = text("ui.step.done") if done else ""
        self.setAccessibleName(", ".join(filter(None, (f"{self._number}. {self._title}", state, count))))
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        look = theme()
        words = QFontMetrics(look.font(Style.STRONG)).horizontalAdvance(self._title)
        count = QFontMetrics(look.font(Style.CAPTION)).horizontalAdvance(self._count)
        return QSize(_PAD + _BADGE + 12 + words + 10 + count + _PAD, max(44, QFontMetrics(look.font()).height() + 20))

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        self._ring = event.reason() not in (Qt.FocusReason.MouseFocusReason, Qt.FocusReason.OtherFocusReason)
        super().focusInEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inside, here = QRectF(self.rect()).adjusted(1, 1, -1, -1), self.isChecked()
        if here or (self.underMouse() and self.isEnabled()):
            painter.setPen(QPen(look.colour("hair"), 1) if here else Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("raised" if here else "hover"))
            painter.drawRoundedRect(inside, 8, 8)
        badge = QRectF(_PAD, (self.height() - _BADGE) / 2, _BADGE, _BADGE)
        self._paint_badge(painter, badge, here=here)
        ink = "acc" if here else "text" if self.isEnabled() else "text2"
        font = look.font(Style.STRONG if here else Style.BODY)
        count_font = look.font(Style.CAPTION)
        room = self.width() - badge.right() - 12 - _PAD
        count = QFontMetrics(count_font).horizontalAdvance(self._count)
        words = QRectF(badge.right() + 12, 0, room, self.height())
        _write(painter, words, self._title, font, ink)
        if self._count and QFontMetrics(font).horizontalAdvance(self._title) + 8 + count <= room:
            _write(painter, words, self._count, count_font, "text2", right=True)
        if self._ring and self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.colour("accfill"), 2))
            painter.drawRoundedRect(inside, 8, 8)

    def _paint_badge(self, painter: QPainter, badge: QRectF, *, here: bool) -> None:
        look = theme()
        done = self._done and not here
        painter.setPen(Qt.PenStyle.NoPen if here or done else QPen(look.colour("ctl"), 1.2))
        painter.setBrush(look.colour("accfill" if here else "possoft") if here or done else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(badge)
        if done:
            icons.paint(painter, "check", badge.adjusted(4, 4, -4, -4), look.colour("pos"))
            return
        font = look.font(Style.CAPTION)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(look.colour("onacc" if here else "text2"))
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, str(self._number))


def _write(painter: QPainter, place: QRectF, words: str, font: QFont, ink: str, *, right: bool = False) -> None:
    painter.setFont(font)
    painter.setPen(theme().colour(ink))
    side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    shown = QFontMetrics(font).elidedText(words, Qt.TextElideMode.ElideRight, int(place.width()) + 1)
    painter.drawText(place, side | Qt.AlignmentFlag.AlignVCenter, shown)


class StepList(QWidget):
    """The steps; the arrow keys move between those that one can go to."""

    chosen = Signal(int)

    def __init__(self, titles: list[str]) -> None:
        super().__init__()
        self.items = [StepItem(number, title) for number, title in enumerate(titles, start=1)]
        group = QButtonGroup(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for place, item in enumerate(self.items):
            group.addButton(item, place)
            layout.addWidget(item)
        group.idClicked.connect(self.chosen)
        self.setAccessibleName(text("ui.prepare.steps"))

    def select(self, place: int) -> None:
        """Show where one is."""
        self.items[place].setChecked(True)
