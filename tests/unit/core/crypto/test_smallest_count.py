from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from app.core.crypto import refresh, release, smallest_count
from app.core.crypto.noise import Noise
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, RELEASE_PRIMES, STANDARD_1, ParameterSet
from app.core.crypto.release import Contribution, DecryptionProtocol, Opening
from app.core.crypto.ring import Array
from app.core.crypto.smallest_count import COUNT_LEVEL, LEAST_COUNTS, Hidden, SmallestCountRule, hide
from app.core.errors import Bug, ProtocolViolation
from app.core.secret import SecretBytes
from tests.crypto_parties import Parties, parties
from tests.vectors import make_smallest_vectors

P = INSECURE_TEST_PARAMETERS
RULES = [(least, zeros) for least in LEAST_COUNTS for zeros in (False, True)]


def relinearizer(team: Parties, level: int, directory: Path) -> Callable[[Array], Array]:
    context, key = team.keys_at(level, directory)

    def relinearize(product: Array) -> Array:
        handle = context.relinearize(context.load(product), key)
        return context.read(context.switch(handle, product.shape[1] - 1))

    return relinearize


def sealed(team: Parties, numbers: list[int], level: int) -> Array:
    return team.encryptor(level).encrypt(refresh.spread(team.parameters, np.array(numbers)))


def pair_of(
    team: Parties, rule: SmallestCountRule, directory: Path, tested: list[int], counts: list[int], random: Array
) -> tuple[Array, Array]:
    return rule.evaluate(
        sealed(team, tested, rule.level),
        sealed(team, random.tolist(), rule.random_level),
        sealed(team, counts, COUNT_LEVEL),
        relinearizer(team, rule.level, directory),
    )


def opened(team: Parties, ciphertext: Array, results: int, bits: int, session: bytes) -> list[int]:
    zero = team.encryptor(RELEASE_PRIMES).encrypt_zero()
    total = release.make_contribution(team.parameters, ciphertext, results, (), zero)
    quorum = tuple(range(1, team.quorum + 1))
    protocol = DecryptionProtocol(Opening(session, 1, quorum, total), bits)
    shares = [team.share(protocol, site) for site in quorum]
    return release.opened_coefficients(team.parameters, total.values, shares)


def randoms(parameters: ParameterSet, count: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).integers(1, parameters.plain_modulus, count)


def check(team: Parties, rule: SmallestCountRule, directory: Path, tested: list[int], counts: list[int]) -> None:
    """Every number is withheld exactly when the rule says so, else exact; the noise is within its bound."""
    results = len(tested)
    pair = pair_of(team, rule, directory, tested, counts, randoms(team.parameters, results))
    bound = rule.noise(team.sites, 1)
    assert all(team.within(each, bound) for each in pair)
    bits = rule.flooding_bits(team.sites, team.quorum, results)
    release.check_fits(team.parameters, RELEASE_PRIMES, bits, team.quorum)
    first, second = (opened(team, each, results, bits, bytes([i])) for i, each in enumerate(pair))
    expected = [None if x in rule.roots else c for x, c in zip(tested, counts, strict=True)]
    assert rule.read(first, second) == expected


