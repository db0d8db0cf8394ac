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


def _message(cohort: Anything, **changes: Anything) -> bytes:
    return codec.encode({"format": "consilium-query", "version": 1, "analysis": "count", "cohort": cohort, **changes})


def _newer(cohort: Anything, analysis: Anything = ("count",), **changes: Anything) -> bytes:
    return codec.encode(
        {
            "format": "consilium-query",
            "version": 2,
            "analysis": list(analysis) if isinstance(analysis, tuple) else analysis,
            "cohort": cohort,
            "per_site": False,
            **changes,
        }
    )


_FIRST, _LAST = ["first", "a"], ["last", "b"]
_OCCURS = ["occurs", "a", 2]


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


@pytest.mark.parametrize(
    ("cohort", "analysis"),
    [
        (_OCCURS, ("count",)),
        (["flag", "a"], ("attrition",)),
        (["dates", "a", "2024-01-01", None], ("count",)),
        (["happened", "last", "a", "-30.4375", "0"], ("count",)),
        (["before", _FIRST, _LAST, None, "30"], ("count",)),
        (["within", _FIRST, _LAST, "0"], ("count",)),
        (["flag", "a"], ("table", ["a", "1", "2"], ["b"])),
        (["flag", "a"], ("survival", "a", ["b"], None, "30")),
    ],
)
def test_what_version_2_says(cohort: Anything, analysis: tuple[Anything, ...]) -> None:
    data = _newer(cohort, analysis)
    assert Query.from_cbor(data).to_cbor() == data
    assert Query.from_cbor(_newer(cohort, analysis, per_site=True)).per_site


@pytest.mark.parametrize(
    "data",
    [
        _newer(["flag", "a"]),  # version 1 can say it
        _newer(_OCCURS, "count"),
        _newer(_OCCURS, per_site=1),
        _newer(_OCCURS, version=1),
        _newer(_OCCURS, version=3),
        _newer(_OCCURS, purpose="x"),
        _message(_OCCURS),
        _newer(["occurs", "a", 4]),
        _newer(["occurs", "a", True]),
        _newer(["occurs", "a", "2"]),
        _newer(["dates", "a", None, None]),
        _newer(["dates", "a", "2024-01", None]),
        _newer(["dates", "a", "20240101", None]),
        _newer(["dates", "a", "2024-02-30", None]),
        _newer(["dates", "a", "2024-02-01", "2024-01-01"]),
        _newer(["dates", "a", 2024, None]),
        _newer(["happened", "any", "a", "0", None]),
        _newer(["happened", "first", "a", None, None]),
        _newer(["happened", "first", "a", "30.0", None]),
        _newer(["happened", "first", "a", "0", "0"]),
        _newer(["before", _FIRST, _LAST, "60", "30"]),
        _newer(["before", _FIRST, _LAST, None]),
        _newer(["before", ["any", "a"], _LAST, None, None]),
        _newer(["before", "a", _LAST, None, None]),
        _newer(["before", [*_FIRST, "b"], _LAST, None, None]),
        _newer(["within", _FIRST, _LAST, None]),
        _newer(["within", _FIRST, ["last", 1], "30"]),
        _newer(_OCCURS, ()),
        _newer(_OCCURS, ("mean", "a")),
        _newer(_OCCURS, ("count", "a")),
        _newer(_OCCURS, ("breakdown",)),
        _newer(_OCCURS, ("histogram", 1)),
        _newer(_OCCURS, ("table", ["a"], ["a"])),
        _newer(_OCCURS, ("table", ["a", "2", "1"], ["b"])),
        _newer(_OCCURS, ("table", ["a", "1.0"], ["b"])),
        _newer(_OCCURS, ("table", ["a", 1], ["b"])),
        _newer(_OCCURS, ("table", "a", ["b"])),
        _newer(_OCCURS, ("summary",)),
        _newer(_OCCURS, ("summary", "a", "a")),
        _newer(_OCCURS, ("summary", *(f"v{place}" for place in range(11)))),
        _newer(_OCCURS, ("correlate", "a")),
        _newer(_OCCURS, ("correlate", "a", b"b")),
        _newer(_OCCURS, ("regress", "a")),
        _newer(_OCCURS, ("regress", "a", "a")),
        _newer(_OCCURS, ("compare", "a", ["a"])),
        _newer(_OCCURS, ("survival", "a", None, "0", None)),
        _newer(_OCCURS, ("survival", "a", None, "-30", None)),
        _newer(_OCCURS, ("survival", "a", None, "NaN", None)),
        _newer(_OCCURS, ("survival", "a", None, 30, None)),
        _newer(_OCCURS, ("survival", "a", None)),
    ],
)
def test_hostile_bytes_of_version_2_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Query.from_cbor(data)
