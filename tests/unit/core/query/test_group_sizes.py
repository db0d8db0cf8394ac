"""Which count tests which number of an analysis."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.core.query.canonical import canonical_query
from app.core.query.cells import Cells, cells_of
from app.core.query.group_sizes import group_sizes
from app.core.query.model import Query
from app.core.query.oracle import numbers
from app.core.query.text import parse_query
from tests.clear_tables import KINDS, people

ROWS = people(120, 4)


def made(text: str) -> tuple[Query, Cells, tuple[tuple[int, ...], ...]]:
    query = canonical_query(parse_query(text, KINDS), KINDS)
    cells = cells_of(query, KINDS)
    return query, cells, group_sizes(query, cells)


def sizes_of(text: str, rows: Sequence[dict[str, object]] = ROWS) -> list[int]:
    """How many patients each number is said to be about."""
    query, _, sizes = made(text)
    found = numbers(query, rows, KINDS)
    return [sum(found[each] for each in size) for size in sizes]


@pytest.mark.parametrize(
    "text",
    [
        "smoker",
        "breakdown stage",
        "histogram weight",
        "table stage x smoker",
        "attrition where smoker and weight known",
    ],
)
def test_counts_test_themselves(text: str) -> None:
    _, cells, sizes = made(text)
    assert sizes == tuple((place,) for place in range(len(cells.cells)))


def test_a_summary_is_tested_by_those_who_have_the_variable() -> None:
    having = numbers(made("weight known")[0], ROWS, KINDS)[0]
    assert set(sizes_of("summary weight")) == {having}


def test_a_comparison_is_tested_by_those_of_the_group_who_have_it() -> None:
    _, cells, _ = made("compare weight by smoker")
    for label, text in (("yes", "weight known and smoker"), ("no", "weight known and not smoker")):
        having = numbers(made(text)[0], ROWS, KINDS)[0]
        sizes = zip(cells.cells, sizes_of("compare weight by smoker"), strict=True)
        assert {size for cell, size in sizes if cell.label[0] == label} == {having}


@pytest.mark.parametrize("text", ["correlate weight, smoker", "regress weight on smoker"])
def test_moments_are_tested_by_the_complete_cases(text: str) -> None:
    having = numbers(made("weight known")[0], ROWS, KINDS)[0]
    assert set(sizes_of(text)) == {having}


def test_survival_is_tested_by_the_group_that_is_followed() -> None:
    _, cells, _ = made("survival os by smoker over 180 days")
    whole = sizes_of("survival os")
    assert len(set(whole)) == 1
    grouped = dict(
        zip((cell.label[0] for cell in cells.cells), sizes_of("survival os by smoker over 180 days"), strict=True)
    )
    assert sum(grouped.values()) == whole[0]
    assert set(grouped) == {"yes", "no"}
