"""The local socket of a profile's owner, which only the same user of the operating system can open.

A Unix domain socket (mode 0600, the peer's user is checked), or on Windows a named pipe whose other end has to know a
random key; see :mod:`app.core.services.local_address`. Messages are canonical CBOR, one map each, at most
:data:`MESSAGE_LIMIT` bytes; the owner speaks first (:class:`Greeting`).
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
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
from app.core.fields import Fields
from app.core.files import disk_problems
from app.core.services.local_address import MALFORMED, PROTOCOL, WINDOWS, Address, as_socket, check_peer, identity

MESSAGE_LIMIT = 1 << 27
PATIENCE = 10.0
"""Seconds within which the other side has to finish a message that it has begun, or to greet."""

_MOST_CLIENTS = 32
_log = log.logger("owner")


class Disconnected(Exception):
    """The other side has gone, or does not finish what it has begun."""


class Silent(Disconnected):
    """The other side is there and says nothing."""


@dataclass(frozen=True)
class Greeting:
    """What an owner says first. ``profile`` is the identity of its profile, ``state`` one of ``commands.STATES``."""

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
            if not WINDOWS:
                with suppress(OSError), as_socket(self._connection) as line:
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
        check_peer(connection, address, int(PATIENCE))
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
            check_peer(connection, self.address, int(PATIENCE))
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
