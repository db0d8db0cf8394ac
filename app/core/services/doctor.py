"""What is wrong on this computer? What ``consilium doctor`` says, and what a support desk gets.

The installation's own checks (:mod:`app.core.services.self_test`), what IT has fixed, and those of one site: its
database, keys, folder, disk, agent, and the way to its relay. Reads only: nothing is opened for writing, locked or
migrated, so that it works beside a running agent and on what is broken.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app import __version__
from app.core import log, paths
from app.core.clock import SystemClock
from app.core.errors import ConsiliumError, EnvironmentProblem
from app.core.federation.proxies import ProxySetting
from app.core.federation.relay_check import check_relay
from app.core.files import disk_problems, write_atomic
from app.core.managed import read_managed
from app.core.services import self_test
from app.core.services.local_socket import reach
from app.core.services.membership import address_in
from app.core.services.profile import keeps_key
from app.core.services.self_test import Check
from app.core.store.network_share import refuse_network_share
from app.core.store.peek import examine, holds_profile

_LEAST_FREE, _LITTLE_FREE = 200 << 20, 2 << 30
_LOG_LINES = 2000
_WORD = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_PLAIN_FIELDS = ("timestamp", "level", "area", "event", "code", "error")


def run(directory: Path) -> Iterator[Check]:
    """Do every check, each as it is asked for; ``directory`` need not hold a profile."""
    yield from self_test.run()
    yield self_test.check("settings", _settings)
    if not holds_profile(directory):
        return
    yield self_test.check("profile", lambda: str(directory), needed=False)
    yield self_test.check("site_database", lambda: _site_database(directory))
    yield self_test.check("site_keys", lambda: keeps_key(directory))
    yield self_test.check("folder", lambda: _folder(directory), needed=False)
    yield self_test.check("disk", lambda: _disk(directory))
    yield self_test.check("agent", lambda: _agent(directory), needed=False)
    yield from _way_to_the_relay(directory)


def _settings() -> str:
    return read_managed(paths.managed_settings()).file or "–"


def _site_database(directory: Path) -> str:
    found = examine(directory)
    return f"{found.size / 1e6:.1f} MB, {found.steps} + {found.pending}"


def _folder(directory: Path) -> str:
    """Look whether others may read the folder, and whether it is on this computer."""
    refuse_network_share(directory)
    if sys.platform != "win32":
        with disk_problems(directory):
            mode = directory.stat().st_mode & 0o777
        if mode & 0o077:
            raise EnvironmentProblem("doctor.open_folder", path=str(directory), mode=f"{mode:o}")
    return str(directory)


def _disk(directory: Path) -> str:
    with disk_problems(directory):
        free = shutil.disk_usage(directory).free
    if free < _LEAST_FREE:
        raise EnvironmentProblem("doctor.disk_full", path=str(directory), megabytes=free >> 20)
    return f"{free / 1e9:.1f} GB" + (" (!)" if free < _LITTLE_FREE else "")


def _agent(directory: Path) -> str:
    reached = reach(directory)
    if reached is None:
        raise EnvironmentProblem("doctor.no_agent", path=str(directory))
    channel, greeting = reached
    channel.release()
    return greeting.program


def _way_to_the_relay(directory: Path) -> Iterator[Check]:
    try:
        address = address_in(directory)
    except ConsiliumError:  # the database has said so already
        return
    if address is None:
        return
    for each in check_relay(address, ProxySetting(), SystemClock()):
        detail = ", ".join(f"{value}" for value in each.params.values() if value != "")
        yield Check(f"relay_{each.step}", detail, each.problem, needed=not each.notice)


# --- for support --------------------------------------------------------------------------------------------------


def to_plain(checks: list[Check]) -> list[dict[str, Any]]:
    """Return the checks as they are printed and handed on: codes and details, no parameters of errors."""
    return [
        {
            "name": each.name,
            "passed": each.error is None,
            "needed": each.needed,
            "detail": each.detail,
            "code": None if each.error is None else each.error.code,
        }
        for each in checks
    ]


def bundle(directory: Path, checks: list[Check], file: Path) -> tuple[str, ...]:
    """Write what support needs to ``file``, a zip; return what is in it.

    Only what is listed here goes in: the outcome of each check, how many rows each table has, which settings IT has
    fixed (not to what), and of the log when what happened where with which code. No names, addresses, paths, questions,
    results, keys. Raises EnvironmentProblem ``file.*``.
    """
    parts: dict[str, Any] = {
        "checks.json": [
            {name: each[name] for name in ("name", "passed", "needed", "code")} for each in to_plain(checks)
        ],
        "program.json": {"version": __version__, "python": sys.version, "platform": sys.platform},
        "settings.json": _fixed_names(),
    }
    if holds_profile(directory):
        try:
            found = examine(directory)
            parts["database.json"] = {"bytes": found.size, "steps": found.steps, "rows": dict(found.rows)}
        except ConsiliumError as error:
            parts["database.json"] = {"code": error.code}
        parts["site-log.json"] = list(_log_lines(paths.profile_log(directory)))
    parts["log.json"] = list(_log_lines(paths.user_log()))
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        for name, part in parts.items():
            made.writestr(name, json.dumps(part, indent=1, ensure_ascii=False))
    write_atomic(file, whole.getvalue())
    return tuple(parts)


def _fixed_names() -> list[str]:
    try:
        found = read_managed(paths.managed_settings())
    except ConsiliumError as error:
        return [error.code]
    return [*found.settings.values, *(f"policy.{name}" for name in found.policy)]


def _log_lines(directory: Path) -> Iterator[dict[str, str]]:
    """Yield the last lines of the newest log with what is known to be harmless of each: times, codes, events."""
    try:
        lines = (directory / log.FILE_NAME).read_text("utf-8", "replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return
    for line in lines:
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict):
            yield {name: text for name in _PLAIN_FIELDS if (text := _harmless(name, said.get(name)))}


def _harmless(name: str, value: object) -> str:
    if not isinstance(value, str):
        return ""
    if name == "error":  # its code, not its parameters
        value = value.partition("(")[0]
    if name == "timestamp":
        return value[:32] if re.fullmatch(r"[0-9T:.Z+-]{10,40}", value) else ""
    return value if _WORD.fullmatch(value.replace(" ", "_")) else ""
