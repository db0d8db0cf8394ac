"""Which sites hold which variables of the catalogue, as they have told; see :mod:`app.core.federation.holdings`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.core.catalogue.holding import pack, unpack
from app.core.errors import ProtocolViolation
from app.core.federation import holdings
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom
from app.core.federation.roster import Site
from app.core.services.active_dataset import ActiveDataset


@dataclass(frozen=True)
class SiteCoverage:
    """What one site holds. ``known`` is whether it has told; ``held`` is empty bits if it has no dataset."""

    site: str
    own: bool
    known: bool
    held: bytes
    codes: frozenset[str]

    @property
    def has_dataset(self) -> bool:
        """Whether it has a dataset, as far as it has told."""
        return bool(self.held)

    def lacks(self, used: Iterable[str]) -> list[str]:
        """Return those of the codes ``used`` that it is known not to hold."""
        return [code for code in used if code not in self.codes] if self.known else []


class Coverage:
    """What all sites hold; what they told is taken apart once."""

    def __init__(self, site: LocalSite, mailroom: Mailroom, dataset: ActiveDataset) -> None:
        self._site = site
        self._mailroom = mailroom
        self._dataset = dataset
        self._taken_apart: dict[tuple[bytes, bytes, bytes], frozenset[str] | None] = {}

    def sites(self) -> tuple[SiteCoverage, ...]:
        """Return what every site holds, in the roster's order and in terms of the catalogue in force here.

        A site may have another version in force. What means something else there does not count as held.
        """
        site, catalogues = self._site, self._site.catalogues
        told = {
            position: (each.catalogue or catalogues.first, each.held)
            for position, each in holdings.heard(site, self._mailroom).items()
        }
        told[site.position] = (catalogues.hash, self._dataset.held)
        keys = {position: (catalogues.hash, *said) for position, said in told.items()}
        self._taken_apart = {key: self._codes(key) for key in keys.values()}
        return tuple(self._covered(each, keys.get(each.position)) for each in site.roster.sites)

    def _covered(self, site: Site, key: tuple[bytes, bytes, bytes] | None) -> SiteCoverage:
        own, codes = site.position == self._site.position, None if key is None else self._taken_apart[key]
        if key is None or codes is None:
            return SiteCoverage(site.name, own, known=False, held=b"", codes=frozenset())
        ours, theirs, held = key
        if held and theirs != ours:
            held = pack(self._site.catalogue, codes)
        return SiteCoverage(site.name, own, known=True, held=held, codes=codes)

    def _codes(self, key: tuple[bytes, bytes, bytes]) -> frozenset[str] | None:
        """Return what is held by who has told ``held`` of a catalogue; None if that catalogue is not here."""
        if (known := self._taken_apart.get(key)) is not None:
            return known
        ours, theirs, held = key
        catalogues = self._site.catalogues
        if not held:
            return frozenset()
        if theirs not in catalogues.hashes():
            return None
        try:
            codes = unpack(catalogues[theirs], held)
        except ProtocolViolation:  # not what it says: nothing that we can ask it
            return frozenset()
        if theirs == ours:
            return codes
        said, mine = catalogues[theirs], catalogues[ours]
        return frozenset(code for code in codes if mine.means(code, said.meaning(code)))


def counted(sites: Iterable[SiteCoverage]) -> Mapping[str, int]:
    """Return at how many sites each variable is, for those that are anywhere."""
    count: Counter[str] = Counter()
    for each in sites:
        count.update(each.codes)
    return count
