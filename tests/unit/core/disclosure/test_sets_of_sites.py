"""Which further set of sites would tell of too few of them."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain, combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.disclosure.sets_of_sites import tells_of_few

A, B, C, D, E = 1, 2, 3, 4, 5


@pytest.mark.parametrize(
    ("answered", "wanted", "least", "refused"),
    [
        ([], [B], 2, False),
        ([[A, B, C, D]], [A, B, C, D], 2, False),
        ([[A, B, C, D]], [A, B, C], 2, True),
        ([[A, B, C]], [A, B, C, D], 2, True),
        ([[A, B, C, D, E]], [A, B, C], 2, False),
        ([[A, B, C, D, E]], [A, B, C], 3, True),
        ([[A, B, C, D]], [B, C, D], 2, False),  # what is new is the asker's own
        ([[B, C], [C, D]], [B, D], 2, True),  # no two differ by one, all three give each site
        ([[A, B, C, D, E], [A, B, C]], [A, D, E], 2, False),
        ([[A, B, C, D]], [A, B, C], 1, False),  # nobody minds
        ([[B, C], [D, E]], [B, C, D, E], 3, False),  # it is the sum of what was told
    ],
)
def test_examples(answered: list[list[int]], wanted: list[int], least: int, refused: bool) -> None:
    assert tells_of_few(answered, wanted, least, asker=A) is refused


def test_more_combinations_than_can_be_looked_at_are_refused() -> None:
    everyone = list(range(1, 41))
    assert tells_of_few([everyone], everyone[:20], 9, asker=1)
    assert not tells_of_few([everyone], everyone, 9, asker=1)


def told(rows: list[Collection[int]], others: list[int], few: Collection[int]) -> bool:
    """Whether a combination of the totals, with small weights, touches only sites of ``few``, and one of them."""
    for weights in product(range(-2, 3), repeat=len(rows)):
        sums = {site: sum(w * (site in row) for w, row in zip(weights, rows, strict=True)) for site in others}
        touched = {site for site, value in sums.items() if value}
        if touched and touched <= set(few):
            return True
    return False


SETS = st.lists(st.sets(st.sampled_from([A, B, C, D, E]), min_size=2), min_size=2, max_size=4)


@settings(max_examples=200, deadline=None)
@given(sets=SETS, least=st.integers(2, 3))
def test_no_small_combination_tells_of_few_while_none_is_refused(sets: list[set[int]], least: int) -> None:
    """Whatever sets are let through after the first, which is large enough: nobody works out fewer than k."""
    others = [B, C, D, E]
    first, *rest = sets
    if len(first - {A}) < least:
        return
    rows: list[Collection[int]] = [first]
    for wanted in rest:
        if not tells_of_few(rows, wanted, least, asker=A):
            rows.append(wanted)
    few = chain.from_iterable(combinations(others, size) for size in range(1, least))
    assert not any(told(rows, others, each) for each in few)


@settings(max_examples=100, deadline=None)
@given(sets=SETS)
def test_what_was_told_already_is_never_refused(sets: list[set[int]]) -> None:
    """A set that is a sum of those that answered, each once."""
    *answered, last = sets
    disjoint: list[set[int]] = []
    for each in answered:
        if all(not each & other for other in disjoint):
            disjoint.append(each)
    everyone: set[int] = set().union(*disjoint)
    assert not tells_of_few([*disjoint, last], everyone, 2, asker=A)
