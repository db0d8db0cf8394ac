"""The relay as a process: one data directory, one port, TLS, and an orderly end.

::

    DATA/relay.toml     limits, if they shall not be the defaults (see limits.py)
         notices.json   when mail was last sent, if any is (see notices.py)
         relay.db       members, messages (with -wal and -shm beside it while it runs)
         owner.db       held while a relay runs on this directory
         blobs/ uploads/ tls/ logs/
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import HANDLED_SIGNALS

from app.core import log
from app.core.clock import Clock, SystemClock
from app.core.errors import EnvironmentProblem
from app.core.files import private_directory
from app.relay import certificates
from app.relay.backup import RESTORING
from app.relay.certificates import Certificate
from app.relay.limits import Limits, read_limits
from app.relay.metrics import Metrics
from app.relay.notices import read_mail
from app.relay.service import Service
from app.relay.web import HEAD_BYTES, Web

SETTINGS = "relay.toml"
_OWNER = "owner.db"
_KEEP_ALIVE_SECONDS = 75
_GOODBYE_SECONDS = 0.3
_LAST_SECONDS = 0.05  # in which connections that broke or were broken get closed
_BACKLOG = 512
_TLS = "tls"


@dataclass(frozen=True)
class Settings:
    """How to serve. Without ``certificate`` (chain and key files) the relay makes a private CA for ``names``."""

    directory: Path
    host: str = "127.0.0.1"
    port: int = 8443
    certificate: tuple[Path, Path] | None = None
    names: tuple[str, ...] = ()
    limits: Limits | None = None


@dataclass(frozen=True)
class Running:
    """A relay that answers: its URL, what it serves with, and a function that ends it, from any thread."""

    url: str
    certificate: Certificate
    stop: Callable[[], None]


def serve(settings: Settings, ready: Callable[[Running], None], clock: Clock | None = None) -> None:
    """Run the relay until the process is told to end (SIGINT, SIGTERM); call ``ready`` when it answers.

    Raises EnvironmentProblem: ``relay.in_use``, ``relay.restore_unfinished``, ``relay.bad_settings``,
    ``relay.bad_certificate``, ``relay.address_in_use``, ``relay.database_*``.
    """
    asyncio.run(_serve(settings, ready, clock or SystemClock()))


async def _serve(settings: Settings, ready: Callable[[Running], None], clock: Clock) -> None:
    directory = private_directory(settings.directory)
    if (directory / RESTORING).exists():
        raise EnvironmentProblem("relay.restore_unfinished", path=str(directory))
    limits = settings.limits or read_limits(directory / SETTINGS)
    mail = read_mail(directory / SETTINGS)
    for name in ("uvicorn.error", "uvicorn.access", "asyncio"):  # the relay's own log says what matters
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False
    with _owned(directory), _listening(settings.host, settings.port) as listener:
        certificate = _certificate(settings, clock)
        context = certificate.context()
        service = Service(directory, limits, clock, Metrics(), mail)
        try:
            config = uvicorn.Config(
                Web(service, certificate.leaf),
                ssl_context_factory=lambda _config, _default: context,
                http=_protocol(limits.head_seconds),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=HEAD_BYTES,
                limit_concurrency=limits.connections,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(limits.close_seconds)),
                backlog=_BACKLOG,
            )
            server = _Server(config, lambda: ready(running), service.end_polls)
            running = Running(_url(settings, listener), certificate, server.stop)
            await server.serve([listener])
        finally:
            await service.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._ending = ending

    def stop(self) -> None:
        """End in an orderly way, soon."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End in an orderly way when asked to. uvicorn's own would then let the signal kill what is left to close."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        log.logger("relay").info("started")
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.logger("relay").info("ending")
        self._ending()  # or open long polls would hold it up
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(_LAST_SECONDS)


def _protocol(head_seconds: float) -> type[asyncio.Protocol]:
    class PatientProtocol(H11Protocol):
        """uvicorn's HTTP with an end to its patience: a request's head comes in time or the connection goes."""

        _timer: asyncio.TimerHandle | None = None
        _ending = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expect_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop()
            else:
                self._expect_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            self._stop()
            super().on_response_complete()
            if self._ending:
                self.loop.call_later(_GOODBYE_SECONDS, self.transport.abort)

        def shutdown(self) -> None:
            """End this connection: at once if it is idle, else after its answer. No TLS goodbye is waited for."""
            self._ending = True
            if self.cycle is None or self.cycle.response_complete:
                self.transport.abort()
            else:
                super().shutdown()

        def _expect_head(self) -> None:
            if self._timer is None and not self.transport.is_closing():
                self._timer = self.loop.call_later(head_seconds, self.transport.abort)

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return PatientProtocol


def _certificate(settings: Settings, clock: Clock) -> Certificate:
    if settings.certificate is not None:
        return certificates.given(*settings.certificate)
    now = datetime.datetime.fromtimestamp(clock.now() / 1000, datetime.UTC)
    return certificates.private(settings.directory / _TLS, (settings.host, *settings.names), now)


def _url(settings: Settings, listener: socket.socket) -> str:
    host = settings.names[0] if settings.names else settings.host
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared with, not bound to
        host = socket.getfqdn()
    return f"https://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise EnvironmentProblem(
            "relay.address_in_use", host=host, port=port, reason=error.strerror or str(error)
        ) from error
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where SO_REUSEADDR means something else
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise EnvironmentProblem(
                "relay.address_in_use", host=host, port=port, reason=error.strerror or str(error)
            ) from error
        yield listener
    finally:
        listener.close()


@contextmanager
def _owned(directory: Path) -> Iterator[None]:
    """Keep a second relay off the directory. The lock is SQLite's own, on every system, and dies with its holder."""
    connection = sqlite3.connect(directory / _OWNER, isolation_level=None, timeout=0)
    try:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise EnvironmentProblem("relay.in_use", path=str(directory)) from error
        yield
    finally:
        connection.close()
