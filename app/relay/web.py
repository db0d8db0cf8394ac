"""The relay's requests and answers over HTTP (see ``PROTOCOL.md``): reading, limiting, answering. No decisions here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from typing import BinaryIO

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import __version__
from app.core import log
from app.core.errors import ConsiliumError
from app.core.federation import relay_protocol as protocol
from app.core.federation.relay_protocol import CBOR, LONGEST_WAIT, OFFSET, SMALL, Admission, Login
from app.relay.blobs import BlobName
from app.relay.membership import Member
from app.relay.refusals import Refusal, problem
from app.relay.service import Service
from app.relay.uploads import Part

HEAD_BYTES = 16_384
_PIECE = 1 << 20
_ADDRESS = 64  # characters, of what a proxy calls one
_BLOB = "/v1/blobs/{name}"
_HASH = re.compile(r"[0-9a-f]{64}")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12})")
_RANGE = re.compile(r"bytes=(\d{1,12})-(\d{1,12})?")
_CODES = {404: "relay.not_found", 405: "relay.method_not_allowed"}
_SHOWN_LIMITS = (
    "envelope_bytes", "blob_bytes", "members", "messages_per_second", "message_burst", "waiting_messages",
    "waiting_bytes", "stored_bytes", "retention_days",
)  # fmt: skip
_EVERY_ANSWER = ((protocol.MARK.lower().encode(), str(protocol.VERSION).encode()), (b"cache-control", b"no-store"))
_log = log.logger("relay")

Handler = Callable[["Web", Request], Awaitable[Response]]


class Web:
    """The ASGI application over a service."""

    def __init__(self, service: Service, certificate: str) -> None:
        self._service = service
        self._certificate = certificate
        routes = [
            # the most frequent ones first
            Route("/v1/messages", self._endpoint(Web._send, "/v1/messages"), methods=["POST"]),
            Route("/v1/messages", self._endpoint(Web._receive, "/v1/messages"), methods=["GET"]),
            Route("/v1/messages", self._endpoint(Web._acknowledge, "/v1/messages"), methods=["DELETE"]),
            Route("/v1/", self._endpoint(Web._about, "/v1/"), methods=["GET"]),
            Route("/healthz", self._endpoint(Web._health, "/healthz"), methods=["GET"]),
            Route("/metrics", self._endpoint(Web._metrics, "/metrics"), methods=["GET"]),
            Route("/v1/federations", self._endpoint(Web._found, "/v1/federations"), methods=["POST"]),
            Route("/v1/members", self._endpoint(Web._join, "/v1/members"), methods=["POST"]),
            Route("/v1/members", self._endpoint(Web._members, "/v1/members"), methods=["GET"]),
            Route("/v1/presence", self._endpoint(Web._presence, "/v1/presence"), methods=["GET"]),
            Route("/v1/places", self._endpoint(Web._places, "/v1/places"), methods=["PUT"]),
            Route("/v1/invitations/{hash}", self._endpoint(Web._invite, "/v1/invitations"), methods=["PUT"]),
            Route("/v1/invitations/{hash}", self._endpoint(Web._revoke, "/v1/invitations"), methods=["DELETE"]),
            Route("/v1/challenges", self._endpoint(Web._challenge, "/v1/challenges"), methods=["POST"]),
            Route("/v1/sessions", self._endpoint(Web._log_in, "/v1/sessions"), methods=["POST"]),
            Route(_BLOB, self._endpoint(Web._put_blob, _BLOB), methods=["PUT"]),
            Route(_BLOB, self._endpoint(Web._get_blob, _BLOB), methods=["GET"]),  # and HEAD
            Route(_BLOB, self._endpoint(Web._withdraw_blob, _BLOB), methods=["DELETE"]),
        ]
        application = Starlette(routes=routes, exception_handlers={HTTPException: _http_problem})
        application.router.redirect_slashes = False  # what is not a route is refused, whatever bytes its query has
        self._routes: ASGIApp = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a client that does not take its answer loses the connection."""

        async def patient_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_EVERY_ANSWER]
            async with asyncio.timeout(self._service.limits.idle_seconds):
                await send(message)

        size = sum(len(name) + len(value) for name, value in scope["headers"])
        size += len(scope["query_string"]) + len(scope["path"])
        if size > HEAD_BYTES:  # h11 stops one that grows beyond; this one came in one piece
            await problem(Refusal("relay.too_large", size=size, limit=HEAD_BYTES))(scope, receive, patient_send)
            return
        await self._routes(scope, receive, patient_send)

    def _endpoint(self, handler: Handler, route: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                response = await handler(self, request)
            except ClientDisconnect:
                response = Response(status_code=400)  # nobody reads it
            except ConsiliumError as error:
                response = problem(error)
                if response.status_code >= 500:
                    _log.warning("refused", route=route, code=error.code, places=log.places(error))
                elif response.status_code not in (401, 404):
                    _log.info("refused", route=route, code=error.code, **error.params)
            except Exception as error:  # the last line of defence: one request's bug is not the relay's end
                _log.error("failed", route=route, places=log.places(error))
                response = problem(Refusal("relay.failed"))
            self._service.metrics.requests[request.method, route, response.status_code] += 1
            return response

        return answer

    # --- who is asking, and what ------------------------------------------------------------------------------------

    def _stranger(self, request: Request) -> None:
        self._service.admit_stranger(_address(request, self._service.limits.proxies))

    def _token(self, request: Request) -> str:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token or len(token) > 128:
            self._stranger(request)
            raise Refusal("relay.unauthenticated")
        return token

    def _member(self, request: Request) -> Member:
        return self._service.member(self._token(request))

    def _founder(self, request: Request) -> Member:
        return self._service.founder(self._token(request))

    async def _body(self, request: Request, limit: int) -> bytes:
        """Read a whole body of at most ``limit`` bytes; nothing of a larger one is kept."""
        declared = _number(request.headers.get("content-length", "0"), "Content-Length", 1 << 60)
        if declared > limit:
            raise Refusal("relay.too_large", size=declared, limit=limit)
        body = bytearray()
        try:
            async with asyncio.timeout(self._service.limits.body_seconds):
                async for piece in request.stream():
                    body += piece
                    if len(body) > limit:
                        raise Refusal("relay.too_large", size=len(body), limit=limit)
        except TimeoutError:
            raise Refusal("relay.too_slow") from None
        return bytes(body)

    # --- for everybody ----------------------------------------------------------------------------------------------

    async def _about(self, request: Request) -> Response:
        self._stranger(request)
        limits = asdict(self._service.limits)
        return JSONResponse(
            {
                "program": "consilium relay",
                "version": __version__,
                "protocols": [protocol.VERSION],
                "time": self._service.clock.now(),
                "certificate": self._certificate,
                "limits": {name: limits[name] for name in _SHOWN_LIMITS},
            }
        )

    async def _health(self, request: Request) -> Response:
        self._stranger(request)
        service = self._service
        if not service.writer.alive:
            raise Refusal("relay.failed")
        service.check_disk(0)
        await service.read(lambda connection: connection.execute("SELECT 1").fetchone())
        return JSONResponse({"status": "ok"})

    async def _metrics(self, request: Request) -> Response:
        if _address(request, self._service.limits.proxies) not in self._service.limits.metrics_to:
            raise Refusal("relay.not_found")
        return PlainTextResponse(self._service.metrics.text(), media_type="text/plain; version=0.0.4")

    # --- membership -------------------------------------------------------------------------------------------------

    async def _found(self, request: Request) -> Response:
        self._stranger(request)
        await self._service.found(Admission.from_bytes(await self._body(request, SMALL)))
        return Response(status_code=201)

    async def _join(self, request: Request) -> Response:
        self._stranger(request)
        await self._service.join(Admission.from_bytes(await self._body(request, SMALL)))
        return Response(status_code=201)

    async def _members(self, request: Request) -> Response:
        return Response(self._service.members(self._member(request)), media_type=CBOR)

    async def _presence(self, request: Request) -> Response:
        return Response(self._service.presence(self._member(request)), media_type=CBOR)

    async def _places(self, request: Request) -> Response:
        founder = self._founder(request)
        await self._service.give_places(founder, protocol.decode_places(await self._body(request, SMALL)))
        return Response(status_code=204)

    async def _invite(self, request: Request) -> Response:
        founder = self._founder(request)
        hash_ = _hash(request.path_params["hash"])
        await self._service.invite(founder, hash_, protocol.decode_invitation(await self._body(request, SMALL)))
        return Response(status_code=204)

    async def _revoke(self, request: Request) -> Response:
        await self._service.revoke(self._founder(request), _hash(request.path_params["hash"]))
        return Response(status_code=204)

    async def _challenge(self, request: Request) -> Response:
        self._stranger(request)
        now = self._service.clock.now()
        return Response(protocol.encode_challenge(self._service.sessions.challenge(now), now), 201, media_type=CBOR)

    async def _log_in(self, request: Request) -> Response:
        self._stranger(request)
        session = self._service.log_in(Login.from_bytes(await self._body(request, SMALL)))
        return Response(session.to_bytes(), 201, media_type=CBOR)

    # --- messages ---------------------------------------------------------------------------------------------------

    async def _send(self, request: Request) -> Response:
        member = self._member(request)
        data = await self._body(request, self._service.limits.envelope_bytes)
        return Response(status_code=201 if await self._service.send(member, data) else 200)

    async def _receive(self, request: Request) -> Response:
        member = self._member(request)
        after = _number(request.query_params.get("after", "0"), "after", 1 << 53)
        wait = _number(request.query_params.get("wait", "0"), "wait", LONGEST_WAIT)
        messages = await self._service.receive(member, after, wait)
        return Response(protocol.encode_messages(messages), media_type=CBOR)

    async def _acknowledge(self, request: Request) -> Response:
        member = self._member(request)
        through = _number(request.query_params.get("through", ""), "through", 1 << 53)
        await self._service.acknowledge(member, through)
        return Response(status_code=204)

    # --- blobs ------------------------------------------------------------------------------------------------------

    async def _put_blob(self, request: Request) -> Response:
        member = self._member(request)
        name, part = _hash(request.path_params["name"]), _part(request)
        size = await self._service.uploads.put(member, name, part, self._pieces(request))
        return Response(status_code=201 if size == part.total else 202, headers={OFFSET: str(size)})

    async def _pieces(self, request: Request) -> AsyncIterator[bytes]:
        stream = request.stream()
        while True:
            try:
                async with asyncio.timeout(self._service.limits.idle_seconds):
                    piece = await anext(stream, None)
            except TimeoutError:
                raise Refusal("relay.too_slow") from None
            if piece is None:
                return
            yield piece

    async def _get_blob(self, request: Request) -> Response:
        member, name = self._member(request), _hash(request.path_params["name"])
        size = await self._service.uploads.size(member, name)
        if size is None:
            refusal = problem(Refusal("relay.blob_missing", name=name.hex()))
            refusal.headers[OFFSET] = str(self._service.uploads.offset(member, name))
            return refusal
        start, end, status = _range(request, size)
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(end - start), "ETag": f'"{name.hex()}"'}
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        path = self._service.files.path(BlobName(member.federation, name))
        try:
            file = await asyncio.to_thread(open, path, "rb")
        except FileNotFoundError:  # withdrawn in this moment
            raise Refusal("relay.blob_missing", name=name.hex()) from None
        return _Part(file, start, end, status, headers)

    async def _withdraw_blob(self, request: Request) -> Response:
        await self._service.uploads.withdraw(self._member(request), _hash(request.path_params["name"]))
        return Response(status_code=204)


