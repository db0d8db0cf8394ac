"""The place of a figure: what draws it is loaded aside, when the first figure is wanted."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.core.services.runs import Run
from app.texts import text
from app.ui.tokens import Style
from app.ui.widgets.text import Label

if TYPE_CHECKING:
    from app.ui.views.results.canvas import CountsCanvas

_CANVAS = "app.ui.views.results.canvas"


@dataclass(frozen=True)
class Drawn:
    """What the figure shows of a run, until there is something to draw it with."""

    name: str
    run: Run


class _Loader(QObject):
    ready = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._thread: threading.Thread | None = None

    def load(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="figures", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        import_module(_CANVAS)
        try:
            self.ready.emit()
        except RuntimeError:  # the application is gone
            return


_loaders: list[_Loader] = []


def loaded() -> bool:
    """Whether what draws figures is there."""
    module = sys.modules.get(_CANVAS)
    return module is not None and hasattr(module, "picture")  # its last name: it is whole


def _loader() -> _Loader:
    if not _loaders:
        _loaders.append(_Loader())
    return _loaders[0]


class FigurePlace(QWidget):
    """Shows the figure of some runs, as soon as it is seen and what draws it is there."""

    def __init__(self) -> None:
        super().__init__()
        self.canvas: CountsCanvas | None = None
        self._drawn: tuple[Drawn, ...] = ()
        self._meaning = ""
        self._note = Label(text("ui.results.drawing"), Style.SMALL, "text2")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self._note)
        self.setMinimumHeight(200)

    def show_runs(self, drawn: Sequence[Drawn], meaning: str) -> None:
        """Show the answers of these runs; ``meaning`` says the same in words."""
        self._drawn, self._meaning = tuple(drawn), meaning
        self._draw()

    def copy(self) -> bool:
        """Put the figure into the clipboard; False if it cannot be drawn yet."""
        if not loaded() or not self._drawn:
            return False
        QGuiApplication.clipboard().setImage(import_module(_CANVAS).picture(self._counts()))
        return True

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        if not loaded():
            _loader().ready.connect(self._draw)
            _loader().load()
        self._draw()

    def _counts(self) -> list[Any]:
        count = import_module("app.plots.counts").Count
        return [
            count(each.name, answer.released, answer.half_width, answer.noise_scale, len(answer.contributors))
            for each in self._drawn
            if (answer := each.run.answer) is not None
        ]

    def _draw(self) -> None:
        if not self._drawn or not loaded() or (self.canvas is None and not self.isVisible()):
            return
        if self.canvas is None:
            canvas: CountsCanvas = import_module(_CANVAS).CountsCanvas(self)
            self._note.hide()
            self._layout.addWidget(canvas, 1)
            self.canvas = canvas
        self.canvas.show_counts(self._counts(), self._meaning)
