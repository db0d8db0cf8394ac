"""The local socket of a profile's owner, which only the same user of the operating system can open.

A Unix domain socket (mode 0600, the peer's user is checked), or on Windows a named pipe whose other end has to know a
random key. Where it is, and that key, lies in the profile's file ``owner.address``. Messages are canonical CBOR, one
map each, at most :data:`MESSAGE_LIMIT` bytes; the owner speaks first (:class:`Greeting`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import stat
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing import connection as pipes
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from app import __version__
from app.core import codec, log
from app.core.errors import EnvironmentProblem, ProtocolViolation
from app.core.federation.schema import Fields
from app.core.files import disk_problems, private_directory, read_limited, write_atomic

PROTOCOL = 1
MESSAGE_LIMIT = 1 << 24
MALFORMED = "owner.malformed"
PATIENCE = 10.0
"""Seconds within which the other side has to finish a message that it has begun, or to greet."""

_ADDRESS, _SOCKET = "owner.address", "owner.sock"
_ADDRESS_LIMIT = 4096
_LONGEST_PATH = 100  # bytes; the least of the platforms' limits on a socket's path is 104 with the final zero
_MOST_CLIENTS = 32
_WINDOWS = sys.platform == "win32"
_log = log.logger("owner")


class Disconnected(Exception):
    """The other side has gone, or does not finish what it has begun."""


class Silent(Disconnected):
    """The other side is there and says nothing."""


@dataclass(frozen=True)
class Greeting:
    """What an owner says first. ``profile`` is the :func:`identity` of its profile, ``state`` one of ``commands.STATES``."""

    version: str
    profile: bytes
    pid: int
    program: str
    state: str

    def to_plain(self) -> dict[str, Any]:
        """Return the message."""
        plain = {"consilium": PROTOCOL, "version": self.version, "profile": self.profile, "pid": self.pid}
        return {**plain, "program": self.program, "state": self.state}

    @classmethod
    def from_plain(cls, value: object) -> Greeting:
        """Read the message; one of another protocol has an empty profile. Raises ProtocolViolation."""
        fields = Fields(value, MALFORMED)
        protocol, version = fields.number("consilium", 0, 1 << 31), fields.text("version", 64)
        if protocol != PROTOCOL:
            return cls(f"{version} ({protocol})", b"", 0, "?", "?")
        read = cls(
            version=version,
            profile=fields.bytes("profile", 32),
            pid=fields.number("pid", 0, 1 << 53),
            program=fields.text("program", 64),
            state=fields.text("state", 64),
        )
        fields.done()
        return read


def identity(directory: Path) -> bytes:
    """Return 32 bytes that name a profile's place: a copied profile is another one."""
    return hashlib.sha256(os.fsencode(os.path.normcase(os.path.realpath(directory)))).digest()


@dataclass(frozen=True)
class Address:
    """Where a socket is. ``key`` (for pipes) is what both ends prove to know."""

    family: str
    name: str
    key: bytes = b""

    @classmethod
    def new(cls, directory: Path, *, windows: bool = _WINDOWS) -> Address:
        """Choose an address for the owner of the profile in ``directory``."""
        if windows:
            return cls("AF_PIPE", rf"\\.\pipe\consilium-{secrets.token_hex(16)}", secrets.token_bytes(32))
        return cls("AF_UNIX", str(_socket_path(directory)))

    def save(self, directory: Path) -> None:
        """Write it into the profile, for this user only."""
        plain = {"consilium": PROTOCOL, "family": self.family, "name": self.name, "key": self.key}
        write_atomic(directory / _ADDRESS, codec.encode(plain))

    @classmethod
    def load(cls, directory: Path) -> Address | None:
        """Read what an owner wrote, which may have died since; None if there is nothing that can be read."""
        try:
            data = read_limited(directory / _ADDRESS, _ADDRESS_LIMIT)
            fields = Fields(codec.decode(data, _ADDRESS_LIMIT), MALFORMED)
            fields.exactly({"consilium": PROTOCOL})
            return cls(fields.text("family", 16), fields.text("name", 1024), fields.bytes("key", 0, 32))
        except (EnvironmentProblem, ProtocolViolation):
            return None

    @staticmethod
    def forget(directory: Path) -> None:
        """Remove what :meth:`save` wrote."""
        with suppress(OSError):
            (directory / _ADDRESS).unlink()


