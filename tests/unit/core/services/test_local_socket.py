"""The local socket: who gets in, what it bears, and what dead owners leave."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection as pipes
from pathlib import Path
from typing import Any

import pytest

from app.core import codec
from app.core.errors import EnvironmentProblem, ProtocolViolation
from app.core.services import local_address, local_socket
from app.core.services.local_address import Address, identity
from app.core.services.local_socket import Channel, Disconnected, Greeting, Server, Silent, greeting, reach

posix = pytest.mark.skipif(sys.platform == "win32", reason="Unix domain sockets")


def echo(channel: Channel) -> None:
    while True:
        channel.send({"said": channel.receive()})


@contextmanager
def served(
    directory: Path,
    visit: Callable[[Channel], None] = echo,
    greet: Callable[[], Any] | None = None,
    address: Address | None = None,
) -> Iterator[Server]:
    server = Server(directory, visit, greet or (lambda: greeting(directory, "test", "agent")), address=address)
    try:
        yield server
    finally:
        server.close()


def all_said(line: pipes.Connection) -> Iterator[bytes]:
    """Everything that comes until the other side hangs up."""
    try:
        while True:
            yield line.recv_bytes()
    except (EOFError, OSError):
        return


def reached(directory: Path) -> tuple[Channel, Greeting]:
    found = reach(directory)
    assert found is not None
    return found


def test_a_client_is_greeted_and_heard(tmp_path: Path) -> None:
    with served(tmp_path):
        channel, said = reached(tmp_path)
        assert (said.pid, said.program, said.state) == (os.getpid(), "test", "agent")
        for value in (1, {"a": [None, 0.5, b"x"]}, "y" * 1_000_000):
            channel.send({"value": value})
            assert channel.receive(10) == {"said": {"value": value}}
        channel.release()
    assert reach(tmp_path) is None
    assert not (tmp_path / "owner.address").exists()


@posix
def test_the_socket_and_its_address_are_for_this_user_only(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        assert os.stat(server.address.name).st_mode & 0o777 == 0o600
        assert os.stat(tmp_path / "owner.address").st_mode & 0o777 == 0o600


@posix
def test_what_a_dead_owner_left_is_replaced(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "owner.sock"))
    dead.listen()
    dead.close()
    Address("AF_UNIX", str(tmp_path / "owner.sock")).save(tmp_path)
    assert reach(tmp_path) is None
    with served(tmp_path):
        reached(tmp_path)[0].release()


@pytest.mark.parametrize("content", [b"", b"garbage", codec.encode({"consilium": 2}), bytes(5000)])
def test_an_address_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "owner.address").write_bytes(content)
    assert reach(tmp_path) is None


@posix
def test_a_copied_profile_does_not_reach_the_owner_of_the_first(tmp_path: Path) -> None:
    first, copy = tmp_path / "first", tmp_path / "copy"
    first.mkdir()
    copy.mkdir()
    with served(first):
        (copy / "owner.address").write_bytes((first / "owner.address").read_bytes())
        assert reach(copy) is None
        reached(first)[0].release()


@posix
def test_a_long_path_gets_a_socket_in_a_private_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        deep = tmp_path / ("d" * 90)
        deep.mkdir()
        with served(deep) as server:
            private = Path(runtime) / f"consilium-{os.geteuid()}"
            assert Path(server.address.name).parent == private
            assert private.stat().st_mode & 0o777 == 0o700
            assert len(server.address.name) < 104
            reached(deep)[0].release()
        private.chmod(0o755)
        with pytest.raises(EnvironmentProblem, match=r"owner\.runtime_directory_not_private"):
            Address.new(deep)


@posix
def test_somebody_elses_runtime_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        (Path(runtime) / f"consilium-{os.geteuid()}").symlink_to(tmp_path)
        with pytest.raises(EnvironmentProblem, match=r"owner\.runtime_directory_not_private"):
            Address.new(tmp_path / ("d" * 90))


@posix
def test_garbage_oversize_and_silence_end_one_client_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_socket, "PATIENCE", 1.0)
    ended: list[type[BaseException]] = []
    done = threading.Semaphore(0)

    def visit(channel: Channel) -> None:
        try:
            echo(channel)
        except (Disconnected, ProtocolViolation) as error:
            ended.append(type(error))
            raise
        finally:
            done.release()

    def raw(data: bytes) -> socket.socket:
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(tmp_path / "owner.sock"))
        assert codec.decode(line.recv(4096)[4:], 4096)["program"] == "test"
        line.sendall(data)
        return line

    not_canonical = codec.encode({"a": 1}) + b"\0"
    with served(tmp_path, visit):
        lines = [
            raw(struct.pack("!i", 5) + b"\xff" * 5),
            raw(struct.pack("!i", len(not_canonical)) + not_canonical),
            raw(struct.pack("!i", 1 << 30)),
            raw(struct.pack("!i", -7)),
            raw(struct.pack("!iq", -1, 1 << 62)),
            raw(struct.pack("!i", 100) + b"slow"),  # and never the rest
        ]
        for _ in lines:
            assert done.acquire(timeout=20)
        assert ended.count(ProtocolViolation) == 3
        assert ended.count(Disconnected) == 3
        channel, _ = reached(tmp_path)
        channel.send({"still": "here"})
        assert channel.receive(10) == {"said": {"still": "here"}}
        channel.release()
        for line in lines:
            line.close()


def test_too_many_clients_are_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_socket, "_MOST_CLIENTS", 2)
    with served(tmp_path):
        first, second = reached(tmp_path), reached(tmp_path)
        assert reach(tmp_path) is None
        first[0].release()
        second[0].release()


def test_a_message_that_is_too_large_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path):
        channel, _ = reached(tmp_path)
        monkeypatch.setattr(local_socket, "MESSAGE_LIMIT", 10)
        with pytest.raises(ProtocolViolation, match=r"owner\.too_large"):
            channel.send({"a": bytes(20)})
        channel.release()


def test_an_owner_that_says_nothing_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_socket, "PATIENCE", 0.05)
    listener = pipes.Listener(str(tmp_path / "owner.sock"), "AF_UNIX")
    Address("AF_UNIX", str(tmp_path / "owner.sock")).save(tmp_path)
    with pytest.raises(EnvironmentProblem, match=r"owner\.silent"):
        reach(tmp_path)
    listener.close()


@pytest.mark.parametrize("said", [{}, {"consilium": 1}, {"consilium": 1, "version": "1", "profile": b"short"}])
def test_what_is_no_greeting_is_refused(tmp_path: Path, said: dict[str, Any]) -> None:
    class Odd:
        def to_plain(self) -> dict[str, Any]:
            return said

    with served(tmp_path, greet=Odd), pytest.raises(EnvironmentProblem, match=r"owner\.silent"):
        reach(tmp_path)


def test_a_greeting_of_a_later_protocol_is_another_version(tmp_path: Path) -> None:
    said = Greeting.from_plain({"consilium": 9, "version": "7.0", "whatever": [1]})
    assert said.version == "7.0 (9)"
    assert said.profile == b""


@posix
def test_windows_needs_the_key_on_both_ends(tmp_path: Path) -> None:
    """The code of Windows: a pipe's address from the file, and a key that both ends prove to know."""
    pipe = Address.new(tmp_path, windows=True)
    assert pipe.family == "AF_PIPE"
    assert pipe.name.startswith(r"\\.\pipe\consilium-")
    assert len(pipe.key) == 32
    assert Address.new(tmp_path, windows=True).key != pipe.key
    pipe.save(tmp_path)
    assert Address.load(tmp_path) == pipe
    here = Address("AF_UNIX", str(tmp_path / "pipe"), pipe.key)  # the same steps over what this platform has
    with served(tmp_path, address=here):
        channel, said = reached(tmp_path)
        assert said.profile == identity(tmp_path)
        channel.send({"a": 1})
        assert channel.receive(10) == {"said": {"a": 1}}
        channel.release()
        Address(here.family, here.name, bytes(32)).save(tmp_path)
        with pytest.raises(EnvironmentProblem, match=r"owner\.silent"):
            reach(tmp_path)
        stranger = pipes.Client(here.name, here.family)  # no key at all: never greeted
        stranger.send_bytes(b"#WELCOME#")
        assert not any(b"program" in said for said in all_said(stranger))
        stranger.close()


