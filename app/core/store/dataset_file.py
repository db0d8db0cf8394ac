"""The dataset file, format 1: one SQLite file that a package travels in and a dataset is read from.

SQLite header: page size 65,536, application id ``CNSP``, user version 1, rollback journal (never WAL), UTF-8. Exactly
two tables and nothing else (no view, trigger, index or virtual table)::

    CREATE TABLE document (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID
    CREATE TABLE residue (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT

``document`` has the rows

- ``header``, ``manifest``: canonical CBOR, see :mod:`app.core.store.documents`;
- ``signature``: 64 bytes, Ed25519 by the preparer over ``"consilium package manifest v1" ‖ 0 ‖ manifest``;
- ``report``: sealed to the site's member key (HPKE; purpose ``preparation report v1``, context the header's hash).

``residue`` has, for each sealed column, block and prime, the blob of :func:`app.core.crypto.format.pack_residue` of
(c0, c1), under the id ``((column · 8 + prime) << 20) | block``: residue after residue, so that a query reads what it
needs in long runs. Where R columns share a ciphertext, its number stands for theirs: the first holds 0 … R − 1. Column
0 says which slots hold a patient; the variables' columns follow in the catalogue's order. An imported dataset is
written in the order of the ids, so that they also lie in it; a package column after column, each in the order in which
its blocks were sealed.

Nobody needs a key to check sizes, hashes and signature; nobody learns a number of patients from it but by blocks, or by
the power of two of columns that share a ciphertext.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.core.crypto import format as own_format
from app.core.crypto.parameters import ParameterSet
from app.core.errors import EnvironmentProblem, ProtocolViolation
from app.core.files import disk_problems
from app.core.store.documents import MAX_HEADER, MAX_MANIFEST, MAX_PRIMES, VERSION, Header
from app.core.store.problems import database_problems

APPLICATION_ID = 0x434E5350  # "CNSP"
PAGE_SIZE = 65536
BLOCK_BITS = 20

DOCUMENT_TABLE = "CREATE TABLE document (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID"
RESIDUE_TABLE = "CREATE TABLE residue (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT"

_SELECT = "SELECT data FROM residue WHERE id = ?"
_SQLITE_MAGIC = b"SQLite format 3\0"
_SQLITE_HEADER = struct.Struct(">16sHBB")


def residue_id(group: int, prime: int, block: int) -> int:
    """Return the id of one residue of a column, or of a group of columns that share a ciphertext."""
    return (group * MAX_PRIMES + prime) << BLOCK_BITS | block


def stored_size(parameters: ParameterSet, residues: int) -> int:
    """Return about how many bytes of a file one block of a ciphertext takes: the pages' own share is a sixteenth."""
    return residues * own_format.residue_size(parameters) * 17 // 16


def open_for_writing(path: Path, *, durable: bool = True) -> sqlite3.Connection:
    """Open a dataset file that this program is still writing, or make one, readable by this user only.

    Nobody else can open it meanwhile. The connection is in autocommit mode. What is committed survives a crash, unless
    the file is not ``durable``: then it is worthless until it is whole, and whoever writes it flushes it.
    """
    with disk_problems(path):
        os.close(_private(str(path), os.O_RDWR | os.O_CREAT))
    with database_problems(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            connection.execute(f"PRAGMA page_size={PAGE_SIZE}")
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute(f"PRAGMA journal_mode={'TRUNCATE' if durable else 'OFF'}")
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
            connection.execute("BEGIN EXCLUSIVE")
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version={VERSION}")
                connection.execute(DOCUMENT_TABLE)
                connection.execute(RESIDUE_TABLE)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
    return connection


def journal_of(path: Path) -> Path:
    """Return where SQLite keeps the rollback journal of a file that is being written."""
    return path.with_name(path.name + "-journal")


class DatasetReader:
    """Reads residues of a dataset that was verified when it was imported. One thread, one connection.

    ``parameters`` must be those of the header. Nothing is kept in memory between reads.
    """

    def __init__(self, path: Path, parameters: ParameterSet) -> None:
        check_file(path)
        with database_problems(path):
            self._connection = open_read_only(path)
        self._path = path
        try:
            self.header = Header.decode(self._document("header", MAX_HEADER))
            if self.header.parameters != parameters.name:
                raise ProtocolViolation("package.other_parameters", found=self.header.parameters[:64])
        except BaseException:
            self._connection.close()
            raise
        self._parameters = parameters

    def residue(self, group: int, prime_index: int, block: int) -> NDArray[np.int64]:
        """Return (c0, c1) of one sealed column (or group of columns) and block at one prime: shape (2, N), checked.

        Raises EnvironmentProblem ``dataset.damaged`` if it is missing or not what it must be.
        """
        header = self.header
        if not (group >= 0 and 0 <= prime_index < header.residues and 0 <= block < header.blocks):
            raise IndexError((group, prime_index, block))
        data = next(self.read([residue_id(group, prime_index, block)]))
        try:
            return own_format.unpack_residue(
                self._parameters, data, header.residues, prime_index, header.columns_per_ciphertext
            )
        except ProtocolViolation as error:
            raise EnvironmentProblem("dataset.damaged", path=str(self._path)) from error

    def read(self, ids: Iterable[int]) -> Iterator[bytes]:
        """Yield the raw blobs with these ids (:func:`residue_id`), in that order; errors as :meth:`residue`."""
        execute = self._connection.execute
        with database_problems(self._path):
            for identifier in ids:
                row = execute(_SELECT, (identifier,)).fetchone()
                if row is None:
                    raise EnvironmentProblem("dataset.damaged", path=str(self._path))
                yield row[0]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _document(self, name: str, limit: int) -> bytes:
        with database_problems(self._path):
            return document(self._connection, name, limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_file(path: Path) -> None:
    """Check the first 100 bytes and the size before SQLite sees the file.

    Raises ProtocolViolation ``package.not_a_package``, ``package.newer``, ``package.truncated``.
    """
    with disk_problems(path), open(path, "rb") as file:
        start = file.read(100)
        size = file.seek(0, 2)
    if len(start) < 100 or not start.startswith(_SQLITE_MAGIC):
        raise ProtocolViolation("package.not_a_package", file=path.name)
    _, page, write_version, read_version = _SQLITE_HEADER.unpack_from(start)
    pages, user_version, application = (struct.unpack_from(">I", start, offset)[0] for offset in (28, 60, 68))
    if application != APPLICATION_ID or page != 1 or (write_version, read_version) != (1, 1):  # 1 stands for 65,536
        raise ProtocolViolation("package.not_a_package", file=path.name)
    if user_version > VERSION:
        raise ProtocolViolation("package.newer", found=user_version, known=VERSION)
    if size != pages * PAGE_SIZE:
        raise ProtocolViolation("package.truncated", file=path.name, size=size, expected=pages * PAGE_SIZE)


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a file that nobody writes to, running nothing that may be in it."""
    uri = path.absolute().as_uri() + "?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    connection.execute("PRAGMA query_only=ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_MANIFEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    return connection


def document(connection: sqlite3.Connection, name: str, limit: int) -> bytes:
    """Return one document of at most ``limit`` bytes; raises ProtocolViolation ``package.malformed``."""
    row = connection.execute("SELECT length(data), typeof(data) FROM document WHERE name = ?", (name,)).fetchone()
    if row is None or row[0] > limit or row[1] != "blob":
        raise ProtocolViolation("package.malformed", part=name)
    return bytes(connection.execute("SELECT data FROM document WHERE name = ?", (name,)).fetchone()[0])


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
