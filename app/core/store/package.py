"""Packages from outside: a file that may be altered, cut or hostile, opened without trusting it.

SQLite sees the file only after its first bytes and its size were checked, read-only and immutable, with no trusted
schema; the two tables must be exactly ours, so nothing in the file can run.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from app.core.crypto import format as own_format
from app.core.crypto.parameters import ParameterSet
from app.core.errors import ConsiliumError, EnvironmentProblem, ProtocolViolation
from app.core.jobs.job import CancelToken
from app.core.store.dataset_file import (
    DOCUMENT_TABLE,
    RESIDUE_TABLE,
    check_file,
    document,
    open_read_only,
    residue_id,
)
from app.core.store.documents import MAX_HEADER, MAX_MANIFEST, MAX_REPORT, Header, Manifest, check_signature
from app.core.store.problems import database_problems


class Package:
    """A package from outside, opened without trusting it; its documents are checked, its residues are not yet.

    ``header``, ``manifest`` and ``report`` agree with each other and with ``signature`` by ``manifest.preparer``;
    whether that preparer may be believed is the caller's question.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self.header_bytes = document(connection, "header", MAX_HEADER)
        self.header = Header.decode(self.header_bytes)
        self.manifest_bytes = document(connection, "manifest", MAX_MANIFEST)
        self.manifest = Manifest.decode(self.manifest_bytes, self.header)
        self.signature = document(connection, "signature", 64)
        self.report = document(connection, "report", MAX_REPORT)
        check_signature(self.manifest_bytes, self.signature, self.manifest.preparer)
        if hashlib.sha256(self.header_bytes).digest() != self.manifest.header:
            raise ProtocolViolation("package.altered", part="header")
        if hashlib.sha256(self.report).digest() != self.manifest.report:
            raise ProtocolViolation("package.altered", part="report")

    @property
    def manifest_hash(self) -> bytes:
        """SHA-256 of the manifest: names this very package."""
        return hashlib.sha256(self.manifest_bytes).digest()

    def check_complete(self) -> None:
        """Raise ProtocolViolation ``package.incomplete`` unless there is one residue for each id and none besides.

        Their ids alone are looked at; a surplus row with an id between others is found because the counts differ.
        """
        header = self.header
        with package_problems(self.path):
            rows = self._connection.execute(
                "SELECT count(*), coalesce(min(id), -1), coalesce(max(id), -1) FROM residue"
            ).fetchone()
        count = header.groups * header.residues * header.blocks
        last = residue_id(header.groups - 1, header.residues - 1, header.blocks - 1) if count else -1
        if rows != (count, 0 if count else -1, last):
            raise ProtocolViolation("package.incomplete", expected=count, found=rows[0])

    def group(self, group: int, parameters: ParameterSet) -> Iterator[tuple[int, bytes]]:
        """Yield (id, blob) of all residues of one column, or of a group of columns that share a ciphertext, in order.

        Every blob's size, header and residues are checked before it is yielded; the hashes of the blocks when the
        group ends, so keep nothing of one that did not end. Raises ProtocolViolation ``package.altered``,
        ``package.incomplete``.
        """
        header = self.header
        size = own_format.residue_size(parameters)
        hashes = [hashlib.sha256() for _ in range(header.blocks)]
        with package_problems(self.path):
            for prime in range(header.residues):
                for block in range(header.blocks):
                    identifier = residue_id(group, prime, block)
                    row = self._connection.execute(
                        "SELECT data FROM residue WHERE id = ? AND length(data) = ?", (identifier, size)
                    ).fetchone()
                    if row is None or type(row[0]) is not bytes:
                        raise ProtocolViolation("package.altered", part=_place(header, group, block))
                    _check_blob(parameters, header, row[0], prime, _place(header, group, block))
                    hashes[block].update(row[0])
                    yield identifier, row[0]
        for block, digest in enumerate(hashes):
            if digest.digest() != self.manifest.block_hash(group, block):
                raise ProtocolViolation("package.altered", part=_place(header, group, block))


@contextmanager
def open_package(path: Path, cancel: CancelToken | None = None) -> Iterator[Package]:
    """Open a file that may be a hostile package, read-only, running nothing that is in it.

    That reads the whole file once, to see that its pages hang together; ``cancel`` interrupts it. Raises Cancelled;
    ProtocolViolation: ``package.not_a_package``, ``package.newer``, ``package.truncated``, ``package.damaged``,
    ``package.foreign_content``, ``package.malformed``, ``package.altered``, ``package.bad_signature``.
    """
    check_file(path)
    with package_problems(path):
        connection = open_read_only(path)
    with closing(connection):
        with package_problems(path):
            found = {(kind, name, sql) for kind, name, sql in _schema(connection)}
            if found != {("table", "document", DOCUMENT_TABLE), ("table", "residue", RESIDUE_TABLE)}:
                raise ProtocolViolation("package.foreign_content")
            _check_pages(connection, cancel or CancelToken())
            names = {name for (name,) in connection.execute("SELECT name FROM document LIMIT 5")}
            if names != {"header", "manifest", "signature", "report"}:
                raise ProtocolViolation("package.foreign_content")
            package = Package(path, connection)
        yield package


@contextmanager
def package_problems(path: Path) -> Iterator[None]:
    """Like :func:`database_problems`, but damage is the package's: ProtocolViolation ``package.damaged``."""
    try:
        with database_problems(path):
            yield
    except EnvironmentProblem as error:
        if error.code == "database.damaged" or isinstance(error.__cause__, sqlite3.DataError):
            raise ProtocolViolation("package.damaged") from error
        raise
    except UnicodeDecodeError as error:  # SQLite quotes a broken schema, and Python cannot read the quotation
        raise ProtocolViolation("package.damaged") from error


def _check_pages(connection: sqlite3.Connection, cancel: CancelToken) -> None:
    cancel.check()
    with cancel.interrupting(connection.interrupt):
        try:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.OperationalError:
            cancel.check()  # it was interrupted
            raise
    if found != "ok":
        raise ProtocolViolation("package.damaged")


def _schema(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    return connection.execute("SELECT type, name, sql FROM sqlite_master LIMIT 10").fetchall()


def _check_blob(parameters: ParameterSet, header: Header, data: bytes, prime: int, place: str) -> None:
    try:
        own_format.unpack_residue(parameters, data, header.residues, prime, header.columns_per_ciphertext)
    except ConsiliumError as error:
        raise ProtocolViolation("package.altered", part=place) from error


def _place(header: Header, group: int, block: int) -> str:
    found = header.group(group)[0]
    return f"{found.variable} {found.part}, {block + 1}"
