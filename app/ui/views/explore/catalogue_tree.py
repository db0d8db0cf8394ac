"""The tree of the catalogue: its keys, what is dragged out of it."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QDrag, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QTreeView

from app.ui import icons
from app.ui.theme import theme
from app.ui.views.explore.dragging import picture


class Tree(QTreeView):
    """The tree; Enter adds what is selected, Space shows its details."""

    wanted = Signal(bool)
    """Add what is selected; True: as a new card."""
    details = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.wanted.emit(bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif event.key() == Qt.Key.Key_Space:
            self.details.emit()
        else:
            super().keyPressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        super().mouseDoubleClickEvent(event)
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and not self.model().hasChildren(index):
            self.wanted.emit(False)

    def drawBranches(self, painter: QPainter, rect: QRect, index: QModelIndex | QPersistentModelIndex) -> None:  # noqa: N802
        """Paint only the chevron: what is selected begins with the row itself."""
        painter.fillRect(rect, theme().colour("window"))
        if self.rootIsDecorated() and self.model().hasChildren(index):
            side = 12
            box = QRectF(rect.right() - side, rect.center().y() - side / 2 + 1, side, side)
            name = "chevron-down" if self.isExpanded(index) else "chevron-right"
            icons.paint(painter, name, box, theme().colour("text2"))

    def startDrag(self, actions: Qt.DropAction) -> None:  # noqa: N802
        indexes = [each for each in self.selectedIndexes() if self.model().flags(each) & Qt.ItemFlag.ItemIsDragEnabled]
        if not indexes:
            return
        drag = QDrag(self)
        drag.setMimeData(self.model().mimeData(indexes))
        names = ", ".join(str(each.data()) for each in indexes[:3])
        drag.setPixmap(picture("plus", names, self.devicePixelRatioF()))
        drag.exec(Qt.DropAction.CopyAction)
