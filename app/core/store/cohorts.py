"""Saved cohorts with their versions, and drafts of the query that somebody is building."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.store.database import Row, SiteDatabase

MAX_NAME = 100
_COLUMNS = "name, version, text, query, saved"


def is_name(name: str) -> bool:
    """Return whether a cohort can be called so: printable, no quotes, no spaces around it."""
    return 1 <= len(name) <= MAX_NAME and name == name.strip() and name.isprintable() and not set(name) & set('"“”')


@dataclass(frozen=True)
class CohortRow:
    """One version of a saved cohort: its text form, and as ``query`` the canonical bytes of what it means."""

    name: str
    version: int
    text: str
    query: bytes
    saved: int


class Cohorts:
    """Saved cohorts by name, whatever its capitals; saving one again adds a version."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(self, name: str, *, text: str, query: bytes, now: int) -> CohortRow:
        """Store a new version, the first one or the next, and return it."""
        with self._database.atomic():
            latest = self.get(name)
            row = CohortRow(latest.name if latest else name, latest.version + 1 if latest else 1, text, query, now)
            self._database.write(
                "INSERT INTO cohorts VALUES (?, ?, ?, ?, ?)", (row.name, row.version, row.text, row.query, row.saved)
            )
        return row

    def get(self, name: str, version: int | None = None) -> CohortRow | None:
        """Return a version, the latest one if none is named; None if there is no such cohort or version."""
        if version is None:
            sql = f"SELECT {_COLUMNS} FROM cohorts WHERE name = ? ORDER BY version DESC LIMIT 1"  # noqa: S608 - a constant
            found = self._database.row(sql, (name,))
        else:
            sql = f"SELECT {_COLUMNS} FROM cohorts WHERE name = ? AND version = ?"  # noqa: S608
            found = self._database.row(sql, (name, version))
        return _cohort(found) if found else None

    def versions(self, name: str) -> tuple[CohortRow, ...]:
        """Return all versions of a cohort, newest first."""
        sql = f"SELECT {_COLUMNS} FROM cohorts WHERE name = ? ORDER BY version DESC"  # noqa: S608
        return tuple(map(_cohort, self._database.rows(sql, (name,))))

    def all(self) -> tuple[CohortRow, ...]:
        """Return the latest version of every cohort, by name."""
        latest = "SELECT name, MAX(version) AS version FROM cohorts GROUP BY name"
        sql = f"SELECT {_COLUMNS} FROM cohorts NATURAL JOIN ({latest}) ORDER BY name"  # noqa: S608
        return tuple(map(_cohort, self._database.rows(sql)))

    def rename(self, name: str, to: str) -> int:
        """Give all versions of a cohort another name; return how many there are."""
        with self._database.atomic():
            return self._database.write("UPDATE cohorts SET name = ? WHERE name = ?", (to, name))

    def delete(self, name: str) -> int:
        """Delete all versions of a cohort; return how many there were."""
        with self._database.atomic():
            return self._database.write("DELETE FROM cohorts WHERE name = ?", (name,))


@dataclass(frozen=True)
class DraftRow:
    """A version of the draft: text form, settings (canonical bytes), when it was begun and last changed (UTC ms)."""

    version: int
    text: str
    settings: bytes
    begun: int
    saved: int


class Drafts:
    """The versions of the query that is being built; the latest one is what is on the screen."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def latest(self) -> DraftRow | None:
        """Return the latest version, or None."""
        found = self._database.row("SELECT version, text, settings, begun, saved FROM drafts ORDER BY version DESC")
        return _draft(found) if found else None

    def all(self) -> Sequence[DraftRow]:
        """Return all versions, newest first."""
        sql = "SELECT version, text, settings, begun, saved FROM drafts ORDER BY version DESC"
        return [_draft(row) for row in self._database.rows(sql)]

    def put(self, row: DraftRow) -> None:
        """Store a version, instead of the one with its number if there is one."""
        with self._database.atomic():
            values = (row.version, row.text, row.settings, row.begun, row.saved)
            self._database.write("INSERT OR REPLACE INTO drafts VALUES (?, ?, ?, ?, ?)", values)

    def forget(self, before: int) -> None:
        """Delete the versions with a number below ``before``."""
        with self._database.atomic():
            self._database.write("DELETE FROM drafts WHERE version < ?", (before,))


def _cohort(row: Row) -> CohortRow:
    fields: tuple[Any, ...] = row  # the STRICT table vouches for the types
    return CohortRow(*fields)


def _draft(row: Row) -> DraftRow:
    fields: tuple[Any, ...] = row
    return DraftRow(*fields)
