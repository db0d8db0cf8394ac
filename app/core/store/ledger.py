"""The share ledger and what was released: a decryption share is reserved, computed once, stored, then sent.

The table's keys carry the rule: one row per ciphertext, one row per (session, attempt). A share that was reserved but
not stored (the program died in between) is finished with the randomness that the reservation kept, so it comes out
as the same bytes; it is never drawn afresh.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from app.core.errors import ProtocolViolation
from app.core.store.database import Row, SiteDatabase

_FIELDS = "ciphertext, session, attempt, quorum, sealed_randomness, share, reserved, stored"


@dataclass(frozen=True)
class LedgerEntry:
    """One decryption share of this site.

    ``ciphertext`` is the hash of what it opens, ``quorum`` the canonical bytes of the quorum, ``sealed_randomness``
    what its errors come from (sealed under the storage key), ``share`` the bytes that were sent or None.
    """

    ciphertext: bytes
    session: bytes
    attempt: int
    quorum: bytes
    sealed_randomness: bytes
    share: bytes | None
    reserved: int
    stored: int | None


class ShareLedger:
    """Makes a site answer once for each ciphertext, and once for each attempt of a session."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def reserve(
        self, ciphertext: bytes, *, session: bytes, attempt: int, quorum: bytes, sealed_randomness: bytes, now: int
    ) -> LedgerEntry:
        """Reserve a share before it is computed and return its entry.

        If the very same share (ciphertext, session, attempt, quorum) was reserved before, that entry is returned, with
        its own randomness, and with its share if it was stored. Raises ProtocolViolation ``ledger.already_used`` if
        the ciphertext or the attempt was used for anything else.
        """
        try:
            with self._database.atomic():
                self._database.write(
                    "INSERT INTO share_ledger VALUES (?, ?, ?, ?, ?, NULL, ?, NULL)",
                    (ciphertext, session, attempt, quorum, sealed_randomness, now),
                )
        except sqlite3.IntegrityError:
            entry = self.get(ciphertext)
            if entry is None or (entry.session, entry.attempt, entry.quorum) != (session, attempt, quorum):
                raise ProtocolViolation("ledger.already_used", session=session.hex(), attempt=attempt) from None
            return entry
        return LedgerEntry(ciphertext, session, attempt, quorum, sealed_randomness, None, now, None)

    def store(self, ciphertext: bytes, share: bytes, *, now: int) -> None:
        """Store the computed share, before it is sent. The same bytes again are fine.

        Raises ProtocolViolation ``ledger.already_used`` if another share is stored or nothing was reserved.
        """
        with self._database.atomic():
            changed = self._database.write(
                "UPDATE share_ledger SET share = ?, stored = ? WHERE ciphertext = ? AND share IS NULL",
                (share, now, ciphertext),
            )
            if changed == 1:
                return
            entry = self.get(ciphertext)
            if entry is None or entry.share != share:
                session, attempt = (entry.session.hex(), entry.attempt) if entry else ("", 0)
                raise ProtocolViolation("ledger.already_used", session=session, attempt=attempt)

    def note_contribution(self, mask: bytes, *, session: bytes, attempt: int, sender: int) -> None:
        """Note that a contribution with this mask (the hash of its c1) was added up; the same one again is fine.

        Raises ProtocolViolation ``ledger.contribution_repeated`` if the mask came with another query, attempt or site.
        """
        with self._database.atomic():
            self._database.write(
                "INSERT INTO contributions_seen VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (mask, session, attempt, sender),
            )
        row = self._database.row("SELECT session, attempt, sender FROM contributions_seen WHERE mask = ?", (mask,))
        if row != (session, attempt, sender):
            raise ProtocolViolation("ledger.contribution_repeated", sender=sender)

    def get(self, ciphertext: bytes) -> LedgerEntry | None:
        """Return the entry of one ciphertext, or None."""
        rows = self._database.rows(
            f"SELECT {_FIELDS} FROM share_ledger WHERE ciphertext = ?",  # noqa: S608 - constant
            (ciphertext,),
        )
        return _entry(rows[0]) if rows else None

    def of_session(self, session: bytes) -> tuple[LedgerEntry, ...]:
        """Return a session's entries in the order of their attempts."""
        rows = self._database.rows(
            f"SELECT {_FIELDS} FROM share_ledger WHERE session = ? ORDER BY attempt",  # noqa: S608 - constant
            (session,),
        )
        return tuple(_entry(row) for row in rows)


@dataclass(frozen=True)
class Release:
    """The numbers that a session released, as canonical bytes."""

    session: bytes
    query_hash: bytes
    data: bytes
    at: int


class Releases:
    """What this site knows to have been released, for asking the same thing again at no cost."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(self, session: bytes, *, query_hash: bytes, data: bytes, now: int) -> None:
        """Store a release. Raises sqlite3.IntegrityError if the session has one."""
        with self._database.atomic():
            self._database.write("INSERT INTO released VALUES (?, ?, ?, ?)", (session, query_hash, data, now))

    def get(self, session: bytes) -> Release | None:
        """Return the release of one session, or None."""
        found = self._select("WHERE session = ?", session)
        return found[0] if found else None

    def of_query(self, query_hash: bytes) -> tuple[Release, ...]:
        """Return the releases of one query, newest first."""
        return self._select("WHERE query_hash = ? ORDER BY at DESC, rowid DESC", query_hash)

    def _select(self, condition: str, key: bytes) -> tuple[Release, ...]:
        sql = "SELECT session, query_hash, data, at FROM released "
        rows = self._database.rows(sql + condition, (key,))
        return tuple(_release(row) for row in rows)


def _entry(row: Row) -> LedgerEntry:
    fields: tuple[Any, ...] = row  # the STRICT table vouches for the types
    return LedgerEntry(*fields)


def _release(row: Row) -> Release:
    fields: tuple[Any, ...] = row
    return Release(*fields)
