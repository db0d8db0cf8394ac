"""Agents of three sites, each run a process that is killed (SIGKILL) at some call of our own functions.

Started as ``python -m tests.faults.killing_agents DIRECTORY SEED KILLS``, because a process with threads must not fork.
The relay is a directory: what was sent lies there, and a message that is sent again must have the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from app.core.errors import PeerProblem
from app.core.federation import envelope as envelopes
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom
from app.core.jobs.job import Job
from app.core.services import member as members
from app.core.services.commands import find
from app.core.services.owner_clients import Call
from app.core.store.peek import peek
from tests.agent_sites import Sites, opened
from tests.fake_relay import FakeRelay
from tests.federation_sites import KnownNumber

_OURS = os.path.join("app", "core")
ROUNDS = 60


class DirectoryLine:
    """A line to a relay that is a directory; no two processes use it at the same time."""

    def __init__(self, base: Path, position: int) -> None:
        self._base = base
        self._position = position

    def receive(self, after: int, wait: int = 0) -> list[tuple[int, bytes]]:
        mailbox = sorted((self._base / str(self._position)).glob("*"))
        return [(int(path.name), path.read_bytes()) for path in mailbox if int(path.name) > after]

    def publish(self, name: bytes, path: Path) -> None:
        part = self._base / "part"
        shutil.copyfile(path, part)
        part.rename(self._base / name.hex())

    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
        message = envelopes.claimed(envelope)
        once = self._base / f"{message.sender}-{message.id.hex()}"
        if once.exists():
            assert once.read_bytes() == envelope, "a message was sent again with other bytes"
        once.write_bytes(envelope)
        for position in recipients:
            mailbox = self._base / str(position)
            mailbox.mkdir(exist_ok=True)
            number = 1 + max((int(path.name) for path in mailbox.iterdir() if path.name.isdigit()), default=0)
            part = mailbox / "part"
            part.write_bytes(envelope)
            part.rename(mailbox / f"{number:06}")

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        path = self._base / name.hex()
        if not path.exists():
            raise PeerProblem("post.blob_missing", name=name.hex())
        data = path.read_bytes()
        assert hashlib.sha256(data).digest() == name
        return [data]

    def close(self) -> None:
        pass


class Counter:
    """A profile function that counts our own calls and kills at one of them."""

    def __init__(self, fatal: int) -> None:
        self.calls = 0
        self.fatal = fatal

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if _OURS in frame.f_code.co_filename:
            self.calls += 1
            if self.calls == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: Callable[[], None], fatal: int) -> bool:
    """Do ``work`` in a child that is killed at a call; return whether it was."""
    child = os.fork()
    if child == 0:
        sys.setprofile(Counter(fatal))
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr)  # noqa: T201 - what the test shows
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0, "an agent failed"
    return os.WIFSIGNALED(status)


def known_number(site: LocalSite, _mailroom: Mailroom) -> KnownNumber:
    """Every site answers 100 times its position."""
    return KnownNumber(100 * site.position, keys=site.key_directory)


def main() -> None:
    """Do what the command line says and print how many agents were killed."""
    base, seed, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    setattr(members, "DatasetContributor", known_number)  # noqa: B010
    find("query.list")  # what a child would import again and again
    (base / "relay").mkdir()
    sites, draw, killed = Sites(base, FakeRelay()), random.Random(seed), 0

    def live(position: int, question: dict[str, object] | None = None) -> None:
        line = DirectoryLine(base / "relay", position)
        with sites.owner(position) as owner, sites.agent(owner, position, line=line) as agent:
            if question is not None:
                owner.submit(Call("query.run", question, Job(), lambda _outcome: None))
            agent.run(until_idle=True)

    def run(position: int, question: dict[str, object] | None = None) -> None:
        nonlocal killed
        fatal = int(10 ** draw.uniform(2, 5)) if killed < kills else 0
        killed += in_child(lambda: live(position, question), fatal)

    def settle(done: Callable[[], bool]) -> None:
        for _ in range(ROUNDS):
            for position in (1, 2, 3):
                run(position)
            if done():
                return
        raise AssertionError("it never ended")

    settle(lambda: all(_ceremony(sites, position) == "ready" for position in (1, 2, 3)))
    while not _queries(sites):
        run(1, QUESTION)
    settle(lambda: all(state != "open" for state in _queries(sites).values()))
    with opened(sites.directories[0]) as profile:
        released = [profile.store.releases.get(session) for session in _queries(sites)]
    assert all(each is not None and each.data == b"\x81\x19\x02\x58" for each in released)  # CBOR of [600]
    print(f"killed {killed}")  # noqa: T201 - how it answers the test


QUESTION: dict[str, object] = {
    "text": "smoker", "epsilon": "", "sites": [], "minimum": 0, "deadline": 0, "purpose": "A test", "wait": 0
}  # fmt: skip


def _ceremony(sites: Sites, position: int) -> str:
    return "".join(peek(sites.directories[position - 1], kind="ceremony").sessions.values())


def _queries(sites: Sites) -> dict[bytes, str]:
    return peek(sites.directories[0], kind="query").sessions


if __name__ == "__main__":
    main()
