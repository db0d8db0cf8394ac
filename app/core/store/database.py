"""The site's database: one SQLite file, opened by the profile's owner, written only inside ``atomic()``.

Write-ahead log with full synchronisation (what is committed survives a power cut), foreign keys on, schema only
through :mod:`app.core.store.migrations`. A database that is damaged, made by a newer program, or not ours is refused
before anything is written to it.

Before the first step of an upgrade the database is copied beside itself, with :data:`UPGRADING` at the end of its name.
The copy is whole or not there, and is never made anew while it is there: after a kill in the middle it is what the
old program left. When all steps are done it becomes the only one with :data:`BEFORE_UPGRADE`, until the next upgrade.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.core.errors import EnvironmentProblem
from app.core.files import disk_problems, publish, replacing
from app.core.store.library import Database
from app.core.store.migrations import KNOWN, migrations
from app.core.store.problems import database_problems

APPLICATION_ID = 0x434E5344  # "CNSD"
UPGRADING, BEFORE_UPGRADE = ".upgrading", ".before-upgrade"
Value = bytes | str | int | float | None
Row = tuple[Value, ...]


class SiteDatabase:
    """The open database. One thread uses it (sqlite3 enforces that); every write is inside :meth:`atomic`."""

    def __init__(self, path: Path, database: Database) -> None:
        self.path = path
        self._database = database

    @classmethod
    def open(cls, path: Path) -> SiteDatabase:
        """Open ``path``, creating or migrating it as needed.

        Raises EnvironmentProblem: ``database.damaged``, ``database.too_new``, ``database.foreign``,
        ``database.locked``, ``disk.full``, ``file.*``.
        """
        with disk_problems(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # private from the first byte on
        with database_problems(path):
            connection = sqlite3.connect(path, isolation_level=None, timeout=2.0)
            try:
                database = _prepared(path, connection)
            except BaseException:
                connection.close()
                raise
        return cls(path, database)

    def close(self) -> None:
        """Fold the write-ahead log into the file and close. A second call does nothing."""
        self._database.close()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Everything written inside is kept whole or not at all; nested blocks are savepoints."""
        with database_problems(self.path), self._database.atomic():
            yield

    def write(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """Run one writing statement inside :meth:`atomic` and return the number of rows it changed.

        Raises sqlite3.ProgrammingError outside of :meth:`atomic`, sqlite3.IntegrityError for a violated constraint.
        """
        if not self._database.conn.in_transaction:
            raise sqlite3.ProgrammingError("a write outside atomic()")
        with database_problems(self.path):
            return self._database.conn.execute(sql, parameters).rowcount

    def rows(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Return all rows of one query."""
        with database_problems(self.path):
            return self._database.conn.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Value] = ()) -> Row | None:
        """Return the first row of one query, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    @property
    def changes(self) -> int:
        """How many rows were written, changed or removed since the database was opened."""
        return self._database.conn.total_changes

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy to ``target``, which must not exist or be empty."""
        with database_problems(target):
            self._database.execute("VACUUM INTO ?", [str(target)])

    def check_whole(self) -> None:
        """Raise EnvironmentProblem ``database.damaged`` unless SQLite's full integrity check passes."""
        with database_problems(self.path):
            _require_ok(self.path, self._database.conn, "integrity_check")


def _prepared(path: Path, connection: sqlite3.Connection) -> Database:
    connection.execute("PRAGMA trusted_schema=OFF")
    application = _pragma(connection, "application_id")
    new = application == 0 and _pragma(connection, "schema_version") == 0
    if not new and application != APPLICATION_ID:
        raise EnvironmentProblem("database.foreign", path=str(path))
    if not new:
        _require_ok(path, connection, "quick_check")
    database = Database(connection, execute_plugins=False, strict=True, recursive_triggers=False)
    if any(step.name not in KNOWN for step in migrations.applied(database)):  # sqlite-utils would carry on
        raise EnvironmentProblem("database.too_new", path=str(path))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    if new:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        migrations.apply(database)
    else:
        _upgrade(path, database)
    return database


def _upgrade(path: Path, database: Database) -> None:
    """Copy, then migrate, if need be; where the disk is too full for a copy nothing is changed."""
    copy = path.with_name(path.name + UPGRADING)
    if migrations.pending(database):
        if not copy.exists():
            with replacing(copy) as temporary:
                os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
                database.execute("VACUUM INTO ?", [str(temporary)])
        migrations.apply(database)
    if copy.exists():  # also that of an upgrade whose last step was done when it was killed
        publish(copy, path.with_name(path.name + BEFORE_UPGRADE))


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _require_ok(path: Path, connection: sqlite3.Connection, check: str) -> None:
    if connection.execute(f"PRAGMA {check}(1)").fetchone()[0] != "ok":
        raise EnvironmentProblem("database.damaged", path=str(path))
