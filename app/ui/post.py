"""The way from other threads into the window's thread.

What is brought names only a number: a thread that held a widget, or something that holds one, could be the last to do
so, and would then destroy it outside the window's thread. Whoever waits stays here until it is told to forget.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any

from PySide6.QtCore import QObject, Signal

Hears = Callable[[Any], object]

_waiting: dict[int, Hears] = {}
_numbers = count(1)


class _Post(QObject):
    brought = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self.brought.connect(self._hear)

    def _hear(self, number: int, what: object) -> None:
        if (hears := _waiting.get(number)) is not None:
            hears(what)


@cache
def _post() -> _Post:
    return _Post()


def wait_for(hears: Hears) -> int:
    """Have ``hears`` called with whatever is brought to the number returned; in the window's thread."""
    _post()  # made here, it belongs to the window's thread
    number = next(_numbers)
    _waiting[number] = hears
    return number


def forget(number: int) -> None:
    """Expect nothing more at this number."""
    _waiting.pop(number, None)


def bring(number: int, what: object) -> None:
    """Bring something plain, from any thread; it is dropped when nobody waits for it any more."""
    with suppress(RuntimeError):  # the application is gone
        _post().brought.emit(number, what)
