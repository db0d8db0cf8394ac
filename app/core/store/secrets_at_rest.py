"""Sealed secrets in the database. They are sealed before they come here and opened after they leave."""

from __future__ import annotations

from app.core.store.database import SiteDatabase


class SealedSecrets:
    """Ciphertexts by name; the storage key that opens them is derived from the site root in the keyring."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def get(self, name: str) -> bytes | None:
        """Return the sealed bytes called ``name``, or None."""
        row = self._database.row("SELECT sealed FROM secrets_at_rest WHERE name = ?", (name,))
        return bytes(row[0]) if row else None  # type: ignore[arg-type]  # a BLOB column of a STRICT table

    def add(self, name: str, sealed: bytes) -> None:
        """Store ``sealed`` under a new name. Raises sqlite3.IntegrityError if the name is taken."""
        with self._database.atomic():
            self._database.write("INSERT INTO secrets_at_rest VALUES (?, ?)", (name, sealed))

    def replace(self, name: str, sealed: bytes) -> None:
        """Store ``sealed`` under ``name``, replacing what was there."""
        with self._database.atomic():
            self._database.write(
                "INSERT INTO secrets_at_rest VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
                (name, sealed),
            )

    def remove(self, name: str) -> None:
        """Forget ``name``; nothing happens if it is not there."""
        with self._database.atomic():
            self._database.write("DELETE FROM secrets_at_rest WHERE name = ?", (name,))

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names that start with ``prefix``, sorted."""
        rows = self._database.rows("SELECT name FROM secrets_at_rest ORDER BY name")
        return tuple(str(name) for (name,) in rows if str(name).startswith(prefix))
