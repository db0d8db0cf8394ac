"""Three pretend hospitals on this computer, to try everything with: ours, and two more that answer by themselves.

They are real sites with real keys, a real relay and public data; only the hospitals are invented. One program, the
holder (:mod:`app.core.services.pretend_holder`), makes them and keeps the relay and the agents of the two others
running; it ends with the program that started it. Our own site is left to the window or the command line.

::

    <place>/pretend.json     that this place is ours; and what was made, once all is: before, a start begins anew
            passphrase.txt   what all keys here are protected by
            site-1           our profile; site-2, site-3: the others
            network/         the relay's data, and what the processes complain of
            owner.*, logs/   the holder's lock, address and log

Nothing lies anywhere else, and nothing is deleted in a directory that is not marked as ours. This module is light: a
window may import it.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

from app.core.clock import SystemClock
from app.core.errors import ConsiliumError, EnvironmentProblem, UserError
from app.core.files import disk_problems, private_directory, read_limited, write_atomic
from app.core.jobs.job import Cancelled, Job, Progress
from app.core.paths import pretend_place
from app.core.services.demo_network import program
from app.core.services.lifeline import LAST_SECONDS, STAY
from app.core.services.local_socket import Disconnected, reach
from app.core.store.lock import OwnerLock

NAMES = ("Lausanne", "Geneva", "Bern")
LOCK = "owner.lock"
NETWORK = "network"
MAKING, RUNNING, STOPPED, UNFINISHED, NONE = "making", "running", "stopped", "unfinished", "none"

STEPS: Mapping[str, float] = {
    "pretend.step.relay": 0.06,
    "pretend.step.join": 0.15,
    "pretend.step.agents": 0.07,
    "pretend.step.ceremony": 0.46,
    "pretend.step.prepare": 0.22,
    "pretend.step.import": 0.04,
}
"""What making them consists of, in this order, with the share of the time that each step takes."""

_MADE = "pretend.json"
_HOLDERS = (LOCK, "owner.address", "owner.sock", "logs")
"""What the holder itself has open: it outlives a making that was cut off."""
_VERSION = 1
_LIMIT = 1 << 12
_AGAIN_SECONDS = 0.1
_OWN_SECONDS = 10.0
"""How long a window has to let our own profile go, before removing it is refused."""
_REMOVING = ".pretend-removing"
_PROGRESS = "CONSILIUM_PROGRESS"
_INTERRUPTED = 130  # the exit code of a command that was stopped


@dataclass(frozen=True)
class Made:
    """What was made: the version of this record, the relay's port, and when (UTC ms)."""

    version: int
    port: int
    at: int

    @classmethod
    def load(cls, place: Path) -> Self | None:
        """Return what is recorded, or None if nothing whole is there."""
        try:
            plain = json.loads(read_limited(place / _MADE, _LIMIT))
            made = cls(int(plain["version"]), int(plain["port"]), int(plain["at"]))
        except (EnvironmentProblem, ValueError, TypeError, KeyError):
            return None
        return made if made.version == _VERSION else None

    @classmethod
    def of(cls, port: int) -> Self:
        """Return the record of what is made just now."""
        return cls(_VERSION, port, SystemClock().now())

    def save(self, place: Path) -> None:
        """Record it: from now on all is made."""
        write_atomic(place / _MADE, json.dumps(asdict(self)).encode())


@dataclass(frozen=True)
class Status:
    """How it stands with the pretend hospitals: one of the states above, our profile, and the holder's process id."""

    state: str
    profile: Path
    pid: int = 0


def overall(progress: Progress) -> float:
    """Return how far the whole making is, from 0 to 1, when one of its steps reports ``progress``."""
    before = 0.0
    for step, share in STEPS.items():
        if step == progress.step:
            return before + share * progress.fraction
        before += share
    return before


def own_profile(place: Path | None = None) -> Path:
    """Return the profile of our own pretend hospital. It need not exist."""
    return (place or pretend_place()) / "site-1"


