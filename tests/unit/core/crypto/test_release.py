from __future__ import annotations

import copy
import math
import pickle
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app.core.crypto import format as own_format
from app.core.crypto import release, ring, sampling
from app.core.crypto.noise import NoiseModel
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, RELEASE_PRIMES, STANDARD_1
from app.core.crypto.release import Contribution, DecryptionProtocol, DecryptionTicket, Opening
from app.core.crypto.ring import Array
from app.core.errors import Bug, ProtocolViolation, UserError
from app.core.secret import SecretBytes
from tests.crypto_parties import Parties, column, parties

P = INSECURE_TEST_PARAMETERS
N, T = P.ring_degree, P.plain_modulus
PRIMES = P.data_primes[:RELEASE_PRIMES]


def contribution(team: Parties, values: Array, results: int = 1, noise: tuple[int, ...] = ()) -> Contribution:
    encryptor = team.encryptor(RELEASE_PRIMES)
    return release.make_contribution(P, encryptor.encrypt(values), results, noise, encryptor.encrypt_zero())


def fresh_bits(team: Parties) -> float:
    return team.model.bits(team.model.fresh())


def opening(team: Parties, *, results: int = 4, session: bytes = b"session", attempt: int = 1) -> Opening:
    return Opening(session, attempt, tuple(range(1, team.quorum + 1)), contribution(team, column(P, 1), results))


# --- whole releases -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sites", "size"), [(n, t) for n in (2, 3, 4, 5) for t in range(2, n + 1)])
def test_every_quorum_opens_the_sum(sites: int, size: int) -> None:
    team = parties(sites, size)
    columns = [column(P, site) for site in range(sites)]
    parts = [contribution(team, values) for values in columns]
    for quorum in combinations(range(1, sites + 1), size):
        assert team.open(parts, fresh_bits(team), quorum) == [sum(int(values.sum()) for values in columns)]


@pytest.mark.parametrize(("sites", "size"), [*((10, t) for t in range(2, 11)), (16, 8)])
def test_sampled_quorums_of_larger_federations(sites: int, size: int) -> None:
    team, rng = parties(sites, size), np.random.default_rng(size)
    columns = [column(P, site) for site in range(sites)]
    quorum = tuple(sorted((rng.permutation(sites)[:size] + 1).tolist()))
    parts = [contribution(team, values) for values in columns]
    assert team.open(parts, fresh_bits(team), quorum) == [sum(int(values.sum()) for values in columns)]


def test_two_primes_serve_where_flooding_is_narrow() -> None:
    team = parties(3)
    encryptor, values = team.encryptor(2), column(P, 1)
    part = release.make_contribution(P, encryptor.encrypt(values), 1, (), encryptor.encrypt_zero())
    protocol = DecryptionProtocol(Opening(b"s", 1, (1, 2, 3), part), 65)
    assert protocol.finish({site: team.share(protocol, site) for site in (1, 2, 3)}) == [int(values.sum())]


