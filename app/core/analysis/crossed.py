"""Centred sums of squares and products of several variables, from encrypted cross-products: exact rationals.

A variable is v = (value − minimum)/step, a flag 0 or 1. In the products its digits were taken from the middle of their
range (``offset_of``): Σ (a − o)(b − p) = Σab − p·Σa − o·Σb + o·p·n, which is undone here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

from app.core.analysis.intervals import noise_deviation
from app.core.analysis.moments import NOISE_LIMIT, combined
from app.core.analysis.numbers import Numbers, Sum
from app.core.catalogue.model import Catalogue, Kind
from app.core.catalogue.scales import DIGIT_BASE

Weights = dict[int, float]
SQUARES_LIMIT = 4
"""A sum of squares must be this many times the noise in it to be divided by: its error is not symmetric afterwards."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """n, means and centred cross-products of v over complete cases, each with its change by every cell (for the noise).

    ``note`` says why there are none: ``too_few`` or ``too_noisy``. ``minima`` and ``steps`` lead back to the unit.
    """

    n: int
    means: tuple[Fraction, ...]
    products: tuple[tuple[Fraction, ...], ...]
    mean_weights: tuple[Weights, ...]
    product_weights: tuple[tuple[Weights, ...], ...]
    minima: tuple[Fraction, ...]
    steps: tuple[Fraction, ...]
    note: str | None = None

    def divisible(self, numbers: Numbers, place: int) -> bool:
        """Return whether a variable varies by more than noise: one may divide by its sum of squares."""
        found = float(self.products[place][place])
        noise = noise_deviation(numbers, self.product_weights[place][place])
        return found > 0 and found >= SQUARES_LIMIT * noise


def crossed(numbers: Numbers, codes: Sequence[str], catalogue: Catalogue) -> Crossed:
    """Return the moments of these variables."""
    scales = [_scale(catalogue, code) for code in codes]
    minima, steps = tuple(low for low, _ in scales), tuple(step for _, step in scales)
    n = numbers.sum(("n",))
    noise = noise_deviation(numbers, n.weights)
    if n.value < 1 or n.value < NOISE_LIMIT * noise:
        note = "too_noisy" if numbers.noised else "too_few"
        return Crossed(max(0, n.value), (), (), (), (), minima, steps, note)
    totals = [numbers.digits(DIGIT_BASE, "sum", code) for code in codes]
    size = len(codes)
    products = [[Fraction(0)] * size for _ in codes]
    weights: list[list[Weights]] = [[{} for _ in codes] for _ in codes]
    for k, code in enumerate(codes):
        flag = catalogue.variable(code).kind is Kind.FLAG
        squares = totals[k] if flag else numbers.digits(DIGIT_BASE, "square", code)
        products[k][k], weights[k][k] = _centred(squares, totals[k], totals[k], n)
    for k, j in combinations(range(size), 2):
        product = _product(numbers, codes[k], codes[j])
        products[k][j], weights[k][j] = products[j][k], weights[j][k] = _centred(product, totals[k], totals[j], n)
    means = tuple(Fraction(total.value, n.value) for total in totals)
    return Crossed(
        n.value,
        means,
        tuple(map(tuple, products)),
        tuple(
            combined((total.weights, 1 / n.value), (n.weights, -float(mean) / n.value))
            for total, mean in zip(totals, means, strict=True)
        ),
        tuple(map(tuple, weights)),
        minima,
        steps,
    )


def _scale(catalogue: Catalogue, code: str) -> tuple[Fraction, Fraction]:
    digits = catalogue.variable(code).digits
    low, step = (Decimal(0), Decimal(1)) if digits is None else (digits.minimum, digits.step)
    return Fraction(low), Fraction(step)


def _centred(product: Sum, one: Sum, other: Sum, n: Sum) -> tuple[Fraction, Weights]:
    """Return Σab − Σa·Σb/n and its change by each cell."""
    a, b = one.value / n.value, other.value / n.value
    weights = combined((product.weights, 1), (one.weights, -b), (other.weights, -a), (n.weights, a * b))
    return product.value - Fraction(one.value * other.value, n.value), weights


def _product(numbers: Numbers, one: str, other: str) -> Sum:
    """Return Σab of two variables from the products of their digits."""
    weights: dict[int, int] = {}

    def add(place: int, weight: int) -> None:
        weights[place] = weights.get(place, 0) + weight

    for place, cell in enumerate(numbers.cells.cells):
        match cell.label:
            case ("product", a, i, b, j) if (a, b) == (one, other):
                left, right = (-factor.constant for factor in cell.factors)
                scale = DIGIT_BASE ** (int(i) + int(j))
                add(place, scale)
                add(numbers.place("sum", a, i), scale * right)
                add(numbers.place("sum", b, j), scale * left)
                add(numbers.place("n"), -scale * left * right)
    return Sum.of(numbers, weights)
