"""Somebody who reads all that is shown, and knows that patients are whole and not negative, learns no small number.

The reader here is made of other parts than what withholds: every number shown, rounded or not, becomes an equation or
two inequalities over the unknown cells, and mixed-integer programming finds the least and the most that a withheld one
can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from app.core.analysis.results import (
    AttritionResult,
    CountResult,
    Estimate,
    GroupCount,
    GroupsResult,
    Result,
    Step,
    TableResult,
)
from app.core.disclosure.showing import HIDDEN, SHOWN, Rules, show

LEAST = (5, 8, 11)
small_often = st.one_of(st.integers(0, 14), st.integers(0, 14), st.integers(0, 400))
Row = Sequence[int]


class Reader:
    """Collects what is shown of unknown cells, by name, and asks how far one is known."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.cells: dict[tuple[object, ...], int] = {}
        self.told: list[tuple[dict[int, float], float, float]] = []
        self.hidden: list[dict[int, float]] = []

    def read(self, found: Estimate, cells: Sequence[tuple[object, ...]]) -> None:
        """Take note of a number that is the sum of ``cells``."""
        weights: dict[int, float] = {}
        for cell in cells:
            place = self.cells.setdefault(cell, len(self.cells))
            weights[place] = weights.get(place, 0.0) + 1.0
        if found.withheld is not None:
            assert (found.value, found.low, found.high) == (None, None, None)
            self.hidden.append(weights)
            if self.rules.zeros == SHOWN:  # a zero would be there to see
                self.told.append((weights, 1.0, np.inf))
            return
        assert found.value is not None
        slack = self.rules.rounding / 2
        self.told.append((weights, found.value - slack, found.value + slack))

    def ends(self, weights: Mapping[int, float]) -> tuple[int, int]:
        """Return the least and the most that a sum of cells can be."""
        aim = np.zeros(len(self.cells))
        for place, weight in weights.items():
            aim[place] = weight
        rows = np.zeros((len(self.told), len(self.cells)))
        for row, (told, _, _) in zip(rows, self.told, strict=True):
            for place, weight in told.items():
                row[place] = weight
        known = LinearConstraint(rows, [low for _, low, _ in self.told], [high for _, _, high in self.told])
        ends = []
        for sign in (1, -1):
            found = milp(sign * aim, constraints=known, integrality=np.ones(len(aim)), bounds=Bounds(0, 10_000))
            assert found.status == 0, found.message
            ends.append(sign * found.fun)
        return round(ends[0]), round(ends[1])

    def learns(self, *, small: bool = False) -> list[tuple[int, int]]:
        """Return the ends of everything that is withheld where they leave too little choice.

        With ``small``, only where it may be a small number: that a larger one, withheld for another's sake, can be
        computed all the same discloses nobody. Sites' totals are withheld more often than they need be.
        """
        found = [self.ends(weights) for weights in self.hidden]
        narrow = [(low, high) for low, high in found if high - low + 1 < self.rules.smallest]
        return [ends for ends in narrow if not small or ends[0] < self.rules.smallest]


def exactly(value: float) -> Estimate:
    return Estimate(value, value, value)


def shown(results: Sequence[Result], rules: Rules) -> tuple[Result, ...]:
    """Show them; showing what is shown changes nothing of what is withheld."""
    return show(results, rules)


def groups_of(row: Row) -> GroupsResult:
    groups = tuple(GroupCount(str(place), exactly(value), None, value) for place, value in enumerate(row))
    return GroupsResult("breakdown", "x", groups, exactly(sum(row)))


def table_of(cells: Sequence[Row]) -> TableResult:
    columns = list(zip(*cells, strict=True))
    return TableResult(
        "x",
        "y",
        tuple(map(str, range(len(cells)))),
        tuple(map(str, range(len(columns)))),
        tuple(tuple(map(exactly, row)) for row in cells),
        tuple(exactly(sum(row)) for row in cells),
        tuple(exactly(sum(column)) for column in columns),
        exactly(sum(map(sum, cells))),
    )


rules_drawn = st.builds(Rules, st.sampled_from(LEAST), st.sampled_from([SHOWN, HIDDEN]), st.sampled_from([0, 0, 5, 10]))
rows_drawn = st.lists(small_often, min_size=2, max_size=7)
tables_drawn = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(small_often, min_size=width, max_size=width), min_size=2, max_size=4)
)
few = settings(max_examples=60, deadline=None)


def never_small(found: Estimate, truth: float, rules: Rules) -> None:
    if found.withheld is None:
        assert not rules.small(truth)
        assert found.value == rules.rounded(truth)


@few
@given(rows_drawn, rules_drawn)
def test_groups(row: Row, rules: Rules) -> None:
    [found] = shown([groups_of(row)], rules)
    assert isinstance(found, GroupsResult)
    reader = Reader(rules)
    for place, group in enumerate(found.groups):
        never_small(group.count, row[place], rules)
        reader.read(group.count, [(place,)])
    never_small(found.total, sum(row), rules)
    reader.read(found.total, [(place,) for place in range(len(row))])
    assert not reader.learns()


