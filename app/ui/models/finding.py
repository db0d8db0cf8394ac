"""Catalogues for the window: they are read, and their index is made, in a thread, so that nothing waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from app.core.catalogue.model import Catalogue
from app.core.catalogue.search import Search
from app.texts import preferred_language

_SMALL, _SMALL_BYTES = 500, 200_000


class Loader(QObject):
    """Reads catalogues: a large one in a thread."""

    _read = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._latest: object = None
        self._read.connect(self._give)

    def load(self, data: bytes, done: Callable[[Catalogue], object]) -> None:
        """Read canonical bytes, then call ``done`` in this thread; not at all if others were to be read meanwhile."""
        self._latest = done
        if len(data) <= _SMALL_BYTES:
            done(Catalogue.from_cbor(data))
        else:
            threading.Thread(target=self._load, args=(data, done), name="catalogue", daemon=True).start()

    def _load(self, data: bytes, done: Callable[[Catalogue], object]) -> None:
        catalogue = Catalogue.from_cbor(data)
        if isValid(self):
            self._read.emit(catalogue, done)

    def _give(self, catalogue: Catalogue, done: Callable[[Catalogue], object]) -> None:
        if done is self._latest:
            done(catalogue)


class Finder(QObject):
    """Finds variables of a catalogue. ``ready`` comes when the index of the latest catalogue is there."""

    ready = Signal()
    _made = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._search: Search | None = None
        self._wanted: Catalogue | None = None
        self._made.connect(self._take)

    def index(self, catalogue: Catalogue) -> None:
        """Search this catalogue from now on."""
        if catalogue is self._wanted:
            return
        self._wanted, self._search = catalogue, None
        if len(catalogue.variables) <= _SMALL:
            self._take(Search(catalogue))
        else:
            threading.Thread(target=self._make, args=(catalogue,), name="catalogue index", daemon=True).start()

    def find(self, typed: str, among: frozenset[int] | None) -> list[int] | None:
        """Return the places of what fits; None while there is no index yet."""
        return None if self._search is None else self._search.find(typed, preferred_language(), among=among)

    def _make(self, catalogue: Catalogue) -> None:
        made = Search(catalogue)
        if isValid(self):
            self._made.emit(made)

    def _take(self, made: Search) -> None:
        if made.catalogue is self._wanted:
            self._search = made
            self.ready.emit()
