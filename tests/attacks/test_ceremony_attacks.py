"""Attacks on the making of the keys. Each succeeds when its counter-measure is left out, and fails with it."""

from __future__ import annotations

import hashlib

import numpy as np

from app.core.crypto import format as own_format
from app.core.crypto import keygen, ring, seal
from app.core.crypto.keygen import KeyShare, PublicKeyProtocol, RelinearizationProtocol
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS
from app.core.crypto.ring import Array
from app.core.secret import SecretBytes
from tests.crypto_parties import column, lift, parties, phase, slots

P = INSECURE_TEST_PARAMETERS
N, T = P.ring_degree, P.plain_modulus
FIELDS = ring.fields(P, P.all_primes)


# --- one error stream in two ceremonies --------------------------------------------------------------------------


def public_share(share: KeyShare, crs: bytes, errors: bytes) -> Array:
    """bᵢ = −(a·sᵢ + t·eᵢ) with the errors drawn from ``errors`` and nothing else, shape (1, primes, N)."""
    common = keygen.common_polynomial(P, crs, "public key", (), P.all_primes)
    noise = keygen._noise(P, errors, "public key error", ())
    rows = []
    for index, field in enumerate(FIELDS):
        total = field.add(field.multiply(common[index], share.form(field.modulus)), field.forward(noise))
        rows.append(field.subtract(np.zeros_like(total), total))
    return np.stack(rows)[None]


