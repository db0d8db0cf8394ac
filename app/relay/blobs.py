"""Blobs: files named by their SHA-256, of one federation each, whole or unfinished.

::

    DATA/blobs/<federation>/<two digits>/<the others>   whole, and named by a row of the database
    DATA/uploads/<member>-<name>.part                   unfinished, as far as its upload has come

A file becomes a blob in the writer's thread, which also deletes: a row without its file cannot come about. A file
without its row, left by a kill between the two, is removed when the relay starts.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.core.files import private_directory, publish
from app.relay.refusals import Refusal

_PURGED_AT_ONCE = 100
_UPLOAD = re.compile(r"(\d{1,18})-([0-9a-f]{64})\.part")


@dataclass(frozen=True)
class BlobName:
    """A blob of a federation."""

    federation: bytes
    name: bytes


class BlobFiles:
    """The files; what is whole and whose it is, the database says."""

    def __init__(self, directory: Path) -> None:
        self._blobs = private_directory(directory / "blobs")
        self._uploads = private_directory(directory / "uploads")

    def path(self, blob: BlobName) -> Path:
        """Return where a whole blob lies."""
        digits = blob.name.hex()
        return self._blobs / blob.federation.hex() / digits[:2] / digits[2:]

    def upload(self, member: int, name: bytes) -> Path:
        """Return where a member's unfinished upload lies."""
        return self._uploads / f"{member}-{name.hex()}.part"

    def unfinished(self, member: int) -> dict[str, int]:
        """Return the sizes of a member's unfinished uploads, by file name."""
        found = {}
        for path in self._uploads.glob(f"{member}-*.part"):
            with suppress(FileNotFoundError):  # finished in this moment
                found[path.name] = path.stat().st_size
        return found

    def forget_unfinished(self, before: float) -> int:
        """Remove uploads that nobody has continued since ``before`` (seconds since 1970)."""
        count = 0
        for path in self._uploads.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before or not _UPLOAD.fullmatch(path.name):
                    path.unlink()
                    count += 1
        return count

    # --- jobs for the writer ----------------------------------------------------------------------------------------

    def keep(self, connection: sqlite3.Connection, blob: BlobName, member: int, size: int, now: int) -> None:
        """Make a finished, checked upload a blob."""
        target = self.path(blob)
        private_directory(target.parent)
        publish(self.upload(member, blob.name), target)
        added = connection.execute(
            "INSERT INTO blobs VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (blob.federation, blob.name, size, member, now),
        ).rowcount
        if added:
            connection.execute("UPDATE members SET stored_bytes = stored_bytes + ? WHERE number = ?", (size, member))

    def withdraw(self, connection: sqlite3.Connection, blob: BlobName, member: int) -> bool:
        """Forget a member's own blob; return whether it was there. Raises Refusal ``relay.not_yours``."""
        row = connection.execute(
            "SELECT owner, size FROM blobs WHERE federation = ? AND name = ?", (blob.federation, blob.name)
        ).fetchone()
        if row is None:
            return False
        owner, size = row
        if owner != member:
            raise Refusal("relay.not_yours")
        forget(connection, blob, owner, size)
        return True

    def purge(self, connection: sqlite3.Connection, before: int) -> list[BlobName]:
        """Forget blobs stored before ``before``, some at a time; return them."""
        rows = connection.execute(
            "SELECT federation, name, owner, size FROM blobs WHERE stored < ? ORDER BY stored LIMIT ?",
            (before, _PURGED_AT_ONCE),
        ).fetchall()
        for federation, name, owner, size in rows:
            forget(connection, BlobName(federation, name), owner, size)
        return [BlobName(federation, name) for federation, name, _, _ in rows]

    def remove(self, connection: sqlite3.Connection, blob: BlobName) -> None:
        """Delete the file of a blob that is forgotten for good, unless it has come again in the meantime."""
        if size_of(connection, blob) is None:
            self.path(blob).unlink(missing_ok=True)

    def clean(self, connection: sqlite3.Connection) -> None:
        """Bring files and rows together again, before anything is served."""
        rows = connection.execute("SELECT federation, name, owner, size FROM blobs").fetchall()
        known = {self.path(BlobName(federation, name)) for federation, name, _, _ in rows}
        there = set(self._blobs.glob("*/??/*"))
        for path in there - known:
            path.unlink()
        for federation, name, owner, size in rows:
            if self.path(BlobName(federation, name)) not in there:  # a copy of the folder that lacks it
                forget(connection, BlobName(federation, name), owner, size)


def size_of(connection: sqlite3.Connection, blob: BlobName) -> int | None:
    """Return a whole blob's size, or None if there is none."""
    row = connection.execute(
        "SELECT size FROM blobs WHERE federation = ? AND name = ?", (blob.federation, blob.name)
    ).fetchone()
    return None if row is None else int(row[0])


def stored_bytes(connection: sqlite3.Connection, member: int) -> int:
    """Return the size of all blobs that a member stores."""
    row = connection.execute("SELECT stored_bytes FROM members WHERE number = ?", (member,)).fetchone()
    return int(row[0])


def digest_of(path: Path) -> bytes:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def append(path: Path, data: bytes, *, offset: int) -> None:
    """Write ``data`` at ``offset`` and forget what was behind it; the file is made private."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.seek(offset)
        file.write(data)
        file.truncate()


def forget(connection: sqlite3.Connection, blob: BlobName, owner: int, size: int) -> None:
    """Remove a blob's row and what it counts for its owner. The file is somebody else's."""
    connection.execute("DELETE FROM blobs WHERE federation = ? AND name = ?", (blob.federation, blob.name))
    connection.execute("UPDATE members SET stored_bytes = stored_bytes - ? WHERE number = ?", (size, owner))
