"""Drawing a figure aside: what is wished, what comes back, and the thread that does it.

Loading what draws takes a second, and drawing longer than a frame may.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from PySide6.QtGui import QImage

from app.core import log
from app.plots.options import Options, Shown, Spot
from app.ui import post

_log = log.logger("ui")
_DPI = 100


@dataclass(frozen=True)
class Drawing:
    """A picture, and the parts of it that say what they show."""

    image: QImage
    spots: tuple[Spot, ...] = ()
    natural: int = 0
    """How high the figure wants to be at this width, in logical pixels."""


@dataclass(frozen=True)
class Wish:
    """A picture to be drawn, ``size`` in logical pixels."""

    panels: tuple[Shown, ...]
    options: Options
    dark: bool
    size: tuple[int, int]
    ratio: float

    def draw(self) -> Drawing:
        """Draw it; in any thread, but in one at a time."""
        from app.plots.figures import picture_of, size_of  # noqa: PLC0415  (loaded with the first figure)
        from app.plots.look import DARK, LIGHT  # noqa: PLC0415
        from app.plots.saving import pixels  # noqa: PLC0415

        width_in, natural = size_of(self.panels, self.options, self.size[0] / _DPI)
        size = width_in, max(self.size[1] / _DPI, natural)
        look = DARK if self.dark else LIGHT
        drawn = picture_of(self.panels, look=look, options=self.options, size=size, dpi=_DPI * self.ratio)
        width, height, data = pixels(drawn.figure)
        image = QImage(data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
        image.setDevicePixelRatio(self.ratio)
        return Drawing(image, drawn.spots, round(natural * _DPI))


@cache
def _aside() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="figures")


def _work(number: int, wish: Wish) -> None:
    drawing = None
    try:
        drawing = wish.draw()
    except Exception as error:  # nobody asks this thread: the table still says it all
        _log.error("figure_failed", places=log.places(error))
    post.bring(number, drawing)


def ask(wish: Wish, then: Callable[[Drawing | None], None]) -> None:
    """Have ``wish`` drawn; ``then`` hears of it in the window's thread, None if it could not be."""

    def came(drawing: Drawing | None) -> None:
        post.forget(number)
        then(drawing)

    number = post.wait_for(came)
    _aside().submit(_work, number, wish)
