"""The files through which arrays cross to SEAL and back, because its objects load and save by path only.

On Linux they are anonymous memory: nothing on any disk, and nothing left behind by a worker that is killed. Elsewhere
they are files in a private temporary directory. Each thread of each process has its own two, one for each direction, so
that nobody ever loads what another has just written; what is overwritten keeps its memory. What crosses is public:
ciphertexts and public keys.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import weakref
from functools import cache
from typing import Literal

_threads = threading.local()


class _Anonymous:
    """One anonymous memory file; closed when its thread ends."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError("no anonymous files")
        descriptor = os.memfd_create("consilium")
        self.path = f"/proc/self/fd/{descriptor}"
        weakref.finalize(self, os.close, descriptor)
        with open(self.path, "wb"):  # without /proc there is no path to it
            pass


class _Named:
    """One file in the process's private temporary directory."""

    def __init__(self, use: str) -> None:
        self.path = os.path.join(_directory(os.getpid()).name, f"{use}-{threading.get_ident()}")
        with open(self.path, "wb"):
            pass


@cache  # a forked child must not let go of its parent's directory: that would remove it
def _directory(process: int) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=f"consilium-{process}-")


def _forget() -> None:
    """After a fork: the parent keeps its files, the child gets its own."""
    global _threads  # noqa: PLW0603 - the one state of this module
    _threads = threading.local()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def path(use: Literal["in", "out"] = "out") -> str:
    """Return the path of this thread's exchange file to SEAL or from it; it exists, with anything in it."""
    file: _Anonymous | _Named | None = getattr(_threads, use, None)
    if file is None:
        try:
            file = _Anonymous()
        except OSError:
            file = _Named(use)
        setattr(_threads, use, file)
    return file.path
