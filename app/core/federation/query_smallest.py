"""A query whose small counts are withheld by cryptography: the quorum's two extra rounds, and the pair for the asker.

The quorum opens the total, and the total without the asker's own site, under masks of all its members
(:mod:`app.core.crypto.refresh`), makes of them fresh encryptions of the counts, computes the rule on those
(:mod:`app.core.crypto.smallest_count`), and opens the pair that comes out of it to the asker alone. What any site but
the asker's has opened is uniform; nobody but the asker learns which numbers are withheld.

Masks come from bytes that are reserved before anything is computed of them, so that a share is the same after a crash;
encryptions of them draw their own. They and the masked shares are kept and committed to in one transaction, and
revealed when the whole quorum has committed. Every attempt has masks of its own.

*Whose counts.* A total is tested without what the asker's site adds: that site could add to its own part, and knows it.
Where each site's numbers are told, each site's own count is tested; those of the asker's own site are its own business.
Which count tests which number is said in :mod:`app.core.query.group_sizes`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from app.core import codec
from app.core.crypto import refresh, release
from app.core.crypto.parameters import RELEASE_PRIMES
from app.core.crypto.release import Contribution, Opening
from app.core.errors import Bug, ProtocolViolation, UserError
from app.core.federation import smallest_work as work
from app.core.federation.contributing import asked_cells, placing_of
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom, Post
from app.core.federation.opening import decryption_share
from app.core.federation.query_messages import MASKS_LIMIT, BlobName, Masks, Request
from app.core.federation.query_rounds import QueryHeard
from app.core.federation.smallest_work import TOTAL, Mask, Tested
from app.core.fields import Fields
from app.core.query.canonical import canonical_query
from app.core.query.group_sizes import group_sizes

_PAIR = ("tested", "counted")
_LIMIT = 1 << 17
Contributions = Mapping[int, Contribution]
Blaming = Callable[[int, str], AbstractContextManager[None]]


@dataclass(frozen=True)
class Hidden:
    """What this site hides the counts with in one attempt: its encryptions, and its masked shares."""

    encrypted: bytes = field(repr=False)
    shares: tuple[bytes, ...] = field(repr=False)

    @property
    def masks(self) -> Masks:
        """What is revealed of it."""
        name = hashlib.sha256(self.encrypted).digest()
        return Masks(BlobName(name, len(self.encrypted)), self.shares)


class SmallestCountWork:
    """What one site computes and says in a query whose small counts are withheld.

    ``blaming`` turns a violation into one that names the site at a position.
    """

    def __init__(self, site: LocalSite, mailroom: Mailroom, post: Post, blaming: Blaming) -> None:
        self._site = site
        self._mailroom = mailroom
        self._post = post
        self._blaming = blaming
        self._parameters = site.roster.parameters

    # --- the two rounds ---------------------------------------------------------------------------------------

    def hide(self, session: bytes, heard: QueryHeard, attempt: int, contributions: Contributions) -> Hidden:
        """Draw our masks and return them with our masked shares; :meth:`keep` them in one transaction with the hash."""
        tested = self._tested(heard)
        seed = self._site.reserved_randomness(_name(session, attempt, "seed"))
        shares = []
        for name, (opening, bits) in self._masked(session, heard, attempt, contributions).items():
            shares.append(decryption_share(self._site, opening, bits, Mask(seed, name)))
        return Hidden(self._site.compute(work.hide, tested, self._site.key_directory, seed), tuple(shares))

    def keep(self, session: bytes, attempt: int, hidden: Hidden) -> None:
        """Keep what was hidden; inside ``database.atomic()``."""
        kept = codec.encode({"encrypted": hidden.encrypted, "shares": list(hidden.shares)})
        self._site.keep_secret(_name(session, attempt, "made"), kept)

    def kept(self, session: bytes, attempt: int) -> Hidden | None:
        """Return what we hid in an attempt, or None."""
        kept = self._site.secret(_name(session, attempt, "made"))
        if kept is None:
            return None
        value = codec.decode(kept, 2 * MASKS_LIMIT)
        return Hidden(value["encrypted"], tuple(value["shares"]))

    # --- the pair ---------------------------------------------------------------------------------------------

    def share(self, session: bytes, heard: QueryHeard, attempt: int, contributions: Contributions) -> bytes:
        """Return what goes to the asker: our shares of the pair, sealed, and what they are shares of."""
        openings, bits = self._pair(session, heard, attempt, contributions)
        body = {
            "openings": [opening.digest() for opening in openings],
            "values": [release.share_to_bytes(opening.total.values) for opening in openings],
            "shares": [decryption_share(self._site, opening, bits) for opening in openings],
        }
        return codec.encode(body)

    def _pair(
        self, session: bytes, heard: QueryHeard, attempt: int, contributions: Contributions
    ) -> tuple[list[Opening], int]:
        tested = self._tested(heard)
        opened: dict[str, list[int]] = {}
        for place, (name, (opening, bits)) in enumerate(self._masked(session, heard, attempt, contributions).items()):
            shares = {}
            for position in heard.quorum:
                with self._blaming(position, "query.wrong_masks"):
                    if len(heard.masks[attempt, position].shares) != len(tested.masked):
                        raise ProtocolViolation("query.malformed_message")
                    shares[position] = heard.masks[attempt, position].shares[place]
                    release.share_from_bytes(self._parameters, shares[position], RELEASE_PRIMES, tested.results)
            opened[name] = work.masked_numbers(self._parameters, opening, bits, shares).tolist()
        paths = []
        for position in heard.quorum:
            with self._blaming(position, "query.wrong_masks"):
                blob = heard.masks[attempt, position].blob.name
                self._mailroom.blob(self._post, blob, MASKS_LIMIT)
                paths.append(self._site.profile.blobs.verified_path(blob, limit=MASKS_LIMIT))
                self._site.compute(work.check_hidden, tested, paths[-1])
        made = self._site.compute(work.pair, tested, self._site.key_directory, paths, opened)
        openings = [
            Opening(
                _part(session, name),
                attempt,
                heard.quorum,
                Contribution.from_bytes(self._parameters, data, RELEASE_PRIMES, tested.results),
            )
            for name, data in zip(_PAIR, made, strict=True)
        ]
        sites = len(self._site.roster.sites)
        return openings, tested.rule.flooding_bits(sites, len(heard.quorum), tested.results)

    def read(self, heard: QueryHeard, answers: Mapping[int, bytes]) -> list[int | None]:
        """Return the numbers by place, None where withheld, from what the whole quorum has sent (asker)."""
        tested = self._tested(heard)
        read = {}
        for position, data in answers.items():
            with self._blaming(position, "query.wrong_share"):
                read[position] = self._answer(data, tested.results)
        [(agreed, _)] = Counter(about for about, _, _ in read.values()).most_common(1)
        for position, (about, _, _) in read.items():
            if about != agreed:
                raise ProtocolViolation("query.wrong_share", site=self._site.site_name(position))
        values = next(iter(read.values()))[1]
        first, second = (
            release.opened_coefficients(self._parameters, values[place], [each[2][place] for each in read.values()])
            for place in range(len(_PAIR))
        )
        return tested.rule.read(first, second)

    def _answer(self, data: bytes, results: int) -> tuple[bytes, list[Any], list[Any]]:
        """Return (what it is about, values, shares) of one answer."""
        fields = Fields(codec.decode(data, _LIMIT), "query.malformed_message")
        openings, values, shares = (fields.items(name, len(_PAIR)) for name in ("openings", "values", "shares"))
        fields.done()
        if any(len(each) != len(_PAIR) or any(type(one) is not bytes for one in each) for each in (values, shares)):
            raise ProtocolViolation("query.malformed_message")
        parsed = [
            [release.share_from_bytes(self._parameters, one, RELEASE_PRIMES, results) for one in each]
            for each in (values, shares)
        ]
        return codec.digest([openings, values]), parsed[0], parsed[1]

    # --- what is opened under masks ---------------------------------------------------------------------------

    def _masked(
        self, session: bytes, heard: QueryHeard, attempt: int, contributions: Contributions
    ) -> dict[str, tuple[Opening, int]]:
        """Return what is opened under masks, by name, and the flooding of each."""
        without = {position: each for position, each in contributions.items() if position != heard.asker}
        found = {}
        for name in self._tested(heard).masked:
            parts = contributions if name == TOTAL else without
            bits = refresh.masked_flooding_bits(
                self._parameters,
                sites=len(self._site.roster.sites),
                contributors=len(parts),
                noise_bits=max(heard.committed[attempt, position].noise_bits for position in parts),
                quorum=len(heard.quorum),
                results=heard.request.results,
            )
            release.check_fits(self._parameters, RELEASE_PRIMES, bits, len(heard.quorum))
            total = release.aggregate_contributions(list(parts.values()))
            found[name] = Opening(_part(session, name), attempt, heard.quorum, total), bits
        return found

    def _tested(self, heard: QueryHeard) -> Tested:
        smallest = heard.request.smallest
        if smallest is None:
            raise Bug("query.nothing_withheld")
        return Tested(
            parameters=self._parameters.name,
            least=smallest.least,
            zeros=smallest.zeros,
            places=tested_places(self._site, heard.asker, heard.request),
            without_asker=heard.asker in heard.contributors,
        )


def tested_places(site: LocalSite, asker: int, request: Request) -> tuple[tuple[int, ...] | None, ...]:
    """Return for each place of a request the places whose sum tests it; None where nothing is withheld.

    Raises UserError ``query.variable_differs`` where this site does not know what the asker means.
    """
    catalogue = site.catalogues.with_meanings(request.meanings)
    if catalogue is None:
        raise UserError("query.variable_differs", variable=min(request.meanings, default=""))
    cells = asked_cells(request.query, catalogue)
    placing = placing_of(request, cells, site.roster.parameters)
    sizes = group_sizes(canonical_query(request.query, catalogue), cells)
    found: list[tuple[int, ...] | None] = [None] * request.results
    for row in range(len(request.contributors) if request.query.per_site else 1):
        if request.query.per_site and request.contributors[row] == asker:
            continue
        start = row * placing.first[-1]
        for cell, size in enumerate(sizes):
            summed = [start + at for each in size for at in range(placing.first[each], placing.first[each + 1])]
            for at in range(placing.first[cell], placing.first[cell + 1]):
                found[start + at] = tuple(summed)
    return tuple(found)


def _part(session: bytes, name: str) -> bytes:
    """Return under what the share ledger knows one of the openings of a session."""
    return codec.digest(["consilium smallest count v1", session, name])


def _name(session: bytes, attempt: int, what: str) -> str:
    return f"query/{session.hex()}/masks/{attempt}/{what}"
