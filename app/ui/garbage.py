"""Python's collection of cycles, in the window's thread only.

By itself it runs in whatever thread makes the next object. A thread that asks the agent something would then destroy
widgets that are part of a cycle, and Qt ends the process when one is destroyed outside the window's thread.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

_EVERY_MS = 1000


class Collector(QObject):
    """Collects when Python would have done so, but from the event loop of the thread that it was made in."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self)
        self._timer.timeout.connect(collect)
        self._timer.start(_EVERY_MS)


def collect() -> None:
    """Collect the oldest generation that is due, if one is."""
    due = [count > threshold > 0 for count, threshold in zip(gc.get_count(), gc.get_threshold(), strict=True)]
    if due[0]:
        gc.collect(2 if due[1] and due[2] else 1 if due[1] else 0)
