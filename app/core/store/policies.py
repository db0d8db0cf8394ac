"""The versions of this site's policy: signed records that follow one another. None is ever changed or deleted."""

from __future__ import annotations

from app.core.store.database import SiteDatabase


class Policies:
    """Signed versions by their number, from 1."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def all(self) -> tuple[bytes, ...]:
        """Return the records of all versions, oldest first."""
        rows = self._database.rows("SELECT record FROM policies ORDER BY version")
        return tuple(bytes(row[0]) for row in rows)  # type: ignore[arg-type]

    def add(self, version: int, record: bytes) -> None:
        """Keep another version; a number that is there already is an error."""
        with self._database.atomic():
            self._database.write("INSERT INTO policies VALUES (?, ?)", (version, record))
