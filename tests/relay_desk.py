"""The relay's web application in one process, without a network; and a sample of every body it takes or gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from app.core.clock import SystemClock
from app.core.federation import relay_protocol as protocol
from app.core.federation.relay_protocol import Admission, Login, RelayMember, Session
from app.core.secret import SecretBytes
from app.relay import membership
from app.relay.metrics import Metrics
from app.relay.service import Service
from app.relay.web import Web
from tests.relay_server import PLENTY, People, new_key

T = TypeVar("T")

KEY = new_key()
FEDERATION = bytes(range(32))
ADMISSION = Admission.sign(FEDERATION, SecretBytes(bytes(32)), KEY, b"introduction")
LOGIN = Login.sign(FEDERATION, bytes(56), KEY)
MEMBER = RelayMember(1, KEY.public, True, b"introduction", b"", 5)
WHOLE: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "admission": (Admission.from_bytes, ADMISSION.to_bytes()),
    "login": (Login.from_bytes, LOGIN.to_bytes()),
    "session": (Session.from_bytes, Session("token", 3600).to_bytes()),
    "members": (protocol.decode_members, protocol.encode_members((MEMBER,))),
    "messages": (protocol.decode_messages, protocol.encode_messages([(1, b"one"), (7, b"two")])),
    "challenge": (protocol.decode_challenge, protocol.encode_challenge(bytes(56), 7)),
    "invitation": (protocol.decode_invitation, protocol.encode_invitation(7)),
    "places": (protocol.decode_places, protocol.encode_places((bytes(32), bytes([1]) * 32))),
}


class Desk:
    """The relay's web application in this process, without a network: one request at a time."""

    def __init__(self, directory: Path) -> None:
        self._runner = asyncio.Runner()
        self.people = People(FEDERATION, {1: KEY})
        self._runner.run(self._open(directory))

    async def _open(self, directory: Path) -> None:
        self.service = Service(directory, PLENTY, SystemClock(), Metrics())
        code = await self.service.writer.run(lambda connection: membership.new_code(connection, now=0, expires=1 << 52))
        member = await self.service.found(Admission.sign(FEDERATION, protocol.code_secret(code), KEY, b""))
        self.token = self.service.sessions.open(member, SystemClock().now())
        self.web = Web(self.service, "")

    def ask(
        self, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[int, dict[bytes, bytes]]:
        """Return status and headers of the answer."""
        return self.run(self._ask(method, path, query, headers, body))

    def run(self, asking: Coroutine[Any, Any, T]) -> T:
        """Run something in the relay's event loop."""
        return self._runner.run(asking)

    async def _ask(
        self, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[int, dict[bytes, bytes]]:
        answers: list[dict[str, Any]] = []
        pieces = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return pieces.pop(0) if pieces else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            answers.append(dict(message))

        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
            "scheme": "https", "path": path, "raw_path": path.encode("utf-8", "replace"), "query_string": query,
            "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
        }  # fmt: skip
        await self.web(scope, receive, send)
        return answers[0]["status"], dict(answers[0]["headers"])

    def close(self) -> None:
        """End."""
        self._runner.run(self.service.close())
        self._runner.close()
