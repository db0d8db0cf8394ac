"""The vectors of the collective encryption's formats, in ``crypto/``, and how they were made.

``python -m tests.vectors.make_crypto_vectors`` writes them once. It refuses to replace any: a released vector must keep
loading, and a new version of a format gets vectors of its own beside it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.core.crypto import format as own_format
from app.core.crypto import keygen, release, sampling, threshold
from app.core.crypto.keygen import KeyShare
from app.core.crypto.parameters import EXTRACTION_PRIMES, INSECURE_TEST_PARAMETERS, RELEASE_PRIMES
from app.core.crypto.release import Contribution, DecryptionProtocol, DecryptionTicket, Opening
from app.core.crypto.ring import Array
from app.core.secret import SecretBytes

DIRECTORY = Path(__file__).parent / "crypto"
EXPECTED = "expected-v1.json"

P = INSECURE_TEST_PARAMETERS
CRS = b"common seed of the vectors".ljust(32, b".")
SEED = SecretBytes(bytes(range(32)))
RANDOMNESS = bytes(range(32, 64))
PAD_KEYS = {2: SecretBytes(bytes(range(64, 96))), 5: SecretBytes(bytes(range(96, 128)))}
COLUMN_LEVEL, COLUMN_INDEX = 5, 3
CONTRIBUTION_LEVEL, CONTRIBUTION_RESULTS = 2, 4
QUORUM, POSITION, FLOODING_BITS = (2, 3, 5), 3, 80


def _uniform(name: str, primes: tuple[int, ...], count: int) -> Array:
    """Residues of shape (len(primes), count)."""
    return np.stack([sampling.uniform(b"vectors", name, (prime,), prime, count) for prime in primes])


def sha256(array: Array) -> str:
    """The SHA-256 of an array as 64-bit little-endian numbers in C order."""
    return hashlib.sha256(np.ascontiguousarray(array, "<i8").tobytes()).hexdigest()


def share() -> KeyShare:
    """The key share of the vectors."""
    return KeyShare.from_seed(P, SEED)


def public_key() -> bytes:
    """The public key of a federation of this one share."""
    protocol = keygen.PublicKeyProtocol(P, CRS)
    return protocol.finish(protocol.generate_share(share(), RANDOMNESS))


def contribution() -> Contribution:
    """A contribution of uniform residues at two primes."""
    primes = P.data_primes[:CONTRIBUTION_LEVEL]
    mask, values = _uniform("mask", primes, P.ring_degree), _uniform("values", primes, CONTRIBUTION_RESULTS)
    return Contribution(P, mask, values)


def decryption_share() -> Array:
    """The share of site 3 in quorum (2, 3, 5) at three primes: pads and flooding are the same in every version."""
    primes = P.data_primes[:RELEASE_PRIMES]
    total = Contribution(P, _uniform("c1", primes, P.ring_degree), _uniform("c0", primes, 4))
    opening = Opening(b"session of the vectors", 1, QUORUM, total)
    ticket = DecryptionTicket(opening.digest(), SecretBytes(RANDOMNESS))
    dealt = threshold.ThresholdProtocol(P, 3, 5).generate_share(share(), RANDOMNESS, POSITION)
    return DecryptionProtocol(opening, FLOODING_BITS).generate_share(ticket, POSITION, dealt, PAD_KEYS)


def files() -> dict[str, Callable[[], bytes]]:
    """The blobs by file name."""
    column = _uniform("column", (P.data_primes[COLUMN_INDEX],), 2 * P.ring_degree).reshape(2, P.ring_degree)
    key = own_format.unpack_polynomials(P, P.all_primes, 2, public_key())
    cut = key[:, [0, len(P.all_primes) - 1]]
    return {
        "column-v1.bin": lambda: own_format.pack_residue(P, COLUMN_LEVEL, COLUMN_INDEX, column),
        "column-shared-v1.bin": lambda: own_format.pack_residue(P, COLUMN_LEVEL, COLUMN_INDEX, column, columns=64),
        "polynomials-v1.bin": lambda: own_format.pack_polynomials(P, P.key_primes(1), cut),
        "polynomials-dealt-v1.bin": lambda: own_format.pack_polynomials(P, P.data_primes[:1], key[:1, :1]),
        "contribution-v1.bin": lambda: contribution().to_bytes(),
        "share-v1.bin": lambda: release.share_to_bytes(decryption_share()),
    }


def decoded(name: str, data: bytes) -> Array:
    """What the blob in the file ``name`` must decode to, as one flat array."""
    if name.startswith("column"):
        columns = 64 if "shared" in name else 1
        return own_format.unpack_residue(P, data, COLUMN_LEVEL, COLUMN_INDEX, columns).reshape(-1)
    if name == "polynomials-v1.bin":
        return own_format.unpack_polynomials(P, P.key_primes(1), 2, data).reshape(-1)
    if name == "polynomials-dealt-v1.bin":
        return own_format.unpack_polynomials(P, P.data_primes[:1], 1, data).reshape(-1)
    if name == "contribution-v1.bin":
        part = Contribution.from_bytes(P, data, CONTRIBUTION_LEVEL, CONTRIBUTION_RESULTS)
        return np.concatenate([part.mask.reshape(-1), part.values.reshape(-1)])
    return release.share_from_bytes(P, data, RELEASE_PRIMES, 4).reshape(-1)


def derived() -> dict[str, str]:
    """Hashes of what is computed from fixed seeds and must never change: see the comments."""
    relinearization = keygen.RelinearizationProtocol(P, CRS)
    one = relinearization.generate_share_one(share(), RANDOMNESS)
    dealing = threshold.ThresholdProtocol(P, 3, 5)
    return {
        "key share": sha256(share().coefficients),  # only its seed is stored, for years
        "public key": hashlib.sha256(public_key()).hexdigest(),  # a ceremony may go on after an update
        "relinearization 1": sha256(one),
        "relinearization 2": sha256(relinearization.generate_share_two(share(), RANDOMNESS, one)),
        "rotation": sha256(keygen.RotationProtocol(P, CRS).generate_share(share(), RANDOMNESS)),
        "dealing": sha256(dealing.generate_share(share(), RANDOMNESS, POSITION)),
        "decryption share": sha256(decryption_share()),  # pads of two versions must cancel
    }


def derived_2() -> dict[str, str]:
    """What ceremonies make since columns may share a ciphertext; in a file of its own, ``expected-v2.json``."""
    others, extracting = keygen.rotation_protocols(P, CRS, EXTRACTION_PRIMES)
    return {
        "rotation": sha256(others.generate_share(share(), RANDOMNESS)),
        "extraction": sha256(extracting.generate_share(share(), RANDOMNESS)),
    }


def main() -> int:
    """Write everything, or nothing if anything is there."""
    existing = sorted(path.name for path in DIRECTORY.glob("*-v1.*"))
    if existing:
        sys.stderr.write(f"never overwritten: {', '.join(existing)}\n")
        return 1
    DIRECTORY.mkdir(exist_ok=True)
    hashes = {}
    for name, make in files().items():
        data = make()
        (DIRECTORY / name).write_bytes(data)
        hashes[name] = sha256(decoded(name, data))
    expected = {"decoded": hashes, "derived": derived()}
    (DIRECTORY / EXPECTED).write_text(json.dumps(expected, indent=2) + "\n", encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
