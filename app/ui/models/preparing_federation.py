"""The federation that a dataset is prepared for, read from its public file in a thread: nothing waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject
from shiboken6 import isValid

from app.core.catalogue.model import Catalogue
from app.core.errors import ConsiliumError
from app.ui import post


@dataclass(frozen=True)
class Federation:
    """What the wizard shows of a federation: its name, its sites, its catalogue. ``file`` is the public file."""

    file: str
    name: str
    sites: tuple[str, ...]
    catalogue: Catalogue


def read_federation(
    file: str, *, of: QObject, done: Callable[[Federation], object], failed: Callable[[ConsiliumError], object]
) -> None:
    """Read and verify a public file; then call one of the two in this thread, if ``of`` is still there."""

    def came(found: object) -> None:
        post.forget(number)
        if not isValid(of):
            return
        if isinstance(found, Federation):
            done(found)
        elif isinstance(found, ConsiliumError):
            failed(found)

    number = post.wait_for(came)
    threading.Thread(target=_bring, args=(number, file), name="federation", daemon=True).start()


def _bring(number: int, file: str) -> None:
    try:
        post.bring(number, _load(file))
    except ConsiliumError as error:
        post.bring(number, error)


def _load(file: str) -> Federation:
    from app.core.federation.public_file import load_public_file  # noqa: PLC0415  (it brings numpy with it)

    found = load_public_file(Path(file))
    return Federation(file, found.name, tuple(site.name for site in found.sites), found.catalogue)
