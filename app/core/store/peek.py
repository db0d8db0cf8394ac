"""Looking into a profile that somebody else may have open: reading only, without the lock."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import EnvironmentProblem
from app.core.store.migrations import KNOWN
from app.core.store.problems import database_problems


@dataclass(frozen=True)
class Peeked:
    """The profile's settings, and the state of each of its sessions of one kind."""

    settings: dict[str, bytes]
    sessions: dict[bytes, str]


def peek(directory: Path, *, kind: str) -> Peeked:
    """Read the settings and the sessions of a ``kind`` from the profile in ``directory``.

    Raises EnvironmentProblem ``database.*``, ``file.failed``.
    """
    path = directory / "site.db"
    with database_problems(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        return Peeked(
            settings=dict(database.execute("SELECT key, value FROM profile")),
            sessions=dict(database.execute("SELECT id, state FROM sessions WHERE kind = ?", (kind,))),
        )


@dataclass(frozen=True)
class Examined:
    """A profile's database: its bytes, how many steps of its schema are done and wait, the rows of each table."""

    size: int
    steps: int
    pending: int
    rows: dict[str, int]


def examine(directory: Path) -> Examined:
    """Look whether the profile's database is whole and of a version that this program knows; nothing is written.

    Raises EnvironmentProblem ``database.damaged``, ``database.too_new``, other ``database.*``, ``file.failed``.
    """
    path = directory / "site.db"
    with database_problems(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise EnvironmentProblem("database.damaged", path=str(path))
        steps = {str(name) for (name,) in database.execute("SELECT name FROM _sqlite_migrations")}
        if not steps <= KNOWN:
            raise EnvironmentProblem("database.too_new", path=str(path))
        named = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        rows = {}
        for (name,) in named.fetchall():  # names of our own schema
            (rows[str(name)],) = database.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608
        return Examined(path.stat().st_size, len(steps), len(KNOWN - steps), rows)


def holds_profile(directory: Path) -> bool:
    """Return whether there is a profile's database in ``directory``."""
    return (directory / "site.db").is_file()
