"""Cohorts that other sites have shared: offers, apart from this site's own until somebody accepts one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.store.database import Row, SiteDatabase

_COLUMNS = "sender, name, query, meanings, shared, received"


@dataclass(frozen=True)
class SharedRow:
    """What the site at position ``sender`` offers as ``name``.

    ``query`` are the canonical bytes of what it means there, ``meanings`` its variables' hashes by code (canonical
    bytes too); ``shared`` by the sender's clock, ``received`` by ours (UTC ms).
    """

    sender: int
    name: str
    query: bytes
    meanings: bytes
    shared: int
    received: int


class SharedCohorts:
    """Offers by sender and name, whatever its capitals."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def put(self, row: SharedRow, *, most: int) -> None:
        """Keep an offer instead of an earlier one of its name; of more than ``most`` a sender the oldest go."""
        with self._database.atomic():
            known = self.get(row.sender, row.name)
            if known is not None and known.shared > row.shared:
                return
            self.delete(row.sender, row.name)
            self._database.write(
                "INSERT INTO shared_cohorts VALUES (?, ?, ?, ?, ?, ?)",
                (row.sender, row.name, row.query, row.meanings, row.shared, row.received),
            )
            self._database.write(
                "DELETE FROM shared_cohorts WHERE sender = ? AND rowid NOT IN "
                "(SELECT rowid FROM shared_cohorts WHERE sender = ? ORDER BY rowid DESC LIMIT ?)",
                (row.sender, row.sender, most),
            )

    def get(self, sender: int, name: str) -> SharedRow | None:
        """Return an offer, or None."""
        sql = f"SELECT {_COLUMNS} FROM shared_cohorts WHERE sender = ? AND name = ?"  # noqa: S608 - a constant
        found = self._database.row(sql, (sender, name))
        return _shared(found) if found else None

    def all(self) -> Sequence[SharedRow]:
        """Return all offers, by sender and name."""
        sql = f"SELECT {_COLUMNS} FROM shared_cohorts ORDER BY sender, name"  # noqa: S608
        return [_shared(row) for row in self._database.rows(sql)]

    def delete(self, sender: int, name: str) -> int:
        """Delete an offer; return how many there were."""
        with self._database.atomic():
            return self._database.write("DELETE FROM shared_cohorts WHERE sender = ? AND name = ?", (sender, name))


def _shared(row: Row) -> SharedRow:
    fields: tuple[Any, ...] = row  # the STRICT table vouches for the types
    return SharedRow(*fields)
