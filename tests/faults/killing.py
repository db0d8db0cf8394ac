"""Run some work again and again in child processes, each killed (SIGKILL) at another call of our own functions.

Started as ``python -m tests.faults.killing WORK DIRECTORY POINTS``, because a process with threads must not fork. For
each point the work is done until the kill, what lies on the disk is judged, and the work is done again to its end. The
points are spread over the whole work; those of ``finish`` are the very last calls of a preparation, where the package
is completed and gets its name.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.jobs.job import Job
from app.core.preparation.sealing import refuse_existing
from app.core.store.importing import import_package, verify_residues
from app.core.store.package import open_package
from app.core.store.profile import Profile
from tests.clear_tables import KINDS, clear_table, people
from tests.packages import TEST, Maker, clear_rows

_OURS = tuple(os.path.join("app", "core", part) for part in ("store", "preparation", "files"))


def main() -> None:
    """Do what the command line says and print how many children were killed."""
    work, directory, points = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    fault = {"prepare": Preparing, "finish": Preparing, "import": Importing}[work](directory)
    fault.begin()
    total = count_calls(fault.work)
    fault.begin()
    killed = 0
    for point in range(points):
        killed += killed_at(fault.work, total - point if work == "finish" else 1 + point * total // points)
        fault.judge_half()
        fault.work()
        fault.judge_whole()
        fault.begin()
    print(f"killed {killed} of {points}, {total} calls")  # noqa: T201 - how it answers the test


class Preparing:
    """A preparation of three blocks a column, of bits and of digits."""

    def __init__(self, directory: Path) -> None:
        catalogue = Catalogue("Bits and digits", 1, (KINDS.variable("smoker"), KINDS.variable("weight")))
        self.maker = Maker(directory, catalogue=catalogue)
        self.table = clear_table(catalogue, people(2100))
        self.maker.package(self.table, "warm-up.consilium")
        self.output = directory / "a.consilium"
        self.expected = clear_rows(self.table)

    def begin(self) -> None:
        self.output.unlink(missing_ok=True)

    def work(self) -> None:
        if self.output.exists():  # killed after it got its name
            with suppress(UserError):
                refuse_existing(self.output)
        else:
            self.maker.package(self.table)

    def judge_half(self) -> None:
        if self.output.exists():
            self.check()

    def judge_whole(self) -> None:
        self.check()
        assert self.maker.rows(self.output, 2100) == self.expected  # every patient has one slot in all columns
        assert [path.name for path in self.output.parent.iterdir() if path.name.startswith(".")] == []

    def check(self) -> None:
        with open_package(self.output) as package:
            verify_residues(package, TEST, Job())


class Importing:
    """An import of a second version."""

    def __init__(self, directory: Path) -> None:
        self.maker = Maker(directory)
        self.first, self.old = self.maker.package(self.maker.table(30), "1.consilium")
        self.second, self.new = self.maker.package(self.maker.table(2100), "2.consilium")
        self.place = directory / "profile"

    def begin(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        with Profile.create(self.place, program="test", now=1) as profile:
            import_package(self.first, profile, self.maker.expected, now=2)

    def work(self) -> None:
        with Profile.open(self.place, program="test", now=3) as profile:
            import_package(self.second, profile, self.maker.expected, now=4)

    def judge_half(self) -> None:
        with Profile.open(self.place, program="test", now=5) as profile:
            active = profile.datasets.active()
            assert active is not None
            assert active.id in {self.old.dataset, self.new.dataset}
            for row in profile.datasets.all():
                assert self.maker.counts(profile.dataset_path(row.id))[0] in {30, 2100}

    def judge_whole(self) -> None:
        with Profile.open(self.place, program="test", now=6) as profile:
            active = profile.datasets.active()
            assert active is not None
            assert (active.id, active.version) == (self.new.dataset, 2)
            assert self.maker.counts(profile.dataset_path(active.id))[0] == 2100
            found = {path.name for path in profile.dataset_directory.iterdir()}
            assert found == {f"{each.dataset.hex()}.consilium" for each in (self.old, self.new)}
            assert len(profile.preparers.all()) == 1


def count_calls(work: Callable[[], None]) -> int:
    """Return how many calls of our own functions ``work`` makes, counted in a child."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        counter = Counter(0)
        sys.setprofile(counter)
        work()
        sys.setprofile(None)
        os.write(writing, str(counter.calls).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        total = int(file.read())
    os.wait()
    return total


def killed_at(work: Callable[[], None], call: int) -> bool:
    """Do ``work`` in a child that is killed at its ``call``-th call; return whether it was."""
    child = os.fork()
    if child == 0:
        sys.setprofile(Counter(call))
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


class Counter:
    """A profile function that counts calls (and returns) of our own code and kills at one of them."""

    def __init__(self, fatal: int) -> None:
        self.calls = 0
        self.fatal = fatal

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if any(part in frame.f_code.co_filename for part in _OURS):
            self.calls += 1
            if self.calls == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
