"""A federation whose secrets the test knows: every protocol is checked against the one ideal secret s = Σ sᵢ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from app.core.crypto import format as own_format
from app.core.crypto import keygen, release, ring, seal, threshold
from app.core.crypto.noise import Noise, NoiseModel
from app.core.crypto.parameters import EXTRACTION_PRIMES, INSECURE_TEST_PARAMETERS, ROTATION_PRIMES, ParameterSet
from app.core.crypto.ring import Array
from app.core.secret import SecretBytes


@dataclass(frozen=True, eq=False)
class Parties:
    """``sites`` key shares made from fixed seeds, and everything the ceremony makes of them."""

    parameters: ParameterSet
    sites: int
    quorum: int
    name: bytes = b"first"

    @property
    def crs(self) -> bytes:
        """The ceremony's common seed."""
        return (b"common seed " + self.name).ljust(32, b".")

    def seed(self, site: int) -> SecretBytes:
        """The key share seed of ``site`` (1-based)."""
        return SecretBytes(f"key share of {site} ".encode().ljust(24, b".") + self.name[:8].ljust(8, b"."))

    def randomness(self, site: int, purpose: str = "") -> bytes:
        """The 32 bytes that ``site`` keeps for one message."""
        return SecretBytes(b"fresh randomness of the tests...").derive(purpose, self.name + bytes([site])).reveal()

    @cached_property
    def shares(self) -> list[keygen.KeyShare]:
        """sᵢ in roster order."""
        return [keygen.KeyShare.from_seed(self.parameters, self.seed(site)) for site in range(1, self.sites + 1)]

    @cached_property
    def secret(self) -> keygen.KeyShare:
        """The single-party truth."""
        return keygen.KeyShare(self.parameters, sum(share.coefficients for share in self.shares))

    # --- what the ceremony makes --------------------------------------------------------------------------------

    @cached_property
    def public_key(self) -> bytes:
        """The collective public key in our own format."""
        protocol = keygen.PublicKeyProtocol(self.parameters, self.crs)
        shares = [protocol.generate_share(s, self.randomness(i, "public")) for i, s in enumerate(self.shares, 1)]
        return protocol.finish(protocol.aggregate_shares(shares))

    @cached_property
    def relinearization_key(self) -> Array:
        """The relinearization key, shape (levels, 2, primes, N)."""
        protocol = keygen.RelinearizationProtocol(self.parameters, self.crs)
        parties = [(share, self.randomness(i, "relinearization")) for i, share in enumerate(self.shares, 1)]
        one = protocol.aggregate_shares(protocol.generate_share_one(*party) for party in parties)
        two = protocol.aggregate_shares(protocol.generate_share_two(*party, one) for party in parties)
        return protocol.finish(one, two)

    @cached_property
    def rotation_keys(self) -> dict[int, Array]:
        """The rotation keys by SEAL's index (g − 1)/2."""
        protocol = keygen.RotationProtocol(self.parameters, self.crs)
        shares = (protocol.generate_share(s, self.randomness(i, "rotation")) for i, s in enumerate(self.shares, 1))
        return protocol.finish(protocol.aggregate_shares(shares))

    @cached_property
    def extraction_keys(self) -> dict[int, Array]:
        """The keys that extract columns, by SEAL's index, at all data primes."""
        _, protocol = keygen.rotation_protocols(self.parameters, self.crs, EXTRACTION_PRIMES)
        shares = (protocol.generate_share(s, self.randomness(i, "rotation")) for i, s in enumerate(self.shares, 1))
        return protocol.finish(protocol.aggregate_shares(shares))

    @cached_property
    def dealt(self) -> list[Array]:
        """σ_k in roster order."""
        protocol = threshold.ThresholdProtocol(self.parameters, self.quorum, self.sites)
        return [
            protocol.aggregate_shares(
                [protocol.generate_share(s, self.randomness(i, "dealing"), k) for i, s in enumerate(self.shares, 1)]
            )
            for k in range(1, self.sites + 1)
        ]

    def pad_keys(self, site: int, quorum: Sequence[int]) -> dict[int, SecretBytes]:
        """The pad keys that ``site`` shares with the others of ``quorum``."""
        root = SecretBytes(b"pad keys of the tests, a pair...")
        others = [other for other in quorum if other != site]
        return {o: root.derive("pair", self.name + bytes(sorted((site, o)))) for o in others}

    # --- using it -----------------------------------------------------------------------------------------------

    @lru_cache  # noqa: B019 - the parties live as long as the tests
    def encryptor(self, level: int) -> seal.BlockEncryptor:
        """An encryptor at the first ``level`` data primes."""
        return seal.BlockEncryptor(self.parameters, self.public_key, level)

    def keys_at(self, level: int, directory: Path) -> tuple[seal.Context, object]:
        """The context of ``level`` and the relinearization key cut to it."""
        context = seal.context(self.parameters, level)
        path = directory / f"relinearization-{level}"
        path.write_bytes(context.switching_key_bytes(1, {0: self.relinearization_key}))
        return context, context.load_relinearization_key(path)

    def rotations_at(self, level: int, directory: Path) -> tuple[seal.Context, object]:
        """The context of ``level`` and the rotation keys cut to it."""
        context = seal.context(self.parameters, level)
        path = directory / f"rotations-{level}"
        path.write_bytes(context.switching_key_bytes(self.parameters.ring_degree, self.rotation_keys))
        return context, context.load_rotation_keys(path)

    def extractions_at(self, level: int, directory: Path) -> tuple[seal.Context, object]:
        """The context of ``level`` and the keys that extract columns cut to it."""
        context = seal.context(self.parameters, level)
        path = directory / f"extractions-{level}"
        path.write_bytes(context.switching_key_bytes(self.parameters.ring_degree, self.extraction_keys))
        return context, context.load_rotation_keys(path)

    def ticket(self, opening: release.Opening, site: int) -> release.DecryptionTicket:
        """A ticket as the share ledger would hand it out."""
        return release.DecryptionTicket(opening.digest(), SecretBytes(self.randomness(site, opening.digest().hex())))

    def share(self, protocol: release.DecryptionProtocol, site: int) -> Array:
        """The honest decryption share of ``site``."""
        pads = self.pad_keys(site, protocol.opening.quorum)
        return protocol.generate_share(self.ticket(protocol.opening, site), site, self.dealt[site - 1], pads)

    def open(
        self,
        contributions: Sequence[release.Contribution],
        noise_bits: float,
        quorum: Sequence[int] | None = None,
        session: bytes = b"session",
    ) -> list[int]:
        """The whole release of the sum of ``contributions``, through the bytes of every message."""
        level, results = contributions[0].level, contributions[0].results
        sent = [release.Contribution.from_bytes(self.parameters, c.to_bytes(), level, results) for c in contributions]
        quorum = tuple(quorum or range(1, self.quorum + 1))
        opening = release.Opening(session, 1, quorum, release.aggregate_contributions(sent))
        bound = release.total_noise_bound(self.parameters, self.sites, len(sent), noise_bits)
        protocol = release.DecryptionProtocol(opening, release.flooding_bits(self.parameters, bound, results))
        shares = {site: release.share_to_bytes(self.share(protocol, site)) for site in quorum}
        return protocol.finish(
            {k: release.share_from_bytes(self.parameters, data, level, results) for k, data in shares.items()}
        )

    # --- the truth ----------------------------------------------------------------------------------------------

    def phase(self, ciphertext: Array) -> Array:
        """c0 + c1·s + c2·s² + …, centred, as Python integers; shape (N,). ``ciphertext`` is (size, k, N)."""
        return phase(self.parameters, ciphertext, self.secret)

    def noise(self, ciphertext: Array) -> int:
        """The greatest magnitude of the phase, which a release floods: noise and plaintext together."""
        return int(max(abs(value) for value in self.phase(ciphertext)))

    def decrypt(self, ciphertext: Array) -> Array:
        """The slots, in NTT order modulo t."""
        return slots(self.parameters, self.phase(ciphertext))

    @property
    def model(self) -> NoiseModel:
        """The bounds that the program's plans rest on."""
        return NoiseModel(self.parameters, self.sites)

    def within(self, ciphertext: Array, bound: Noise) -> bool:
        """Is the phase within the bound, in its greatest coefficient and its root mean square?"""
        phase_ = self.phase(ciphertext).astype(float) / self.parameters.plain_modulus
        return bool(np.abs(phase_).max() <= bound.peak and np.sqrt(np.mean(phase_**2)) <= bound.size)


