"""The rows about datasets: versions, which one is active, who prepared them, imports under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from app.core import codec
from app.core.errors import UserError
from app.core.store.database import Row, SiteDatabase
from app.core.store.settings import Settings

_NOTE_LIMIT = 1 << 16
_FIELDS = "id, version, manifest_hash, header, report, preparer, imported, active"


@dataclass(frozen=True)
class Preparer:
    """A preparer whose packages this site accepts: an Ed25519 public key, a name, and since when (UTC ms)."""

    key: bytes
    name: str
    pinned: int


@dataclass(frozen=True)
class DatasetRow:
    """One version of the site's dataset. ``header`` is its canonical bytes, ``report`` sealed to the member key."""

    id: bytes
    version: int
    manifest_hash: bytes
    header: bytes
    report: bytes
    preparer: bytes
    imported: int
    active: bool


@dataclass(frozen=True)
class ImportRow:
    """An import under way: the first ``columns_done`` columns are copied and verified.

    ``package`` is where the package lay when the import last went on, and ``columns`` how many it has; empty and 0 if
    that is not known.
    """

    id: bytes
    manifest_hash: bytes
    columns_done: int
    started: int
    package: str = ""
    columns: int = 0


class Datasets:
    """Versions of the site's dataset; at most one is active."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(
        self, id: bytes, *, manifest_hash: bytes, header: bytes, report: bytes, preparer: bytes, now: int
    ) -> DatasetRow:
        """Add the next version, make it the active one, and close its import; all or nothing."""
        with self._database.atomic():
            row: tuple[Any, ...] = self._database.rows("SELECT coalesce(max(version), 0) FROM datasets")[0]
            version = int(row[0]) + 1
            self._database.write("UPDATE datasets SET active = 0 WHERE active = 1")
            self._database.write(
                "INSERT INTO datasets VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
                (id, version, manifest_hash, header, report, preparer, now),
            )
            _forget_import(self._database, id)
        return DatasetRow(id, version, manifest_hash, header, report, preparer, now, True)

    def activate(self, id: bytes) -> None:
        """Make a version the active one. Raises UserError ``dataset.not_found``."""
        with self._database.atomic():
            self._database.write("UPDATE datasets SET active = 0 WHERE active = 1")
            if self._database.write("UPDATE datasets SET active = 1 WHERE id = ?", (id,)) != 1:
                raise UserError("dataset.not_found", dataset=id.hex())

    def get(self, id: bytes) -> DatasetRow | None:
        """Return one version, or None."""
        found = self._select("WHERE id = ?", id)
        return found[0] if found else None

    def active(self) -> DatasetRow | None:
        """Return the active version, or None."""
        found = self._select("WHERE active = 1")
        return found[0] if found else None

    def active_id(self) -> bytes | None:
        """Return the id of the active version, or None, without reading the version itself."""
        row: tuple[Any, ...] | None = self._database.row("SELECT id FROM datasets WHERE active = 1")
        return None if row is None else bytes(row[0])

    def all(self) -> tuple[DatasetRow, ...]:
        """Return all versions, oldest first."""
        return self._select("ORDER BY version")

    def remove(self, id: bytes, *, active_too: bool = False) -> None:
        """Forget a version; the active one only if ``active_too``, and then none is active.

        Raises UserError ``dataset.active`` or ``dataset.not_found``.
        """
        with self._database.atomic():
            row = self.get(id)
            if row is None:
                raise UserError("dataset.not_found", dataset=id.hex())
            if row.active and not active_too:
                raise UserError("dataset.active", dataset=id.hex())
            self._database.write("DELETE FROM datasets WHERE id = ?", (id,))

    def _select(self, condition: str, *parameters: bytes) -> tuple[DatasetRow, ...]:
        sql = f"SELECT {_FIELDS} FROM datasets "  # noqa: S608 - constant
        return tuple(_dataset(row) for row in self._database.rows(sql + condition, parameters))


class Imports:
    """Imports under way, so that one that was cut off goes on where it stopped."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database
        self._notes = Settings(database)
        self.running: bytes | None = None
        """The dataset that is being imported just now."""

    @contextmanager
    def one_at_a_time(self, id: bytes) -> Iterator[None]:
        """Note that this import runs; raises UserError ``dataset.import_running`` if one does already."""
        if self.running is not None:
            raise UserError("dataset.import_running")
        self.running = id
        try:
            yield
        finally:
            self.running = None

    def note_package(self, id: bytes, path: str, columns: int) -> None:
        """Note where the package of an import lies, and how many columns it has."""
        self._notes.put(_note(id), codec.encode([path, columns]))

    def begin(self, id: bytes, *, manifest_hash: bytes, now: int) -> None:
        """Note an import, or begin it anew."""
        with self._database.atomic():
            self._database.write(
                "INSERT INTO dataset_imports VALUES (?, ?, 0, ?) ON CONFLICT (id) DO UPDATE SET "
                "manifest_hash = excluded.manifest_hash, columns_done = 0, started = excluded.started",
                (id, manifest_hash, now),
            )

    def advance(self, id: bytes, columns_done: int) -> None:
        """Note that the first ``columns_done`` columns are whole."""
        with self._database.atomic():
            self._database.write("UPDATE dataset_imports SET columns_done = ? WHERE id = ?", (columns_done, id))

    def abandon(self, id: bytes) -> None:
        """Forget an import."""
        with self._database.atomic():
            _forget_import(self._database, id)

    def get(self, id: bytes) -> ImportRow | None:
        """Return one import under way, or None."""
        return next((row for row in self.all() if row.id == id), None)

    def all(self) -> tuple[ImportRow, ...]:
        """Return all imports under way."""
        rows: list[tuple[Any, ...]] = list(
            self._database.rows("SELECT id, manifest_hash, columns_done, started FROM dataset_imports ORDER BY started")
        )
        return tuple(self._noted(ImportRow(*row)) for row in rows)

    def _noted(self, row: ImportRow) -> ImportRow:
        note = self._notes.get(_note(row.id))
        if note is None:
            return row
        path, columns = codec.decode(note, _NOTE_LIMIT)
        return replace(row, package=str(path), columns=int(columns))


class Preparers:
    """The pinned preparers."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def pin(self, key: bytes, *, name: str, now: int) -> None:
        """Accept packages signed by ``key`` from now on; a key that is pinned stays as it is."""
        with self._database.atomic():
            self._database.write("INSERT INTO preparers VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (key, name, now))

    def all(self) -> tuple[Preparer, ...]:
        """Return the pinned preparers, oldest first."""
        rows: list[tuple[Any, ...]] = list(
            self._database.rows("SELECT key, name, pinned FROM preparers ORDER BY pinned, key")
        )
        return tuple(Preparer(*row) for row in rows)


def _forget_import(database: SiteDatabase, id: bytes) -> None:
    database.write("DELETE FROM dataset_imports WHERE id = ?", (id,))
    Settings(database).remove(_note(id))


def _note(id: bytes) -> str:
    return f"import {id.hex()}"


def _dataset(row: Row) -> DatasetRow:
    fields: tuple[Any, ...] = row  # the STRICT table vouches for the types
    id_, version, manifest_hash, header, report, preparer, imported, active = fields
    return DatasetRow(id_, version, manifest_hash, header, report, preparer, imported, bool(active))
