"""Fuzz targets around the relay and the local socket: requests, answers, what programs of one user tell each other."""

from __future__ import annotations

import asyncio
import http.client
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from pathlib import Path
from typing import Any

import requests
import uvicorn
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse
from uvicorn.server import ServerState

from app import __version__
from app.core import codec
from app.core.errors import ConsiliumError
from app.core.federation import relay_protocol as protocol
from app.core.federation.proxies import ProxySetting
from app.core.federation.relay_client import RelayPost
from app.core.federation.trust import RelayAddress
from app.core.jobs.job import Job
from app.core.services import connect, local_socket
from app.core.services.commands import Waiting
from app.core.services.local_address import PROTOCOL
from app.core.services.owner_clients import Call, Visitor
from app.relay.server import _protocol
from app.relay.web import HEAD_BYTES
from tests.benchmarks.fuzz_targets import Accepted, Parser, Target, decoded, simple, target
from tests.relay_desk import FEDERATION, KEY, WHOLE, Desk

_LIMIT = 1 << 20


@simple("relay bodies")
def _bodies() -> Sequence[tuple[Parser, bytes]]:
    """Every body that goes to the relay or comes from it."""
    return [(read, whole) for read, whole in WHOLE.values()]


# --- requests -------------------------------------------------------------------------------------------------------


class _Transport(asyncio.Transport):
    """What a protocol writes to, without a network."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2), "sslcontext": object()})
        self.written = bytearray()
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self._closing = True

    abort = close

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


class _Server:
    """The relay's HTTP on bytes that are given to it: h11, uvicorn, the web application and the service."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._protocol = _protocol(60.0)
        options: dict[str, Any] = {"lifespan": "off", "log_config": None, "access_log": False, "proxy_headers": False}
        self._config = uvicorn.Config(desk.web, ws="none", h11_max_incomplete_event_size=HEAD_BYTES, **options)
        self._config.load()
        desk.service.end_polls()  # nobody has time to wait

    def ask(self, data: bytes) -> bytes:
        """Return what is answered to ``data`` until the client hangs up."""
        return self._desk.run(self._ask(data))

    async def _ask(self, data: bytes) -> bytes:
        state, transport = ServerState(), _Transport()
        connection = self._protocol(self._config, state, {})  # type: ignore[call-arg]
        connection.connection_made(transport)
        if data:  # a transport never gives nothing
            connection.data_received(data)
        for _ in range(3):
            if tasks := list(state.tasks):
                await asyncio.wait(tasks, timeout=0.002)
        connection.connection_lost(None)
        if tasks := list(state.tasks):
            await asyncio.wait(tasks)
        return bytes(transport.written)


def _plain_requests(token: str, body: bytes) -> list[tuple[bytes, bytes, bytes, list[tuple[bytes, bytes]], bytes]]:
    """Return (method, path, query, headers, body) of requests that the relay understands."""
    blob, name = b"piece", b"/v1/blobs/" + b"0" * 64
    authorized = (b"authorization", b"Bearer " + token.encode())
    asked: list[tuple[bytes, bytes, bytes, list[tuple[bytes, bytes]], bytes]] = [
        (b"GET", b"/v1/", b"", [], b""),
        (b"POST", b"/v1/federations", b"", [], WHOLE["admission"][1]),
        (b"POST", b"/v1/members", b"", [], WHOLE["admission"][1]),
        (b"POST", b"/v1/challenges", b"", [], b""),
        (b"POST", b"/v1/sessions", b"", [], WHOLE["login"][1]),
        (b"PUT", b"/v1/places", b"", [authorized], WHOLE["places"][1]),
        (b"PUT", b"/v1/invitations/" + b"0" * 64, b"", [authorized], WHOLE["invitation"][1]),
        (b"POST", b"/v1/messages", b"", [authorized], body),
        (b"GET", b"/v1/messages", b"after=0&wait=0", [authorized], b""),
        (b"DELETE", b"/v1/messages", b"through=5", [authorized], b""),
        (b"PUT", name, b"", [authorized, (b"content-range", b"bytes 0-4/9")], blob),
        (b"GET", name, b"", [authorized, (b"range", b"bytes=0-3")], b""),
        (b"HEAD", name, b"", [authorized], b""),
    ]
    return asked