def status(place: Path | None = None) -> Status:
    """Say how it stands. Raises EnvironmentProblem ``owner.silent``, ``owner.not_ours``."""
    place = place or pretend_place()
    if (reached := reach(place)) is not None:
        channel, greeting = reached
        channel.release()
        if greeting.state in (MAKING, RUNNING):  # else it is a profile that somebody has named by mistake
            return Status(greeting.state, own_profile(place), greeting.pid)
    if Made.load(place) is not None:
        return Status(STOPPED, own_profile(place))
    return Status(UNFINISHED if is_ours(place) else NONE, own_profile(place))


def is_ours(place: Path) -> bool:
    """Return whether ``place`` is a directory for pretend hospitals: marked so, or with a holder's own files only."""
    names = _names(place)
    return _MADE in names or (LOCK in names and names.issubset(_HOLDERS))


def claim(place: Path) -> None:
    """Make ``place`` ours; raises UserError ``pretend.other_files`` if it is not and something else lies there."""
    private_directory(place)
    if _names(place) and not is_ours(place):
        raise UserError("pretend.other_files", path=str(place))
    with disk_problems(place):
        (place / _MADE).touch(mode=0o600)


def _names(place: Path) -> set[str]:
    with disk_problems(place):
        return {each.name for each in place.iterdir()} if place.is_dir() else set()


