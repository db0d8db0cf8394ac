"""What custodians have signed, of every site, and the keys of the people who sit at this one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.store.database import Row, SiteDatabase

_COLUMNS = "id, kind, site, issuer, record, received, accepted"


@dataclass(frozen=True)
class RecordRow:
    """A signed record of ``site``: its canonical bytes, when it came and since when it counts here (UTC ms).

    ``accepted`` is None while it waits for a person who accepts the key that it was signed with (``issuer``).
    """

    id: bytes
    kind: str
    site: int
    issuer: bytes
    record: bytes
    received: int
    accepted: int | None


class SignedRecords:
    """Records by id, in the order in which they came."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(self, row: RecordRow) -> bool:
        """Keep a record; return whether it is new."""
        with self._database.atomic():
            return bool(
                self._database.write(
                    "INSERT INTO signed_records VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (row.id, row.kind, row.site, row.issuer, row.record, row.received, row.accepted),
                )
            )

    def get(self, id: bytes) -> RecordRow | None:
        """Return a record, or None."""
        sql = f"SELECT {_COLUMNS} FROM signed_records WHERE id = ?"  # noqa: S608 - a constant
        found = self._database.row(sql, (id,))
        return _record(found) if found else None

    def all(self, kind: str, site: int | None = None) -> Sequence[RecordRow]:
        """Return the records of a kind, of one site or of all, in the order in which they came."""
        sql = f"SELECT {_COLUMNS} FROM signed_records WHERE kind = ? AND site = ? ORDER BY rowid"  # noqa: S608
        if site is None:
            sql = f"SELECT {_COLUMNS} FROM signed_records WHERE kind = ? ORDER BY rowid"  # noqa: S608
        return [_record(row) for row in self._database.rows(sql, (kind,) if site is None else (kind, site))]

    def count(self, kind: str, site: int, issuer: bytes | None = None) -> int:
        """Return how many records of a kind a site has, of those that are signed with one key or of all."""
        sql = "SELECT count(*) FROM signed_records WHERE kind = ? AND site = ? AND coalesce(?, issuer) = issuer"
        row = self._database.row(sql, (kind, site, issuer))
        return int(row[0]) if row else 0  # type: ignore[arg-type]  # a count

    def accept(self, id: bytes, *, now: int) -> None:
        """Let a record count from ``now`` on, unless it does already."""
        with self._database.atomic():
            self._database.write("UPDATE signed_records SET accepted = ? WHERE id = ? AND accepted IS NULL", (now, id))

    # --- telling the others -----------------------------------------------------------------------------------

    def untold(self, site: int, readers: Collection[int]) -> list[tuple[RecordRow, tuple[int, ...]]]:
        """Return the records of ``site`` (this one) with the ``readers`` that were not told of each, oldest first."""
        told = set(self._database.rows("SELECT record, site FROM records_told"))
        sql = f"SELECT {_COLUMNS} FROM signed_records WHERE site = ? ORDER BY rowid"  # noqa: S608
        rows = [_record(row) for row in self._database.rows(sql, (site,))]
        missing = [(row, tuple(each for each in sorted(readers) if (row.id, each) not in told)) for row in rows]
        return [(row, sites) for row, sites in missing if sites]

    def tell(self, id: bytes, sites: Collection[int]) -> None:
        """Note that a record was sent to ``sites``."""
        with self._database.atomic():
            for site in sites:
                self._database.write("INSERT INTO records_told VALUES (?, ?)", (id, site))


class OwnKeys:
    """The public keys of people whose private half lies in this workstation's keyring."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(self, key: bytes, person: str, *, now: int) -> None:
        """Note whose key was made here."""
        with self._database.atomic():
            self._database.write("INSERT INTO own_keys VALUES (?, ?, ?)", (key, person, now))

    def all(self) -> Sequence[tuple[bytes, str]]:
        """Return (key, person), oldest first."""
        rows = self._database.rows("SELECT key, person FROM own_keys ORDER BY made, rowid")
        return [(bytes(key), str(person)) for key, person in rows]  # type: ignore[arg-type]  # a BLOB of a STRICT table

    def of(self, person: str) -> bytes | None:
        """Return the latest key of a person, or None."""
        return next((key for key, name in reversed(self.all()) if name == person), None)


def _record(row: Row) -> RecordRow:
    fields: tuple[Any, ...] = row  # the STRICT table vouches for the types
    return RecordRow(*fields)