@target("relay HTTP")
def _http() -> Iterator[Target]:
    """Bytes as they come out of TLS."""
    with tempfile.TemporaryDirectory() as directory:
        desk = Desk(Path(directory))
        server = _Server(desk)

        def parse(data: bytes) -> object:
            answered = server.ask(data)
            if b"HTTP/1.1 50" in answered[:12] and not answered.startswith(b"HTTP/1.1 507"):
                raise RuntimeError(answered[:200])
            if not answered.startswith(b"HTTP/1.1 2"):
                raise ConsiliumError("relay.refused")
            return answered

        samples = []
        for method, path, query, headers, body in _plain_requests(desk.token, desk.people.message(1, ())):
            head = [b"%s %s%s HTTP/1.1" % (method, path, b"?" + query if query else b""), b"host: relay"]
            head += [b"%s: %s" % header for header in (*headers, (b"content-length", b"%d" % len(body)))]
            samples.append(b"\r\n".join(head) + b"\r\n\r\n" + body)

        yield Target([(parse, sample) for sample in samples], part=0.4, refused=True)
        desk.close()


@target("relay requests")
def _requests() -> Iterator[Target]:
    """Method, path, query, headers and body, each with any content, as the web application gets them."""
    with tempfile.TemporaryDirectory() as directory:
        desk = Desk(Path(directory))
        desk.service.end_polls()

        def parse(data: bytes) -> object:
            asked = codec.decode(data, _LIMIT)
            parts = [*asked, b"", b"", b"", [], b""][:5] if isinstance(asked, list) else [b"GET", b"/", b"", [], b""]
            method, path, query, headers, body = parts
            pairs = [_pair(each) for each in headers] if isinstance(headers, list) else []
            status, _ = desk.ask(_text(method), _text(path), _bytes(query), pairs, _bytes(body))
            if status >= 500 and status != 507:
                raise RuntimeError(status)
            if status >= 400:
                raise ConsiliumError("relay.refused")
            return status

        plain = _plain_requests(desk.token, desk.people.message(1, ()))
        samples = [
            codec.encode([method, path, query, [list(each) for each in headers] + [[b"content-length", b"0"]], body])
            for method, path, query, headers, body in plain
        ]
        yield Target([(parse, sample) for sample in samples], whole=False, refused=True)
        desk.close()


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def _text(value: object) -> str:
    return _bytes(value).decode("latin-1")


def _pair(value: object) -> tuple[bytes, bytes]:
    name, content = [*value, b"", b""][:2] if isinstance(value, list) else (b"x", value)
    return _bytes(name).lower(), _bytes(content)


# --- answers --------------------------------------------------------------------------------------------------------


