"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.errors import EnvironmentProblem


@contextmanager
def disk_problems(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into errors that name the path."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EnvironmentProblem("disk.full", path=str(path)) from error
        if isinstance(error, FileNotFoundError):
            raise EnvironmentProblem("file.not_found", path=str(path)) from error
        if isinstance(error, PermissionError):
            raise EnvironmentProblem("file.not_permitted", path=str(path)) from error
        raise EnvironmentProblem("file.failed", path=str(path), reason=error.strerror or str(error)) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it onto ``path`` at the end, or remove it on any error."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def publish(temporary: Path, path: Path) -> None:
    """Make the finished file ``temporary`` appear as ``path`` (same disk), surviving a power cut from then on."""
    with disk_problems(path):
        _sync(temporary)
        os.replace(temporary, path)
        _sync_directory(path.parent)


def publish_directory(temporary: Path, path: Path) -> None:
    """Make the finished directory ``temporary`` appear as ``path``, which does not exist; as :func:`publish`."""
    with disk_problems(path):
        temporary.rename(path)
        _sync_directory(path.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, readable by this user only; an interrupted write leaves the old file."""
    with replacing(path) as temporary, disk_problems(path):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)


def read_limited(path: Path, limit: int) -> bytes:
    """Return the content of the file ``path``; raises EnvironmentProblem ``file.too_large`` above ``limit`` bytes."""
    with disk_problems(path), open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise EnvironmentProblem("file.too_large", path=str(path), limit=limit)
    return data


def private_directory(path: Path) -> Path:
    """Create ``path`` (and parents) for this user only, and return it."""
    with disk_problems(path):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _sync(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    if os.name != "posix":  # Windows cannot open a directory; its rename is journalled by NTFS
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
