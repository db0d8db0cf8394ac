"""Which sites hold which variables of the catalogue, as they have told; see :mod:`app.core.federation.holdings`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.core.catalogue.holding import unpack
from app.core.errors import ProtocolViolation
from app.core.federation import holdings
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom
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
        self._unpacked: dict[bytes, frozenset[str]] = {}

    def sites(self) -> tuple[SiteCoverage, ...]:
        """Return what every site holds, in the roster's order."""
        site = self._site
        told = {position: each.held for position, each in holdings.heard(site, self._mailroom).items()}
        told[site.position] = self._dataset.held
        self._unpacked = {bits: self._codes(bits) for bits in told.values()}
        return tuple(
            SiteCoverage(
                site=each.name,
                own=each.position == site.position,
                known=each.position in told,
                held=told.get(each.position, b""),
                codes=self._unpacked.get(told.get(each.position, b""), frozenset()),
            )
            for each in site.roster.sites
        )

    def _codes(self, bits: bytes) -> frozenset[str]:
        if bits in self._unpacked:
            return self._unpacked[bits]
        try:
            return unpack(self._site.catalogue, bits) if bits else frozenset()
        except ProtocolViolation:  # said of another catalogue than ours: nothing that we can ask it
            return frozenset()


def counted(sites: Iterable[SiteCoverage]) -> Mapping[str, int]:
    """Return at how many sites each variable is, for those that are anywhere."""
    count: Counter[str] = Counter()
    for each in sites:
        count.update(each.codes)
    return count
