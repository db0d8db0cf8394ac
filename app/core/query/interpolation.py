"""Small points, and a polynomial's coefficients from its values at them."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

INFINITY = 1 << 20
"""The point whose value is the leading coefficient."""
POINTS = (0, INFINITY, 1, -1, 2, -2, 3, -3, 4, -4)
"""The first d + 1 of them are those of a polynomial of degree d."""


@lru_cache(maxsize=16)
def interpolation(points: tuple[int, ...]) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """Return, for each coefficient, integer weights of the values at ``points`` and their common denominator."""
    size = len(points)
    matrix = [
        [Fraction(int(power == size - 1)) if point == INFINITY else Fraction(point) ** power for power in range(size)]
        for point in points
    ]
    inverse = _inverted(matrix)
    denominators = tuple(math.lcm(*(value.denominator for value in row)) for row in inverse)
    rows = tuple(
        tuple(int(value * denominator) for value in row) for row, denominator in zip(inverse, denominators, strict=True)
    )
    return rows, denominators


def _inverted(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    """Gauss–Jordan."""
    size = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(size))] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(i for i in range(column, size) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for other in range(size):
            if other != column and rows[other][column]:
                factor = rows[other][column]
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[column], strict=True)]
    return [row[size:] for row in rows]
