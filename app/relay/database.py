"""The relay's SQLite file: who the members are, what waits for them, which blobs are whole.

One thread writes (:mod:`app.relay.writer`), one reads. Write-ahead log with full synchronisation: what is committed
survives kill −9 and a power cut. Times are UTC milliseconds.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from app.core.errors import EnvironmentProblem

FILE = "relay.db"
APPLICATION_ID = 0x434E5252  # "CNRR"
SCHEMA_VERSION = 1
_BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE codes (
    hash BLOB PRIMARY KEY,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    federation BLOB
) STRICT;

CREATE TABLE federations (
    id BLOB PRIMARY KEY,
    founded INTEGER NOT NULL
) STRICT;

CREATE TABLE members (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    federation BLOB NOT NULL REFERENCES federations(id),
    fingerprint BLOB NOT NULL,
    key BLOB NOT NULL,
    founder INTEGER NOT NULL,
    place INTEGER,
    introduction BLOB NOT NULL,
    invitation BLOB NOT NULL,
    joined INTEGER NOT NULL,
    newest INTEGER NOT NULL DEFAULT 0,
    waiting_messages INTEGER NOT NULL DEFAULT 0,
    waiting_bytes INTEGER NOT NULL DEFAULT 0,
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (federation, fingerprint),
    UNIQUE (federation, place)
) STRICT;

CREATE TABLE invitations (
    federation BLOB NOT NULL REFERENCES federations(id),
    hash BLOB NOT NULL,
    expires INTEGER NOT NULL,
    member INTEGER REFERENCES members(number),
    PRIMARY KEY (federation, hash)
) STRICT;

CREATE TABLE messages (
    number INTEGER PRIMARY KEY,
    sender INTEGER NOT NULL REFERENCES members(number),
    id BLOB NOT NULL,
    hash BLOB NOT NULL,
    received INTEGER NOT NULL,
    size INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    envelope BLOB,
    UNIQUE (sender, id)
) STRICT;
CREATE INDEX messages_by_age ON messages(received);

CREATE TABLE mailboxes (
    member INTEGER NOT NULL REFERENCES members(number),
    cursor INTEGER NOT NULL,
    message INTEGER NOT NULL REFERENCES messages(number),
    PRIMARY KEY (member, cursor)
) STRICT, WITHOUT ROWID;
CREATE INDEX mailboxes_of_message ON mailboxes(message);

CREATE TABLE blobs (
    federation BLOB NOT NULL REFERENCES federations(id),
    name BLOB NOT NULL,
    size INTEGER NOT NULL,
    owner INTEGER NOT NULL REFERENCES members(number),
    stored INTEGER NOT NULL,
    PRIMARY KEY (federation, name)
) STRICT;
CREATE INDEX blobs_by_age ON blobs(stored);
"""


def connect(directory: Path) -> sqlite3.Connection:
    """Open the relay's database below ``directory``, making it if it is not there.

    Raises EnvironmentProblem ``relay.database_foreign``, ``relay.database_too_new`` or ``relay.database_failed``.
    """
    path = directory / FILE
    try:
        path.touch(0o600)  # private from the first byte on
        connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            _prepare(path, connection)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise EnvironmentProblem("relay.database_failed", path=str(path), reason=str(error)) from error
    return connection


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA wal_autocheckpoint=4000")  # pages: less often, as it holds up who waits
    connection.execute("PRAGMA journal_size_limit=67108864")
    connection.execute("BEGIN IMMEDIATE")  # two processes may come first at the same time
    application, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    if application == 0 and _pragma(connection, "schema_version") == 0:
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    elif application != APPLICATION_ID:
        raise EnvironmentProblem("relay.database_foreign", path=str(path))
    elif version > SCHEMA_VERSION:
        raise EnvironmentProblem("relay.database_too_new", path=str(path))
    connection.execute("COMMIT")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
