"""The profile's own small values: who this site is in which federation. Nothing secret."""

from __future__ import annotations

from app.core.store.database import SiteDatabase


class Settings:
    """Named byte strings in the ``profile`` table."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def get(self, key: str) -> bytes | None:
        """Return the value of ``key``, or None."""
        row = self._database.row("SELECT value FROM profile WHERE key = ?", (key,))
        return bytes(row[0]) if row else None  # type: ignore[arg-type]  # a BLOB column of a STRICT table

    def remove(self, key: str) -> None:
        """Forget ``key``, if it is there."""
        with self._database.atomic():
            self._database.write("DELETE FROM profile WHERE key = ?", (key,))

    def put(self, key: str, value: bytes) -> None:
        """Set ``key``, replacing what was there."""
        with self._database.atomic():
            self._database.write(
                "INSERT INTO profile VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
            )
