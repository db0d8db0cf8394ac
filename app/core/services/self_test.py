"""Does this installation work on this computer? What ``consilium self-test`` and a support desk want to know."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from app import __version__
from app.core import log, paths
from app.core.clock import SystemClock
from app.core.crypto import self_test
from app.core.crypto.vault import open_keyring
from app.core.errors import Bug, ConsiliumError, EnvironmentProblem
from app.core.federation.proxies import ProxySetting
from app.core.federation.relay_check import check_relay
from app.core.federation.trust import RelayAddress
from app.core.files import read_limited
from app.core.jobs.pool import WorkerPool, outcome
from app.core.services.demo_network import Network, program
from app.core.store.database import SiteDatabase

_WINDOW_SECONDS = 60
_STAMP_LIMIT = 1 << 12


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
    yield check("program", _program)
    yield check("cryptography", _cryptography)
    yield check("worker", _worker)
    yield check("database", _database)
    yield check("translations", _translations)
    # a server may use a passphrase file, have no screen's libraries, and forbid to listen
    yield check("keyring", lambda: open_keyring().description, needed=False)
    yield check("window", _window, needed=False)
    yield check("relay", _relay, needed=False)


def check(name: str, work: Callable[[], str], *, needed: bool = True) -> Check:
    """Do one check: ``work`` returns what it found, or raises what is wrong."""
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
    return f"{__version__}{_commit()}, Python {platform.python_version()}, {platform.platform()}"


def _commit() -> str:
    """Return from which commit an installed program was built, in brackets; a checkout says nothing."""
    stamp = Path(paths.resource("translations")).parents[1] / "build.json"
    if not stamp.is_file():
        return ""
    commit, _, changed = str(json.loads(read_limited(stamp, _STAMP_LIMIT)).get("commit", "")).partition("-")
    return f" ({'-'.join(filter(None, (commit[:12], changed)))})"


def _translations() -> str:
    """Read every text of every language; each language has the same ones."""
    keys: dict[str, set[str]] = defaultdict(set)
    for path in sorted(paths.resource("translations").glob("*.toml")):
        area, language, _ = path.name.split(".")
        try:
            keys[language] |= {f"{area}/{key}" for key in tomllib.loads(path.read_text("utf-8"))}
        except ValueError as error:
            raise Bug("house.resource_missing", name=path.name) from error
    everything = set().union(*keys.values())
    if not everything or any(found != everything for found in keys.values()):
        raise Bug("house.resource_missing", name="translations")
    return f"{', '.join(sorted(keys))}: {len(everything)}"


def _window() -> str:
    """Have another process draw a window where nobody sees it: where Qt finds no screen, it ends its process."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    try:
        done = subprocess.run(  # noqa: S603 - this very program
            [*program(), "open", "--self-test"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env=environment,
            timeout=_WINDOW_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentProblem("house.window_failed", reason=str(error)) from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise EnvironmentProblem("house.window_failed", reason=lines[-1] if lines else str(done.returncode))
    return done.stdout.decode("utf-8", "replace").strip()


def _relay() -> str:
    """Start a relay on this computer for a moment and walk the way to it, TLS with its own certificate included."""
    with tempfile.TemporaryDirectory(prefix="consilium-self-test-") as directory, Network(Path(directory)) as network:
        findings = check_relay(RelayAddress(network.url, network.authority), ProxySetting("none"), SystemClock())
        for finding in findings:
            if finding.problem is not None and not finding.notice:
                raise finding.problem
        return network.url
