"""A middle between clients and the real relay that reads what passes and does everything wrong that can go wrong.

It serves TLS with the relay's own certificate, speaks HTTP with both sides, and draws a fault for every exchange: of
the request, of the answer, or of the envelopes in a mailbox's answer (as a relay would that has lost its mind).
"""

from __future__ import annotations

import http.client
import random
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.core.errors import ProtocolViolation
from app.core.federation.relay_protocol import decode_messages, encode_messages
from app.core.federation.trust import RelayAddress
from tests.relay_server import RelayServer

REQUESTS = (
    "drop request",
    "delay request",
    "duplicate request",
    "reorder request",
    "truncate request",
    "alter request",
)
ANSWERS = ("drop answer", "delay answer", "truncate answer", "alter answer", "foreign answer")
ENVELOPES = ("envelope twice", "envelopes out of order", "envelope late", "envelope altered", "envelope cut")
ALTERING = ("alter request", "alter answer", "envelope altered", "envelope cut")
_SECONDS = 0.05
"""How long something is held back."""
_END_TO_END = ("content-length", "transfer-encoding", "connection", "keep-alive", "date", "server")
_PAGE = b"<html>The hospital's proxy is being serviced.</html>"


@dataclass
class Middle:
    """Stands in front of ``relay``; each of ``kinds`` happens to the part ``rate`` of all exchanges that it can."""

    relay: RelayServer
    kinds: Sequence[str]
    rate: float = 0.05
    seed: int = 0
    done: Counter[str] = field(default_factory=Counter)
    """How often which fault has happened."""

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self._spoilt: set[bytes] = set()
        self._lock = threading.Lock()
        self._passing = threading.Event()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls = self.relay.directory / "tls"
        context.load_cert_chain(tls / "relay.pem", tls / "relay.key")
        self._server.context = context
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def address(self) -> RelayAddress:
        """Where clients find it."""
        return RelayAddress(f"https://127.0.0.1:{self._server.server_port}", self.relay.address.trust)

    def close(self) -> None:
        """End."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def drawn(self, among: Sequence[str]) -> str:
        """Return the fault that this happens to, or an empty text."""
        possible = [kind for kind in among if kind in self.kinds]
        with self._lock:
            if not possible or self._draw.random() >= self.rate * len(possible):
                return ""
            kind = self._draw.choice(possible)
            self.done[kind] += 1
            return kind

    def hold(self, until_others_pass: bool = False) -> None:
        """Let some time pass, or somebody else."""
        self._passing.clear()
        (self._passing if until_others_pass else self._closing).wait(_SECONDS)

    def passed(self) -> None:
        """Note that something has gone through."""
        self._passing.set()

    def altered(self, data: bytes) -> bytes:
        """Return ``data`` with one bit flipped."""
        with self._lock:
            place, bit = self._draw.randrange(len(data)), self._draw.randrange(8)
        return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]

    def cut(self, data: bytes) -> bytes:
        """Return a beginning of ``data``."""
        with self._lock:
            return data[: self._draw.randrange(len(data))]

    def shuffled(self, waiting: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Return a mailbox's answer as a mad relay would give it. Nothing is lost for good: that is another test."""
        kind = self.drawn(ENVELOPES) if waiting else ""
        cursors, envelopes = [cursor for cursor, _ in waiting], [data for _, data in waiting]
        match kind:
            case "envelope late":
                return waiting[: len(waiting) // 2]
            case "envelopes out of order":
                return list(zip(cursors, reversed(envelopes), strict=True))
            case "envelope twice":
                return [(cursors[0] - 1, envelopes[-1]), *waiting]
            case "envelope altered" if self._first_time(envelopes[0]):
                return [(cursors[0], self.altered(envelopes[0])), *waiting[1:]]
            case "envelope cut" if self._first_time(envelopes[0]):
                return [(cursors[0], self.cut(envelopes[0])), *waiting[1:]]
        return waiting

    def _first_time(self, data: bytes) -> bool:
        """Whether this has not been spoilt yet: what is spoilt again and again is given up."""
        with self._lock:
            new = data not in self._spoilt
            self._spoilt.add(data)
            return new


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, *_arguments: object) -> None:
        """Connections that break are what this is for."""


def _handler(middle: Middle) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self._outside: http.client.HTTPSConnection | None = None

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()
            if self._outside is not None:
                self._outside.close()

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (OSError, http.client.HTTPException):
                self.close_connection = True

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kind = middle.drawn(REQUESTS)
            if kind == "drop request":
                return self._break()
            if kind in ("delay request", "reorder request"):
                middle.hold(until_others_pass=kind == "reorder request")
            if kind == "truncate request" and body:
                self._cut_off(middle.cut(body), len(body))
                return self._break()
            if kind == "duplicate request":
                self._ask(body)
            if kind == "alter request" and body:
                body = middle.altered(body)
            status, headers, answer = self._ask(body)
            middle.passed()
            return self._answer(status, headers, answer)

        def _answer(self, status: int, headers: list[tuple[str, str]], answer: bytes) -> None:
            if self.command == "GET" and self.path.startswith("/v1/messages") and status == 200:
                with suppress(ProtocolViolation):
                    answer = encode_messages(middle.shuffled(decode_messages(answer)))
            kind = middle.drawn(ANSWERS)
            if kind == "drop answer":
                return self._break()
            if kind == "delay answer":
                middle.hold()
            if kind == "foreign answer":
                status, headers, answer = 503, [("Content-Type", "text/html")], _PAGE
            if kind == "alter answer" and answer and self.command != "HEAD" and middle._first_time(answer):
                answer = middle.altered(answer)
            length = dict(headers).get("content-length") if self.command == "HEAD" else None
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in _END_TO_END:
                    self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", length or str(len(answer)))
            self.end_headers()
            if kind == "truncate answer" and answer:
                self.wfile.write(middle.cut(answer))
                return self._break()
            if self.command != "HEAD":
                self.wfile.write(answer)
            return None

        def _connection(self) -> http.client.HTTPSConnection:
            if self._outside is None:
                context = middle.relay.address.context()
                self._outside = http.client.HTTPSConnection("127.0.0.1", middle.relay.port, context=context, timeout=60)
            return self._outside

        def _headers(self) -> dict[str, str]:
            return {name: value for name, value in self.headers.items() if name.lower() not in _END_TO_END}

        def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = self._connection()
            connection.request(self.command, self.path, body or None, self._headers())
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, [(name.lower(), value) for name, value in answer.getheaders()], content

        def _cut_off(self, beginning: bytes, length: int) -> None:
            """Send the beginning of a body to the relay, and break the connection."""
            connection = self._connection()
            connection.putrequest(self.command, self.path)
            for name, value in {**self._headers(), "Content-Length": str(length)}.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(beginning)
            connection.close()
            self._outside = None

        def _break(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                socket.socket.shutdown(self.connection, socket.SHUT_RDWR)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _pass

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
