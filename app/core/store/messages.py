"""Outbox and inbox: signed envelopes, kept before they are sent and before they are acted upon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.core import codec
from app.core.store.database import Row, SiteDatabase

_RECIPIENTS_LIMIT = 4096


@dataclass(frozen=True)
class OutMessage:
    """A signed envelope to send. ``recipients`` are roster positions; () means all sites. A retry sends these bytes."""

    id: bytes
    session: bytes
    envelope: bytes
    recipients: tuple[int, ...]
    queued: int
    sent: int | None


@dataclass(frozen=True)
class InMessage:
    """An envelope that was received and verified. ``sender`` is a roster position."""

    sender: int
    id: bytes
    session: bytes
    type: str
    envelope: bytes
    received: int
    handled: int | None


class Outbox:
    """What this site says. Queue in the same ``database.atomic()`` as the change of state that it tells."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def queue(self, id: bytes, *, session: bytes, envelope: bytes, recipients: tuple[int, ...], now: int) -> None:
        """Store a message to be sent. Raises sqlite3.IntegrityError if its id was used."""
        with self._database.atomic():
            self._database.write(
                "INSERT INTO messages_out VALUES (?, ?, ?, ?, ?, NULL)",
                (id, session, envelope, codec.encode(list(recipients)), now),
            )

    def mark_sent(self, id: bytes, *, now: int) -> None:
        """Note that the message has left; the first time stays."""
        with self._database.atomic():
            self._database.write("UPDATE messages_out SET sent = ? WHERE id = ? AND sent IS NULL", (now, id))

    def unsent(self) -> tuple[OutMessage, ...]:
        """Return what still has to leave, in the order in which it was queued."""
        return self._select("WHERE sent IS NULL ORDER BY queued, rowid")

    def of_session(self, session: bytes) -> tuple[OutMessage, ...]:
        """Return all messages of one session, in the order in which they were queued."""
        return self._select("WHERE session = ? ORDER BY queued, rowid", session)

    def _select(self, condition: str, *parameters: bytes) -> tuple[OutMessage, ...]:
        sql = "SELECT id, session, envelope, recipients, queued, sent FROM messages_out "
        return tuple(_out(row) for row in self._database.rows(sql + condition, parameters))


class Inbox:
    """What this site was told, each message once."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def receive(self, sender: int, id: bytes, *, session: bytes, type: str, envelope: bytes, now: int) -> bool:
        """Store a verified envelope and return True, or return False if this sender's id is already there."""
        with self._database.atomic():
            changed = self._database.write(
                "INSERT INTO messages_in VALUES (?, ?, ?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING",
                (sender, id, session, type, envelope, now),
            )
        return changed == 1

    def get(self, sender: int, id: bytes) -> InMessage | None:
        """Return one message, or None; compare its envelope to tell a repetition from an id used twice."""
        found = self._select("WHERE sender = ? AND id = ?", sender, id)
        return found[0] if found else None

    def mark_handled(self, sender: int, id: bytes, *, now: int) -> None:
        """Note that the message has had its effect."""
        with self._database.atomic():
            self._database.write("UPDATE messages_in SET handled = ? WHERE sender = ? AND id = ?", (now, sender, id))

    def unhandled(self) -> tuple[InMessage, ...]:
        """Return what has not had its effect yet, in the order in which it came."""
        return self._select("WHERE handled IS NULL ORDER BY received, rowid")

    def of_session(self, session: bytes, type: str | None = None) -> tuple[InMessage, ...]:
        """Return the messages of one session (of one type), by sender and then in the order in which they came."""
        if type is None:
            return self._select("WHERE session = ? ORDER BY sender, rowid", session)
        return self._select("WHERE session = ? AND type = ? ORDER BY sender, rowid", session, type)

    def times(self, session: bytes) -> tuple[tuple[int, str, int], ...]:
        """Return (sender, type, received) of the messages of one session, in the order in which they came."""
        rows: list[tuple[Any, ...]] = list(
            self._database.rows(
                "SELECT sender, type, received FROM messages_in WHERE session = ? ORDER BY rowid", (session,)
            )
        )
        return tuple((sender, type_, received) for sender, type_, received in rows)

    def _select(self, condition: str, *parameters: bytes | int | str) -> tuple[InMessage, ...]:
        sql = "SELECT sender, id, session, type, envelope, received, handled FROM messages_in "
        return tuple(_in(row) for row in self._database.rows(sql + condition, parameters))


def _out(row: Row) -> OutMessage:
    fields: tuple[Any, ...] = row  # the STRICT table vouches for the types
    id_, session, envelope, recipients, queued, sent = fields
    return OutMessage(id_, session, envelope, tuple(codec.decode(recipients, _RECIPIENTS_LIMIT)), queued, sent)


def _in(row: Row) -> InMessage:
    fields: tuple[Any, ...] = row
    return InMessage(*fields)
