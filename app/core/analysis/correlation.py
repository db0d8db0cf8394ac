"""Pearson's correlations, their intervals on Fisher's scale z = artanh r."""

from __future__ import annotations

import math
from itertools import combinations

from app.core.analysis.counts import notes_of
from app.core.analysis.crossed import Crossed, crossed
from app.core.analysis.intervals import count_estimate, finite, noise_width, p_of, width_of
from app.core.analysis.moments import combined
from app.core.analysis.numbers import Numbers
from app.core.analysis.results import CorrelateResult, Correlation, Estimate
from app.core.catalogue.model import Catalogue


def correlate(numbers: Numbers, codes: tuple[str, ...], catalogue: Catalogue, confidence: float) -> CorrelateResult:
    """Return r of every pair of these variables."""
    found = crossed(numbers, codes, catalogue)
    notes = [] if found.note is None else [found.note]
    pairs = []
    for one, other in combinations(range(len(codes)), 2):
        pair, note = _pair(numbers, found, (one, other), confidence)
        pairs.append(Correlation(codes[one], codes[other], *pair))
        notes += [] if note is None else [note]
    if numbers.noised and any(pair.p is not None for pair in pairs):
        notes.append("noise_in_tests")
    raw, place = numbers.value("n"), numbers.place("n")
    return CorrelateResult(
        codes,
        count_estimate(numbers, [place], max(0, raw), confidence),
        tuple(pairs),
        confidence,
        raw < 0,
        noise_width(numbers, place, confidence),
        notes_of(numbers, *notes, adjusted=raw < 0),
    )


_Pair = tuple[Estimate, float | None]


def _pair(numbers: Numbers, found: Crossed, at: tuple[int, int], confidence: float) -> tuple[_Pair, str | None]:
    """Return r with its interval, p, and a note if something is left out."""
    nothing: _Pair = (Estimate(), None)
    one, other = at
    if found.note is not None or found.n < 3:
        return nothing, found.note or "too_few"
    if not (found.divisible(numbers, one) and found.divisible(numbers, other)):
        return nothing, _why(numbers, found, at)
    xx, yy, xy = (found.products[a][b] for a, b in ((one, one), (other, other), at))
    root = math.sqrt(float(xx)) * math.sqrt(float(yy))
    r = float(xy) / root
    if xy * xy >= xx * yy:
        if numbers.noised:
            return nothing, "too_noisy"
        if xy * xy > xx * yy:
            return nothing, "inconsistent"
        return (Estimate(math.copysign(1.0, r)), 0.0), None  # a straight line has no interval
    weights = combined(
        (found.product_weights[one][other], 1 / root),
        (found.product_weights[one][one], -r / 2 / float(xx)),
        (found.product_weights[other][other], -r / 2 / float(yy)),
    )
    on_z = {place: weight / (1 - r * r) for place, weight in weights.items()}
    z = math.atanh(r)
    estimate = Estimate(r)
    if found.n > 3:
        width = width_of(numbers, on_z, 1 / math.sqrt(found.n - 3), confidence)
        estimate = Estimate(r, math.tanh(z - width), math.tanh(z + width))
    return (estimate, _p(numbers, r, found.n, on_z)), "too_few" if found.n == 3 else None


def _p(numbers: Numbers, r: float, n: int, on_z: dict[int, float]) -> float | None:
    if numbers.noised:
        return p_of(numbers, math.atanh(r), on_z, 1 / math.sqrt(n - 3)) if n > 3 else None
    from scipy import stats  # noqa: PLC0415 - slow to load, and not needed to show a result

    t = r * math.sqrt((n - 2) / ((1 - r) * (1 + r)))
    return finite(2 * stats.t.sf(abs(t), n - 2))


def _why(numbers: Numbers, found: Crossed, at: tuple[int, int]) -> str:
    if numbers.noised:
        return "too_noisy"
    return "inconsistent" if min(found.products[k][k] for k in at) < 0 else "no_spread"
