"""What SQLite refuses, in our words. Apart from :mod:`app.core.store.database` so that workers, which only read
datasets, do not load sqlite-utils (and pandas with it: more than half a second).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.errors import EnvironmentProblem

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_REFUSED = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})


@contextmanager
def database_problems(path: Path) -> Iterator[None]:
    """Turn SQLite's refusals into errors that name the file: disk full, locked, damaged, not permitted, failed.

    Violated constraints pass through: they are the caller's own rules.
    """
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as error:
        extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # absent where Python itself objects
        code = extended & 0xFF
        if code == sqlite3.SQLITE_FULL or extended == sqlite3.SQLITE_IOERR_SHMSIZE:
            raise EnvironmentProblem("disk.full", path=str(path)) from error
        if code in _DAMAGED:
            raise EnvironmentProblem("database.damaged", path=str(path)) from error
        if code in _BUSY:
            raise EnvironmentProblem("database.locked", path=str(path)) from error
        if code in _REFUSED:
            raise EnvironmentProblem("file.not_permitted", path=str(path)) from error
        raise EnvironmentProblem("file.failed", path=str(path), reason=str(error)) from error
