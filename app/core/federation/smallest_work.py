"""What a worker computes where small counts are withheld: bytes and paths in, bytes out.

Masks come from reserved bytes; the encryptions of them draw their own randomness and are made once, then kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.core.crypto import parameters as registry
from app.core.crypto import refresh, smallest_count
from app.core.crypto.parameters import ParameterSet
from app.core.crypto.refresh import RefreshProtocol
from app.core.crypto.release import DecryptionTicket, Opening, share_from_bytes, share_to_bytes
from app.core.crypto.ring import Array
from app.core.crypto.seal import context
from app.core.crypto.smallest_count import Hidden, SmallestCountRule
from app.core.federation.ceremony_work import unpack_dealt
from app.core.query.keys import key_files
from app.core.secret import SecretBytes

TOTAL, OTHERS, RANDOM = "total", "others", "random"
"""Names of a site's masks of the total, of its masks of the total without the asker's site, of its random numbers."""


@dataclass(frozen=True)
class Tested:
    """Which count tests each place, and whether that leaves out the asker's own site.

    ``places`` are, for each place, the places whose numbers are summed; None where nothing is withheld.
    """

    parameters: str
    least: int
    zeros: bool
    places: tuple[tuple[int, ...] | None, ...]
    without_asker: bool

    @property
    def rule(self) -> SmallestCountRule:
        """The rule on each tested number."""
        return SmallestCountRule(registry.get(self.parameters), self.least, self.zeros)

    @property
    def results(self) -> int:
        """How many numbers are opened."""
        return len(self.places)

    @property
    def masked(self) -> tuple[str, ...]:
        """What is opened under masks."""
        return (TOTAL, OTHERS) if self.without_asker else (TOTAL,)

    def summed(self, numbers: Array, *, untested: int = 0) -> Array:
        """Return the tested number of each place, modulo t, ``untested`` where nothing is withheld."""
        modulus = registry.get(self.parameters).plain_modulus
        sums = [untested if each is None else int(numbers[list(each)].sum()) % modulus for each in self.places]
        return np.array(sums, np.int64)


def hide(tested: Tested, keys: Path, seed: SecretBytes) -> bytes:
    """Return this site's encrypted masks and random numbers, drawn from ``seed``."""
    rule = tested.rule
    files = key_files(rule.parameters, keys)
    total = refresh.draw(rule.parameters, seed, TOTAL, tested.results)
    others = refresh.draw(rule.parameters, seed, OTHERS, tested.results) if tested.without_asker else total
    random = refresh.draw(rule.parameters, seed, RANDOM, tested.results)
    return smallest_count.hide(
        rule, files.encrypt, tested=tested.summed(others), random=random, counts=total
    ).to_bytes()


def masked_share(  # noqa: PLR0917 - a worker's task is its arguments
    opening: Opening,
    bits: int,
    position: int,
    dealt: SecretBytes,
    pads: dict[int, SecretBytes],
    randomness: SecretBytes,
    mask: Mask,
) -> bytes:
    """Return our decryption share of ``opening`` with our masks added."""
    parameters = opening.total.parameters
    ticket = DecryptionTicket(opening.digest(), randomness)
    masks = refresh.draw(parameters, mask.seed, mask.name, opening.total.results)
    protocol = RefreshProtocol(opening, bits)
    share = protocol.generate_share(ticket, position, unpack_dealt(parameters, dealt.reveal()), pads, masks)
    return share_to_bytes(share)


@dataclass(frozen=True)
class Mask:
    """Reserved bytes, and which of the masks drawn from them are meant."""

    seed: SecretBytes = field(repr=False)
    name: str


def check_hidden(tested: Tested, path: Path) -> None:
    """Raise ProtocolViolation unless the file is what a site may hide counts with."""
    Hidden.from_bytes(tested.rule, path.read_bytes(), tested.results)


def masked_numbers(parameters: ParameterSet, opening: Opening, bits: int, shares: dict[int, bytes]) -> Array:
    """Return what the quorum opens under all masks; raises ProtocolViolation for a malformed share."""
    level, results = opening.total.level, opening.total.results
    parsed = {position: share_from_bytes(parameters, data, level, results) for position, data in shares.items()}
    return RefreshProtocol(opening, bits).finish(parsed)


def pair(tested: Tested, keys: Path, paths: Sequence[Path], opened: dict[str, list[int]]) -> list[bytes]:
    """Return the two ciphertexts for the asker, from the quorum's hidden parts and the masked numbers by name."""
    rule = tested.rule
    files, seal = key_files(rule.parameters, keys), context(rule.parameters, rule.level)

    def relinearize(product: Array) -> Array:
        handle = seal.relinearize(seal.load(product), files.relinearization(rule.level))
        return seal.read(seal.switch(handle, product.shape[1] - 1))

    hidden = [Hidden.from_bytes(rule, path.read_bytes(), tested.results) for path in paths]
    numbers = {name: np.array(values, np.int64) for name, values in opened.items()}
    made = smallest_count.pair(
        hidden,
        tested=tested.summed(numbers[tested.masked[-1]], untested=rule.never_withheld),
        counts=numbers[TOTAL],
        relinearize=relinearize,
    )
    return [each.to_bytes() for each in made]