class Channel:
    """One connection. Any thread may send; one thread receives."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._closed = False

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; raises Disconnected, ProtocolViolation ``owner.too_large``."""
        data = codec.encode(message)
        if len(data) > MESSAGE_LIMIT:
            raise ProtocolViolation("owner.too_large", size=len(data), limit=MESSAGE_LIMIT)
        try:
            with self._sending:
                self._connection.send_bytes(data)
        except (OSError, ValueError) as error:
            raise Disconnected from error

    def receive(self, seconds: float | None = None) -> Any:
        """Return the next message, decoded; wait at most ``seconds`` for it to begin.

        Raises Disconnected (Silent after ``seconds``), ProtocolViolation ``codec.*``.
        """
        try:
            if not self._connection.poll(seconds):
                raise Silent
            data = self._connection.recv_bytes(MESSAGE_LIMIT)
        except (OSError, EOFError, ValueError, MemoryError) as error:
            raise Disconnected from error
        return codec.decode(data, MESSAGE_LIMIT)

    def close(self) -> None:
        """Hang up; a thread that waits in :meth:`receive` is woken."""
        with self._sending:
            if self._closed:
                return
            self._closed = True
            if not _WINDOWS:
                with suppress(OSError), _as_socket(self._connection) as line:
                    line.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Give the descriptor back; by the thread that receives, when it is done."""
        self.close()
        with suppress(OSError):
            self._connection.close()


def reach(directory: Path) -> tuple[Channel, Greeting] | None:
    """Return a channel to the owner of the profile in ``directory``, or None if no living program serves it.

    Raises EnvironmentProblem ``owner.silent`` (it does not answer) or ``owner.not_ours`` (another user's).
    """
    address = Address.load(directory)
    if address is None:
        return None
    try:
        connection = pipes.Client(address.name, address.family)
    except (OSError, EOFError):  # what a dead owner has left
        return None
    channel = Channel(connection)
    try:
        _check_peer(connection, address)
        if address.key:
            pipes.answer_challenge(connection, address.key)
            pipes.deliver_challenge(connection, address.key)
        greeting = Greeting.from_plain(channel.receive(PATIENCE))
    except PermissionError:
        channel.release()
        raise EnvironmentProblem("owner.not_ours", path=str(directory)) from None
    except (Silent, AuthenticationError, ProtocolViolation) as error:
        channel.release()
        raise EnvironmentProblem("owner.silent", path=str(directory)) from error
    except (OSError, EOFError, Disconnected):  # it was just leaving
        channel.release()
        return None
    if greeting.profile and greeting.profile != identity(directory):  # this profile was copied from another place
        channel.release()
        return None
    return channel, greeting


class Server:
    """Serves the socket of one profile: every client gets a thread in which ``visit`` talks to it.

    Make it only while holding the profile's lock: what an earlier owner left is replaced.
    """

    def __init__(
        self,
        directory: Path,
        visit: Callable[[Channel], None],
        greet: Callable[[], Greeting],
        *,
        address: Address | None = None,
    ) -> None:
        self._directory = directory
        self._visit = visit
        self._greet = greet
        self.address = address or Address.new(directory)
        self._slots = threading.Semaphore(_MOST_CLIENTS)
        self._closing = threading.Event()
        path = Path(self.address.name)
        with disk_problems(path):
            if self.address.family == "AF_UNIX":
                path.unlink(missing_ok=True)
            self._listener = pipes.Listener(self.address.name, self.address.family, backlog=_MOST_CLIENTS)
            if self.address.family == "AF_UNIX":
                path.chmod(0o600)  # who was quicker is refused by the check of the peer
        self.address.save(directory)
        self._thread = threading.Thread(target=self._accept, name="owner socket", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more clients; those that are there stay."""
        self._closing.set()
        self.address.forget(self._directory)
        with suppress(OSError, EOFError):
            pipes.Client(self.address.name, self.address.family).close()  # wakes the accepting thread
        self._thread.join(PATIENCE)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection = self._listener.accept()
            except (OSError, EOFError):  # a client that left at once, or no more descriptors
                self._closing.wait(0.05)
                continue
            if self._closing.is_set() or not self._slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._talk, args=(connection,), name="owner client", daemon=True).start()

    def _talk(self, connection: Connection) -> None:
        channel = Channel(connection)
        try:
            _check_peer(connection, self.address)
            if self.address.key:
                pipes.deliver_challenge(connection, self.address.key)
                pipes.answer_challenge(connection, self.address.key)
            channel.send(self._greet().to_plain())
            self._visit(channel)
        except Disconnected:
            _log.info("client_left")
        except ProtocolViolation as error:
            _log.warning("client_refused", code=error.code)
        except (OSError, EOFError, AuthenticationError) as error:
            _log.warning("client_refused", code=type(error).__name__)
        finally:
            channel.release()
            self._slots.release()


def greeting(directory: Path, program: str, state: str) -> Greeting:
    """Return what this process, the owner of the profile in ``directory``, says first."""
    return Greeting(__version__, identity(directory), os.getpid(), program, state)


def _socket_path(directory: Path) -> Path:
    """Return a path that is short enough: in the profile, else in a private directory under a hashed name."""
    path = directory / _SOCKET
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    name = f"{identity(directory).hex()[:32]}.sock"
    for base in _runtime_places():
        place = base / f"consilium-{os.geteuid()}"
        if len(os.fsencode(place / name)) <= _LONGEST_PATH:
            return _private(place) / name
    raise EnvironmentProblem("owner.no_runtime_directory", path=str(directory))


def _runtime_places() -> Iterator[Path]:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_dir():
        yield Path(runtime)
    yield Path(tempfile.gettempdir())
    yield Path("/tmp")  # noqa: S108 - what lies there is ours alone, or refused


def _private(place: Path) -> Path:
    """Make ``place`` if it is missing; raises EnvironmentProblem unless it is this user's alone."""
    private_directory(place)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise EnvironmentProblem("owner.runtime_directory_not_private", path=str(place))
    return place


def _as_socket(connection: Connection) -> socket.socket:
    return socket.socket(fileno=os.dup(connection.fileno()))


def _check_peer(connection: Connection, address: Address) -> None:
    """Let only this user's programs talk, each message within PATIENCE seconds. Raises PermissionError."""
    if address.family != "AF_UNIX" or _WINDOWS:
        return
    with _as_socket(connection) as line:
        limit = struct.pack("@ll", int(PATIENCE), 0)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        user = peer_user(line)
    if user is not None and user != os.geteuid():
        raise PermissionError


def peer_user(line: socket.socket) -> int | None:
    """Return the user id of the program at the other end of a Unix domain socket, where the system tells it."""
    if hasattr(socket, "SO_PEERCRED"):  # Linux: struct ucred {pid, uid, gid}
        return int(struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1])
    if hasattr(socket, "LOCAL_PEERCRED"):  # macOS, FreeBSD: struct xucred {version, uid, …} at level SOL_LOCAL
        return int(struct.unpack_from("=II", line.getsockopt(0, socket.LOCAL_PEERCRED, 76))[1])
    return None
