"""The pretend hospitals between real processes: made, asked, killed, woken, moved, cut off, removed without trace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.core.catalogue.file import load_catalogue
from app.core.errors import EnvironmentProblem
from app.core.jobs.job import Cancelled, CancelToken, Job, Progress
from app.core.query.oracle import count
from app.core.query.text import parse
from app.core.services import demo_data, pretend, pretend_holder
from app.core.services.connect import connect
from app.core.services.hospitals import catalogue
from app.core.services.pretend import Made, overall, own_profile
from app.core.services.profile import open_profile

SECONDS = 240
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "data" / "pretend"
    yield directory
    pretend.remove(directory)


def ask(place: Path, text: str) -> Any:
    values = {"text": text, "epsilon": "", "sites": [], "minimum": 0, "deadline": 0, "purpose": "test", "wait": SECONDS}
    with connect(own_profile(place)) as site:
        return site.call("query.run", values)["answer"]["count"]


def truth(text: str) -> int:
    known = load_catalogue(catalogue())
    return count(parse(text, known), demo_data.lung_study(3).rows(), known)


@contextmanager
def agent(profile: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Our own site's agent, as a window starts it."""
    command = [sys.executable, "-m", "app", "agent", "--profile", str(profile), "--until-input-ends"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline()
        yield process
        process.stdin.close()
        assert process.wait(30) in (0, 130)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def killed(holding: pretend.Holding) -> None:
    os.kill(holding.pid, signal.SIGKILL)
    holding.close()


def at(step: str, do: Callable[[], object]) -> Callable[[Progress], None]:
    """Do something once, when this step has begun."""
    todo = [do]

    def report(progress: Progress) -> None:
        if progress.step == step and todo:
            todo.pop()()

    return report


@posix
@pytest.mark.production
@pytest.mark.timeout(600)
def test_their_whole_life(place: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.delenv("CONSILIUM_PASSPHRASE_FILE", raising=False)  # the profiles find their passphrase by themselves
    told: list[Progress] = []
    holding = pretend.start(Job(told.append), place)
    assert holding is not None
    request.addfinalizer(holding.close)
    assert list(dict.fromkeys(each.step for each in told)) == list(pretend.STEPS)
    assert sorted(map(overall, told)) == list(map(overall, told))
    assert any(each.remaining_seconds for each in told)
    assert pretend.status(place) == pretend.Status(pretend.RUNNING, own_profile(place), holding.pid)
    assert pretend.start(place=place) is None  # they run already
    assert ask(place, "sex = female and age >= 60") == truth("sex = female and age >= 60")
    with open_profile(own_profile(place)) as profile:
        assert (profile.pretend, profile.site_name, profile.secrets.kind) == (True, "Lausanne", "passphrase-file")

    with agent(own_profile(place)):
        killed(holding)
        pretend.wait_until_free(place)  # what the holder has started ends by itself; our own agent does not
        assert pretend.status(place).state == pretend.STOPPED
        made = Made.load(place)
        assert made is not None
        with socket.socket() as other:  # somebody else has the relay's port now
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", made.port))
            other.listen()
            again = pretend.start(place=place)
        assert again is not None
        request.addfinalizer(again.close)
        moved = Made.load(place)
        assert moved is not None
        assert (moved.at, moved.port != made.port) == (made.at, True)
        assert ask(place, "died") == truth("died")  # all three have found it, ours while its agent ran
    assert pretend.stop(place)
    assert not pretend.stop(place)
    again.close()
    assert pretend.remove(place)
    assert list(place.parent.iterdir()) == []


def test_cancelling_leaves_nothing(place: Path) -> None:
    cancel = CancelToken()
    job = Job(at("pretend.step.join", cancel.cancel), cancel)
    with pytest.raises(Cancelled):
        pretend.start(job, place)
    assert Made.load(place) is None
    assert {each.name for each in place.iterdir()} <= {"owner.lock", "logs"}
    pretend.wait_until_free(place)


@posix
def test_one_that_was_killed_is_begun_anew(place: Path) -> None:
    holding: list[int] = []

    def kill() -> None:
        holding.append(pretend.status(place).pid)
        os.kill(holding[0], signal.SIGKILL)

    with pytest.raises(Exception, match=r"demo\.process_failed"):
        pretend.start(Job(at("pretend.step.join", kill)), place)
    assert pretend.status(place).state == pretend.UNFINISHED
    old = (place / "passphrase.txt").read_bytes()
    found: list[bytes] = []
    cancel = CancelToken()

    def look() -> None:
        found.append((place / "passphrase.txt").read_bytes())
        cancel.cancel()

    with pytest.raises(Cancelled):
        pretend.start(Job(at("pretend.step.join", look), cancel), place)
    assert len(found) == 1
    assert found != [old]


def test_stopping_from_elsewhere_leaves_nothing_either(place: Path) -> None:
    stopper = threading.Thread(target=pretend.stop, args=(place,))
    with pytest.raises(Cancelled):
        pretend.start(Job(at("pretend.step.join", stopper.start)), place)
    stopper.join(SECONDS)
    assert {each.name for each in place.iterdir()} <= {"owner.lock", "logs"}


def test_a_small_disk_is_said_before(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir(parents=True)
    monkeypatch.setattr(pretend_holder, "_BYTES", 1 << 60)
    with pytest.raises(EnvironmentProblem, match=r"disk\.too_small"):
        pretend_holder.hold(place, Job(), lambda _: None, federation="x")
    assert {each.name for each in place.iterdir()} == {"owner.lock"}


@posix
def test_they_end_with_the_program_that_started_them(place: Path) -> None:
    place.mkdir(parents=True)
    starter = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from app.core.jobs.job import Job\nfrom app.core.services import pretend\n"
        "def report(progress):\n    os.kill(os.getpid(), signal.SIGKILL) if progress.step.endswith('join') else None\n"
        "pretend.start(Job(report), Path(sys.argv[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", starter, str(place)], check=False, timeout=SECONDS)
    assert done.returncode == -signal.SIGKILL
    pretend.wait_until_free(place)
    assert pretend.status(place).state in (pretend.UNFINISHED, pretend.NONE)
    assert {each.name for each in place.iterdir()} <= {"owner.lock", "logs"}