class Holding:
    """A holder that this process has started: it ends with :meth:`close`, or with this process however that ends."""

    def __init__(self, process: subprocess.Popen[bytes], job: Job) -> None:
        self._process = process
        self._following = threading.Thread(target=_follow, args=(process.stderr, job), name="pretend", daemon=True)
        self._following.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def leave(self) -> None:
        """Let it go on without this process, until :func:`stop`."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.write(STAY)
        self._hang_up()
        self._process.returncode = 0  # or Popen would warn of a child that nobody waits for, as is meant here

    def close(self) -> None:
        """End it, and wait until it has ended."""
        self._hang_up()
        try:
            self._process.wait(2 * LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._following.join(LAST_SECONDS)

    def _hang_up(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def start(job: Job | None = None, place: Path | None = None) -> Holding | None:
    """Make the pretend hospitals, or wake those that are there, and return when the first question can be asked.

    None says that they were running already. Making takes up to a minute, waking some seconds; cancelling throws away
    what was made so far. Raises Cancelled, also if somebody else stops it; EnvironmentProblem ``demo.process_failed``;
    UserError with the code of whatever else stands in the way: ``pretend.busy``, ``disk.too_small`` …
    """
    job, place = job or Job(), place or pretend_place()
    if status(place).state == RUNNING:
        return None
    command = [*program(), "pretend", "run", "--place", str(place), "--until-input-ends", "--json"]
    process = subprocess.Popen(  # noqa: S603 - this very program
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, _PROGRESS: "json"},
        **_apart(),
    )
    holding = Holding(process, job)
    try:
        with job.cancel.interrupting(lambda: _close_input(process)):
            told = json.loads(process.stdout.readline() or b"{}") if process.stdout is not None else {}
        job.cancel.check()
        if "state" not in told:
            raise Cancelled if process.wait() == _INTERRUPTED else _error(told.get("error"), place)
    except BaseException:
        holding.close()
        raise
    return holding


def stop(place: Path | None = None) -> bool:
    """End the relay and the agents of the two others; return whether they were running.

    Raises EnvironmentProblem ``pretend.busy`` if they do not end in time.
    """
    place = place or pretend_place()
    reached = reach(place)
    if reached is not None:
        channel, _ = reached
        with suppress(Disconnected):
            channel.send({"type": "stop"})
        channel.release()
    if place.is_dir():
        wait_until_free(place)
    return reached is not None


def remove(place: Path | None = None) -> bool:
    """Stop the pretend hospitals and delete all that there is of them; return whether there was anything of ours.

    Raises EnvironmentProblem ``profile.in_use`` while a window or command has our own profile open.
    """
    named = place or pretend_place()
    place = named.resolve()  # behind a link, too, it is the hospitals that have to go
    leftovers = list(place.parent.glob(f"{_REMOVING}-*")) if place.parent.is_dir() else []
    there = is_ours(place)
    if there:
        stop(place)
        _wait(own_profile(place) / LOCK, _OWN_SECONDS)
        doomed = place.with_name(f"{_REMOVING}-{os.getpid()}-{time.monotonic_ns()}")
        _move_away(place, doomed)
        leftovers.append(doomed)
        if named.is_symlink():
            with disk_problems(named):
                named.unlink()
    for each in leftovers:
        with disk_problems(each):
            shutil.rmtree(each)
    return there


def _move_away(place: Path, to: Path) -> None:
    """Rename the whole: half of it is worse than all. Windows refuses as long as a program that ends has a file."""
    deadline, pause = time.monotonic() + LAST_SECONDS, threading.Event()
    while True:
        try:
            with disk_problems(place):
                place.rename(to)
        except EnvironmentProblem:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            pause.wait(_AGAIN_SECONDS)
        else:
            return


def wipe(place: Path) -> None:
    """Delete what an unfinished making has left, the mark last; what belongs to the holder itself stays."""
    doomed = [each for each in place.iterdir() if each.name not in _HOLDERS]
    for each in sorted(doomed, key=lambda each: each.name == _MADE):
        with disk_problems(each):
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()


def wait_until_free(place: Path) -> None:
    """Wait until no holder is at work here, nor what it has started: left behind by one that was killed, it ends soon.

    Our own profile may be open. Raises EnvironmentProblem ``pretend.busy``, ``profile.in_use``.
    """
    wait_for_sites(place)
    _wait(place / LOCK, 2 * LAST_SECONDS)


def wait_for_sites(place: Path) -> None:
    """As :func:`wait_until_free`, for the holder itself."""
    own = own_profile(place) / LOCK
    for lock in sorted(place.glob(f"site-*/{LOCK}")):
        if lock != own:
            _wait(lock, 2 * LAST_SECONDS)
    deadline, pause = time.monotonic() + 2 * LAST_SECONDS, threading.Event()
    while not _relay_is_free(place / NETWORK / "relay" / "owner.db"):
        if time.monotonic() > deadline:
            raise EnvironmentProblem("pretend.busy", path=str(place))
        pause.wait(_AGAIN_SECONDS)


def _wait(lock: Path, seconds: float) -> None:
    """Wait until nobody holds this lock; raises EnvironmentProblem ``profile.in_use``."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while lock.exists():
        try:
            OwnerLock.acquire(lock, program="consilium", now=SystemClock().now()).release()
        except EnvironmentProblem as problem:
            if problem.code != "profile.in_use" or time.monotonic() > deadline:
                raise
            pause.wait(_AGAIN_SECONDS)
        else:
            return


def _relay_is_free(path: Path) -> bool:
    """Return whether no relay runs on the directory of this file, which a relay locks as long as it runs."""
    if not path.is_file():
        return True
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return False
    return True


def _apart() -> dict[str, Any]:
    """Options that keep a process away from our terminal: Ctrl-C there is for us, and we tell it."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}  # type: ignore[attr-defined,unused-ignore]
    return {"start_new_session": True}


def _follow(lines: IO[bytes] | None, job: Job) -> None:
    """Pass on what the holder reports."""
    if lines is None:
        return
    with lines:
        for line in lines:
            try:
                told = json.loads(line)["progress"]
                progress = Progress(float(told["fraction"]), str(told["step"]), told["remaining"])
            except (ValueError, KeyError, TypeError):  # something else that it says
                continue
            job.report(progress)


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def _error(told: object, place: Path) -> ConsiliumError:
    """Return the error that the holder has printed before it ended."""
    if not isinstance(told, dict) or not isinstance(told.get("code"), str):
        return EnvironmentProblem("demo.process_failed", name="pretend", log=str(place / "logs"))
    params = told.get("params")
    return UserError(told["code"], **(params if isinstance(params, dict) else {}))
