"""The work file: the blocks that an interrupted preparation has already sealed.

It lies beside the output as ``.<output>.work`` and has the tables of a dataset file, with the documents ``header`` and
``work`` only. Nothing in it helps a thief: blocks are sealed, and ``work`` holds a random salt and a tag. The seed of
the patients' order is derived from the salt and the preparer's secret, which stays in the keyring; so a resumed
preparation puts every patient where the first run did, and once the file is deleted the order is gone. The tag
authenticates everything that is sealed (each bit, every column, the federation's keys): a changed input is noticed.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from app.core import codec
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.files import disk_problems
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.table import ClearTable
from app.core.secret import SecretBytes
from app.core.store.dataset_file import document, journal_of, open_for_writing, residue_id
from app.core.store.documents import MAX_HEADER, Header
from app.core.store.problems import database_problems

_FORMAT = "consilium-preparation-work"
_VERSION = 1
_SALT_BYTES = 32
_COMMIT_EVERY = 2.0  # seconds of work that a crash may cost


def work_path(output: Path) -> Path:
    """Return where the work file of an output lies."""
    return output.with_name(f".{output.name}.work")


class WorkFile:
    """An open work file; ``header`` is the package's, the same in every run."""

    def __init__(self, path: Path, connection: sqlite3.Connection, header: Header, order_seed: SecretBytes) -> None:
        self.path = path
        self._connection = connection
        self.header = header
        self.order_seed = order_seed
        self._committed = time.monotonic()
        self._closed = False

    @classmethod
    def open(
        cls,
        path: Path,
        new_header: Header,
        table: ClearTable,
        *,
        public_key: bytes,
        preparer: PreparerKey,
        random: Callable[[int], bytes],
    ) -> WorkFile:
        """Begin a preparation of ``table`` as ``new_header`` says, or take up the one that was interrupted.

        Raises UserError ``prepare.input_changed`` if another input, federation or preparer began it;
        EnvironmentProblem ``prepare.work_damaged``, ``database.locked`` (another program is at it), ``disk.*``.
        """
        connection = _opened(path)
        try:
            with database_problems(path):
                begun = connection.execute("SELECT 1 FROM document WHERE name = 'work'").fetchone() is not None
                if not begun:
                    salt = random(_SALT_BYTES)
                    tag = _tag(new_header, table, public_key, preparer.input_key(salt))
                    work = codec.encode({"format": _FORMAT, "version": _VERSION, "salt": salt, "tag": tag})
                    connection.execute("BEGIN")
                    connection.execute("DELETE FROM residue")
                    connection.execute("INSERT OR REPLACE INTO document VALUES ('header', ?)", (new_header.encode(),))
                    connection.execute("INSERT INTO document VALUES ('work', ?)", (work,))
                    connection.execute("COMMIT")
                    header = new_header
                else:
                    begun_as, salt, tag = _read(path, connection)
                    if not hmac.compare_digest(tag, _tag(new_header, table, public_key, preparer.input_key(salt))):
                        raise UserError("prepare.input_changed", work=str(path))
                    header = replace(new_header, dataset=begun_as.dataset, created=begun_as.created)
                connection.execute("BEGIN")
        except BaseException:
            connection.close()
            raise
        return cls(path, connection, header, preparer.order_seed(salt))

    def has(self, column: int, block: int) -> bool:
        """Return whether a block was sealed already."""
        last = residue_id(column, self.header.residues - 1, block)  # a block is stored whole: one residue tells
        with database_problems(self.path):
            return self._connection.execute("SELECT 1 FROM residue WHERE id = ?", (last,)).fetchone() is not None

    def count(self) -> int:
        """Return how many blocks were sealed already."""
        with database_problems(self.path):
            row = self._connection.execute("SELECT count(*) FROM residue").fetchone()
        return int(row[0]) // self.header.residues

    def put(self, column: int, block: int, blobs: tuple[bytes, ...]) -> None:
        """Keep a sealed block; it is safe from a crash two seconds later, or after :meth:`close`."""
        with database_problems(self.path):
            self._connection.executemany(  # OR REPLACE: an interruption may have left some residues of the block
                "INSERT OR REPLACE INTO residue VALUES (?, ?)",
                [(residue_id(column, prime, block), blob) for prime, blob in enumerate(blobs)],
            )
            if time.monotonic() - self._committed >= _COMMIT_EVERY:
                self._connection.execute("COMMIT")
                self._connection.execute("BEGIN")
                self._committed = time.monotonic()

    def get(self, column: int, prime: int, block: int) -> bytes:
        """Return one residue. Raises EnvironmentProblem ``prepare.work_damaged`` if it is missing."""
        with database_problems(self.path):
            identifier = residue_id(column, prime, block)
            row = self._connection.execute("SELECT data FROM residue WHERE id = ?", (identifier,)).fetchone()
        if row is None:
            raise EnvironmentProblem("prepare.work_damaged", work=str(self.path))
        return bytes(row[0])

    def close(self) -> None:
        """Keep what was sealed and close. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        with database_problems(self.path):
            try:
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT")
            finally:
                self._connection.close()

    def remove(self) -> None:
        """Close, and delete the file: the package is there, and the patients' order is gone with the salt."""
        self.close()
        remove_work(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def remove_finished(path: Path, dataset: bytes) -> None:
    """Delete the work file at ``path``, if there is one, and it is that of the finished ``dataset``."""
    if not path.exists():
        return
    with closing(_opened(path)) as connection:
        finished = _read(path, connection)[0].dataset == dataset
    if finished:
        remove_work(path)


def remove_work(path: Path) -> None:
    """Delete a work file, if there is one."""
    for each in (path, journal_of(path)):
        with disk_problems(each):
            each.unlink(missing_ok=True)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        return open_for_writing(path)
    except EnvironmentProblem as error:
        if error.code == "database.damaged":
            raise EnvironmentProblem("prepare.work_damaged", work=str(path)) from error
        if error.code == "database.locked":
            raise EnvironmentProblem("prepare.in_use", work=str(path)) from error
        raise


def _read(path: Path, connection: sqlite3.Connection) -> tuple[Header, bytes, bytes]:
    try:
        header = Header.decode(document(connection, "header", MAX_HEADER))
        work = codec.decode(document(connection, "work", 4096), 4096)
        if work["format"] != _FORMAT or work["version"] != _VERSION:
            raise EnvironmentProblem("prepare.work_damaged", work=str(path))
        return header, bytes(work["salt"]), bytes(work["tag"])
    except (ProtocolViolation, KeyError, TypeError) as error:
        raise EnvironmentProblem("prepare.work_damaged", work=str(path)) from error


def _tag(header: Header, table: ClearTable, public_key: bytes, key: SecretBytes) -> bytes:
    """Authenticate what is sealed: header (but for its random id and time), public key, number of patients, bits."""
    same = replace(header, dataset=bytes(16), created=0)
    mac = hmac.new(key.reveal(), codec.encode([same.encode(), public_key, table.patients]), hashlib.sha256)
    mac.update(np.ascontiguousarray(table.bits).data)
    return mac.digest()
