"""Does this installation work on this computer? What ``consilium self-test`` and a support desk want to know."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app import __version__
from app.core import log, paths
from app.core.crypto.vault import open_keyring
from app.core.errors import ConsiliumError


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
    yield _check("keyring", lambda: open_keyring().description, needed=False)  # a server may use a passphrase file


def _check(name: str, work: Callable[[], str], *, needed: bool = True) -> Check:
    try:
        return Check(name, work(), needed=needed)
    except ConsiliumError as error:
        log.logger("self-test").warning(name, error=error)
        return Check(name, error=error, needed=needed)


def _program() -> str:
    paths.resource("translations")
    return f"{__version__}, Python {platform.python_version()}, {platform.platform()}"
