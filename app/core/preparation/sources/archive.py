"""Look into a zip archive before anybody unpacks it: how large it really is, and what its parts hold."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from app.core.errors import UserError
from app.core.files import disk_problems

MAX_UNPACKED = 2 << 30
"""Bytes that all parts of an archive may have, unpacked."""
MAX_PARTS = 10_000
_CHUNK = 1 << 20
_LOCAL_HEADER = 30


class Archive:
    """A zip archive whose parts are read in pieces, each byte counted as it is unpacked, whatever the archive says."""

    def __init__(self, path: Path, format: str) -> None:
        """Read the list of parts. Raises UserError ``sources.damaged``, ``sources.too_large``; EnvironmentProblem."""
        self._path = path
        self._format = format
        self._unpacked = 0
        try:
            with disk_problems(path), zipfile.ZipFile(path) as archive:
                self._parts = archive.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, UnicodeError) as error:
            raise self._damaged() from error
        declared = sum(part.file_size for part in self._parts)
        if declared > MAX_UNPACKED or len(self._parts) > MAX_PARTS:
            raise self._too_large()
        if any(part.flag_bits & 1 for part in self._parts):
            raise UserError("sources.password", file=path.name)

    @property
    def names(self) -> list[str]:
        """What the parts are called."""
        return [part.filename for part in self._parts]

    def pieces(self, name: str) -> Iterator[bytes]:
        """Unpack a part. Raises UserError ``sources.damaged``, ``sources.too_large``; EnvironmentProblem ``file.*``."""
        part = next((part for part in self._parts if part.filename == name), None)
        if part is None or part.header_offset < 0:
            raise self._damaged()
        with disk_problems(self._path), open(self._path, "rb") as file:
            file.seek(part.header_offset)
            header = file.read(_LOCAL_HEADER)
            if len(header) < _LOCAL_HEADER:
                raise self._damaged()
            file.seek(sum(struct.unpack("<HH", header[26:30])), 1)
            read = self._inflated if part.compress_type == zipfile.ZIP_DEFLATED else self._stored
            if part.compress_type not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
                raise self._damaged()
            for piece in read(file, part.compress_size):
                self._unpacked += len(piece)
                if self._unpacked > MAX_UNPACKED:
                    raise self._too_large()
                yield piece

    def whole(self, name: str, limit: int) -> bytes:
        """Unpack a small part. Raises as :meth:`pieces`."""
        data = bytearray()
        for piece in self.pieces(name):
            data += piece
            if len(data) > limit:
                raise self._too_large()
        return bytes(data)

    def _stored(self, file: BinaryIO, size: int) -> Iterator[bytes]:
        while size > 0 and (piece := file.read(min(size, _CHUNK))):
            size -= len(piece)
            yield piece

    def _inflated(self, file: BinaryIO, size: int) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for packed in self._stored(file, size):
                left = packed
                while left and not inflater.eof:
                    yield inflater.decompress(left, _CHUNK)
                    left = inflater.unconsumed_tail
        except zlib.error as error:
            raise self._damaged() from error
        if not inflater.eof:
            raise self._damaged()

    def _damaged(self) -> UserError:
        return UserError("sources.damaged", file=self._path.name, format=self._format)

    def _too_large(self) -> UserError:
        return UserError("sources.too_large", file=self._path.name, limit=MAX_UNPACKED >> 20)
