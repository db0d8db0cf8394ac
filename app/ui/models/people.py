"""The people of all sites, and what this site can do about its own: what ``people.list`` tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.ui.models.person import Person


@dataclass(frozen=True)
class SiteKey:
    """Who speaks for a site: its custodian, or as long as there is none the site itself.

    ``waiting`` is the fingerprint of a new key that replaces one whose passphrase was lost: a person has to compare it.
    """

    site: str
    own: bool
    custodian: bool
    fingerprint: str = ""
    since: int = 0
    waiting: str = ""


@dataclass(frozen=True)
class People:
    """``custodian`` is whether this site has a custodian's key; ``here`` are the people with a key on this
    workstation."""

    custodian: bool = False
    here: tuple[str, ...] = ()
    people: tuple[Person, ...] = ()
    keys: tuple[SiteKey, ...] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> People:
        """Read it."""
        own: Mapping[str, Any] = plain.get("own") or {}
        return cls(
            custodian=bool(own.get("custodian")),
            here=tuple(map(str, own.get("people") or ())),
            people=tuple(map(Person.from_plain, plain.get("people") or ())),
            keys=tuple(
                SiteKey(
                    site=str(each["site"]),
                    own=bool(each["own"]),
                    custodian=bool(each["custodian"]),
                    fingerprint=str(each.get("fingerprint") or ""),
                    since=int(each.get("since") or 0),
                    waiting=str(each.get("waiting") or ""),
                )
                for each in plain.get("custodians") or ()
            ),
        )

    @property
    def askers(self) -> tuple[Person, ...]:
        """Who may ask from this workstation now: of several endorsements of a person the strongest one."""
        found: dict[str, Person] = {}
        for each in self.people:
            if each.own and each.valid and each.asks:
                before = found.get(each.name)
                if before is None or RANK[each.role] > RANK[before.role]:
                    found[each.name] = each
        return tuple(found.values())


RANK = {"total-noised": 1, "total-exact": 2, "sites-noised": 3, "sites-exact": 4}
"""How strong the roles are."""
