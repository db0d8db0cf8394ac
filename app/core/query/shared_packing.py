"""Packing the results of few products: rotations that many nodes of the pack tree share.

Where columns share ciphertexts, most leaves of the tree are X^(−r) times one of a few ciphertexts. A node over leaves
of one *pattern* (which ciphertexts, how far apart) is then Σ_g X^(−g·r)·B_g, r being the place of its first leaf: its
*components* B_g, one for each product g of the automorphisms below it, are the same for all nodes of the pattern. They
follow from those of the halves as the node does: with s places, δ between the halves' first leaves and f = X^(N/s),

    B_g = E_g + f·X^(−g·δ)·O_g        B_(s+1)g = σ_(s+1)(E_g − f·X^(−g·δ)·O_g)

which takes s/2 rotations for the pattern, in place of one for each node: done where there are more nodes than that.
Kaplan–Meier's 240 results of 60 periods in two groups need 59 rotations so, in place of 255.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from app.core.crypto import ring
from app.core.crypto.packing import pack_part
from app.core.crypto.ring import Array
from app.core.crypto.seal import Context, Handle
from app.core.errors import Bug

Pattern: TypeAlias = "int | tuple[Pattern | None, Pattern | None, int]"
"""The number of a leaf's ciphertext; or the halves of a node (None: nothing there) and how far apart they begin."""


@dataclass(frozen=True)
class _Node:
    pattern: Pattern
    place: int
    """Of the first leaf in its ciphertext."""


class SharedPacking:
    """Packs leaves at a release level. ``leaves`` says for each place (ciphertext, place in it) where it is a leaf of
    this kind; ``other`` makes all others, None where nothing is."""

    def __init__(
        self,
        context: Context,
        keys: Any,
        ciphertexts: Mapping[int, Array],
        leaves: Mapping[int, tuple[int, int]],
        other: Callable[[int], Handle | None],
        filled: frozenset[int],
    ) -> None:
        self._context = context
        self._keys = keys
        self._ciphertexts = ciphertexts
        self._leaves = leaves
        self._other = other
        self._filled = filled
        self._degree = context.parameters.ring_degree
        self._fields = ring.fields(context.parameters, context.parameters.data_primes[: context.level])
        self._components: dict[Pattern, dict[int, Array]] = {}
        self._nodes: dict[tuple[int, int], _Node | None] = {}
        self._common: frozenset[Pattern] = frozenset()
        self._uses: Counter[Pattern] = Counter()

    def pack(self, part: tuple[int, int]) -> Handle | None:
        """Return the places ``part`` (first, count) packed; None if nothing is there."""
        self._find(part)
        return self._packed(*part)

    def _find(self, part: tuple[int, int]) -> None:
        """Find the nodes' patterns, level by level, and those that enough nodes have."""
        first, count = part
        for place in range(first, first + count):
            found = self._leaves.get(place)
            self._nodes[place, 1] = None if found is None else _Node(*found)
        size, kept = 1, set[Pattern](self._ciphertexts)
        while size < count:
            uses: Counter[Pattern] = Counter()
            for place in range(first, first + count, 2 * size):
                node = self._nodes[place, 2 * size] = self._joined(place, size, kept)
                uses.update([] if node is None else [node.pattern])
            kept |= {pattern for pattern, nodes in uses.items() if nodes > size}
            size *= 2
        self._common = frozenset(kept)
        self._count_uses(first, count)

    def _count_uses(self, first: int, count: int) -> None:
        """Count how often the components of each pattern are needed, by nodes and by larger patterns."""
        node = self._nodes[first, count]
        if node is not None and node.pattern in self._common:
            self._use(node.pattern)
        elif count > 1:
            self._count_uses(first, count // 2)
            self._count_uses(first + count // 2, count // 2)

    def _use(self, pattern: Pattern | None) -> None:
        if isinstance(pattern, tuple):
            self._uses[pattern] += 1
            if self._uses[pattern] == 1:
                self._use(pattern[0])
                self._use(pattern[1])

    def _joined(self, place: int, size: int, kept: set[Pattern]) -> _Node | None:
        """Return the node of two neighbours of ``size`` places each; None if it has no pattern worth looking for."""
        halves = [self._nodes.get((each, size)) for each in (place, place + size)]
        for each, node in zip((place, place + size), halves, strict=True):
            if node is None and any(self._filled & set(range(each, each + size))):
                return None
            if node is not None and node.pattern not in kept:
                return None
        even, odd = halves
        if even is not None and odd is not None:
            return _Node((even.pattern, odd.pattern, (odd.place - even.place) % (2 * self._degree)), even.place)
        if even is not None:
            return _Node((even.pattern, None, 0), even.place)
        return None if odd is None else _Node((None, odd.pattern, 0), odd.place)

    def _packed(self, first: int, count: int) -> Handle | None:
        node = self._nodes[first, count]
        if node is not None and node.pattern in self._common:
            return self._made(node, count)
        if count == 1:
            return self._other(first)
        half = count // 2
        return pack_part(self._context, self._keys, lambda place: self._packed(place, half), (first, count), half)

    def _made(self, node: _Node, count: int) -> Handle:
        """Return Σ_g X^(−g·place)·B_g."""
        parts = self._parts(node.pattern, count)
        total = np.empty((2, self._context.level, self._degree), np.int64)
        for prime, field in enumerate(self._fields):
            terms = ((each[:, prime], field.monomial(-element * node.place)) for element, each in parts.items())
            total[:, prime] = field.inner(terms, (2, self._degree))
        return self._context.load(total)

    def _parts(self, pattern: Pattern | None, count: int) -> dict[int, Array]:
        """Return the components of a pattern of ``count`` places by their automorphisms; the last use forgets them."""
        if pattern is None:
            return {}
        if isinstance(pattern, int):
            return {1: self._ciphertexts[pattern]}
        if pattern not in self._components:
            even, odd, apart = pattern
            evens, odds = self._parts(even, count // 2), self._parts(odd, count // 2)
            made: dict[int, Array] = {}
            for element in evens or odds:
                left, right = evens.get(element), odds.get(element)
                if right is not None:
                    right = self._times(right, self._degree // count - element * apart)
                made[element] = self._sum(left, right)
                difference = self._context.load(self._difference(left, right))
                rotated = self._context.turn(difference, count + 1, self._keys)
                made[(count + 1) * element % (2 * self._degree)] = self._context.read(rotated).copy()
            self._components[pattern] = made
        self._uses[pattern] -= 1
        return self._components[pattern] if self._uses[pattern] > 0 else self._components.pop(pattern)

    def _times(self, ciphertext: Array, exponent: int) -> Array:
        """Return X^exponent · ciphertext."""
        if exponent % (2 * self._degree) == 0:
            return ciphertext
        moved = np.empty_like(ciphertext)
        for prime, field in enumerate(self._fields):
            moved[:, prime] = field.multiply(ciphertext[:, prime], field.monomial(exponent))
        return moved

    def _sum(self, left: Array | None, right: Array | None) -> Array:
        if left is None or right is None:
            return self._known(left, right)
        return np.stack([each.add(left[:, prime], right[:, prime]) for prime, each in enumerate(self._fields)], 1)

    def _difference(self, left: Array | None, right: Array | None) -> Array:
        if right is None:
            return self._known(left, right)
        zero = np.zeros_like(right) if left is None else left
        return np.stack([each.subtract(zero[:, prime], right[:, prime]) for prime, each in enumerate(self._fields)], 1)

    @staticmethod
    def _known(left: Array | None, right: Array | None) -> Array:
        known = right if left is None else left
        if known is None:
            raise Bug("crypto.nothing_to_pack")
        return known
