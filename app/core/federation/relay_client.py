"""The post that goes through the relay: outbound HTTPS only, through whatever stands between.

Every request here may be sent twice: messages carry the sender's id, blobs their hash, the rest says what shall be and
not what shall change. So a broken connection is tried again, and blobs go on where they stopped, in both directions.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import requests

from app.core.clock import Clock, SystemClock
from app.core.crypto.identity import MemberKey
from app.core.errors import EnvironmentProblem, PeerProblem, ProtocolViolation
from app.core.federation import relay_protocol as protocol
from app.core.federation.proxies import ProxySetting
from app.core.federation.relay_line import READ, TRIES, Answer, RelayLine, declared
from app.core.federation.relay_protocol import CBOR, OFFSET, Admission, Login, Presence, RelayMember, Session
from app.core.federation.trust import RelayAddress
from app.core.files import disk_problems
from app.core.secret import SecretBytes

T = TypeVar("T")

_BELIEVED = 3
_OF_THE_BYTES = ("relay.malformed", "relay.envelope_refused")
_PIECE = 1 << 22  # bytes of a blob in one request: proxies buffer whole requests, and some refuse large ones


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

    def presence(self) -> Mapping[int, Presence]:
        """Return when whom was last at the relay, by place; nobody, from a relay that does not tell."""
        try:
            return protocol.decode_presence(self._ask("GET", "/v1/presence", expected=protocol.SMALL).content)
        except PeerProblem as refused:
            if refused.code != "relay.not_found":
                raise
            return {}

    def place(self) -> int:
        """Return this member's place at the relay: what it is called in envelopes. Asks the relay."""
        own = self._key.public.fingerprint
        return next((each.place for each in self.members() if each.key.fingerprint == own), 0)

    # --- messages ---------------------------------------------------------------------------------------------------

    def send(self, envelope: bytes, recipients: tuple[int, ...] = ()) -> None:
        """Hand a signed envelope over; returns when the relay has it on disk. ``recipients`` are the envelope's own.

        Raises ProtocolViolation ``relay.envelope_refused`` or ``relay.id_used_twice``, PeerProblem for what is full,
        EnvironmentProblem ``relay.message_from_future``. That the bytes are not what was signed is believed the third
        time: something on the way may have changed them.
        """
        for failures in range(1, _BELIEVED):
            try:
                self._ask("POST", "/v1/messages", body=envelope, headers={"Content-Type": CBOR})
            except (PeerProblem, ProtocolViolation) as refused:
                if refused.code not in _OF_THE_BYTES:
                    raise
                self.line.pause(failures)
            else:
                return
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
                start = offset if offset < size else 0  # all there, but it did not become a blob: again
                file.seek(start)
                trouble = EnvironmentProblem("relay.not_a_relay", status=202)
                try:
                    offset = self._put(name, file.read(_PIECE), start, size)
                except EnvironmentProblem as error:  # the line broke: the relay may have a part of the piece
                    offset, trouble = start, error
                if offset is not None and not start < offset < size:  # no way forward
                    failures += 1
                    if failures >= TRIES:
                        raise trouble
                    self.line.pause(failures)
                    offset = self._offered(name)
                if offset is None or start < offset < size:
                    failures = 0

    def _offered(self, name: bytes) -> int | None:
        """Return how many bytes of a blob the relay has, or None if it has it whole."""
        answer = self._ask("HEAD", f"/v1/blobs/{name.hex()}", expected=0, also=404)
        return None if answer.status == 200 else declared(answer.headers, OFFSET, answer.status)

    def _put(self, name: bytes, piece: bytes, offset: int, size: int) -> int | None:
        headers = {"Content-Type": "application/octet-stream"}
        if size:
            headers["Content-Range"] = f"bytes {offset}-{offset + len(piece) - 1}/{size}"
        answer = self._ask(
            "PUT", f"/v1/blobs/{name.hex()}", body=piece, headers=headers, expected=protocol.SMALL, also=409, tries=1
        )
        return None if answer.status in (200, 201) else declared(answer.headers, OFFSET, answer.status)

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        """Yield the pieces of a blob, going on behind what has come when the connection breaks.

        Raises PeerProblem ``post.blob_missing``, ProtocolViolation ``blob.too_large`` above ``limit`` bytes. Whether
        it is what its name says, the one who stores it checks.
        """
        done, size, failures = 0, 1, 0
        while done < size:
            try:
                with self._open_blob(name, done, limit) as response:
                    size = done + declared(response.headers, "Content-Length", response.status_code)
                    if size > limit:
                        raise ProtocolViolation("blob.too_large", size=size, limit=limit)
                    for piece in _pieces(response, size - done):
                        done, failures = done + len(piece), 0
                        yield piece
                if done < size:
                    raise requests.ConnectionError("an answer that is shorter than it says")
            except requests.RequestException as error:
                failures += 1
                if failures >= TRIES:
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
        for failures in range(1, TRIES):
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


def _invitation(secret: SecretBytes) -> str:
    return protocol.secret_hash(protocol.admission_of(secret).reveal()).hex()


def _pieces(response: requests.Response, most: int) -> Iterator[bytes]:
    for piece in response.iter_content(READ):
        most -= len(piece)
        if most < 0:
            raise ProtocolViolation("relay.malformed", field="Content-Length")
        yield piece
