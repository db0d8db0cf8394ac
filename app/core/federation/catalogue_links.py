"""How one version of a federation's catalogue follows another: signed links from the catalogue that the roster names.

A link, as a map::

    {"author": roster position, "previous": hash of the catalogue before, "catalogue": hash, "version", "time": UTC ms,
     "signature": 64 bytes}

The author signs federation, previous, catalogue, version and time with the site's member key; versions grow along a
chain. Two sites may publish at the same time, so the links that are known form a tree. Which branch goes on is decided
alike wherever the same is known (:func:`chosen`): what more has been built upon stays, and of two that are as long the
one whose last catalogue has the lower hash. Who published the other one looks at both, and publishes again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.core import codec
from app.core.crypto.identity import SIGNATURE_BYTES, MemberKey
from app.core.errors import ProtocolViolation
from app.core.federation.roster import MOST_SITES, Roster
from app.core.fields import Fields

MALFORMED = "catalogue.malformed_link"
MOST_LINKS = 2_000
LINK_LIMIT = 256
"""More bytes than any link has in CBOR."""
MOST_VERSION = 2**31 - 1
_PURPOSE = "catalogue version v1"
_MOST_TIME = 1 << 52


@dataclass(frozen=True)
class Link:
    """The site at ``author`` says: ``catalogue`` (a hash), with this version number, follows ``previous``."""

    author: int
    previous: bytes
    catalogue: bytes
    version: int
    time: int
    signature: bytes = field(default=b"", repr=False)

    def signed(self, federation: bytes, key: MemberKey) -> Link:
        """Return this link with the author's signature."""
        return replace(self, signature=key.sign(_PURPOSE, self._statement(federation)))

    def check(self, roster: Roster) -> None:
        """Raise ProtocolViolation ``catalogue.bad_signature`` unless its author has signed it."""
        site = next((site for site in roster.sites if site.position == self.author), None)
        if site is None:
            raise ProtocolViolation(MALFORMED, field="author")
        try:
            site.key.check(_PURPOSE, self._statement(roster.federation_id), self.signature)
        except ProtocolViolation as error:
            raise ProtocolViolation("catalogue.bad_signature", site=site.name) from error

    def _statement(self, federation: bytes) -> bytes:
        parts = [federation, self.previous, self.catalogue, self.version, self.time]
        return codec.encode(["consilium catalogue version", 1, *parts])

    def to_plain(self) -> dict[str, Any]:
        """Return the map of the module's docstring."""
        return {
            "author": self.author,
            "previous": self.previous,
            "catalogue": self.catalogue,
            "version": self.version,
            "time": self.time,
            "signature": self.signature,
        }

    @classmethod
    def from_plain(cls, value: object) -> Link:
        """Read a link from outside; raises ProtocolViolation ``catalogue.malformed_link``."""
        fields = Fields(value, MALFORMED)
        link = cls(
            author=fields.number("author", 1, MOST_SITES),
            previous=fields.bytes("previous", 32),
            catalogue=fields.bytes("catalogue", 32),
            version=fields.number("version", 1, MOST_VERSION),
            time=fields.number("time", 0, _MOST_TIME),
            signature=fields.bytes("signature", SIGNATURE_BYTES),
        )
        fields.done()
        return link


def check_chain(chain: Sequence[Link], roster: Roster) -> None:
    """Verify links that shall lead away from the roster's catalogue, one after another, each signed by a site.

    Raises ProtocolViolation ``catalogue.broken_chain``, ``catalogue.bad_signature``.
    """
    last, version = roster.catalogue_hash, 0
    for link in chain:
        if link.previous != last or link.version <= version:
            raise ProtocolViolation("catalogue.broken_chain")
        link.check(roster)
        last, version = link.catalogue, link.version


def chain_to(first: bytes, links: Iterable[Link], catalogue: bytes) -> tuple[Link, ...]:
    """Return the longest chain from ``first`` to ``catalogue``; empty if there is none, or they are the same."""
    return _walked(_reached(first, links), catalogue)


def chosen(first: bytes, links: Iterable[Link], here: Collection[bytes]) -> tuple[Link, ...]:
    """Return the chain from ``first`` to the version that goes on, of those whose catalogue is ``here``.

    The longest one; of several the one to the lowest hash. It depends on what is known, not on the order it came in.
    """
    reached = _reached(first, links)
    ends = [each for each in reached if each in here]
    return _walked(reached, min(ends, key=lambda each: (-reached[each].depth, each), default=first))


@dataclass(frozen=True)
class _Reached:
    """How a catalogue is reached from the first one: by ``link``, after so many."""

    link: Link
    depth: int


def _reached(first: bytes, links: Iterable[Link]) -> dict[bytes, _Reached]:
    """Return how each catalogue is best reached; of links that contradict each other on its version the lowest counts.

    Versions grow along the links that are taken, so that nothing follows itself whatever a site may have signed.
    """
    reached: dict[bytes, _Reached] = {}
    for link in sorted(links, key=lambda link: (link.version, link.catalogue, link.previous, link.author)):
        before, known = reached.get(link.previous), reached.get(link.catalogue)
        if link.catalogue == first or not (link.previous == first or (before and before.link.version < link.version)):
            continue
        depth = 1 if before is None else before.depth + 1
        if known is None or (known.link.version == link.version and known.depth < depth):
            reached[link.catalogue] = _Reached(link, depth)
    return reached


def _walked(reached: Mapping[bytes, _Reached], catalogue: bytes) -> tuple[Link, ...]:
    chain = []
    while (found := reached.get(catalogue)) is not None:
        chain.append(found.link)
        catalogue = found.link.previous
    return tuple(reversed(chain))
