"""Readers as a broken file makes them: dead, greedy, or without an end."""

from __future__ import annotations

import os
import threading


def die() -> None:
    """End the process as a crash in C does."""
    os.abort()


def take() -> None:
    """Take more memory than a reader may have."""
    bytearray(64 << 30)


def hang() -> None:
    """Never come to an end."""
    threading.Event().wait()