class _Canned(BaseAdapter):
    """Answers every request with bytes, through the HTTP client's own parsers."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = b""
        self._builder = HTTPAdapter()

    def send(self, request: requests.PreparedRequest, *_arguments: Any, **_options: Any) -> requests.Response:
        parsed = http.client.HTTPResponse(_Canned.Socket(self.answer), method=request.method)  # type: ignore[arg-type]
        try:
            parsed.begin()
            headers = parsed.msg or Message()
            shown = HTTPResponse(
                body=parsed, headers=headers.items(), status=parsed.status, version=parsed.version,
                reason=parsed.reason, preload_content=False, original_response=parsed, request_method=request.method,
            )  # fmt: skip
        except (http.client.HTTPException, HTTPError, ValueError, OSError) as error:  # as requests' own adapter does
            raise requests.ConnectionError(error) from error
        return self._builder.build_response(request, shown)

    def close(self) -> None:
        """Nothing to close."""

    class Socket:
        """What http.client reads an answer from."""

        def __init__(self, data: bytes) -> None:
            self._data = data

        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(self._data)


@target("answers over HTTP")
def _answers() -> Iterator[Target]:
    """Whole answers of something that claims to be the relay, for each thing a client asks."""
    canned = _Canned()
    post = RelayPost(
        RelayAddress("https://127.0.0.1"), FEDERATION, KEY, proxy=ProxySetting("none"), sleep=lambda _seconds: None
    )
    post.line._session.mount("https://", canned)
    post._session = protocol.Session("token", 3600)
    about = f'{{"version": "{__version__}", "protocols": [1], "time": 1, "certificate": "ab", "limits": {{}}}}'
    problem = b'{"type": "urn:consilium:problem:relay.mailbox_full", "code": "relay.mailbox_full", "waiting": 3}'
    reason = b"Consilium-Problem: relay.mailbox_full\r\nRetry-After: 2\r\n"
    blob = b"Content-Range: bytes 0-4/5\r\n"

    def asking(ask: Any) -> Parser:
        def parse(data: bytes) -> object:
            canned.answer = data
            post._session = post._session or protocol.Session("token", 3600)
            return ask()

        return parse

    pairs = [
        (asking(post.line.about), _answer(b"200 OK", about.encode())),
        (asking(post.members), _answer(b"200 OK", WHOLE["members"][1])),
        (asking(lambda: post.receive(0)), _answer(b"200 OK", WHOLE["messages"][1])),
        (asking(post._log_in), _answer(b"201 Created", WHOLE["challenge"][1])),
        (asking(lambda: b"".join(post.fetch(bytes(32), 1 << 16))), _answer(b"200 OK", b"piece", blob)),
        (asking(lambda: post._offered(bytes(32))), _answer(b"404 Not Found", b"", b"Upload-Offset: 5\r\n")),
        (asking(post.members), _answer(b"507 Full", problem, reason)),
    ]
    yield Target(pairs, part=0.7, refused=True)  # logging in asks three times and gets one answer
    post.close()


def _answer(status: bytes, body: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %s\r\nConsilium-Relay: 1\r\nContent-Length: %d\r\n" % (status, len(body))
    return head + more + b"\r\n" + body


# --- the local socket -----------------------------------------------------------------------------------------------


class _Channel:
    """A channel on which one message comes."""

    def __init__(self, data: bytes) -> None:
        self._waiting: list[bytes] = [data]

    def receive(self, _seconds: float | None = None) -> Any:
        if not self._waiting:
            raise local_socket.Disconnected
        return codec.decode(self._waiting.pop(), _LIMIT)

    def send(self, message: Mapping[str, Any]) -> None:
        codec.encode(message)

    def close(self) -> None: ...


class _Owning:
    """An owner that notes what it is asked for."""

    def submit(self, call: Call) -> None:
        assert isinstance(call.name, str)

    def soon(self, action: Any) -> None: ...


@target("local socket")
def _socket() -> Iterator[Target]:
    def asked(data: bytes) -> object:
        visitor = Visitor(_Owning(), _Channel(data))  # type: ignore[arg-type]
        visitor._read(connect.Fields(codec.decode(data, _LIMIT), "owner.malformed"))
        return visitor

    def told(data: bytes) -> object:
        there = connect._There(_Channel(data), Path("profile"))  # type: ignore[arg-type]
        try:
            return there._outcome(Job(), None)
        except (Waiting, connect._Leaving) as error:
            raise Accepted from error

    call = {"type": "call", "name": "data.list", "plain": {"a": [1, "b"]}, "secret": {"c": b"d"}}
    answers: list[dict[str, Any]] = [
        {"type": "progress", "fraction": 0.5, "step": "sealing", "remaining": None},
        {"type": "result", "plain": {"a": 1}, "secret": {}},
        {"type": "error", "error": {"kind": "user", "code": "a.b", "params": {"row": 3}}},
        {"type": "waiting", "waiting": {"key": "a.b", "params": {"days": 2}}},
        {"type": "leaving"},
    ]
    greeting = {
        "consilium": PROTOCOL, "version": __version__, "profile": bytes(32), "pid": 7, "program": "x", "state": "agent",
    }  # fmt: skip
    pairs = [
        (asked, codec.encode(call)),
        (asked, codec.encode({"type": "cancel"})),
        decoded(local_socket.Greeting.from_plain, greeting),
        *[(told, codec.encode(each)) for each in answers],
    ]
    yield Target(pairs, refused=True)  # an error that is told is raised
