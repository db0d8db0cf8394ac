"""Noised counts made non-negative and consistent: the nearest ones by least squares, rounded to whole patients.

Clipping each negative count by itself would make every total too large; these keep the totals. They are projections, so
that counts that were consistent already are returned as they are, and the same numbers always give the same counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise


def exclusive(values: Sequence[int]) -> list[int]:
    """Return the non-negative counts nearest to ``values`` whose sum is theirs (0 if that is negative).

    What negative counts lack is taken in equal parts from the others.
    """
    total, taken, excess, sharing = max(0, sum(values)), 0, 0, 1
    for count, value in enumerate(sorted(values, reverse=True), start=1):
        taken += value
        if value * count < taken - total:
            break
        excess, sharing = taken - total, count  # what the largest ``count`` have too much, shared equally
    shares = [max(0, value * sharing - excess) for value in values]
    whole = [share // sharing for share in shares]
    # what rounding down has left goes to the largest remainders, the first of equal ones
    order = sorted(range(len(values)), key=lambda place: (-(shares[place] % sharing), place))
    for place in order[: total - sum(whole)]:
        whole[place] += 1
    return whole


def ordered(values: Sequence[int]) -> list[int]:
    """Return the non-negative counts whose running totals are nearest to those of ``values``.

    For counts along time or a scale: what a negative count lacks is taken from its neighbours, so that the running
    totals, which curves and quantiles are made of, stay where they were.
    """
    running = ascending([float(each) for each in accumulate(values)])
    whole = [0, *(math.floor(max(0.0, each) + 0.5) for each in running)]
    return [after - before for before, after in pairwise(whole)]


def descending(values: Sequence[int]) -> list[int]:
    """Return the nearest non-negative counts of which none is larger than the one before."""
    fitted = ascending([-float(each) for each in values])
    return [math.floor(max(0.0, -each) + 0.5) for each in fitted]


def ascending(values: Sequence[float]) -> list[float]:
    """Return the nearest numbers of which none is smaller than the one before (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        mean, size = value, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    return [mean for mean, size in blocks for _ in range(size)]
