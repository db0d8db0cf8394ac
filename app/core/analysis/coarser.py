"""Intervals and periods joined until each tells numbers that may be told, and what is computed from them again.

Everything here is made of the numbers that come out of it: quantiles of the joined intervals, curves of the joined
periods. So they tell nothing more than these numbers do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from app.core.analysis.curves import Group, curve, read_group
from app.core.analysis.hazards import curve_tests, hazard_ratios, pairwise_tests
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import (
    Curve,
    CurvesTest,
    Estimate,
    GroupCount,
    HazardRatio,
    Quantile,
    TableResult,
)
from app.core.analysis.tables import table
from app.core.query.cells import UNKNOWN, Cell, Cells
from app.core.query.model import All

Fine = Callable[[float], bool]
"""Whether a number may be told."""


def joined(rows: Sequence[Sequence[float]], fine: Fine) -> list[range]:
    """Return which neighbours are joined so that what each has in every row is fine; all of them, if nothing else is.

    What is left over at the end goes to those before it.
    """
    made: list[range] = []
    begin, count = 0, len(rows[0])

    def told(part: range) -> bool:
        return all(fine(sum(row[part.start : part.stop])) for row in rows)

    for end in range(1, count + 1):
        if told(range(begin, end)):
            made.append(range(begin, end))
            begin = end
    while begin < count and made:
        begin = made.pop().start
        if told(range(begin, count)):
            break
    return made + ([range(begin, count)] if begin < count else [])


def joined_periods(rows: Sequence[Curve], fine: Fine) -> list[range]:
    """Return which periods are joined so that events, censorings and who is left are fine in every row.

    A curve ends where this cannot be had any more: who is left then was followed longer.
    """
    made: list[range] = []
    begin, periods = 0, len(rows[0].ends)
    left = [each.beyond + sum(each.events) + sum(each.censored) for each in rows]
    for end in range(1, periods + 1):
        pieces = [(sum(each.events[begin:end]), sum(each.censored[begin:end])) for each in rows]
        after = [now - sum(piece) for now, piece in zip(left, pieces, strict=True)]
        if all(fine(number) for piece, rest in zip(pieces, after, strict=True) for number in (*piece, rest)):
            made.append(range(begin, end))
            begin, left = end, after
    return made


# --- intervals of a number ----------------------------------------------------------------------------------------


def joined_groups(groups: Sequence[GroupCount], parts: Sequence[range]) -> tuple[GroupCount, ...]:
    """Return the counts of joined intervals; the shares are of all of them."""
    total = sum(group.count.value or 0.0 for group in groups)
    made = []
    for part in parts:
        inside = groups[part.start : part.stop]
        count = sum(group.count.value or 0.0 for group in inside)
        key = inside[0].key if len(inside) == 1 else _key(inside[0].key, inside[-1].key)
        share = count / total if total else None
        made.append(GroupCount(key, Estimate(count, count, count), share, int(count)))
    return tuple(made)


def _key(first: str, last: str) -> str:
    return f"{first.partition(',')[0]},{last.partition(',')[2]}"


def quantiles(groups: Sequence[GroupCount], levels: Sequence[float]) -> tuple[Quantile, ...]:
    """Return the quantiles within these intervals, without a value in one that is open."""
    counts = [group.count.value or 0.0 for group in groups if group.key != UNKNOWN]
    reached = [0.0, *accumulate(counts)]
    if not reached[-1]:
        return tuple(Quantile(level, None, None, None) for level in levels)
    made = []
    for level in levels:
        target = level * reached[-1]
        holding = next(place for place, after in enumerate(reached[1:]) if after >= target and counts[place])
        low, high = (float(end) if end else None for end in groups[holding].key[1:-1].split(","))
        value = None
        if low is not None and high is not None:
            value = low + (high - low) * (target - reached[holding]) / counts[holding]
        made.append(Quantile(level, value, low, high))
    return tuple(made)


# --- survival -----------------------------------------------------------------------------------------------------


def coarser_curve(
    found: Curve, parts: Sequence[range], rounded: Callable[[float], float], confidence: float
) -> tuple[Curve, tuple[str, ...]]:
    """Return the curve of joined periods, and its notes. Its numbers are rounded as they add up: so no round of small
    ones is lost."""
    events, censored = (_steps(values, parts, rounded) for values in (found.events, found.censored))
    end = parts[-1].stop if parts else 0
    left = found.beyond + sum(found.events[end:]) + sum(found.censored[end:])
    ends = [found.ends[part.stop - 1] for part in parts]
    numbers, [group] = _numbers([(found.key, events, censored, int(rounded(left)))])
    return curve(numbers, group, ends, confidence)


def compared(
    curves: Sequence[Curve], confidence: float
) -> tuple[tuple[CurvesTest, ...], tuple[CurvesTest, ...], tuple[HazardRatio, ...]]:
    """Return the tests and hazard ratios of curves over the same periods, from the numbers that these have."""
    rows = [(each.key, list(map(int, each.events)), list(map(int, each.censored)), int(each.beyond)) for each in curves]
    numbers, groups = _numbers(rows)
    pairwise = pairwise_tests(numbers, groups) if len(groups) > 2 else ()
    return curve_tests(numbers, groups), pairwise, hazard_ratios(numbers, groups, confidence)[0]


def _steps(values: Sequence[float], parts: Sequence[range], rounded: Callable[[float], float]) -> list[int]:
    reached = [0, *(int(rounded(sum(values[: part.stop]))) for part in parts)]
    return [after - before for before, after in zip(reached, reached[1:], strict=False)]


def _numbers(rows: Sequence[tuple[str, Sequence[int], Sequence[int], int]]) -> tuple[Numbers, list[Group]]:
    """Return exact numbers as if a query had opened them."""
    cells: list[Cell] = []
    values: list[int] = []
    for key, events, censored, beyond in rows:
        for name, counts in (("event", events), ("censored", censored)):
            cells += [Cell((key, name, str(place)), All(())) for place in range(len(counts))]
            values += counts
        cells.append(Cell((key, "beyond"), All(())))
        values.append(beyond)
    numbers = Numbers(Cells(tuple(cells), ()), tuple(values))
    return numbers, [read_group(numbers, key, len(events)) for key, events, _, _ in rows]


# --- a table ------------------------------------------------------------------------------------------------------


def table_again(found: TableResult, cells: Sequence[Sequence[float]]) -> TableResult:
    """Return the table of these whole numbers in place of its own, with their tests."""
    labels = [(row, column) for row in found.row_keys for column in found.column_keys]
    numbers = Numbers(
        Cells(tuple(Cell(label, All(())) for label in labels), ()), tuple(int(value) for row in cells for value in row)
    )
    return table(numbers, (found.row_code, found.column_code), found.confidence)
