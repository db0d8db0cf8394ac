"""Many results in one ciphertext.

Source: Chen, Dai, Kim, Song, *Efficient Homomorphic Conversion Between (Ring) LWE Ciphertexts* (eprint 2020/015). The
sum over all slots of a plaintext is N times its constant coefficient, so a result needs no rotations at all; m results
are packed pairwise with m − 1 rotations: with f = X^(N/size), r = (e + f·o) + σ_(size+1)(e − f·o), where e holds the
first half of the places and o the second. Place j is then at the coefficient rev(j)·N/m, with the bits of j reversed,
as (m/N) times the slot sum of result j. The other coefficients hold data-dependent garbage that is never opened: see
:mod:`app.core.crypto.release`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.core.crypto.seal import Context, Handle
from app.core.errors import Bug


def packed_size(results: int) -> int:
    """Return the number m of positions for ``results`` results: the next power of two."""
    return 1 << (results - 1).bit_length()


def pack(context: Context, rotation_keys: Any, results: int, result: Callable[[int], Handle | None]) -> Handle:
    """Return one ciphertext holding ``results`` results; ``result(j)`` gives the j-th when its turn comes.

    None is a result that is exactly zero. At most log2(m) + 1 ciphertexts are alive at a time.
    """
    size = packed_size(results)

    def known(place: int) -> Handle | None:
        return result(place) if place < results else None

    packed = pack_part(context, rotation_keys, known, (0, size), 1)
    if packed is None:
        raise Bug("crypto.nothing_to_pack")
    return packed


def pack_part(
    context: Context, keys: Any, piece: Callable[[int], Handle | None], part: tuple[int, int], size: int
) -> Handle | None:
    """Pack the places ``part`` = (first, count), count a power of two and first a multiple of it.

    ``piece(j)`` gives what is already packed of the ``size`` places from j on. None is all zero, here and there.
    """
    first, count = part
    if count == size:
        return piece(first)
    half = count // 2
    even = pack_part(context, keys, piece, (first, half), size)
    odd = pack_part(context, keys, piece, (first + half, half), size)
    if odd is None:
        return None if even is None else context.add(even, context.rotate(even, count + 1, keys))
    shifted = context.multiply_monomial(odd, context.parameters.ring_degree // count)
    if even is None:
        return context.subtract(shifted, context.rotate(shifted, count + 1, keys))
    difference = context.turn(context.subtract(even, shifted), count + 1, keys)
    return context.accumulate(context.accumulate(shifted, even), difference)
