from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from app.core.crypto import refresh, release
from app.core.crypto.noise import Noise
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, RELEASE_PRIMES
from app.core.crypto.refresh import RefreshProtocol
from app.core.crypto.release import Contribution, Opening
from app.core.crypto.ring import Array
from app.core.errors import Bug
from app.core.secret import SecretBytes
from tests.crypto_parties import Parties, parties

P = INSECURE_TEST_PARAMETERS
N, T = P.ring_degree, P.plain_modulus
NOISE_BITS = 40


def contribution(team: Parties, numbers: list[int]) -> Contribution:
    """A contribution that holds a number at each place."""
    encryptor = team.encryptor(RELEASE_PRIMES)
    zero = np.zeros_like(encryptor.encrypt_zero())
    return release.make_contribution(P, zero, len(numbers), numbers, encryptor.encrypt_zero())


def seed(team: Parties, site: int, attempt: int = 1) -> SecretBytes:
    return SecretBytes(team.randomness(site, f"masks {attempt}"))


def refreshed(
    team: Parties, total: Contribution, quorum: tuple[int, ...], level: int, attempt: int = 1
) -> tuple[Array, Array]:
    """The opened masked numbers and the fresh encryption of the total."""
    bits = refresh.masked_flooding_bits(
        P, sites=team.sites, contributors=team.sites, noise_bits=NOISE_BITS, quorum=len(quorum), results=total.results
    )
    opening = Opening(b"refresh", attempt, quorum, total)
    protocol = RefreshProtocol(opening, bits)
    shares, encryptions = {}, []
    for site in quorum:
        masks = refresh.draw(P, seed(team, site, attempt), "total", total.results)
        pads = team.pad_keys(site, quorum)
        ticket = team.ticket(opening, site)
        shares[site] = protocol.generate_share(ticket, site, team.dealt[site - 1], pads, masks)
        encryptions.append(team.encryptor(level).encrypt(refresh.spread(P, -masks)))
    opened = protocol.finish(shares)
    return opened, refresh.refreshed(P, opened, encryptions)


def slots_of(team: Parties, ciphertext: Array, results: int) -> list[int]:
    slots = team.decrypt(ciphertext).reshape(results, N // results)
    assert (slots == slots[:, :1]).all()  # in the subring: nothing else lies in the plaintext
    return [int(value) for value in slots[:, 0]]


@pytest.mark.parametrize(("sites", "quorum"), [(2, (1, 2)), (3, (2, 3)), (4, (1, 3, 4)), (4, (1, 2, 3, 4))])
@pytest.mark.parametrize("results", [1, 2, 8, 64])
def test_the_total_comes_back_fresh_at_all_levels(sites: int, quorum: tuple[int, ...], results: int) -> None:
    team = parties(sites, len(quorum))
    numbers = [[(site * 1000 + place * 7) % 8_000_000 for place in range(results)] for site in range(sites)]
    total = release.aggregate_contributions([contribution(team, each) for each in numbers])
    _, ciphertext = refreshed(team, total, quorum, P.levels)
    assert ciphertext.shape == (2, P.levels, N)
    assert slots_of(team, ciphertext, results) == [sum(each) % T for each in zip(*numbers, strict=True)]
    fresh = team.model.rounding(len(quorum)) + Noise(len(quorum) + 1, len(quorum) + 1)
    assert team.within(ciphertext, fresh)


def test_what_is_opened_is_uniform_whatever_the_total() -> None:
    """The counter-test of the masks: one number always, and what the quorum sees is uniform modulo t."""
    team, results = parties(2), 256
    opened = []
    for attempt in range(1, 17):
        total = contribution(team, [3] * results)
        masked, _ = refreshed(team, total, (1, 2), 3, attempt)
        opened.extend(masked / T)
    assert stats.kstest(opened, "uniform").pvalue > 1e-4


def test_without_masks_the_quorum_would_see_the_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measure that the test above rests on, taken away."""
    monkeypatch.setattr(refresh, "draw", lambda parameters, seed, name, results: np.zeros(results, np.int64))
    opened, _ = refreshed(parties(2), contribution(parties(2), [3, 5]), (1, 2), 3)
    assert opened.tolist() == [3, 5]


def test_one_site_without_its_mask_is_not_enough_to_see_anything() -> None:
    """A site knows its own mask; less that, the opened numbers are still uniform."""
    team, results = parties(2), 256
    left = []
    for attempt in range(1, 17):
        masked, _ = refreshed(team, contribution(team, [0] * results), (1, 2), 3, attempt)
        own = refresh.draw(P, seed(team, 1, attempt), "total", results)
        left.extend((masked - own) % T / T)
    assert stats.kstest(left, "uniform").pvalue > 1e-4


def test_the_same_seed_gives_the_same_masks_and_other_names_others() -> None:
    team = parties(2)
    one = refresh.draw(P, seed(team, 1), "total", 8)
    assert (one == refresh.draw(P, seed(team, 1), "total", 8)).all()
    assert not (one == refresh.draw(P, seed(team, 1), "others", 8)).any()
    assert not (one == refresh.draw(P, seed(team, 1, 2), "total", 8)).any()


def test_spread_numbers_stay_apart_and_come_back() -> None:
    for results in (1, 4, 128):
        numbers = np.arange(results, dtype=np.int64) * 65537 % T
        form = refresh.spread_form(P, numbers, 1)
        coefficients = release.ring.field(P.data_primes[0], N).backward(form[0])
        coefficients = np.where(coefficients > P.data_primes[0] // 2, coefficients - P.data_primes[0], coefficients)
        used = list(release.positions(P, results))
        assert not np.delete(coefficients, used).any()
        assert (refresh.read_spread(P, (coefficients[used] % T).tolist()) == numbers).all()


def test_masks_must_be_one_a_number() -> None:
    team = parties(2)
    total = contribution(team, [1, 2])
    opening = Opening(b"refresh", 1, (1, 2), total)
    protocol = RefreshProtocol(opening, 90)
    with pytest.raises(Bug, match=r"refresh\.masks"):
        protocol.generate_share(
            team.ticket(opening, 1), 1, team.dealt[0], team.pad_keys(1, (1, 2)), np.zeros(1, np.int64)
        )
