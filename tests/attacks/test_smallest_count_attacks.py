"""What the rule on small counts rests on, taken away: each attack works then, and does not otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.crypto import refresh, smallest_count
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS
from app.core.crypto.smallest_count import SmallestCountRule
from app.core.federation import smallest_work
from tests.crypto_parties import Parties, parties
from tests.sealed_datasets import write_keys
from tests.smallest_parties import SmallestParties

P = INSECURE_TEST_PARAMETERS
LEAST = 11


def sites(people: Parties, directory: Path, quorum: tuple[int, ...]) -> SmallestParties:
    keys = write_keys(people, directory / "keys", (6, 7))
    return SmallestParties(people, keys, quorum, LEAST, directory=directory)


def asked(made: SmallestParties, session: bytes, numbers: list[int]) -> int | None:
    """What site 1 reads when the sites contribute these counts."""
    [found] = made.asked(session, [made.contribution([each]) for each in numbers])
    return found


def test_a_changed_asker_among_those_who_open_shifts_what_is_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it must not be one of them where a quorum can do without it, and the product says where none can."""
    made, honest, calls = sites(parties(2), tmp_path, (1, 2)), smallest_count.hide, []

    def shifted(rule: SmallestCountRule, encrypt: Any, *, tested: Any, random: Any, counts: Any) -> Any:
        """Site 1, which comes first, encrypts a mask that is smaller by 100 than the one in its share."""
        calls.append(1)
        return honest(rule, encrypt, tested=tested - 100 * (len(calls) == 1), random=random, counts=counts)

    assert asked(made, b"honest", [7, 3]) is None
    monkeypatch.setattr(smallest_count, "hide", shifted)
    assert asked(made, b"shifted", [7, 3]) == 10


def test_a_changed_asker_that_does_not_open_has_only_its_own_count_to_change(tmp_path: Path) -> None:
    made = sites(parties(3, 2), tmp_path, (2, 3))
    for number, own in enumerate((0, 11, 500, P.plain_modulus // 2, -5)):
        assert asked(made, bytes([number]), [own, 3, 4]) is None


def test_without_random_numbers_the_asker_would_read_more_than_the_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P(x) tells x, the count without the asker's site; multiplied by r it tells nothing."""
    made, seen = sites(parties(2), tmp_path, (1, 2)), []
    read = SmallestCountRule.read

    def watched(rule: SmallestCountRule, first: list[int], second: list[int]) -> list[int | None]:
        seen.append(int(refresh.read_spread(P, first)[0]))
        return read(rule, first, second)

    monkeypatch.setattr(SmallestCountRule, "read", watched)
    polynomial = int(np.prod([(20 - root) % P.plain_modulus for root in range(LEAST)], dtype=object) % P.plain_modulus)
    assert asked(made, b"random", [1, 20]) == 21
    assert seen.pop() != polynomial
    draw = refresh.draw

    def ones(parameters: Any, seed: Any, name: str, results: int) -> Any:
        return np.ones(results, np.int64) if name == "random" else draw(parameters, seed, name, results)

    monkeypatch.setattr(refresh, "draw", ones)
    assert asked(made, b"ones", [1, 20]) == 21
    assert seen.pop() == 2 * polynomial % P.plain_modulus


def test_what_hides_the_pair_s_noise_is_fresh_each_time(tmp_path: Path) -> None:
    """Evaluation is deterministic: without the encryptions of zero the same masks would make the same pair."""
    made, rule = sites(parties(2), tmp_path, (1, 2)), SmallestCountRule(P, LEAST, zeros=False)
    files, numbers = smallest_work.key_files(P, made.keys), np.array([5], np.int64)
    several = [
        smallest_count.hide(rule, files.encrypt, tested=numbers, random=numbers, counts=numbers) for _ in range(2)
    ]
    assert len({zero.mask_hash() for each in several for zero in each.zeros}) == 4
