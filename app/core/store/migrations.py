"""The schema of the site's database, as a list of steps. A step never changes once it has landed; add a new one.

All tables are STRICT. Times are UTC milliseconds. What is secret is sealed before it comes here.
"""

from __future__ import annotations

from collections.abc import Callable

from app.core.store.library import Database, Migrations


def _first(database: Database) -> None:
    """Settings of the profile, datasets and their import, messages and sessions, ledgers, runs, refusals, backups."""
    database.executescript(_FIRST)


_FIRST = """
CREATE TABLE profile (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE preparers (
    key BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    pinned INTEGER NOT NULL
) STRICT;

CREATE TABLE datasets (
    id BLOB PRIMARY KEY,
    version INTEGER NOT NULL UNIQUE,
    manifest_hash BLOB NOT NULL,
    header BLOB NOT NULL,
    report BLOB NOT NULL,
    preparer BLOB NOT NULL REFERENCES preparers(key),
    imported INTEGER NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX one_active_dataset ON datasets(active) WHERE active = 1;

CREATE TABLE dataset_imports (
    id BLOB PRIMARY KEY,
    manifest_hash BLOB NOT NULL,
    columns_done INTEGER NOT NULL,
    started INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    data BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;

CREATE TABLE messages_out (
    id BLOB PRIMARY KEY,
    session BLOB NOT NULL,
    envelope BLOB NOT NULL,
    recipients BLOB NOT NULL,
    queued INTEGER NOT NULL,
    sent INTEGER
) STRICT;
CREATE INDEX messages_unsent ON messages_out(queued) WHERE sent IS NULL;

CREATE TABLE messages_in (
    sender INTEGER NOT NULL,
    id BLOB NOT NULL,
    session BLOB NOT NULL,
    type TEXT NOT NULL,
    envelope BLOB NOT NULL,
    received INTEGER NOT NULL,
    handled INTEGER,
    PRIMARY KEY (sender, id)
) STRICT;
CREATE INDEX messages_unhandled ON messages_in(received) WHERE handled IS NULL;
CREATE INDEX messages_of_session ON messages_in(session, type);

CREATE TABLE secrets_at_rest (
    name TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE share_ledger (
    ciphertext BLOB PRIMARY KEY,
    session BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    quorum BLOB NOT NULL,
    sealed_randomness BLOB NOT NULL,
    share BLOB,
    reserved INTEGER NOT NULL,
    stored INTEGER,
    UNIQUE (session, attempt),
    CHECK ((share IS NULL) = (stored IS NULL))
) STRICT;

CREATE TABLE contributions_seen (
    mask BLOB PRIMARY KEY,
    session BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    sender INTEGER NOT NULL
) STRICT;

CREATE TABLE released (
    session BLOB PRIMARY KEY,
    query_hash BLOB NOT NULL,
    data BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX released_by_query ON released(query_hash);

CREATE TABLE runs (
    id BLOB PRIMARY KEY,
    text TEXT NOT NULL,
    state TEXT NOT NULL,
    data BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;

CREATE TABLE refusals (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    code TEXT NOT NULL,
    sender INTEGER,
    details BLOB NOT NULL
) STRICT;

CREATE TABLE backups (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL
) STRICT;
"""


def _cohorts(database: Database) -> None:
    """Saved cohorts with their versions, and versions of the query that is being built."""
    database.executescript(_COHORTS)


_COHORTS = """
CREATE TABLE cohorts (
    name TEXT NOT NULL COLLATE NOCASE,
    version INTEGER NOT NULL,
    text TEXT NOT NULL,
    query BLOB NOT NULL,
    saved INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;

CREATE TABLE drafts (
    version INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    settings BLOB NOT NULL,
    begun INTEGER NOT NULL,
    saved INTEGER NOT NULL
) STRICT;
"""


def _catalogues(database: Database) -> None:
    """Published versions of the catalogue, and how one follows another."""
    database.executescript(_CATALOGUES)


_CATALOGUES = """
CREATE TABLE catalogue_links (
    catalogue BLOB NOT NULL,
    previous BLOB NOT NULL,
    version INTEGER NOT NULL,
    author INTEGER NOT NULL,
    published INTEGER NOT NULL,
    signature BLOB NOT NULL,
    note TEXT NOT NULL,
    received INTEGER NOT NULL,
    refused TEXT NOT NULL,
    PRIMARY KEY (catalogue, previous, author)
) STRICT;

CREATE TABLE catalogues (
    hash BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    content BLOB NOT NULL,
    received INTEGER NOT NULL,
    accepted INTEGER,
    in_force INTEGER NOT NULL CHECK (in_force IN (0, 1)),
    CHECK (in_force = 0 OR accepted IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX one_catalogue_in_force ON catalogues(in_force) WHERE in_force = 1;
"""


