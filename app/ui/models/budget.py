"""What this site's patients may lose in all, and what is left of it: what ``budget.show`` tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One charge at ``at`` (UTC ms): how much ε, how many exact releases, and for whom."""

    at: int
    query: str
    asker: str
    person: str
    project: str
    epsilon: str
    exact: int
    version: int

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Entry:
        """Read one."""
        return cls(
            at=int(plain["at"]),
            query=str(plain.get("query") or ""),
            asker=str(plain.get("asker") or ""),
            person=str(plain.get("person") or ""),
            project=str(plain.get("project") or ""),
            epsilon=_amount(plain.get("epsilon")),
            exact=int(plain.get("exact") or 0),
            version=int(plain.get("dataset_version") or 0),
        )


@dataclass(frozen=True)
class Spent:
    """What a researcher or a project (``kind``) has spent; ``share`` is what it may, empty without a limit."""

    kind: str
    name: str
    share: str
    spent: str

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Spent:
        """Read one."""
        share = plain.get("share")
        return cls(str(plain["kind"]), str(plain.get("name") or ""), _amount(share), _amount(plain.get("spent")) or "0")


@dataclass(frozen=True)
class Budget:
    """How the budget stands. Amounts are texts of fractions, empty where there is no limit.

    ``amount`` comes back every ``days`` (0: never), next at ``next`` (UTC ms, 0: not); all exact releases at
    ``exact_next``.
    """

    cap: str = ""
    spent: str = "0"
    left: str = ""
    amount: str = ""
    days: int = 0
    next: int = 0
    quota: int | None = None
    exact_spent: int = 0
    exact_left: int | None = None
    exact_next: int = 0
    by: tuple[Spent, ...] = ()
    entries: tuple[Entry, ...] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Budget:
        """Read it."""
        refill: Mapping[str, Any] = plain.get("refill") or {}
        exact: Mapping[str, Any] = plain.get("exact") or {}
        return cls(
            cap=_amount(plain.get("cap")),
            spent=_amount(plain.get("spent")) or "0",
            left=_amount(plain.get("left")),
            amount=_amount(refill.get("amount")) if refill.get("days") else "",
            days=int(refill.get("days") or 0),
            next=int(refill.get("next") or 0),
            quota=_count(exact.get("quota")),
            exact_spent=int(exact.get("spent") or 0),
            exact_left=_count(exact.get("left")),
            exact_next=int(exact.get("next") or 0),
            by=tuple(map(Spent.from_plain, plain.get("by") or ())),
            entries=tuple(map(Entry.from_plain, plain.get("entries") or ())),
        )

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left of the cap."""
        return bool(self.left) and Fraction(self.left) <= 0

    @property
    def share_spent(self) -> float:
        """Which part of the cap is spent, from 0 to 1; 0 without a cap."""
        if not self.cap or not self.left:
            return 0.0
        return float(1 - Fraction(self.left) / Fraction(self.cap))


def _amount(value: object) -> str:
    return "" if value in (None, "") else str(Fraction(str(value)))


def _count(value: object) -> int | None:
    return None if value is None or int(str(value)) < 0 else int(str(value))
