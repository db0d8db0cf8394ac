"""Attacks on the opening of results. Each succeeds when its counter-measure is left out, and fails with it.

The shares without a counter-measure are built here by hand; with every counter-measure they are byte for byte those of
the program, so that it is the counter-measure alone that makes the difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from app.core.crypto import release, ring, sampling
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, RELEASE_PRIMES
from app.core.crypto.release import Contribution, DecryptionProtocol, Opening
from app.core.crypto.ring import Array
from app.core.crypto.threshold import lagrange
from app.core.errors import Bug
from tests.crypto_parties import Parties, column, lift, parties

P = INSECURE_TEST_PARAMETERS
N, T = P.ring_degree, P.plain_modulus
PRIMES = P.data_primes[:RELEASE_PRIMES]
MODULUS = math.prod(PRIMES)
FIELDS = ring.fields(P, PRIMES)
BITS = 80


def share_by_hand(team: Parties, opening: Opening, site: int, *, pads: bool = True, flooding: bool = True) -> Array:
    """λ·σ·c1 at the positions, plus flooding and pads unless left out."""
    results, digest = opening.total.results, opening.digest()
    seed = team.ticket(opening, site).take(opening)
    flood = sampling.wide(seed, "flooding", (), BITS, results) if flooding else [0] * results
    rows = []
    for index, field in enumerate(FIELDS):
        weight = lagrange(field.modulus, opening.quorum, site)
        product = field.multiply(team.dealt[site - 1][index], opening.total.mask[index])
        row = field.backward(field.multiply(product, weight))[list(release.positions(P, results))]
        row = row + np.array([T * value % field.modulus for value in flood])
        for other, key in team.pad_keys(site, opening.quorum).items() if pads else ():
            secret = key.derive("consilium pad", digest).reveal()
            pad = sampling.uniform(secret, "pad", (index,), field.modulus, results)
            row = row + pad if site < other else row - pad
        rows.append(row % field.modulus)
    return np.stack(rows)


def opening_of(ciphertexts: Sequence[Array], quorum: tuple[int, ...], results: int, session: bytes = b"s") -> Opening:
    """An opening of ciphertext + zero, both (2, 3, N)."""
    ciphertext, zero = ciphertexts
    return Opening(session, 1, quorum, release.make_contribution(P, ciphertext, results, (), zero))


def encrypted(team: Parties, values: Array | None = None) -> Array:
    encryptor = team.encryptor(RELEASE_PRIMES)
    return encryptor.encrypt_zero() if values is None else encryptor.encrypt(values)


def phase_at(team: Parties, opening: Opening) -> list[int]:
    """The true phase at the positions: what only the whole quorum should be able to come near."""
    rows = []
    for index, field in enumerate(FIELDS):
        product = field.multiply(opening.total.mask[index], team.secret.form(field.modulus))
        used = field.backward(product)[list(release.positions(P, opening.total.results))]
        rows.append((used + opening.total.values[index]) % field.modulus)
    return lift(np.stack(rows), PRIMES).tolist()


@pytest.mark.parametrize("quorum", [(1, 2, 3), (1, 3, 4), (2, 4, 5)])
def test_shares_by_hand_are_the_programs_own(quorum: tuple[int, ...]) -> None:
    team = parties(5, 3)
    opening = opening_of((encrypted(team, column(P, 1)), encrypted(team)), quorum, 8)
    protocol = DecryptionProtocol(opening, BITS)
    for site in quorum:
        assert (share_by_hand(team, opening, site) == team.share(protocol, site)).all()
    for without in ({"pads": False}, {"flooding": False}):
        shares = {site: share_by_hand(team, opening, site, **without) for site in quorum}
        assert protocol.finish(shares) == protocol.finish({k: team.share(protocol, k) for k in quorum})


# --- no pads -------------------------------------------------------------------------------------------------------


def rational_weight(points: Sequence[int], point: int, at: int) -> Fraction:
    """Of the value at ``point`` when interpolating through ``points`` to ``at``."""
    weight = Fraction(1)
    for other in points:
        if other != point:
            weight *= Fraction(at - other, point - other)
    return weight


def residues_learnt(team: Parties, opening: Opening, share: Array, victim: int, colluders: tuple[int, ...]) -> Array:
    """What t_d − 1 colluders learn of the phase from one honest share: its residues modulo a denominator d.

    By their own values, σ_victim = μ·s + (known), μ rational; so share − (known)·c1 = λμ·(phase − c0) + t·e. With
    λμ = a/d, d times that is a·phase + d·t·e: small, hence known as an integer, hence phase modulo d.
    """
    points = (0, *colluders)
    ratio = rational_weight(opening.quorum, victim, 0) * rational_weight(points, 0, victim)
    assert ratio.denominator > 1
    rows = []
    for index, field in enumerate(FIELDS):
        known = np.zeros(N, np.int64)
        for colluder in colluders:
            weight = rational_weight(points, colluder, victim)
            residue = weight.numerator * pow(weight.denominator, -1, field.modulus) % field.modulus
            known = field.add(known, field.multiply(team.dealt[colluder - 1][index], residue))
        weight = lagrange(field.modulus, opening.quorum, victim)
        known = field.multiply(field.multiply(known, opening.total.mask[index]), weight)
        row = (share[index] - field.backward(known)[list(release.positions(P, opening.total.results))]) % field.modulus
        c0 = [int(value) * ratio.numerator % field.modulus for value in opening.total.values[index]]
        rows.append((row * ratio.denominator + np.array(c0)) % field.modulus)
    integers = lift(np.stack(rows), PRIMES)  # a·phase + d·t·e
    inverse = pow(ratio.numerator, -1, ratio.denominator)
    return np.array([int(value) * inverse % ratio.denominator for value in integers]), ratio.denominator


@pytest.mark.parametrize(
    ("sites", "size", "quorum", "victim", "colluders"),
    [(4, 3, (1, 2, 3), 1, (3, 4)), (5, 3, (1, 4, 5), 4, (2, 5)), (7, 4, (1, 3, 5, 7), 3, (2, 5, 7))],
)
def test_without_pads_one_honest_share_shows_the_noise(
    sites: int, size: int, quorum: tuple[int, ...], victim: int, colluders: tuple[int, ...]
) -> None:
    team = parties(sites, size)
    opening = opening_of((encrypted(team, column(P, 1)), encrypted(team)), quorum, 256)
    truth = np.array(phase_at(team, opening), object)

    bare = share_by_hand(team, opening, victim, pads=False)  # flooded, and it does not help
    learnt, denominator = residues_learnt(team, opening, bare, victim, colluders)
    assert (learnt == truth % denominator).all()

    padded = team.share(DecryptionProtocol(opening, BITS), victim)
    learnt, denominator = residues_learnt(team, opening, padded, victim, colluders)
    hits = int((learnt == truth % denominator).sum())
    chance = 1 / denominator
    assert abs(hits - 256 * chance) < 5 * math.sqrt(256 * chance * (1 - chance))  # as good as guessing


def test_pads_are_per_opening() -> None:
    """The same pair of sites uses other pads for another session, attempt, quorum or ciphertext."""
    team = parties(4, 2)
    ciphertexts = [(encrypted(team), encrypted(team)) for _ in range(2)]
    base = opening_of(ciphertexts[0], (1, 2), 256)
    openings = [
        base,
        Opening(b"other", 1, (1, 2), base.total),
        Opening(b"s", 2, (1, 2), base.total),
        Opening(b"s", 1, (1, 2, 3), base.total),
        opening_of(ciphertexts[1], (1, 2), 256),
    ]
    pads = []
    for opening in openings:
        alone = share_by_hand(team, opening, 1, pads=False)
        pads.append(((team.share(DecryptionProtocol(opening, BITS), 1) - alone) % np.array(PRIMES)[:, None]).tobytes())
    assert len(set(pads)) == len(openings)


# --- no re-randomisation -------------------------------------------------------------------------------------------


def visible_difference(first: Contribution, second: Contribution) -> list[int]:
    """What anybody reads from two contributions, by place: the difference of their c0, if their c1 are the same."""
    if (first.mask != second.mask).any():
        moduli = np.array(PRIMES)[:, None]
        return lift((second.values - first.values) % moduli, PRIMES).tolist()
    unit = pow(N, -1, T) * first.results % T
    difference = lift((second.values - first.values) % np.array(PRIMES)[:, None], PRIMES)
    centred = [int(difference[used]) * pow(unit, -1, T) % T for used in release.place_order(first.results)]
    return [value - T if value > T // 2 else value for value in centred]


def test_without_rerandomisation_two_runs_show_the_difference_of_their_noise() -> None:
    """Evaluation is deterministic: the same question asked twice would cancel everything but the sites' noise."""
    team = parties(2)
    ciphertext = encrypted(team, column(P, 1))
    first_noise, second_noise = (12, -3, 0, 7), (5, -3, 9, -40)
    differences = [b - a for a, b in zip(first_noise, second_noise, strict=True)]

    nothing = np.zeros_like(ciphertext)
    bare = [release.make_contribution(P, ciphertext, 4, noise, nothing) for noise in (first_noise, second_noise)]
    assert visible_difference(*bare) == differences

    real = [release.make_contribution(P, ciphertext, 4, n, encrypted(team)) for n in (first_noise, second_noise)]
    assert (real[0].mask != real[1].mask).mean() > 0.99
    seen = visible_difference(*real)
    assert seen != differences
    assert min(abs(value) for value in seen) > 2**100  # uniform modulo the release primes