def divide(first: Array, second: Array, crs: tuple[bytes, bytes]) -> Array:
    """(b − b′)/(a′ − a), centred: the secret, if both shares had the same error."""
    field = FIELDS[0]
    a, a_ = (keygen.common_polynomial(P, seed, "public key", (), P.all_primes)[0] for seed in crs)
    divisor = field.subtract(a_, a)
    inverse = np.array([pow(int(value), -1, field.modulus) for value in divisor])
    quotient = field.backward(field.multiply(field.subtract(first[0, 0], second[0, 0]), inverse))
    return np.where(quotient > field.modulus // 2, quotient - field.modulus, quotient)


def test_an_error_stream_used_twice_gives_the_secret_by_one_division() -> None:
    share, randomness = parties(2).shares[0], b"the same 32 bytes, used twice..."
    crs = (b"first ceremony".ljust(32), b"second ceremony".ljust(32))
    reused = [public_share(share, seed, randomness) for seed in crs]
    assert (divide(*reused, crs) == share.coefficients).all()

    # the program binds the stream to the ceremony: even the same stored bytes give other errors
    bound = [PublicKeyProtocol(P, seed).generate_share(share, randomness) for seed in crs]
    assert (
        bound[0] == public_share(share, crs[0], keygen._bound(randomness, crs[0]))
    ).all()  # and nothing else changed
    quotient = divide(*bound, crs)
    assert (quotient == share.coefficients).mean() < 0.01
    assert np.abs(quotient).max() > 2**40


# --- rounds without commitment -------------------------------------------------------------------------------------


def commitment(share: Array) -> bytes:
    """What the ceremony makes everyone send before anybody reveals anything."""
    return hashlib.sha256(own_format.pack_polynomials(P, P.all_primes, share)).digest()


def rogue_share(others: list[Array], crs: bytes, own: KeyShare) -> Array:
    """The share that makes the sum a key to ``own`` alone: (its public key) − Σ (the others' shares)."""
    wanted = PublicKeyProtocol(P, crs).generate_share(own, b"r" * 32)
    rest = keygen.aggregate_shares(P.all_primes, others)
    return (wanted - rest) % np.array(P.all_primes)[None, :, None]


def test_without_commitment_the_last_to_speak_chooses_the_public_key() -> None:
    team, protocol = parties(3), PublicKeyProtocol(P, parties(3).crs)
    honest = [protocol.generate_share(team.shares[site], team.randomness(site)) for site in (0, 1)]
    own = KeyShare.from_seed(P, SecretBytes(b"the attacker's own secret, alone"))
    values = column(P, 1)

    # the attacker speaks last, having seen the others: every patient is sealed to the attacker alone
    rogue = rogue_share(honest, team.crs, own)
    key = protocol.finish(protocol.aggregate_shares([*honest, rogue]))
    ciphertext = seal.BlockEncryptor(P, key, 2).encrypt(values)
    assert (slots(P, phase(P, ciphertext, own)) == values).all()

    # committed before anything is revealed: what was prepared blindly does not fit what the others reveal …
    guess = parties(3, name=b"guess").shares  # the attacker knows neither the others' secrets nor their shares
    guessed = [protocol.generate_share(guess[site], team.randomness(site)) for site in (0, 1)]
    blind = rogue_share(guessed, team.crs, own)
    committed = commitment(blind)
    key = protocol.finish(protocol.aggregate_shares([*honest, blind]))
    ciphertext = seal.BlockEncryptor(P, key, 2).encrypt(values)
    assert (slots(P, phase(P, ciphertext, own)) == values).mean() < 0.01
    # … and what would fit is not what was committed to
    assert commitment(rogue) != committed


def test_without_commitment_a_forced_round_one_makes_round_two_reveal_the_secret() -> None:
    """h0 = 1, h1 = 0: an honest second round is sᵢ·1 + (uᵢ − sᵢ)·0 + t·e, which is sᵢ modulo t."""
    team, protocol = parties(3), RelinearizationProtocol(P, parties(3).crs)
    victim, randomness = team.shares[0], team.randomness(1, "relinearization")
    honest = [
        protocol.generate_share_one(share, team.randomness(site, "relinearization"))
        for site, share in enumerate(team.shares[:2], 1)
    ]
    forced = np.zeros_like(honest[0])
    forced[0] = 1  # the NTT form of the polynomial 1, in component 0's h0
    moduli = np.array(P.all_primes)[None, :, None]
    last = (forced - keygen.aggregate_shares(P.all_primes, honest)) % moduli
    sums = protocol.aggregate_shares([*honest, last])
    assert (sums == forced).all()

    def revealed(sums: Array) -> Array:
        answer = protocol.generate_share_two(victim, randomness, sums)[0]
        integers = lift(np.stack([f.backward(row) for f, row in zip(FIELDS, answer, strict=True)]), P.all_primes)
        plain = (integers % T).astype(np.int64)
        return np.where(plain > T // 2, plain - T, plain)

    assert (revealed(sums) == victim.coefficients).all()

    # with commitments, the last share was fixed before the others' were known: the sum is beyond anybody's choice
    committed = commitment(blind := protocol.generate_share_one(team.shares[2], b"chosen before the others spoke.."))
    assert commitment(last) != committed
    real = protocol.aggregate_shares([*honest, blind])
    assert (revealed(real) == victim.coefficients).mean() < 0.01


def test_a_second_answer_to_another_round_one_would_reveal_too_much() -> None:
    """Why round 2 is answered once, and its answer stored: everything in it but the sums is fixed, so a second answer
    to sums that differ by one gives sᵢ in the clear. The ceremony keeps what it sent; nothing here could."""
    team, protocol = parties(2), RelinearizationProtocol(P, parties(2).crs)
    randomness = team.randomness(1, "relinearization")
    sums = protocol.generate_share_one(team.shares[0], randomness)
    shifted = sums.copy()
    shifted[0] = (shifted[0] + 1) % np.array(P.all_primes)[:, None]
    answers = [protocol.generate_share_two(team.shares[0], randomness, each)[0] for each in (sums, shifted)]
    rows = [field.backward(field.subtract(b, a)) for field, a, b in zip(FIELDS, *answers, strict=True)]
    difference = lift(np.stack(rows), P.all_primes)
    assert (difference == team.shares[0].coefficients).all()
