"""What one site computes in each step of the ceremony, and the keys that come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.core.crypto import keygen, seal, threshold
from app.core.crypto.parameters import STANDARD_1
from app.core.crypto.ring import Array, fields
from app.core.query.keys import PUBLIC_KEY_FILE, relinearization_file
from tests.benchmarks.timing import Report
from tests.crypto_parties import Parties
from tests.sealed_datasets import write_early_keys

SITES, QUORUM = 3, 2
LEVELS = range(3, 9)


@dataclass(frozen=True)
class Keys:
    """Where the key files lie."""

    directory: Path

    @property
    def rotations(self) -> Path:
        """Rotation keys at the release level."""
        return self.directory / "rotation.3.seal"


def measure(report: Report, directory: Path) -> tuple[Parties, Keys]:
    """Measure every step for one site; return the federation and its keys."""
    people = Parties(STANDARD_1, SITES, QUORUM)
    report.once("tables of the nine primes", lambda: fields(STANDARD_1, STANDARD_1.all_primes))
    share = people.shares[0]
    for prime in STANDARD_1.all_primes:
        share.form(prime)
    public = report.once("public key: common polynomial", lambda: keygen.PublicKeyProtocol(STANDARD_1, people.crs))
    _share(report, "public key: share", lambda: public.generate_share(share, bytes(32)))
    relinearization = keygen.RelinearizationProtocol(STANDARD_1, people.crs)
    ones = [
        relinearization.generate_share_one(each, people.randomness(site, "relinearization"))
        for site, each in enumerate(people.shares, 1)
    ]
    first = _share(
        report,
        "relinearization key: share, round 1",
        lambda: relinearization.generate_share_one(share, people.randomness(1, "relinearization")),
    )
    sums = report.once("relinearization key: sum of 3 shares", lambda: relinearization.aggregate_shares(ones))
    second = _share(
        report,
        "relinearization key: share, round 2",
        lambda: relinearization.generate_share_two(share, people.randomness(1, "relinearization"), sums),
    )
    report.once("relinearization key: one site, both rounds, again", lambda: (first(), second()), wanted=0.5)
    rotation = keygen.RotationProtocol(STANDARD_1, people.crs)
    _share(report, "rotation keys: share", lambda: rotation.generate_share(share, bytes(32)), runs=1)
    dealing = threshold.ThresholdProtocol(STANDARD_1, QUORUM, SITES)
    _share(
        report,
        "dealing: three values",
        lambda: [dealing.generate_share(share, bytes(32), site) for site in range(1, SITES + 1)],
    )
    keys = Keys(directory / "keys")
    keys.directory.mkdir()
    (keys.directory / PUBLIC_KEY_FILE).write_bytes(people.public_key)
    _ = people.relinearization_key, people.rotation_keys
    report.once("writing relinearization keys at 3 … 8 primes", lambda: [_write(people, keys, k) for k in LEVELS])
    context = seal.context(STANDARD_1, 3)
    data = report.once(
        "writing rotation keys at 3 primes",
        lambda: context.switching_key_bytes(STANDARD_1.ring_degree, people.rotation_keys),
    )
    keys.rotations.write_bytes(data)
    write_early_keys(people, keys.directory)
    return people, keys


def _share(report: Report, name: str, make: Callable[[], Array | list[Array]], runs: int = 3) -> Callable[[], object]:
    report.time(name, make, runs=runs)
    return make


def _write(people: Parties, keys: Keys, level: int) -> None:
    data = seal.context(STANDARD_1, level).switching_key_bytes(1, {0: people.relinearization_key})
    (keys.directory / relinearization_file(level)).write_bytes(data)
