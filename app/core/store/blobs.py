"""Large files of the profile, named by their SHA-256: ceremony shares, keys, contributions.

A blob is written whole or not at all; it is checked against its name whenever it is read.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from app.core.errors import EnvironmentProblem, ProtocolViolation
from app.core.files import disk_problems, private_directory, publish

_CHUNK = 1 << 20
_DIGEST = 32
_UNFINISHED = ".part"


class BlobStore:
    """Content-addressed files below one directory, two levels deep."""

    def __init__(self, directory: Path) -> None:
        self._directory = private_directory(directory)

    def put(self, content: bytes | Iterable[bytes], *, limit: int, expected: bytes | None = None) -> bytes:
        """Store ``content`` (whole, or in pieces) and return its SHA-256.

        Raises ProtocolViolation ``blob.too_large`` beyond ``limit`` bytes and ``blob.altered`` if the digest is not the
        ``expected`` one; EnvironmentProblem ``disk.full``.
        """
        digest, size = hashlib.sha256(), 0
        temporary = self._directory / f"{secrets.token_hex(8)}{_UNFINISHED}"
        try:
            with disk_problems(temporary), open(temporary, "xb", opener=_private) as file:
                for piece in [content] if isinstance(content, bytes) else content:
                    size += len(piece)
                    if size > limit:
                        raise ProtocolViolation("blob.too_large", size=size, limit=limit)
                    digest.update(piece)
                    file.write(piece)
            name = digest.digest()
            if expected is not None and name != expected:
                raise ProtocolViolation("blob.altered", name=expected.hex())
            target = self.path(name)
            private_directory(target.parent)
            publish(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        return name

    def path(self, name: bytes) -> Path:
        """Return where the blob called ``name`` lies or would lie; reading it so skips the check of its content."""
        if len(name) != _DIGEST:
            raise ProtocolViolation("blob.bad_name")
        digits = name.hex()
        return self._directory / digits[:2] / digits[2:]

    def __contains__(self, name: bytes) -> bool:
        return self.path(name).is_file()

    def get(self, name: bytes, *, limit: int) -> bytes:
        """Return a blob's bytes after checking them against its name.

        Raises EnvironmentProblem ``blob.missing`` or ``blob.damaged``, ProtocolViolation ``blob.too_large``.
        """
        data = b"".join(self._pieces(name, limit))
        if hashlib.sha256(data).digest() != name:
            raise EnvironmentProblem("blob.damaged", name=name.hex())
        return data

    def verified_path(self, name: bytes, *, limit: int) -> Path:
        """Return the path of a blob after reading it through and checking it against its name; errors as ``get``."""
        digest = hashlib.sha256()
        for piece in self._pieces(name, limit):
            digest.update(piece)
        if digest.digest() != name:
            raise EnvironmentProblem("blob.damaged", name=name.hex())
        return self.path(name)

    def remove(self, name: bytes) -> None:
        """Delete a blob; nothing happens if it is not there."""
        path = self.path(name)
        with disk_problems(path):
            path.unlink(missing_ok=True)

    def names(self) -> Iterator[bytes]:
        """Yield the names of all blobs."""
        for path in self._directory.glob("??/*"):
            with suppress(ValueError):  # a temporary file of an interrupted write
                yield bytes.fromhex(path.parent.name + path.name)

    def clean(self) -> None:
        """Remove what interrupted writes left behind. Only for the profile's owner, when it opens."""
        for path in self._directory.glob(f"*{_UNFINISHED}"):
            path.unlink(missing_ok=True)

    def _pieces(self, name: bytes, limit: int) -> Iterator[bytes]:
        path = self.path(name)
        if not path.is_file():
            raise EnvironmentProblem("blob.missing", name=name.hex())
        with disk_problems(path), open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise ProtocolViolation("blob.too_large", size=size, limit=limit)
            while piece := file.read(_CHUNK):
                yield piece


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
