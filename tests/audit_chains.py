"""Chains of audit records to verify, and ways to spoil the database in which one lies."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from app.core.crypto.identity import MemberKey
from app.core.federation.audit import Entry, begin_new, record_as
from app.core.federation.audit_check import Verified, check_chain
from app.core.store.audit import read_file
from app.core.store.profile import Profile
from tests.federation_sites import Ticks, root_of

KEY = MemberKey.from_root(root_of(1))
KINDS = ("request.received", "contribution", "refusal", "data.imported")


def made(directory: Path, records: int) -> Path:
    """Make a profile with so many records and return its database, closed."""
    clock = Ticks()
    with Profile.create(directory, program="tests", now=clock.now()) as profile:
        begin_new(profile, KEY, clock, name="Lausanne")
        for place in range(records - 1):
            said = Entry("Bern", {"question": f"age >= {place}", "contributors": ["Bern", "Basel"]}, "query.declined")
            record_as(profile, KEY, clock, KINDS[place % len(KINDS)], said)
    return directory / "site.db"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database as somebody opens it who does not care for its rules."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        yield database


def spoil(path: Path, how: Callable[[sqlite3.Connection], object]) -> None:
    with opened(path) as database:
        how(database)


def verified(path: Path) -> Verified:
    """What a verification of the file says that knows the key from elsewhere."""
    return check_chain(read_file(path, ()).rows, KEY.public)
