"""Where a preparation keeps clear data while it runs: a private directory that goes with it, also if it is killed.

What a killed process left is removed by whatever of this program starts next: a preparation, an agent, a window.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.core import log
from app.core.errors import EnvironmentProblem
from app.core.files import disk_problems, private_directory
from app.core.paths import preparation_place
from app.core.store.lock import OwnerLock

_NAME = "engine-"
_LOCK = ".lock"
_log = log.logger("preparation")


@contextmanager
def private_place(place: Path) -> Iterator[Path]:
    """Give a new private directory in ``place``, locked against :func:`sweep` as long as this process lives."""
    private_directory(place)
    sweep(place)
    directory = place / f"{_NAME}{secrets.token_hex(8)}"
    lock_path = directory.with_name(directory.name + _LOCK)
    lock = OwnerLock.acquire(lock_path, program="preparation", now=0)
    try:
        yield private_directory(directory)
    finally:
        _remove(directory)
        lock.release()
        lock_path.unlink(missing_ok=True)


def sweep(place: Path) -> int:
    """Remove what processes left in ``place`` that were killed, and return how many: the operating system took their
    locks away. What cannot be removed is noted in the log, and tried again the next time."""
    removed = 0
    for lock_path in place.glob(f"{_NAME}*{_LOCK}"):
        try:
            lock = OwnerLock.acquire(lock_path, program="preparation", now=0)
        except EnvironmentProblem:  # it lives, or belongs to somebody else
            continue
        try:
            _remove(lock_path.with_name(lock_path.name.removesuffix(_LOCK)))
        except EnvironmentProblem as problem:
            _log.warning("leftovers_stay", code=problem.code)
            lock.release()
            continue
        lock.release()
        lock_path.unlink(missing_ok=True)
        removed += 1
    if removed:
        _log.info("leftovers_removed", preparations=removed)
    return removed


def sweep_leftovers() -> None:
    """Remove what preparations of this person left that were killed."""
    sweep(preparation_place())


def _remove(directory: Path) -> None:
    with disk_problems(directory), suppress(FileNotFoundError):
        if directory.is_symlink():  # not ours, and never followed
            directory.unlink()
        else:
            shutil.rmtree(directory)
