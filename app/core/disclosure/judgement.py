"""What a policy looks at, and what it says: rule by rule, so that a preview and a refusal read the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any

from app.core.disclosure.mentions import Mentions
from app.core.errors import SafeParam, UserError

SITE, MANAGED, DEFAULT = "site", "managed", "default"
"""Where a rule comes from: the policy that the site has signed, its IT's managed settings, or nobody has set any."""


class Verdict(StrEnum):
    """What the policy says of a request."""

    ANSWER = "answer"
    ASK = "ask"
    DECLINE = "decline"


@dataclass(frozen=True)
class Facts:
    """What the policy looks at. ``others`` is how many sites besides the asker's contribute at the least."""

    others: int
    exact: bool
    own: bool
    """Whether this site itself asks."""
    per_site: bool = False
    """Whether each site's own numbers are told, not the total alone."""
    epsilon: Fraction | None = None
    analysis: str = "count"
    mentions: Mentions = Mentions()
    patients: int | None = None
    """How many patients this site's dataset has; None if that is not looked at."""
    asker: int = 0
    """Roster position of the asker's site."""
    person: str = ""
    """Who asks there; empty if the site itself does."""
    endorsed: bool = False
    """Whether a custodian has endorsed that person."""
    project: str = ""
    """The project's id in hexadecimal, approved here; empty for none."""
    withheld: int = 0
    """Below how many patients cryptography withholds a number; 0 if it does not."""
    zeros: bool = True
    """Whether it shows zeros all the same."""


@dataclass(frozen=True)
class Finding:
    """One rule that was looked at: does it hold, where it comes from, and what a sentence about it needs.

    ``code`` is that of the refusal where it does not hold. A finding that holds may still be worth reading.
    """

    rule: str
    holds: bool
    code: str = ""
    params: Mapping[str, SafeParam] = field(default_factory=dict)
    source: str = SITE

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "rule": self.rule,
            "holds": self.holds,
            "code": self.code,
            "source": self.source,
            "params": dict(self.params),
        }


@dataclass(frozen=True)
class Judgement:
    """What a policy says of a request, and every rule that it looked at, in the order in which it did."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    version: int = 0
    """The policy's version; 0 if the site has set none."""

    @property
    def refusal(self) -> UserError | None:
        """Why the request is declined: the first rule that does not hold, with where it comes from; or None.

        A rule of managed settings has a code of its own, ``policy.managed_*``: whoever asks is told whose rule it was.
        """
        broken = next((each for each in self.findings if not each.holds), None)
        if broken is None:
            return None
        said = {**broken.params, "rule": broken.rule, "source": broken.source, "version": self.version}
        if broken.source == MANAGED:
            return UserError(f"policy.managed_{broken.code.removeprefix('policy.')}", **said)
        return UserError(broken.code, **said)

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        found = [{**each.to_plain(), "version": self.version} for each in self.findings]
        return {"verdict": self.verdict.value, "findings": found}
