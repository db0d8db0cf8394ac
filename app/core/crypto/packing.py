"""Many results in one ciphertext.

Source: Chen, Dai, Kim, Song, *Efficient Homomorphic Conversion Between (Ring) LWE Ciphertexts* (eprint 2020/015). The
sum over all slots of a plaintext is N times its constant coefficient, so a result needs no rotations at all; m results
are packed pairwise with m − 1 rotations: with f = X^(N/size), r = (e + f·o) + σ_(size+1)(e − f·o). Coefficient j·N/m
then holds (m/N) times the slot sum of result j. The other coefficients hold data-dependent garbage that is never
opened: see :mod:`app.core.crypto.release`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.core.crypto.seal import Context, Handle
from app.core.errors import Bug


def packed_size(results: int) -> int:
    """Return the number m of positions for ``results`` results: the next power of two."""
    return 1 << (results - 1).bit_length()


def pack(context: Context, rotation_keys: Any, results: int, result: Callable[[int], Handle]) -> Handle:
    """Return one ciphertext holding ``results`` results; ``result(j)`` gives the j-th when its turn comes.

    At most log2(m) + 1 ciphertexts are alive at a time.
    """
    size = packed_size(results)
    packed = _pack(context, rotation_keys, results, result, size=size, first=0)
    if packed is None:
        raise Bug("crypto.nothing_to_pack")
    return packed


def _pack(
    context: Context, keys: Any, results: int, result: Callable[[int], Handle], *, size: int, first: int
) -> Handle | None:
    """Pack the results first, first + m/size, … (``size`` of them); None where all are beyond the last result."""
    total = packed_size(results)
    if size == 1:
        return result(first) if first < results else None
    stride = total // size
    even = _pack(context, keys, results, result, size=size // 2, first=first)
    odd = _pack(context, keys, results, result, size=size // 2, first=first + stride)
    if even is None:
        return None
    if odd is None:
        return context.add(even, context.rotate(even, size + 1, keys))
    shifted = context.multiply_monomial(odd, context.parameters.ring_degree // size)
    difference = context.rotate(context.subtract(even, shifted), size + 1, keys)
    return context.add(context.add(even, shifted), difference)
