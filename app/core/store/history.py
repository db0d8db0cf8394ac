"""What this site has done: runs of queries, refusals it gave, backups it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core import codec
from app.core.errors import Bug, SafeParam
from app.core.store.database import Row, SiteDatabase

_DETAILS_LIMIT = 1 << 16
_DAY = 24 * 3_600_000
MOST_A_DAY = 1_000
"""Refusals of one sender within a day that are noted; of those that nobody can be blamed for as many."""
_LOOKED_AT = 10 * MOST_A_DAY


@dataclass(frozen=True)
class Run:
    """One query that was asked here. ``text`` is its text form, ``data`` canonical CBOR of what it was asked under.

    Runs of programs from before that was kept have no ``data``, or a code.
    """

    id: bytes
    text: str
    state: str
    data: bytes
    created: int
    updated: int


class Runs:
    """Every run is kept."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(self, id: bytes, *, text: str, state: str, data: bytes, now: int) -> None:
        """Store a new run. Raises sqlite3.IntegrityError if it exists."""
        with self._database.atomic():
            self._database.write("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", (id, text, state, data, now, now))

    def update(self, id: bytes, *, state: str, now: int) -> None:
        """Change a run's state. Raises Bug if there is no such run."""
        with self._database.atomic():
            changed = self._database.write("UPDATE runs SET state = ?, updated = ? WHERE id = ?", (state, now, id))
            if changed != 1:
                raise Bug("store.no_such_run", run=id.hex())

    def get(self, id: bytes) -> Run | None:
        """Return one run, or None."""
        found = self._database.row("SELECT id, text, state, data, created, updated FROM runs WHERE id = ?", (id,))
        return _run(found) if found else None

    def all(self) -> tuple[Run, ...]:
        """Return all runs, newest first."""
        rows = self._database.rows(
            "SELECT id, text, state, data, created, updated FROM runs ORDER BY created DESC, rowid DESC"
        )
        return tuple(_run(row) for row in rows)


@dataclass(frozen=True)
class Refusal:
    """Something this site refused: the error's code and safe params, and the sender's roster position if known."""

    at: int
    code: str
    sender: int | None
    details: Mapping[str, SafeParam]


class Refusals:
    """What came in and was not accepted."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(self, code: str, *, sender: int | None, details: Mapping[str, SafeParam], now: int) -> bool:
        """Note a refusal; return whether it was: whoever goes on for ever fills nobody's disk."""
        with self._database.atomic():
            sql = "SELECT count(*) FROM (SELECT sender, at FROM refusals ORDER BY id DESC LIMIT ?) WHERE sender IS ?"
            recent = self._database.row(f"{sql} AND at > ?", (_LOOKED_AT, sender, now - _DAY))  # noqa: S608 - constant
            if recent is not None and int(recent[0]) >= MOST_A_DAY:  # type: ignore[arg-type]  # a count
                return False
            self._database.write(
                "INSERT INTO refusals(at, code, sender, details) VALUES (?, ?, ?, ?)",
                (now, code, sender, codec.encode(dict(details))),
            )
        return True

    def all(self) -> tuple[Refusal, ...]:
        """Return all refusals, oldest first."""
        rows: list[tuple[Any, ...]] = list(
            self._database.rows("SELECT at, code, sender, details FROM refusals ORDER BY id")
        )
        return tuple(Refusal(at, code, sender, codec.decode(data, _DETAILS_LIMIT)) for at, code, sender, data in rows)


class Backups:
    """When the site's secrets were last written down, and how."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(self, kind: str, *, now: int) -> None:
        """Note a backup of ``kind`` ("sheet", "file")."""
        with self._database.atomic():
            self._database.write("INSERT INTO backups(at, kind) VALUES (?, ?)", (now, kind))

    def all(self) -> tuple[tuple[int, str], ...]:
        """Return (time, kind) of all backups, oldest first."""
        rows: list[tuple[Any, ...]] = list(self._database.rows("SELECT at, kind FROM backups ORDER BY id"))
        return tuple((at, kind) for at, kind in rows)

    def last(self) -> tuple[int, str] | None:
        """Return (time, kind) of the latest backup, or None."""
        row: tuple[Any, ...] | None = self._database.row("SELECT at, kind FROM backups ORDER BY id DESC LIMIT 1")
        return (row[0], row[1]) if row else None


def _run(row: Row) -> Run:
    fields: tuple[Any, ...] = row  # the STRICT table vouches for the types
    return Run(*fields)
