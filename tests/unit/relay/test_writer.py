"""The writing thread: many jobs to a commit, each whole or not at all, and no answer before the disk has it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from app.core.errors import ConsiliumError
from app.relay.database import connect
from app.relay.metrics import Metrics
from app.relay.refusals import Refusal
from app.relay.writer import Writer

T = TypeVar("T")


def insert(value: int) -> Callable[[sqlite3.Connection], int]:
    def job(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO codes VALUES (?, 0, 0, NULL)", (bytes([value]),))
        return value

    return job


def with_writer(directory: Path, work: Callable[[Writer, Metrics], Awaitable[T]]) -> T:
    async def run() -> T:
        metrics = Metrics()
        writer = Writer(connect(directory), metrics)
        try:
            return await work(writer, metrics)
        finally:
            writer.close()

    return asyncio.run(run())


def stored(directory: Path) -> list[int]:
    connection = connect(directory)
    found = [row[0][0] for row in connection.execute("SELECT hash FROM codes ORDER BY hash")]
    connection.close()
    return found


def test_jobs_that_come_together_are_committed_together(tmp_path: Path) -> None:
    async def work(writer: Writer, metrics: Metrics) -> str:
        assert await asyncio.gather(*(writer.run(insert(value)) for value in range(100))) == list(range(100))
        return metrics.text()

    text = with_writer(tmp_path, work)
    assert stored(tmp_path) == list(range(100))
    commits = int(text.split("consilium_relay_commit_seconds_count ")[1].split()[0])
    assert commits < 60
    assert "consilium_relay_committed_total 100" in text


def test_a_job_that_refuses_undoes_its_own_writes_only(tmp_path: Path) -> None:
    def refuse(connection: sqlite3.Connection) -> None:
        insert(50)(connection)
        raise Refusal("relay.mailbox_full")

    async def work(writer: Writer, _: Metrics) -> list[object]:
        jobs = [insert(1), refuse, insert(2)]
        return list(await asyncio.gather(*map(writer.run, jobs), return_exceptions=True))

    first, second, third = with_writer(tmp_path, work)
    assert (first, third) == (1, 2)
    assert isinstance(second, Refusal)
    assert stored(tmp_path) == [1, 2]


def test_a_full_disk_refuses_all_and_keeps_what_was_there(tmp_path: Path) -> None:
    async def work(writer: Writer, _: Metrics) -> list[object]:
        await writer.run(insert(1))
        pages = await writer.run(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
        await writer.run(lambda connection: connection.execute(f"PRAGMA max_page_count={pages}").fetchone())

        def much(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO codes VALUES (?, 0, 0, NULL)", (bytes(100_000),))

        refused = await asyncio.gather(writer.run(insert(2)), writer.run(much), return_exceptions=True)
        await writer.run(lambda connection: connection.execute("PRAGMA max_page_count=100000").fetchone())
        await writer.run(insert(3))
        return list(refused)

    refused = with_writer(tmp_path, work)
    assert isinstance(refused[1], ConsiliumError)
    assert refused[1].code == "relay.disk_full"
    assert {1, 3} <= set(stored(tmp_path))
    assert (2 in stored(tmp_path)) == (refused[0] == 2)  # what was answered with yes is there, what was not is not


def test_a_bug_in_a_job_is_its_callers(tmp_path: Path) -> None:
    async def work(writer: Writer, _: Metrics) -> None:
        with pytest.raises(ZeroDivisionError):
            await writer.run(lambda _connection: 1 // 0)
        await writer.run(insert(1))

    with_writer(tmp_path, work)
    assert stored(tmp_path) == [1]
