"""Links in time between rows: the handle that draws one, and the lines that show them beside the cards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetrics, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QWidget

from app.ui.models.board import Board
from app.ui.models.criteria import Term
from app.ui.models.links import BEFORE, WITHIN, links_of
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.views.explore import wording
from app.ui.views.explore.dragging import Grip, drag_part
from app.ui.widgets.buttons import IconButton

if TYPE_CHECKING:
    from app.ui.views.explore.term_row import Actions, TermRow

SIDE, LANE = 20, 22
"""The room beside the cards where there are no links, and how far the lines of two links are apart."""
_ARROW, _BEND = 6.0, 8.0


class LinkHandle(IconButton, Grip):
    """Draws a link from its row: dragged onto another row, or pressed for the menu of what it can be linked with."""

    def __init__(self, row: TermRow, actions: Actions) -> None:
        super().__init__("link", "", size=14, pressed=self.open_menu)
        self._row, self._actions = row, actions
        self.menu_shown: QMenu | None = None

    def open_menu(self) -> None:
        """Show what this row can be linked with."""
        self.menu_shown = self._actions.link_menu(self._row.term.id)
        self.menu_shown.popup(self.mapToGlobal(self.rect().bottomLeft()))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        self.grip_press(event)
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        term, board = self._row.term, self._row.board
        words = wording.name(term, board)

        def begin() -> None:
            self.setDown(False)
            drag_part(self, board, term.id, "link", words, link=True)

        self.grip_move(event, begin)


class LinkLines(QWidget):
    """The links of the canvas, painted over the room at the right of the cards: from the row that says a relation to
    the one about the other event, with an arrow to what happens later and the time between them.

    A press on the line opens the relation's editor, as a press on its row's label does.
    """

    def __init__(self, board: Board, inside: QWidget, row_of: Callable[[int], QWidget | None]) -> None:
        super().__init__(inside)
        self.board, self._inside, self._row_of = board, inside, row_of
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, False)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme().changed.connect(self.update)
        self.hide()

    @property
    def lanes(self) -> int:
        """How many links there are: each has its own line."""
        return len(links_of(self.board.criteria))

    def place(self) -> None:
        """Lie over the room at the right of the cards."""
        parent = self._inside
        room = SIDE + self.lanes * LANE
        self.setVisible(bool(self.lanes))
        self.setGeometry(parent.width() - room, 0, room, parent.height())
        self.raise_()
        self.update()

    def lines(self) -> list[tuple[int, QPointF, QPointF, float, bool, bool, str]]:
        """Return of each link: its row, where it begins there and ends at the other row, the x of its line, whether
        there is an arrow at the beginning and at the end, and its words."""
        found = []
        for lane, link in enumerate(links_of(self.board.criteria)):
            row, anchor = self._row_of(link.term), self._row_of(link.anchor)
            part = self.board.criteria.find(link.term)
            sides = self.board.sides(part) if isinstance(part, Term) else None
            if row is None or anchor is None or sides is None:
                continue
            ends = [
                QPointF(0, self.mapFromGlobal(each.mapToGlobal(each.rect().topLeft())).y() + 17)
                for each in (row, anchor)
            ]
            x = SIDE + lane * LANE
            to_row = sides.how != BEFORE
            to_anchor = sides.how in (BEFORE, WITHIN)
            found.append(
                (link.term, ends[0], ends[1], float(x), to_row, to_anchor, wording.link_words(sides, self.board))
            )
        return found

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        look, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = look.font(Style.CAPTION)
        for id, begin, end, x, to_row, to_anchor, words in self.lines():
            colour = look.colour("acc")
            pen = QPen(colour, 2 if id == self.board.opened else 1.5)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            down = 1 if end.y() > begin.y() else -1
            bend = min(_BEND, abs(end.y() - begin.y()) / 2)
            path = QPainterPath(QPointF(2, begin.y()))
            path.lineTo(x - bend, begin.y())
            path.quadTo(x, begin.y(), x, begin.y() + down * bend)
            path.lineTo(x, end.y() - down * bend)
            path.quadTo(x, end.y(), x - bend, end.y())
            path.lineTo(2, end.y())
            painter.drawPath(path)
            for there, at in ((to_row, begin), (to_anchor, end)):
                if there:
                    tip = QPointF(1, at.y())
                    painter.drawLine(tip, tip + QPointF(_ARROW, -_ARROW * 0.7))
                    painter.drawLine(tip, tip + QPointF(_ARROW, _ARROW * 0.7))
            self._paint_words(
                painter, QFontMetrics(font), x, (begin.y() + end.y()) / 2, abs(end.y() - begin.y()), words
            )

    def _paint_words(
        self, painter: QPainter, metrics: QFontMetrics, x: float, y: float, room: float, words: str
    ) -> None:
        """Write along the line, where it is long enough."""
        look = theme()
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(room) - 24)
        width, height = metrics.horizontalAdvance(shown) + 10, metrics.height()
        if not shown or room < 48:
            return
        painter.save()
        painter.setFont(look.font(Style.CAPTION))
        painter.translate(x, y)
        painter.rotate(-90)
        box = QRectF(-width / 2, -height / 2, width, height)
        painter.fillRect(box, look.colour("window"))
        painter.setPen(look.colour("acc"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, shown)
        painter.restore()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        at = event.position()
        for id, begin, end, x, *_ in self.lines():
            low, high = sorted((begin.y(), end.y()))
            if abs(at.x() - x) <= LANE / 2 and low - 8 <= at.y() <= high + 8:
                self.board.toggle(id)
                return
        event.ignore()
