"""What a formula's steps are to the kernel: which are made once, which at each point, and which are only added up."""

from __future__ import annotations

from collections import Counter

from app.core.query.plan import Formula, Product, Sum

EXACT_FLOAT = 16.0
"""Magnitudes, in units of q, up to which a residue is exact as float64, being below 2^52."""


def operands(step: Sum | Product) -> list[int]:
    """Return the registers that a step reads."""
    return [register for register, _ in step.terms] if isinstance(step, Sum) else [step.left, step.right]


def added_products(formula: Formula) -> frozenset[int]:
    """Return the products that are only added up: the last step, or what it alone adds with a small weight."""
    first = len(formula.sources)
    last = formula.steps[-1]
    if isinstance(last, Product):
        return frozenset([first + len(formula.steps) - 1])
    uses = Counter(register for step in formula.steps for register in operands(step))
    return frozenset(
        register
        for register, weight in last.terms
        if register >= first
        and isinstance(formula.steps[register - first], Product)
        and uses[register] == 1
        and abs(weight) <= EXACT_FLOAT
    )


def linear_steps(formula: Formula) -> dict[int, Sum]:
    """Return the sums of degree 1 by register: they are made once, on c0 and c1.

    A bare "+ constant" is cheaper at the points, unless another such sum needs it.
    """
    sums = {
        register: step
        for register, step in enumerate(formula.steps, start=len(formula.sources))
        if isinstance(step, Sum) and formula.degrees[register] == 1
    }
    linear: dict[int, Sum] = {}
    wanted: set[int] = set()
    for register, step in sorted(sums.items(), reverse=True):
        if register in wanted or not _is_shift(step):
            linear[register] = step
            wanted.update(operands(step))
    return dict(sorted(linear.items()))


def _is_shift(step: Sum) -> bool:
    return len(step.terms) == 1 and step.terms[0][1] == 1
