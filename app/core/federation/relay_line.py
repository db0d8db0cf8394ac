"""The line to a relay: single requests over HTTPS, tried again where that helps, with errors that name their cause."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests

from app import __version__
from app.core.errors import ConsiliumError, EnvironmentProblem, ProtocolViolation
from app.core.federation import relay_protocol as protocol
from app.core.federation.proxies import ProxySetting, Route
from app.core.federation.relay_problems import from_answer, from_exception, is_lasting
from app.core.federation.relay_protocol import MARK, OFFSET
from app.core.federation.trust import RelayAdapter, RelayAddress

TRIES = 4
READ = 1 << 18
"""Bytes of a blob that are read at once."""

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 20.0
_SLOWEST = 131_072  # bytes a second that a line must carry
_PATIENCE = 10  # seconds that a busy relay may ask us to wait before it is told to the caller
_MOST_WAITS = 3


@dataclass(frozen=True)
class Answer:
    """A relay's answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class RelayInfo:
    """What a relay says of itself: program version, protocol versions, time (UTC ms), its certificate's SHA-256."""

    version: str
    protocols: tuple[int, ...]
    time: int
    certificate: str

    @classmethod
    def from_answer(cls, answer: Answer) -> RelayInfo:
        """Read it; raises EnvironmentProblem ``relay.not_a_relay``."""
        try:
            told = json.loads(answer.content)
            return cls(
                version=_short(told["version"]),
                protocols=tuple(int(version) for version in told["protocols"][:16]),
                time=int(told["time"]),
                certificate=_short(told["certificate"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise EnvironmentProblem("relay.not_a_relay", status=answer.status) from error

    def check(self) -> None:
        """Raise EnvironmentProblem ``relay.too_old`` or ``relay.program_too_old`` if we have no protocol in common."""
        if protocol.VERSION not in self.protocols:
            newer = any(version > protocol.VERSION for version in self.protocols)
            code = "relay.program_too_old" if newer else "relay.too_old"
            raise EnvironmentProblem(code, relay=self.version, program=__version__)


class RelayLine:
    """Requests to one relay, tried again where that helps, with errors that name their cause.

    May be used by several threads. ``sleep`` waits between tries; by default until the line is closed.
    """

    def __init__(
        self,
        address: RelayAddress,
        *,
        proxy: ProxySetting = ProxySetting(),  # noqa: B008 - immutable
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.address = address
        self._proxy = proxy
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._routes: tuple[Route, ...] = ()
        self._session = requests.Session()
        self._session.trust_env = False  # or a .netrc would replace our token, and a variable our trust
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["User-Agent"] = f"consilium/{__version__}"
        self._adapter = RelayAdapter(address.context())
        self._session.mount("https://", self._adapter)
        self._session.mount("http://", _NoPlainHttp())

    def close(self) -> None:
        """Hang up. Requests under way in other threads end with EnvironmentProblem ``relay.hung_up``."""
        self._closed.set()
        self._adapter.hang_up()
        self._session.close()

    def pause(self, failures: int) -> None:
        """Wait before the next try, longer every time."""
        self._sleep(0.1 * 4.0 ** (failures - 1))

    def problem(self, error: requests.RequestException) -> ConsiliumError:
        """Return what a failed request means."""
        if self._closed.is_set():
            return EnvironmentProblem("relay.hung_up")
        return from_exception(error, self.address, self.route)

    @property
    def route(self) -> Route:
        """The proxy in use, None for a direct connection. Raises EnvironmentProblem ``relay.pac_failed``."""
        if not self._routes:
            self._routes = self._proxy.routes(self.address.url)
        return self._routes[0]

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        wait: float = 0.0,
        expected: int = protocol.ANSWER_LIMIT,
        also: int = 0,
        tries: int = TRIES,
    ) -> Answer:
        """Send a request until there is an answer; return it if it says yes.

        An answer with the status ``also`` that says how much of a blob is there counts as one.
        ``wait`` is how long the relay may take on purpose, ``expected`` the most bytes that may come back. Raises
        what :mod:`app.core.federation.relay_problems` finds, ProtocolViolation ``codec.too_large``.
        """

        def send() -> Answer | requests.Response:
            response = self._once(method, path, body, headers, wait + (len(body) + expected) / _SLOWEST)
            wanted = response.ok or (response.status_code == also and OFFSET in response.headers)
            if wanted and MARK in response.headers:
                return Answer(response.status_code, response.headers, _content(response, expected))
            return response

        answer = self._again_and_again(send, tries)
        if isinstance(answer, Answer):
            return answer
        raise EnvironmentProblem("relay.not_a_relay", status=answer.status_code)

    def open(self, path: str, headers: Mapping[str, str], expected: int) -> requests.Response:
        """Send a GET request and return the answer before its body has come; errors as :meth:`request`."""

        def send() -> requests.Response:
            return self._once("GET", path, b"", headers, expected / _SLOWEST)

        answer = self._again_and_again(send, TRIES)
        if isinstance(answer, Answer):
            raise TypeError(answer)
        return answer

    def _again_and_again(
        self, send: Callable[[], Answer | requests.Response], tries: int
    ) -> Answer | requests.Response:
        failures, waits = 0, 0
        while not self._closed.is_set():
            try:
                answer = send()
            except requests.RequestException as error:
                failures += 1
                if failures == tries or (is_lasting(error) and not self._next_route()) or self._closed.is_set():
                    raise self.problem(error) from error
                self.pause(failures)
                continue
            if isinstance(answer, Answer) or (answer.ok and MARK in answer.headers):
                return answer
            pause, refusal = _asked_to_wait(answer), self._told(answer)
            if pause is None or waits == _MOST_WAITS:
                raise refusal
            waits += 1  # a busy relay has done nothing yet, so whatever it was may be asked again
            self._sleep(pause)
        raise EnvironmentProblem("relay.hung_up")

    def about(self) -> RelayInfo:
        """Ask the relay what it is. Raises EnvironmentProblem ``relay.not_a_relay`` for anything else."""
        answer = self.request("GET", "/v1/", expected=protocol.SMALL)
        return RelayInfo.from_answer(answer)

    def _once(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None, seconds: float
    ) -> requests.Response:
        route = self.route
        return self._session.request(
            method,
            self.address.url + path,
            data=io.BytesIO(body) if body else None,  # a file is sent in small pieces, each in a time of its own
            headers=dict(headers or {}),
            timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS + seconds),
            proxies={"https": route} if route else {},
            allow_redirects=False,
            stream=True,
            verify=True,
        )

    def _told(self, response: requests.Response) -> ConsiliumError:
        try:
            body = next(response.iter_content(1 << 16), b"")
        except requests.RequestException:
            body = b""
        finally:
            response.close()
        return from_answer(response, body, self.route)

    def _next_route(self) -> bool:
        """Go on with the next way that the PAC file named; return whether there is one."""
        if len(self._routes) < 2:
            self._routes = ()  # ask again the next time
            return False
        self._routes = self._routes[1:]
        return True


def declared(headers: Mapping[str, str], name: str, status: int) -> int:
    """Return the number of bytes in a header; raises EnvironmentProblem ``relay.not_a_relay`` if there is none."""
    told = headers.get(name, "")
    if not (told.isascii() and told.isdigit()) or len(told) > 12:
        raise EnvironmentProblem("relay.not_a_relay", status=status)
    return int(told)


class _NoPlainHttp(requests.adapters.BaseAdapter):
    def send(self, *_arguments: Any, **_options: Any) -> requests.Response:
        raise requests.exceptions.InvalidSchema("the relay is reached by HTTPS only")

    def close(self) -> None:
        """Nothing to close."""


def _asked_to_wait(response: requests.Response) -> float | None:
    """Return the seconds after which a busy relay wants to be asked again, if that is soon."""
    after = response.headers.get("Retry-After", "")
    if response.status_code not in (429, 503) or not after.isdecimal() or int(after[:9]) > _PATIENCE:
        return None
    return float(after)


def _content(response: requests.Response, limit: int) -> bytes:
    """Read a whole answer of at most ``limit`` bytes."""
    found = bytearray()
    with response:
        for piece in response.iter_content(READ):
            found += piece
            if len(found) > limit:
                raise ProtocolViolation("codec.too_large", size=len(found), limit=limit)
    return bytes(found)


def _short(value: object) -> str:
    if not isinstance(value, str) or len(value) > 128 or not value.isprintable():
        raise ValueError("not a short text")
    return value
