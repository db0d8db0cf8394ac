"""The post that goes through the relay: outbound HTTPS only, through whatever stands between.

Every request here may be sent twice: messages carry the sender's id, blobs their hash, the rest says what shall be and
not what shall change. So a broken connection is tried again, and blobs go on where they stopped, in both directions.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import requests

from app import __version__
from app.core.clock import Clock, SystemClock
from app.core.crypto.identity import MemberKey
from app.core.errors import ConsiliumError, EnvironmentProblem, PeerProblem, ProtocolViolation
from app.core.federation import relay_protocol as protocol
from app.core.federation.proxies import ProxySetting, Route
from app.core.federation.relay_problems import from_answer, from_exception, is_lasting
from app.core.federation.relay_protocol import CBOR, MARK, OFFSET, Admission, Login, RelayMember, Session
from app.core.federation.trust import RelayAdapter, RelayAddress
from app.core.files import disk_problems
from app.core.secret import SecretBytes

T = TypeVar("T")

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 20.0
_SLOWEST = 131_072  # bytes a second that a line must carry
_PIECE = 1 << 22  # bytes of a blob in one request: proxies buffer whole requests, and some refuse large ones
_READ = 1 << 18
_TRIES = 4
_PATIENCE = 10  # seconds that a busy relay may ask us to wait before it is told to the caller


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
        tries: int = _TRIES,
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

        answer = self._again_and_again(send, _TRIES)
        if isinstance(answer, Answer):
            raise TypeError(answer)
        return answer

    def _again_and_again(
        self, send: Callable[[], Answer | requests.Response], tries: int
    ) -> Answer | requests.Response:
        for left in reversed(range(tries)):
            if self._closed.is_set():
                raise EnvironmentProblem("relay.hung_up")
            try:
                answer = send()
            except requests.RequestException as error:
                if not left or (is_lasting(error) and not self._next_route()) or self._closed.is_set():
                    raise self.problem(error) from error
                self.pause(tries - left)
                continue
            if isinstance(answer, Answer) or (answer.ok and MARK in answer.headers):
                return answer
            pause = _asked_to_wait(answer)
            refusal = self._told(answer)
            if not left or pause is None:
                raise refusal
            self._sleep(pause)
        raise EnvironmentProblem("relay.unreachable", host=self.address.host, port=self.address.port)

    def about(self) -> RelayInfo:
        """Ask the relay what it is. Raises EnvironmentProblem ``relay.not_a_relay`` for anything else."""
        answer = self.request("GET", "/v1/", expected=protocol.SMALL)
        try:
            told = json.loads(answer.content)
            return RelayInfo(
                version=_short(told["version"]),
                protocols=tuple(int(version) for version in told["protocols"][:16]),
                time=int(told["time"]),
                certificate=_short(told["certificate"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise EnvironmentProblem("relay.not_a_relay", status=answer.status) from error

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


class RelayPost:
    """One member's dealings with its relay: a Post for the mailroom, and what a federation needs to come about.

    ``clock_difference`` is how far the relay's clock is ahead of ours, in milliseconds, once there was a session.
    """

    def __init__(
        self,
        address: RelayAddress,
        federation: bytes,
        key: MemberKey,
        *,
        proxy: ProxySetting = ProxySetting(),  # noqa: B008 - immutable
        clock: Clock | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.line = RelayLine(address, proxy=proxy, sleep=sleep)
        self.clock_difference = 0
        self._federation = federation
        self._key = key
        self._clock = clock or SystemClock()
        self._login = threading.Lock()
        self._session: Session | None = None
        self._acknowledged = 0

    def close(self) -> None:
        """Hang up. What is under way in other threads ends with EnvironmentProblem ``relay.hung_up``."""
        self.line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- membership -------------------------------------------------------------------------------------------------

    def found(self, code: str, introduction: bytes = b"") -> None:
        """Found this federation with a code from the relay's administrator; again is the same.

        Raises UserError ``relay.code_refused``, PeerProblem ``relay.federation_exists``.
        """
        self._enter("/v1/federations", protocol.code_secret(code), introduction)

    def join(self, invitation_secret: SecretBytes, introduction: bytes = b"") -> None:
        """Join this federation with the secret of an invitation; again is the same.

        Raises UserError ``relay.invitation_refused``, PeerProblem ``relay.federation_full``.
        """
        self._enter("/v1/members", protocol.admission_of(invitation_secret), introduction)

    def _enter(self, path: str, secret: SecretBytes, introduction: bytes) -> None:
        self.line.about().check()
        body = Admission.sign(self._federation, secret, self._key, introduction).to_bytes()
        self.line.request("POST", path, body=body, headers={"Content-Type": CBOR}, expected=protocol.SMALL)

    def invite(self, invitation_secret: SecretBytes, expires: int) -> None:
        """Register an invitation (founder only): who shows its secret until ``expires`` (UTC ms) may join, once."""
        path = f"/v1/invitations/{_invitation(invitation_secret)}"
        self._ask("PUT", path, body=protocol.encode_invitation(expires), headers={"Content-Type": CBOR})

    def revoke(self, invitation_secret: SecretBytes) -> None:
        """Take back an invitation that nobody has used (founder only)."""
        self._ask("DELETE", f"/v1/invitations/{_invitation(invitation_secret)}")

    def give_places(self, fingerprints: tuple[bytes, ...]) -> None:
        """Give these members the places 1 … n of the roster, all others none (founder only); open invitations end."""
        body = protocol.encode_places(fingerprints)
        self._ask("PUT", "/v1/places", body=body, headers={"Content-Type": CBOR})

    def members(self) -> tuple[RelayMember, ...]:
        """Return who has joined, as the relay says it."""
        return protocol.decode_members(self._ask("GET", "/v1/members").content)

    def place(self) -> int:
        """Return this member's place at the relay: what it is called in envelopes. Asks the relay."""
        own = self._key.public.fingerprint
        return next((each.place for each in self.members() if each.key.fingerprint == own), 0)

    # --- messages ---------------------------------------------------------------------------------------------------

    def send(self, envelope: bytes, recipients: tuple[int, ...] = ()) -> None:
        """Hand a signed envelope over; returns when the relay has it on disk. ``recipients`` are the envelope's own.

        Raises ProtocolViolation ``relay.envelope_refused`` or ``relay.id_used_twice``, PeerProblem for what is full,
        EnvironmentProblem ``relay.message_from_future``.
        """
        self._ask("POST", "/v1/messages", body=envelope, headers={"Content-Type": CBOR})

    def receive(self, after: int, wait: int = 0) -> list[tuple[int, bytes]]:
        """Return (cursor, envelope) of what waits behind the cursor ``after``, waiting up to ``wait`` seconds for it.

        Asking with a later ``after`` acknowledges what came before: store the messages first, then the cursor. What
        is returned is not verified: that is the mailroom's part.
        """
        if after > self._acknowledged:
            self._ask("DELETE", f"/v1/messages?through={after}")
            self._acknowledged = after
        wait = min(wait, protocol.LONGEST_WAIT)
        response = self._ask("GET", f"/v1/messages?after={after}&wait={wait}", wait=wait)
        return protocol.decode_messages(response.content)

    # --- blobs ------------------------------------------------------------------------------------------------------

    def publish(self, name: bytes, path: Path) -> None:
        """Make the file ``path``, whose SHA-256 is ``name``, a blob that the federation's members can fetch.

        Goes on where an earlier call stopped. Raises ProtocolViolation ``relay.blob_altered`` (the file is not what
        its name says), PeerProblem ``relay.too_large``, ``relay.storage_used_up``, ``relay.disk_full``.
        """
        with disk_problems(path), open(path, "rb") as file:
            size = file.seek(0, io.SEEK_END)
            offset, failures = self._offered(name), 0
            while offset is not None:
                before = offset = offset if offset < size else 0  # all there, but it did not become a blob: again
                file.seek(offset)
                try:
                    offset = self._put(name, file.read(_PIECE), offset, size)
                except EnvironmentProblem:  # the line broke: the relay may have a part of the piece
                    failures += 1
                    if failures >= _TRIES:
                        raise
                    self.line.pause(failures)
                    offset = self._offered(name)
                if offset is not None and offset > before:
                    failures = 0

    def _offered(self, name: bytes) -> int | None:
        """Return how many bytes of a blob the relay has, or None if it has it whole."""
        answer = self._ask("HEAD", f"/v1/blobs/{name.hex()}", expected=0, also=404)
        return None if answer.status == 200 else _offset(answer)

    def _put(self, name: bytes, piece: bytes, offset: int, size: int) -> int | None:
        headers = {"Content-Type": "application/octet-stream"}
        if size:
            headers["Content-Range"] = f"bytes {offset}-{offset + len(piece) - 1}/{size}"
        answer = self._ask(
            "PUT", f"/v1/blobs/{name.hex()}", body=piece, headers=headers, expected=protocol.SMALL, also=409, tries=1
        )
        return None if answer.status in (200, 201) else _offset(answer)

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        """Yield the pieces of a blob, going on behind what has come when the connection breaks.

        Raises PeerProblem ``post.blob_missing``, ProtocolViolation ``blob.too_large`` above ``limit`` bytes. Whether
        it is what its name says, the one who stores it checks.
        """
        done, size, failures = 0, 1, 0
        while done < size:
            try:
                with self._open_blob(name, done, limit) as response:
                    size = done + _length(response)
                    if size > limit:
                        raise ProtocolViolation("blob.too_large", size=size, limit=limit)
                    for piece in _pieces(response, size - done):
                        done, failures = done + len(piece), 0
                        yield piece
            except requests.RequestException as error:
                failures += 1
                if failures >= _TRIES:
                    raise self.line.problem(error) from error
                self.line.pause(failures)

    def _open_blob(self, name: bytes, start: int, limit: int) -> requests.Response:
        headers = {"Range": f"bytes={start}-"} if start else {}
        path = f"/v1/blobs/{name.hex()}"
        try:
            response = self._in_session(
                lambda token: self.line.open(path, {**headers, **token, "Accept-Encoding": "identity"}, limit)
            )
        except PeerProblem as error:
            if error.code != "relay.blob_missing":
                raise
            raise PeerProblem("post.blob_missing", name=name.hex()) from error
        if start and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            response.close()
            raise EnvironmentProblem("relay.not_a_relay", status=response.status_code)
        return response

    def withdraw(self, name: bytes) -> None:
        """Delete a blob of our own from the relay; nothing happens if it is not there."""
        self._ask("DELETE", f"/v1/blobs/{name.hex()}")

    # --- sessions ---------------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> Answer:
        """As :meth:`RelayLine.request`, in a session."""
        return self._in_session(
            lambda token: self.line.request(method, path, headers={**(headers or {}), **token}, **options)
        )

    def _in_session(self, ask: Callable[[Mapping[str, str]], T]) -> T:
        """Ask with our token; with a new one if the relay does not know it any more."""
        session = self._open_session()
        try:
            return ask({"Authorization": f"Bearer {session.token}"})
        except PeerProblem as error:
            if error.code != "relay.unauthenticated":
                raise
        with self._login:
            if self._session is session:
                self._session = None
        return ask({"Authorization": f"Bearer {self._open_session().token}"})

    def _open_session(self) -> Session:
        with self._login:
            if self._session is None:
                self._session = self._log_in()
            return self._session

    def _log_in(self) -> Session:
        self.line.about().check()
        for failures in range(1, _TRIES):
            try:
                return self._answer_challenge()
            except EnvironmentProblem:  # the line broke, and a challenge cannot be answered twice
                self.line.pause(failures)
        return self._answer_challenge()

    def _answer_challenge(self) -> Session:
        asked = self._clock.now()
        told = self.line.request("POST", "/v1/challenges", expected=protocol.SMALL)
        challenge, relay_time = protocol.decode_challenge(told.content)
        self.clock_difference = relay_time - (asked + self._clock.now()) // 2
        login = Login.sign(self._federation, challenge, self._key).to_bytes()
        headers = {"Content-Type": CBOR}
        opened = self.line.request(
            "POST", "/v1/sessions", body=login, headers=headers, expected=protocol.SMALL, tries=1
        )
        return Session.from_bytes(opened.content)


