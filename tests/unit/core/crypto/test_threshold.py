from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from app.core.crypto import ring, threshold
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, RELEASE_PRIMES
from app.core.crypto.ring import Array
from app.core.crypto.threshold import ThresholdProtocol, lagrange
from app.core.errors import Bug
from tests.crypto_parties import Parties, parties

P = INSECURE_TEST_PARAMETERS
PRIMES = P.data_primes[:RELEASE_PRIMES]


def combined(team: Parties, quorum: tuple[int, ...]) -> Array:
    """Σ λ_k·σ_k, shape (3, N)."""
    rows = []
    for index, field in enumerate(ring.fields(P, PRIMES)):
        total = np.zeros(P.ring_degree, np.int64)
        for site in quorum:
            weight = lagrange(field.modulus, quorum, site)
            total = field.add(total, field.multiply(team.dealt[site - 1][index], weight))
        rows.append(total)
    return np.stack(rows)


def truth(team: Parties) -> Array:
    return np.stack([team.secret.form(prime) for prime in PRIMES])


@pytest.mark.parametrize(("sites", "size"), [(n, t) for n in (2, 3, 4, 5) for t in range(2, n + 1)])
def test_every_quorum_has_the_secret(sites: int, size: int) -> None:
    team = parties(sites, size)
    for quorum in combinations(range(1, sites + 1), size):
        assert (combined(team, quorum) == truth(team)).all()


@pytest.mark.parametrize(("sites", "size"), [*((10, t) for t in range(2, 11)), (16, 8)])
def test_sampled_quorums_of_larger_federations(sites: int, size: int) -> None:
    team, rng = parties(sites, size), np.random.default_rng(sites)
    for _ in range(3):
        quorum = tuple(sorted((rng.permutation(sites)[:size] + 1).tolist()))
        assert (combined(team, quorum) == truth(team)).all()
    assert (combined(team, tuple(range(1, sites + 1))) == truth(team)).all()  # more than enough is fine too


@pytest.mark.parametrize(("sites", "size"), [(3, 2), (3, 3), (5, 4), (10, 6)])
def test_one_too_few_have_nothing(sites: int, size: int) -> None:
    """Whatever t_d − 1 sites compute from their values, it is uniform: every secret is equally likely."""
    team = parties(sites, size)
    for quorum in list(combinations(range(1, sites + 1), size - 1))[:4]:
        for weights in ("lagrange", "sum"):
            guess = combined(team, quorum) if weights == "lagrange" else sum(team.dealt[k - 1] for k in quorum)
            for index, prime in enumerate(PRIMES):
                coefficients = ring.field(prime, P.ring_degree).backward(guess[index] % prime)
                assert np.minimum(coefficients, prime - coefficients).max() > prime // 4  # nothing like small
                cells = np.bincount(coefficients * 32 // prime, minlength=32)
                assert stats.chisquare(cells).pvalue > 1e-4


def test_dealt_values_are_uniform_and_of_the_right_degree() -> None:
    team = parties(4, 3)
    protocol = ThresholdProtocol(P, 3, 4)
    share, randomness = team.shares[0], b"r" * 32
    values = [protocol.generate_share(share, randomness, position) for position in (1, 2, 3, 4)]
    for index, field in enumerate(ring.fields(P, PRIMES)):
        # a polynomial of degree two: the third difference vanishes, the second does not
        rows = [value[index] for value in values]
        for _ in range(2):
            rows = [field.subtract(b, a) for a, b in zip(rows[:-1], rows[1:], strict=True)]
        assert rows[0].any()
        assert (rows[0] == rows[1]).all()
        cells = np.bincount(values[0][index] * 32 // field.modulus, minlength=32)
        assert stats.chisquare(cells).pvalue > 1e-4


def test_randomness_is_bound_to_quorum_and_number_of_sites() -> None:
    """The same bytes used under another threshold must not give polynomials that share coefficients."""
    share = parties(4, 3).shares[0]
    deals = [ThresholdProtocol(P, t, n).generate_share(share, b"r" * 32, 1) for t, n in ((2, 4), (3, 4), (3, 5))]
    fields = ring.fields(P, PRIMES)
    for first, second in combinations(deals, 2):
        for index, field in enumerate(fields):
            difference = field.backward(field.subtract(first[index], second[index]))
            assert stats.chisquare(np.bincount(difference * 16 // field.modulus, minlength=16)).pvalue > 1e-4


@pytest.mark.parametrize("modulus", PRIMES)
def test_lagrange_weights_are_the_rational_ones(modulus: int) -> None:
    for quorum in combinations(range(1, 8), 4):
        for position in quorum:
            exact = Fraction(1)
            for other in quorum:
                if other != position:
                    exact *= Fraction(other, other - position)
            weight = lagrange(modulus, quorum, position)
            assert weight * exact.denominator % modulus == exact.numerator % modulus


def test_misuse_is_refused() -> None:
    for quorum, sites in ((1, 3), (0, 3), (4, 3), (-1, 2)):
        with pytest.raises(Bug, match=r"crypto\.quorum"):
            ThresholdProtocol(P, quorum, sites)
    team, protocol = parties(3, 2), threshold.ThresholdProtocol(P, 2, 3)
    for position in (0, 4, -1):
        with pytest.raises(Bug, match=r"crypto\.position"):
            protocol.generate_share(team.shares[0], b"r" * 32, position)
    with pytest.raises(Bug, match=r"crypto\.dealt_values"):
        protocol.aggregate_shares(team.dealt[:2])