@posix
def test_another_user_is_refused_on_both_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path):
        monkeypatch.setattr(local_address, "peer_user", lambda _line: os.geteuid() + 1)
        with pytest.raises(EnvironmentProblem, match=r"owner\.not_ours"):
            reach(tmp_path)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="becomes another user: needs root")
def test_another_user_really_does_not_get_in(tmp_path: Path) -> None:
    visited = threading.Event()

    def visit(_channel: Channel) -> None:
        visited.set()

    with tempfile.TemporaryDirectory(dir="/tmp") as open_to_all:
        place = Path(open_to_all)
        with served(place, visit) as server:
            knock = (
                "import os, socket, sys\n"
                "os.setgid(65534); os.setuid(65534)\n"
                "line = socket.socket(socket.AF_UNIX)\n"
                "try:\n    line.connect(sys.argv[1])\n"
                "except PermissionError:\n    sys.exit('refused')\n"
                "sys.exit(line.recv(100).decode('latin-1') or 'hung up')\n"
            )

            def told() -> str:
                command = [sys.executable, "-c", knock, server.address.name]
                return subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()

            place.chmod(0o755)
            assert told() == "refused"  # by the socket's mode
            os.chmod(server.address.name, 0o777)  # noqa: S103 - on purpose
            assert told() == "hung up"  # by the check of the peer
            place.chmod(0o700)
            assert told() == "refused"  # by the directory's mode
    assert not visited.is_set()


def test_closing_wakes_the_thread_that_receives(tmp_path: Path) -> None:
    with served(tmp_path):
        channel, _ = reached(tmp_path)
        with pytest.raises(Silent):
            channel.receive(0.01)
        woken: list[BaseException] = []

        def receive() -> None:
            try:
                channel.receive()
            except Disconnected as error:
                woken.append(error)

        thread = threading.Thread(target=receive)
        thread.start()
        channel.close()
        thread.join(10)
        assert woken
        channel.release()