def _shared_cohorts(database: Database) -> None:
    """Cohorts that other sites offer."""
    database.executescript(_SHARED_COHORTS)


_SHARED_COHORTS = """
CREATE TABLE shared_cohorts (
    sender INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    query BLOB NOT NULL,
    meanings BLOB NOT NULL,
    shared INTEGER NOT NULL,
    received INTEGER NOT NULL,
    PRIMARY KEY (sender, name)
) STRICT;
"""


def _audit(database: Database) -> None:
    """The chain of audit records, and the heads that sites hold of each other's chains."""
    database.executescript(_AUDIT)


_AUDIT = """
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_kind ON audit(kind);
CREATE TRIGGER audit_follows BEFORE INSERT ON audit
    WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM audit)
    BEGIN SELECT RAISE(ABORT, 'audit records follow each other'); END;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit records stay'); END;
CREATE TRIGGER audit_remains BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit records stay'); END;

CREATE TABLE audit_heads (
    site BLOB NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    first INTEGER NOT NULL,
    steps BLOB NOT NULL,
    UNIQUE (site, number, hash)
) STRICT;
CREATE TRIGGER audit_heads_stay BEFORE UPDATE ON audit_heads BEGIN SELECT RAISE(ABORT, 'audit heads stay'); END;
CREATE TRIGGER audit_heads_remain BEFORE DELETE ON audit_heads BEGIN SELECT RAISE(ABORT, 'audit heads stay'); END;

CREATE TABLE audit_witnesses (
    holder BLOB NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    signature BLOB NOT NULL,
    agrees INTEGER NOT NULL CHECK (agrees IN (0, 1)),
    UNIQUE (holder, number, hash)
) STRICT;
"""


def _people(database: Database) -> None:
    """What custodians have signed: their keys, endorsements, revocations, projects; and keys of people who sit here."""
    database.executescript(_PEOPLE)


_PEOPLE = """
CREATE TABLE signed_records (
    id BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    site INTEGER NOT NULL,
    issuer BLOB NOT NULL,
    record BLOB NOT NULL,
    received INTEGER NOT NULL,
    accepted INTEGER
) STRICT;
CREATE INDEX signed_records_of_site ON signed_records(site, kind);

CREATE TABLE records_told (
    record BLOB NOT NULL REFERENCES signed_records(id),
    site INTEGER NOT NULL,
    PRIMARY KEY (record, site)
) STRICT;

CREATE TABLE own_keys (
    key BLOB PRIMARY KEY,
    person TEXT NOT NULL,
    made INTEGER NOT NULL
) STRICT;
"""


def _budget(database: Database) -> None:
    """What patients were charged for, and the sets of sites that answered."""
    database.executescript(_BUDGET)


_BUDGET = """
CREATE TABLE charges (
    session BLOB NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    release BLOB NOT NULL UNIQUE,
    query_hash BLOB NOT NULL,
    dataset BLOB NOT NULL,
    dataset_version INTEGER NOT NULL,
    asker INTEGER NOT NULL,
    person TEXT NOT NULL,
    project BLOB NOT NULL,
    epsilon TEXT NOT NULL,
    exact INTEGER NOT NULL CHECK (exact >= 0)
) STRICT;

CREATE TABLE answered_sets (
    session BLOB NOT NULL,
    cohort BLOB NOT NULL,
    dataset BLOB NOT NULL,
    asker INTEGER NOT NULL,
    sites BLOB NOT NULL,
    noted INTEGER NOT NULL,
    PRIMARY KEY (session, cohort)
) STRICT;
CREATE INDEX answered_by_cohort ON answered_sets(cohort, dataset);
"""


def _policies(database: Database) -> None:
    """The signed versions of the site's policy."""
    database.executescript(_POLICIES)


_POLICIES = """
CREATE TABLE policies (
    version INTEGER PRIMARY KEY,
    record BLOB NOT NULL
) STRICT;
"""

_STEPS: tuple[tuple[str, Callable[[Database], None]], ...] = (
    ("0001_first", _first),
    ("0002_cohorts", _cohorts),
    ("0003_catalogues", _catalogues),
    ("0004_shared_cohorts", _shared_cohorts),
    ("0005_people", _people),
    ("0006_policies", _policies),
    ("0007_budget", _budget),
    ("0008_audit", _audit),
)

KNOWN = frozenset(name for name, _ in _STEPS)
"""The names of all steps; a database with another one was written by a newer program."""

migrations = Migrations("consilium")
for _name, _step in _STEPS:
    migrations(name=_name)(_step)
