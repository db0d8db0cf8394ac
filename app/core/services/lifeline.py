"""Ending with the program that started this one, however that one ends.

The starter makes our standard input a pipe and keeps the other end. When it ends, also when it is killed, the system
closes that end and the input is over: the same on every system, and nothing has to be tidied up. A starter that wants
to leave us behind says so first, with :data:`STAY`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

STAY = b"stay\n"
LAST_SECONDS = 20.0
"""What this program has for an orderly end; then it ends in any case, because nobody is left to see to it."""


def end_with_input(end: Callable[[], None]) -> None:
    """Call ``end``, from another thread, when standard input is over; from now on nobody else reads from it."""
    threading.Thread(target=_watch, args=(_take_input(), end), name="lifeline", daemon=True).start()


def _take_input() -> int:
    """Return a private copy of standard input, and leave an empty one in its place.

    Workers inherit the place, and on Windows a program that inherits a pipe hangs while somebody waits for it.
    """
    own, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return own


def _watch(descriptor: int, end: Callable[[], None]) -> None:
    heard = b""
    while piece := _read(descriptor):
        heard = (heard + piece)[-len(STAY) :]
        if heard == STAY:
            os.close(descriptor)
            _fall_silent()
            return
    end()
    threading.Event().wait(LAST_SECONDS)
    os._exit(1)


def _fall_silent() -> None:
    """Let go of the starter's output: nobody reads it any more, and somebody may wait for its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 64)
    except OSError:  # how Windows tells of a pipe without another end
        return b""
