"""A relay that is killed under load, and one whose disk is full: what it has accepted it keeps, and nothing is half."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import random
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from app.core.clock import SystemClock
from app.core.errors import ConsiliumError, PeerProblem
from app.core.federation.proxies import ProxySetting
from app.core.federation.relay_client import RelayPost
from app.core.federation.relay_protocol import decode_messages
from app.relay import blobs, uploads
from app.relay.administration import issue_code
from tests.benchmarks import relay as load_client
from tests.relay_server import PLENTY, People, RelayProcess, RelayServer, found_federation, running_relay

KILLS = 8
SENDERS = 4
NONE = ProxySetting("none")


@dataclass
class Served:
    """What :func:`found_federation` asks of a relay, for one in another process."""

    process: RelayProcess
    posts: list[RelayPost] = field(default_factory=list)

    def code(self) -> str:
        return issue_code(self.process.directory, days=1, now=SystemClock().now())

    def post(self, federation: bytes, key: object) -> RelayPost:
        made = RelayPost(self.process.address, federation, key, proxy=NONE, sleep=lambda _: None)  # type: ignore[arg-type]
        self.posts.append(made)
        return made


@dataclass
class Load:
    """Members that send messages and blobs as fast as they can, and note what the relay has said yes to."""

    people: People
    directory: Path
    offered: list[tuple[int, bytes]] = field(default_factory=list)
    accepted: list[bytes] = field(default_factory=list)
    stored: dict[bytes, Path] = field(default_factory=dict)
    enough: threading.Event = field(default_factory=threading.Event)

    def run(self, place: int, target: int) -> None:
        """Go on until the relay is gone."""
        random_ = random.Random(secrets.randbits(64))
        while True:
            message = self.people.message(place, (SENDERS + 1,), random_.randbytes(random_.randrange(4000)))
            self.offered.append((place, message))
            try:
                self.people[place].send(message)
                self.accepted.append(message)
                if random_.random() < 0.1:
                    data = random_.randbytes(random_.randrange(1, 3_000_000))
                    path = self.directory / secrets.token_hex(8)
                    path.write_bytes(data)
                    name = hashlib.sha256(data).digest()
                    self.people[place].publish(name, path)
                    self.stored[name] = path
            except ConsiliumError:
                return
            if len(self.accepted) >= target:
                self.enough.set()


# urllib3 leaves the socket of a handshake that broke off to the garbage collector
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_relay_has_kept_what_it_accepted(tmp_path: Path, seed: int) -> None:
    """Killed without warning while four members send; once more while it starts."""
    random_ = random.Random(seed)
    directory = tmp_path / "relay"
    with RelayProcess(directory) as process:
        served = Served(process)
        people = found_federation(served, SENDERS + 1)  # type: ignore[arg-type]
        load = Load(people, tmp_path)
        target = random_.randrange(1, 400)
        threads = [threading.Thread(target=load.run, args=(place, target)) for place in range(1, SENDERS + 1)]
        for thread in threads:
            thread.start()
        assert load.enough.wait(60)
        process.kill()
        for thread in threads:
            thread.join(60)
        port = process.port
    kill_while_starting(directory, port, random_.random())
    for path in directory.glob("blobs/*/*/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name + path.name  # no half blob
    with RelayProcess(directory, port):
        arrived = everything(people, SENDERS + 1)
        assert len(set(arrived)) == len(arrived)
        assert set(load.accepted) <= set(arrived) <= {message for _, message in load.offered}
        for name, path in load.stored.items():
            assert b"".join(people[5].fetch(name, 1 << 22)) == path.read_bytes()
        for place, message in load.offered:  # as the outbox does
            people[place].send(message)
        assert sorted(everything(people, SENDERS + 1)) == sorted({message for _, message in load.offered})
    for post in served.posts:
        post.close()


def test_fifty_sites_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Killed while all of them send as fast as answers come, hundreds a second; then everybody looks what is there."""
    directory, sites = tmp_path / "relay", 50
    with RelayProcess(directory) as process:
        served = Served(process)
        people = found_federation(served, sites)  # type: ignore[arg-type]
        tokens = {place: post._open_session().token for place, post in people.posts.items()}
        messages = {place: [people.message(place, (place % sites + 1,)) for _ in range(40)] for place in tokens}
        accepted: list[bytes] = []

        async def send(place: int, stream: load_client.Stream) -> None:
            for message in messages[place]:
                with suppress(OSError, EOFError):
                    request = load_client.request("POST", "/v1/messages", tokens[place], message)
                    assert await load_client.ask(stream, request) == 201
                    accepted.append(message)
                    if len(accepted) == 500:
                        process.kill()

        async def run() -> None:
            streams = await load_client.connect(process.address, sites)
            await asyncio.gather(*map(send, tokens, streams))
            for _, writer in streams:
                writer.transport.abort()

        asyncio.run(run())
        port = process.port
    assert 500 <= len(accepted) < sum(map(len, messages.values()))
    with RelayProcess(directory, port):
        arrived = [message for place in tokens for message in everything(people, place)]
        assert len(set(arrived)) == len(arrived)
        assert set(accepted) <= set(arrived) <= {each for sent in messages.values() for each in sent}
    for post in served.posts:
        post.close()


