"""What stands between a client and a relay, for tests: a wire that breaks; proxies that let through, ask, or look in.

All listen on 127.0.0.1, on free ports, and run in threads that end with them.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


class Listener:
    """Accepts connections and gives each to ``serve`` in a thread; closing it closes them all."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._sockets.append(connection)
                self._start(self._handle, connection)

    def _handle(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            self._serve(connection)

    def connect(self, port: int) -> socket.socket:
        """Open a connection to a port of this machine, closed at the end at the latest."""
        found = socket.create_connection(("127.0.0.1", port))
        self._sockets.append(found)
        return found

    def close(self) -> None:
        """End."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._sockets:
            hang_up(each)
            each.close()
        for thread in self._threads:
            thread.join(5)


def hang_up(connection: socket.socket) -> None:
    """Break a connection for both sides."""
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def pump(source: socket.socket, target: socket.socket, most: float = float("inf")) -> None:
    """Carry bytes from one to the other until ``most`` have gone or one of them ends; then break both."""
    done = 0
    with suppress(OSError, ValueError):
        while done < most and (data := source.recv(int(min(65536, most - done)))):
            target.sendall(data)
            done += len(data)
    hang_up(source)
    hang_up(target)


def join(one: socket.socket, other: socket.socket, up: float = float("inf"), down: float = float("inf")) -> None:
    """Carry bytes both ways; return when it is over."""
    back = threading.Thread(target=pump, args=(other, one, down), daemon=True)
    back.start()
    pump(one, other, up)
    back.join()


def join_opened(one: ssl.SSLSocket, other: ssl.SSLSocket) -> None:
    """As :func:`join` for opened TLS, in one thread: reading and writing one TLS connection at once is not allowed."""
    with suppress(OSError, ValueError):
        while True:
            waiting = [each for each in (one, other) if each.pending()]
            for each in waiting or select.select([one, other], [], [])[0]:
                each.setblocking(False)
                try:
                    data = each.recv(65536)
                except ssl.SSLWantReadError:  # what came was a session ticket: waiting here would hold up the other
                    continue
                finally:
                    each.setblocking(True)
                if not data:
                    return
                (other if each is one else one).sendall(data)


@dataclass
class Wire:
    """A connection to a relay that breaks: ``cuts`` holds (bytes up, bytes down) for the next connections."""

    port: int
    cuts: list[tuple[float, float]] = field(default_factory=list)
    connections: int = 0

    def serve(self, connection: socket.socket) -> None:
        """Carry one connection."""
        self.connections += 1
        up, down = self.cuts.pop(0) if self.cuts else (float("inf"), float("inf"))
        join(connection, self.listener.connect(self.port), up, down)

    def __post_init__(self) -> None:
        self.listener = Listener(self.serve)


@dataclass
class Proxy:
    """An HTTP proxy (CONNECT). With ``credentials`` it asks for them; ``refuse`` lets nothing through.

    With ``inspect``, a function that makes a server context for a host name, it opens TLS as hospitals' proxies do; the
    connection to the relay is then not verified.
    """

    credentials: str | None = None
    refuse: bool = False
    inspect: Callable[[str], ssl.SSLContext] | None = None
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = Listener(self._serve)

    @property
    def url(self) -> str:
        """The proxy's address."""
        return f"http://127.0.0.1:{self.listener.port}"

    def _serve(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (data := connection.recv(4096)):
                return
            head += data
        lines = head.decode("latin-1").split("\r\n")
        target = lines[0].split()[1]
        self.asked.append(target)
        if self.credentials is not None and f"Proxy-Authorization: Basic {self.credentials}" not in lines:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        if self.refuse:
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = target.rpartition(":")
        onward = self.listener.connect(int(port))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if self.inspect is None:
            join(connection, onward)
            return
        unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        with suppress(ssl.SSLError):
            opened = self.inspect(host).wrap_socket(connection, server_side=True)
            with opened, unverified.wrap_socket(onward) as outside:
                join_opened(opened, outside)


@contextmanager
def closing(thing: Wire | Proxy) -> Iterator[Wire | Proxy]:
    """Close a wire's or proxy's listener at the end."""
    try:
        yield thing
    finally:
        thing.listener.close()
