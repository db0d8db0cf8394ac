"""Catalogues for the window: they are read, and their index is made, in a thread, so that nothing waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from app.core.catalogue.file import load_catalogue
from app.core.catalogue.model import Catalogue
from app.core.catalogue.search import Search
from app.core.errors import ConsiliumError
from app.texts import preferred_language
from app.ui import post

_SMALL, _SMALL_BYTES = 500, 200_000


T = TypeVar("T")


def _aside(of: QObject, make: Callable[[], T], then: Callable[[T], object]) -> None:
    """Make something in a thread, then hand it over in this one, if ``of`` is still there."""

    def came(made: T) -> None:
        post.forget(number)
        if isValid(of):
            then(made)

    number = post.wait_for(came)
    threading.Thread(target=_bring, args=(number, make), name="catalogue", daemon=True).start()


def _bring(number: int, make: Callable[[], object]) -> None:
    post.bring(number, make())


class Loader(QObject):
    """Reads catalogues: a large one in a thread."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._latest: object = None

    def load(self, data: bytes, done: Callable[[Catalogue], object]) -> None:
        """Read canonical bytes, then call ``done`` in this thread; not at all if others were to be read meanwhile."""
        self._latest = done
        if len(data) <= _SMALL_BYTES:
            done(Catalogue.from_cbor(data))
        else:
            _aside(self, lambda: Catalogue.from_cbor(data), lambda catalogue: self._give(catalogue, done))

    def load_file(
        self, path: Path, done: Callable[[Catalogue], object], failed: Callable[[ConsiliumError], object]
    ) -> None:
        """Read a catalogue file, then call ``done`` or ``failed`` in this thread; neither if others were to be read
        meanwhile."""
        self._latest = done

        def give(read: Catalogue | ConsiliumError) -> None:
            if done is not self._latest:
                return
            if isinstance(read, ConsiliumError):
                failed(read)
            else:
                done(read)

        if _is_small(path):
            give(_read(path))
        else:
            _aside(self, lambda: _read(path), give)

    def _give(self, catalogue: Catalogue, done: Callable[[Catalogue], object]) -> None:
        if done is self._latest:
            done(catalogue)


def _is_small(path: Path) -> bool:
    try:
        return path.stat().st_size <= _SMALL_BYTES
    except OSError:  # reading it says what is wrong
        return True


def _read(path: Path) -> Catalogue | ConsiliumError:
    try:
        return load_catalogue(path)
    except ConsiliumError as error:
        return error


class Finder(QObject):
    """Finds variables of a catalogue. ``ready`` comes when the index of the latest catalogue is there."""

    ready = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._search: Search | None = None
        self._wanted: Catalogue | None = None

    def index(self, catalogue: Catalogue) -> None:
        """Search this catalogue from now on."""
        if catalogue is self._wanted:
            return
        self._wanted, self._search = catalogue, None
        if len(catalogue.variables) <= _SMALL:
            self._take(Search(catalogue))
        else:
            _aside(self, lambda: Search(catalogue), self._take)

    def find(self, typed: str, among: frozenset[int] | None) -> list[int] | None:
        """Return the places of what fits; None while there is no index yet."""
        return None if self._search is None else self._search.find(typed, preferred_language(), among=among)

    def _take(self, made: Search) -> None:
        if made.catalogue is self._wanted:
            self._search = made
            self.ready.emit()