def read_table(reader: Reader, found: TableResult, *where: object) -> None:
    rows, columns = range(len(found.row_keys)), range(len(found.column_keys))
    for i in rows:
        for j in columns:
            reader.read(found.cells[i][j], [(*where, i, j)])
        reader.read(found.row_totals[i], [(*where, i, j) for j in columns])
    for j in columns:
        reader.read(found.column_totals[j], [(*where, i, j) for i in rows])
    reader.read(found.total, [(*where, i, j) for i in rows for j in columns])


@few
@given(tables_drawn, rules_drawn)
def test_tables_with_their_totals(cells: list[list[int]], rules: Rules) -> None:
    [found] = shown([table_of(cells)], rules)
    assert isinstance(found, TableResult)
    for line, row in zip(found.cells, cells, strict=True):
        for cell, value in zip(line, row, strict=True):
            never_small(cell, value, rules)
    reader = Reader(rules)
    read_table(reader, found)
    assert not reader.learns()


@few
@given(st.lists(small_often, min_size=2, max_size=6), rules_drawn)
def test_funnels(exits: Row, rules: Rules) -> None:
    left = [sum(exits[step:]) for step in range(len(exits))]
    steps = tuple(Step(number, exactly(value), None, value) for number, value in enumerate(left))
    [found] = shown([AttritionResult(steps)], rules)
    assert isinstance(found, AttritionResult)
    reader = Reader(rules)
    for step in found.steps:
        never_small(step.count, left[step.number], rules)
        reader.read(step.count, [(place,) for place in range(step.number, len(exits))])
    assert not reader.learns()
    visible = [step.count.value for step in found.steps if step.count.value is not None]
    if not rules.rounding:  # who is lost between two steps is a number too
        lost = [before - after for before, after in zip(visible, visible[1:], strict=False)]
        assert all(each == 0 or each >= rules.smallest for each in lost)


@few
@given(st.lists(small_often, min_size=2, max_size=6), rules_drawn)
def test_counts_of_sites(counts: Row, rules: Rules) -> None:
    results = [CountResult(exactly(value), value) for value in (sum(counts), *counts)]
    total, *sites = shown(results, rules)
    reader = Reader(rules)
    reader.read(total.count, [(site,) for site in range(len(counts))])  # type: ignore[union-attr]
    for place, site in enumerate(sites):
        never_small(site.count, counts[place], rules)  # type: ignore[union-attr]
        reader.read(site.count, [(place,)])  # type: ignore[union-attr]
    assert not reader.learns()


@few
@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(small_often, min_size=width, max_size=width), min_size=2, max_size=4)
    ),
    rules_drawn,
)
def test_groups_of_sites(rows: list[list[int]], rules: Rules) -> None:
    whole = [sum(values) for values in zip(*rows, strict=True)]
    total, *sites = shown([groups_of(row) for row in (whole, *rows)], rules)
    reader = Reader(rules)
    places = range(len(whole))
    for at, (found, row) in enumerate(zip((total, *sites), (whole, *rows), strict=True)):
        assert isinstance(found, GroupsResult)
        where = [[(site, place) for site in range(len(rows))] if at == 0 else [(at - 1, place)] for place in places]
        for place, group in enumerate(found.groups):
            never_small(group.count, row[place], rules)
            reader.read(group.count, where[place])
        reader.read(found.total, [cell for cells in where for cell in cells])
    assert not reader.learns(small=True)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.lists(small_often, min_size=2, max_size=2), min_size=2, max_size=2), min_size=2, max_size=3),
    rules_drawn,
)
def test_tables_of_sites(tables: list[list[list[int]]], rules: Rules) -> None:
    whole = np.array(tables).sum(0).tolist()
    total, *sites = shown([table_of(cells) for cells in (whole, *tables)], rules)
    reader = Reader(rules)
    assert isinstance(total, TableResult)
    for at, found in enumerate(sites):
        assert isinstance(found, TableResult)
        read_table(reader, found, at)
    everywhere = range(len(sites))
    for i in range(2):
        for j in range(2):
            reader.read(total.cells[i][j], [(site, i, j) for site in everywhere])
        reader.read(total.row_totals[i], [(site, i, j) for site in everywhere for j in range(2)])
        reader.read(total.column_totals[i], [(site, j, i) for site in everywhere for j in range(2)])
    reader.read(total.total, [(site, i, j) for site in everywhere for i in range(2) for j in range(2)])
    assert not reader.learns(small=True)


@pytest.mark.parametrize("cells", [[[3, 200], [100, 150]], [[3, 4], [100, 150]], [[0, 200], [7, 150]]])
def test_the_reader_finds_what_only_the_small_ones_being_withheld_leaves(cells: list[list[int]]) -> None:
    """The counter-test: without complementary cells the reader knows the number."""
    rules, whole = Rules(11), table_of(cells)
    bare = TableResult(
        whole.row_code,
        whole.column_code,
        whole.row_keys,
        whole.column_keys,
        tuple(tuple(show([CountResult(cell, 0)], rules)[0].count for cell in row) for row in whole.cells),  # type: ignore[union-attr]
        whole.row_totals,
        whole.column_totals,
        whole.total,
    )
    reader = Reader(rules)
    read_table(reader, bare)
    assert reader.learns()
