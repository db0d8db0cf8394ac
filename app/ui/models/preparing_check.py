"""What a dry run has found, as ``consilium data check --json`` tells it, and what sealing will come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Plain = Mapping[str, Any]

STATES = ("refused", "empty", "repaired")
"""What becomes of what has a problem: the row is left out, the value is left empty, it is read as it was meant."""


def _short(what: str, file: str | None) -> str:
    """Return what is wrong without the place, which has columns of its own: "Row 3 of lab.csv: not a number"."""
    place, colon, rest = what.partition(": ")
    short = rest.strip() if colon and file and file in place else what
    return short[:1].upper() + short[1:]


_UNKNOWN = ("csv.unknown_level", "csv.not_a_flag")


@dataclass(frozen=True)
class Group:
    """Problems that are mended in one go; ``fix`` is what mends them, None if nothing does."""

    code: str
    state: str
    title: str
    words: str
    count: int
    different: int
    file: str
    column: str
    variable: str
    examples: tuple[str, ...]
    fix: Plain | None

    @property
    def unknown(self) -> tuple[str, ...]:
        """The values of which a person has to say what they mean."""
        fix = self.fix or {}
        if fix.get("kind") in ("values", "missing"):
            return tuple(map(str, fix.get("values") or fix.get("suggested") or ()))
        return self.examples if self.code in _UNKNOWN else ()

    @classmethod
    def from_plain(cls, plain: Plain) -> Group:
        """Read what the command tells of one."""
        return cls(
            code=str(plain["code"]),
            state=str(plain["state"]),
            title=" · ".join(filter(None, (str(plain.get("column") or ""), _short(plain["title"], plain.get("file"))))),
            words=str(plain.get("words") or ""),
            count=int(plain["count"]),
            different=int(plain.get("different") or 0),
            file=str(plain.get("file") or ""),
            column=str(plain.get("column") or ""),
            variable=str(plain.get("variable") or ""),
            examples=tuple(map(str, plain.get("examples") or ())),
            fix=plain.get("fix"),
        )


@dataclass(frozen=True)
class Problem:
    """One problem with its place. ``row`` is 0 where there is none."""

    state: str
    row: int
    file: str
    column: str
    found: str
    what: str
    happens: str
    code: str
    variable: str

    @classmethod
    def from_plain(cls, plain: Plain) -> Problem:
        """Read what the command tells of one."""
        words = {name: str(plain.get(name) or "") for name in ("file", "column", "code", "variable")}
        return cls(
            state=str(plain["state"]),
            row=int(plain.get("row") or 0),
            found="" if plain.get("found") is None else str(plain["found"]),
            what=_short(plain["what"], plain.get("file")),
            happens=str(plain.get("happens") or ""),
            **words,
        )


@dataclass(frozen=True)
class Identifier:
    """A column that names people directly. ``used`` ones block until the person confirms them, one by one."""

    table: str
    column: str
    kind: str
    why: str
    values: int
    used: bool
    confirmed: bool = False
    """Whether the mapping itself says that it may be used."""

    @property
    def key(self) -> str:
        """How ``--confirm`` names it."""
        return f"{self.table}.{self.column}"

    @classmethod
    def from_plain(cls, plain: Plain) -> Identifier:
        """Read what the command tells of one."""
        return cls(
            table=str(plain["table"]),
            column=str(plain["column"]),
            kind=str(plain["kind"]),
            why=str(plain["why"]),
            values=int(plain.get("values") or 0),
            used=bool(plain.get("used", True)),
            confirmed=bool(plain.get("confirmed")),
        )


@dataclass(frozen=True)
class Spread:
    """A variable in the dry run: who has a value, and how values are spread: (name, count)."""

    code: str
    label: str
    kind: str
    known: int | None
    missing: int | None
    bins: tuple[tuple[str, int], ...]

    @classmethod
    def from_plain(cls, plain: Plain) -> Spread:
        """Read what the command tells of one."""
        known, missing = plain.get("known"), plain.get("missing")
        return cls(
            code=str(plain["code"]),
            label=str(plain["label"]),
            kind=str(plain["kind"]),
            known=None if known is None else int(known),
            missing=None if missing is None else int(missing),
            bins=tuple((_bin(each), int(each["count"])) for each in plain.get("bins") or ()),
        )


def _bin(plain: Plain) -> str:
    if plain.get("levels"):
        return ", ".join(map(str, plain["levels"]))
    low, high = plain.get("from"), plain.get("to")
    if low is None or high is None:
        return f"< {high}" if high is not None else f"≥ {low}" if low is not None else "…"
    return f"{low} – {high}"


@dataclass(frozen=True)
class Checked:
    """All that a dry run has found. ``notes`` are (words, variable)."""

    rows: int
    patients: int
    refused_rows: int
    states: Mapping[str, int]
    groups: tuple[Group, ...]
    problems: tuple[Problem, ...]
    problem_count: int
    variables: tuple[Spread, ...]
    identifiers: tuple[Identifier, ...]
    notes: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]
    unused_columns: tuple[str, ...]

    @classmethod
    def from_plain(cls, plain: Plain) -> Checked:
        """Read what the command tells."""
        problems = plain.get("problems") or ()
        return cls(
            rows=int(plain["rows"]),
            patients=int(plain["patients"]),
            refused_rows=int(plain["refused_rows"]),
            states={state: int(plain["states"].get(state) or 0) for state in STATES},
            groups=tuple(map(Group.from_plain, plain.get("groups") or ())),
            problems=tuple(map(Problem.from_plain, problems)),
            problem_count=int(plain.get("problem_count", len(problems))),
            variables=tuple(map(Spread.from_plain, plain.get("variables") or ())),
            identifiers=tuple(map(Identifier.from_plain, plain.get("identifiers") or ())),
            notes=tuple((str(each["what"]), str(each.get("variable") or "")) for each in plain.get("notes") or ()),
            left_out=tuple(map(str, plain.get("left_out") or ())),
            unused_columns=tuple(map(str, plain.get("unused_columns") or ())),
        )

    @property
    def usable_rows(self) -> int:
        """The rows that will be used."""
        return self.rows - self.refused_rows

    def waiting(self, confirmed: frozenset[str]) -> tuple[Identifier, ...]:
        """Return the columns in use that name people and are not confirmed."""
        return tuple(
            each for each in self.identifiers if each.used and not each.confirmed and each.key not in confirmed
        )


@dataclass(frozen=True)
class Depth:
    """A number of residues to keep, with its consequences: sizes in bytes, times in seconds, 0 for unknown."""

    residues: int
    terms: int
    size: int
    seconds: float
    recommended: bool

    @classmethod
    def from_plain(cls, plain: Plain) -> Depth:
        """Read what ``data choices`` tells of one."""
        return cls(
            residues=int(plain["residues"]),
            terms=int(plain["terms"]),
            size=int(plain.get("bytes") or 0),
            seconds=float(plain.get("seconds") or 0),
            recommended=bool(plain.get("recommended")),
        )


@dataclass(frozen=True)
class Sealed:
    """A finished package. ``changes`` says in sentences what is new since the version before."""

    path: str
    size: int
    digits: str
    words: str
    rows: int
    patients: int
    refused_rows: int
    columns: int
    residues: int
    seconds: float
    changes: tuple[str, ...] = ()
    plain: Plain = field(default_factory=dict, repr=False)

    @classmethod
    def from_plain(cls, plain: Plain) -> Sealed:
        """Read what ``data prepare`` tells."""
        changes = plain.get("changes") or ()
        return cls(
            path=str(plain["package"]),
            size=int(plain["bytes"]),
            digits=str(plain["preparer"]),
            words=str(plain["preparer_words"]),
            rows=int(plain["rows"]),
            patients=int(plain["patients"]),
            refused_rows=int(plain["refused_rows"]),
            columns=int(plain.get("columns") or 0),
            residues=int(plain.get("residues") or 0),
            seconds=float(plain.get("seconds") or 0),
            changes=tuple(str(each["what"]) for each in changes if isinstance(each, Mapping) and each.get("what")),
            plain=plain,
        )
