"""The versions of the federation's catalogue that a site knows, and which of them is in force here.

Sites may have different versions in force: a request says what each variable means, so who answers looks for a version
in which they mean just that (:meth:`KnownCatalogues.with_meanings`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from app.core.catalogue.model import Catalogue
from app.core.errors import EnvironmentProblem
from app.core.federation.catalogue_links import Link, chain_to, chosen
from app.core.store.catalogues import LinkRow
from app.core.store.profile import Profile

FIRST = "catalogue"
"""Setting: the canonical bytes of the catalogue that came with the roster."""
_KEPT = 3
"""How many catalogues stay in memory: a large one takes seconds to read."""
_MOST_REMEMBERED = 1 << 14


class KnownCatalogues:
    """Reads the catalogues of an open profile whose roster names the catalogue ``first``, a hash."""

    def __init__(self, store: Profile, first: bytes) -> None:
        self._store = store
        self.first = first
        self._read: dict[bytes, Catalogue] = {}
        self._meant: dict[tuple[bytes, str], bytes | None] = {}
        """What the variables that were asked for mean in each catalogue, so that none is read again to be told no."""

    @property
    def hash(self) -> bytes:
        """The hash of the catalogue in force."""
        return self._store.catalogues.in_force() or self.first

    @property
    def in_force(self) -> Catalogue:
        """The catalogue in force."""
        return self[self.hash]

    def __getitem__(self, hash: bytes) -> Catalogue:
        """Return a catalogue that is here; raises EnvironmentProblem ``profile.incomplete`` if it is not."""
        if (known := self._read.pop(hash, None)) is None:
            known = Catalogue.from_cbor(self.content(hash))
        self._remember(hash, known)
        return known

    def add(self, catalogue: Catalogue, content: bytes, now: int) -> None:
        """Keep a catalogue whose canonical bytes are ``content``."""
        hash = hashlib.sha256(content).digest()
        self._store.catalogues.add(hash, catalogue.version, content, now=now)
        self._remember(hash, catalogue)

    def _remember(self, hash: bytes, catalogue: Catalogue) -> None:
        self._read[hash] = catalogue
        while len(self._read) > _KEPT:
            del self._read[next(iter(self._read))]

    def content(self, hash: bytes) -> bytes:
        """Return the canonical bytes of a catalogue; raises as ``[]``."""
        store = self._store
        found = store.settings.get(FIRST) if hash == self.first else store.catalogues.content(hash)
        if found is None:
            raise EnvironmentProblem("profile.incomplete", path=str(store.directory), key=FIRST)
        return found

    def hashes(self) -> tuple[bytes, ...]:
        """Return the hashes of all catalogues that are here: the one in force, then the latest first."""
        here = [*(row.hash for row in reversed(self._store.catalogues.all())), self.first]
        return tuple(dict.fromkeys((self.hash, *here)))

    def others(self) -> Iterator[Catalogue]:
        """Yield the catalogues that are here and not in force, the latest first."""
        return map(self.__getitem__, self.hashes()[1:])

    def with_meanings(self, meanings: Mapping[str, bytes]) -> Catalogue | None:
        """Return a catalogue in which these variables mean just that (the one in force, if it will do), or None."""
        if self._means(self.hash, meanings):
            return self.in_force
        found = next((hash for hash in self.hashes()[1:] if self._means(hash, meanings)), None)
        return None if found is None else self[found]

    def _means(self, hash: bytes, meanings: Mapping[str, bytes]) -> bool:
        return all(self._meaning(hash, code) == meaning for code, meaning in meanings.items())

    def _meaning(self, hash: bytes, code: str) -> bytes | None:
        """Return what a variable means in a catalogue, None where there is none such."""
        if (hash, code) not in self._meant:
            catalogue = self[hash]
            if len(self._meant) >= _MOST_REMEMBERED:
                self._meant.clear()
            self._meant[hash, code] = None if catalogue.find(code) is None else catalogue.meaning(code)
        return self._meant[hash, code]

    # --- how they follow each other ---------------------------------------------------------------------------------

    def links(self) -> tuple[Link, ...]:
        """Return the links between versions, but those whose catalogue was refused, or has another number in truth."""
        numbers = {row.hash: row.version for row in self._store.catalogues.all()}
        rows = (row for row in self._store.catalogues.links() if not row.refused)
        return tuple(link_of(row) for row in rows if numbers.get(row.catalogue, row.version) == row.version)

    def chain(self) -> tuple[Link, ...]:
        """Return the links from the first catalogue to the one in force."""
        return chain_to(self.first, self.links(), self.hash)

    def going_on(self) -> tuple[Link, ...]:
        """Return the links from the first catalogue to the version that goes on, of those that are here."""
        return chosen(self.first, self.links(), self.hashes())

    def waiting(self) -> tuple[Link, ...]:
        """Return the versions that go on from the one in force, or instead of it, and are here: oldest first."""
        passed, here = {link.catalogue for link in self.chain()}, self.hashes()
        return tuple(link for link in self.going_on() if link.catalogue not in passed and link.catalogue in here)


def link_of(row: LinkRow) -> Link:
    """Return the link that a row keeps."""
    return Link(row.author, row.previous, row.catalogue, row.version, row.published, row.signature)