class _Part(Response):
    """The bytes of a file from ``start`` up to ``end``, for as long as somebody is there to take them."""

    media_type = "application/octet-stream"

    def __init__(self, file: BinaryIO, start: int, end: int, status: int, headers: dict[str, str]) -> None:
        super().__init__(None, status, headers)
        self._file = file
        self._bounds = (start, end)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_disconnected(receive))
        file, (place, end) = self._file, self._bounds
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            file.seek(place)
            while place < end and not gone.done() and (piece := await asyncio.to_thread(_read, file, end - place)):
                place += len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            if place == end:  # else the connection is broken, and the client sees that something is missing
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            file.close()


def _read(file: BinaryIO, most: int) -> bytes:
    return file.read(min(most, _PIECE))


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _address(request: Request, proxies: tuple[str, ...]) -> str:
    """Return who asks: the other end, or whom a reverse proxy that is believed names as its own other end.

    What a proxy nobody has named passes on is from somewhere else, whatever address the proxy has: its name is none.
    """
    host = request.client.host if request.client else ""
    forwarded = [each.strip() for value in request.headers.getlist("x-forwarded-for") for each in value.split(",")]
    while host in proxies and forwarded:
        host = forwarded.pop()[:_ADDRESS]
    return f"behind {host}" if forwarded and request.client and host == request.client.host else host


