"""Looking into a profile that somebody else may have open: reading only, without the lock."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

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


def holds_profile(directory: Path) -> bool:
    """Return whether there is a profile's database in ``directory``."""
    return (directory / "site.db").is_file()
