"""Finds out whether the window's thread is ever held up: how long it works between two looks at what has happened."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from dataclasses import dataclass, field

from PySide6.QtCore import QAbstractEventDispatcher, QObject


@dataclass
class Watchdog:
    """Notes every burst of work of the window's thread that takes longer than ``limit`` seconds of its own time.

    What counts is the processor time of this thread: when a busy machine gives it no time, nothing in the program can
    be blamed; when it waits for a lock or a file, ``blocked`` says so by the clock, with the place where it waited.
    """

    limit: float = 0.05
    blocked_limit: float = 1.0
    stalls: list[float] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    longest: float = 0.0
    _began: float | None = None
    _began_clock: float = 0.0

    def watch(self, parent: QObject) -> None:
        """Begin, in the window's thread."""
        dispatcher = QAbstractEventDispatcher.instance()
        dispatcher.awake.connect(self._awake)
        dispatcher.aboutToBlock.connect(self._rests)
        self._window_thread = threading.get_ident()
        threading.Thread(target=self._look, daemon=True, name="watchdog").start()
        self._parent = parent

    def _awake(self) -> None:
        if self._began is None:
            self._began, self._began_clock = time.thread_time(), time.monotonic()

    def _rests(self) -> None:
        if self._began is None:
            return
        worked, self._began = time.thread_time() - self._began, None
        self.longest = max(self.longest, worked)
        if worked > self.limit:
            self.stalls.append(worked)

    def _look(self) -> None:
        pause = threading.Event()
        while not pause.wait(0.02):
            if self._began is not None and time.monotonic() - self._began_clock > self.blocked_limit:
                frame = sys._current_frames().get(self._window_thread)
                self.blocked.append("".join(traceback.format_stack(frame)[-4:]))
                self._began_clock = time.monotonic()
