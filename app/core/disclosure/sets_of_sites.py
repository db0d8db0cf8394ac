"""Which sets of sites may answer about one cohort: no combination of the totals is to tell of fewer than k sites.

A total over the sites {1, 2, 3, 4} and one over {1, 2, 3} give the fourth site's number as their difference; three
totals over {1, 2}, {2, 3} and {1, 3} give each site's number though no two of them differ by one. So the rule looks at
everything that can be worked out: each answered set is a row with 1 for the sites in it, and what linear combinations
of the totals tell of is the row space. A further set is refused if it brings a combination into it that touches at
least one but fewer than k sites. The asker's own site does not count: who asks knows its number already.

A combination touches only sites of T if and only if the columns T of a matrix N whose rows span the orthogonal
complement of the row space are linearly dependent; so sets T of k − 1 sites are looked at, in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import combinations
from math import comb

_MOST_COMBINATIONS = 20_000
"""More sets of k − 1 sites than this are not gone through: then every set that tells anything new is refused."""

_Rows = list[list[Fraction]]


def tells_of_few(answered: Sequence[Collection[int]], wanted: Collection[int], least: int, asker: int) -> bool:
    """Return whether the total over ``wanted``, after those over ``answered``, would tell ``asker`` of fewer than
    ``least`` sites what it could not work out before.

    All are roster positions. The first set is never refused: how large it must be is another rule.
    """
    if not answered:
        return False
    sites = sorted({site for each in (*answered, wanted) for site in each})
    before = _reduced([_row(each, sites) for each in answered])
    after = _reduced([*before, _row(wanted, sites)])
    if len(after) == len(before):
        return False  # a combination of what was told
    others = [site for site in sites if site != asker]
    smaller = [
        _reduced([[value for value, site in zip(row, sites, strict=True) if site != asker] for row in rows])
        for rows in (before, after)
    ]
    if len(smaller[0]) == len(smaller[1]):
        return False  # only the asker's own number is new
    size = min(least - 1, len(others))
    if comb(len(others), size) > _MOST_COMBINATIONS:
        return True
    known, new = (_complement(rows, len(others)) for rows in smaller)
    return any(
        _rank_of_columns(new, chosen) < _rank_of_columns(known, chosen)
        for chosen in combinations(range(len(others)), size)
    )


def _row(members: Collection[int], sites: Sequence[int]) -> list[Fraction]:
    return [Fraction(site in members) for site in sites]


def _reduced(rows: _Rows) -> _Rows:
    """Return the reduced row echelon form, without rows of zeros."""
    left: _Rows = [list(row) for row in rows]
    made: _Rows = []
    column = 0
    while left and column < len(left[0]):
        pivot = next((row for row in left if row[column]), None)
        if pivot is not None:
            left.remove(pivot)
            pivot = [value / pivot[column] for value in pivot]
            left, made = ([_without(row, pivot, column) for row in each] for each in (left, made))
            made.append(pivot)
        column += 1
    return made


def _without(row: list[Fraction], pivot: list[Fraction], column: int) -> list[Fraction]:
    factor = row[column]
    return [value - factor * other for value, other in zip(row, pivot, strict=True)] if factor else row


def _complement(rows: _Rows, width: int) -> _Rows:
    """Return rows that span what is orthogonal to reduced ``rows`` of this width."""
    pivots = [next(column for column, value in enumerate(row) if value) for row in rows]
    made = []
    for free in range(width):
        if free in pivots:
            continue
        row = [Fraction(0)] * width
        row[free] = Fraction(1)
        for pivot, each in zip(pivots, rows, strict=True):
            row[pivot] = -each[free]
        made.append(row)
    return made


def _rank_of_columns(rows: _Rows, columns: Sequence[int]) -> int:
    return len(_reduced([[row[column] for column in columns] for row in rows])) if columns else 0
