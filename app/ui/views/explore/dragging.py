"""Dragging and dropping on the canvas: what can be dropped where, shown while it hovers, with the reason if not."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QMimeData, QPoint, QRect, Qt
from PySide6.QtGui import (
    QDrag,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QMouseEvent,
    QPainter,
    QPixmap,
)
from PySide6.QtWidgets import QApplication, QFrame, QWidget

from app.core.errors import UserError
from app.texts import explain
from app.ui import icons
from app.ui.models.board import Board
from app.ui.models.criteria import Place
from app.ui.models.terms import TERMS_MIME, Offer, offer_of, offer_to_bytes
from app.ui.theme import theme
from app.ui.tokens import Style

NO, TARGET, REFUSED = "", "target", "refused"


class DropPlace(QFrame):
    """A widget on which terms and parts can be dropped. ``drag_state`` is one of NO, TARGET, REFUSED.

    ``place`` tells where on the canvas this is; ``drag_link`` whether what hovers is a link in time.
    """

    def __init__(self, board: Board, place: Callable[[], Place]) -> None:
        super().__init__()
        self.board, self.place = board, place
        self.drag_state = NO
        self.drag_reason = ""
        self.drag_link = False
        self.setAcceptDrops(True)

    def show_drag(self) -> None:
        """Show the state of the drag."""
        self.update()

    def _set_drag(self, state: str, reason: str = "") -> None:
        if (state, reason) != (self.drag_state, self.drag_reason):
            self.drag_state, self.drag_reason = state, reason
            self.show_drag()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        self._hover(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:  # noqa: N802
        self._hover(event)

    def _hover(self, event: QDropEvent) -> None:
        """Accept what is ours even where it is refused, so that the reason shows and a card around it does not act."""
        if not event.mimeData().hasFormat(TERMS_MIME):
            event.ignore()
            return
        reason = self._refusal(event.mimeData())
        self._set_drag(REFUSED if reason else TARGET, reason)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def _refusal(self, data: QMimeData) -> str:
        try:
            offer = offer_of(data)
        except UserError as error:
            return explain(error).what
        self.drag_link = offer is not None and bool(offer.link)
        return "" if offer is None else self.board.refusal(offer, self.place())

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802
        self._set_drag(NO)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        self._set_drag(NO)
        try:
            offer = offer_of(event.mimeData())
        except UserError as error:
            self.board.refused.emit(explain(error).what)
            return
        if offer is not None and self.board.drop(offer, self.place()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()


class LinkPlace(QWidget):
    """A row on which a link in time can end; what is not a link goes on to the card around it."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.board = board
        self.drag_state = NO
        self.drag_reason = ""
        self.setAcceptDrops(True)

    def takes_links(self) -> bool:
        """Whether a link can end here at all."""
        raise NotImplementedError

    def link_target(self) -> int:
        """Return the id of the term that a link would end at."""
        raise NotImplementedError

    def show_drag(self) -> None:
        """Show the state of the drag."""
        self.update()

    def _set_drag(self, state: str, reason: str = "") -> None:
        if (state, reason) != (self.drag_state, self.drag_reason):
            self.drag_state, self.drag_reason = state, reason
            self.show_drag()

    def _linked(self, data: QMimeData) -> int:
        """Return the id of the term whose link hovers; 0 for anything else."""
        try:
            offer = offer_of(data)
        except UserError:
            return 0
        return offer.link if offer is not None and offer.canvas == self.board.token and self.takes_links() else 0

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        self._hover_link(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:  # noqa: N802
        self._hover_link(event)

    def _hover_link(self, event: QDropEvent) -> None:
        if not (source := self._linked(event.mimeData())):
            event.ignore()
            return
        reason = self.board.link_refusal(source, self.link_target())
        self._set_drag(REFUSED if reason else TARGET, reason)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802
        self._set_drag(NO)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        self._set_drag(NO)
        if not (source := self._linked(event.mimeData())):
            event.ignore()
        elif self.board.link(source, self.link_target()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()


class Grip:
    """Lets the mouse drag a part of the canvas by a widget; mixed into what shows the part."""

    _pressed: QPoint | None = None

    def grip_press(self, event: QMouseEvent) -> None:
        """Remember where a drag may begin."""
        self._pressed = event.position().toPoint() if event.button() is Qt.MouseButton.LeftButton else None

    def grip_move(self, event: QMouseEvent, begin: Callable[[], object]) -> None:
        """Begin the drag once the mouse has moved far enough."""
        if self._pressed is None or not event.buttons() & Qt.MouseButton.LeftButton:
            return
        if (event.position().toPoint() - self._pressed).manhattanLength() >= QApplication.startDragDistance():
            self._pressed = None
            begin()


def drag_part(source: QWidget, board: Board, id: int, icon_name: str, words: str, *, link: bool = False) -> None:
    """Drag the part ``id``, or a ``link`` from it; returns when it was dropped somewhere."""
    data = QMimeData()
    offer = (
        Offer(board.hash, canvas=board.token, link=id) if link else Offer(board.hash, canvas=board.token, parts=(id,))
    )
    data.setData(TERMS_MIME, offer_to_bytes(offer))
    drag = QDrag(source)
    drag.setMimeData(data)
    drag.setPixmap(picture(icon_name, words, source.devicePixelRatioF()))
    drag.exec(Qt.DropAction.CopyAction)


def picture(icon_name: str, words: str, ratio: float) -> QPixmap:
    """Return what hangs on the mouse: a chip with icon and name."""
    look, font = theme(), theme().font(Style.STRONG)
    metrics = QApplication.fontMetrics()
    shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, 240)
    width, height = metrics.horizontalAdvance(shown) + 56, metrics.height() + 14
    made = QPixmap(round(width * ratio), round(height * ratio))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(look.colour("raised"))
    painter.setPen(look.colour("accfill"))
    painter.drawRoundedRect(1, 1, width - 2, height - 2, 6, 6)
    icons.paint(painter, icon_name, QRect(10, (height - 16) // 2, 16, 16).toRectF(), look.colour("acc"))
    painter.setFont(font)
    painter.setPen(look.colour("text"))
    painter.drawText(QRect(34, 0, width - 40, height), Qt.AlignmentFlag.AlignVCenter, shown)
    painter.end()
    return made
