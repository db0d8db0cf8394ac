"""A run: one of this site's own queries as ``query.show`` and ``query.list`` tell of it, read back into values.

Whoever shows or exports a released number gets it from here, and from nowhere else. Light: windows load it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.core.analysis.results import Result, Withheld, withheld_of
from app.core.analysis.results import from_plain as result_from_plain

OPEN_STATES = ("sent", "closed")
DECIDED_STATES = ("committed", "answered")
"""States of a site whose number is in, or will be."""


@dataclass(frozen=True)
class ClosedCounts:
    """Which small counts stay closed: those below ``least``, and zeros unless they are shown."""

    least: int
    zeros: bool
    by_cryptography: bool
    """False where all sites open together: it then binds only an unmodified program at the asker's site."""

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any] | None) -> ClosedCounts | None:
        """Read what :func:`app.core.federation.small_counts.to_plain` has written; None for nothing."""
        if not plain:
            return None
        return cls(int(plain["least"]), bool(plain["zeros"]), plain.get("binding") == "cryptography")


@dataclass(frozen=True)
class RunSite:
    """Where one site is; see :class:`app.core.services.asking.SiteState`."""

    name: str
    state: str
    code: str = ""
    since: int = 0
    percent: int | None = None
    contact: str = ""
    reason: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SiteResult:
    """The result of an analysis: of all sites together (``site`` is empty) or of one."""

    site: str
    result: Result


@dataclass(frozen=True)
class RunAnswer:
    """What was released. ``released`` is a count as it was opened (noise can have taken it below zero), and 0 where
    it is ``withheld``, or the question is for something else: that is in ``results``, which a list of runs leaves
    out."""

    released: int
    exact: bool
    half_width: int
    noise_scale: float
    contributors: tuple[str, ...]
    results: tuple[SiteResult, ...] = ()
    withheld: Withheld | None = None

    @property
    def count(self) -> int:
        """The number as it is told: there cannot be fewer patients than none."""
        return max(self.released, 0)

    @property
    def low(self) -> int:
        """The lower end of the 95 % interval."""
        return max(self.released - self.half_width, 0)

    @property
    def high(self) -> int:
        """The upper end of the 95 % interval."""
        return max(self.released + self.half_width, 0)

    @property
    def clipped(self) -> bool:
        """Whether the interval is not the number plus or minus something, because it ends at zero."""
        return self.released < self.half_width


@dataclass(frozen=True)
class Run:
    """One of this site's own queries. Moments are UTC ms, 0 for what has not happened."""

    id: str
    text: str
    state: str
    code: str
    purpose: str
    asked: int
    closed: int
    ended: int
    deadline: int
    waits_for: str
    """What is waited for: commit, close, contribute, open, or nothing."""
    awaited: tuple[str, ...]
    quorum: int
    of: int
    openers: tuple[str, ...]
    minimum: int
    epsilon: str
    sites: tuple[RunSite, ...]
    notes: tuple[tuple[str, str], ...]
    answer: RunAnswer | None
    analysis: str = "count"
    per_site: bool = False
    program: str = ""
    """The version of the program that asked; this and what follows was not kept from the beginning."""
    catalogue: str = ""
    """The hash of the catalogue's version that was in force, in hexadecimal."""
    dataset_version: int = 0
    """Which version of its dataset the asking site had; 0 for none."""
    policy: tuple[tuple[str, Any], ...] = ()
    """The asking site's policy then, by name."""
    asked_by: str = ""
    """The person who asked; empty for the site itself."""
    project: str = ""
    """The title of the project it was asked under, or its id if that is unknown here; empty for none."""
    closed_counts: ClosedCounts | None = None

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Run:
        """Read what the commands return; what an older owner does not say keeps its default."""
        awaited, protection = plain.get("awaited") or {}, plain.get("protection") or {}
        answer, under = plain["answer"], plain.get("under") or {}
        return cls(
            id=str(plain["id"]),
            text=str(plain["text"]),
            state=str(plain["state"]),
            code=str(plain["code"]),
            purpose=str(plain["purpose"]),
            asked=int(plain["asked"]),
            closed=int(plain.get("closed") or 0),
            ended=int(plain.get("ended") or 0),
            deadline=int(plain["deadline"]),
            waits_for=str(awaited.get("what") or ""),
            awaited=tuple(map(str, awaited.get("sites") or ())),
            quorum=int(protection.get("quorum") or 0),
            of=int(protection.get("of") or 0),
            openers=tuple(map(str, protection.get("openers") or ())),
            minimum=int(protection.get("minimum") or 0),
            epsilon=str(protection.get("epsilon") or ""),
            closed_counts=ClosedCounts.from_plain(protection.get("smallest")),
            sites=tuple(_site(each) for each in plain["sites"]),
            notes=tuple((str(each["site"]), str(each["text"])) for each in plain["notes"]),
            answer=None if answer is None else _answer(answer),
            analysis=str(plain.get("analysis") or "count"),
            per_site=bool(plain.get("per_site")),
            program=str(under.get("program") or ""),
            catalogue=str(under.get("catalogue") or ""),
            dataset_version=int(under.get("dataset_version") or 0),
            policy=tuple(sorted((under.get("policy") or {}).items())),
            asked_by=str(plain.get("asked_by") or ""),
            project=str(plain.get("project") or ""),
        )

    @property
    def open(self) -> bool:
        """Whether something more will happen."""
        return self.state in OPEN_STATES

    @property
    def decided(self) -> int:
        """How many sites have given their part, or promised it bindingly."""
        return sum(site.state in DECIDED_STATES for site in self.sites)

    @property
    def left_out(self) -> tuple[RunSite, ...]:
        """The sites that were asked and are not in the answer."""
        inside = () if self.answer is None else self.answer.contributors
        return tuple(site for site in self.sites if site.name not in inside)


def _site(plain: Mapping[str, Any]) -> RunSite:
    percent = plain.get("percent")
    return RunSite(
        name=str(plain["site"]),
        state=str(plain["state"]),
        code=str(plain["code"]),
        since=int(plain.get("since") or 0),
        percent=None if percent is None else int(percent),
        contact=str(plain.get("contact") or ""),
        reason=dict(plain.get("reason") or {}),
    )


def _answer(plain: Mapping[str, Any]) -> RunAnswer:
    withheld = withheld_of(plain["count"])
    return RunAnswer(
        released=int(plain["count"] or 0) if withheld is None else 0,
        exact=bool(plain["exact"]),
        half_width=int(plain["half_width"]),
        noise_scale=float(plain["noise_scale"]),
        contributors=tuple(map(str, plain["contributors"])),
        results=tuple(
            SiteResult(str(each["site"]), result_from_plain(each["result"])) for each in plain.get("results") or ()
        ),
        withheld=withheld,
    )
