"""The engine: locked in, out of core, stopped when it shall, and gone afterwards, even after a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from app.core.errors import EnvironmentProblem
from app.core.jobs.job import Cancelled, Job, Progress
from app.core.preparation.engine import Engine, duckdb_problems
from app.core.preparation.sql import quoted

SECRET = "Rumpelstilzchen"
LEAVE = """
import os, sys
from pathlib import Path
from app.core.preparation.engine import Engine
engine = Engine(place=Path(sys.argv[1]), threads=1)
engine.execute("CREATE TABLE t AS SELECT 'Rumpelstilzchen' || i AS name FROM range(200000) r(i)")
engine.execute("CHECKPOINT")
print("staged", flush=True)
sys.stdin.read()
"""


def test_everything_is_removed_at_the_end(tmp_path: Path) -> None:
    with Engine(place=tmp_path, threads=1) as engine:
        assert engine.directory.parent == tmp_path
        if os.name == "posix":
            assert engine.directory.stat().st_mode & 0o777 == 0o700
        engine.execute("CREATE TABLE t AS SELECT 1 AS x")
        assert engine.one("SELECT x FROM t") == (1,)
    assert list(tmp_path.iterdir()) == []
    engine.close()


def test_what_a_killed_process_left_is_unreadable_and_removed_by_the_next(tmp_path: Path) -> None:
    with Engine(place=tmp_path, threads=1) as living:
        with subprocess.Popen(
            [sys.executable, "-c", LEAVE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "staged\n"
            process.kill()
        left = [path for path in tmp_path.rglob("*") if path.is_file() and living.directory not in path.parents]
        assert any(path.name == "staged.duckdb" for path in left)
        assert not any(SECRET.encode() in path.read_bytes() for path in left)
        with Engine(place=tmp_path, threads=1) as engine:
            assert {path for path in tmp_path.iterdir() if path.is_dir()} == {living.directory, engine.directory}
        assert living.one("SELECT 1") == (1,)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{other}')",
        "SELECT * FROM read_text('{other}')",
        "SELECT * FROM read_csv('{allowed}/../other.csv')",
        "SELECT * FROM '{other}'",
        "COPY (SELECT 1) TO '{place}/made.csv'",
        "ATTACH '{place}/made.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "SELECT * FROM read_csv('http://localhost/x.csv')",
    ],
)
def test_nothing_else_can_be_read_written_or_loaded(tmp_path: Path, statement: str) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "one.csv").write_text("a,b\n1,2\n")
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with Engine([allowed], place=tmp_path / "place", threads=1) as engine:
        assert engine.one("SELECT b FROM read_csv(?)", [str(allowed / "one.csv")]) == (2,)
        with pytest.raises(duckdb.Error):
            engine.execute(statement.format(allowed=allowed, other=other, place=tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"allowed", "other.csv", "place"}


def test_more_than_fits_into_memory_is_spilled_and_encrypted(tmp_path: Path) -> None:
    with Engine(place=tmp_path, memory=64 << 20, threads=2) as engine:
        seen: list[bytes] = []

        def look(_progress: Progress) -> None:
            for path in (engine.directory / "spilled").glob("*"):
                with suppress(FileNotFoundError):  # DuckDB removes what it has read back, also just now
                    seen.append(path.read_bytes())

        engine.execute(
            "CREATE TABLE t AS SELECT i, hash(i) AS h, 'Rumpelstilzchen' || i AS s FROM range(1200000) r(i) ORDER BY h",
            job=Job(report=look),
            step="sources.step.loading",
        )
        assert engine.one("SELECT count(*), count(DISTINCT i) FROM t") == (1_200_000, 1_200_000)
    assert any(seen)
    assert not any(SECRET.encode() in data for data in seen)


def test_too_little_memory_is_an_error_that_says_so(tmp_path: Path) -> None:
    with Engine(place=tmp_path, memory=32 << 20, threads=1) as engine:
        with pytest.raises(EnvironmentProblem, match=r"engine\.out_of_memory"):
            engine.execute("SELECT list(i || 'xxxxxxxxxxxxxxxxxxxx') FROM range(20000000) r(i)")
        assert engine.one("SELECT 1") == (1,)


def test_a_statement_is_stopped_and_another_can_follow(tmp_path: Path) -> None:
    job = Job()
    with Engine(place=tmp_path, threads=1) as engine:
        stopping = threading.Timer(0.3, job.cancel.cancel)
        stopping.start()
        with pytest.raises(Cancelled):
            engine.execute("SELECT sum(hash(a.i + b.i)) FROM range(1000000) a(i), range(1000000) b(i)", job=job)
        stopping.join()
        with pytest.raises(Cancelled):
            engine.execute("SELECT 1", job=job)
        assert engine.one("SELECT 1") == (1,)


@pytest.mark.parametrize("name", ['a"b', "a;b", "", "ü", "'", '""'])
def test_any_name_is_a_name(tmp_path: Path, name: str) -> None:
    with Engine(place=tmp_path, threads=1) as engine:
        column = f"x{name}"
        engine.execute(f"CREATE TABLE {quoted(column)} AS SELECT 1 AS {quoted(column)}")
        description = engine.execute(f"SELECT * FROM {quoted(column)}").description  # noqa: S608 - quoted
        assert description is not None
        assert description[0][0] == column


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (duckdb.IOException("Could not write file: No space left on device"), "disk.full"),
        (duckdb.OutOfMemoryException("failed to offload data block: max temp directory size"), "disk.full"),
        (duckdb.OutOfMemoryException("could not allocate block of size 256.0 KiB"), "engine.out_of_memory"),
        (duckdb.IOException("something else"), "engine.failed"),
    ],
)
def test_what_the_machine_refuses_is_said(tmp_path: Path, error: duckdb.Error, code: str) -> None:
    with pytest.raises(EnvironmentProblem, match=code), duckdb_problems(tmp_path):
        raise error


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
def test_what_a_link_leads_to_is_not_swept(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "engine", tmp_path / "elsewhere"
    for directory in (place, elsewhere):
        directory.mkdir(mode=0o700)
    (elsewhere / "thesis.txt").write_text("mine")
    (place / "engine-0").symlink_to(elsewhere)
    (place / "engine-0.lock").touch()
    with Engine(place=place):
        assert (elsewhere / "thesis.txt").read_text() == "mine"
    assert list(place.iterdir()) == []
