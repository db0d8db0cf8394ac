"""Where the local socket of a profile's owner is, and who may be at its other end.

The address lies in the profile's file ``owner.address``; a socket whose path would be too long for the platform lies in
a private directory of the user. On Windows it is a named pipe, and the file also holds the key that both ends have to
know.
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
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from app.core import codec
from app.core.errors import EnvironmentProblem, ProtocolViolation
from app.core.fields import Fields
from app.core.files import private_directory, read_limited, write_atomic

PROTOCOL = 1
MALFORMED = "owner.malformed"
WINDOWS = sys.platform == "win32"

_ADDRESS, _SOCKET = "owner.address", "owner.sock"
_ADDRESS_LIMIT = 4096
_LONGEST_PATH = 100  # bytes; the least of the platforms' limits on a socket's path is 104 with the final zero


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
    def new(cls, directory: Path, *, windows: bool = WINDOWS) -> Address:
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


def _socket_path(directory: Path) -> Path:
    """Return a path that is short enough: in the profile, else in a private directory under a hashed name."""
    path = directory / _SOCKET
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    return _private_socket(f"{identity(directory).hex()[:32]}.sock", directory)


def window_socket(directory: Path, *, windows: bool = WINDOWS) -> str:
    """Return where the window on the profile in ``directory`` listens for another start of the program.

    A name, or on POSIX a path in a directory that is this user's alone: elsewhere others could listen in its place.
    """
    name = f"window-{identity(directory).hex()[:32]}"
    return f"consilium-{name}" if windows else str(_private_socket(f"{name}.sock", directory))


def _private_socket(name: str, directory: Path) -> Path:
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


def as_socket(connection: Connection) -> socket.socket:
    """Return a second handle on a connection, as a socket; close it."""
    return socket.socket(fileno=os.dup(connection.fileno()))


def check_peer(connection: Connection, address: Address, seconds: int) -> None:
    """Let only this user's programs talk, each piece of a message within ``seconds``. Raises PermissionError."""
    if address.family != "AF_UNIX" or WINDOWS:
        return
    with as_socket(connection) as line:
        limit = struct.pack("@ll", seconds, 0)
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