class _NoPlainHttp(requests.adapters.BaseAdapter):
    def send(self, *_arguments: Any, **_options: Any) -> requests.Response:
        raise requests.exceptions.InvalidSchema("the relay is reached by HTTPS only")

    def close(self) -> None:
        """Nothing to close."""


def _invitation(secret: SecretBytes) -> str:
    return protocol.secret_hash(protocol.admission_of(secret).reveal()).hex()


def _asked_to_wait(response: requests.Response) -> float | None:
    """Return the seconds after which a busy relay wants to be asked again, if that is soon."""
    after = response.headers.get("Retry-After", "")
    if response.status_code not in (429, 503) or not after.isdecimal() or int(after) > _PATIENCE:
        return None
    return float(after)


def _content(response: requests.Response, limit: int) -> bytes:
    """Read a whole answer of at most ``limit`` bytes."""
    found = bytearray()
    with response:
        for piece in response.iter_content(_READ):
            found += piece
            if len(found) > limit:
                raise ProtocolViolation("codec.too_large", size=len(found), limit=limit)
    return bytes(found)


def _length(response: requests.Response) -> int:
    told = response.headers.get("Content-Length", "")
    if not (told.isascii() and told.isdigit()) or len(told) > 12:
        raise EnvironmentProblem("relay.not_a_relay", status=response.status_code)
    return int(told)


def _offset(answer: Answer) -> int:
    """Return how much of a blob the relay says it has; raises EnvironmentProblem ``relay.not_a_relay``."""
    told = answer.headers.get(OFFSET, "")
    if not (told.isascii() and told.isdigit()) or len(told) > 12:
        raise EnvironmentProblem("relay.not_a_relay", status=answer.status)
    return int(told)


def _pieces(response: requests.Response, most: int) -> Iterator[bytes]:
    for piece in response.iter_content(_READ):
        most -= len(piece)
        if most < 0:
            raise ProtocolViolation("relay.malformed", field="Content-Length")
        yield piece


def _short(value: object) -> str:
    if not isinstance(value, str) or len(value) > 128 or not value.isprintable():
        raise ValueError("not a short text")
    return value
