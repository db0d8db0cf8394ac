"""Which results are packed before they are relinearized: the lowest nodes of the pack tree, by mask and columns.

See :mod:`app.core.query.early_packing` for what is computed of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from app.core.crypto.parameters import ROTATION_PRIMES
from app.core.query.plan import Final, Formula, Leaf, Plan, Product, Sum

TOGETHER = (2, 4)
"""How many results a node may have: eight take as many rotations as they save."""

Form: TypeAlias = "tuple[tuple[tuple[int, int], ...], int]"
"""Σ weight·value + constant, as ((value, weight), …) and the constant."""
Pattern: TypeAlias = "tuple[Form | None, ...]"
"""The forms at the places of a node that one mask is multiplied with; None: nothing there."""


@dataclass(frozen=True)
class Node:
    """The results at the places from ``place`` on: Σ over masks of mask · the form at each place."""

    place: int
    products: tuple[tuple[Form, Pattern], ...]
    final: Final
    """One of its finals: all have the same levels and factor."""

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """The patterns of all masks."""
        return tuple(pattern for _, pattern in self.products)


def nodes_of(plan: Plan) -> tuple[Node, ...] | None:
    """Return the lowest nodes of a plan, ``plan.together`` places each; None if it cannot be computed by them.

    It can where there is one block, every result is one product of two forms, and all are multiplied at the level that
    has rotation keys.
    """
    found = _forms(plan)
    if found is None:
        return None
    uses = Counter(form for left, right in found.values() for form in (left, right))
    grouped: dict[int, dict[Form, list[Form | None]]] = {}
    for place, (left, right) in found.items():
        mask, form = (left, right) if uses[left] >= uses[right] else (right, left)
        node = grouped.setdefault(place // plan.together * plan.together, {})
        node.setdefault(mask, [None] * plan.together)[place % plan.together] = form
    final = plan.finals[min(plan.used_finals)]
    return tuple(
        Node(place, tuple((mask, tuple(forms)) for mask, forms in node.items()), final)
        for place, node in sorted(grouped.items())
    )


def _forms(plan: Plan) -> dict[int, tuple[Form, Form]] | None:
    """Return the two forms of every place; None if some leaf is not such a product."""
    if plan.blocks != 1 or plan.columns_per_ciphertext != 1 or not plan.leaves or plan.results <= plan.together:
        return None
    forms: dict[int, tuple[Form, Form]] = {}
    ways: set[tuple[int, int, int]] = set()
    for leaf in plan.leaves:
        if leaf.final is None or leaf.linear or leaf.shares:
            return None
        final = plan.finals[leaf.final]
        both = _factors(final.formula)
        if both is None:
            return None
        ways.add((final.level, final.relinearization_level, final.factor))
        forms[leaf.place] = both
    if len(ways) != 1 or next(iter(ways))[0] != ROTATION_PRIMES:
        return None
    return forms


def _factors(formula: Formula) -> tuple[Form, Form] | None:
    last = formula.steps[-1]
    if not isinstance(last, Product):
        return None
    left, right = _form(formula, last.left), _form(formula, last.right)
    return None if left is None or right is None else (left, right)


def _form(formula: Formula, register: int) -> Form | None:
    """Return a register as a form of values; None if it is none."""
    first = len(formula.sources)
    if register < first:
        return ((formula.sources[register], 1),), 0
    step = formula.steps[register - first]
    if not isinstance(step, Sum) or any(each >= first for each, _ in step.terms):
        return None
    return tuple((formula.sources[each], weight) for each, weight in step.terms), step.constant


def rotations(plan: Plan, nodes: Iterable[Node]) -> int:
    """Return how many rotations the nodes' patterns and masks take."""
    nodes = tuple(nodes)
    patterns = {pattern for node in nodes for pattern in node.patterns}
    masks = {mask for node in nodes for mask, _ in node.products}
    depth = plan.together.bit_length() - 1
    return len(patterns) * depth * plan.together // 2 + len(masks) * (plan.together - 1)


def halves(plan: Plan) -> tuple[list[Leaf], list[Leaf]]:
    """Return the leaves cut in two between nodes, those of equal patterns together."""
    nodes: tuple[list[int], list[int]] = ([], [])
    for group in alike(nodes_of(plan) or ()):
        min(nodes, key=len).extend(node.place for node in group)
    first, second = (
        [leaf for leaf in plan.leaves if leaf.place // plan.together * plan.together in half] for half in nodes
    )
    return first, second


def alike(nodes: Iterable[Node]) -> Iterable[list[Node]]:
    """Return the nodes in groups of equal patterns, whose components are the same."""
    groups: dict[tuple[Pattern, ...], list[Node]] = {}
    for node in nodes:
        groups.setdefault(node.patterns, []).append(node)
    return groups.values()
