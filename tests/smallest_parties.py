"""A quorum whose secrets the test knows, withholding small counts as its workers do: bytes in, bytes out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.core.codec import digest
from app.core.crypto import format as own_format
from app.core.crypto import refresh, release
from app.core.crypto.parameters import RELEASE_PRIMES
from app.core.crypto.release import Contribution, Opening
from app.core.federation import ceremony_work, smallest_work
from app.core.federation.smallest_work import OTHERS, TOTAL, Mask, Tested
from app.core.secret import SecretBytes
from tests.crypto_parties import Parties

NOISE_BITS = 50


@dataclass
class SmallestParties:
    """One query of site 1, contributed to by all and opened by ``quorum``.

    ``seconds`` is what it takes each site of the quorum one after the other, as if they worked at once: the slowest of
    every round; ``bytes`` is what each sends to every other.
    """

    people: Parties
    keys: Path
    quorum: tuple[int, ...]
    least: int = 11
    zeros: bool = False
    directory: Path = Path()
    seconds: dict[str, float] = field(default_factory=dict)
    bytes: int = 0

    def contribution(self, numbers: Sequence[int]) -> Contribution:
        """One site's contribution of these numbers by place."""
        zero = self.people.encryptor(RELEASE_PRIMES).encrypt_zero()
        return release.make_contribution(self.people.parameters, np.zeros_like(zero), len(numbers), numbers, zero)

    def asked(self, session: bytes, contributions: Sequence[Contribution]) -> list[int | None]:
        """The whole of it: the numbers by place that site 1 reads."""
        results = contributions[0].results
        places = tuple((place,) for place in range(results))
        tested = Tested(self.people.parameters.name, self.least, self.zeros, places, without_asker=True)
        parts = {TOTAL: contributions, OTHERS: contributions[1:]}
        openings = {name: self._opening(session + name.encode(), each) for name, each in parts.items()}
        bits = refresh.masked_flooding_bits(
            self.people.parameters,
            sites=self.people.sites,
            contributors=len(contributions),
            noise_bits=NOISE_BITS,
            quorum=len(self.quorum),
            results=results,
        )
        hidden, shares = [], {name: {} for name in parts}
        for site in self.quorum:
            with self._timed("hide"):
                seed = SecretBytes(self.people.randomness(site, session.hex()))
                hidden.append(self._blob(smallest_work.hide(tested, self.keys, seed)))
                for name, opening in openings.items():
                    given = self._given(opening, bits, site)
                    shares[name][site] = smallest_work.masked_share(*given, Mask(seed, name))
        self.bytes = hidden[0].stat().st_size + sum(len(each[self.quorum[0]]) for each in shares.values())
        answers, pair_bits = {}, tested.rule.flooding_bits(self.people.sites, len(self.quorum), results)
        for site in self.quorum:
            with self._timed("pair"):
                opened = {
                    name: smallest_work.masked_numbers(self.people.parameters, opening, bits, shares[name]).tolist()
                    for name, opening in openings.items()
                }
                made = smallest_work.pair(tested, self.keys, hidden, opened)
                pair = [self._read(session + bytes([n]), data, results) for n, data in enumerate(made)]
                answers[site] = (
                    pair,
                    [ceremony_work.decryption_share(*self._given(each, pair_bits, site)) for each in pair],
                )
        with self._timed("read"):
            return self._combined(tested, answers)

    def _combined(self, tested: Tested, answers: dict[int, tuple[list[Opening], list[bytes]]]) -> list[int | None]:
        assert len({tuple(each.digest() for each in pair) for pair, _ in answers.values()}) == 1
        pair, _ = answers[self.quorum[0]]
        opened = []
        for place, opening in enumerate(pair):
            parsed = [
                release.share_from_bytes(self.people.parameters, each[place], RELEASE_PRIMES, tested.results)
                for _, each in answers.values()
            ]
            opened.append(release.opened_coefficients(self.people.parameters, opening.total.values, parsed))
        return tested.rule.read(*opened)

    def _opening(self, session: bytes, contributions: Sequence[Contribution]) -> Opening:
        return Opening(session, 1, self.quorum, release.aggregate_contributions(contributions))

    def _read(self, session: bytes, data: bytes, results: int) -> Opening:
        total = Contribution.from_bytes(self.people.parameters, data, RELEASE_PRIMES, results)
        return Opening(session, 1, self.quorum, total)

    def _given(
        self, opening: Opening, bits: int, site: int
    ) -> tuple[Opening, int, int, SecretBytes, dict[int, SecretBytes], SecretBytes]:
        parameters = self.people.parameters
        primes = parameters.data_primes[:RELEASE_PRIMES]
        dealt = own_format.pack_polynomials(parameters, primes, self.people.dealt[site - 1][None])
        randomness = SecretBytes(self.people.randomness(site, opening.digest().hex()))
        return opening, bits, site, SecretBytes(dealt), self.people.pad_keys(site, self.quorum), randomness

    def _blob(self, data: bytes) -> Path:
        path = self.directory / digest(data).hex()
        path.write_bytes(data)
        return path

    def _timed(self, name: str) -> _Timed:
        return _Timed(self.seconds, name)


class _Timed:
    """Keeps the longest time of a name."""

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds, self._name, self._began = seconds, name, 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        taken = time.perf_counter() - self._began
        self._seconds[self._name] = max(taken, self._seconds.get(self._name, 0.0))
