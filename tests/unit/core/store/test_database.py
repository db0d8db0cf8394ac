import hashlib
import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem
from app.core.store.database import SiteDatabase
from app.core.store.problems import database_problems

SCHEMA = "fd5d9b543bc89bf0056c2af1b9d4814d964cd113641657ef9e36c742f883b1f6"
"""Migrations never change once they have landed: this hash changes only when a step is added."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "site.db"


def made(path: Path) -> Path:
    SiteDatabase.open(path).close()
    return path


def test_the_schema_is_the_one_that_landed(path: Path) -> None:
    with closing(SiteDatabase.open(path)) as database:
        rows = database.rows("SELECT sql FROM sqlite_master WHERE name NOT LIKE '%sqlite%' ORDER BY name")
    text = "\n".join(str(sql) for (sql,) in rows)
    assert text.count("STRICT") == text.count("CREATE TABLE")
    assert hashlib.sha256(text.encode()).hexdigest() == SCHEMA, text


def test_it_survives_power_cuts_and_keeps_references(path: Path) -> None:
    with closing(SiteDatabase.open(path)) as database:
        assert database.row("PRAGMA journal_mode") == ("wal",)
        assert database.row("PRAGMA synchronous") == (2,)
        assert database.row("PRAGMA foreign_keys") == (1,)
        assert database.row("PRAGMA trusted_schema") == (0,)
        with pytest.raises(sqlite3.IntegrityError), database.atomic():
            database.write("INSERT INTO datasets VALUES (x'01', 1, x'', x'', x'', x'02', 0, 1)")
        database.check_whole()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_only_its_user_reads_it(path: Path) -> None:
    with closing(SiteDatabase.open(path)):
        for each in path.parent.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_writes_are_atomic_and_nest(path: Path) -> None:
    with closing(SiteDatabase.open(path)) as database:
        with pytest.raises(sqlite3.ProgrammingError, match="outside"):
            database.write("INSERT INTO backups(at, kind) VALUES (1, 'sheet')")
        with database.atomic():
            database.write("INSERT INTO backups(at, kind) VALUES (1, 'sheet')")
            with pytest.raises(RuntimeError), database.atomic():  # noqa: PT012 - what atomic undoes
                database.write("INSERT INTO backups(at, kind) VALUES (2, 'sheet')")
                raise RuntimeError
        with pytest.raises(KeyboardInterrupt), database.atomic():  # noqa: PT012 - what atomic undoes
            database.write("INSERT INTO backups(at, kind) VALUES (3, 'sheet')")
            raise KeyboardInterrupt
        assert database.rows("SELECT at FROM backups") == [(1,)]


def test_a_newer_database_is_refused_and_untouched(path: Path) -> None:
    with closing(sqlite3.connect(made(path))) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations(migration_set, name, applied_at) VALUES ('consilium', '9999_later', '')"
        )
    before = path.read_bytes()
    with pytest.raises(EnvironmentProblem, match=r"database\.too_new"):
        SiteDatabase.open(path)
    assert path.read_bytes() == before


def test_a_foreign_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(EnvironmentProblem, match=r"database\.foreign"):
        SiteDatabase.open(path)


def test_a_damaged_database_is_refused(path: Path) -> None:
    size = made(path).stat().st_size
    whole = path.read_bytes()
    path.write_bytes(b"not a database at all, whatever its name says" * 100)
    with pytest.raises(EnvironmentProblem, match=r"database\.damaged"):
        SiteDatabase.open(path)
    path.write_bytes(whole[: size // 2])
    with pytest.raises(EnvironmentProblem, match=r"database\.damaged"):
        SiteDatabase.open(path)
    middle = size // 2 // 4096 * 4096
    path.write_bytes(whole[:middle] + os.urandom(4096) + whole[middle + 4096 :])
    with pytest.raises(EnvironmentProblem, match=r"database\.damaged"):
        SiteDatabase.open(path)


def test_a_database_that_is_locked_from_outside(path: Path) -> None:
    with closing(sqlite3.connect(made(path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(SiteDatabase.open(path)) as database:
            database._database.execute("PRAGMA busy_timeout=1")
            with pytest.raises(EnvironmentProblem, match=r"database\.locked"), database.atomic():
                database.write("INSERT INTO backups(at, kind) VALUES (1, 'sheet')")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_FULL, "disk.full"),
        (sqlite3.SQLITE_IOERR_SHMSIZE, "disk.full"),
        (sqlite3.SQLITE_READONLY, "file.not_permitted"),
        (sqlite3.SQLITE_IOERR_READ, "file.failed"),
        (sqlite3.SQLITE_NOTADB, "database.damaged"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "database.locked"),
    ],
)
def test_every_refusal_of_sqlite_has_a_name(code: int, expected: str) -> None:
    error = sqlite3.OperationalError("made up")
    error.sqlite_errorcode = code  # type: ignore[misc]  # as sqlite3 itself sets it
    with pytest.raises(EnvironmentProblem) as refusal, database_problems(Path("x")):
        raise error
    assert refusal.value.code == expected


def test_a_copy_is_whole(path: Path, tmp_path: Path) -> None:
    with closing(SiteDatabase.open(path)) as database:
        with database.atomic():
            database.write("INSERT INTO backups(at, kind) VALUES (1, 'sheet')")
        database.copy_to(tmp_path / "copy.db")
    with closing(SiteDatabase.open(tmp_path / "copy.db")) as copy:
        assert copy.rows("SELECT kind FROM backups") == [("sheet",)]
