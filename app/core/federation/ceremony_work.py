"""The ceremony's computing, as plain functions for a worker process: bytes and paths in, bytes out.

Nothing here knows about messages or databases. A worker can be killed at any time: whatever it was computing is
computed again from the same stored randomness, to the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from app.core.crypto import format as crypto_format
from app.core.crypto import parameters as registry
from app.core.crypto import seal
from app.core.crypto.keygen import KeyShare, PublicKeyProtocol, RelinearizationProtocol, rotation_protocols
from app.core.crypto.parameters import RELEASE_PRIMES, ROTATION_PRIMES, ParameterSet
from app.core.crypto.release import (
    Contribution,
    DecryptionProtocol,
    DecryptionTicket,
    Opening,
    aggregate_contributions,
    make_contribution,
    share_to_bytes,
)
from app.core.crypto.ring import Array
from app.core.crypto.threshold import ThresholdProtocol
from app.core.errors import ProtocolViolation
from app.core.federation import rounds
from app.core.federation.check import known_value
from app.core.files import write_atomic
from app.core.query.early_nodes import TOGETHER
from app.core.query.keys import EARLY_FILE, extraction_file
from app.core.secret import SecretBytes

LEAST_RELINEARIZATION_LEVEL = 3
"""Products are relinearized at three data primes or more."""

LEAST_EXTRACTION_LEVEL = 4
"""Columns are extracted one prime above the level of the products that follow, which is three or more."""


def share_shapes(parameters: ParameterSet, round_: str, extraction: int = 0) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Return (primes, polynomials) of each part of a share of the public key, relinearization or rotation rounds.

    A share of the rotation keys has two parts, one after the other, where the ceremony makes keys that extract columns
    at the level ``extraction``; all other shares are one.
    """
    if round_ == rounds.PUBLIC_KEY:
        return ((parameters.all_primes, 1),)
    if round_ == rounds.RELINEARIZATION_1:
        return ((parameters.all_primes, 2 * parameters.levels),)
    if round_ == rounds.RELINEARIZATION_2:
        return ((parameters.all_primes, parameters.levels),)
    return tuple((each.primes, each.components) for each in rotation_protocols(parameters, bytes(32), extraction))


def _shares(
    parameters: ParameterSet, round_: str, paths: Sequence[Path], *, extraction: int = 0, part: int = 0
) -> Iterator[Array]:
    """Yield one part of every share, read when its turn comes."""
    shapes = share_shapes(parameters, round_, extraction)
    sizes = [crypto_format.polynomials_size(parameters, primes, count) for primes, count in shapes]
    first = sum(sizes[:part])
    primes, count = shapes[part]
    for path in paths:
        data = memoryview(path.read_bytes())
        if len(data) != sum(sizes):
            raise ProtocolViolation("format.wrong_size", size=len(data), expected=sum(sizes))
        yield crypto_format.unpack_polynomials(parameters, primes, count, data[first : first + sizes[part]])


def check_share(name: str, round_: str, path: Path, extraction: int = 0) -> None:
    """Raise ProtocolViolation ``format.*`` unless the file is a well-formed share of the round."""
    parameters = registry.get(name)
    for part in range(len(share_shapes(parameters, round_, extraction))):
        for _ in _shares(parameters, round_, [path], extraction=extraction, part=part):
            pass


def generate_share(  # noqa: PLR0917 - a worker's task is its arguments
    name: str,
    round_: str,
    crs: bytes,
    seed: SecretBytes,
    randomness: SecretBytes,
    round_one: Sequence[Path] = (),
    extraction: int = 0,
) -> bytes:
    """Return our share of a key-generation round; the second relinearization round needs everyone's first."""
    parameters = registry.get(name)
    share = KeyShare.from_seed(parameters, seed)
    fresh = randomness.reveal()
    if round_ == rounds.ROTATION:
        return b"".join(
            crypto_format.pack_polynomials(parameters, each.primes, each.generate_share(share, fresh))
            for each in rotation_protocols(parameters, crs, extraction)
        )
    if round_ == rounds.PUBLIC_KEY:
        array = PublicKeyProtocol(parameters, crs).generate_share(share, fresh)
    elif round_ == rounds.RELINEARIZATION_1:
        array = RelinearizationProtocol(parameters, crs).generate_share_one(share, fresh)
    else:
        protocol = RelinearizationProtocol(parameters, crs)
        sums = protocol.aggregate_shares(_shares(parameters, rounds.RELINEARIZATION_1, round_one))
        array = protocol.generate_share_two(share, fresh, sums)
    return crypto_format.pack_polynomials(parameters, parameters.all_primes, array)


def deal(name: str, seed: SecretBytes, randomness: SecretBytes, quorum: int, sites: int) -> list[bytes]:
    """Return the value dealt to each site, in roster order."""
    parameters = registry.get(name)
    protocol = ThresholdProtocol(parameters, quorum, sites)
    share = KeyShare.from_seed(parameters, seed)
    primes = parameters.data_primes[:RELEASE_PRIMES]
    return [
        crypto_format.pack_polynomials(
            parameters, primes, protocol.generate_share(share, randomness.reveal(), position)[None]
        )
        for position in range(1, sites + 1)
    ]