@lru_cache(maxsize=32)
def parties(
    sites: int, quorum: int | None = None, parameters: ParameterSet = INSECURE_TEST_PARAMETERS, name: bytes = b"first"
) -> Parties:
    """The (cached) federation of so many sites; all of them open together unless said otherwise."""
    return Parties(parameters, sites, quorum or sites, name)


def lift(residues: Array, primes: Sequence[int]) -> Array:
    """Residues (k, N) to centred Python integers (N,)."""
    modulus = math.prod(primes)
    total = np.zeros(residues.shape[1], object)
    for row, prime in zip(residues, primes, strict=True):
        total += row.astype(object) * ((modulus // prime) * pow(modulus // prime, -1, prime))
    total %= modulus
    return np.where(total > modulus // 2, total - modulus, total)


def phase(parameters: ParameterSet, ciphertext: Array, secret: keygen.KeyShare) -> Array:
    """Σ c_i·s^i of a ciphertext (size, k, N) in NTT form, as centred Python integers (N,)."""
    primes = parameters.data_primes[: ciphertext.shape[1]]
    rows = []
    for index, field in enumerate(ring.fields(parameters, primes)):
        value = ciphertext[-1, index]
        for part in ciphertext[-2::-1, index]:
            value = field.add(field.multiply(value, secret.form(field.modulus)), part)
        rows.append(field.backward(value))
    return lift(np.stack(rows), primes)


def slots(parameters: ParameterSet, phase_: Array) -> Array:
    """The slot values of a phase, in NTT order modulo t."""
    plain = (phase_ % parameters.plain_modulus).astype(np.int64)
    return ring.field(parameters.plain_modulus, parameters.ring_degree).forward(plain)


def multiply(parameters: ParameterSet, left: Array, right: Array) -> Array:
    """The product (3, k, N) of two ciphertexts (2, k, N)."""
    fields = ring.fields(parameters, parameters.data_primes[: left.shape[1]])
    product = np.empty((3, *left.shape[1:]), np.int64)
    for i, field in enumerate(fields):
        product[0, i] = field.multiply(left[0, i], right[0, i])
        cross = field.multiply(left[0, i], right[1, i])
        product[1, i] = field.add(cross, field.multiply(left[1, i], right[0, i]))
        product[2, i] = field.multiply(left[1, i], right[1, i])
    return product


def column(parameters: ParameterSet, seed: int) -> Array:
    """A reproducible column of zeros and ones."""
    return np.random.default_rng(seed).integers(0, 2, parameters.slots)


def residues_of(parameters: ParameterSet, public_key: bytes) -> Array:
    """The public key as an array (2, all primes, N)."""
    return own_format.unpack_polynomials(parameters, parameters.all_primes, 2, public_key)


ROTATION_LEVELS = range(2, ROTATION_PRIMES + 1)
