"""Mailboxes: every accepted message waits for each of its recipients until that one has acknowledged it.

The functions are jobs for the writer, :func:`read` excepted. A cursor marks a message's place in one mailbox. It is the
time of arrival (UTC ms) or, if that is taken, the next number: so it only grows, also when the relay was restored from
an older copy, and tells a member nothing about other members' mail.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from app.relay.limits import Limits
from app.relay.refusals import Refusal

_ANSWER_MESSAGES = 256
_ANSWER_BYTES = 1 << 22
_PURGED_AT_ONCE = 1000
_A_DAY = 24 * 3600 * 1000


@dataclass(frozen=True)
class Letter:
    """A verified envelope on its way in. ``recipients`` are the relay's member numbers, the sender not among them."""

    sender: int
    id: bytes
    hash: bytes
    envelope: bytes
    recipients: tuple[int, ...]


def accept(connection: sqlite3.Connection, letter: Letter, limits: Limits, now: int) -> dict[int, int] | None:
    """Put a letter into its recipients' mailboxes; return their new cursors, None if it was there already.

    Raises Refusal ``relay.id_used_twice`` or ``relay.mailbox_full``.
    """
    known = connection.execute(
        "SELECT hash FROM messages WHERE sender = ? AND id = ?", (letter.sender, letter.id)
    ).fetchone()
    if known is not None:
        if known[0] != letter.hash:
            raise Refusal("relay.id_used_twice")
        return None
    size = len(letter.envelope)
    messages, total = connection.execute(
        "SELECT waiting_messages, waiting_bytes FROM members WHERE number = ?", (letter.sender,)
    ).fetchone()
    if messages + 1 > limits.waiting_messages or total + size > limits.waiting_bytes:
        raise Refusal("relay.mailbox_full", waiting=messages, most=limits.waiting_messages, retry_after=60)
    waits = bool(letter.recipients)
    number = connection.execute(
        "INSERT INTO messages (sender, id, hash, received, size, waiting, envelope) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (letter.sender, letter.id, letter.hash, now, size, len(letter.recipients), letter.envelope if waits else None),
    ).lastrowid
    cursors = {}
    for recipient in letter.recipients:
        (cursor,) = connection.execute(
            "UPDATE members SET newest = max(newest + 1, ?) WHERE number = ? RETURNING newest", (now, recipient)
        ).fetchone()
        connection.execute("INSERT INTO mailboxes VALUES (?, ?, ?)", (recipient, cursor, number))
        cursors[recipient] = cursor
    if waits:
        _count(connection, letter.sender, 1, size)
    return cursors


def acknowledge(connection: sqlite3.Connection, member: int, through: int) -> int:
    """Empty a mailbox up to ``through``; what everybody has acknowledged is deleted. Return how many went."""
    gone = connection.execute(
        "DELETE FROM mailboxes WHERE member = ? AND cursor <= ? RETURNING message", (member, through)
    ).fetchall()
    for (number,) in gone:
        waiting, sender, size = connection.execute(
            "UPDATE messages SET waiting = waiting - 1 WHERE number = ? RETURNING waiting, sender, size", (number,)
        ).fetchone()
        if waiting == 0:  # id and hash stay, so that sending it again is still sending it once
            connection.execute("UPDATE messages SET envelope = NULL WHERE number = ?", (number,))
            _count(connection, sender, -1, -size)
    return len(gone)


def purge(connection: sqlite3.Connection, limits: Limits, now: int) -> int:
    """Delete messages past their retention, acknowledged or not, some at a time; return how many went.

    A day longer than the envelope's own age is checked for: as long as a replay would pass, its id is known.
    """
    rows = connection.execute(
        "SELECT number, sender, size, envelope IS NOT NULL FROM messages WHERE received < ? ORDER BY received LIMIT ?",
        (now - limits.retention - 2 * _A_DAY, _PURGED_AT_ONCE),
    ).fetchall()
    for number, sender, size, waiting in rows:
        connection.execute("DELETE FROM mailboxes WHERE message = ?", (number,))
        connection.execute("DELETE FROM messages WHERE number = ?", (number,))
        if waiting:
            _count(connection, sender, -1, -size)
    return len(rows)


def read(connection: sqlite3.Connection, member: int, after: int) -> list[tuple[int, bytes]]:
    """Return what waits in a mailbox behind the cursor ``after``, oldest first, at most about 4 MB."""
    found: list[tuple[int, bytes]] = []
    total = 0
    rows = connection.execute(
        "SELECT mailboxes.cursor, messages.size, mailboxes.message FROM mailboxes "
        "JOIN messages ON messages.number = mailboxes.message "
        "WHERE member = ? AND cursor > ? ORDER BY cursor LIMIT ?",
        (member, after, _ANSWER_MESSAGES),
    ).fetchall()
    for cursor, size, message in rows:
        total += size
        if found and total > _ANSWER_BYTES:
            break
        row = connection.execute("SELECT envelope FROM messages WHERE number = ?", (message,)).fetchone()
        if row is not None and row[0] is not None:  # acknowledged in this moment, through another connection
            found.append((cursor, row[0]))
    return found


def oldest(connection: sqlite3.Connection, member: int) -> int | None:
    """Return since when something waits in a mailbox (UTC ms), None if nothing does."""
    row = connection.execute("SELECT min(cursor) FROM mailboxes WHERE member = ?", (member,)).fetchone()
    return None if row[0] is None else int(row[0])


def newest(connection: sqlite3.Connection) -> dict[int, int]:
    """Return each member's newest cursor."""
    return dict(connection.execute("SELECT number, newest FROM members").fetchall())


def _count(connection: sqlite3.Connection, sender: int, messages: int, size: int) -> None:
    connection.execute(
        "UPDATE members SET waiting_messages = waiting_messages + ?, waiting_bytes = waiting_bytes + ? "
        "WHERE number = ?",
        (messages, size, sender),
    )
