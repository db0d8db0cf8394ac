"""The federation's projects as the window shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Project:
    """A project. ``state`` is where it stands at this site: proposed, approved, expired, closed; ``until`` UTC ms."""

    id: str
    title: str
    purpose: str = ""
    legal_basis: str = ""
    assessment: str = ""
    proposed_by: str = ""
    own: bool = False
    members: tuple[tuple[str, str], ...] = ()
    """(site, person)"""
    until: int = 0
    state: str = "approved"
    approvals: tuple[tuple[str, str], ...] = ()
    """(site, state)"""

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Project:
        """Read one of ``project.list``, or that of a question."""
        return cls(
            id=str(plain["id"]),
            title=str(plain["title"]),
            purpose=str(plain.get("purpose") or ""),
            legal_basis=str(plain.get("legal_basis") or ""),
            assessment=str(plain.get("assessment") or ""),
            proposed_by=str(plain.get("proposed_by") or ""),
            own=bool(plain.get("own")),
            members=tuple((str(each["site"]), str(each["person"])) for each in plain.get("members") or ()),
            until=int(plain.get("until") or 0),
            state=str(plain.get("state") or "approved"),
            approvals=tuple((str(each["site"]), str(each["state"])) for each in plain.get("approvals") or ()),
        )

    @property
    def usable(self) -> bool:
        """Whether it is not over."""
        return self.state in ("proposed", "approved")


def projects_from_plain(plain: Mapping[str, Any]) -> tuple[Project, ...]:
    """Read what ``project.list`` tells."""
    return tuple(map(Project.from_plain, plain.get("projects") or ()))