# --- no flooding ---------------------------------------------------------------------------------------------------


def observed(opening: Opening, shares: Sequence[Array]) -> list[int]:
    """c0 plus all shares, centred: what the asker holds before reducing modulo t."""
    total = (opening.total.values + sum(shares)) % np.array(PRIMES)[:, None]
    return lift(total, PRIMES).tolist()


def secret_from_phases(openings: Sequence[Opening], phases: Sequence[list[int]], shifts: Sequence[int]) -> Array:
    """Solve c0 + c1·s = phase for s, from openings of the ciphertext shifted by X^shift that cover all coefficients."""
    field, first = FIELDS[0], openings[0].total
    right = np.zeros(N, np.int64)
    where = release.positions(P, first.results)
    for opening, phase, shift in zip(openings, phases, shifts, strict=True):
        numbers = [(int(p) - int(c)) % field.modulus for p, c in zip(phase, opening.total.values[0], strict=True)]
        for position, number in zip(where, numbers, strict=True):  # of X^shift·c: that at position − shift of c
            place = position - shift
            right[place % N] = number if place >= 0 else -number % field.modulus
    mask = first.mask[0]
    inverse = np.array([pow(int(value), -1, field.modulus) for value in mask])
    secret = field.backward(field.multiply(field.forward(right), inverse))
    return np.where(secret > field.modulus // 2, secret - field.modulus, secret)


def test_without_flooding_the_asker_computes_the_secret() -> None:
    """Exact phases at N positions are N linear equations; four openings of 256 results each suffice."""
    team, quorum = parties(3, 2), (1, 3)
    ciphertext = encrypted(team, column(P, 1))
    openings, bare, flooded, shifts = [], [], [], range(4)
    for shift in shifts:
        shifted = np.stack([field.multiply(ciphertext[:, i], field.monomial(shift)) for i, field in enumerate(FIELDS)])
        opening = opening_of((shifted.transpose(1, 0, 2), np.zeros_like(ciphertext)), quorum, 256)
        openings.append(opening)
        bare.append(observed(opening, [share_by_hand(team, opening, site, flooding=False) for site in quorum]))
        protocol = DecryptionProtocol(opening, BITS)
        flooded.append(observed(opening, [team.share(protocol, site) for site in quorum]))
        assert bare[-1] == phase_at(team, opening)
        assert [value % T for value in flooded[-1]] == [value % T for value in bare[-1]]  # the results are the same
    assert (secret_from_phases(openings, bare, shifts) == team.secret.coefficients).all()
    wrong = secret_from_phases(openings, flooded, shifts)
    assert (wrong == team.secret.coefficients).mean() < 0.01
    assert np.abs(wrong).max() > 2**40


# --- what is outside the model -------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_honest_others", [False, True])
def test_known_limit_a_site_that_does_not_follow_the_protocol_can_open_the_secret(with_honest_others: bool) -> None:
    """Sites are assumed to follow the protocol. One that contributes c1 = 1 instead of its count gets parts of s.

    No counter-measure here can stop it (it would take a proof with every contribution that it was made as it should
    be); commitments only keep it from being shaped after the others', and the signed contribution convicts it later.
    """
    team, quorum = parties(3, 2), (1, 3)
    ones = np.ones((RELEASE_PRIMES, N), np.int64)  # the NTT form of 1
    crafted = [Contribution(P, ones, np.zeros((RELEASE_PRIMES, 256), np.int64))]
    if with_honest_others:
        crafted.append(release.make_contribution(P, encrypted(team), 256, (), encrypted(team)))
    protocol = DecryptionProtocol(Opening(b"s", 1, quorum, release.aggregate_contributions(crafted)), BITS)
    numbers = protocol.finish({site: team.share(protocol, site) for site in quorum})
    scale = pow(N // 256, -1, T)  # flooding is a multiple of t and hides nothing of this
    opened = [number * scale % T for number in numbers]
    centred = [number - T if number > T // 2 else number for number in opened]
    where = [release.positions(P, 256)[used] for used in release.place_order(256)]
    assert centred == team.secret.coefficients[where].tolist()


# --- too few, or foreign, shares -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("sites", "size"), [(2, 2), (3, 3), (4, 3), (10, 8)])
def test_one_share_missing_leaves_uniform_numbers(sites: int, size: int) -> None:
    team, values = parties(sites, size), column(P, 1)
    quorum = tuple(range(1, size + 1))
    fixed = Contribution(
        P,
        np.stack([sampling.uniform(b"fixed", "mask", (), prime, N) for prime in PRIMES]),
        np.stack([sampling.uniform(b"fixed", "values", (), prime, 256) for prime in PRIMES]),
    )
    cells = np.zeros(32, np.int64)
    for attempt in range(8):
        protocol = DecryptionProtocol(Opening(b"fixed", attempt, quorum, fixed), BITS)
        shares = [team.share(protocol, site) for site in quorum]
        for missing in range(size):
            seen = observed(protocol.opening, [share for i, share in enumerate(shares) if i != missing])
            cells += np.bincount([(value % MODULUS) * 32 // MODULUS for value in seen], minlength=32)
        with pytest.raises(Bug, match=r"release\.incomplete"):
            protocol.finish({site: share for site, share in zip(quorum[:-1], shares, strict=False)})
    assert stats.chisquare(cells).pvalue > 1e-4
    # and with a real result: the numbers of an incomplete sum have nothing to do with it
    opening = opening_of((encrypted(team, values), encrypted(team)), quorum, 1)
    protocol = DecryptionProtocol(opening, BITS)
    shares = {site: team.share(protocol, site) for site in quorum}
    assert protocol.finish(shares) == [int(values.sum())]
    shares[quorum[0]] = np.zeros_like(shares[quorum[0]])
    assert protocol.finish(shares) != [int(values.sum())]


@pytest.mark.parametrize("foreign", ["federation", "ceremony", "session", "attempt", "quorum", "ciphertext", "site"])
def test_foreign_shares_do_not_open(foreign: str) -> None:
    team, values = parties(4, 2), column(P, 1)
    total = opening_of((encrypted(team, values), encrypted(team)), (1, 2), 8).total
    right = DecryptionProtocol(Opening(b"s", 1, (1, 2), total), BITS)
    shares = {site: team.share(right, site) for site in (1, 2)}
    truth = right.finish(shares)
    again = opening_of((encrypted(team, values), encrypted(team)), (1, 2), 8)
    wrong_share = {
        "federation": lambda: parties(4, 2, name=b"other").share(right, 2),
        "ceremony": lambda: parties(4, 2, name=b"second").share(right, 2),
        "session": lambda: team.share(DecryptionProtocol(Opening(b"t", 1, (1, 2), total), BITS), 2),
        "attempt": lambda: team.share(DecryptionProtocol(Opening(b"s", 2, (1, 2), total), BITS), 2),
        "quorum": lambda: team.share(DecryptionProtocol(Opening(b"s", 1, (2, 3), total), BITS), 2),
        "ciphertext": lambda: team.share(DecryptionProtocol(again, BITS), 2),
        "site": lambda: team.share(DecryptionProtocol(Opening(b"s", 1, (1, 3), total), BITS), 3),
    }[foreign]()
    opened = right.finish({1: shares[1], 2: wrong_share})
    assert not any(a == b for a, b in zip(opened, truth, strict=True))
