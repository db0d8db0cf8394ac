"""What the relay does, without HTTP: who may do what, within which limits, and who is woken by it."""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from app.core import log
from app.core.clock import Clock
from app.core.errors import ProtocolViolation
from app.core.federation import envelope as envelopes
from app.core.federation.relay_protocol import (
    LONGEST_WAIT,
    Admission,
    Login,
    Session,
    encode_members,
    encode_presence,
)
from app.relay import mail, membership
from app.relay.blobs import BlobFiles
from app.relay.clock_check import watch
from app.relay.database import connect
from app.relay.limits import Buckets, Limits
from app.relay.mail import Letter
from app.relay.membership import Federation, Member
from app.relay.metrics import Metrics
from app.relay.notices import MailSettings, Notices
from app.relay.polls import Polls
from app.relay.refusals import Refusal
from app.relay.sessions import TOKEN_SECONDS, Sessions
from app.relay.uploads import Uploads
from app.relay.writer import Writer

T = TypeVar("T")

_FUTURE = 24 * 3600 * 1000
_CLEANING_SECONDS = 600.0
_DISK_LOOK_SECONDS = 1.0
_log = log.logger("relay")


class _AnyType:
    """The relay carries messages of every type."""

    def __contains__(self, _type: object) -> bool:
        return True


