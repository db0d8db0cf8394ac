"""The audit chain of a site: records that are added and never changed, and the heads that sites hold of each other.

A record is (number, at, kind, body, previous, hash, signature), numbered from 1 without gaps. Its content has the
digest of (number, at, kind, body); its hash is that of (the hash before, this digest), so that whoever knows one hash
can check a later one from the digests between them, without a word of what the records say. Before the first record
stands :func:`beginning`, which names the site's key. The site signs every hash with its member key.

The tables refuse to change or delete a row: a guard against mistakes. Against whoever writes to the file there are the
signatures, and the heads that other sites hold.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from app.core import codec
from app.core.crypto.identity import MemberKey
from app.core.store.database import Row, SiteDatabase
from app.core.store.problems import database_problems

PURPOSE = "audit record v1"
HASH_BYTES = 32
_FIELDS = "number, at, kind, body, previous, hash, signature"
_PAGE = 500


def beginning(verify: bytes) -> bytes:
    """Return what stands before the first record of the site with this verifying key (32 bytes)."""
    return codec.digest(["consilium audit chain v1", verify])


def linked(previous: bytes, content: bytes) -> bytes:
    """Return the hash of a record whose content has the digest ``content``, after one with the hash ``previous``."""
    return codec.digest(["consilium audit link v1", previous, content])


@dataclass(frozen=True)
class AuditRow:
    """One record as it is stored. ``at`` is in UTC milliseconds; ``body`` is canonical CBOR."""

    number: int
    at: int
    kind: str
    body: bytes
    previous: bytes
    hash: bytes
    signature: bytes

    @classmethod
    def signed(cls, key: MemberKey, *, number: int, at: int, kind: str, body: bytes, previous: bytes) -> Self:
        """Return the record with its hash and signature."""
        hash_ = linked(previous, content_of(number, at, kind, body))
        return cls(number, at, kind, body, previous, hash_, key.sign(PURPOSE, hash_))

    @property
    def content(self) -> bytes:
        """The digest of what the record says."""
        return content_of(self.number, self.at, self.kind, self.body)


def content_of(number: int, at: int, kind: str, body: bytes) -> bytes:
    """Return the digest of what a record says."""
    return codec.digest(["consilium audit record v1", number, at, kind, body])


@dataclass(frozen=True)
class Head:
    """Where a chain stood at ``at`` (UTC ms): the number and hash of its last record.

    ``first`` and ``steps`` are what led there: the digests (32 bytes each) of the records after number ``first``.
    """

    number: int
    hash: bytes
    at: int
    first: int = 0
    steps: bytes = b""


@dataclass(frozen=True)
class Witness:
    """The site whose verifying key is ``holder`` says that our chain had this head, signed; ``at``: when we heard."""

    holder: bytes
    number: int
    hash: bytes
    at: int
    signature: bytes


class AuditLog:
    """The site's own chain."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(self, key: MemberKey, *, at: int, kind: str, body: bytes) -> AuditRow:
        """Add the next record, signed; inside ``database.atomic()`` it is kept with everything else or not at all."""
        with self._database.atomic():
            last = self.last()
            number, previous = (1, beginning(key.public.verify)) if last is None else (last.number + 1, last.hash)
            row = AuditRow.signed(key, number=number, at=at, kind=kind, body=body, previous=previous)
            self._database.write(
                "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)",
                (row.number, row.at, row.kind, row.body, row.previous, row.hash, row.signature),
            )
        return row

    def last(self) -> AuditRow | None:
        """Return the last record, or None."""
        found = self._select("ORDER BY number DESC LIMIT 1")
        return found[0] if found else None

    def head(self) -> tuple[int, bytes]:
        """Return the last record's number and hash; (0, b"") while there is none."""
        row: tuple[Any, ...] | None = self._database.row("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
        return (0, b"") if row is None else (row[0], row[1])

    def get(self, number: int) -> AuditRow | None:
        """Return one record, or None."""
        found = self._select("WHERE number = ?", number)
        return found[0] if found else None

    def before(self, number: int, most: int) -> tuple[AuditRow, ...]:
        """Return at most ``most`` records with lower numbers, newest first."""
        return self._select("WHERE number < ? ORDER BY number DESC LIMIT ?", number, most)

    def after(self, number: int, most: int) -> tuple[AuditRow, ...]:
        """Return at most ``most`` records with higher numbers, oldest first."""
        return self._select("WHERE number > ? ORDER BY number LIMIT ?", number, most)

    def all(self) -> Iterator[AuditRow]:
        """Yield all records by number, in pages."""
        reached = -(1 << 62)
        while page := self.after(reached, _PAGE):
            yield from page
            reached = page[-1].number

    def of_kind(self, kind: str, most: int) -> tuple[AuditRow, ...]:
        """Return the latest records of a kind, newest first."""
        return self._select("WHERE kind = ? ORDER BY number DESC LIMIT ?", kind, most)

    def _select(self, condition: str, *parameters: int | str) -> tuple[AuditRow, ...]:
        sql = f"SELECT {_FIELDS} FROM audit {condition}"  # noqa: S608 - constant
        return tuple(_row(row) for row in self._database.rows(sql, parameters))


class AuditHeads:
    """What this site holds of the others' chains, and the others of its own; sites by their verifying keys."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(self, site: bytes, head: Head) -> None:
        """Keep a head that a site has told; one that is there stays."""
        with self._database.atomic():
            self._database.write(
                "INSERT INTO audit_heads VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (site, head.number, head.hash, head.at, head.first, head.steps),
            )

    def last(self, site: bytes) -> Head | None:
        """Return the head that a site told last, or None."""
        found = self._heads("WHERE site = ? ORDER BY rowid DESC LIMIT 1", site)
        return found[0] if found else None

    def before_break(self, site: bytes) -> Head | None:
        """Return the last head of a site before the one that last did not follow from what was known, or None."""
        found = self._heads(
            "WHERE site = ? AND rowid < (SELECT max(rowid) FROM audit_heads WHERE site = ? AND first = number) "
            "ORDER BY rowid DESC LIMIT 1",
            site,
            site,
        )
        return found[0] if found else None

    def hashes_at(self, site: bytes, number: int) -> frozenset[bytes]:
        """Return every hash that the chain of ``site`` has had at ``number``, as far as we were told."""
        found = set()
        for head in self._heads("WHERE site = ? AND number >= ? AND first <= ?", site, number, number):
            if head.number == number:
                found.add(head.hash)
                continue
            for before in self._heads("WHERE site = ? AND number = ?", site, head.first):
                if walked(before.hash, head.steps) == head.hash:
                    found.add(walked(before.hash, head.steps[: HASH_BYTES * (number - head.first)]))
        return frozenset(found)

    def witness(self, witness: Witness, *, agrees: bool) -> None:
        """Keep what another site holds of our chain; what agrees takes the place of the older ones that agreed."""
        with self._database.atomic():
            if agrees:
                self._database.write(
                    "DELETE FROM audit_witnesses WHERE holder = ? AND agrees = 1 AND number <= ?",
                    (witness.holder, witness.number),
                )
            self._database.write(
                "INSERT INTO audit_witnesses VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (holder, number, hash) DO UPDATE SET at = excluded.at, agrees = excluded.agrees",
                (witness.holder, witness.number, witness.hash, witness.at, witness.signature, int(agrees)),
            )

    def witnesses(self) -> tuple[Witness, ...]:
        """Return what other sites hold of our chain, by holder and number."""
        rows: list[tuple[Any, ...]] = list(
            self._database.rows(
                "SELECT holder, number, hash, at, signature FROM audit_witnesses ORDER BY holder, number, rowid"
            )
        )
        return tuple(Witness(*row) for row in rows)

    def _heads(self, condition: str, *parameters: bytes | int) -> tuple[Head, ...]:
        sql = f"SELECT number, hash, at, first, steps FROM audit_heads {condition}"  # noqa: S608 - constant
        rows: list[tuple[Any, ...]] = list(self._database.rows(sql, parameters))
        return tuple(Head(*row) for row in rows)


def walked(hash: bytes, steps: bytes) -> bytes:
    """Return the hash of the record that is reached from the one with ``hash`` over these contents' digests."""
    for place in range(0, len(steps), HASH_BYTES):
        hash = linked(hash, steps[place : place + HASH_BYTES])
    return hash


@dataclass(frozen=True)
class AuditFile:
    """What a profile's database says, read without trusting it or changing anything."""

    rows: tuple[AuditRow, ...]
    witnesses: tuple[Witness, ...]
    settings: dict[str, bytes]


def read_file(path: Path, settings: Iterable[str]) -> AuditFile:
    """Read the records in the order in which they lie in the database at ``path``, and these settings of the profile.

    The profile may be open elsewhere. Values of wrong types come out as what they are not: a verification finds them.
    Raises EnvironmentProblem ``database.*``, ``file.failed``.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    with database_problems(path), closing(sqlite3.connect(address, uri=True)) as connection:
        connection.execute("PRAGMA trusted_schema=OFF")
        named = dict(connection.execute("SELECT key, value FROM profile"))
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        rows = connection.execute(f"SELECT {_FIELDS} FROM audit ORDER BY number") if "audit" in there else ()  # noqa: S608
        witnesses: Iterable[Sequence[Any]] = (
            connection.execute("SELECT holder, number, hash, at, signature FROM audit_witnesses ORDER BY holder, rowid")
            if "audit_witnesses" in there
            else ()
        )
        return AuditFile(
            rows=tuple(_row(row) for row in rows),
            witnesses=tuple(Witness(*row) for row in witnesses),
            settings={name: named[name] for name in settings if isinstance(named.get(name), bytes)},
        )


def _row(row: Row) -> AuditRow:
    fields: tuple[Any, ...] = row  # the STRICT table vouches for the types
    return AuditRow(*fields)
