"""Frames and layouts: rows, columns, cards, flowing chips, scrolling pages."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QMargins, QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLayout,
    QLayoutItem,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.ui.theme import set_role
from app.ui.tokens import CARD, GAP, HEADER, VIEW, Style
from app.ui.widgets.text import ElidedLabel, Label

Item = QWidget | QLayout | int | None
"""What :func:`row` and :func:`column` take: a widget, a layout, pixels of space, or None for what stretches."""


def _fill(layout: QBoxLayout, items: Iterable[Item]) -> None:
    for item in items:
        if isinstance(item, QWidget):
            layout.addWidget(item)
        elif isinstance(item, QLayout):
            layout.addLayout(item)
        elif item is None:
            layout.addStretch(1)
        else:
            layout.addSpacing(item)


def row(*items: Item, gap: int = GAP, margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> QHBoxLayout:
    """Return a horizontal layout of ``items``."""
    layout = QHBoxLayout()
    layout.setContentsMargins(*margins)
    layout.setSpacing(gap)
    _fill(layout, items)
    return layout


def column(*items: Item, gap: int = GAP, margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> QVBoxLayout:
    """Return a vertical layout of ``items``."""
    layout = QVBoxLayout()
    layout.setContentsMargins(*margins)
    layout.setSpacing(gap)
    _fill(layout, items)
    return layout


def frame(role: str, layout: QLayout | None = None, **properties: str) -> QFrame:
    """Return a frame of a role of the style sheet around ``layout``."""
    made = QFrame()
    set_role(made, role=role, **properties)
    if layout is not None:
        made.setLayout(layout)
    return made


def card(*items: Item, gap: int = GAP, padding: int = CARD, tone: str = "") -> QFrame:
    """Return a raised card with ``items`` below each other."""
    return frame("card", column(*items, gap=gap, margins=(padding, padding, padding, padding)), tone=tone)


def line() -> QFrame:
    """Return a horizontal hairline."""
    return frame("line")


def header(title: str, subtitle: str = "", *actions: QWidget) -> QFrame:
    """Return the head of a view, 52 high: title, subtitle, and its buttons at the right."""
    label = Label(title, Style.TITLE)
    label.setAccessibleDescription(subtitle)
    second = ElidedLabel(subtitle, Style.SMALL, "text2")
    layout = row(label, second, *actions, gap=12, margins=(VIEW, 0, 16, 0))
    layout.setStretchFactor(second, 1)
    made = frame("header", layout)
    made.setMinimumHeight(HEADER)
    made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return made


def scrolling(content: QWidget | QLayout) -> QScrollArea:
    """Return a page that scrolls vertically around ``content``."""
    if isinstance(content, QLayout):
        inside: QWidget = _Page()
        inside.setLayout(content)
    else:
        inside = content
    set_role(inside, role="clear")
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    area.viewport().setAutoFillBackground(False)
    return area


class _Page(QWidget):
    """What scrolls: as high as its content needs at the width that it has, so that nothing in it is squeezed."""

    def event(self, event: QEvent) -> bool:
        if event.type() in {QEvent.Type.LayoutRequest, QEvent.Type.Resize}:
            self._fit()
        return super().event(event)

    def _fit(self) -> None:
        layout = self.layout()
        if layout is not None and layout.hasHeightForWidth():
            height = layout.totalHeightForWidth(self.width())
            if height != self.minimumHeight():
                self.setMinimumHeight(height)


def clear(layout: QLayout) -> None:
    """Remove and delete everything in ``layout``."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()
        elif (inner := item.layout()) is not None:
            clear(inner)


class Flow(QLayout):
    """Lays its items out like words: from left to right, and on the next line when there is no room."""

    def __init__(self, gap: int = 6, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._gap = gap
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:  # noqa: N802 - Qt's name
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # noqa: N802
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # noqa: N802
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:  # noqa: N802
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        return self._place(QRect(0, 0, width, 0), apply=False)

    def setGeometry(self, rect: QRect) -> None:  # noqa: N802
        super().setGeometry(rect)
        self._place(rect, apply=True)

    def sizeHint(self) -> QSize:  # noqa: N802
        return self.minimumSize()

    def minimumSize(self) -> QSize:  # noqa: N802
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        margins: QMargins = self.contentsMargins()
        return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())

    def _place(self, rect: QRect, *, apply: bool) -> int:
        margins = self.contentsMargins()
        inside = rect.marginsRemoved(margins)
        lines: list[list[tuple[QLayoutItem, QRect]]] = [[]]
        x, y, height = inside.x(), inside.y(), 0
        for item in self._items:
            if (widget := item.widget()) is not None and widget.isHidden():
                continue
            size = item.sizeHint().boundedTo(QSize(max(inside.width(), 1), 1 << 20))
            if x > inside.x() and x + size.width() > inside.right() + 1:
                x, y, height = inside.x(), y + height + self._gap, 0
                lines.append([])
            lines[-1].append((item, QRect(QPoint(x, y), size)))
            x, height = x + size.width() + self._gap, max(height, size.height())
        if apply:
            for each in lines:
                tallest = max((place.height() for _, place in each), default=0)
                for item, place in each:
                    item.setGeometry(place.translated(0, (tallest - place.height()) // 2))
        return y + height - rect.y() + margins.bottom()
