"""The one thread that writes: it commits what has come in the meantime in one go.

Synchronising the disk takes milliseconds; doing it once for all requests that wait is what makes a thousand a second
possible. A job's caller hears of it only after the commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from app.core import log
from app.core.errors import ConsiliumError
from app.relay.metrics import Metrics
from app.relay.refusals import Refusal

T = TypeVar("T")

Job = Callable[[sqlite3.Connection], Any]
_MOST_AT_ONCE = 256
_log = log.logger("relay")


class Writer:
    """Runs jobs on the writing connection, many to a transaction, each whole or not at all."""

    def __init__(self, connection: sqlite3.Connection, metrics: Metrics) -> None:
        self._connection = connection
        self._metrics = metrics
        self._queue: SimpleQueue[tuple[Job, asyncio.Future[Any]] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="relay writer", daemon=True)
        self._thread.start()

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``job`` in the next transaction; return what it returns once that is on disk.

        Raises what the job raises (its writes are undone), Refusal ``relay.disk_full`` or ``relay.failed``.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((job, future))
        return await future

    @property
    def alive(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Finish what is waiting, then close the connection."""
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _work(self) -> None:
        ending = False
        while not ending:
            batch = []
            item = self._queue.get()
            while item is not None:
                batch.append(item)
                if len(batch) == _MOST_AT_ONCE:
                    break
                try:
                    item = self._queue.get_nowait()
                except Empty:
                    break
            else:
                ending = True
            if batch:
                outcomes = self._commit([job for job, _ in batch])
                self._settle([future for _, future in batch], outcomes)

    def _commit(self, jobs: list[Job]) -> list[tuple[Any, BaseException | None]]:
        started = self._metrics.clock()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._run(job) for job in jobs]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            refusal = _refusal(error)
            return [(None, refusal)] * len(jobs)
        self._metrics.observe_commit(len(jobs), self._metrics.clock() - started)
        return outcomes

    def _run(self, job: Job) -> tuple[Any, BaseException | None]:
        self._connection.execute("SAVEPOINT job")
        try:
            result = job(self._connection)
        except sqlite3.Error:
            raise  # the whole transaction is in doubt
        except Exception as error:  # the caller's own: it hears of it, the other jobs do not
            self._connection.execute("ROLLBACK TO job")
            self._connection.execute("RELEASE job")
            return None, error
        self._connection.execute("RELEASE job")
        return result, None

    def _settle(self, futures: list[asyncio.Future[Any]], outcomes: list[tuple[Any, BaseException | None]]) -> None:
        def settle() -> None:
            for future, (result, error) in zip(futures, outcomes, strict=True):
                if future.done():  # nobody waits any more
                    continue
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

        self._loop.call_soon_threadsafe(settle)


def _refusal(error: sqlite3.Error) -> ConsiliumError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code & 0xFF == sqlite3.SQLITE_FULL or code in (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE):
        return Refusal("relay.disk_full", retry_after=60)
    _log.error("database", reason=str(error), places=log.places(error))
    return Refusal("relay.failed")
