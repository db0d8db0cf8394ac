"""Results packed before they are relinearized: where many masks and columns are multiplied, most key switches go.

The lowest nodes of the pack tree (:mod:`app.core.crypto.packing`) are linear: of results a·b_j, all with one mask a,
the node e + f·o + σ(e − f·o) is a·(b_0 + f·b_1) + σ(a)·σ(b_0 − f·b_1), and so on for more places: Σ_g σ_g(a)·B_g over
the products g of the automorphisms below the node. The *components* B_g and σ_g(a) are of degree 1: each takes one
rotation, and serves all nodes with these columns, or this mask. What is left for a node is a sum of products and one
relinearization. Kaplan–Meier's 240 results of 60 periods in two groups take 126 rotations, 60 relinearizations and 63
nodes above so, in place of 240 relinearizations and 255 nodes.

Rotations happen at the level of the products, the highest that has rotation keys.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from app.core.crypto import ring
from app.core.crypto.parameters import ROTATION_PRIMES
from app.core.crypto.ring import Array
from app.core.crypto.seal import Context, Handle, context
from app.core.files import disk_problems
from app.core.query.early_nodes import Form, Pattern, alike, nodes_of
from app.core.query.extraction import weighted
from app.core.query.kernel import FormulaKernel, Workspace
from app.core.query.plan import Final, Formula, Plan, Product, Sum
from app.core.query.values import BlockValues, pattern, recentring

Components = dict[int, Array]
"""Ciphertexts of shape (2, ROTATION_PRIMES, N) by the automorphism g that they belong to."""


class EarlyPacking:
    """The lowest nodes of a plan's pack tree, of ``plan.together`` places each."""

    def __init__(self, plan: Plan, values: BlockValues, keys: Any, finish: Callable[[Final, Array], Handle]) -> None:
        """``values`` are those of the only block, stages included; ``keys`` the rotation keys of the lowest nodes;
        ``finish`` brings a sum of products, shape (3, level, N), to the release level."""
        self._plan = plan
        self._values = values
        self._keys = keys
        self._finish = finish
        self._context = early_context(plan)
        self._degree = plan.parameters.ring_degree
        self._fields = ring.fields(plan.parameters, plan.parameters.data_primes[:ROTATION_PRIMES])
        self._workspace = Workspace(self._degree)
        self._kernels: dict[tuple[int, int], FormulaKernel] = {}
        self._turned = 0
        self._places: dict[int, int] = {}

    def __enter__(self) -> Self:
        """Compute all nodes: those of the same columns one after the other, which is not the order they are read in."""
        self._file = tempfile.TemporaryFile(prefix="consilium-")
        try:
            with disk_problems(Path(tempfile.gettempdir())):
                self._compute()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, place: int) -> Array | None:
        """Return the ciphertext at the release level of the node that begins at a place, None if nothing is there."""
        if place not in self._places:
            return None
        shape = 2, self._plan.release_level, self._degree
        self._file.seek(self._places[place])
        return np.frombuffer(self._file.read(8 * math.prod(shape)), np.int64).reshape(shape)

    def _compute(self) -> None:
        nodes = nodes_of(self._plan) or ()
        release = context(self._plan.parameters, self._plan.release_level)
        masks: dict[Form, Components] = {}
        for group in alike(nodes):
            patterns: dict[Pattern, Components] = {}
            for node in group:
                for mask, forms in node.products:
                    if mask not in masks:
                        masks[mask] = self._turns(mask)
                    if forms not in patterns:
                        patterns[forms] = self._components(forms)
                pairs = [
                    (masks[mask][element], other)
                    for mask, forms in node.products
                    for element, other in patterns[forms].items()
                ]
                self._places[node.place] = self._file.tell()
                self._file.write(release.read(self._finish(node.final, self._sum(pairs, node.final))).tobytes())

    def _turns(self, mask: Form) -> Components:
        """Return σ_g of a mask for every g."""
        turned = {1: self._form(mask)}
        size = 2
        while size <= self._plan.together:
            for element, each in list(turned.items()):
                turned[element * (size + 1) % (2 * self._degree)] = self._turn(each, size + 1)
            size *= 2
        return turned

    def _components(self, forms: Pattern) -> Components:
        """Return B_g of the forms at neighbouring places for every g."""
        count = len(forms)
        if count == 1:
            return {} if forms[0] is None else {1: self._form(forms[0])}
        evens, odds = self._components(forms[: count // 2]), self._components(forms[count // 2 :])
        made: Components = {}
        for element in evens or odds:
            left, right = evens.get(element), odds.get(element)
            sums, differences = (np.empty((2, ROTATION_PRIMES, self._degree), np.int64) for _ in range(2))
            for prime, field in enumerate(self._fields):
                even, odd = (_part(each, prime, self._degree) for each in (left, right))
                odd = field.multiply(odd, field.monomial(self._degree // count))
                sums[:, prime] = field.reduce(even + odd)
                differences[:, prime] = field.reduce(even - odd)
            made[element] = sums
            made[element * (count + 1) % (2 * self._degree)] = self._turn(differences, count + 1)
        return made

    def _turn(self, ciphertext: Array, element: int) -> Array:
        """Return σ_element of a ciphertext, recentred."""
        turned = self._context.turn(self._context.load(ciphertext), element, self._keys)
        result = self._context.read(turned).copy()
        self._turned += 1
        number = pattern(len(self._plan.columns) + len(self._plan.stages) + self._turned, 0)
        for prime, field in enumerate(self._fields):
            offset = recentring(self._plan.parameters, prime, number)
            result[1, prime] = field.subtract(result[1, prime], offset)
        return result

    def _form(self, form: Form) -> Array:
        """Return a form of recentred values, in [0, q)."""
        terms, constant = form
        result = np.empty((2, ROTATION_PRIMES, self._degree), np.int64)
        for prime, field in enumerate(self._fields):
            pairs = [(weight, self._values.value(value, prime, ROTATION_PRIMES)) for value, weight in terms]
            for part in (0, 1):
                result[part, prime] = weighted(field, [(weight, pair[part]) for weight, pair in pairs])
            if constant:
                result[0, prime] = field.reduce(result[0, prime] + constant)
        return result

    def _sum(self, pairs: Sequence[tuple[Array, Array]], final: Final) -> Array:
        """Return Σ left·right, times the final's factor, shape (3, level, N)."""
        total = np.empty((3, ROTATION_PRIMES, self._degree), np.int64)
        for prime, field in enumerate(self._fields):
            kernel = self._kernels.get((prime, len(pairs)))
            if kernel is None:
                formula = _inner_product(len(pairs))
                kernel = FormulaKernel(formula, field, self._workspace, final.factor, brief=True)
                self._kernels[prime, len(pairs)] = kernel
            kernel.reset()
            kernel.add([(each[0, prime], each[1, prime]) for side in zip(*pairs, strict=True) for each in side])
            total[:, prime] = kernel.result()
        return total


def early_context(plan: Plan) -> Context:
    """Return the context of the rotations: that of the final switches too, unless there are stages above."""
    return context(plan.parameters, ROTATION_PRIMES, alone=plan.top > ROTATION_PRIMES)


def _part(ciphertext: Array | None, prime: int, degree: int) -> Array:
    """Return a ciphertext at one prime; None is zero."""
    return np.zeros((2, degree), np.int64) if ciphertext is None else ciphertext[:, prime]


def _inner_product(count: int) -> Formula:
    """Return the formula of Σ left·right of ``count`` pairs; the sources are all on the left, then all on the right."""
    products = tuple(Product(place, count + place) for place in range(count))
    if count == 1:
        return Formula((0, 1), products, (1, 1, 2))
    total = Sum(tuple((2 * count + place, 1) for place in range(count)), 0)
    return Formula(tuple(range(2 * count)), (*products, total), (1,) * (2 * count) + (2,) * (count + 1))
