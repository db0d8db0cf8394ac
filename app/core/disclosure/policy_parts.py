"""What a policy is put together from, as frozen values, and how each is read from outside.

Plain form, in the profile as in messages of the owner's socket: fractions are texts ("" for none), ids hexadecimal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, get_args

from app.core.errors import ProtocolViolation
from app.core.fields import Fields
from app.core.query.analyses import Analysis

MALFORMED = "policy.malformed"
PROJECT_BYTES = 16
MOST_POSITION = 64
MOST_NAME = 200
ANALYSES: tuple[str, ...] = tuple(kind.name for kind in get_args(Analysis))
"""The names that a rule can have for an analysis."""
_LARGEST = 1 << 20
_MOST_DAYS = 36_525
_MOST_RELEASES = 1_000_000


class Mode(StrEnum):
    """What happens to a request that the rules allow."""

    AUTOMATIC = "automatic"
    """It is answered with nobody present."""
    ASK = "ask"
    """It waits for a person of this site."""
    NEVER = "never"
    """It is declined."""

    @property
    def strictness(self) -> int:
        """How strict it is, from 0."""
        return list(Mode).index(self)


class Projects(StrEnum):
    """Under which projects a request may be made."""

    ANY = "any"
    """Under any project that this site has approved, or under none."""
    APPROVED = "approved"
    """Under a project that this site has approved."""
    LISTED = "listed"
    """Under one of the projects that the policy names."""


class People(StrEnum):
    """Who may ask."""

    ANYONE = "anyone"
    """A member site itself, for whomever uses it, or a person whom it has endorsed."""
    ENDORSED = "endorsed"
    """Only a person whom a site's custodian has endorsed."""


@dataclass(frozen=True, order=True)
class Never:
    """A variable that is never to be used, or with ``level`` one of its levels."""

    code: str
    level: str = ""

    def to_plain(self) -> list[str]:
        """Return it as a list: code, level (empty: the whole variable)."""
        return [self.code, self.level]

    @classmethod
    def from_plain(cls, plain: object) -> Never:
        """Read what :meth:`to_plain` wrote; raises ProtocolViolation ``policy.malformed``."""
        match plain:
            case [str(code), str(level)] if 0 < len(code) <= MOST_NAME and len(level) <= MOST_NAME:
                return cls(code, level)
        raise ProtocolViolation(MALFORMED, field="never")


@dataclass(frozen=True, order=True)
class Rule:
    """Which mode holds for some requests: those of a site, a person there, a project, an analysis.

    A condition that is not given (0, empty) holds for all. Of the rules that hold for a request the most specific one
    counts, the one with the most conditions; of two that are as specific the stricter. Every site names its people
    itself: a rule about a person of no site named only makes a mode stricter.
    """

    mode: Mode
    site: int = 0
    """Roster position of the asker's site."""
    person: str = ""
    """A person of that site, as its delegation names it."""
    project: str = ""
    """A project's id, in hexadecimal."""
    analysis: str = ""

    @property
    def conditions(self) -> int:
        """How many conditions it has."""
        return sum(map(bool, (self.site, self.person, self.project, self.analysis)))

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON and CBOR have it."""
        return {
            "mode": self.mode.value,
            "site": self.site,
            "person": self.person,
            "project": self.project,
            "analysis": self.analysis,
        }

    @classmethod
    def from_plain(cls, plain: object) -> Rule:
        """Read what :meth:`to_plain` wrote; conditions may be missing. Raises ProtocolViolation."""
        fields = Fields(plain, MALFORMED)
        mode = fields.any("mode")
        if mode not in list(Mode):
            fields.refuse("mode")
        site = fields.number("site", 0, MOST_POSITION) if fields.given("site") else 0
        found = {name: fields.any(name) if fields.given(name) else "" for name in ("person", "project", "analysis")}
        fields.done()
        for name, value in found.items():
            if not isinstance(value, str) or len(value) > MOST_NAME:
                fields.refuse(name)
        if found["analysis"] not in ("", *ANALYSES):
            fields.refuse("analysis")
        rule = cls(Mode(mode), site, **found)
        if not rule.conditions:
            fields.refuse("rules")
        return rule


@dataclass(frozen=True)
class BudgetRules:
    """What may leave in all; None is no limit.

    ``cap`` is the ε of all releases together, of which one researcher can spend at most ``researcher`` and one project
    ``project``; ``refill`` comes back every ``days`` (0: never). ``exact`` is how many exact releases there may be
    between two refills.
    """

    cap: Fraction | None = None
    refill: Fraction = Fraction(0)
    days: int = 0
    researcher: Fraction | None = None
    project: Fraction | None = None
    exact: int | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON and CBOR have it: -1 for no limit of exact releases."""
        return {
            "cap": fraction_text(self.cap),
            "refill": fraction_text(self.refill),
            "days": self.days,
            "researcher": fraction_text(self.researcher),
            "project": fraction_text(self.project),
            "exact": -1 if self.exact is None else self.exact,
        }

    @classmethod
    def from_plain(cls, plain: object) -> BudgetRules:
        """Read what :meth:`to_plain` wrote; what is missing has its default. Raises ProtocolViolation."""
        given = plain if isinstance(plain, dict) else {"": plain}
        fields = Fields({**cls().to_plain(), **given}, MALFORMED)
        exact = fields.number("exact", -1, _MOST_RELEASES)
        rules = cls(
            cap=read_fraction(fields, "cap"),
            refill=read_fraction(fields, "refill") or Fraction(0),
            days=fields.number("days", 0, _MOST_DAYS),
            researcher=read_fraction(fields, "researcher"),
            project=read_fraction(fields, "project"),
            exact=None if exact < 0 else exact,
        )
        fields.done()
        return rules


def fraction_text(value: Fraction | None) -> str:
    """Return a fraction as text, empty for None."""
    return "" if value is None else str(value)


def read_fraction(fields: Fields, name: str) -> Fraction | None:
    """Take a fraction that is not negative, from its text; None for an empty one. Raises ProtocolViolation."""
    value = fields.any(name)
    if value in ("", None):
        return None
    try:
        found = Fraction(value) if isinstance(value, str) and len(value) <= 64 else Fraction(-1)
    except (ValueError, ZeroDivisionError):
        found = Fraction(-1)
    if found < 0 or max(found.numerator, found.denominator) > _LARGEST:
        fields.refuse(name)
    return found
