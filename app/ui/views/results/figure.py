"""A figure on the screen. It is drawn aside: loading what draws takes a second, and drawing longer than a frame may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from PySide6.QtCore import QEvent, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QImage, QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from shiboken6 import isValid

from app.core import log
from app.core.services.runs import Run
from app.texts import preferred_language, text
from app.ui import post
from app.ui.theme import theme
from app.ui.tokens import Style
from app.ui.widgets.text import tip

_log = log.logger("ui")
_REST_MS = 40
_DPI, _COPY_RATIO, _COPY_SIZE = 100, 2.0, (640, 360)


@dataclass(frozen=True)
class Drawn:
    """A run that the figure shows, and what stands at its bar."""

    name: str
    run: Run


@dataclass(frozen=True)
class Wish:
    """A picture to be drawn, ``size`` in logical pixels."""

    drawn: tuple[Drawn, ...]
    dark: bool
    language: str
    size: tuple[int, int]
    ratio: float

    def picture(self) -> QImage:
        """Draw it; in any thread, but in one at a time."""
        from app.plots.counts import Count, counts_figure  # noqa: PLC0415  (loaded with the first figure)
        from app.plots.look import DARK, LIGHT  # noqa: PLC0415
        from app.plots.saving import pixels  # noqa: PLC0415

        counts = [
            Count(each.name, answer.released, answer.half_width, answer.noise_scale, len(answer.contributors))
            for each in self.drawn
            if (answer := each.run.answer) is not None
        ]
        size = self.size[0] / _DPI, self.size[1] / _DPI
        look = DARK if self.dark else LIGHT
        figure = counts_figure(counts, look=look, language=self.language, size=size, dpi=_DPI * self.ratio)
        width, height, data = pixels(figure)
        picture = QImage(data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
        picture.setDevicePixelRatio(self.ratio)
        return picture


@cache
def _aside() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="figures")


def _work(number: int, wish: Wish) -> None:
    picture = None
    try:
        picture = wish.picture()
    except Exception as error:  # nobody asks this thread: the table still says it all
        _log.error("figure_failed", places=log.places(error))
    post.bring(number, picture)


class FigurePlace(QWidget):
    """Shows the figure of some runs, as soon as it is seen."""

    at_once: ClassVar[bool] = False
    """Whether figures are drawn in the window's thread, for whoever cannot wait: tests, and the gallery."""
    changed = Signal()
    """There is another picture."""

    def __init__(self) -> None:
        super().__init__()
        self.picture: QImage | None = None
        self._drawn: tuple[Drawn, ...] = ()
        self._wish: Wish | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(200)
        self._timer = QTimer(self, singleShot=True, interval=_REST_MS)
        self._timer.timeout.connect(self._draw)
        theme().changed.connect(self._draw)

    def show_runs(self, drawn: Sequence[Drawn], meaning: str) -> None:
        """Show the answers of these runs; ``meaning`` says the same in words."""
        self.setAccessibleName(meaning)
        self.setToolTip(tip(meaning))
        self._drawn = tuple(drawn)
        self._draw()

    def copy(self, done: Callable[[], object]) -> None:
        """Put the figure into the clipboard as one pastes it into a document: light, and finer than the screen."""
        if self._drawn:
            wish = Wish(self._drawn, False, preferred_language(), _COPY_SIZE, _COPY_RATIO)
            self._ask(wish, lambda picture: self._put(picture, done))

    def _draw(self) -> None:
        """Have it drawn as it must be now, unless that is what is there."""
        if not self._drawn or not self.isVisible() or self.width() < 2:
            return
        size = (self.width(), self.height())
        wish = Wish(self._drawn, theme().dark, preferred_language(), size, self.devicePixelRatioF())
        if wish != self._wish:
            self._wish = wish
            self._ask(wish, lambda picture: self._take(wish, picture))

    def _ask(self, wish: Wish, then: Callable[[QImage], None]) -> None:
        if self.at_once:
            then(wish.picture())
            return

        def came(picture: QImage | None) -> None:
            post.forget(number)
            if picture is not None and isValid(self):
                then(picture)

        number = post.wait_for(came)
        _aside().submit(_work, number, wish)

    def _take(self, wish: Wish, picture: QImage) -> None:
        if wish == self._wish:
            self.picture = picture
            self.update()
            self.changed.emit()

    def _put(self, picture: QImage, done: Callable[[], object]) -> None:
        QGuiApplication.clipboard().setImage(picture)
        done()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self._timer.start()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        if self.at_once:
            self._draw()
        self._timer.start()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        super().changeEvent(event)
        if event.type() is QEvent.Type.DevicePixelRatioChange:
            self._timer.start()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        if self.picture is not None:  # of the size before, until the right one comes
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(self.rect()), self.picture)
            return
        painter.setPen(theme().colour("text2"))
        painter.setFont(theme().font(Style.SMALL))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, text("ui.results.drawing"))
