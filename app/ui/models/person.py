"""One person whom a site's custodian has endorsed, as the window shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.texts import text

RESULT_ROLES = ("total-noised", "total-exact", "sites-noised", "sites-exact")
"""The kinds of results, weakest first: each allows those before it."""
OTHER_ROLES = ("custodian", "data-manager", "auditor")


def role_name(role: str) -> str:
    """Return what a role is called."""
    return text(f"ui.people.role.{role.replace('-', '_')}")


def role_meaning(role: str) -> str:
    """Return what somebody in a role may do."""
    return text(f"ui.people.role_words.{role.replace('-', '_')}")


@dataclass(frozen=True)
class Person:
    """An endorsement: ``since`` and ``until`` are UTC ms. ``state``: valid, expired, revoked, not yet, unaccepted."""

    name: str
    role: str = ""
    site: str = ""
    id: str = ""
    since: int = 0
    until: int = 0
    state: str = "valid"
    own: bool = False
    """Whether the key is on this workstation."""
    signed_by: str = "custodian"
    reason: str = ""
    """Why it was taken back."""

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Person:
        """Read one of ``people.list``, or who asks a question."""
        revoked: Mapping[str, Any] = plain.get("revoked") or {}
        return cls(
            name=str(plain["person"]),
            role=str(plain.get("role") or ""),
            site=str(plain.get("site") or ""),
            id=str(plain.get("id") or ""),
            since=int(plain.get("since") or 0),
            until=int(plain.get("until") or 0),
            state=str(plain.get("state") or "valid"),
            own=bool(plain.get("own")),
            signed_by=str(plain.get("signed_by") or "custodian"),
            reason=str(revoked.get("reason") or ""),
        )

    @property
    def valid(self) -> bool:
        """Whether it holds now."""
        return self.state == "valid"

    @property
    def asks(self) -> bool:
        """Whether the role is one of those that may ask."""
        return self.role in RESULT_ROLES
