"""Finds out whether the window's thread is ever held up: how long it works between two rests of Qt's loop."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from PySide6.QtCore import QAbstractEventDispatcher


@dataclass
class Watchdog:
    """Notes every burst of work of the window's thread that takes longer than ``limit`` seconds of its own time.

    What counts is the processor time of this thread: when a busy machine gives it none, nothing in the program is to
    blame. When it waits for a lock, a file or the network, ``blocked`` says so by the clock, with the places.
    """

    limit: float = 0.05
    blocked_limit: float = 1.0
    stalls: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    longest: float = 0.0
    _began: tuple[float, float] | None = None
    _away: bool = False

    def watch(self) -> None:
        """Begin, in the window's thread."""
        self._thread = threading.get_ident()
        self._seen = ""
        dispatcher = QAbstractEventDispatcher.instance()
        dispatcher.awake.connect(self._awake)
        dispatcher.aboutToBlock.connect(self._rests)
        threading.Thread(target=self._look, daemon=True, name="watchdog").start()

    @contextmanager
    def looking_away(self) -> Iterator[None]:
        """Count nothing of what happens in this block."""
        self._away = True
        try:
            yield
        finally:
            self._began, self._away = None, False

    def _awake(self) -> None:
        if self._began is None and not self._away:
            self._began = (time.thread_time(), time.monotonic())

    def _rests(self) -> None:
        if self._began is None or self._away:
            return
        worked, self._began = time.thread_time() - self._began[0], None
        self.longest = max(self.longest, worked)
        if worked > self.limit:
            self.stalls.append(f"{worked:.3f} s, for example at {self._seen}")
        self._seen = ""

    def _look(self) -> None:
        pause = threading.Event()
        while not pause.wait(0.02):
            began = self._began
            if began is None or self._away:
                continue
            since = time.monotonic() - began[1]
            if since > 0.03:
                frame = sys._current_frames().get(self._thread)
                self._seen = " < ".join(f"{each.name}:{each.lineno}" for each in traceback.extract_stack(frame)[:-7:-1])
            if since > self.blocked_limit and self._began is began:
                self.blocked.append(f"{since:.1f} s at {self._seen}")
                self._began = (began[0], time.monotonic())
