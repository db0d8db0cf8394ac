"""The work file: the package while it grows, and what an interrupted preparation needs to go on.

The blocks lie in ``.<output>.work``, a dataset file that becomes the package: when the last block is there it gets its
documents and then its name, so nothing is written twice. Beside it lies ``.<output>.resume``, written once before the
first block: the header, a random salt and a tag. The seed of the patients' order is derived from the salt and the
preparer's secret, which stays in the keyring; so a resumed preparation puts every patient where the first run did, and
once that file is deleted, when the package has its name, the order is gone. The tag authenticates everything that is
sealed (each value, every column, the federation's keys): a changed input is noticed.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from app.core import codec
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.files import disk_problems, publish, read_limited, write_atomic
from app.core.preparation.encrypting import Sealed, digest_of
from app.core.preparation.preparer import PreparerKey
from app.core.secret import SecretBytes
from app.core.store.dataset_file import BLOCK_BITS, document, journal_of, open_for_writing, residue_id
from app.core.store.documents import MAX_HEADER, MAX_PRIMES, Header
from app.core.store.problems import database_problems

if TYPE_CHECKING:
    from app.core.preparation.table import ClearTable

_FORMAT = "consilium-preparation-work"
_VERSION = 2
_SALT_BYTES = 32
_MAX_RESUME = MAX_HEADER + 4096
_COMMIT_EVERY = 2.0  # seconds of work that a crash may cost
_UNKNOWN = bytes(32)  # no block has this hash


def work_path(output: Path) -> Path:
    """Return where the work file of an output lies."""
    return output.with_name(f".{output.name}.work")


def resume_path(work: Path) -> Path:
    """Return where it lies how the preparation of a work file goes on."""
    return work.with_suffix(".resume")


class WorkFile:
    """An open work file; ``header`` is the package's, the same in every run; ``done`` counts the sealed blocks."""

    def __init__(self, path: Path, connection: sqlite3.Connection, header: Header, order_seed: SecretBytes) -> None:
        self.path = path
        self.header = header
        self.order_seed = order_seed
        self._connection = connection
        self._digests = [bytearray(32 * header.blocks) for _ in range(header.groups)]
        self._sealed = self._sealed_before()
        self.done = int(self._sealed.sum())
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
        EnvironmentProblem ``prepare.work_damaged``, ``prepare.in_use`` (another program is at it), ``disk.*``.
        """
        connection = _opened(path)
        try:
            begun = _begun(path, connection)
            if begun is None:
                header, salt = new_header, random(_SALT_BYTES)
                connection = _emptied(path, connection)
                with database_problems(path):
                    connection.execute("INSERT INTO document VALUES ('header', ?)", (header.encode(),))
                tag = _tag(header, table, public_key, preparer.input_key(salt))
                write_atomic(resume_path(path), _Begun(header, salt, tag).encode())
            else:
                header, salt = (
                    replace(new_header, dataset=begun.header.dataset, created=begun.header.created),
                    begun.salt,
                )
                if not hmac.compare_digest(begun.tag, _tag(header, table, public_key, preparer.input_key(salt))):
                    raise UserError("prepare.input_changed", work=str(path))
            with database_problems(path):
                connection.execute("BEGIN")
            return cls(path, connection, header, preparer.order_seed(salt))
        except BaseException:
            connection.close()
            raise

    def has(self, group: int, block: int) -> bool:
        """Return whether a block of a group of columns (those that share a ciphertext) is sealed."""
        return bool(self._sealed[group, block])

    def put(self, group: int, block: int, sealed: Sealed) -> None:
        """Keep a sealed block; it is safe from a crash two seconds later, or after :meth:`close`."""
        with database_problems(self.path):
            self._connection.executemany(  # OR REPLACE: an interruption may have left some residues of the block
                "INSERT OR REPLACE INTO residue VALUES (?, ?)",
                [(residue_id(group, prime, block), blob) for prime, blob in enumerate(sealed.blobs)],
            )
            if time.monotonic() - self._committed >= _COMMIT_EVERY:
                self._connection.execute("COMMIT")
                self._connection.execute("BEGIN")
                self._committed = time.monotonic()
        self._digests[group][32 * block : 32 * block + 32] = sealed.digest
        self._sealed[group, block] = True
        self.done += 1

    def digests(self, group: int) -> bytes:
        """Return the hashes of a group's blocks one after the other; those that an earlier run sealed are read."""
        digests = self._digests[group]
        for block in range(self.header.blocks):
            place = slice(32 * block, 32 * block + 32)
            if digests[place] == _UNKNOWN:
                digests[place] = digest_of(self._blobs(group, block))
        return bytes(digests)

    def finish(self, output: Path, documents: Mapping[str, bytes]) -> None:
        """Add the documents, and give the file the output's name; how the preparation goes on is forgotten."""
        with database_problems(self.path):
            self._connection.executemany("INSERT OR REPLACE INTO document VALUES (?, ?)", documents.items())
        self.close()
        publish(self.path, output)
        remove_work(self.path)

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _sealed_before(self) -> NDArray[np.bool_]:
        """Return for each group of columns and block whether all of its residues are there."""
        found = np.zeros((self.header.groups, self.header.blocks), np.uint8)
        with database_problems(self.path):
            for (identifier,) in self._connection.execute("SELECT id FROM residue"):
                found[(identifier >> BLOCK_BITS) // MAX_PRIMES, identifier & (1 << BLOCK_BITS) - 1] += 1
        return np.equal(found, self.header.residues)

    def _blobs(self, group: int, block: int) -> tuple[bytes, ...]:
        ids = [(residue_id(group, prime, block),) for prime in range(self.header.residues)]
        with database_problems(self.path):
            select = "SELECT data FROM residue WHERE id = ?"
            rows = [self._connection.execute(select, identifier).fetchone() for identifier in ids]
        if None in rows:
            raise EnvironmentProblem("prepare.work_damaged", work=str(self.path))
        return tuple(row[0] for row in rows)


def remove_finished(path: Path, dataset: bytes) -> None:
    """Delete what is left of a preparation that was killed after its package, ``dataset``, got its name."""
    begun = _read(path)
    if begun is not None and begun.header.dataset == dataset:
        remove_work(path)


def remove_work(path: Path) -> None:
    """Delete a work file and how it goes on, if they are there; the latter last, for it tells of the others."""
    for each in (journal_of(path), path, resume_path(path)):
        with disk_problems(each):
            each.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Begun:
    """What the file beside the work file says."""

    header: Header
    salt: bytes
    tag: bytes

    def encode(self) -> bytes:
        fields = {"header": self.header.encode(), "salt": self.salt, "tag": self.tag}
        return codec.encode({"format": _FORMAT, "version": _VERSION, **fields})


def _opened(path: Path) -> sqlite3.Connection:
    try:
        return open_for_writing(path)
    except EnvironmentProblem as error:
        if error.code == "database.damaged":
            raise EnvironmentProblem("prepare.work_damaged", work=str(path)) from error
        if error.code == "database.locked":
            raise EnvironmentProblem("prepare.in_use", work=str(path)) from error
        raise


def _emptied(path: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return the connection to a file without any rows: a new file, since deleting rows would leave holes."""
    with database_problems(path):
        tables = ("document", "residue")
        if not any(connection.execute(f"SELECT 1 FROM {each} LIMIT 1").fetchone() for each in tables):
            return connection
    connection.close()
    remove_work(path)
    return _opened(path)


def _begun(path: Path, connection: sqlite3.Connection) -> _Begun | None:
    """Return how the preparation in the open work file began; None if it did not, or nobody knows any more."""
    begun = _read(path)
    with database_problems(path):
        if begun is None or connection.execute("SELECT 1 FROM document WHERE name = 'header'").fetchone() is None:
            return None
        try:
            same = document(connection, "header", MAX_HEADER) == begun.header.encode()
        except ProtocolViolation as error:
            raise EnvironmentProblem("prepare.work_damaged", work=str(path)) from error
    return begun if same else None


def _read(path: Path) -> _Begun | None:
    resume = resume_path(path)
    if not resume.exists():
        return None
    try:
        plain = codec.decode(read_limited(resume, _MAX_RESUME), _MAX_RESUME)
        if plain["format"] != _FORMAT or plain["version"] != _VERSION:
            raise EnvironmentProblem("prepare.work_damaged", work=str(path))
        return _Begun(Header.decode(plain["header"]), bytes(plain["salt"]), bytes(plain["tag"]))
    except (ProtocolViolation, KeyError, TypeError) as error:
        raise EnvironmentProblem("prepare.work_damaged", work=str(path)) from error


def _tag(header: Header, table: ClearTable, public_key: bytes, key: SecretBytes) -> bytes:
    """Authenticate what is sealed: header (but for its random id and time), public key, number of patients, values."""
    same = replace(header, dataset=bytes(16), created=0)
    mac = hmac.new(key.reveal(), codec.encode([same.encode(), public_key, table.patients]), hashlib.sha256)
    for column in range(len(table.columns)):
        mac.update(np.ascontiguousarray(table.values(column), np.uint8).data)
    return mac.digest()
