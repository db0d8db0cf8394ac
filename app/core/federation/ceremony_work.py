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
from app.core.crypto.keygen import KeyShare, PublicKeyProtocol, RelinearizationProtocol, RotationProtocol
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
from app.core.federation.check import known_value
from app.core.files import write_atomic
from app.core.secret import SecretBytes

LEAST_RELINEARIZATION_LEVEL = 3
"""Products are relinearized at three data primes or more."""


def share_shape(parameters: ParameterSet, round_: str) -> tuple[tuple[int, ...], int]:
    """Return (primes, polynomials) of a share of the public key, relinearization or rotation rounds."""
    if round_ == "public key":
        return parameters.all_primes, 1
    if round_ == "relinearization 1":
        return parameters.all_primes, 2 * parameters.levels
    if round_ == "relinearization 2":
        return parameters.all_primes, parameters.levels
    return parameters.key_primes(ROTATION_PRIMES), ROTATION_PRIMES * len(parameters.rotation_elements)


def _shares(parameters: ParameterSet, round_: str, paths: Sequence[Path]) -> Iterator[Array]:
    primes, count = share_shape(parameters, round_)
    for path in paths:
        yield crypto_format.unpack_polynomials(parameters, primes, count, path.read_bytes())


def check_share(name: str, round_: str, path: Path) -> None:
    """Raise ProtocolViolation ``format.*`` unless the file is a well-formed share of the round."""
    for _ in _shares(registry.get(name), round_, [path]):
        pass


def generate_share(  # noqa: PLR0917 - a worker's task is its arguments
    name: str, round_: str, crs: bytes, seed: SecretBytes, randomness: SecretBytes, round_one: Sequence[Path] = ()
) -> bytes:
    """Return our share of a key-generation round; the second relinearization round needs everyone's first."""
    parameters = registry.get(name)
    share = KeyShare.from_seed(parameters, seed)
    primes, _ = share_shape(parameters, round_)
    fresh = randomness.reveal()
    if round_ == "public key":
        array = PublicKeyProtocol(parameters, crs).generate_share(share, fresh)
    elif round_ == "relinearization 1":
        array = RelinearizationProtocol(parameters, crs).generate_share_one(share, fresh)
    elif round_ == "relinearization 2":
        protocol = RelinearizationProtocol(parameters, crs)
        sums = protocol.aggregate_shares(_shares(parameters, "relinearization 1", round_one))
        array = protocol.generate_share_two(share, fresh, sums)
    else:
        array = RotationProtocol(parameters, crs).generate_share(share, fresh)
    return crypto_format.pack_polynomials(parameters, primes, array)


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


def build_keys(name: str, crs: bytes, directory: Path, shares: dict[str, list[Path]]) -> None:
    """Write the collective keys in SEAL's own bytes, cut for each level that queries use.

    ``public_key.bin`` is in our format; ``relinearization.<level>.seal`` and ``rotation.<level>.seal`` are loaded by
    path.
    """
    parameters = registry.get(name)
    public = PublicKeyProtocol(parameters, crs)
    total = public.aggregate_shares(_shares(parameters, "public key", shares["public key"]))
    write_atomic(directory / "public_key.bin", public.finish(total))

    relinearization = RelinearizationProtocol(parameters, crs)
    one = relinearization.aggregate_shares(_shares(parameters, "relinearization 1", shares["relinearization 1"]))
    two = relinearization.aggregate_shares(_shares(parameters, "relinearization 2", shares["relinearization 2"]))
    key = relinearization.finish(one, two)
    del one, two
    for level in range(LEAST_RELINEARIZATION_LEVEL, parameters.levels + 1):
        data = seal.context(parameters, level).switching_key_bytes(1, {0: key})
        write_atomic(directory / f"relinearization.{level}.seal", data)
    del key

    rotation = RotationProtocol(parameters, crs)
    keys = rotation.finish(rotation.aggregate_shares(_shares(parameters, "rotation", shares["rotation"])))
    for level in (RELEASE_PRIMES, ROTATION_PRIMES):
        data = seal.context(parameters, level).switching_key_bytes(parameters.ring_degree, keys)
        write_atomic(directory / f"rotation.{level}.seal", data)


def check_ciphertext(name: str, keys: Path, transcript: bytes, window: int) -> tuple[bytes, int]:
    """Return the bytes of the window's known ciphertext and its value."""
    known = known_value(registry.get(name), keys, transcript, window)
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
