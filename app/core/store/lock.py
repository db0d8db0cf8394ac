"""One owner per profile: a lock of the operating system that dies with the process that holds it.

The lock file also carries a small record of its owner (process id, program, since when), so that a second program
can say who is in the way. The record is emptied when the owner lets go; a record found in a file that nobody holds
was left by an owner that died.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from app.core.errors import EnvironmentProblem
from app.core.files import disk_problems

_RECORD_LIMIT = 1024


@dataclass(frozen=True)
class Owner:
    """Who holds a profile: process id, name of the program, and since when (UTC, milliseconds)."""

    pid: int
    program: str
    since: int


if sys.platform == "win32":  # pragma: no cover - exercised on Windows only
    import msvcrt

    _FAR = 1 << 30  # a locked byte cannot be read by others, so lock one that lies behind the record

    def _try_lock(file: BinaryIO) -> bool:
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: BinaryIO) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(file: BinaryIO) -> bool:
        # flock, not lockf: it also excludes a second opening in the same process, and closing another descriptor
        # of the file does not release it
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


class OwnerLock:
    """The held lock. ``previous`` is the owner that died without letting go, if there was one."""

    def __init__(self, file: BinaryIO, previous: Owner | None) -> None:
        self._file = file
        self.previous = previous

    @classmethod
    def acquire(cls, path: Path, *, program: str, now: int) -> OwnerLock:
        """Take the lock at ``path`` without waiting.

        Raises EnvironmentProblem ``profile.in_use`` with the owner's process id and program if another process
        (or another opening in this one) holds it.
        """
        with disk_problems(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            file = os.fdopen(descriptor, "rb+", buffering=0)
        try:
            with disk_problems(path):
                held = _try_lock(file)
                found = _read(file)
            if not held:
                raise EnvironmentProblem(
                    "profile.in_use",
                    path=str(path.parent),
                    pid=found.pid if found else 0,
                    program=found.program if found else "?",
                )
            with disk_problems(path):
                _write(file, Owner(os.getpid(), program, now))
        except BaseException:
            file.close()
            raise
        return cls(file, found)

    def release(self) -> None:
        """Empty the owner record and let go. A second call does nothing."""
        if self._file.closed:
            return
        with suppress(OSError):  # a full disk must not keep us from letting go; the record then looks abandoned
            self._file.truncate(0)
        _unlock(self._file)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def owner_of(path: Path) -> Owner | None:
    """Return the owner recorded in the lock file at ``path``, if any; it may have died since."""
    try:
        with open(path, "rb", buffering=0) as file:
            return _read(file)
    except OSError:
        return None


def _read(file: BinaryIO) -> Owner | None:
    file.seek(0)
    try:
        record = json.loads(file.read(_RECORD_LIMIT) or b"null")
        return Owner(int(record["pid"]), str(record["program"])[:64], int(record["since"]))
    except (ValueError, TypeError, KeyError):  # empty, or torn by a crash while it was written
        return None


def _write(file: BinaryIO, owner: Owner) -> None:
    file.seek(0)
    file.truncate(0)
    file.write(json.dumps({"pid": owner.pid, "program": owner.program, "since": owner.since}).encode())
