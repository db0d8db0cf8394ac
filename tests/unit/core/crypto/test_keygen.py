"""Each protocol of the ceremony against the single-party truth, with its noise bound."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from app.core.crypto import keygen, ring
from app.core.crypto.keygen import KeyShare
from app.core.crypto.parameters import ERROR_ETA, INSECURE_TEST_PARAMETERS, ROTATION_PRIMES
from app.core.crypto.ring import Array
from app.core.errors import Bug
from app.core.secret import SecretBytes
from tests.crypto_parties import Parties, lift, parties, residues_of

P = INSECURE_TEST_PARAMETERS
SITES = [2, 3, 5, 10, 16]


def noise_of_component(team: Parties, primes: tuple[int, ...], component: Array, message: list[Array]) -> Array:
    """(b + a·s − message)/t of a key component (2, primes, N); the test fails if t does not divide it."""
    rows = []
    for index, field in enumerate(ring.fields(P, primes)):
        phase = field.add(component[0, index], field.multiply(component[1, index], team.secret.form(field.modulus)))
        rows.append(field.backward(field.subtract(phase, message[index])))
    noise = lift(np.stack(rows), primes)
    assert (noise % P.plain_modulus == 0).all()
    return noise // P.plain_modulus


def gadget(primes: tuple[int, ...], j: int, forms: list[Array]) -> list[Array]:
    """wⱼ·form: P times it in residue j, zero elsewhere."""
    fields = ring.fields(P, primes)
    return [
        field.multiply(form, P.special_prime % field.modulus) if index == j else np.zeros_like(form)
        for index, (field, form) in enumerate(zip(fields, forms, strict=True))
    ]


@pytest.mark.parametrize("sites", SITES)
def test_public_key(sites: int) -> None:
    team = parties(sites)
    key = residues_of(P, team.public_key)
    noise = noise_of_component(team, P.all_primes, key, [np.zeros(P.ring_degree, np.int64)] * len(P.all_primes))
    assert abs(noise).max() <= ERROR_ETA * sites  # certain, not statistical
    assert float(np.var(noise.astype(float))) == pytest.approx(ERROR_ETA / 2 * sites, rel=0.25)
    assert (key[1] == keygen.common_polynomial(P, team.crs, "public key", (), P.all_primes)).all()


@pytest.mark.parametrize("sites", SITES)
def test_relinearization_key(sites: int) -> None:
    team = parties(sites)
    variance = 2 * (ERROR_ETA / 2 * sites) * (P.ring_degree * 2 * sites / 3 + 1)  # of s·e0 + u·e1 + e2 + e3
    squares = [field.multiply(*2 * [team.secret.form(field.modulus)]) for field in ring.fields(P, P.all_primes)]
    assert team.relinearization_key.shape == (P.levels, 2, len(P.all_primes), P.ring_degree)
    for j, component in enumerate(team.relinearization_key):
        noise = noise_of_component(team, P.all_primes, component, gadget(P.all_primes, j, squares))
        assert abs(noise).max() <= 8 * np.sqrt(variance)
        assert float(np.var(noise.astype(float))) == pytest.approx(variance, rel=0.35)


def small(rows: list[Array], bound: float) -> None:
    """The residues lift to a multiple of t of magnitude at most t·bound."""
    noise = lift(np.stack(rows), P.all_primes)
    assert (noise % P.plain_modulus == 0).all()
    assert abs(noise).max() <= bound * P.plain_modulus


@pytest.mark.parametrize("sites", [2, 3, 10])
def test_both_relinearization_rounds(sites: int) -> None:
    """Round 1: (−u·a + s·w + t·e, s·a + t·e). Round 2: s·h0 + (u − s)·h1 + t·e. For the sums s and u, e a sum too."""
    team = parties(sites)
    protocol = keygen.RelinearizationProtocol(P, team.crs)
    parts = [(share, team.randomness(site, "relinearization")) for site, share in enumerate(team.shares, 1)]
    messages = [protocol.generate_share_one(*part) for part in parts]
    one = protocol.aggregate_shares(messages)
    assert (protocol.aggregate_shares(messages[::-1]) == one).all()
    two = protocol.aggregate_shares(protocol.generate_share_two(*part, one) for part in parts)
    ephemerals = [protocol._ephemeral(keygen._bound(randomness, team.crs)) for _, randomness in parts]
    for j in (0, P.levels - 1):
        common = keygen.common_polynomial(P, team.crs, "relinearization", (j,), P.all_primes)
        first, second, third = [], [], []
        for index, field in enumerate(ring.fields(P, P.all_primes)):
            s, a, (h0, h1) = team.secret.form(field.modulus), common[index], one[2 * j : 2 * j + 2, index]
            u = sum(ephemeral[index] for ephemeral in ephemerals) % field.modulus
            noise0 = field.add(h0, field.multiply(u, a))
            if index == j:
                noise0 = field.subtract(noise0, field.multiply(s, P.special_prime))
            exact = field.add(field.multiply(s, h0), field.multiply(field.subtract(u, s), h1))
            first.append(field.backward(noise0))
            second.append(field.backward(field.subtract(h1, field.multiply(a, s))))
            third.append(field.backward(field.subtract(two[j, index], exact)))
        small(first, ERROR_ETA * sites)
        small(second, ERROR_ETA * sites)
        small(third, 2 * ERROR_ETA * sites)


@pytest.mark.parametrize("sites", SITES)
def test_rotation_keys(sites: int) -> None:
    team = parties(sites)
    primes = P.key_primes(ROTATION_PRIMES)
    assert sorted(team.rotation_keys) == [(element - 1) // 2 for element in P.rotation_elements]
    for element in P.rotation_elements:
        rotated = [team.secret.rotated_form(element, prime) for prime in primes]
        for j, component in enumerate(team.rotation_keys[(element - 1) // 2]):
            noise = noise_of_component(team, primes, component, gadget(primes, j, rotated))
            assert abs(noise).max() <= ERROR_ETA * sites


def test_automorphism_is_substitution() -> None:
    share = parties(2).shares[0]
    for element in (3, 5, P.ring_degree + 1, 2 * P.ring_degree - 1):
        for prime in P.data_primes[:1]:
            field = ring.field(prime, P.ring_degree)
            points = {int(e): i for i, e in enumerate(field.exponents)}
            moved = [points[int(e) * element % (2 * P.ring_degree)] for e in field.exponents]
            assert (share.rotated_form(element, prime) == share.form(prime)[moved]).all()


def test_key_share_comes_from_its_seed_alone() -> None:
    first, again = (KeyShare.from_seed(P, SecretBytes(b"k" * 32)) for _ in range(2))
    other = KeyShare.from_seed(P, SecretBytes(b"l" * 32))
    assert (first.coefficients == again.coefficients).all()
    assert (first.coefficients != other.coefficients).mean() == pytest.approx(2 / 3, abs=0.05)
    assert set(first.coefficients.tolist()) == {-1, 0, 1}


def test_secrets_are_not_printed() -> None:
    share = KeyShare.from_seed(P, SecretBytes(b"k" * 32))
    share.form(P.special_prime)
    assert "array" not in repr(share)
    assert "[" not in repr(share).replace("data_primes=(", "")


def test_messages_depend_on_randomness_ceremony_and_protocol() -> None:
    share = parties(2).shares[0]
    hashes = set()
    for crs in (b"a" * 32, b"b" * 32):
        for randomness in (b"r" * 32, b"q" * 32):
            public = keygen.PublicKeyProtocol(P, crs).generate_share(share, randomness)
            relinearization = keygen.RelinearizationProtocol(P, crs).generate_share_one(share, randomness)
            rotation = keygen.RotationProtocol(P, crs).generate_share(share, randomness)
            rows = [*public.reshape(-1, P.ring_degree), *relinearization.reshape(-1, P.ring_degree)]
            rows += [*rotation.reshape(-1, P.ring_degree)]
            hashes |= {hashlib.sha256(row.tobytes()).digest() for row in rows}
            assert (public == keygen.PublicKeyProtocol(P, crs).generate_share(share, randomness)).all()
    components = 9 + 2 * P.levels * 9 + len(P.rotation_elements) * ROTATION_PRIMES * (ROTATION_PRIMES + 1)
    assert len(hashes) == 4 * components


def test_sums() -> None:
    primes = P.data_primes[:2]
    top = np.array([[[prime - 1] * 4 for prime in primes]])
    total = keygen.aggregate_shares(primes, [top] * 16)
    assert total.tolist() == [[[prime - 16] * 4 for prime in primes]]
    assert (top == np.array([[[prime - 1] * 4 for prime in primes]])).all()
    with pytest.raises(Bug, match=r"crypto\.no_shares"):
        keygen.aggregate_shares(primes, [])
