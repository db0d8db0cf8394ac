"""Formulas on residues against Python's own integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.crypto import ring
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS
from app.core.query.kernel import FormulaKernel, Workspace
from app.core.query.plan import Formula, Product, Sum

DEGREE = 8
PRIME = INSECURE_TEST_PARAMETERS.data_primes[0]
Polynomial = list[list[int]]  # coefficients in the secret, each one number a slot


def exactly(formula: Formula, blocks: list[list[np.ndarray]], factor: int) -> np.ndarray:
    """The formula's sum over blocks by polynomial arithmetic on Python integers."""
    total = np.zeros((formula.degree + 1, DEGREE), object)
    for block in blocks:
        registers = [source.astype(object) for source in block]
        for step in formula.steps:
            if isinstance(step, Product):
                left, right = registers[step.left], registers[step.right]
                made = np.zeros((len(left) + len(right) - 1, DEGREE), object)
                for i, part in enumerate(left):
                    for j, other in enumerate(right):
                        made[i + j] += part * other
            else:
                made = np.zeros((max(len(registers[each]) for each, _ in step.terms), DEGREE), object)
                made[0] += step.constant
                for each, weight in step.terms:
                    made[: len(registers[each])] += weight * registers[each]
            registers.append(made)
        total += registers[-1]
    return total * factor % PRIME


def degrees(sources: int, steps: tuple[Sum | Product, ...]) -> tuple[int, ...]:
    found = [1] * sources
    for step in steps:
        if isinstance(step, Product):
            found.append(found[step.left] + found[step.right])
        else:
            found.append(max(found[each] for each, _ in step.terms))
    return tuple(found)


WEIGHTS = st.one_of(st.sampled_from([-3, -2, -1, 1, 2, 24]), st.integers(-(2**23), 2**23).filter(bool))
CONSTANTS = st.one_of(st.just(0), st.integers(-(2**23), 2**23))


@st.composite
def formulas(draw: st.DrawFn) -> Formula:
    sources = draw(st.integers(1, 4))
    steps: list[Sum | Product] = []
    for _ in range(draw(st.integers(0, 5))):
        known = degrees(sources, tuple(steps))
        registers = st.integers(0, len(known) - 1)
        left, right = draw(registers), draw(registers)
        if draw(st.booleans()) and known[left] + known[right] <= 4:
            steps.append(Product(left, right))
        else:
            chosen = draw(st.lists(registers, min_size=1, max_size=3, unique=True))
            steps.append(Sum(tuple((each, draw(WEIGHTS)) for each in sorted(chosen)), draw(CONSTANTS)))
    known = degrees(sources, tuple(steps))
    small = [place for place, degree in enumerate(known) if degree <= 4]
    for _ in range(draw(st.integers(1, 4))):
        steps.append(Product(draw(st.sampled_from(small)), draw(st.sampled_from(small))))
    products = [place for place, step in enumerate(steps, start=sources) if isinstance(step, Product)]
    if draw(st.booleans()):  # a sum of products and whatever else
        chosen = draw(st.lists(st.integers(0, sources + len(steps) - 1), max_size=3, unique=True))
        terms = sorted({products[-1], *products[-2:], *chosen})
        steps.append(Sum(tuple((each, draw(WEIGHTS)) for each in terms), draw(CONSTANTS)))
    return Formula(tuple(range(sources)), tuple(steps), degrees(sources, tuple(steps)))


@given(formula=formulas(), blocks=st.integers(1, 4), factor=st.integers(-(2**23), 2**23), seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_any_formula(formula: Formula, blocks: int, factor: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    given_blocks = [
        [draw.choice([0, 1, PRIME - 1, int(draw.integers(PRIME))], (2, DEGREE)) for _ in formula.sources]
        for _ in range(blocks)
    ]
    kernel = FormulaKernel(formula, ring.field(PRIME, DEGREE), Workspace(DEGREE), factor)
    for block in given_blocks:
        kernel.add([(source[0], source[1]) for source in block])
    assert (kernel.result() == exactly(formula, given_blocks, factor)).all()


@pytest.mark.parametrize("blocks", [1, 255, 600, 2000])
def test_long_sums_of_the_largest_residues(blocks: int) -> None:
    formula = Formula((0, 1), (Product(0, 1),), (1, 1, 2))
    largest = np.full(DEGREE, PRIME - 1)
    kernel = FormulaKernel(formula, ring.field(PRIME, DEGREE), Workspace(DEGREE))
    for _ in range(blocks):
        kernel.add([(largest, largest), (largest, largest)])
    assert kernel.result()[:, 0].tolist() == [blocks, 2 * blocks, blocks]


@pytest.mark.parametrize("products", [1, 60, 400, 1500])
def test_long_sums_of_products_in_one_formula(products: int) -> None:
    steps = (*(Product(0, 1) for _ in range(products)), Sum(tuple((2 + i, 1) for i in range(products)), 0))
    formula = Formula((0, 1), steps, (1, 1, *[2] * (products + 1)))
    largest = np.full(DEGREE, PRIME - 1)
    kernel = FormulaKernel(formula, ring.field(PRIME, DEGREE), Workspace(DEGREE))
    for _ in range(2):
        kernel.add([(largest, largest), (largest, largest)])
    assert kernel.result()[:, 0].tolist() == [2 * products, 4 * products, 2 * products]


def test_a_kernel_can_be_used_again() -> None:
    formula = Formula((0,), (Product(0, 0),), (1, 2))
    kernel = FormulaKernel(formula, ring.field(PRIME, DEGREE), Workspace(DEGREE))
    three = np.full(DEGREE, 3)
    kernel.add([(three, three)])
    kernel.reset()
    kernel.add([(three, three)])
    assert kernel.result()[:, 0].tolist() == [9, 18, 9]
