"""The figure on the screen. Importing this takes a second, so it is done aside and late."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.plots.counts import Count, counts_figure, draw_counts
from app.plots.look import DARK, LIGHT
from app.plots.saving import png
from app.texts import preferred_language
from app.ui.theme import theme

_COPY_DPI = 200
_REST_MS = 40


class CountsCanvas(FigureCanvasQTAgg):
    """Counts as a figure in the colours of the theme, drawn again when those or its size change."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Figure(figsize=(6, 3), dpi=100))  # type: ignore[no-untyped-call]
        self.setParent(parent)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the table is its twin for the keyboard
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(200)
        self._counts: tuple[Count, ...] = ()
        self._timer = QTimer(self, singleShot=True, interval=_REST_MS)
        self._timer.timeout.connect(self.paint_figure)
        theme().changed.connect(self.paint_figure)

    def show_counts(self, counts: Sequence[Count], meaning: str) -> None:
        """Show these; ``meaning`` says the same in words."""
        self.setAccessibleName(meaning)
        self.setToolTip(meaning)
        if tuple(counts) != self._counts:
            self._counts = tuple(counts)
            self.paint_figure()

    def paint_figure(self) -> None:
        """Draw it as it must be now."""
        look = DARK if theme().dark else LIGHT
        self.figure.clear()
        self.figure.set_facecolor(look.paper)
        if self._counts:
            draw_counts(self.figure, (0, 0, 1, 1), self._counts, look, preferred_language())
        self.draw_idle()  # type: ignore[no-untyped-call]

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)  # type: ignore[no-untyped-call]
        self._timer.start()


def picture(counts: Sequence[Count]) -> QImage:
    """Return the figure of ``counts`` as one pastes it into a document: light, and finer than the screen."""
    return QImage.fromData(png(counts_figure(counts), _COPY_DPI))
