"""A database is copied before a newer program changes its schema."""

import multiprocessing
import os
import shutil
import signal
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem
from app.core.store import database as module
from app.core.store import migrations as steps
from app.core.store.database import BEFORE_UPGRADE, UPGRADING, SiteDatabase
from app.core.store.library import Database, Migrations


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database as today's program leaves it, with something in it."""
    path = tmp_path / "site.db"
    with closing(SiteDatabase.open(path)) as database, database.atomic():
        database.write("INSERT INTO profile VALUES ('site name', x'41')")
    return path


def newer(monkeypatch: pytest.MonkeyPatch, *, dies: bool = False) -> None:
    """Make this a newer program, with two steps more; in the second one it may be killed."""
    following = Migrations("following")

    def first(database: Database) -> None:
        database.execute("CREATE TABLE newer (id INTEGER PRIMARY KEY) STRICT")

    def second(database: Database) -> None:
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        database.execute("CREATE TABLE newest (id INTEGER PRIMARY KEY) STRICT")

    following(name="8001_newer")(first)
    following(name="8002_newest")(second)
    monkeypatch.setattr(module, "migrations", following)
    monkeypatch.setattr(module, "KNOWN", steps.KNOWN | {"8001_newer", "8002_newest"})


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def beside(path: Path) -> set[str]:
    return {each.name.removeprefix(path.name) for each in path.parent.iterdir()} - {"", "-wal", "-shm"}


def test_nothing_is_copied_without_an_upgrade(old: Path) -> None:
    SiteDatabase.open(old).close()
    assert beside(old) == set()


def test_the_copy_is_what_the_old_program_left(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer(monkeypatch)
    SiteDatabase.open(old).close()
    copy = old.with_name(old.name + BEFORE_UPGRADE)
    assert beside(old) == {BEFORE_UPGRADE}
    assert {"newer", "newest"} <= tables(old)
    assert not {"newer", "newest"} & tables(copy)
    if os.name == "posix":
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    monkeypatch.undo()
    with closing(SiteDatabase.open(copy)) as database:
        assert database.row("SELECT value FROM profile WHERE key = 'site name'") == (b"A",)


def _die_upgrading(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        newer(patch, dies=True)
        SiteDatabase.open(path)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_kill_in_the_middle_leaves_the_old_copy(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_die_upgrading, args=(old,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert "newer" in tables(old)  # the first step is done
    assert beside(old) == {UPGRADING}
    newer(monkeypatch)
    SiteDatabase.open(old).close()  # goes on where it was, and does not copy what is half done
    assert beside(old) == {BEFORE_UPGRADE}
    assert "newest" in tables(old)
    assert "newer" not in tables(old.with_name(old.name + BEFORE_UPGRADE))


def test_the_copy_of_a_finished_upgrade_gets_its_name_at_the_next_start(old: Path) -> None:
    old.with_name(old.name + UPGRADING).write_bytes(b"left by a kill after the last step")
    SiteDatabase.open(old).close()
    assert beside(old) == {BEFORE_UPGRADE}


def test_without_a_copy_nothing_is_changed(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer(monkeypatch)

    def full(path: Path) -> None:
        raise EnvironmentProblem("disk.full", path=str(path))

    monkeypatch.setattr(module, "replacing", full)
    with pytest.raises(EnvironmentProblem, match="disk.full"):
        SiteDatabase.open(old)
    assert not {"newer", "newest"} & tables(old)


def test_the_way_back_to_an_older_program_is_the_copy(tmp_path: Path) -> None:
    """As the message of a database that is too new says: the copy in the place of the database is the older one."""
    path = tmp_path / "site.db"
    SiteDatabase.open(path).close()
    copy = path.with_name(path.name + BEFORE_UPGRADE)
    shutil.copyfile(path, copy)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('consilium', '9999_later', 'now')"
        )
    with pytest.raises(EnvironmentProblem, match=r"database\.too_new"):
        SiteDatabase.open(path)
    copy.replace(path)
    with closing(SiteDatabase.open(path)) as database:
        database.check_whole()
