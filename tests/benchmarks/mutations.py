"""Inputs that are nearly right: bytes flipped, cut and spliced, or the values inside changed and encoded again.

Bytes that are changed anywhere are hardly ever canonical CBOR, so most of them end at the decoder. Half of the inputs
are therefore changed as values: dropped, added, doubled, exchanged with each other, or replaced by one of
:data:`HOSTILE`. They reach what stands behind the decoder.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from app.core import codec
from app.core.errors import ProtocolViolation

_MOST_DECODED = 1 << 22
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 255, 256, 65535, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 0.0, 1.5,
    -0.0, 1e308, float("inf"), float("-inf"), float("nan"), "", " ", "a", "A" * 100, "\x00", "\u202e", "\ud7ff",
    "\U0010ffff", "é", "e\u0301", "../../x", "%s{}", "x" * 5000, b"", b"\x00", bytes(16), bytes(32), bytes(31),
    bytes(33), b"\xff" * 32, bytes(64), bytes(65536), [], [[]], [0], [None], [b""], [[0, 0]], list(range(300)), {},
    {"": ""}, {0: 0}, {b"": b""}, {"a": {"a": {"a": {}}}}, [[[[[[[[[[[[[[[]]]]]]]]]]]]]]],
)  # fmt: skip
"""Values of every kind, at and beyond what anybody would expect."""


class Mutator:
    """Draws inputs from samples; the same ``seed`` draws the same ones.

    ``whole`` False changes values only: for inputs that are described by CBOR and do not arrive as it.
    """

    def __init__(self, seed: str, samples: Sequence[bytes], *, whole: bool = True) -> None:
        self._source = random.Random(seed)
        self._samples = tuple(samples)
        self._trees = tuple(map(_decoded, samples))
        self._whole = whole

    def draw(self) -> tuple[int, bytes]:
        """Return the number of a sample, and bytes near it."""
        number = self._source.randrange(len(self._samples))
        tree = self._trees[number]
        if tree is not None and (not self._whole or self._source.random() < 0.5):
            return number, codec.encode(self._changed(tree))
        return number, self._altered(self._samples[number])

    def _altered(self, sample: bytes) -> bytes:
        """Return ``sample`` changed in one to four places, or cut, or lengthened."""
        source, data = self._source, bytearray(sample)
        for _ in range(source.randint(1, 4)):
            where = source.randrange(len(data)) if data else 0
            match source.randrange(6):
                case 0 if data:
                    data[where] ^= 1 << source.randrange(8)
                case 1 if data:
                    data[where] = source.randrange(256)
                case 2:
                    del data[where:]
                case 3:
                    data[where:where] = source.randbytes(source.randint(1, 9))
                case 4:
                    data += source.randbytes(source.randint(1, 64))
                case _:
                    start = source.randrange(len(sample))
                    piece = sample[start : start + source.randint(1, 32)]
                    data[where : where + len(piece)] = piece
        return bytes(data)

    def _changed(self, tree: Any) -> Any:
        """Return ``tree`` with one to three values changed."""
        for _ in range(self._source.choice((1, 1, 1, 2, 3))):
            tree = self._step(tree, tree)
        return tree

    def _step(self, value: Any, whole: Any) -> Any:
        """Return ``value`` with a change somewhere in it."""
        source = self._source
        if isinstance(value, dict | list) and value and source.random() < 0.85:
            return self._in_map(value, whole) if isinstance(value, dict) else self._in_list(value, whole)
        if isinstance(value, bytes) and value and source.random() < 0.4:
            return self._altered(value)
        if isinstance(value, str) and value and source.random() < 0.4:
            return self._altered(value.encode()).decode("utf-8", "ignore")
        if isinstance(value, int) and source.random() < 0.4:
            return max(-(2**63), min(2**64 - 1, value + source.choice((-1, 1, -(1 << 20), 1 << 20))))
        return source.choice(HOSTILE) if source.random() < 0.8 else self._any(whole)

    def _in_map(self, value: dict[Any, Any], whole: Any) -> dict[Any, Any]:
        source, names = self._source, list(value)
        name = source.choice(names)
        changed = dict(value)
        match source.randrange(10):
            case 0:
                del changed[name]
            case 1:
                changed[source.choice(("", "more", name[:-1] if isinstance(name, str) else "x"))] = self._any(whole)
            case 2:
                other = source.choice(names)
                changed[name], changed[other] = changed[other], changed[name]
            case _:
                changed[name] = self._step(value[name], whole)
        return changed

    def _in_list(self, value: list[Any], whole: Any) -> list[Any]:
        source, changed = self._source, list(value)
        place = source.randrange(len(changed))
        match source.randrange(10):
            case 0:
                del changed[place]
            case 1:
                changed.insert(place, self._any(whole))
            case 2:
                changed += changed
            case 3:
                changed.reverse()
            case _:
                changed[place] = self._step(changed[place], whole)
        return changed

    def _any(self, whole: Any) -> Any:
        """Return a value out of ``whole``, or a hostile one."""
        while isinstance(whole, dict | list) and whole and self._source.random() < 0.8:
            whole = self._source.choice(list(whole.values()) if isinstance(whole, dict) else whole)
        return whole if self._source.random() < 0.7 else self._source.choice(HOSTILE)


def _decoded(sample: bytes) -> Any:
    try:
        tree = codec.decode(sample, _MOST_DECODED)
    except ProtocolViolation:
        return None
    return tree if isinstance(tree, dict | list) else None
