"""A site's own noise: exact discrete Laplace draws that are the same whenever the same thing is asked.

The discrete Laplace distribution of scale s has P(x) = (1 − a)/(1 + a) · a^|x| with a = exp(−1/s); with s = Δ₁/ε it
gives ε-differential privacy to a sum of integers of sensitivity Δ₁ (Ghosh, Roughgarden, Sundararajan 2009). It is
drawn as in Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (2020), algorithms 1 and 2: with
integers only, never a float, so that the probabilities are exactly these.

The bits come from HMAC-SHA-256 in counter mode under the site's noise key. What is asked goes into the PRF: the same
question of the same dataset at the same ε gets the same noise, also after a restore and without keeping anything; any
difference gets independent noise.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Sequence
from fractions import Fraction

from app.core import codec
from app.core.analysis.spread import exact_half_width
from app.core.errors import Bug
from app.core.secret import SecretBytes

_FINE = 1024
"""The largest scale that an interval is worked out for exactly; beyond, on a coarser grid and a little wider."""


class Noise:
    """The noise of one site under its noise key (``root.derive("noise key v1")``, 32 bytes)."""

    def __init__(self, key: SecretBytes) -> None:
        if len(key) < 32:
            raise Bug("disclosure.noise_key")
        self._key = key

    def laplace(  # noqa: PLR0917 - all that the noise depends on
        self,
        query_hash: bytes,
        dataset_id: bytes,
        epsilon: Fraction,
        sensitivity: int,
        position: int = 0,
        blocks: tuple[int, int] | None = None,
    ) -> int:
        """Return the discrete Laplace draw of scale ``sensitivity``/``epsilon`` for one released number.

        ``query_hash`` is the 32 bytes of the canonical query, ``dataset_id`` names this version of the dataset, and
        ``position`` the place of the number in the released vector; ``blocks``, first and end, where the number is only
        that of some blocks of the dataset: sums over other blocks must not share their noise, or their difference would
        have none. Raises Bug on parameters out of their range.
        """
        if len(query_hash) != 32 or not dataset_id or position < 0:
            raise Bug("disclosure.noise_parameters")
        drawn_for: list[object] = [query_hash, dataset_id, str(Fraction(epsilon)), sensitivity, position]
        drawn_for += [] if blocks is None else [list(blocks)]
        context = codec.encode(["consilium-noise", 1, *drawn_for])
        return discrete_laplace(laplace_scale(epsilon, sensitivity), Bits(self._key, context))


class Bits:
    """A stream of uniform bits that a key and a context determine: HMAC-SHA-256(key, context ‖ u64 counter)."""

    def __init__(self, key: SecretBytes, context: bytes) -> None:
        self._key = key
        self._context = context
        self._counter = 0
        self._pool = 0
        self._left = 0

    def take(self, count: int) -> int:
        """Return the next ``count`` bits as a number in [0, 2^count)."""
        while self._left < count:
            message = self._context + self._counter.to_bytes(8, "big")
            block = hmac.digest(self._key.reveal(), message, "sha256")
            self._pool = self._pool << 256 | int.from_bytes(block, "big")
            self._counter += 1
            self._left += 256
        self._left -= count
        taken = self._pool >> self._left
        self._pool &= (1 << self._left) - 1
        return taken

    def below(self, limit: int) -> int:
        """Return a uniform number in [0, ``limit``), by rejection."""
        count = (limit - 1).bit_length()
        while (number := self.take(count)) >= limit:
            pass
        return number


def laplace_scale(epsilon: Fraction, sensitivity: int) -> Fraction:
    """Return Δ₁/ε. Raises Bug unless both are positive."""
    if epsilon <= 0 or sensitivity < 1:
        raise Bug("disclosure.noise_parameters")
    return Fraction(sensitivity) / Fraction(epsilon)


def discrete_laplace(scale: Fraction, bits: Bits) -> int:
    """Draw from the discrete Laplace distribution of this scale t/s (algorithm 2 of the paper).

    A geometric number of exponent 1/t is made of its remainder u modulo t and its quotient v; divided by s it has
    exponent s/t. A random sign follows, and minus zero is drawn again.
    """
    t, s = scale.numerator, scale.denominator
    while True:
        u = bits.below(t)
        if not _bernoulli_exp(u, t, bits):
            continue
        v = 0
        while _bernoulli_exp(1, 1, bits):
            v += 1
        magnitude = (u + t * v) // s
        negative = bits.take(1) == 1
        if not (negative and magnitude == 0):
            return -magnitude if negative else magnitude


def _bernoulli_exp(numerator: int, denominator: int, bits: Bits) -> bool:
    """Return True with probability exp(−γ), γ = ``numerator``/``denominator`` in [0, 1] (algorithm 1).

    The k-th trial succeeds with probability γ/k; the number of the first failure is odd with probability exp(−γ).
    """
    k = 1
    while bits.below(denominator * k) < numerator:
        k += 1
    return k % 2 == 1


def quantile_of_sum(scale: Fraction, n: int, level: float) -> int:
    """Return h such that the sum of ``n`` independent draws of this scale lies in [−h, h] with probability ≥ ``level``.

    The smallest such h up to scale 1024, a slightly larger one (by less than n·scale/150) beyond.
    """
    return half_width([scale] * n, level)


def half_width(scales: Sequence[Fraction], level: float) -> int:
    """Return h as :func:`quantile_of_sum` does, for one draw of each of ``scales``. Raises Bug on a bad argument.

    Up to that scale it is :func:`app.core.analysis.spread.exact_half_width`. Beyond: a draw is the difference of two
    exponential times of scale s, each rounded down. Rounded down to multiples of m instead, which is a draw of scale
    s/m times m, each moves by less than m: hence the allowance.
    """
    if not 0 < level <= 1 - 1e-9 or any(scale <= 0 for scale in scales):
        raise Bug("disclosure.interval_parameters")
    if not scales:
        return 0
    step = math.ceil(max(scales) / _FINE)
    if step > 1:
        return step * half_width([scale / step for scale in scales], level) + len(scales) * (step + 1)
    return exact_half_width(tuple(sorted(scales)), level)
