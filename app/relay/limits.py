"""What each member may use, and the relay's patience. ``DATA/relay.toml`` may change any of it; see :class:`Limits`."""

from __future__ import annotations

import tomllib
from collections import OrderedDict
from dataclasses import dataclass, fields
from pathlib import Path

from app.core.errors import EnvironmentProblem
from app.core.files import disk_problems

_DAY = 24 * 3600 * 1000
_STRANGERS_KEPT = 4096


@dataclass(frozen=True)
class Limits:
    """The relay's limits, with their defaults."""

    envelope_bytes: int = 1 << 20
    blob_bytes: int = 1 << 27
    members: int = 64  # of one federation
    requests_per_second: float = 100.0  # of one member, all kinds
    request_burst: int = 1000
    messages_per_second: float = 50.0  # of one member
    message_burst: int = 500
    stranger_requests_per_second: float = 10.0  # of one address, without a session
    stranger_burst: int = 100
    waiting_messages: int = 20_000  # sent by one member and not yet acknowledged by all
    waiting_bytes: int = 1 << 29
    stored_bytes: int = 1 << 33  # blobs of one member, unfinished ones included
    unfinished_blobs: int = 64  # of one member
    polls: int = 4  # waiting polls of one member; a new one ends the oldest
    connections: int = 2000
    disk_reserve: int = 1 << 30  # free bytes below which nothing new is taken
    retention_days: float = 60.0  # of messages and blobs
    unfinished_days: float = 7.0
    head_seconds: float = 15.0  # for a request's head
    body_seconds: float = 60.0  # for the body of anything but a blob
    idle_seconds: float = 30.0  # between two pieces of a blob, either way
    close_seconds: float = 10.0  # for answers under way when the relay ends
    metrics_to: tuple[str, ...] = ("127.0.0.1", "::1")  # addresses that may read /metrics
    proxies: tuple[str, ...] = ()  # addresses of reverse proxies, whose X-Forwarded-For is believed

    @property
    def retention(self) -> int:
        """Retention in milliseconds."""
        return round(self.retention_days * _DAY)

    @property
    def unfinished(self) -> int:
        """How long an unfinished upload is kept, in milliseconds."""
        return round(self.unfinished_days * _DAY)


def read_limits(path: Path) -> Limits:
    """Return the limits in the TOML file ``path``, or the defaults if there is none.

    Raises EnvironmentProblem ``relay.bad_settings`` naming the setting that is unknown or of the wrong kind.
    """
    if not path.exists():
        return Limits()
    with disk_problems(path):
        text = path.read_text("utf-8")
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise EnvironmentProblem("relay.bad_settings", path=str(path), setting=str(error)) from error
    found.pop("mail", None)  # notices.py reads it
    kinds = {each.name: type(each.default) for each in fields(Limits)}
    values: dict[str, object] = {}
    for name, given in found.items():
        kind, value = kinds.get(name), given
        if kind is float and type(given) is int:
            value = float(given)
        if kind is tuple and isinstance(given, list) and all(isinstance(item, str) for item in given):
            value = tuple(given)
        if type(value) is not kind or (isinstance(value, int | float) and value < 0):
            raise EnvironmentProblem("relay.bad_settings", path=str(path), setting=name)
        values[name] = value
    return Limits(**values)  # type: ignore[arg-type]  # checked above


class TokenBucket:
    """Lets ``rate`` a second through, and ``burst`` at once."""

    __slots__ = ("_burst", "_last", "_left", "_rate")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._left = float(burst)
        self._last = now

    def take(self, now: float) -> float:
        """Take one. Return 0, or the seconds after which there will be one."""
        self._left = min(self._burst, self._left + (now - self._last) * self._rate)
        self._last = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate if self._rate else 3600.0


class Buckets:
    """One bucket for each name; the least recently used ones are forgotten, so a crowd costs no memory."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[object, TokenBucket] = OrderedDict()

    def take(self, name: object, now: float) -> float:
        """Take one from the bucket of ``name``; as :meth:`TokenBucket.take`."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = TokenBucket(self._rate, self._burst, now)
            if len(self._buckets) > _STRANGERS_KEPT:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
        return bucket.take(now)