class Service:
    """The relay over one data directory. Make it inside the event loop, and :meth:`close` it."""

    def __init__(
        self, directory: Path, limits: Limits, clock: Clock, metrics: Metrics, mail_settings: MailSettings | None = None
    ) -> None:
        self.limits = limits
        self.metrics = metrics
        self.clock = clock
        self._directory = directory
        self.files = BlobFiles(directory)
        connection = connect(directory)
        connection.execute("BEGIN IMMEDIATE")
        self.files.clean(connection)
        connection.execute("COMMIT")
        self.directory = membership.load_directory(connection)
        self._newest = mail.newest(connection)
        self.writer = Writer(connection, metrics)
        self._reading = connect(directory)
        self._reader = ThreadPoolExecutor(1, "relay reader")
        self.sessions = Sessions()
        self.uploads = Uploads(self)
        self._polls = Polls(limits.polls)
        self._seen: dict[int, int] = {}
        self._requests = Buckets(limits.requests_per_second, limits.request_burst)
        self._messages = Buckets(limits.messages_per_second, limits.message_burst)
        self._strangers = Buckets(limits.stranger_requests_per_second, limits.stranger_burst)
        self._disk: tuple[float, int] = (-math.inf, 0)
        self._tasks = [asyncio.create_task(self._clean_again_and_again())]
        if mail_settings is not None:
            self._tasks.append(asyncio.create_task(Notices(self, directory, mail_settings).again_and_again()))
        watch(clock, metrics, max(self._newest.values(), default=0))
        metrics.gauges["waiting_polls"] = lambda: len(self._polls)
        metrics.gauges["federations"] = lambda: len(self.directory)
        metrics.gauges["disk_free_bytes"] = self.disk_free

    async def close(self) -> None:
        """Answer what waits and close everything; what was accepted is on disk already."""
        self.end_polls()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reader.shutdown()
        self._reading.close()
        await asyncio.to_thread(self.writer.close)  # the last one: it folds the write-ahead log into the database

    def end_polls(self) -> None:
        """Answer all long polls now, and from now on at once."""
        self._polls.close()

    async def read(self, query: Callable[..., T], *arguments: Any) -> T:
        """Run ``query`` on the reading connection, outside of the event loop."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._reader, query, self._reading, *arguments)
        except sqlite3.Error as error:
            _log.error("database", reason=str(error), places=log.places(error))
            raise Refusal("relay.failed") from error

    # --- limits -----------------------------------------------------------------------------------------------------

    def admit_stranger(self, address: str) -> None:
        """Count a request without a session; raises Refusal ``relay.too_many_requests``."""
        _wait(self._strangers.take(address, time.monotonic()))

    def member(self, token: str) -> Member:
        """Return whose token this is and count the request.

        Raises Refusal ``relay.unauthenticated``, ``relay.not_a_member`` (no longer) or ``relay.too_many_requests``.
        """
        number = self.sessions.member(token, self.clock.now())
        if number is None:
            raise Refusal("relay.unauthenticated")
        member = self.directory.member(number)
        if member is None or member.place is None:
            raise Refusal("relay.not_a_member")
        _wait(self._requests.take(number, time.monotonic()))
        return member

    def founder(self, token: str) -> Member:
        """As :meth:`member`; raises Refusal ``relay.founder_only`` for any other."""
        member = self.member(token)
        if not member.founder:
            raise Refusal("relay.founder_only")
        return member

    def disk_free(self) -> int:
        """Return the free bytes, as of a second ago at most."""
        looked, free = self._disk
        now = time.monotonic()
        if now - looked > _DISK_LOOK_SECONDS:
            free = shutil.disk_usage(self._directory).free
            self._disk = (now, free)
        return free

    def check_disk(self, size: int) -> None:
        """Raise Refusal ``relay.disk_full`` if ``size`` more bytes would touch the reserve."""
        if self.disk_free() - size < self.limits.disk_reserve:
            raise Refusal("relay.disk_full", retry_after=60)

    # --- membership -------------------------------------------------------------------------------------------------

    async def found(self, request: Admission) -> Member:
        """Make a federation; errors as :func:`membership.found`."""
        self.check_disk(0)
        now = self.clock.now()
        federation = await self.writer.run(lambda connection: membership.found(connection, request, now))
        return self._entered(federation, request)

    async def join(self, request: Admission) -> Member:
        """Let an invited site in; errors as :func:`membership.join`."""
        self.check_disk(0)
        now, most = self.clock.now(), self.limits.members
        federation = await self.writer.run(lambda connection: membership.join(connection, request, most, now))
        return self._entered(federation, request)

    def _entered(self, federation: Federation, request: Admission) -> Member:
        self.directory.update(federation)
        member = federation.by_fingerprint[request.key.fingerprint]
        _log.info("member", federation=federation.id.hex()[:8], place=member.place, members=len(federation.members))
        return member

    async def invite(self, founder: Member, hash_: bytes, expires: int) -> None:
        """Register an invitation."""
        self.check_disk(0)
        await self.writer.run(lambda connection: membership.invite(connection, founder.federation, hash_, expires))

    async def revoke(self, founder: Member, hash_: bytes) -> None:
        """Forget an unused invitation."""
        await self.writer.run(lambda connection: membership.revoke(connection, founder.federation, hash_))

    async def give_places(self, founder: Member, fingerprints: tuple[bytes, ...]) -> None:
        """Give members their roster positions; errors as :func:`membership.give_places`."""
        federation = await self.writer.run(
            lambda connection: membership.give_places(connection, founder.federation, fingerprints)
        )
        self.directory.update(federation)
        _log.info("places", federation=federation.id.hex()[:8], members=len(fingerprints))

    def members(self, member: Member) -> bytes:
        """Return the list of the member's federation, as CBOR."""
        federation = self._federation(member.federation)
        return encode_members(tuple(each.listed() for each in federation.members))

    def presence(self, member: Member) -> bytes:
        """Return when the members of the member's federation last asked for messages since the relay began, as CBOR."""
        places = self._federation(member.federation).by_place
        seen = {place: self._seen[each.number] for place, each in places.items() if each.number in self._seen}
        return encode_presence(self.clock.now(), seen)

    def _federation(self, id_: bytes) -> Federation:
        federation = self.directory.federation(id_)
        if federation is None:
            raise Refusal("relay.not_a_member")
        return federation

    # --- sessions ---------------------------------------------------------------------------------------------------

    def log_in(self, login: Login) -> Session:
        """Open a session. Strangers, wrong signatures and old challenges are all ``relay.unauthenticated``."""
        now = self.clock.now()
        federation = self.directory.federation(login.federation)
        member = federation.by_fingerprint.get(login.fingerprint) if federation else None
        if member is None or member.place is None:
            raise Refusal("relay.not_a_member")
        try:
            login.check(member.key)
        except ProtocolViolation as error:
            raise Refusal("relay.unauthenticated") from error
        if not self.sessions.answered(login.challenge, now):
            raise Refusal("relay.unauthenticated")
        return Session(self.sessions.open(member, now), TOKEN_SECONDS)

    # --- messages ---------------------------------------------------------------------------------------------------

    async def send(self, member: Member, data: bytes) -> bool:
        """Take a signed envelope in; return whether it is new, once it is on disk.

        Raises Refusal ``relay.envelope_refused``, ``.not_yours``, ``.recipient_unknown``, ``.message_expired``,
        ``.message_from_future``, ``.id_used_twice``, ``.mailbox_full``, ``.too_many_requests``, ``.disk_full``.
        """
        _wait(self._messages.take(member.number, time.monotonic()))
        now = self.clock.now()
        letter = self._letter(member, data, now)
        self.check_disk(len(data))
        cursors = await self.writer.run(lambda connection: mail.accept(connection, letter, self.limits, now))
        if cursors is None:
            self.metrics.counts["messages_repeated"] += 1
            return False
        self._newest.update(cursors)
        self._polls.wake(cursors)
        self.metrics.counts["messages_accepted"] += 1
        return True

    def _letter(self, member: Member, data: bytes, now: int) -> Letter:
        federation = self._federation(member.federation)
        try:
            envelope = envelopes.open_envelope(
                data,
                federation=federation.id,
                roster=federation.keys,
                me=None,
                types=_AnyType(),
                limit=self.limits.envelope_bytes,
            )
        except ProtocolViolation as error:
            raise Refusal("relay.envelope_refused", reason=error.code) from error
        if envelope.sender != member.place:
            raise Refusal("relay.not_yours")
        if envelope.time < now - self.limits.retention:
            raise Refusal("relay.message_expired")
        if envelope.time > now + _FUTURE:
            raise Refusal("relay.message_from_future", seconds=(envelope.time - now) // 1000)
        places = envelope.recipients or tuple(federation.by_place)
        if unknown := [place for place in places if place not in federation.by_place]:
            raise Refusal("relay.recipient_unknown", place=unknown[0])
        recipients = tuple(federation.by_place[place].number for place in places if place != member.place)
        return Letter(member.number, envelope.id, hashlib.sha256(data).digest(), data, recipients)

    def seen(self, member: Member) -> int:
        """Return when a member last asked for messages (UTC ms), 0 if it has not since the relay began."""
        return self._seen.get(member.number, 0)

    async def receive(self, member: Member, after: int, wait: float) -> list[tuple[int, bytes]]:
        """Return what waits for ``member`` behind ``after``; if nothing does, wait for it up to ``wait`` seconds."""
        number = member.number
        self._seen[number] = self.clock.now()
        if self._newest.get(number, 0) <= after:
            await self._polls.wait(number, min(wait, LONGEST_WAIT))
            self._seen[number] = self.clock.now()
        if self._newest.get(number, 0) <= after:
            return []
        return await self.read(mail.read, number, after)

    async def acknowledge(self, member: Member, through: int) -> None:
        """Empty the member's mailbox up to the cursor ``through``."""
        gone = await self.writer.run(lambda connection: mail.acknowledge(connection, member.number, through))
        self.metrics.counts["messages_acknowledged"] += gone

    # --- housekeeping -----------------------------------------------------------------------------------------------

    async def _clean_again_and_again(self) -> None:
        while True:
            try:
                await self.clean()
            except Refusal as error:
                _log.warning("cleaning", error=error)
            await asyncio.sleep(_CLEANING_SECONDS * (0.5 + secrets.randbelow(1000) / 1000))

    async def clean(self) -> None:
        """Delete what is past its retention."""
        now = self.clock.now()
        await self.writer.run(lambda connection: membership.forget_expired(connection, now))
        while gone := await self.writer.run(lambda connection: mail.purge(connection, self.limits, now)):
            self.metrics.counts["messages_expired"] += gone
        before = now - self.limits.retention
        while blobs := await self.writer.run(lambda connection: self.files.purge(connection, before)):
            for blob in blobs:
                await self.writer.run(partial(self.files.remove, blob=blob))
            self.metrics.counts["blobs_expired"] += len(blobs)
        await asyncio.to_thread(self.files.forget_unfinished, (now - self.limits.unfinished) / 1000)


def _wait(seconds: float) -> None:
    if seconds:
        raise Refusal("relay.too_many_requests", retry_after=max(1, math.ceil(seconds)))
