"""Where the site stands, for the frame: what ``site.overview`` tells, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SiteLine:
    """One site of the federation. ``reachable`` None is unknown; ``last_seen`` is UTC ms or 0."""

    name: str
    own: bool
    reachable: bool | None
    last_seen: int
    program: str
    contact: str


@dataclass(frozen=True)
class Overview:
    """Where the site stands. ``stage`` is that of the federation, empty before there is one."""

    site: str = ""
    federation: str = ""
    stage: str = ""
    relay: str = ""
    connection: str = ""
    trouble: str = ""
    sites: tuple[SiteLine, ...] = ()
    quorum: int = 0
    waiting_requests: int = 0
    open_queries: int = 0
    waiting_catalogue: int = 0
    backed_up: int = 0
    dataset_version: int = 0
    pretend: bool = False

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Overview:
        """Read the result of ``site.overview``; what an older owner does not say keeps its default."""
        dataset = plain.get("dataset")
        relay = plain.get("relay") or {}
        return cls(
            site=str(plain.get("site", "")),
            federation=str(plain.get("federation") or ""),
            stage="" if plain.get("stage") == "none" else str(plain.get("stage") or ""),
            relay=str(relay.get("url", "")),
            connection=str(relay.get("state", "")),
            trouble=str(relay.get("code", "")),
            sites=tuple(
                SiteLine(
                    name=str(each["name"]),
                    own=bool(each["own"]),
                    reachable=each.get("reachable"),
                    last_seen=int(each.get("last_seen") or 0),
                    program=str(each.get("program") or ""),
                    contact=str(each.get("contact") or ""),
                )
                for each in plain.get("sites", ())
            ),
            quorum=int(plain.get("quorum") or 0),
            waiting_requests=int(plain.get("waiting_requests") or 0),
            open_queries=int(plain.get("open_queries") or 0),
            waiting_catalogue=int(plain.get("waiting_catalogue") or 0),
            backed_up=int(plain.get("backup") or 0),
            dataset_version=int(dataset["version"]) if isinstance(dataset, Mapping) else 0,
            pretend=bool(plain.get("pretend")),
        )

    @property
    def reachable(self) -> int:
        """How many sites can be reached; our own counts."""
        return sum(site.own or site.reachable is True for site in self.sites)

    @property
    def ready(self) -> bool:
        """Whether the ceremony is over: questions can be asked."""
        return self.stage == "ready"
