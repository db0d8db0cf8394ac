"""Does this installation work on this computer? What ``consilium self-test`` and a support desk want to know."""

from __future__ import annotations

import os
import platform
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from app import __version__
from app.core import log, paths
from app.core.crypto import self_test
from app.core.crypto.vault import open_keyring
from app.core.errors import ConsiliumError
from app.core.jobs.pool import WorkerPool, outcome
from app.core.store.database import SiteDatabase


@dataclass(frozen=True)
class Check:
    """The outcome of one check: ``detail`` where it passed, ``error`` where it did not."""

    name: str
    detail: str = ""
    error: ConsiliumError | None = None
    needed: bool = True
    """Whether the program is of no use without it."""


def run() -> Iterator[Check]:
    """Do every check, each as it is asked for; a check that fails does not keep the others from being done."""
    yield _check("program", _program)
    yield _check("cryptography", _cryptography)
    yield _check("worker", _worker)
    yield _check("database", _database)
    yield _check("keyring", lambda: open_keyring().description, needed=False)  # a server may use a passphrase file


def _check(name: str, work: Callable[[], str], *, needed: bool = True) -> Check:
    try:
        return Check(name, work(), needed=needed)
    except ConsiliumError as error:
        log.logger("self-test").warning(name, error=error)
        return Check(name, error=error, needed=needed)


def _cryptography() -> str:
    findings = self_test.run()
    return f"{len(findings)}/{len(findings)}, {sum(finding.seconds for finding in findings):.2f} s"


def _worker() -> str:
    with WorkerPool(1) as pool:
        return f"pid {outcome(pool.submit(os.getpid))}"


def _database() -> str:
    with tempfile.TemporaryDirectory(prefix="consilium-self-test-") as directory:
        path = Path(directory) / "site.db"
        with closing(SiteDatabase.open(path)) as database:
            database.check_whole()
    return f"SQLite {sqlite3.sqlite_version}"


def _program() -> str:
    paths.resource("translations")
    return f"{__version__}, Python {platform.python_version()}, {platform.platform()}"
