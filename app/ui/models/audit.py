"""The audit trail as an owner tells of it: records, verifications, and what a record says in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.errors import UserError
from app.texts import explain, explain_code, text
from app.ui.locale import number, whole_moment

GROUPS: Mapping[str, str] = {
    "all": "",
    "requests": "request,decision,contribution,share,released",
    "policy": "policy,budget,people,project",
    "data": "data,catalogue",
    "keys": "key,profile,federation",
    "trouble": "refusal,request.declined,audit.finding",
    "audit": "audit",
}
"""The filters by kind, and the kinds (or beginnings of kinds) that each shows."""
PERIODS: Mapping[str, int] = {"any": 0, "day": 1, "week": 7, "month": 30, "year": 365}
"""The filters by time, in days; 0 for no bound."""
DAY = 86_400_000
_TONES = {
    "refusal": ("danger", "close-circle"),
    "request.declined": ("caution", "minus-circle"),
    "audit.finding": ("danger", "warning"),
    "released": ("positive", "check-circle"),
}
_ICONS = {
    "request": "requests",
    "decision": "person",
    "contribution": "results",
    "share": "key",
    "released": "results",
    "policy": "shield",
    "budget": "layers",
    "people": "people",
    "project": "folder",
    "data": "data",
    "catalogue": "layers",
    "key": "key",
    "profile": "computer",
    "federation": "federation",
    "refusal": "warning",
    "audit": "audit",
}
_TIMES = ("since", "profile_created")
_FIRST = ("question", "purpose", "contributors", "epsilon", "minimum")


@dataclass(frozen=True)
class Record:
    """One record. ``what`` and ``budget`` are plain values by name."""

    number: int
    at: int
    kind: str
    who: str
    what: Mapping[str, Any]
    why: str
    budget: Mapping[str, Any] | None
    hash: str

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Record:
        """Take what ``audit.show`` tells of one."""
        return cls(
            number=int(plain["number"]),
            at=int(plain["at"]),
            kind=str(plain["kind"]),
            who=str(plain["who"]),
            what=dict(plain["what"]),
            why=str(plain["why"]),
            budget=None if plain["budget"] is None else dict(plain["budget"]),
            hash=str(plain["hash"]),
        )

    @property
    def title(self) -> str:
        """What happened, in a few words."""
        return kind_words(self.kind)

    @property
    def words(self) -> str:
        """Who, and what it was about, in one line."""
        version = self.what.get("version")
        about = self.what.get("question") or self.what.get("title") or self.what.get("person") or ""
        about = about or (text("ui.audit.version", number=version) if isinstance(version, int) else "")
        return " · ".join(filter(None, (self.who, why_words(self.why), str(about))))

    @property
    def icon_name(self) -> str:
        """The icon of its kind."""
        return _ICONS.get(self.kind.split(".")[0], "audit")

    @property
    def chip(self) -> tuple[str, str, str] | None:
        """(word, tone, icon name) for what stands out."""
        tone = _TONES.get(self.kind)
        return None if tone is None else (text(f"ui.audit.chip.{tone[0]}"), *tone)

    def facts(self) -> list[tuple[str, str]]:
        """Return (name, words) of everything that it says, the question first."""
        names = [*(name for name in _FIRST if name in self.what), *(name for name in self.what if name not in _FIRST)]
        told = [(field_words(name), value_words(name, self.what[name])) for name in names]
        for name, value in (self.budget or {}).items():
            told.append((field_words(f"budget_{name}"), value_words(name, value)))
        return [(name, words) for name, words in told if words]


@dataclass(frozen=True)
class Head:
    """What this site holds of another one's chain, and that one of ours (0: nothing yet)."""

    site: str
    number: int
    at: int
    ours: int
    ours_at: int

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Head:
        """Take what ``audit.show`` tells of one."""
        ours = plain["ours"] or {"number": 0, "at": 0}
        return cls(str(plain["site"]), int(plain["number"]), int(plain["at"]), int(ours["number"]), int(ours["at"]))

    @property
    def words(self) -> str:
        """In one sentence."""
        if not self.ours:
            return text("ui.audit.holds_nothing", site=self.site)
        return text("ui.audit.holds", site=self.site, number=number(self.ours), time=whole_moment(self.ours_at))


@dataclass(frozen=True)
class Verification:
    """What ``audit.verify`` found."""

    ok: bool
    records: int
    agreeing: tuple[str, ...]
    unheard: tuple[str, ...]
    problems: tuple[str, ...]
    findings: tuple[str, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Verification:
        """Take what ``audit.verify`` tells."""
        return cls(
            ok=bool(plain["ok"]),
            records=int(plain["records"]),
            agreeing=tuple(dict.fromkeys(str(each["site"]) for each in plain["held"] if each["agrees"])),
            unheard=tuple(map(str, plain["unheard"])),
            problems=tuple(map(_problem, plain["problems"])),
            findings=tuple(map(_problem, plain["findings"])),
        )


def _problem(plain: Mapping[str, Any]) -> str:
    told = explain(UserError(str(plain["code"]), **plain["params"]))
    where = text("ui.audit.at_number", number=number(plain["number"])) if plain["number"] else ""
    return " ".join(filter(None, (where, told.what)))


def kind_words(kind: str) -> str:
    """Return a kind in words; one of a newer program as it is."""
    words = text(f"audit.kind.{kind}")
    return kind if words == f"audit.kind.{kind}" else words


def why_words(why: str) -> str:
    """Return a reason in words: what an error's code means, else as it is."""
    return explain_code(why) if why else ""


def field_words(name: str) -> str:
    """Return the name of a value in words; one of a newer program as it is."""
    words = text(f"audit.field.{name}")
    return name.replace("_", " ") if words == f"audit.field.{name}" else words


def value_words(name: str, value: Any) -> str:
    """Return a value for people."""
    if isinstance(value, bool):
        return text("ui.audit.yes") if value else text("ui.audit.no")
    if isinstance(value, int):
        return whole_moment(value) if name in _TIMES else number(value)
    if isinstance(value, list):
        return ", ".join(value_words("", each) for each in value)
    if isinstance(value, Mapping):
        return " · ".join(f"{field_words(str(key))}: {value_words(str(key), item)}" for key, item in value.items())
    if name == "epsilon" and not value:
        return text("ui.audit.exact")
    return "" if value is None else str(value)
