"""What this site's patients were charged for, and which sets of sites were answered about which cohort.

Both are kept for good: a charge is never taken back, also if nothing was opened in the end (the same question is free
the next time). They are part of the site's database and so of its backup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from app.core import codec
from app.core.store.database import Row, SiteDatabase

_CHARGES = "session, at, release, query_hash, dataset, dataset_version, asker, person, project, epsilon, exact"
_LIMIT = 1 << 10


@dataclass(frozen=True)
class Charge:
    """One charge: ``epsilon`` for noised numbers (else 0), ``exact`` releases (else 0).

    ``release`` is 32 bytes that the same numbers share (:func:`app.core.federation.charging.priced`); ``asker`` the
    roster position of the site that asked, ``person`` and ``project`` for whom, empty for the site itself and for no
    project.
    """

    session: bytes
    at: int
    release: bytes
    query_hash: bytes
    dataset: bytes
    dataset_version: int
    asker: int
    person: str
    project: bytes
    epsilon: Fraction
    exact: int


class Charges:
    """The ledger; one row for each release that was not free."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def add(self, charge: Charge) -> None:
        """Write a charge; inside ``database.atomic()``. Raises sqlite3.IntegrityError if the release was charged."""
        epsilon = f"{charge.epsilon.numerator}/{charge.epsilon.denominator}"
        self._database.write(
            "INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                charge.session,
                charge.at,
                charge.release,
                charge.query_hash,
                charge.dataset,
                charge.dataset_version,
                charge.asker,
                charge.person,
                charge.project,
                epsilon,
                charge.exact,
            ),
        )

    def has(self, release: bytes) -> bool:
        """Return whether these numbers were charged before."""
        return self._database.row("SELECT 1 FROM charges WHERE release = ?", (release,)) is not None

    def of_session(self, session: bytes) -> Charge | None:
        """Return what a query was charged, None for nothing."""
        row = self._database.row(f"SELECT {_CHARGES} FROM charges WHERE session = ?", (session,))  # noqa: S608 - constant
        return None if row is None else _charge(row)

    def all(self) -> tuple[Charge, ...]:
        """Return every charge, oldest first."""
        return tuple(map(_charge, self._database.rows(f"SELECT {_CHARGES} FROM charges ORDER BY rowid")))  # noqa: S608


@dataclass(frozen=True)
class AnsweredSet:
    """A set of sites that answered a query: their roster positions, ascending, and who asked."""

    session: bytes
    asker: int
    sites: tuple[int, ...]


class AnsweredSets:
    """The closed sets that this site has seen, by cohort and by the version of its own dataset."""

    def __init__(self, database: SiteDatabase) -> None:
        self._database = database

    def note(self, answered: AnsweredSet, cohorts: Sequence[bytes], dataset: bytes, *, now: int) -> None:
        """Keep a set for each of the ``cohorts`` (32 bytes each); once it is kept it stays as it is."""
        sites = codec.encode(list(answered.sites))
        with self._database.atomic():
            for cohort in cohorts:
                self._database.write(
                    "INSERT INTO answered_sets VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (answered.session, cohort, dataset, answered.asker, sites, now),
                )

    def known(self, session: bytes) -> bool:
        """Return whether the set of a query is kept."""
        return self._database.row("SELECT 1 FROM answered_sets WHERE session = ?", (session,)) is not None

    def unknown(self, kind: str) -> tuple[bytes, ...]:
        """Return the sessions of a ``kind`` whose set is not kept, oldest first."""
        rows: list[tuple[Any, ...]] = list(
            self._database.rows(
                "SELECT id FROM sessions WHERE kind = ? AND id NOT IN (SELECT session FROM answered_sets) "
                "ORDER BY created, rowid",
                (kind,),
            )
        )
        return tuple(id for (id,) in rows)

    def of_cohort(self, cohort: bytes, dataset: bytes) -> tuple[tuple[int, ...], ...]:
        """Return the sets that answered about a cohort while this site had this dataset, each once."""
        rows: list[tuple[Any, ...]] = list(
            self._database.rows(
                "SELECT sites FROM answered_sets WHERE cohort = ? AND dataset = ? GROUP BY sites ORDER BY min(rowid)",
                (cohort, dataset),
            )
        )
        return tuple(tuple(codec.decode(sites, _LIMIT)) for (sites,) in rows)


def _charge(row: Row) -> Charge:
    fields: list[Any] = list(row)  # the STRICT table vouches for the types
    fields[9] = Fraction(fields[9])
    return Charge(*fields)
