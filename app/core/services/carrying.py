"""The line to the relay as the agent uses it: what a line does, and threads that run errands on it.

The threads touch the network and the blob files, never the database: what they bring goes back to the owner's thread.
"""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from app.core import codec
from app.core.errors import ConsiliumError, ProtocolViolation
from app.core.federation import catalogue_publishing, ceremony_messages, query_messages
from app.core.federation.ceremony import BLOB_LIMIT
from app.core.federation.relay_protocol import Presence

T = TypeVar("T")

_JOIN_SECONDS = 0.5  # a long poll may take longer to notice; its thread ends with the process


class Line(Protocol):
    """A connection with the relay; :class:`app.core.federation.relay_client.RelayPost` is one.

    Four threads use it at the same time: one receives, one publishes and sends, one fetches, one looks who is there.
    Trouble is a ConsiliumError; nothing else comes out.
    """

    def receive(self, after: int, wait: int = 0) -> list[tuple[int, bytes]]:
        """Return (cursor, envelope) of what waits behind the cursor ``after``, oldest first, waiting ``wait`` seconds.

        Asking with a later ``after`` acknowledges what came before.
        """
        ...

    def publish(self, name: bytes, path: Path) -> None:
        """Make sure that the relay has the blob ``name``, which lies at ``path``."""
        ...

    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
        """As ``Post.send``; sending twice is sending once."""
        ...

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        """As ``Post.fetch``."""
        ...

    def presence(self) -> Mapping[int, Presence]:
        """Return when whom was last at the relay, by place; nobody, if it does not say."""
        ...

    def close(self) -> None:
        """Hang up; calls under way end with trouble."""
        ...


class Backoff:
    """Pauses that double from ``first`` to ``most`` seconds, each cut by up to half: sites shall not march in step."""

    def __init__(self, first: float = 1.0, most: float = 300.0, uniform: Callable[[], float] = random.random) -> None:
        self._first = first
        self._most = most
        self._uniform = uniform
        self.failures = 0

    def fail(self) -> float:
        """Note a failure and return the seconds to pause."""
        self.failures += 1
        pause = min(self._most, self._first * 2.0 ** min(self.failures - 1, 30))
        return pause * (1 + self._uniform()) / 2

    def reset(self) -> None:
        """Note a success."""
        self.failures = 0


class Courier:
    """One thread that runs errands, one after another, and pauses after each that fails."""

    def __init__(self, name: str, soon: Callable[[Callable[[], None]], None], backoff: Backoff) -> None:
        self._soon = soon
        self._backoff = backoff
        self._errands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._stop, self._rested = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"agent {name}", daemon=True)
        self._thread.start()

    @property
    def failures(self) -> int:
        """How many errands have failed in a row."""
        return self._backoff.failures

    def ask(self, errand: Callable[[], T], then: Callable[[T | ConsiliumError, float], None]) -> None:
        """Run ``errand`` in the courier's thread, and then ``then`` in the owner's.

        ``then`` gets the result or the trouble, and the seconds for which the courier pauses now.
        """
        self._errands.put(lambda: self._do(errand, then))

    def hurry(self) -> None:
        """End the pause after a failure: something has changed."""
        self._backoff.reset()
        self._rested.set()

    def close(self) -> None:
        """End after the errand under way."""
        self._stop.set()
        self._rested.set()
        self._errands.put(None)
        self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        while (do := self._errands.get()) is not None and not self._stop.is_set():
            do()

    def _do(self, errand: Callable[[], T], then: Callable[[T | ConsiliumError, float], None]) -> None:
        pause = 0.0
        result: T | ConsiliumError
        try:
            result = errand()
        except ConsiliumError as error:
            result, pause = error, self._backoff.fail()
        except BaseException as error:  # a mistake of the line: the owner's thread shall hear of it
            self._soon(_raising(error))
            return
        else:
            self._backoff.reset()
        outcome = result
        self._soon(lambda: then(outcome, pause))
        if pause:
            self._rested.wait(pause)
        self._rested.clear()


def _raising(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


def offered_blobs(type_: str, body: Any) -> tuple[tuple[bytes, int], ...]:
    """Return (name, size) of every blob that a message's body, as its reader returns it, offers to its recipients."""
    if type_ in (query_messages.CONTRIBUTION, query_messages.MASKS):
        _, told = body
        blob = told.blob if type_ == query_messages.MASKS else told
        return ((blob.name, blob.size),)
    if type_ == catalogue_publishing.PUBLISHED:
        return ((body.blob, body.size),)
    if type_ != ceremony_messages.REVEAL:
        return ()
    _, reveal = body
    try:
        payload = codec.decode(reveal.payload, ceremony_messages.PAYLOAD_LIMIT)
    except ProtocolViolation:  # the ceremony will say so
        return ()
    if not isinstance(payload, dict):
        return ()
    listed = payload.get("blobs", [[payload.get("blob"), payload.get("size")]])
    return tuple(
        (item[0], item[1])
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, list) and [type(part) for part in item] == [bytes, int] and len(item[0]) == 32
        if 0 < item[1] <= BLOB_LIMIT
    )


def wanted_blobs(type_: str, body: Any, position: int) -> tuple[tuple[bytes, int], ...]:
    """Return those of :func:`offered_blobs` that the site at ``position`` will need."""
    offered = offered_blobs(type_, body)
    if len(offered) > 1:  # a dealing names one for each site
        return offered[position - 1 : position]
    return offered
