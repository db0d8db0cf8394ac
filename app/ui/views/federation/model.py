"""Where the federation stands, as the view shows it: what ``federation.show`` tells, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NONE, JOINING, SIGNING, CEREMONY, FAILED, READY = "none", "joining", "signing", "ceremony", "failed", "ready"

ROUNDS = (
    "randomness",
    "public key",
    "relinearization 1",
    "relinearization 2",
    "rotation",
    "dealing",
    "check",
    "confirm",
)
"""The ceremony's rounds in their order."""

TO_COMPARE = ("joined", "confirmed by them")
"""States in which this side has still to compare the words."""
ADDED, AWAITED = "in the ceremony", "awaited"
READY_NOT_BACKED_UP = "ready, not backed up"
LARGE = 200_000_000
"""Bytes of a ceremony that are worth a sentence."""


@dataclass(frozen=True)
class Site:
    """One site. ``words`` are there until both sides have compared them; ``since`` is UTC ms, 0 for unknown."""

    name: str
    state: str
    contact: str = ""
    program: str = ""
    words: tuple[str, ...] = ()
    since: int = 0
    reason: str = ""
    own: bool = False


@dataclass(frozen=True)
class Refusal:
    """Something that was refused while joining."""

    time: int
    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Federation:
    """The whole. ``parts`` is when the latest part of each site came in, ``began`` and ``ended`` the ceremony's."""

    site: str = ""
    stage: str = ""
    creator: bool = False
    name: str = ""
    relay: str = ""
    sites: tuple[Site, ...] = ()
    quorum: int = 0
    of: int = 0
    traffic: int = 0
    formats: tuple[tuple[str, int], ...] = ()
    round: str = ""
    code: str = ""
    blamed: str = ""
    refusals: tuple[Refusal, ...] = ()
    began: int = 0
    ended: int = 0
    parts: tuple[tuple[str, int], ...] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Federation:
        """Read the result of ``federation.show``."""
        ceremony = plain.get("ceremony") or {}
        return cls(
            site=str(plain["site"]),
            stage=str(plain["stage"]),
            creator=bool(plain["creator"]),
            name=str(plain["name"]),
            relay=str(plain["relay"]),
            sites=tuple(_site(each, str(plain["site"])) for each in plain["sites"]),
            quorum=int(plain["quorum"]),
            of=int(plain["of"]),
            traffic=int(plain["traffic_bytes"]),
            formats=tuple(sorted((str(name), int(version)) for name, version in plain["formats"].items())),
            round=str(plain["round"]),
            code=str(plain["code"]),
            blamed=str(plain["blamed"]),
            refusals=tuple(Refusal(int(each["time"]), each["code"], each["params"]) for each in plain["refusals"]),
            began=int(ceremony.get("began", 0)),
            ended=int(ceremony.get("ended", 0)),
            parts=tuple(sorted(ceremony.get("parts", {}).items())),
        )

    @property
    def others(self) -> tuple[Site, ...]:
        """All sites but this one."""
        return tuple(each for each in self.sites if not each.own)

    @property
    def step(self) -> int:
        """The number of the ceremony's round, from 1; 0 when there is none."""
        return ROUNDS.index(self.round) + 1 if self.round in ROUNDS else 0

    def part_of(self, name: str) -> int:
        """When a site's latest part of the ceremony came in, 0 for never."""
        return dict(self.parts).get(name, 0)

    def progress(self, site: Site) -> float:
        """How far a site is in the ceremony, from 0 to 1."""
        return min((self.step - 1 + (site.state == ADDED)) / len(ROUNDS), 1.0) if self.step else 0.0


def _site(plain: Mapping[str, Any], own: str) -> Site:
    return Site(
        name=str(plain["name"]),
        state=str(plain["state"]),
        contact=str(plain["contact"]),
        program=str(plain["program"]),
        words=tuple(map(str, plain["words"])),
        since=int(plain["since"]),
        reason=str(plain["reason"]),
        own=plain["name"] == own,
    )