@pytest.mark.parametrize(("least", "zeros"), RULES)
def test_every_small_count_is_withheld_and_every_other_told(least: int, zeros: bool, tmp_path: Path) -> None:
    rule = SmallestCountRule(P, least, zeros)
    tested = [*range(2 * least + 1), 500, 16000, 8_290_304]
    tested += [0] * (32 - len(tested))
    check(
        parties(3), rule, tmp_path, tested, [min(x + 17 * (i % 3), P.plain_modulus // 2) for i, x in enumerate(tested)]
    )


@pytest.mark.parametrize(("sites", "quorum"), [(2, 2), (4, 3), (10, 9)])
def test_federations_of_other_sizes(sites: int, quorum: int, tmp_path: Path) -> None:
    for least, zeros in RULES:
        check(parties(sites, quorum), SmallestCountRule(P, least, zeros), tmp_path, [least - 1, least], [3, 9])


def test_one_number_and_negative_ones(tmp_path: Path) -> None:
    rule = SmallestCountRule(P, 11, False)
    check(parties(2), rule, tmp_path, [12], [12])
    check(parties(2), rule, tmp_path, [40] * 4, [-1, 0, 8_290_304, -8_290_304])
    check(parties(2), rule, tmp_path, [rule.never_withheld, 10], [0, 0])


def test_what_is_opened_of_a_told_number_is_uniform_but_for_their_quotient(tmp_path: Path) -> None:
    team, rule = parties(2), SmallestCountRule(P, 5, False)
    random = np.random.default_rng(7).integers(0, P.plain_modulus, P.slots)
    first, _ = pair_of(team, rule, tmp_path, [77] * P.slots, [77] * P.slots, random)
    assert stats.kstest(team.decrypt(first) / P.plain_modulus, "uniform").pvalue > 1e-4


def test_a_quotient_without_a_divisor_is_a_violation() -> None:
    rule = SmallestCountRule(P, 5, False)
    with pytest.raises(ProtocolViolation, match=r"smallest\.inconsistent"):
        rule.read([0], [3])
    assert rule.read([0], [0]) == [None]
    with pytest.raises(Bug, match=r"smallest\.least"):
        SmallestCountRule(P, 6, False)


@pytest.mark.parametrize("sites", [2, 3, 5, 10, 16])
@pytest.mark.parametrize("parameters", [P, STANDARD_1], ids=lambda p: p.name)
def test_the_planned_noise_leaves_room_for_the_flooding(parameters: ParameterSet, sites: int) -> None:
    for least, zeros in RULES:
        rule = SmallestCountRule(parameters, least, zeros)
        assert rule.level <= parameters.levels
        bits = rule.flooding_bits(sites, sites, release.MAX_RESULTS)
        release.check_fits(parameters, RELEASE_PRIMES, bits, sites)


# --- bytes --------------------------------------------------------------------------------------------------------


def hidden(team: Parties, rule: SmallestCountRule, results: int) -> Hidden:
    numbers = [refresh.draw(P, SecretBytes(bytes([i]) * 32), "x", results) for i in range(3)]
    encrypt = lambda slots, level: team.encryptor(level).encrypt(slots)  # noqa: E731
    return hide(rule, encrypt, tested=numbers[0], random=numbers[1], counts=numbers[2])


@pytest.mark.parametrize(("least", "zeros"), RULES)
def test_masks_round_trip_and_nothing_else_is_read(least: int, zeros: bool) -> None:
    rule = SmallestCountRule(P, least, zeros)
    made = hidden(parties(2), rule, 4)
    data = made.to_bytes()
    assert len(data) == smallest_count.hidden_size(rule, 4)
    read = Hidden.from_bytes(rule, data, 4)
    assert read.to_bytes() == data
    assert (read.tested == made.tested).all()
    assert (read.counts == made.counts).all()
    other = SmallestCountRule(P, least, not zeros)
    for wrong, wanted, results in ((data[:-1], rule, 4), (data + b"\0", rule, 4), (data, rule, 8), (data, other, 4)):
        with pytest.raises(ProtocolViolation):
            Hidden.from_bytes(wanted, wrong, results)
    flipped = bytearray(data)
    flipped[12 + 16 + 5] = 255  # a residue above its prime
    with pytest.raises(ProtocolViolation, match=r"format\.residue_out_of_range"):
        Hidden.from_bytes(rule, bytes(flipped), 4)


def test_hidden_parts_add_up_to_masks_and_zeros() -> None:
    team, rule, results = parties(2), SmallestCountRule(P, 8, False), 4
    made = hidden(team, rule, results)
    for ciphertext, index, sign in ((made.tested, 0, -1), (made.random, 1, 1), (made.counts, 2, -1)):
        expected = refresh.draw(P, SecretBytes(bytes([index]) * 32), "x", results) * sign
        assert (team.decrypt(ciphertext) == refresh.spread(P, expected)).all()
        assert team.within(ciphertext, team.model.rounding(1) + Noise(1, 1))
    assert made.zeros[0].mask_hash() != made.zeros[1].mask_hash()
    assert all(isinstance(zero, Contribution) for zero in made.zeros)
    assert team.open([made.zeros[0]], 40) == [0] * results


def test_the_vectors_come_out_as_they_were_written() -> None:
    assert make_smallest_vectors.expected() == json.loads(make_smallest_vectors.FILE.read_text("utf-8"))
