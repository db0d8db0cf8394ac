"""The places between the cards and after them: what is dropped there becomes a card of its own."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy

from app.texts import text
from app.ui import icons
from app.ui.models.board import Board
from app.ui.models.criteria import Between
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.views.explore.dragging import NO, REFUSED, TARGET, DropPlace
from app.ui.widgets.text import tip

_GAP, _PILL, EDGE = 28, 18, 12


class Gap(DropPlace):
    """The place between two cards: "and" on a line; what is dropped here becomes a card of its own."""

    def __init__(self, board: Board, index: int) -> None:
        super().__init__(board, lambda: Between(index))
        self._index = index
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(100, _GAP if self._index else EDGE)

    def show_drag(self) -> None:
        self.setToolTip(tip(self.drag_reason))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = look.font(Style.CAPTION)
        painter.setFont(font)
        middle = self.height() / 2
        words = text("ui.explore.and")
        if self.drag_state != NO:
            colour = look.colour("accfill" if self.drag_state == TARGET else "dan")
            painter.setPen(QPen(colour, 2))
            painter.drawLine(0, round(middle), self.width(), round(middle))
            words = self.drag_reason or words
        elif not self._index:
            return
        else:
            painter.setPen(QPen(look.colour("hair2"), 1))
            painter.drawLine(34, 0, 34, self.height())
        wide = max(QFontMetrics(font).horizontalAdvance(words) + 18, 41)
        pill = QRectF(14, middle - _PILL / 2, wide, _PILL)
        painter.setBrush(look.colour("raised" if self.drag_state != NO else "window"))
        painter.drawRoundedRect(pill, _PILL / 2, _PILL / 2)
        ink = "text2" if self.drag_state == NO else "acc" if self.drag_state == TARGET else "dan"
        painter.setPen(look.colour(ink))
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, words)


class EmptyPlace(DropPlace):
    """The empty place below the cards. Enter or a click goes to the catalogue to choose a variable for a new card."""

    def __init__(self, board: Board, wish: Callable[[], object]) -> None:
        super().__init__(board, lambda: Between(len(board.criteria.cards)))
        self._wish = wish
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(text("ui.explore.drop_here"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(200, 44 if self.board.criteria.cards else 120)

    def update(self) -> None:  # type: ignore[override]  # its height depends on whether there are cards
        self.updateGeometry()
        super().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._wish()
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._wish()

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            super().update()
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = {NO: "accfill" if self.hasFocus() else "ctl", TARGET: "accfill", REFUSED: "dan"}[self.drag_state]
        pen = QPen(look.colour(line), 2 if self.hasFocus() or self.drag_state != NO else 1)
        pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.setBrush(look.colour("accsoft") if self.drag_state == TARGET else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 8, 8)
        words = self.drag_reason or text("ui.explore.drop_here")
        ink = "dan" if self.drag_state == REFUSED else "text2"
        painter.setPen(look.colour(ink))
        font = look.font(Style.BODY)
        painter.setFont(font)
        room = self.rect().adjusted(36, 4, -12, -4)
        flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
        box = painter.boundingRect(room, flags, words)
        painter.drawText(room, flags, words)
        icons.paint(painter, "plus", QRectF(box.left() - 24, box.center().y() - 8, 16, 16), look.colour(ink))
