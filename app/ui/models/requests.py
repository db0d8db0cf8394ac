"""What other sites ask, as the window shows it: each request, how it stands, and what a policy says of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from app.core.disclosure.policy import Facts, Mode, Policy, Verdict
from app.core.errors import UserError

_USUAL = 0.95


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


class Fate(StrEnum):
    """What a policy would do with a request."""

    ANSWERED = "answered"
    WAITS = "waits"
    DECLINED = "declined"


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

    @property
    def usual_noise(self) -> int:
        """How far our own noise usually (19 times in 20) moves the number; 0 for an exact one."""
        if self.exact or not self.epsilon:
            return 0
        epsilon = float(Fraction(self.epsilon))
        # P(|x| > w) = 2 a^(w+1) / (1 + a) with a = exp(-epsilon) for the discrete Laplace distribution
        within = -math.log((1 - _USUAL) * (1 + math.exp(-epsilon)) / 2) / epsilon - 1
        return max(1, math.ceil(within))


def policy_from_plain(plain: Mapping[str, Any]) -> Policy:
    """Read what ``policy.show`` tells."""
    return Policy(Mode(str(plain["mode"])), bool(plain["exact"]), bool(plain["noised"]), int(plain["others"]))


def fate(policy: Policy, asked: Asked) -> tuple[Fate, str]:
    """Return what ``policy`` would do with a request that nobody has decided, and the code of why if it declines it."""
    try:
        verdict = policy.judge(Facts(others=asked.others, exact=asked.exact, own=False))
    except UserError as refusal:
        return Fate.DECLINED, refusal.code
    return (Fate.ANSWERED if verdict is Verdict.ANSWER else Fate.WAITS), ""
