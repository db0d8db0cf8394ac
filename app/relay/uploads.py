"""Taking in blobs piece by piece: limits first, then the bytes, then the check against the name, then it exists.

What has arrived stays when the connection breaks; the next request goes on behind it.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import EnvironmentProblem
from app.relay.blobs import BlobName, append, digest_of, size_of, stored_bytes
from app.relay.membership import Member
from app.relay.refusals import Refusal

if TYPE_CHECKING:
    from app.relay.service import Service

_WRITE = 1 << 18
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True)
class Part:
    """Which bytes of a blob a request brings: [``start``, ``end``) of ``total``."""

    start: int
    end: int
    total: int


@dataclass(frozen=True)
class _Step:
    task: asyncio.Future[None]
    last: bool


class Uploads:
    """The uploads under way. Two requests for the same one: the newer goes on, the older is refused."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._running: dict[Path, _Step] = {}

    async def size(self, member: Member, name: bytes) -> int | None:
        """Return a whole blob's size, or None."""
        return await self._service.read(size_of, BlobName(member.federation, name))

    def offset(self, member: Member, name: bytes) -> int:
        """Return how many bytes of an unfinished upload are here."""
        return self._service.files.unfinished(member.number).get(self._path(member, name).name, 0)

    async def put(self, member: Member, name: bytes, part: Part, body: AsyncIterator[bytes]) -> int:
        """Take in one part; return how many bytes are here. When that is ``part.total``, the blob is there for all.

        Raises Refusal ``relay.too_large``, ``.storage_used_up``, ``.disk_full``, ``.wrong_offset``, ``.blob_altered``
        (what came is not what the name says; it is deleted), ``.upload_superseded``, ``.malformed``.
        """
        if await self.size(member, name) is not None:
            return part.total
        await self._check(member, name, part)
        path = self._path(member, name)
        await self._supersede(path)
        if await self.size(member, name) is not None:  # the older request has finished it
            return part.total
        offset = self.offset(member, name)
        if part.start not in (0, offset):
            raise Refusal("relay.wrong_offset", offset=offset)
        await self._run(path, self._write(path, part, body), last=False)
        if part.end == part.total:
            await self._run(path, self._finish(member, name, part.total), last=True)
        return part.end

    async def withdraw(self, member: Member, name: bytes) -> None:
        """Delete a member's own blob, whole or unfinished. Raises Refusal ``relay.not_yours``."""
        service, blob = self._service, BlobName(member.federation, name)
        path = self._path(member, name)
        await self._supersede(path)
        await asyncio.to_thread(path.unlink, missing_ok=True)
        if await service.writer.run(lambda connection: service.files.withdraw(connection, blob, member.number)):
            await service.writer.run(lambda connection: service.files.remove(connection, blob))

    def _path(self, member: Member, name: bytes) -> Path:
        return self._service.files.upload(member.number, name)

    async def _check(self, member: Member, name: bytes, part: Part) -> None:
        limits, files = self._service.limits, self._service.files
        if part.total > limits.blob_bytes:
            raise Refusal("relay.too_large", size=part.total, limit=limits.blob_bytes)
        others = files.unfinished(member.number)
        others.pop(self._path(member, name).name, None)
        used = await self._service.read(stored_bytes, member.number) + sum(others.values())
        if used + part.total > limits.stored_bytes or len(others) >= limits.unfinished_blobs:
            raise Refusal("relay.storage_used_up", used=used, limit=limits.stored_bytes)
        self._service.check_disk(part.total - part.start)

    async def _run(self, path: Path, work: Coroutine[None, None, None], *, last: bool) -> None:
        """Run one step of an upload. The last one, which makes the blob, cannot be superseded any more."""
        task = asyncio.ensure_future(work)
        self._running[path] = _Step(task, last)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise Refusal("relay.upload_superseded") from None
            if not last:  # the server ends
                task.cancel()
            raise
        finally:
            if task.done() and (step := self._running.get(path)) is not None and step.task is task:
                del self._running[path]

    async def _supersede(self, path: Path) -> None:
        while (step := self._running.get(path)) is not None:
            if not step.last:
                step.task.cancel()
            await asyncio.wait([step.task])
            if self._running.get(path) is step:
                del self._running[path]

    async def _write(self, path: Path, part: Part, body: AsyncIterator[bytes]) -> None:
        offset, pending = part.start, bytearray()
        if part.start == 0:
            await _append(path, b"", 0)  # start over
        try:
            async for piece in body:
                if offset + len(pending) + len(piece) > part.end:
                    raise Refusal("relay.malformed", field="Content-Range")
                pending += piece
                if len(pending) >= _WRITE:
                    data, pending = bytes(pending), bytearray()
                    await _append(path, data, offset)
                    offset += len(data)
        finally:  # a broken connection: what has come is kept
            if pending:
                await _append(path, bytes(pending), offset)
        if offset + len(pending) != part.end:
            raise Refusal("relay.malformed", field="Content-Range")

    async def _finish(self, member: Member, name: bytes, total: int) -> None:
        service, path = self._service, self._path(member, name)
        if await asyncio.to_thread(digest_of, path) != name:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise Refusal("relay.blob_altered")
        blob, now = BlobName(member.federation, name), service.clock.now()
        try:
            await service.writer.run(lambda connection: service.files.keep(connection, blob, member.number, total, now))
        except EnvironmentProblem as error:
            raise _refusal(error) from error
        service.metrics.counts["blobs_stored"] += 1
        service.metrics.counts["blob_bytes_stored"] += total


async def _append(path: Path, data: bytes, offset: int) -> None:
    # shielded: a write that has begun must be over before the next request looks at the file
    writing = asyncio.ensure_future(asyncio.to_thread(append, path, data, offset=offset))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise Refusal("relay.disk_full", retry_after=60) from error
        raise


def _refusal(error: EnvironmentProblem) -> Refusal:
    return Refusal("relay.disk_full", retry_after=60) if error.code == "disk.full" else Refusal("relay.failed")