@given(st.lists(st.integers(-(T // 8), T // 8), min_size=0, max_size=4))
@settings(max_examples=20, deadline=None)
def test_noise_is_added_to_each_result(noise: list[int]) -> None:
    team = parties(2)
    values = column(P, 3)
    parts = [contribution(team, values, 4, tuple(noise)), contribution(team, values * 0, 4)]
    exact = team.open([contribution(team, values, 4), parts[1]], fresh_bits(team))
    noised = team.open(parts, fresh_bits(team))
    added = noise + [0] * (4 - len(noise))
    assert [(b - a - n) % T for a, b, n in zip(exact, noised, added, strict=True)] == [0] * 4
    [single] = team.open([contribution(team, values, 1, (added[0],))], fresh_bits(team))
    assert single == int(values.sum()) + added[0]


@pytest.mark.parametrize("number", [0, 1, -1, T // 2, -(T // 2)])
def test_numbers_are_read_centred(number: int) -> None:
    team = parties(2)
    values = np.zeros(N, np.int64)
    values[17] = number % T
    assert team.open([contribution(team, values)], fresh_bits(team)) == [number]


def test_contributions_add_up_in_any_order() -> None:
    team = parties(3)
    parts = [contribution(team, column(P, seed), 8) for seed in range(3)]
    totals = {release.aggregate_contributions(order).hash() for order in (parts, parts[::-1], parts[1:] + parts[:1])}
    assert len(totals) == 1
    with pytest.raises(ProtocolViolation, match=r"release\.wrong_contribution"):
        release.aggregate_contributions([parts[0], contribution(team, column(P, 1), 4)])


# --- contributions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("results", [1, 2, 64, 256])
def test_contribution_holds_its_positions_and_no_others(results: int) -> None:
    """The other coefficients of c0 hold data-dependent garbage: they must not be in the bytes in any form."""
    team = parties(2)
    encryptor = team.encryptor(RELEASE_PRIMES)
    ciphertext, zero = encryptor.encrypt(column(P, 1)), encryptor.encrypt_zero()
    part = release.make_contribution(P, ciphertext, results, (), zero)
    assert part.mask.shape == (RELEASE_PRIMES, N)
    assert part.values.shape == (RELEASE_PRIMES, results)
    assert len(part.to_bytes()) == 10 + 6 * RELEASE_PRIMES * (N + results)
    sums = (ciphertext + zero) % np.array(PRIMES)[None, :, None]
    for index, field in enumerate(ring.fields(P, PRIMES)):
        c0 = field.backward(sums[0, index])
        assert (part.values[index] == c0[list(release.positions(P, results))]).all()
        assert (part.mask[index] == sums[1, index]).all()
    # all of c0 may change elsewhere and the bytes stay the same
    ciphertext = ciphertext.copy()
    for index, field in enumerate(ring.fields(P, PRIMES)):
        garbage = np.random.default_rng(index).integers(0, field.modulus, N)
        garbage[:: N // results] = 0
        ciphertext[0, index] = field.add(ciphertext[0, index], field.forward(garbage))
    assert release.make_contribution(P, ciphertext, results, (), zero).to_bytes() == part.to_bytes()


def test_contribution_comes_back_and_hashes() -> None:
    team = parties(2)
    part = contribution(team, column(P, 1), 8)
    for data in (part.to_bytes(), memoryview(part.to_bytes())):
        again = Contribution.from_bytes(P, data, RELEASE_PRIMES, 8)
        assert again.to_bytes() == part.to_bytes()
        assert (again.level, again.results, again.hash()) == (RELEASE_PRIMES, 8, part.hash())
    other = Contribution(P, part.mask, (part.values + 1) % np.array(PRIMES)[:, None])
    assert other.hash() != part.hash()
    assert other.mask_hash() == part.mask_hash()
    assert "array" not in repr(part)


CONTRIBUTION = contribution(parties(2), column(P, 1), 4).to_bytes()


def refuse(data: bytes, level: int = RELEASE_PRIMES, results: int = 4) -> None:
    with pytest.raises(ProtocolViolation, match=r"(release|format)\."):
        Contribution.from_bytes(P, data, level, results)


@given(st.integers(0, len(CONTRIBUTION) - 1), st.binary(min_size=1, max_size=100))
def test_cut_or_lengthened_contributions_are_refused(length: int, more: bytes) -> None:
    refuse(CONTRIBUTION[:length])
    refuse(CONTRIBUTION + more)
    refuse(more)


def test_contributions_of_another_shape_are_refused() -> None:
    for level, results in ((2, 4), (4, 4), (3, 2), (3, 8), (3, 1)):
        refuse(CONTRIBUTION, level, results)
    with pytest.raises(ProtocolViolation):
        Contribution.from_bytes(STANDARD_1, CONTRIBUTION, RELEASE_PRIMES, 4)


@given(st.integers(0, 9), st.integers(1, 255))
def test_every_altered_header_byte_is_refused(place: int, change: int) -> None:
    altered = bytearray(CONTRIBUTION)
    altered[place] ^= change
    refuse(bytes(altered))


@given(st.integers(0, RELEASE_PRIMES * (N + 4) - 1), st.integers(0, 2**48 - 1))
def test_contribution_residues_are_taken_exactly_when_below_their_prime(place: int, value: int) -> None:
    row = place // N if place < RELEASE_PRIMES * N else (place - RELEASE_PRIMES * N) // 4
    altered = bytearray(CONTRIBUTION)
    altered[10 + 6 * place : 16 + 6 * place] = value.to_bytes(6, "little")
    if value >= P.data_primes[row]:
        refuse(bytes(altered))
    else:
        assert Contribution.from_bytes(P, bytes(altered), RELEASE_PRIMES, 4).to_bytes() == bytes(altered)


def test_misuse_of_make_contribution() -> None:
    team = parties(2)
    four, three = (team.encryptor(level).encrypt_zero() for level in (4, 3))
    for ciphertext, zero, noise in ((four, four, ()), (three, four, ()), (three, three, (1, 2, 3))):
        with pytest.raises(Bug, match=r"release\.shapes"):
            release.make_contribution(P, ciphertext, 2, noise, zero)
    for results in (0, 3, 5, 2048):
        with pytest.raises(Bug, match=r"release\.results"):
            release.make_contribution(P, three, results, (), three)


# --- decryption shares -----------------------------------------------------------------------------------------------

SHARE = release.share_to_bytes(np.array([[1, 2], [3, 4], [5, PRIMES[2] - 1]]))


def test_share_bytes() -> None:
    share = release.share_from_bytes(P, SHARE, 3, 2)
    assert share.tolist() == [[1, 2], [3, 4], [5, PRIMES[2] - 1]]
    for data in (SHARE[:-1], SHARE + b"\0", b"", SHARE[6:], b"CN" + SHARE[2:], SHARE[:2] + b"\2" + SHARE[3:]):
        with pytest.raises(ProtocolViolation, match=r"(release|format)\."):
            release.share_from_bytes(P, data, 3, 2)
    for level, results in ((2, 3), (3, 1), (3, 4), (1, 6), (2, 2)):
        with pytest.raises(ProtocolViolation, match=r"release\.wrong_share"):
            release.share_from_bytes(P, SHARE, level, results)


@given(st.integers(0, 5), st.integers(0, 2**48 - 1))
def test_share_residues_are_taken_exactly_when_below_their_prime(place: int, value: int) -> None:
    altered = bytearray(SHARE)
    altered[6 + 6 * place : 12 + 6 * place] = value.to_bytes(6, "little")
    if value >= PRIMES[place // 2]:
        with pytest.raises(ProtocolViolation, match=r"format\.residue_out_of_range"):
            release.share_from_bytes(P, bytes(altered), 3, 2)
    else:
        assert int(release.share_from_bytes(P, bytes(altered), 3, 2).reshape(-1)[place]) == value


@given(st.binary(max_size=60))
def test_noise_is_no_share(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        release.share_from_bytes(P, data, 3, 2)


def test_ticket_serves_once_and_one_opening_only() -> None:
    team = parties(2)
    first, second = opening(team), opening(team)
    ticket = team.ticket(first, 1)
    protocol = DecryptionProtocol(first, 70)
    pads = team.pad_keys(1, first.quorum)
    protocol.generate_share(ticket, 1, team.dealt[0], pads)
    with pytest.raises(Bug, match=r"release\.ticket_used"):
        protocol.generate_share(ticket, 1, team.dealt[0], pads)
    ticket = team.ticket(first, 1)
    with pytest.raises(Bug, match=r"release\.ticket_used"):
        DecryptionProtocol(second, 70).generate_share(ticket, 1, team.dealt[0], pads)
    with pytest.raises(Bug, match=r"release\.ticket_used"):  # and it is spent by the attempt
        protocol.generate_share(ticket, 1, team.dealt[0], pads)


def test_tickets_cannot_be_copied_or_printed() -> None:
    ticket = DecryptionTicket(b"d" * 32, SecretBytes(b"r" * 32))
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(Bug, match=r"release\.ticket_copied"):
            duplicate(ticket)
    assert "rrr" not in repr(ticket) + repr(vars(ticket))


def test_flooding_depends_on_the_opening_even_with_the_same_randomness() -> None:
    first, second = opening(parties(2)), opening(parties(2))
    seeds = {DecryptionTicket(o.digest(), SecretBytes(b"r" * 32)).take(o) for o in (first, second)}
    assert len(seeds) == 2
    assert b"r" * 32 not in seeds


def test_who_may_take_part() -> None:
    team = parties(3, 2)
    protocol = DecryptionProtocol(opening(team), 70)
    ticket = team.ticket(protocol.opening, 3)
    for site, pads in ((3, team.pad_keys(3, (1, 3))), (1, {}), (1, team.pad_keys(1, (1, 2, 3)))):
        with pytest.raises(Bug, match=r"release\.not_in_quorum"):
            protocol.generate_share(ticket, site, team.dealt[site - 1], pads)
    share = team.share(protocol, 1)
    for shares in ({1: share}, {}, {1: share, 3: share}, {1: share, 2: share, 3: share}):
        with pytest.raises(Bug, match=r"release\.incomplete"):
            protocol.finish(shares)


@pytest.mark.parametrize("quorum", [(), (1,), (2, 1), (1, 1), (1, 2, 2), (0, 1), (-1, 2)])
def test_quorums_are_in_order_and_without_repetition(quorum: tuple[int, ...]) -> None:
    with pytest.raises(ProtocolViolation, match=r"release\.quorum"):
        Opening(b"s", 1, quorum, Contribution(P, np.zeros((1, N), np.int64), np.zeros((1, 1), np.int64)))


def test_the_digest_names_everything() -> None:
    team = parties(3, 2)
    total, other = contribution(team, column(P, 1)), contribution(team, column(P, 1))
    digests = {
        Opening(session, attempt, quorum, part).digest()
        for session in (b"a", b"b")
        for attempt in (1, 2)
        for quorum in ((1, 2), (1, 3), (1, 2, 3))
        for part in (total, other)
    }
    assert len(digests) == 24


# --- flooding --------------------------------------------------------------------------------------------------------


def test_margin_of_flooding() -> None:
    """40 bits of distance for each of 2^20 releases and every position, over the noise of all contributions."""
    for sites, rounding in ((3, 2**12.39), (16, 2**15.85)):
        bound = NoiseModel(STANDARD_1, sites).rounding(2 * sites).peak
        assert bound == pytest.approx(rounding, rel=0.01)
        total = release.total_noise_bound(STANDARD_1, sites, sites, math.log2(T))
        assert total == pytest.approx(NoiseModel(STANDARD_1, sites).rounding(sites).peak + 3 * sites)
    assert release.flooding_bits(P, 2.0**10, 1) == 70
    assert release.flooding_bits(P, 2.0**10, 256) == 78
    assert release.flooding_bits(P, 2.0**10 + 0.001, 1) == 71
    bound = release.total_noise_bound(STANDARD_1, 16, 16, 40)
    bits = release.flooding_bits(STANDARD_1, bound, 256)
    assert 2.0**bits / bound >= 2.0**60 * 256
    release.check_fits(STANDARD_1, RELEASE_PRIMES, bits, 16)


@pytest.mark.parametrize("level", [2, 3])
@pytest.mark.parametrize("quorum", [2, 3, 16])
def test_boundary_of_what_fits(level: int, quorum: int) -> None:
    room = STANDARD_1.modulus_bits(level) - 2 - math.log2(STANDARD_1.plain_modulus) - math.log2(quorum)
    most = math.ceil(room) - 1
    release.check_fits(STANDARD_1, level, most, quorum)
    with pytest.raises(UserError, match=r"release\.does_not_fit"):
        release.check_fits(STANDARD_1, level, most + 1, quorum)
    # what fits is indeed far enough from wrapping: the whole flooding, and as much noise again
    modulus = math.prod(STANDARD_1.data_primes[:level])
    assert 2 * STANDARD_1.plain_modulus * quorum * 2**most < modulus // 2


def test_protocol_refuses_what_does_not_fit() -> None:
    team = parties(2)
    release.DecryptionProtocol(opening(team), 100)
    with pytest.raises(UserError, match=r"release\.does_not_fit"):
        release.DecryptionProtocol(opening(team), 130)


def test_widest_flooding_still_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every site at the far end of the widest flooding that fits, on both sides."""
    team = parties(10)
    values = column(P, 1)
    bits = math.ceil(P.modulus_bits(3) - 2 - math.log2(T) - math.log2(10)) - 1
    for extreme in (2**bits - 1, -(2**bits)):
        monkeypatch.setattr(sampling, "wide", lambda *_, value=extreme: [value])
        protocol = DecryptionProtocol(Opening(b"s", 1, tuple(range(1, 11)), contribution(team, values)), bits)
        assert protocol.finish({site: team.share(protocol, site) for site in range(1, 11)}) == [int(values.sum())]


def flooded_sums(team: Parties, noise: int, count: int) -> list[int]:
    """(phase + t·flooding) of openings of a ciphertext whose noise is ``noise`` at every position."""
    results, values = 256, []
    fields = ring.fields(P, PRIMES)
    for number in range(count):
        mask = np.stack([sampling.uniform(b"mask", "mask", (number, q), q, N) for q in PRIMES])
        rows = []
        for index, field in enumerate(fields):
            product = field.backward(field.multiply(mask[index], team.secret.form(field.modulus)))
            rows.append((noise * T - product[list(release.positions(P, results))]) % field.modulus)
        part = Opening(b"fixed", number, tuple(range(1, team.quorum + 1)), Contribution(P, mask, np.stack(rows)))
        protocol = DecryptionProtocol(part, 60)
        total = part.total.values + sum(team.share(protocol, site) for site in part.quorum)
        modulus = math.prod(PRIMES)
        weights = [modulus // q * pow(modulus // q, -1, q) for q in PRIMES]
        for column_ in range(results):
            residue = sum(int(total[i, column_]) * weights[i] for i in range(RELEASE_PRIMES)) % modulus
            values.append((residue - modulus if residue > modulus // 2 else residue) // T)
    return values


def test_what_the_asker_sees_does_not_depend_on_the_noise() -> None:
    team = parties(2)
    bound = int(team.model.rounding(4).peak)
    quiet, loud = flooded_sums(team, 0, 12), flooded_sums(team, bound, 12)
    scale = 2.0**61
    quiet_, loud_ = (np.array([float(value) / scale for value in sample]) for sample in (quiet, loud))
    assert stats.ks_2samp(quiet_, loud_).pvalue > 0.01
    # the sum of two uniform floodings, and not anything narrower
    triangle = stats.triang(0.5, loc=-1, scale=2)
    assert stats.kstest(quiet_, triangle.cdf).pvalue > 0.01
    assert stats.kstest(loud_, triangle.cdf).pvalue > 0.01


def test_one_share_is_uniform_whatever_the_ciphertext() -> None:
    """All residues, all primes, joint with each other; an all-zero ciphertext too, whose share is pads and flooding."""
    team = parties(3, 2)
    fixed = np.stack([sampling.uniform(b"mask", "mask", (), prime, N) for prime in PRIMES])
    for mask in (np.zeros_like(fixed), fixed):
        rows = []
        for number in range(16):
            total = Contribution(P, mask, np.zeros((RELEASE_PRIMES, 256), np.int64))
            protocol = DecryptionProtocol(Opening(b"uniform", number, (1, 3), total), 70)
            rows.append(team.share(protocol, 1))
        shares = np.concatenate(rows, axis=1)
        cells = []
        for index, prime in enumerate(PRIMES):
            cells.append(shares[index] * 8 // prime)
            counts = np.bincount(shares[index] * 64 // prime, minlength=64)
            assert stats.chisquare(counts).pvalue > 0.001
            assert stats.chisquare(np.bincount(shares[index] % 64, minlength=64)).pvalue > 0.001
        joint = np.bincount(cells[0] * 64 + cells[1] * 8 + cells[2], minlength=512)
        assert stats.chisquare(joint).pvalue > 0.001


def test_shares_of_one_quorum_differ_from_site_to_site() -> None:
    team = parties(3)
    protocol = DecryptionProtocol(opening(team), 70)
    shares = [own_format.pack_words(team.share(protocol, site)) for site in (1, 2, 3)]
    assert len(set(shares)) == 3