async def _http_problem(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return problem(Refusal(_CODES.get(status, "relay.malformed"), field=""))


def _hash(text: str) -> bytes:
    if not _HASH.fullmatch(text):
        raise Refusal("relay.malformed", field="name")
    return bytes.fromhex(text)


def _number(text: str, field: str, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) > most:
        raise Refusal("relay.malformed", field=field)
    return int(text)


def _part(request: Request) -> Part:
    if "content-length" not in request.headers:
        raise Refusal("relay.length_required")
    length = _number(request.headers["content-length"], "Content-Length", 1 << 60)
    if "content-range" not in request.headers:
        return Part(0, length, length)
    match = _CONTENT_RANGE.fullmatch(request.headers["content-range"])
    if match is None:
        raise Refusal("relay.malformed", field="Content-Range")
    first, last, total = map(int, match.groups())
    if not first <= last < total or last - first + 1 != length:
        raise Refusal("relay.malformed", field="Content-Range")
    return Part(first, last + 1, total)


def _range(request: Request, size: int) -> tuple[int, int, int]:
    """Return which bytes are asked for, and the status: one range, or everything."""
    wanted = request.headers.get("range")
    if wanted is None:
        return 0, size, 200
    match = _RANGE.fullmatch(wanted)
    if match is None or int(match[1]) >= size or (match[2] is not None and int(match[2]) < int(match[1])):
        raise Refusal("relay.range_not_satisfiable", size=size)
    end = size if match[2] is None else min(size, int(match[2]) + 1)
    return int(match[1]), end, 206
