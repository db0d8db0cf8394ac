"""Whom a question is put to, and what stands in the way: pure values for the pane at the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.ui.models.overview import SiteLine

LEAST = 3
"""How many sites must answer at the least where nobody says otherwise, or all if there are fewer."""


class Obstacle(StrEnum):
    """Why a site cannot be chosen."""

    NONE = "none"
    DATASET = "dataset"
    LACKS = "lacks"


@dataclass(frozen=True)
class AskedSite:
    """One site that may be asked. ``reachable`` None is unknown; ``lacks`` are the codes that it does not hold."""

    name: str
    own: bool
    reachable: bool | None
    last_seen: int
    obstacle: Obstacle
    lacks: tuple[str, ...] = ()

    @property
    def able(self) -> bool:
        """Whether it can be chosen. One that is away answers when it is back."""
        return self.obstacle is Obstacle.NONE


def asked_sites(sites: Sequence[SiteLine], by_site: Sequence[Mapping[str, Any]]) -> tuple[AskedSite, ...]:
    """Return all sites of the federation with what ``query.explain`` tells of them."""
    told = {str(each["site"]): each for each in by_site}
    found = []
    for site in sites:
        each = told.get(site.name, {})
        lacks = tuple(str(code) for code in each.get("lacks", ()))
        obstacle = Obstacle.NONE
        if each.get("known") and not each.get("dataset"):
            obstacle, lacks = Obstacle.DATASET, ()
        elif lacks:
            obstacle = Obstacle.LACKS
        found.append(AskedSite(site.name, site.own, site.reachable, site.last_seen, obstacle, lacks))
    return tuple(found)


@dataclass(frozen=True)
class Check:
    """What the planner says of the question: ``problem`` is a code with parameters, None if it fits."""

    fits: bool = False
    problem: tuple[str, Mapping[str, Any]] | None = None
    seconds: float = 0.0
    half_width: int = 0
    by_site: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Check:
        """Read the result of ``query.explain``."""
        problem, explained = plain.get("problem"), plain.get("explained")
        return cls(
            fits=bool(plain.get("fits")),
            problem=None if problem is None else (str(problem["code"]), dict(problem["params"])),
            seconds=0.0 if explained is None else float(explained["plan"]["seconds"]),
            half_width=int(plain.get("half_width") or 0),
            by_site=tuple(plain.get("by_site", ())),
        )
