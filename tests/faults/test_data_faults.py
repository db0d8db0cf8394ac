"""Preparation and import when the disk is full, the process is killed anywhere, or a worker dies."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import EnvironmentProblem
from app.core.federation.public_file import save_public_file
from app.core.jobs.job import Job, Progress
from app.core.jobs.pool import WorkerPool
from app.core.preparation import work_file
from app.core.preparation.encrypting import begin_worker
from app.core.preparation.sealing import worker_arguments
from app.core.store import importing
from app.core.store.blobs import BlobStore
from app.core.store.dataset_file import open_for_writing
from app.core.store.importing import import_package
from app.core.store.profile import Profile
from tests.federations import PASSPHRASE, two_sites
from tests.packages import MAPPING, Maker, rows, write_csv

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and fork")


@posix
@pytest.mark.parametrize("work", ["prepare", "finish", "import"])
def test_killed_anywhere_it_goes_on(work: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.killing", work, str(tmp_path), "40"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("killed 40 of 40")


@posix
def test_a_killed_worker_costs_nothing_that_was_sealed(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    table = maker.table(8000)
    with WorkerPool(2, begin_worker, worker_arguments(maker.target)) as pool:

        def kill(progress: Progress) -> None:
            if progress.step == "data.step.sealing" and 0.3 < progress.fraction < 1 and not killed:
                killed.append(pool.pids()[0])
                os.kill(killed[0], signal.SIGKILL)

        killed: list[int] = []
        time = iter(range(10**6))
        with pytest.raises(EnvironmentProblem, match=r"worker\.killed"):
            maker.package(table, executor=pool, job=Job(kill, clock=lambda: float(next(time))))
        steps: list[Progress] = []
        path, header = maker.package(table, executor=pool, job=Job(steps.append))
    assert steps[0].fraction >= 0.3
    assert maker.counts(path) == [table.count(column) for column in range(len(header.columns))]


@posix
def test_cancel_from_another_thread_stops_sealing_at_once(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    began = threading.Event()
    job = Job(lambda progress: began.set() if progress.fraction > 0 else None)
    with WorkerPool(1, begin_worker, worker_arguments(maker.target)) as pool:
        canceller = threading.Thread(target=lambda: (began.wait(), job.cancel.cancel()))
        canceller.start()
        with pytest.raises(Exception, match=r"job\.cancelled"):
            maker.package(maker.table(20_000), executor=pool, job=job)
        canceller.join()
    assert not (tmp_path / "a.consilium").exists()


def filling_up(pages: int) -> Callable[..., sqlite3.Connection]:
    """Return an ``open_for_writing`` on a disk that is full after so many pages."""

    def opened(path: Path, **options: Any) -> sqlite3.Connection:
        connection = open_for_writing(path, **options)
        connection.execute(f"PRAGMA max_page_count={pages}")
        return connection

    return opened


@pytest.mark.parametrize("pages", [2, 10])
def test_a_full_disk_while_preparing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    maker = Maker(tmp_path)
    table = maker.table(5000)
    with monkeypatch.context() as patch:
        patch.setattr("app.core.preparation.work_file.open_for_writing", filling_up(pages))
        with pytest.raises(EnvironmentProblem, match=r"disk\.full"):
            maker.package(table)
    assert {path.name for path in tmp_path.iterdir() if "consilium" in path.name} <= {
        ".a.consilium.resume",
        ".a.consilium.work",
        ".a.consilium.work-journal",
    }
    path, _ = maker.package(table)
    assert maker.counts(path)[0] == 5000


def test_a_full_disk_while_importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = Maker(tmp_path)
    path, header = maker.package(maker.table(5000))
    with Profile.create(tmp_path / "profile", program="test", now=1) as profile:
        with monkeypatch.context() as patch:
            patch.setattr(importing, "open_for_writing", filling_up(10))
            with pytest.raises(EnvironmentProblem, match=r"disk\.full"):
                import_package(path, profile, maker.expected, now=2)
        assert profile.datasets.all() == ()
        import_package(path, profile, maker.expected, now=3)
        assert maker.counts(profile.dataset_path(header.dataset))[0] == 5000


def test_a_full_disk_under_the_sites_database(tmp_path: Path) -> None:
    with Profile.create(tmp_path, program="test", now=1) as profile:
        profile.database._database.execute("PRAGMA max_page_count=60")
        profile.settings.put("small", b"kept")
        with pytest.raises(EnvironmentProblem, match=r"disk\.full"), profile.database.atomic():  # noqa: PT012 - atomic
            profile.settings.put("small", b"lost")
            profile.settings.put("large", bytes(1 << 20))
        assert profile.settings.get("small") == b"kept"
        assert profile.settings.get("large") is None


def test_a_full_disk_under_the_blobs(tmp_path: Path) -> None:
    def pieces() -> Any:
        yield b"x"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    blobs = BlobStore(tmp_path / "blobs")
    with pytest.raises(EnvironmentProblem, match=r"disk\.full"):
        blobs.put(pieces(), limit=10)
    assert list((tmp_path / "blobs").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk: needs root")
def test_a_disk_that_is_really_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=False).returncode != 0:
        pytest.skip("may not mount here")
    try:
        maker = Maker(small)
        monkeypatch.setattr("app.core.preparation.sealing._check_space", lambda *_: None)
        with pytest.raises(EnvironmentProblem, match=r"disk\.full"):
            maker.package(maker.table(3000))
        assert not (small / "a.consilium").exists()
        work_file.remove_work(work_file.work_path(small / "a.consilium"))
        with Profile.create(small / "profile", program="test", now=1) as profile:
            profile.settings.put("small", b"kept")
            with pytest.raises(EnvironmentProblem, match=r"disk\.full"):
                profile.settings.put("large", bytes(2 << 20))
            with pytest.raises(EnvironmentProblem, match=r"disk\.full"):
                profile.blobs.put(bytes(2 << 20), limit=4 << 20)
        with Profile.open(small / "profile", program="test", now=2) as profile:
            assert profile.settings.get("small") == b"kept"
    finally:
        subprocess.run(["umount", small], check=True)


@posix
def test_interrupted_at_the_terminal_it_goes_on(tmp_path: Path) -> None:
    federation, profiles = two_sites(tmp_path)
    for profile in profiles:
        profile.close()
    save_public_file(federation, tmp_path / "test.federation")
    (tmp_path / "mapping.toml").write_bytes(MAPPING)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    write_csv(tmp_path / "input.csv", rows(400_000))  # type: ignore[arg-type]
    options = {"federation": "test.federation", "mapping": "mapping.toml", "input": "input.csv"}
    options |= {"output": "a.consilium", "key-file": "key", "passphrase-file": "passphrase"}
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(tmp_path / value))]
    start = "import os, signal, sys\nos.nice(15)\n"  # on a busy machine, who interrupts must not come too late
    start += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # tests in the background may ignore it
    start += "from app.cli import boundary\nfrom app.cli.data import data\n"
    start += "from app.core.preparation import work_file\nwork_file._COMMIT_EVERY = 0\n"  # each block is seen at once
    start += "import typer\nroot = typer.Typer()\nroot.add_typer(data, name='data')\n"
    start += "if __name__ == '__main__':\n    sys.exit(boundary.run(root, sys.argv[1:]))"
    command = [sys.executable, "-c", start, "data", "prepare", *arguments]
    work = tmp_path / ".a.consilium.work"
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        while not work.exists() or work.stat().st_size < 1 << 18:  # the first blocks are sealed
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, b""), err
    assert b"Traceback" not in err
    assert not (tmp_path / "a.consilium").exists()
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"400000 patients" in done.stdout
    assert not work.exists()
