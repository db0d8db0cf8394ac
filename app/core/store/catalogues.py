"""The versions of the federation's catalogue that were published after the first, and which one is in force here.

A link (see :mod:`app.core.federation.catalogue_links`) may be known before the catalogue that it leads to has come. As
long as none is in force, that is the catalogue which came with the roster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.core.errors import Bug
from app.core.store.database import SiteDatabase


@dataclass(frozen=True)
class LinkRow:
    """A signed link: ``published`` by its author's clock, ``received`` by ours (UTC ms).

    ``refused`` is the code of what is wrong with the catalogue that it leads to; empty if nothing is, as far as known.
    """

    catalogue: bytes
    previous: bytes
    version: int
    author: int
    published: int
    signature: bytes
    note: str
    received: int
    refused: str = ""


@dataclass(frozen=True)
class CatalogueRow:
    """A catalogue that is here, without its content; ``accepted`` (UTC ms) is None before a person has done so."""

    hash: bytes
    version: int
    received: int
    accepted: int | None
    in_force: bool


class Catalogues:
    """The rows about published catalogues."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add_link(self, row: LinkRow) -> bool:
        """Keep a link; return whether it is new. One that is known may still get its note."""
        with self._database.atomic():
            new = self._database.write(
                "INSERT INTO catalogue_links VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    row.catalogue,
                    row.previous,
                    row.version,
                    row.author,
                    row.published,
                    row.signature,
                    row.note,
                    row.received,
                    row.refused,
                ),
            )
            if not new and row.note:
                self._database.write(
                    "UPDATE catalogue_links SET note = ? WHERE catalogue = ? AND previous = ? AND author = ?",
                    (row.note, row.catalogue, row.previous, row.author),
                )
        return new == 1

    def refuse(self, row: LinkRow, code: str) -> None:
        """Note what is wrong with the catalogue of a link."""
        with self._database.atomic():
            self._database.write(
                "UPDATE catalogue_links SET refused = ? WHERE catalogue = ? AND previous = ? AND author = ?",
                (code, row.catalogue, row.previous, row.author),
            )

    def links(self) -> tuple[LinkRow, ...]:
        """Return all links, by version."""
        rows: list[tuple[Any, ...]] = list(
            self._database.rows(
                "SELECT catalogue, previous, version, author, published, signature, note, received, refused "
                "FROM catalogue_links ORDER BY version, catalogue, previous, author"
            )
        )
        return tuple(LinkRow(*row) for row in rows)

    def add(self, hash: bytes, version: int, content: bytes, *, now: int) -> None:
        """Keep a catalogue; one that is here stays as it is."""
        with self._database.atomic():
            self._database.write(
                "INSERT INTO catalogues VALUES (?, ?, ?, ?, NULL, 0) ON CONFLICT DO NOTHING",
                (hash, version, content, now),
            )

    def all(self) -> tuple[CatalogueRow, ...]:
        """Return the catalogues that are here, in the order in which they came."""
        rows: list[tuple[Any, ...]] = list(
            self._database.rows("SELECT hash, version, received, accepted, in_force FROM catalogues ORDER BY rowid")
        )
        return tuple(
            CatalogueRow(hash, version, received, accepted, bool(force))
            for hash, version, received, accepted, force in rows
        )

    def content(self, hash: bytes) -> bytes | None:
        """Return the canonical bytes of a catalogue, or None if it is not here."""
        row = self._database.row("SELECT content FROM catalogues WHERE hash = ?", (hash,))
        return None if row is None else bytes(row[0])  # type: ignore[arg-type]  # a BLOB column of a STRICT table

    def in_force(self) -> bytes | None:
        """Return the hash of the one in force, or None while that is the catalogue which came with the roster."""
        row = self._database.row("SELECT hash FROM catalogues WHERE in_force = 1")
        return None if row is None else bytes(row[0])  # type: ignore[arg-type]

    def accept(self, hash: bytes, *, now: int) -> None:
        """Put a catalogue that is here into force; when it was first accepted stays. Raises Bug if it is not here."""
        with self._database.atomic():
            self._database.write("UPDATE catalogues SET in_force = 0 WHERE in_force = 1")
            changed = self._database.write(
                "UPDATE catalogues SET in_force = 1, accepted = coalesce(accepted, ?) WHERE hash = ?", (now, hash)
            )
            if changed != 1:
                raise Bug("store.no_such_catalogue", hash=hash.hex())
