"""What other sites ask, as the window shows it: each request, how it stands, and what a policy says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from app.core.disclosure.judgement import Facts, Finding, Judgement, Verdict
from app.core.disclosure.policy import Policy
from app.core.services.runs import ClosedCounts
from app.ui.models.naming import Names


class Standing(StrEnum):
    """How a request stands, as far as this site is concerned."""

    WAITING = "waiting"
    BY_RULE = "by_rule"
    BY_PERSON = "by_person"
    ANSWERING = "answering"
    DECLINED = "declined"
    REFUSED = "refused"
    """Declined by the policy, or because the site cannot answer."""
    HELPING = "helping"
    """This site is not asked for a part, only to help open the result."""
    MISSED = "missed"
    """The result was opened without this site's part."""
    ENDED = "ended"
    """It ended before this site had answered, and without a result."""


@dataclass(frozen=True)
class Note:
    """What a site has written about a request."""

    site: str
    text: str


@dataclass(frozen=True)
class Asked:
    """One request of another site; see :class:`app.core.services.requests.RequestView`."""

    id: str
    asker: str
    contact: str
    text: str
    purpose: str
    state: str
    code: str
    answered: bool
    decided: str
    exact: bool
    epsilon: str
    minimum: int
    sites: tuple[str, ...]
    received: int
    deadline: int
    reminders: int
    notes: tuple[Note, ...]
    analysis: str = "count"
    per_site: bool = False
    person: str = ""
    """Who asks there; empty is the site itself."""
    project: str = ""
    """The title of the project, empty for none."""
    closed_counts: ClosedCounts | None = None

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Asked:
        """Read what ``request.list`` tells of one."""
        return cls(
            id=str(plain["id"]),
            asker=str(plain["asker"]),
            contact=str(plain["contact"]),
            text=str(plain["text"]),
            purpose=str(plain["purpose"]),
            state=str(plain["state"]),
            code=str(plain["code"]),
            answered=bool(plain["answered"]),
            decided=str(plain["decided"]),
            exact=bool(plain["exact"]),
            epsilon=str(plain["epsilon"]),
            minimum=int(plain["minimum"]),
            sites=tuple(map(str, plain["sites"])),
            received=int(plain["received"]),
            deadline=int(plain["deadline"]),
            reminders=int(plain["reminders"]),
            notes=tuple(Note(str(each["site"]), str(each["text"])) for each in plain["notes"]),
            analysis=str(plain.get("analysis") or "count"),
            per_site=bool(plain.get("per_site")),
            person=str(plain.get("asked_by") or ""),
            project=str(plain.get("project") or ""),
            closed_counts=ClosedCounts.from_plain(plain.get("smallest")),
        )

    @property
    def waiting(self) -> bool:
        """Whether a person here has to decide."""
        return self.state == "waiting"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("declined", "done", "over")

    @property
    def others(self) -> int:
        """How many sites besides the asker's contribute at the least."""
        return self.minimum - (self.asker in self.sites)

    def standing(self, own: str) -> Standing:
        """Return how it stands at the site named ``own``."""
        if self.waiting:
            return Standing.WAITING
        if self.state == "declined":
            return Standing.DECLINED if self.decided == "decline" else Standing.REFUSED
        if self.answered:
            return Standing.BY_PERSON if self.decided == "answer" else Standing.BY_RULE
        if own not in self.sites:
            return Standing.HELPING
        if self.state == "over":
            return Standing.ENDED
        return Standing.MISSED if self.ended else Standing.ANSWERING


@dataclass(frozen=True)
class Price:
    """What answering costs this site's budget. Amounts are texts of fractions; empty where nothing bounds them.

    ``exact`` releases are counted; ``exact_left`` None is any number. ``free`` is whether it was paid for before.
    """

    epsilon: str = ""
    exact: int = 0
    free: bool = False
    left: str = ""
    exact_left: int | None = None
    cap: str = ""

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Price:
        """Read what ``policy.preview`` tells of it."""
        epsilon, left, exact_left = plain.get("epsilon"), plain.get("left"), plain.get("exact_left")
        return cls(
            epsilon="" if str(epsilon or "0") == "0" else str(epsilon),
            exact=int(plain.get("exact") or 0),
            free=bool(plain.get("free")),
            left="" if left in (None, "") else str(left),
            exact_left=None if exact_left is None or int(exact_left) < 0 else int(exact_left),
            cap=str(plain.get("cap") or ""),
        )

    @property
    def enough(self) -> bool:
        """Whether what is left suffices."""
        if self.free:
            return True
        short = bool(self.left) and bool(self.epsilon) and Fraction(self.epsilon) > Fraction(self.left)
        return not short and (self.exact_left is None or self.exact <= self.exact_left)


@dataclass(frozen=True)
class Preview:
    """What this site would do with a request, rule by rule, and what that costs; see ``policy.preview``."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    price: Price | None = None
    version: int = 0
    closed_counts: ClosedCounts | None = None

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Preview:
        """Read it."""
        price, findings = plain.get("price"), plain["findings"]
        return cls(
            verdict=Verdict(str(plain["verdict"])),
            findings=tuple(
                Finding(
                    rule=str(each["rule"]),
                    holds=bool(each["holds"]),
                    code=str(each.get("code") or ""),
                    params=dict(each.get("params") or {}),
                    source=str(each.get("source") or "site"),
                )
                for each in findings
            ),
            price=Price.from_plain(price) if price else None,
            version=max((int(each.get("version") or 0) for each in findings), default=0),
            closed_counts=ClosedCounts.from_plain(plain.get("smallest")),
        )

    @classmethod
    def of(cls, judgement: Judgement) -> Preview:
        """Return what a policy says that is not in force yet: of the dataset and the budget it knows nothing."""
        return cls(judgement.verdict, judgement.findings, version=judgement.version)


def judge(policy: Policy, asked: Asked, names: Names) -> Preview:
    """Return what ``policy`` would do with a request that nobody has decided, as far as the window knows."""
    site = next((position for position, name in names.sites.items() if name == asked.asker), 0)
    project = next((id for id, title in names.projects.items() if title == asked.project), "")
    facts = Facts(
        others=asked.others,
        exact=asked.exact,
        own=False,
        per_site=asked.per_site,
        epsilon=None if asked.exact else Fraction(asked.epsilon),
        analysis=asked.analysis,
        asker=site,
        person=asked.person,
        endorsed=bool(asked.person),
        project=project,
        withheld=0 if asked.closed_counts is None else asked.closed_counts.least,
        zeros=asked.closed_counts is None or asked.closed_counts.zeros,
    )
    return Preview.of(policy.judge(facts))
