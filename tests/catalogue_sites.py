"""The sites of :mod:`tests.federation_sites` as far as they publish catalogues to each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.federation import catalogue_publishing, news
from app.core.federation.catalogue_publishing import CatalogueDesk
from app.core.federation.mailroom import Mailroom
from app.core.services.member import MESSAGE_TYPES
from tests.federation_sites import CATALOGUE, Federation, ready_federation


def version(number: int, word: str = "") -> Catalogue:
    """A version of the federation's catalogue; ``word`` tells two with the same number apart."""
    added = Variable(f"added:{number}{word}", Kind.FLAG, Label("Added"))
    return replace(CATALOGUE, version=number, variables=(*CATALOGUE.variables, added))


class Publishing:
    """Three sites whose ceremony is done. Use it as a context manager."""

    def __init__(self, base: Path, *, knowing: bool = True) -> None:
        self.federation: Federation = ready_federation(base)
        self.mailrooms: dict[int, Mailroom] = {}
        self.desks: dict[int, CatalogueDesk] = {}
        self.dishonest: set[int] = set()
        """Sites that say what the test wants them to, and do nothing else."""
        for position in self.federation.positions:
            self.open(position)
        if knowing:
            self.tell()

    def open(self, position: int) -> None:
        """Begin to work at a site that lies open."""
        node, post = self.federation[position], self.federation.post
        self.mailrooms[position] = Mailroom(node.site, MESSAGE_TYPES)
        self.desks[position] = CatalogueDesk(node.site, self.mailrooms[position], post)
        post.connect(self.mailrooms[position], node.profile)

    def restart(self, position: int) -> None:
        """Close a site and open it again."""
        self.federation.stop(position)
        self.federation.start(position)
        self.open(position)

    def tell(self) -> None:
        """Let the sites know each other's programs."""
        for position, mailroom in self.mailrooms.items():
            news.announce(self.federation[position].site, mailroom)
        self.settle()

    def work(self, position: int) -> None:
        """Do what can be done now at one site."""
        if position not in self.dishonest:
            self.desks[position].take_in()
            self.desks[position].advance()
        self.mailrooms[position].deliver(self.federation.post)

    def settle(self) -> None:
        """Let all sites work until none has anything new to read."""
        while True:
            for position in self.federation.nodes:
                self.work(position)
            if not self.federation.post.carry():
                break
        for position in self.federation.nodes:
            self.work(position)

    def in_force(self) -> list[int]:
        """The version in force at each site."""
        return [node.site.catalogue.version for _, node in sorted(self.federation.nodes.items())]

    def waiting(self, position: int) -> list[int]:
        """The versions that wait at a site."""
        return [link.version for link in self.federation[position].site.catalogues.waiting()]

    def said(self, position: int, **changes: object) -> dict[str, object]:
        """The body that a site has last sent of what it has published."""
        session = catalogue_publishing.session_of(self.federation.roster)
        heard = dict(self.mailrooms[position].heard(session, catalogue_publishing.PUBLISHED))
        return {**heard[position].to_plain(), **changes}

    def __enter__(self) -> Publishing:
        return self

    def __exit__(self, *error: object) -> None:
        self.federation.__exit__(*error)