def unpack_dealt(parameters: ParameterSet, data: bytes) -> Array:
    """Return a dealt value, or a sum of them, shape (3, N); raises ProtocolViolation ``format.*``."""
    primes = parameters.data_primes[:RELEASE_PRIMES]
    value: Array = crypto_format.unpack_polynomials(parameters, primes, 1, data)[0]
    return value


def collect_dealt(name: str, quorum: int, values: Sequence[bytes]) -> bytes:
    """Return our dealt share σ from the values that all sites dealt to us."""
    parameters = registry.get(name)
    protocol = ThresholdProtocol(parameters, quorum, len(values))
    total = protocol.aggregate_shares([unpack_dealt(parameters, value) for value in values])
    return crypto_format.pack_polynomials(parameters, parameters.data_primes[:RELEASE_PRIMES], total[None])


def build_keys(name: str, crs: bytes, directory: Path, shares: dict[str, list[Path]], extraction: int = 0) -> None:
    """Write the collective keys in SEAL's own bytes, cut for each level that queries use.

    ``public_key.bin`` is in our format; ``relinearization.<level>.seal``, ``rotation.<level>.seal``,
    ``packing.<level>.seal`` and ``extraction.<level>.seal`` are loaded by path.
    """
    parameters = registry.get(name)
    public = PublicKeyProtocol(parameters, crs)
    total = public.aggregate_shares(_shares(parameters, rounds.PUBLIC_KEY, shares[rounds.PUBLIC_KEY]))
    write_atomic(directory / "public_key.bin", public.finish(total))

    relinearization = RelinearizationProtocol(parameters, crs)
    one, two = (
        relinearization.aggregate_shares(_shares(parameters, round_, shares[round_]))
        for round_ in (rounds.RELINEARIZATION_1, rounds.RELINEARIZATION_2)
    )
    key = relinearization.finish(one, two)
    del one, two
    for level in range(LEAST_RELINEARIZATION_LEVEL, parameters.levels + 1):
        data = seal.context(parameters, level).switching_key_bytes(1, {0: key})
        write_atomic(directory / f"relinearization.{level}.seal", data)
    del key, data

    keys: dict[int, Array] = {}  # 155 MB at the parameters of production, whatever the number of sites
    for part, protocol in enumerate(rotation_protocols(parameters, crs, extraction)):
        parts = _shares(parameters, rounds.ROTATION, shares[rounds.ROTATION], extraction=extraction, part=part)
        keys |= protocol.finish(protocol.aggregate_shares(parts))
    for level in (RELEASE_PRIMES, ROTATION_PRIMES):
        data = seal.context(parameters, level).switching_key_bytes(parameters.ring_degree, keys)
        write_atomic(directory / f"rotation.{level}.seal", data)
        del data
    lowest = {height: keys[height] for height in (1 << each for each in range(max(TOGETHER).bit_length() - 1))}
    data = seal.context(parameters, ROTATION_PRIMES).switching_key_bytes(parameters.ring_degree, lowest)
    write_atomic(directory / EARLY_FILE, data)
    del lowest, data
    if extraction:
        extracting = {(element - 1) // 2: keys[(element - 1) // 2] for element in parameters.extraction_elements}
        del keys
        for level in range(LEAST_EXTRACTION_LEVEL, extraction + 1):
            data = seal.context(parameters, level).switching_key_bytes(parameters.ring_degree, extracting)
            write_atomic(directory / extraction_file(level), data)
            del data


def check_ciphertext(  # noqa: PLR0917 - a worker's task is its arguments
    name: str, keys: Path, transcript: bytes, window: int, extraction: int = 0
) -> tuple[bytes, int]:
    """Return the bytes of the window's known ciphertext and its value."""
    known = known_value(registry.get(name), keys, transcript, window, extraction)
    return known.contribution.to_bytes(), known.value


def rerandomise(name: str, keys: Path, contribution: bytes, results: int) -> bytes:
    """Return the same contribution with another fresh encryption of zero added, for another attempt."""
    parameters = registry.get(name)
    first = Contribution.from_bytes(parameters, contribution, RELEASE_PRIMES, results)
    encryptor = seal.BlockEncryptor(parameters, (keys / "public_key.bin").read_bytes(), RELEASE_PRIMES)
    zero = encryptor.encrypt_zero()
    fresh = make_contribution(parameters, np.zeros_like(zero), results, (), zero)
    return aggregate_contributions([first, fresh]).to_bytes()


def decryption_share(  # noqa: PLR0917 - a worker's task is its arguments
    opening: Opening,
    bits: int,
    position: int,
    dealt: SecretBytes,
    pads: dict[int, SecretBytes],
    randomness: SecretBytes,
) -> bytes:
    """Return our decryption share of ``opening``; ``randomness`` is what the share ledger reserved for it."""
    parameters = opening.total.parameters
    ticket = DecryptionTicket(opening.digest(), randomness)
    protocol = DecryptionProtocol(opening, bits)
    share = protocol.generate_share(ticket, position, unpack_dealt(parameters, dealt.reveal()), pads)
    return share_to_bytes(np.asarray(share))
