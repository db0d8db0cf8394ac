"""The site's policy as the window shows it: what ``policy.show`` tells, and amounts of budget as people type them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from app.core.disclosure.policy import Policy, Rule
from app.ui.locale import locale

_LARGEST = 1 << 20
_PLACES = 3


@dataclass(frozen=True)
class Version:
    """A version of the policy, in force from ``at`` (UTC ms). ``signed_by`` is custodian or site."""

    number: int
    at: int
    signed_by: str


@dataclass(frozen=True)
class PolicyState:
    """What ``policy.show`` tells. ``signed_by`` is empty while the default holds. ``fixed`` names the fields that an
    administrator has fixed, in the file ``place``; ``draft`` waits for a signature."""

    policy: Policy
    version: int = 0
    signed_by: str = ""
    signed_at: int = 0
    fixed: frozenset[str] = frozenset()
    draft: Policy | None = None
    history: tuple[Version, ...] = ()
    place: str = ""
    custodian: bool = False
    """Whether a custodian's key signs here."""

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> PolicyState:
        """Read it."""
        draft: Mapping[str, Any] | None = plain.get("draft")
        history: Sequence[Mapping[str, Any]] = plain.get("history") or ()
        policy = read_policy(plain.get("policy") or plain)
        waiting = policy.with_plain(_known(draft)) if draft else None
        return cls(
            policy=policy,
            version=int(plain.get("version") or 0),
            signed_by=str(plain.get("signed_by") or ""),
            signed_at=int(plain.get("signed_at") or 0),
            fixed=frozenset(map(str, plain.get("managed") or ())),
            draft=None if waiting == policy else waiting,
            history=tuple(
                Version(int(each["version"]), int(each["at"]), str(each.get("signed_by") or "site")) for each in history
            ),
            place=str(plain.get("managed_source") or ""),
            custodian=bool(plain.get("custodian")),
        )

    def is_fixed(self, name: str) -> bool:
        """Return whether an administrator has fixed this field; a part of the budget is ``budget.cap`` and so on."""
        return name.partition(".")[0] in self.fixed


def read_policy(plain: Mapping[str, Any]) -> Policy:
    """Read a policy; what an older owner does not say has its default, what a newer one says besides is left out.

    Raises ProtocolViolation ``policy.malformed``.
    """
    return Policy().with_plain(_known(plain))


def _known(plain: Mapping[str, Any]) -> dict[str, Any]:
    names = Policy().to_plain()
    return {name: value for name, value in plain.items() if name in names}


def changes(before: Policy, after: Policy) -> dict[str, Any]:
    """Return what is not as it was before, as ``policy.set`` takes it."""
    old, new = before.to_plain(), after.to_plain()
    return {name: value for name, value in new.items() if old[name] != value}


def with_rule(policy: Policy, rule: Rule) -> Policy:
    """Return a policy with one exception more, instead of one about the same."""
    rest = tuple(each for each in policy.rules if _about(each) != _about(rule))
    return replace(policy, rules=(*rest, rule))


def _about(rule: Rule) -> tuple[int, str, str, str]:
    return rule.site, rule.person, rule.project, rule.analysis


def fraction_of(typed: str) -> Fraction | None:
    """Return an amount that a person typed, None for an empty one; raises ValueError for what is none."""
    typed = typed.strip().replace(",", ".")
    if not typed:
        return None
    try:
        value = Fraction(typed).limit_denominator(1000)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not 0 < value <= _LARGEST:
        raise ValueError("not an amount")
    return value


def amount(value: Fraction | str) -> str:
    """Return an amount of budget as people here write it, to three places; empty for an empty one."""
    if value == "":
        return ""
    point = locale().decimalPoint()
    written = locale().toString(float(Fraction(value)), "f", _PLACES)
    return written.rstrip("0").rstrip(point) if point in written else written
