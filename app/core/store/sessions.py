"""Where each exchange with the other sites stands: ceremonies, queries, releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.core.errors import Bug
from app.core.store.database import Row, SiteDatabase

_FIELDS = "id, kind, state, data, created, updated"


@dataclass(frozen=True)
class Session:
    """One exchange. ``data`` is the canonical CBOR of whatever its state machine keeps; times in UTC ms."""

    id: bytes
    kind: str
    state: str
    data: bytes
    created: int
    updated: int


class Sessions:
    """The sessions of this site. Change a session and queue its messages inside one ``database.atomic()``."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(self, id: bytes, *, kind: str, state: str, data: bytes, now: int) -> None:
        """Begin a session. Raises sqlite3.IntegrityError if it exists."""
        with self._database.atomic():
            self._database.write("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", (id, kind, state, data, now, now))

    def move(self, id: bytes, *, expected: str, state: str, data: bytes, now: int) -> None:
        """Go from state ``expected`` to ``state`` with new ``data``. Raises Bug if the session is elsewhere."""
        with self._database.atomic():
            changed = self._database.write(
                "UPDATE sessions SET state = ?, data = ?, updated = ? WHERE id = ? AND state = ?",
                (state, data, now, id, expected),
            )
            if changed != 1:
                raise Bug("store.session_elsewhere", session=id.hex(), expected=expected, state=state)

    def get(self, id: bytes) -> Session | None:
        """Return one session, or None."""
        row = self._database.row(f"SELECT {_FIELDS} FROM sessions WHERE id = ?", (id,))  # noqa: S608 - constant
        return _session(row) if row else None

    def all(self, *, kind: str) -> tuple[Session, ...]:
        """Return the sessions of one kind, oldest first."""
        rows = self._database.rows(
            f"SELECT {_FIELDS} FROM sessions WHERE kind = ? ORDER BY created, id",  # noqa: S608 - constant
            (kind,),
        )
        return tuple(_session(row) for row in rows)


def _session(row: Row) -> Session:
    fields: tuple[Any, ...] = row  # the STRICT table vouches for the types
    return Session(*fields)
