from __future__ import annotations

from decimal import Decimal
from typing import Any as Anything

import pytest
from hypothesis import given, settings

from app.core import codec
from app.core.errors import ProtocolViolation, UserError
from app.core.query.model import (
    EVERYONE,
    MAX_BYTES,
    All,
    Any,
    Cohort,
    Flag,
    Known,
    Not,
    Query,
    Range,
    codes,
    from_plain,
    terms,
    to_plain,
)
from tests.cohorts import cohorts


@given(cohorts())
@settings(deadline=None)
def test_canonical_bytes_round_trip(cohort: Cohort) -> None:
    query = Query(cohort)
    assert Query.from_cbor(query.to_cbor()) == query
    assert from_plain(to_plain(cohort)) == cohort


def test_cohorts_are_values() -> None:
    assert Range("age", Decimal("50"), None) == Range("age", Decimal("50.0"), None)
    assert len({All((Flag("a"),)), All((Flag("a"),)), Any((Flag("a"),)), Not(Flag("a"))}) == 3


def test_depth_and_size() -> None:
    cohort = All((Flag("a"), Not(Any((Flag("b"), Flag("c"))))))
    assert (cohort.depth, cohort.size) == (4, 6)
    assert (EVERYONE.depth, EVERYONE.size) == (1, 1)


def test_terms_and_codes() -> None:
    cohort = Any((Not(Flag("b")), All((Known("a"), Flag("b")))))
    assert list(terms(cohort)) == [Flag("b"), Known("a"), Flag("b")]
    assert codes(cohort) == ("a", "b")


@pytest.mark.parametrize(("low", "high"), [(None, None), ("2", "1"), ("1", "1")])
def test_a_range_without_numbers_cannot_be_made(low: str | None, high: str | None) -> None:
    bounds = [None if bound is None else Decimal(bound) for bound in (low, high)]
    with pytest.raises(UserError, match="query.empty_range"):
        Range("age", *bounds)


def test_a_query_is_neither_too_deep_nor_too_large() -> None:
    cohort: Cohort = Flag("a")
    for _ in range(100_000):  # building never recurses
        cohort = Not(cohort)
    with pytest.raises(UserError, match="query.too_deep"):
        Query(cohort)
    with pytest.raises(UserError, match="query.too_many_terms"):
        Query(All((Flag("a"),) * 500))
    with pytest.raises(UserError, match="query.unknown_analysis"):
        Query(Flag("a"), "survival")


def _message(cohort: Anything, **changes: Anything) -> bytes:
    return codec.encode({"format": "consilium-query", "version": 1, "analysis": "count", "cohort": cohort, **changes})


def _nested(depth: int) -> list[Anything]:
    return ["not", _nested(depth - 1)] if depth else ["flag", "a"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        codec.encode(["flag", "a"]),
        codec.encode({"cohort": ["flag", "a"]}),
        _message(["flag", "a"], version=2),
        _message(["flag", "a"], version=True),
        _message(["flag", "a"], format="other"),
        _message(["flag", "a"], analysis="survival"),
        _message(["flag", "a"], analysis=None),
        _message(["flag", "a"], purpose="x"),
        _message("flag"),
        _message([]),
        _message(["flag"]),
        _message(["flag", b"a"]),
        _message(["flag", "a", "b"]),
        _message(["nand", ["flag", "a"]]),
        _message(["levels", "a", "y", "x"]),
        _message(["levels", "a", "x", "x"]),
        _message(["levels", "a", 1]),
        _message(["range", "a", None, None]),
        _message(["range", "a", "2", "1"]),
        _message(["range", "a", "1.0", None]),
        _message(["range", "a", 1, None]),
        _message(["range", "a", "NaN", None]),
        _message(["range", "a", "1e5", None]),
        _message(["range", "a", "1" * 100, None]),
        _message(["not"]),
        _message(["not", ["flag", "a"], ["flag", "a"]]),
        _message({"all": []}),
        _message(["all", *[["flag", "a"]] * 500]),
        _message(_nested(12)),
        bytes(MAX_BYTES + 1),
    ],
)
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Query.from_cbor(data)