def everything(people: People, place: int) -> list[bytes]:
    found: list[bytes] = []
    line, after = people[place], 0
    while True:
        answer = line._ask("GET", f"/v1/messages?after={after}")  # receive() would acknowledge
        if not (messages := decode_messages(answer.content)):
            return found
        after = messages[-1][0]
        found += [data for _, data in messages]


def kill_while_starting(directory: Path, port: int, seconds: float) -> None:
    command = [sys.executable, "-m", "tests.relay_server", str(directory), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    process.wait()


def test_an_asked_end_is_an_orderly_one(tmp_path: Path) -> None:
    with RelayProcess(tmp_path / "relay") as process:
        served = Served(process)
        people = found_federation(served, 2)  # type: ignore[arg-type]
        people[1].send(people.message(1))
        for post in served.posts:
            post.close()
        assert process.stop() == 0
    assert not (tmp_path / "relay" / "relay.db-wal").exists()  # folded into the database


# --- full disk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 12 MB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can make a small file system")
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let root make a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def blob(directory: Path, size: int) -> tuple[bytes, Path]:
    data = os.urandom(size)
    path = directory / secrets.token_hex(8)
    path.write_bytes(data)
    return hashlib.sha256(data).digest(), path


def fill(call: Callable[[], object]) -> None:
    """Repeat until the relay says that its disk is full."""
    with pytest.raises(PeerProblem, match=r"relay\.disk_full"):  # noqa: PT012 - whichever call it is
        for _ in range(1000):
            call()


def test_a_full_disk_refuses_and_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    """No reserve at all: the operating system itself says no, in the middle of blobs and of commits."""
    with running_relay(small_disk / "relay") as server:
        people = found_federation(server, 2)
        sent: list[bytes] = []
        published: dict[bytes, Path] = {}

        def publish() -> None:
            name, path = blob(tmp_path, 1_500_000)
            people[1].publish(name, path)
            published[name] = path

        def send() -> None:
            message = people.message(1, (2,), os.urandom(50_000))
            people[1].send(message)
            sent.append(message)

        for _ in range(5):
            send()
        fill(publish)
        fill(send)
        kept(people, sent, published)
        server.stop()
        server.start()
        kept(people, sent, published)
        subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)  # somebody makes room
        send()
        people[1].withdraw(next(iter(published)))
        published.pop(next(iter(published)))
        publish()
        kept(people, sent, published)
        after = 0
        while arrived := people[2].receive(after):  # reading acknowledges, and that works as well
            after = arrived[-1][0]


def kept(people: People, sent: list[bytes], published: dict[bytes, Path]) -> None:
    assert published
    assert sent
    assert everything(people, 2) == sent
    for name, path in published.items():
        assert b"".join(people[2].fetch(name, 1 << 22)) == path.read_bytes()


def test_the_reserve_keeps_room_for_acknowledging(tmp_path: Path) -> None:
    with running_relay(tmp_path / "relay") as plain:
        people = found_federation(plain, 2)
        people[1].send(people.message(1))
        plain.stop()
        plain.limits = replace(PLENTY, disk_reserve=1 << 60)
        plain.start()
        name, path = blob(tmp_path, 10)
        for call in (lambda: people[1].send(people.message(1)), lambda: people[1].publish(name, path)):
            with pytest.raises(PeerProblem, match=r"relay\.disk_full"):  # noqa: PT012 - whichever call it is
                call()
        arrived = people[2].receive(0)
        assert len(arrived) == 1
        assert people[2].receive(arrived[0][0]) == []
        assert people[2].receive(0) == []


@pytest.mark.parametrize("fails", ["append", "publish"])
def test_a_disk_that_fills_during_an_upload(tmp_path: Path, fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without being root: one write of the relay finds no room; the next attempt goes on."""
    with running_relay(tmp_path / "relay") as server:
        people = found_federation(server, 2)
        name, path = blob(tmp_path, 3_000_000)
        full = [True]
        module, attribute = (uploads, "append") if fails == "append" else (blobs, "publish")
        real = getattr(module, attribute)

        def failing(*arguments: object, **options: object) -> None:
            if full and options.get("offset") != 0:
                full.pop()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(*arguments, **options)

        monkeypatch.setattr(module, attribute, failing)
        with pytest.raises(PeerProblem) as caught:
            people[1].publish(name, path)
        assert caught.value.code == ("relay.disk_full" if fails == "append" else "relay.failed")
        assert not list(server.directory.glob("blobs/*/*/*"))
        people[1].publish(name, path)
        assert b"".join(people[2].fetch(name, 1 << 22)) == path.read_bytes()


def test_what_a_kill_left_between_file_and_row_is_tidied_up(relay_with_blob: tuple[RelayServer, People, bytes]) -> None:
    server, people, name = relay_with_blob
    server.stop()
    (file,) = server.directory.glob("blobs/*/*/*")
    stray = file.with_name("0" * 62)
    stray.write_bytes(b"renamed, but never committed")
    server.start()
    assert not stray.exists()
    assert people[1]._offered(name) is None
    server.stop()
    file.unlink()  # a copy of the directory that was made without it
    server.start()
    assert people[1]._offered(name) == 0


@pytest.fixture
def relay_with_blob(tmp_path: Path) -> Iterator[tuple[RelayServer, People, bytes]]:
    with running_relay(tmp_path / "relay") as server:
        people = found_federation(server, 1)
        name, path = blob(tmp_path, 1000)
        people[1].publish(name, path)
        yield server, people, name
