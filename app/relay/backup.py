"""A relay's backup: one file with everything it keeps, made while it runs, and a relay made from it again.

A tar archive, version 1, in this order::

    blobs/<federation>/<two digits>/<the others>   whole blobs
    relay.db                                       SQLite, one moment's state
    relay.toml notices.json tls/<name>             what of them is there
    manifest.json                                  {"format": "consilium-relay-backup", "version": 1, "made": UTC ms,
                                                    "files": {name: SHA-256}} of all but the blobs

The database is copied first, by SQLite's online backup, so it is the state of one moment; then the blobs that it names.
One that was deleted in between is left out of the copy as well. Unfinished uploads are not in it: their senders begin
anew. ``tls`` holds the private CA's key, so the file is for its owner alone and worth as much as the relay itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.core.errors import EnvironmentProblem, UserError
from app.core.files import disk_problems, private_directory, publish
from app.relay.administration import own
from app.relay.blobs import BlobFiles, BlobName, forget, size_of
from app.relay.database import FILE, connect

FORMAT, VERSION = "consilium-relay-backup", 1
RESTORING = "restoring"
"""The folder of a restore under way; a relay does not start beside it."""
_MANIFEST = "manifest.json"
_MANIFEST_LIMIT = 1 << 20
_OTHERS = ("relay.toml", "notices.json")
_BLOB = re.compile(r"blobs/[0-9a-f]{64}/[0-9a-f]{2}/[0-9a-f]{62}")
_NAME = re.compile(r"relay\.db|relay\.toml|notices\.json|tls/[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PIECE = 1 << 20


@dataclass(frozen=True)
class Contents:
    """What a backup holds: messages that wait for somebody, blobs, and when it was made (UTC ms)."""

    messages: int
    blobs: int
    made: int


def back_up(directory: Path, target: Path, *, now: int) -> Contents:
    """Write a backup of the relay on ``directory``, running or not, to the new file ``target``.

    Raises UserError ``relay.backup_exists``, ``relay.other_owner``; EnvironmentProblem ``relay.not_set_up``,
    ``relay.backup_blob`` (a blob's file is gone or altered), ``relay.database_*``, ``disk.full``, ``file.*``.
    """
    if target.exists():
        raise UserError("relay.backup_exists", path=str(target))
    if not (directory / FILE).is_file():
        raise EnvironmentProblem("relay.not_set_up", path=str(directory))
    own(directory)
    with disk_problems(target), tempfile.TemporaryDirectory(prefix=".relay-backup-", dir=target.parent) as place:
        archive, copy = Path(place, "archive"), Path(place, FILE)
        with closing(connect(directory)) as live, closing(_copied(live, copy)) as database, _archive(archive) as tar:
            blobs = _put_blobs(tar, directory, live, database)
            (messages,) = database.execute("SELECT count(*) FROM messages WHERE waiting > 0").fetchone()
            database.close()
            files = {FILE: _put(tar, FILE, copy)}
            for name in (*_OTHERS, *_names_in(directory / "tls")):
                if (directory / name).is_file():
                    files[name] = _put(tar, name, directory / name)
            manifest = {"format": FORMAT, "version": VERSION, "made": now, "files": files}
            _put_bytes(tar, _MANIFEST, json.dumps(manifest, sort_keys=True).encode())
        publish(archive, target)
    return Contents(messages, blobs, now)


def restore(source: Path, directory: Path) -> Contents:
    """Make a relay's folder from the backup ``source``: in ``directory``, which is empty or does not exist.

    Nothing in it is a relay before all was read and checked. Raises UserError ``relay.restore_not_empty``,
    ``relay.other_owner``; EnvironmentProblem ``relay.backup_damaged``, ``relay.backup_newer``, ``relay.database_*``,
    ``disk.full``, ``file.*``.
    """
    private_directory(directory)
    own(directory)
    if any(path.name != RESTORING for path in directory.iterdir()):
        raise UserError("relay.restore_not_empty", path=str(directory))
    staging = directory / RESTORING
    with disk_problems(directory):
        shutil.rmtree(staging, ignore_errors=True)  # of one that was cut off
        private_directory(staging)
        try:
            contents = _unpack(source, staging)
            for path in sorted(
                staging.iterdir(), key=lambda path: path.name == FILE
            ):  # what makes it a relay comes last
                path.rename(directory / path.name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return contents


# --- writing --------------------------------------------------------------------------------------------------------


def _copied(live: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    path.touch(0o600)
    copy = sqlite3.connect(path, isolation_level=None)
    live.backup(copy)
    copy.execute("PRAGMA journal_mode=DELETE")  # one file, whole by itself
    return copy


@contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        yield tar


def _put_blobs(tar: tarfile.TarFile, directory: Path, live: sqlite3.Connection, copy: sqlite3.Connection) -> int:
    files, count = BlobFiles(directory), 0
    rows = copy.execute("SELECT federation, name, owner, size FROM blobs ORDER BY federation, name").fetchall()
    for federation, name, owner, size in rows:
        blob = BlobName(federation, name)
        path = files.path(blob)
        try:
            altered = (
                path.stat().st_size != size or _put(tar, path.relative_to(directory).as_posix(), path) != name.hex()
            )
        except FileNotFoundError:
            altered = size_of(live, blob) is not None  # else withdrawn or past its retention since the copy was made
            forget(copy, blob, owner, size)
            count -= 1
        if altered:
            raise EnvironmentProblem("relay.backup_blob", path=str(path))
        count += 1
    return count


def _names_in(directory: Path) -> list[str]:
    if not directory.is_dir():
        return []
    return [name for path in sorted(directory.iterdir()) if _NAME.fullmatch(name := f"{directory.name}/{path.name}")]


def _put(tar: tarfile.TarFile, name: str, path: Path) -> str:
    """Add a file and return its SHA-256."""
    with open(path, "rb") as file:
        reading = _Hashing(file)
        tar.addfile(_member(name, os.fstat(file.fileno()).st_size), reading)
        return reading.digest.hexdigest()


def _put_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_member(name, len(data)), io.BytesIO(data))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


class _Hashing:
    """A file that knows the hash of what was read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


# --- reading --------------------------------------------------------------------------------------------------------


def _unpack(source: Path, staging: Path) -> Contents:
    digests: dict[str, str] = {}
    manifest = b""
    try:
        with disk_problems(source), open(source, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() and member.name not in digests else None
                if content is None or manifest:
                    raise _damaged(source)
                if member.name == _MANIFEST and member.size <= _MANIFEST_LIMIT:
                    manifest = content.read()
                    continue
                if not (_BLOB.fullmatch(member.name) or _NAME.fullmatch(member.name)):
                    raise _damaged(source)
                digests[member.name] = _write(staging / member.name, content)
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(source) from error
    made = _check_manifest(
        source, manifest, {name: each for name, each in digests.items() if not _BLOB.fullmatch(name)}
    )
    if any(each != name[-65:].replace("/", "") for name, each in digests.items() if _BLOB.fullmatch(name)):
        raise _damaged(source)
    return _check_database(source, staging, made)


def _write(path: Path, content: IO[bytes]) -> str:
    private_directory(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    digest = hashlib.sha256()
    with os.fdopen(descriptor, "wb") as file:
        while piece := content.read(_PIECE):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _check_manifest(source: Path, manifest: bytes, digests: dict[str, str]) -> int:
    try:
        found = json.loads(manifest)
    except ValueError as error:
        raise _damaged(source) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or type(found.get("version")) is not int:
        raise _damaged(source)
    if found["version"] > VERSION:
        raise EnvironmentProblem("relay.backup_newer", path=str(source))
    if found.get("files") != digests or FILE not in digests or type(found.get("made")) is not int:
        raise _damaged(source)
    return int(found["made"])


def _check_database(source: Path, staging: Path, made: int) -> Contents:
    with closing(connect(staging)) as database:
        if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise _damaged(source)
        rows = database.execute("SELECT federation, name FROM blobs").fetchall()
        (messages,) = database.execute("SELECT count(*) FROM messages WHERE waiting > 0").fetchone()
    files = BlobFiles(staging)
    if {files.path(BlobName(*row)) for row in rows} != set((staging / "blobs").glob("*/??/*")):
        raise _damaged(source)
    return Contents(messages, len(rows), made)


def _damaged(source: Path) -> EnvironmentProblem:
    return EnvironmentProblem("relay.backup_damaged", path=str(source))
