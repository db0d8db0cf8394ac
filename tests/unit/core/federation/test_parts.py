"""Numbers that are opened in parts: not finer than need be, and exact ones only where each site's may be told."""

from __future__ import annotations

import pytest

from app.core.crypto.parameters import STANDARD_1
from app.core.errors import UserError
from app.core.federation.contributing import asked_cells, check_parts
from app.core.query.analyses import Correlate, Count
from app.core.query.model import All, Query
from app.core.query.placing import Placing, placed
from tests.cohorts import CLINICAL


def placing(query: Query, blocks: tuple[int, ...]) -> Placing:
    return placed(asked_cells(query, CLINICAL).cells, STANDARD_1, blocks, per_site=query.per_site)


COUNT, PRODUCTS = Query(All(()), Count()), Query(All(()), Correlate(("bmi", "smoker")))
OF_NUMBERS = Query(All(()), Correlate(("bmi", "height")))
LARGEST = max(n for n in range(1, 64) if min(placing(PRODUCTS, (n, 1)).spans) == n)
"""Blocks of a dataset whose products are still opened as one number."""


def test_a_total_is_a_total() -> None:
    for query in (COUNT, PRODUCTS):
        for exact in (True, False):
            check_parts(placing(query, (1, 1)), (1, 1), exact=exact, allowed=False)
    assert LARGEST >= 1


def test_exact_numbers_in_parts_need_a_policy_that_tells_each_sites() -> None:
    blocks = (LARGEST + 1, 1)
    parts = placing(PRODUCTS, blocks)
    with pytest.raises(UserError, match=r"policy\.parts"):
        check_parts(parts, blocks, exact=True, allowed=False)
    check_parts(parts, blocks, exact=True, allowed=True)
    check_parts(parts, blocks, exact=False, allowed=False)  # each part has noise of its own
    check_parts(placing(COUNT, blocks), blocks, exact=True, allowed=False)


def test_exact_products_of_two_numbers_are_too_large_for_a_total() -> None:
    """Of two sites with one block each already: each site's products would be told."""
    parts = placing(OF_NUMBERS, (1, 1))
    with pytest.raises(UserError, match=r"policy\.parts"):
        check_parts(parts, (1, 1), exact=True, allowed=False)
    check_parts(parts, (1, 1), exact=False, allowed=False)


def test_who_says_more_of_the_others_than_they_have_told_gets_no_finer_parts() -> None:
    told = (LARGEST, 1)
    with pytest.raises(UserError, match=r"query\.blocks_differ"):
        check_parts(placing(PRODUCTS, (LARGEST, 60)), told, exact=False, allowed=True)


def test_saying_more_where_it_changes_nothing_is_no_matter() -> None:
    """An asker that has not heard of a dataset takes it to be large."""
    check_parts(placing(COUNT, (16, 16)), (1, 1), exact=True, allowed=False)
    check_parts(placing(PRODUCTS, (16, 16)), (1, 1), exact=True, allowed=False)
