"""A relay in this process, and lines to it on which anything may go wrong."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from app.core.errors import EnvironmentProblem, PeerProblem
from app.core.federation.relay_protocol import Presence


class FakeRelay:
    """Mailboxes and blobs. ``faults`` is the chance that a request fails (before or after it had its effect), that a
    message comes twice, late or out of order, or that a blob comes altered."""

    def __init__(self, seed: int = 0, faults: float = 0.0) -> None:
        self.changed = threading.Condition()
        self.blobs: dict[bytes, bytes] = {}
        self.sent: list[tuple[int, bytes]] = []
        self.fetched: list[bytes] = []
        self.down = False
        self.present: dict[int, Presence] = {}
        self._faults = faults
        self._random = random.Random(seed)
        self._mail: dict[int, list[tuple[int, bytes]]] = {}
        self._late: dict[int, list[bytes]] = {}
        self._newest: dict[int, int] = {}

    def goes_wrong(self) -> bool:
        """Draw."""
        return self._random.random() < self._faults

    def trouble(self) -> None:
        """Perhaps fail."""
        if self.down or self.goes_wrong():
            raise EnvironmentProblem("relay.unreachable", host="relay", port=443)

    def put(self, position: int, data: bytes) -> None:
        """Put a message into a mailbox, or aside for later."""
        for _ in range(1 + self.goes_wrong()):
            if self.goes_wrong():
                self._late.setdefault(position, []).append(data)
            else:
                self._deliver(position, data)
        self.changed.notify_all()

    def _deliver(self, position: int, data: bytes) -> None:
        self._newest[position] = self._newest.get(position, 0) + self._random.randint(1, 5)
        self._mail.setdefault(position, []).append((self._newest[position], data))

    def mail(self, position: int, after: int) -> list[tuple[int, bytes]]:
        """Return a part of what waits, and deliver what was late for the next time."""
        found = [each for each in self._mail.get(position, []) if each[0] > after]
        late = self._late.pop(position, [])
        self._random.shuffle(late)
        for data in late:
            self._deliver(position, data)
        if not found and late:
            found = [each for each in self._mail[position] if each[0] > after]
        return found[: self._random.randint(1, 3)] if self._faults else found

    def acknowledge(self, position: int, through: int) -> None:
        """Forget what the site has."""
        self._mail[position] = [each for each in self._mail.get(position, []) if each[0] > through]

    def waiting(self, position: int) -> int:
        """How many messages wait for a site; hold ``changed``."""
        return len(self._mail.get(position, [])) + len(self._late.get(position, []))


class FakeLine:
    """One site's line."""

    def __init__(self, relay: FakeRelay, position: int) -> None:
        self._relay = relay
        self._position = position
        self._closed = False

    def receive(self, after: int, wait: int = 0) -> list[tuple[int, bytes]]:
        relay = self._relay
        with relay.changed:
            relay.trouble()
            relay.acknowledge(self._position, after)
            found = relay.mail(self._position, after)
            if not found and wait:
                relay.changed.wait_for(lambda: relay.waiting(self._position) or relay.down or self._closed, wait)
                relay.trouble()
                found = relay.mail(self._position, after)
            if self._closed:
                raise EnvironmentProblem("relay.unreachable", host="relay", port=443)
            return found

    def publish(self, name: bytes, path: Path) -> None:
        with self._relay.changed:
            self._relay.trouble()
            self._relay.blobs[name] = path.read_bytes()
            self._relay.trouble()

    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
        with self._relay.changed:
            self._relay.trouble()
            self._relay.sent.append((self._position, envelope))
            for position in recipients:
                self._relay.put(position, envelope)
            self._relay.trouble()

    def fetch(self, name: bytes, limit: int) -> Iterable[bytes]:
        with self._relay.changed:
            self._relay.trouble()
            if name not in self._relay.blobs:
                raise PeerProblem("post.blob_missing", name=name.hex())
            self._relay.fetched.append(name)
            data = self._relay.blobs[name]
            return [data[:-1] if self._relay.goes_wrong() else data]

    def presence(self) -> Mapping[int, Presence]:
        with self._relay.changed:
            self._relay.trouble()
            return dict(self._relay.present)

    def close(self) -> None:
        with self._relay.changed:
            self._closed = True
            self._relay.changed.notify_all()
