"""A real relay for tests: on 127.0.0.1, on a free port, with TLS by its own private CA.

``relay`` (a fixture) runs in a thread of the tests; :class:`RelayProcess` is a process of its own, to be killed.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.core.clock import Clock, SystemClock
from app.core.crypto.identity import MemberKey
from app.core.federation.envelope import Envelope, sign
from app.core.federation.proxies import ProxySetting
from app.core.federation.relay_client import RelayPost
from app.core.federation.trust import RelayAddress
from app.core.secret import SecretBytes
from app.relay.administration import issue_code
from app.relay.limits import Limits
from app.relay.server import Running, Settings, serve

PLENTY = Limits(
    requests_per_second=1e6, request_burst=10**6, messages_per_second=1e6, message_burst=10**6,
    stranger_requests_per_second=1e6, stranger_burst=10**6, disk_reserve=0, close_seconds=2.0,
)  # fmt: skip
"""Limits that no test meets by accident."""
FAR = 1 << 52
"""A time that does not come."""


@dataclass
class TestClock:
    """A clock that tests can move: the system's time and ``ahead`` milliseconds."""

    __test__ = False
    ahead: int = 0

    def now(self) -> int:
        """Return the time."""
        return SystemClock().now() + self.ahead


class RelayServer:
    """A relay in a thread of this process."""

    def __init__(
        self,
        directory: Path,
        limits: Limits = PLENTY,
        clock: Clock | None = None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.directory = directory
        self.certificate = certificate
        self.limits = limits
        self.clock = clock or TestClock()
        self._port = 0
        self._posts: list[RelayPost] = []
        self._running: Running | None = None
        self._failure: BaseException | None = None
        self.start()

    def start(self) -> None:
        """Start, or start again on the same port and directory."""
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="relay")
        self._thread.start()
        assert self._up.wait(30)
        if self._failure is not None:
            raise self._failure

    def _serve(self) -> None:
        try:
            settings = Settings(self.directory, port=self._port, limits=self.limits, certificate=self.certificate)
            serve(settings, self._ready, self.clock)
        except BaseException as error:
            self._failure = error
        finally:
            self._up.set()

    def _ready(self, running: Running) -> None:
        self._running = running
        self._port = int(running.url.rpartition(":")[2])
        self._up.set()

    @property
    def port(self) -> int:
        """The port it listens on; the same after a restart."""
        return self._port

    @property
    def address(self) -> RelayAddress:
        """Where it is, and its private CA."""
        return RelayAddress(f"https://127.0.0.1:{self._port}", (self.directory / "tls" / "ca.pem").read_text())

    def stop(self) -> None:
        """End in an orderly way."""
        if self._running is not None:
            self._running.stop()
            self._thread.join(30)
            assert not self._thread.is_alive()
            self._running = None
            if self._failure is not None:
                raise self._failure

    def code(self) -> str:
        """Return a code to found a federation with."""
        return issue_code(self.directory, days=1, now=self.clock.now())

    def post(self, federation: bytes, key: MemberKey, **options: object) -> RelayPost:
        """Return a client, closed at the end."""
        options.setdefault("proxy", ProxySetting("none"))
        post = RelayPost(self.address, federation, key, **options)  # type: ignore[arg-type]
        self._posts.append(post)
        return post

    def close(self) -> None:
        """Close the clients and end."""
        for post in self._posts:
            post.close()
        self.stop()


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayServer]:
    """A running relay."""
    with running_relay(tmp_path / "relay") as server:
        yield server


@contextmanager
def running_relay(
    directory: Path,
    limits: Limits = PLENTY,
    clock: Clock | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[RelayServer]:
    """Run a relay on ``directory``."""
    server = RelayServer(directory, limits, clock, certificate)
    try:
        yield server
    finally:
        server.close()


@dataclass
class People:
    """A federation at a relay: ``posts`` by place, 1 the founder, and their ``keys``."""

    id: bytes
    keys: dict[int, MemberKey] = field(default_factory=dict)
    posts: dict[int, RelayPost] = field(default_factory=dict)

    def __getitem__(self, place: int) -> RelayPost:
        return self.posts[place]

    def message(
        self, sender: int = 1, recipients: tuple[int, ...] = (), body: bytes = b"body", **fields: object
    ) -> bytes:
        """Return a signed envelope."""
        plain: dict[str, object] = {
            "federation": self.id, "type": "test.message", "sender": sender, "recipients": recipients,
            "session": bytes(16), "id": secrets.token_bytes(16), "time": SystemClock().now(), "body": body,
        }  # fmt: skip
        return sign(Envelope(**{**plain, **fields}), self.keys[sender])  # type: ignore[arg-type]


def new_key() -> MemberKey:
    """Return a member key."""
    return MemberKey.from_root(SecretBytes(secrets.token_bytes(32)))


def found_federation(
    server: RelayServer, members: int, make: Callable[[bytes, MemberKey], RelayPost] | None = None
) -> People:
    """Found a federation and let all its members join."""
    people = People(secrets.token_bytes(32))
    make = make or server.post
    for place in range(1, members + 1):
        key = people.keys[place] = new_key()
        post = people.posts[place] = make(people.id, key)
        if place == 1:
            post.found(server.code())
        else:
            secret = SecretBytes(secrets.token_bytes(32))
            people[1].invite(secret, FAR)
            post.join(secret)
    return people


class RelayProcess:
    """A relay in a process of its own."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        self.directory = directory
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.relay_server", str(directory), str(port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    @property
    def address(self) -> RelayAddress:
        """Where it is, and its private CA."""
        return RelayAddress(f"https://127.0.0.1:{self.port}", (self.directory / "tls" / "ca.pem").read_text())

    def kill(self) -> None:
        """Kill it without warning."""
        self._process.kill()
        self._end()

    def stop(self) -> int:
        """Ask it to end, as an administrator would; return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self) -> int:
        code = self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def __enter__(self) -> RelayProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()


def _main(directory: str, port: str) -> None:
    def ready(running: Running) -> None:
        sys.stdout.write(f"{running.url.rpartition(':')[2]}\n")
        sys.stdout.flush()

    serve(Settings(Path(directory), port=int(port), limits=PLENTY), ready)


if __name__ == "__main__":
    _main(*sys.argv[1:])
